//! The seam behind which a pod's fate is decided: here by the code linked in, later by a WebAssembly host.

use crate::core::inject::{self, Decision, Request};
use crate::core::installation::Installation;
use crate::core::settings::Settings;

/// Decides about pods.
///
/// It is called on the runtime's own threads: an implementation bounds its time itself. The same request gets the
/// same decision, and nothing but the decision comes of it (`sideEffects: None`).
pub trait Policy: Send + Sync + 'static {
    /// What becomes of the pod.
    fn decide(&self, request: Request<'_>) -> Result<Decision, PolicyError>;
}

/// There is no decision. What the user is told stands in one place, the crate's `answer`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// It did not decide in time. May pass.
    DeadlineExceeded,
    /// It answered with something that is no decision.
    Garbage,
    /// It used up its fuel: it would again.
    OutOfFuel,
    /// Too many decisions are being made. Passes.
    Overloaded,
    /// It trapped, or panicked.
    Trapped,
}

/// `core`, called directly.
#[derive(Debug)]
pub struct Native {
    settings: Settings,
    installation: Installation,
}

// === impl Native ===

impl Native {
    /// Decides by `settings`, for the pods of `installation`.
    #[must_use]
    pub const fn new(settings: Settings, installation: Installation) -> Self {
        Self { settings, installation }
    }
}

impl Policy for Native {
    fn decide(&self, request: Request<'_>) -> Result<Decision, PolicyError> {
        Ok(inject::inject(request, &self.settings, &self.installation))
    }
}
