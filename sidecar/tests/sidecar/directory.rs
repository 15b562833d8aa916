//! A directory of a test's own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory that goes with its test.
pub(crate) struct Directory(PathBuf);

// === impl Directory ===

impl Directory {
    pub(crate) fn new() -> Self {
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // One that a killed run left: process ids come again.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Replaces a file as the kubelet does: at every moment there is the old one or the new one.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let fresh = self.file("fresh");
        std::fs::write(&fresh, content).unwrap();
        std::fs::rename(fresh, self.file(name)).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind is small, and in the build's own directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(0);
