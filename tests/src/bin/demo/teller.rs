//! What a person reads: numbered steps, details below them, and how long each took.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::Instant;

/// Tells one step after the other.
pub(crate) struct Teller {
    next: u32,
    began: Instant,
}

// === impl Teller ===

impl Teller {
    pub(crate) fn starting_at(first: u32) -> Self {
        Self { next: first, began: Instant::now() }
    }

    /// Begins a step.
    pub(crate) fn step(&mut self, title: &str) {
        say(format_args!("\n{}. {title}", self.next));
        self.next += 1;
        self.began = Instant::now();
    }

    /// Says what the step was about, in as many lines as it has.
    #[expect(clippy::unused_self, reason = "details belong to a step")]
    pub(crate) fn detail(&self, text: &str) {
        for line in text.lines() {
            say(format_args!("   {line}"));
        }
    }

    /// Says what has just been seen, and how long after the step began.
    pub(crate) fn seen(&self, text: &str) {
        say(format_args!("   {:>6}  {text}", seconds(self.began.elapsed())));
    }

    /// Ends a step.
    pub(crate) fn done(&self) {
        say(format_args!("   ({})", seconds(self.began.elapsed())));
    }
}

/// A reader that has gone (`make demo | head`) is no reason to stop half-way.
fn say(line: fmt::Arguments<'_>) {
    let _gone = writeln!(io::stdout(), "{line}");
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
