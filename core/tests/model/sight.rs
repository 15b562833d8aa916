//! What a pod's object shows of it.

use crate::clock::Tick;

/// What a pod's object shows of it, as far as it matters to its services.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Sight {
    /// There is none: not yet, or not any more.
    #[default]
    Absent,
    /// It waits, or runs.
    Live,
    /// Its sandbox was killed: its sidecar was told to stop, and has released it, and it runs all the same.
    Rerun,
    /// It is being deleted, and its grace ends then.
    Leaving(Tick),
    /// Marked by the controller: the leader of its job has ended.
    Dismissed,
    /// Marked by its sidecar; its status is behind.
    Released,
    /// All that counts exited with 0.
    Completed,
    /// Something did not; when that was.
    Failed(Tick),
}
