//! What ends the process when nothing else does.

use std::thread;
use std::time::Duration;

use crate::log;
use crate::release::UNHARMED;

/// Exits 0 `after` this long, whatever the rest of the process is stuck in, such as a read of a file that never
/// returns. It says nothing then: what is stuck may hold the log.
pub(crate) fn arm(after: Duration) {
    let armed = thread::Builder::new().stack_size(STACK).spawn(move || {
        #[expect(
            clippy::disallowed_methods,
            reason = "a thread of its own, so that it ends a stuck runtime too"
        )]
        thread::sleep(after);
        exit();
    });
    if let Err(error) = armed {
        log::say(format_args!("failed to start the thread that guards the deadline: {error}"));
    }
}

/// Makes a panic an exit 0 too: a bug of ours must not fail a task that succeeded.
pub(crate) fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        log::say(format_args!("internal error: {panic}; {UNHARMED}"));
        exit();
    }));
}

/// Makes a panic an exit 1, after the last words: a gate that failed for a bug of ours is to say so.
pub(crate) fn fail_on_panic(last_words: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        last_words(&format!("internal error: {panic}"));
        exit_with(1);
    }));
}

fn exit() -> ! {
    exit_with(0)
}

#[expect(clippy::exit, reason = "there is nobody left to return to")]
fn exit_with(code: i32) -> ! {
    std::process::exit(code)
}

/// It sleeps and exits.
const STACK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    /// Runs one of the tests below, which is meant to end its process.
    fn run(test: &str) -> Output {
        let name = format!("last_resort::tests::{test}");
        let this = std::env::current_exe().unwrap();
        Command::new(this).args(["--exact", &name, "--ignored", "--nocapture"]).output().unwrap()
    }

    #[test]
    #[ignore = "ends the process"]
    fn sidecar_that_panics() {
        exit_on_panic();
        panic!("a bug");
    }

    #[test]
    #[ignore = "ends the process"]
    fn gate_that_panics() {
        fail_on_panic(|last_words| eprintln!("{last_words}"));
        panic!("a bug");
    }

    #[test]
    fn a_bug_of_ours_does_not_fail_the_task() {
        let output = run("sidecar_that_panics");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(log.starts_with("dataservice-sidecar: internal error: panicked at "), "{log}");
    }

    #[test]
    fn a_bug_of_the_gate_fails_with_last_words() {
        let output = run("gate_that_panics");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.starts_with("internal error: panicked at ") && log.contains("a bug"), "{log}");
    }
}
