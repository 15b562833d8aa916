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

#[expect(clippy::exit, reason = "there is nobody left to return to")]
fn exit() -> ! {
    std::process::exit(0)
}

/// It sleeps and exits.
const STACK: usize = 64 * 1024;
