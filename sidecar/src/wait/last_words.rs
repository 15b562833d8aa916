//! The termination message: what Kubernetes, and Flyte with it, shows of a container that failed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use crate::log;

/// Where the kubelet looks for it.
pub(crate) const DEFAULT_PATH: &str = "/dev/termination-log";

/// Writes the message into the file that the kubelet has made; its end is left off where it would be too long.
pub(crate) fn write(path: &Path, message: &str) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(fitted(message).as_bytes())
}

fn fitted(message: &str) -> String {
    let mut fitted: String = log::clean(message).take(MOST_BYTES).collect();
    fitted.truncate(fitted.floor_char_boundary(MOST_BYTES));
    fitted
}

/// What the kubelet reads of it.
const MOST_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_cut_between_two_characters() {
        let message = format!("a{}", "é".repeat(4_000));
        assert_eq!(fitted(&message), format!("a{}", "é".repeat(2_047)));
    }

    proptest! {
        #[test]
        fn every_message_becomes_one_line_that_fits(message in "(\\PC|\n|\u{1b}){0,5000}") {
            let fitted = fitted(&message);
            prop_assert!(fitted.len() <= MOST_BYTES);
            prop_assert!(!fitted.contains(char::is_control));
        }
    }
}
