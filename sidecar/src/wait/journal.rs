//! What has been said already: a person reads each change, and nothing twice.

use std::time::Duration;

use tokio::time::Instant;

/// The last lines of each kind.
#[derive(Debug)]
pub(crate) struct Journal {
    failure: String,
    summary: String,
    summary_due_at: Instant,
    word: String,
}

// === impl Journal ===

impl Journal {
    /// Nothing has been said.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            failure: String::new(),
            summary: String::new(),
            summary_due_at: now + BETWEEN_SUMMARIES,
            word: String::new(),
        }
    }

    /// Whether this word of the lifecycle API is news. After a failure it is: so one reads that it is over.
    pub(crate) fn is_new_word(&mut self, word: &str) -> bool {
        self.failure.clear();
        replace(&mut self.word, word)
    }

    /// Whether this failure to ask the lifecycle API is news.
    pub(crate) fn is_new_failure(&mut self, failure: &str) -> bool {
        self.word.clear();
        replace(&mut self.failure, failure)
    }

    /// Servers that answer at once need no summary.
    pub(crate) fn put_summary_off(&mut self, now: Instant) {
        self.summary_due_at = now + BETWEEN_SUMMARIES;
    }

    /// From when on a summary may be news.
    pub(crate) fn summary_due_at(&self) -> Instant {
        self.summary_due_at
    }

    /// Whether this summary of the servers is news.
    pub(crate) fn is_new_summary(&mut self, summary: &str, now: Instant) -> bool {
        self.put_summary_off(now);
        !summary.is_empty() && replace(&mut self.summary, summary)
    }
}

fn replace(last: &mut String, text: &str) -> bool {
    let new = last != text;
    if new {
        text.clone_into(last);
    }
    new
}

/// Servers come and go faster than people read.
const BETWEEN_SUMMARIES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_when_it_differs_from_the_last_one() {
        let mut journal = Journal::new(Instant::now());
        let said = ["3/4", "3/4", "4/4", "3/4"].map(|word| journal.is_new_word(word));
        assert_eq!(said, [true, false, true, true]);
    }

    #[test]
    fn a_word_after_a_failure_is_said_again() {
        let mut journal = Journal::new(Instant::now());
        assert!(journal.is_new_word("3/4"));
        assert!(journal.is_new_failure("cut"));
        assert!(!journal.is_new_failure("cut"));
        assert!(journal.is_new_word("3/4"));
        assert!(journal.is_new_failure("cut"));
    }

    #[test]
    fn a_summary_is_due_a_second_after_the_last_one() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut journal = Journal::new(now);
        assert_eq!(journal.summary_due_at(), now + second);
        assert!(journal.is_new_summary("3/4", now + second));
        assert!(!journal.is_new_summary("3/4", now + second * 2));
        assert!(!journal.is_new_summary("", now + second * 3), "nobody is missing");
        assert_eq!(journal.summary_due_at(), now + second * 4);
    }
}
