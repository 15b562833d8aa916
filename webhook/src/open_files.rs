//! How many files the process may have open, of which each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Takes all that may be taken. Where containers start with systemd's default of 1,024 they may have many more, and
/// fewer than the listeners' limits would close admission together with the lifecycle API.
pub(crate) fn take_all() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => tracing::info!(most = limit.maximum, "Raised the limit of open files"),
        Err(error) => tracing::warn!(%error, "Failed to raise the limit of open files"),
    }
}
