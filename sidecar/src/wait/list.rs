//! Lists of endpoints, for tasks whose environment they would not fit.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use dataservice_wire::{GateService, Lists};

/// A list that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {}", path.display())]
pub(crate) struct Error {
    path: PathBuf,
    source: io::Error,
}

/// Writes every endpoint to `endpoints`, and where there are several services those of each to `endpoints-<name>`.
pub(crate) fn write(lists: &Lists, services: &[GateService]) -> Result<(), Error> {
    write_one(lists, "endpoints", services)?;
    if let [_, _, ..] = services {
        for service in services {
            write_one(lists, &format!("endpoints-{}", service.name), std::slice::from_ref(service))?;
        }
    }
    Ok(())
}

/// Under another name first: a gate that runs again must not take a list away from who reads it.
fn write_one(lists: &Lists, name: &str, services: &[GateService]) -> Result<(), Error> {
    let path = Path::new(&lists.folder).join(name);
    let unfinished = Path::new(&lists.folder).join(format!(".{name}.unfinished"));
    let written = fill(&unfinished, services, &lists.suffix).and_then(|()| fs::rename(&unfinished, &path));
    written.map_err(|source| {
        // It may hold the space that a next attempt needs. That it cannot be removed changes nothing.
        let _ = fs::remove_file(&unfinished);
        Error { path, source }
    })
}

fn fill(path: &Path, services: &[GateService], suffix: &str) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for GateService { object, replicas, port, .. } in services {
        for ordinal in 0..*replicas {
            writeln!(file, "{object}-{ordinal}.{object}{suffix}:{port}")?;
        }
    }
    file.flush()
}
