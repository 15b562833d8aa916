//! Durations as users write them: `90s`, `15m`, `1h30m`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::problem::quote;

/// A length of time, in whole seconds from one to a year.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Span(u64);

/// Not a [`Span`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{} is not a duration; allowed: whole numbers with s, m, h or d, such as 90s, 15m or 1h30m, at most 365d",
    quote(.0)
)]
pub struct InvalidSpan(String);

// === impl Span ===

impl Span {
    /// So many minutes, up to a year.
    pub(crate) const fn minutes(minutes: u32) -> Self {
        let seconds = minutes as u64 * 60;
        Self(if seconds == 0 {
            1
        } else if seconds > LONGEST_SECONDS {
            LONGEST_SECONDS
        } else {
            seconds
        })
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = seconds(text.trim()).ok_or_else(|| InvalidSpan(text.to_owned()))?;
        Self::try_from(seconds).map_err(|_| InvalidSpan(text.to_owned()))
    }
}

impl TryFrom<u64> for Span {
    type Error = InvalidSpan;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        if (1..=LONGEST_SECONDS).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(InvalidSpan(format!("{seconds}s")))
        }
    }
}

impl From<Span> for u64 {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// The sum of numbers with units, or nothing if `text` is not made of them.
fn seconds(text: &str) -> Option<u64> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let mut tail = tail.chars();
        let unit = match tail.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part))?;
        rest = tail.as_str();
    }
    Some(seconds)
}

const LONGEST_SECONDS: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Span, InvalidSpan> {
        text.parse()
    }

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse("90s"), Ok(Span(90)));
        assert_eq!(parse("1h30m"), Ok(Span(5_400)));
        assert_eq!(parse(" 2d "), Ok(Span(172_800)));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for bad in ["", "0s", "15", "m", "1.5h", "-1s", "1w", "366d", "99999999999999999999s", "1h m"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            parse("soon").unwrap_err().to_string(),
            "\"soon\" is not a duration; allowed: whole numbers with s, m, h or d, such as 90s, 15m or 1h30m, at most 365d"
        );
    }
}
