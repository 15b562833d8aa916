//! How far a pod's services are, and the line that the pod is told.

use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::time::Instant;

use crate::core::consumer::PodRef;
use crate::wire::{MOST_LINE_BYTES, Progress};

/// Knows how far pods' services are.
pub trait Follow: Send + Sync + 'static {
    /// How far those of `pod` are now, and then each change, until nothing more will come.
    ///
    /// Values may be left out where the reader is slow, but not the latest. Nothing is read after a last one. A stream
    /// that ends without one makes the pod ask again; so does a stream that the reader ends, by dropping it.
    fn follow(&self, pod: &PodRef) -> BoxStream<'static, State>;
}

/// How far the services of one pod are. Messages are for a person; too long ones are cut.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// A cause that waiting cannot mend. The last one.
    Failed {
        /// The cause.
        message: String,
    },
    /// All servers of all services are ready. The last one.
    Ready {
        /// What is ready.
        message: String,
    },
    /// Not yet.
    Waiting {
        /// What is missing.
        message: String,
        /// When the pod gives up, if nothing changes: what is left of it is told anew with every line.
        until: Instant,
    },
}

// === impl State ===

impl State {
    /// What the pod is told at `now`: one line, of at most [`MOST_LINE_BYTES`] with its end.
    pub(crate) fn line(&self, now: Instant) -> Bytes {
        let line = self.line_with(self.message(), now);
        if line.len() <= MOST_LINE_BYTES {
            return line.into();
        }
        let room = MOST_LINE_BYTES.saturating_sub(self.line_with(CUT, now).len());
        self.line_with(&format!("{}{CUT}", beginning(self.message(), room)), now).into()
    }

    fn line_with(&self, message: &str, now: Instant) -> Vec<u8> {
        let progress = self.progress(message.to_owned(), now);
        let mut line = serde_json::to_vec(&progress).expect("progress must have a form in JSON");
        line.push(b'\n');
        line
    }

    fn message(&self) -> &str {
        match self {
            Self::Failed { message } | Self::Ready { message } | Self::Waiting { message, .. } => message,
        }
    }

    fn progress(&self, message: String, now: Instant) -> Progress {
        match self {
            Self::Failed { .. } => Progress::Failed { message },
            Self::Ready { .. } => Progress::Ready { message },
            Self::Waiting { until, .. } => {
                let remaining = until.saturating_duration_since(now);
                // Rounded up: 0 says that it is over.
                let remaining_seconds = remaining.as_secs() + u64::from(remaining.subsec_nanos() > 0);
                Progress::Waiting { message, remaining_seconds }
            }
        }
    }
}

/// As much of `message` as takes at most `room` bytes in JSON.
fn beginning(message: &str, room: usize) -> &str {
    let mut taken = 0;
    let beyond = message.char_indices().find(|(_, char)| {
        taken += bytes_in_json(*char);
        taken > room
    });
    beyond.and_then(|(end, _)| message.get(..end)).unwrap_or(message)
}

const fn bytes_in_json(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}

/// Stands for what was cut off.
const CUT: &str = "…";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(state: &State, now: Instant) -> Progress {
        let line = state.line(now);
        assert!(line.len() <= MOST_LINE_BYTES, "{}", line.len());
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        serde_json::from_slice(&line).unwrap()
    }

    fn told_of(message: &str) -> String {
        let state = State::Failed { message: message.to_owned() };
        match told(&state, Instant::now()) {
            Progress::Failed { message } => message,
            other => panic!("{other:?}"),
        }
    }

    fn remaining(left: Duration) -> u64 {
        let now = Instant::now();
        match told(&State::Waiting { message: String::new(), until: now + left }, now) {
            Progress::Waiting { remaining_seconds, .. } => remaining_seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_remains_is_counted_from_now_and_rounded_up() {
        let (until, message) = (Instant::now() + Duration::from_mins(10), "graph 3/4 ready".to_owned());
        let state = State::Waiting { message: message.clone(), until };
        let later = until.checked_sub(Duration::from_secs(20)).unwrap();
        assert_eq!(told(&state, later), Progress::Waiting { message, remaining_seconds: 20 });
        assert_eq!(remaining(Duration::from_millis(1)), 1);
        assert_eq!(remaining(Duration::from_millis(1001)), 2);
        assert_eq!(remaining(Duration::ZERO), 0);
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        let until = Instant::now();
        let state = State::Waiting { message: String::new(), until };
        let expected = Progress::Waiting { message: String::new(), remaining_seconds: 0 };
        assert_eq!(told(&state, until + Duration::from_secs(1)), expected);
    }

    #[test]
    fn a_message_is_cut_only_where_the_line_would_be_too_long() {
        let room = MOST_LINE_BYTES - r#"{"state":"failed","message":""}"#.len() - 1;
        let fits = "x".repeat(room);
        assert_eq!(told_of(&fits), fits);
        let cut = told_of(&"x".repeat(room + 1));
        assert_eq!(cut, format!("{}…", "x".repeat(room - CUT.len())));
    }

    #[test]
    fn a_cut_message_fills_the_line_up_to_a_whole_character() {
        let messages = ["x", "𝕊", "\"", "\\", "\n", "\u{1b}", "\u{7f}", "\u{1b}[31mé\n"];
        for (message, offset) in messages.into_iter().flat_map(|message| [(message, 0), (message, 1)]) {
            let message = format!("{}{}", "x".repeat(offset), message.repeat(MOST_LINE_BYTES));
            let state = State::Failed { message: message.clone() };
            let room = MOST_LINE_BYTES - state.line(Instant::now()).len();
            assert!(room < 6, "{room}");
            assert!(message.starts_with(told_of(&message).strip_suffix(CUT).unwrap()));
        }
    }

    #[test]
    fn a_characters_length_is_that_in_json() {
        for char in ('\0'..='\u{ff}').chain(['\u{2028}', '⏳', '𝕊']) {
            let written = serde_json::to_string(&char).unwrap();
            assert_eq!(bytes_in_json(char), written.len() - 2, "{written}");
        }
    }
}
