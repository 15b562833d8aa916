//! The name of a host.

use std::fmt;
use std::str::FromStr;

/// A full host name: lower case, without the root's dot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Name(String);

/// A text that is no host name.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid host name: {0:?}")]
pub(crate) struct InvalidName(String);

// === impl Name ===

impl Name {
    /// The labels, each of 1 to 63 bytes.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(byte);
        if name.len() <= MAX_NAME && name.split('.').all(label) {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            Err(InvalidName(text.into()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1035, 2.3.4.
const MAX_LABEL: usize = 63;
/// The 255 of RFC 1035 less the first length and the root.
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_the_limits_are_names() {
        for name in ["a", "API.flyte.svc.", "_x.y-z.1", &"a".repeat(63), &"a.".repeat(127)] {
            assert!(name.parse::<Name>().is_ok(), "{name}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for name in ["", ".", "a..b", "a b", "é", &"a".repeat(64), &"ab.".repeat(90)] {
            let message = format!("invalid host name: {name:?}");
            assert_eq!(name.parse::<Name>().map_err(|error| error.to_string()), Err(message));
        }
    }
}
