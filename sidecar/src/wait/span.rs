//! Lengths of time, as people write them.

use std::fmt;
use std::time::Duration;

/// A length of time as its reader would write it: `10m`, `1h30m`, `45s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

// === impl Span ===

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            return write!(f, "{}ms", self.0.as_millis());
        }
        for (count, unit) in [(seconds / 3_600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

/// Longer than any task waits, and nowhere near the end of a clock.
pub(crate) const LONGEST: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_reads_as_it_is_written() {
        let milliseconds = [200, 5_000, 90_000, 600_000, 3_600_000, 5_400_000, 3_723_000];
        let written = milliseconds.map(|count| Span(Duration::from_millis(count)).to_string());
        assert_eq!(written, ["200ms", "5s", "1m30s", "10m", "1h", "1h30m", "1h2m3s"]);
    }
}
