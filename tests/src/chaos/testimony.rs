//! What one task has seen of its data services, as it told while it lived.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// What one task has seen, as the lines of `tests/playground/witness` tell it.
///
/// Times are the task's own, which are ours: the node is this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Testimony {
    /// The pod that it runs in.
    pub pod: String,
    /// When it started.
    pub started_at: Timestamp,
    /// The servers that it was promised.
    pub endpoints: Vec<String>,
    /// Each server's answers, and for which time there were none.
    pub heard: BTreeMap<String, Heard>,
    /// When it last said anything.
    pub last_beat: Timestamp,
    /// The exit code that it ended with, if it ended by itself.
    pub code: Option<u8>,
    /// When its process had ended.
    pub ended_at: Option<Timestamp>,
}

/// What a task has heard of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// When it first answered.
    pub first: Option<Timestamp>,
    /// From when to when it did not, after it had; to the task's end, where there is none.
    pub gaps: Vec<(Timestamp, Option<Timestamp>)>,
}

// === impl Testimony ===

impl Testimony {
    /// Of a task that has just said hello; nothing, if that is not what it said.
    #[must_use]
    pub fn of_hello(line: &str) -> Option<Self> {
        let (at, words) = words(line)?;
        let mut words = words.split(' ');
        let (Some("hello"), Some(pod)) = (words.next(), words.next()) else { return None };
        Some(Self {
            pod: pod.to_owned(),
            started_at: at,
            endpoints: words.filter(|endpoint| !endpoint.is_empty()).map(str::to_owned).collect(),
            heard: BTreeMap::new(),
            last_beat: at,
            code: None,
            ended_at: None,
        })
    }

    /// Takes down another line.
    pub fn note(&mut self, line: &str) {
        let Some((at, words)) = words(line) else { return };
        self.last_beat = self.last_beat.max(at);
        match words.split_once(' ') {
            Some(("up", endpoint)) => self.heard.entry(endpoint.to_owned()).or_default().answer(at),
            Some(("lost", endpoint)) => self.heard.entry(endpoint.to_owned()).or_default().silence(at),
            Some(("end", code)) => self.code = code.parse().ok(),
            _ => {}
        }
    }

    /// Whether every server that it was promised has answered it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let answered =
            |endpoint: &String| self.heard.get(endpoint).is_some_and(|heard| heard.first.is_some());
        !self.endpoints.is_empty() && self.endpoints.iter().all(answered)
    }

    /// The servers' silences, longest first.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |endpoint: &String, (from, to): &(Timestamp, Option<Timestamp>)| Gap {
            endpoint: endpoint.clone(),
            from: *from,
            lasts: to.unwrap_or(self.last_beat).duration_since(*from),
            is_open: to.is_none(),
        };
        let all = self
            .heard
            .iter()
            .flat_map(|(endpoint, heard)| heard.gaps.iter().map(move |times| (endpoint, times)));
        let mut gaps: Vec<_> = all.map(|(endpoint, times)| gap(endpoint, times)).collect();
        gaps.sort_by_key(|gap| Reverse(gap.lasts));
        gaps
    }
}

/// A time for which a server did not answer a task that it had answered before.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// The server.
    pub endpoint: String,
    /// From when.
    pub from: Timestamp,
    /// For how long.
    pub lasts: SignedDuration,
    /// Whether the task ended before it answered again.
    pub is_open: bool,
}

// === impl Heard ===

impl Heard {
    fn answer(&mut self, at: Timestamp) {
        self.first.get_or_insert(at);
        if let Some((_, to @ None)) = self.gaps.last_mut() {
            *to = Some(at);
        }
    }

    fn silence(&mut self, at: Timestamp) {
        if self.first.is_some() {
            self.gaps.push((at, None));
        }
    }
}

/// When a line was said (seconds since 1970, with six digits after the point), and what.
fn words(line: &str) -> Option<(Timestamp, &str)> {
    let (at, words) = line.trim_end().split_once(' ')?;
    let (seconds, microseconds) = at.split_once('.')?;
    let at = Timestamp::new(seconds.parse().ok()?, 0).ok()?;
    let rest: i64 = microseconds.parse().ok().filter(|_| microseconds.len() == 6)?;
    Some((at.checked_add(SignedDuration::from_micros(rest)).ok()?, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn testimony(lines: &[&str]) -> Testimony {
        let mut testimony = Testimony::of_hello("1000.000000 hello p a-0.a:1 a-1.a:1").unwrap();
        for line in lines {
            testimony.note(line);
        }
        testimony
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn it_begins_with_a_hello() {
        let testimony = testimony(&[]);
        assert_eq!((testimony.pod.as_str(), testimony.started_at), ("p", at(1_000)));
        assert_eq!(testimony.endpoints, ["a-0.a:1", "a-1.a:1"]);
        for line in ["", "hello p", "1000.000000 beat", "1000.5 hello p", "x.000000 hello p"] {
            assert_eq!(Testimony::of_hello(line), None, "{line:?}");
        }
        assert_eq!(Testimony::of_hello("1000.000000 hello p ").unwrap().endpoints, Vec::<String>::new());
    }

    #[test]
    fn it_is_complete_when_every_server_has_answered() {
        assert!(!testimony(&["1001.000000 up a-0.a:1", "1001.000000 lost a-1.a:1"]).is_complete());
        assert!(testimony(&["1001.000000 up a-0.a:1", "1002.000000 up a-1.a:1"]).is_complete());
        assert!(!Testimony::of_hello("1000.000000 hello p").unwrap().is_complete());
    }

    #[test]
    fn a_gap_is_between_two_answers_or_open() {
        let testimony = testimony(&[
            "1001.000000 up a-0.a:1",
            "1002.000000 lost a-0.a:1",
            "1003.000000 up a-0.a:1",
            "1004.000000 lost a-0.a:1",
            "1009.000000 beat",
        ]);
        let gaps: Vec<_> =
            testimony.gaps().iter().map(|gap| (gap.from, gap.lasts.as_secs(), gap.is_open)).collect();
        assert_eq!(gaps, [(at(1_004), 5, true), (at(1_002), 1, false)]);
    }

    #[test]
    fn a_server_that_has_never_answered_is_not_lost() {
        assert_eq!(testimony(&["1001.000000 lost a-0.a:1", "1002.000000 up a-0.a:1"]).gaps(), []);
    }

    #[test]
    fn its_end_has_a_code() {
        assert_eq!(testimony(&["1001.000000 end 1"]).code, Some(1));
        assert_eq!(testimony(&["1001.000000 beat"]).code, None);
    }
}
