//! Lines for a person to read, on stderr.

use std::error::Error;
use std::fmt;
use std::io::{Stderr, Write as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// An error with all of its causes, as one sentence.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

/// Whose lines these are: a person reads the logs of all containers in one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    name: &'static str,
    /// Of one message, in characters of at most four bytes: a line fits a page.
    most: usize,
}

/// Writes one line of the sidecar's, if it can be taken at once.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    SIDECAR.say(message);
}

/// A peer may have had its part in a message: it is one line of plain text, whatever it holds.
pub(crate) fn clean(message: &str) -> impl Iterator<Item = char> {
    message.chars().map(|c| if c.is_control() { ' ' } else { c })
}

/// Whether a write would not block. A pipe that says so has room for a page.
fn takes_a_line(stderr: &Stderr) -> bool {
    let mut stderr = [PollFd::new(stderr, PollFlags::OUT)];
    poll(&mut stderr, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

// === impl Voice ===

impl Voice {
    /// Writes one line, if it can be taken at once: that nobody reads the log is no reason to fail, nor to wait.
    pub(crate) fn say(self, message: fmt::Arguments<'_>) {
        let line = self.line(&message.to_string());
        let stderr = std::io::stderr();
        if takes_a_line(&stderr) {
            let _ = (&stderr).write_all(line.as_bytes());
        }
    }

    fn line(self, message: &str) -> String {
        let mut line = format!("{}: ", self.name);
        line.extend(clean(message).take(self.most));
        line.push('\n');
        line
    }
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

const SIDECAR: Voice = Voice { name: "dataservice-sidecar", most: 400 };
/// The lifecycle API may have more to say, about many services.
pub(crate) const WAIT: Voice = Voice { name: "dataservice-wait", most: 1_000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_forge_a_second_line() {
        assert_eq!(
            SIDECAR.line("no\ndataservice-sidecar: released\r\u{1b}[2K"),
            "dataservice-sidecar: no dataservice-sidecar: released  [2K\n"
        );
    }

    #[test]
    fn a_message_is_cut() {
        let line = |voice: Voice| voice.line(&"é".repeat(10_000)).chars().count();
        assert_eq!(line(SIDECAR), "dataservice-sidecar: \n".len() + 400);
        assert_eq!(line(WAIT), "dataservice-wait: \n".len() + 1_000);
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
