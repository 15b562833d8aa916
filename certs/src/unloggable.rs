//! Values that must not reach a log.

use std::fmt;

/// A value that `Debug` shows as `...` and `Display` does not show at all: keys, tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Unloggable<T>(T);

// === impl Unloggable ===

impl<T> Unloggable<T> {
    /// Takes charge of `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this sees to it that it is not logged.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Unloggable<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Unloggable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("...")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_three_dots_alone_and_inside_others() {
        let key = Unloggable::new("hunter2".to_owned());
        assert_eq!(format!("{key:?}"), "...");
        assert_eq!(format!("{:?}", Some(&key)), "Some(...)");
        assert_eq!(format!("{key:#?}"), "...");
        assert_eq!(key.expose(), "hunter2");
    }
}
