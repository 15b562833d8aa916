//! What happened when, for whoever has to find out why.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;

/// What happened when, in a file; the folder holds whatever else is of use.
#[derive(Clone)]
pub struct Journal {
    /// Where it is.
    pub folder: PathBuf,
    began: Timestamp,
    file: Arc<Mutex<File>>,
}

// === impl Journal ===

impl Journal {
    /// Begins one in a folder of its own; what an earlier run left there is deleted.
    pub fn begin(folder: &Path) -> Result<Self> {
        let failed = || format!("failed to write to {}", folder.display());
        if folder.join(FILE).exists() {
            fs::remove_dir_all(folder).with_context(failed)?;
        }
        fs::create_dir_all(folder).with_context(failed)?;
        let file = File::create(folder.join(FILE)).with_context(failed)?;
        Ok(Self { folder: folder.to_owned(), began: Timestamp::now(), file: Arc::new(Mutex::new(file)) })
    }

    /// Takes something down.
    pub fn note(&self, what: impl fmt::Display) {
        let now = Timestamp::now();
        let seconds = now.duration_since(self.began).as_secs_f64();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk ends the run elsewhere.
        let _ = writeln!(file, "{now:.3} {seconds:7.1} s  {what}");
    }

    /// Takes something down that whoever waits wants to see.
    pub fn tell(&self, what: impl fmt::Display) {
        let seconds = Timestamp::now().duration_since(self.began).as_secs();
        eprintln!("chaos: {seconds:4} s  {what}");
        self.note(what);
    }

    /// Puts another file into the folder.
    pub fn keep(&self, name: &str, content: impl AsRef<[u8]>) {
        if let Err(error) = fs::write(self.folder.join(name), content) {
            self.note(format_args!("failed to keep {name}: {error}"));
        }
    }
}

const FILE: &str = "journal.log";
