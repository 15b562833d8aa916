//! The machine that figures are taken on.

use std::fs;
use std::thread::available_parallelism;

/// What a reader of a figure has to know of the machine.
#[derive(Debug)]
pub struct Machine {
    /// CPUs that this process may use.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// How many processes wanted a CPU in the last minute, on average: what else goes on.
    pub load: f64,
}

// === impl Machine ===

impl Machine {
    /// As it is now; zero and empty where a kernel does not say.
    #[must_use]
    pub fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        Self {
            cpus: available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.unwrap_or_default(),
        }
    }
}
