//! Lines for a person to read, on stderr.

use std::error::Error;
use std::fmt;
use std::io::{Stderr, Write as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// An error with all of its causes, as one sentence.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

/// Writes one line, if it can be taken at once: that nobody reads the log is no reason to fail, nor to wait.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let line = line(&message.to_string());
    let stderr = std::io::stderr();
    if takes_a_line(&stderr) {
        let _ = (&stderr).write_all(line.as_bytes());
    }
}

/// Whether a write would not block. A pipe that says so has room for a page.
fn takes_a_line(stderr: &Stderr) -> bool {
    let mut stderr = [PollFd::new(stderr, PollFlags::OUT)];
    poll(&mut stderr, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// One line, whatever the message holds: a peer may have had its part in it.
fn line(message: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line = String::from("dataservice-sidecar: ");
    line.extend(message.chars().take(MAX_MESSAGE).map(clean));
    line.push('\n');
    line
}

// === impl Chain ===

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            f.write_str(": ")?;
            write!(f, "{error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// In characters, of at most four bytes: a line fits a page.
const MAX_MESSAGE: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_forge_a_second_line() {
        assert_eq!(
            line("no\ndataservice-sidecar: released\r\u{1b}[2K"),
            "dataservice-sidecar: no dataservice-sidecar: released  [2K\n"
        );
    }

    #[test]
    fn a_message_is_cut() {
        assert_eq!(line(&"é".repeat(10_000)).chars().count(), "dataservice-sidecar: \n".len() + MAX_MESSAGE);
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to open the door")]
        struct Door(#[source] std::io::Error);

        let error = Door(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert_eq!(Chain(&error).to_string(), "failed to open the door: permission denied");
    }
}
