//! The signals that end a container.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from [`Termination::install`] until the process ends: a second one changes nothing.
pub(crate) struct Termination {
    interrupt: Signal,
    terminate: Signal,
}

// === impl Termination ===

impl Termination {
    /// Installs the handlers. Process 1 of a container has no default ones: what comes earlier is lost.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first of them since [`Termination::install`], and says which it was.
    pub(crate) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
