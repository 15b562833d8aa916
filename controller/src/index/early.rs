//! What events told of services that were not known yet.

use super::{Notice, ServiceRef};

/// What was told while not all that is there has been seen. The watches list each for itself, and an event that was
/// listed before its service does not come again: publishing the same once more is a conflict.
#[derive(Debug, Default)]
pub(super) struct Early {
    notices: Vec<(ServiceRef, Notice)>,
    is_over: bool,
}

// === impl Early ===

impl Early {
    pub(super) fn keep(&mut self, service: &ServiceRef, notice: Notice) {
        if !self.is_over && self.notices.len() < MOST_NOTICES {
            self.notices.push((service.clone(), notice));
        }
    }

    /// From now on nothing is kept; what was.
    pub(super) fn end(&mut self) -> Vec<(ServiceRef, Notice)> {
        self.is_over = true;
        std::mem::take(&mut self.notices)
    }
}

/// Of up to a kilobyte each, and other people's StatefulSets are among them. What is more is not told.
const MOST_NOTICES: usize = 4_096;
