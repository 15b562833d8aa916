//! Processes in containers, as this machine sees them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;

/// A process on this machine.
#[derive(Debug)]
pub struct Process {
    /// Its folder under /proc.
    folder: PathBuf,
}

/// What a process holds of the machine's memory, in bytes, as `/proc/<pid>/status` has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Now: `VmRSS`.
    pub resident: f64,
    /// The most so far: `VmHWM`.
    pub highest: f64,
}

// === impl Process ===

impl Process {
    /// The process that runs `program` in a pod's running container; nothing, where the node is another machine.
    ///
    /// The container's id is in the path of its cgroup, whatever drives that. The program tells it from runc, which
    /// is there first.
    #[must_use]
    pub fn of(pod: &Pod, container: &str, program: &str) -> Option<Self> {
        let id = container_id(pod, container)?;
        Self::find(|cgroup| cgroup.contains(&id), program)
    }

    /// The process that holds a pod's sandbox; nothing, where the node is another machine.
    ///
    /// The pod's uid is in the path of its cgroup: as it is with the driver cgroupfs, with `_` for `-` with systemd.
    #[must_use]
    pub fn of_sandbox(pod: &Pod) -> Option<Self> {
        let uid = pod.metadata.uid.as_deref()?;
        let forms = [format!("pod{uid}"), format!("pod{}", uid.replace('-', "_"))];
        Self::find(|cgroup| forms.iter().any(|form| cgroup.contains(form)), "pause")
    }

    /// The processes that run `program` in any container below this cgroup.
    #[must_use]
    pub fn below(cgroup: &str, program: &str) -> Vec<Self> {
        Self::all(|paths| paths.split('/').any(|part| part == cgroup), program).collect()
    }

    fn find(is_it: impl Fn(&str) -> bool, program: &str) -> Option<Self> {
        Self::all(is_it, program).next()
    }

    fn all(is_it: impl Fn(&str) -> bool, program: &str) -> impl Iterator<Item = Self> {
        let folders =
            fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let is_it = move |folder: &PathBuf| {
            let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
            is_it(&cgroup) && runs(folder, program)
        };
        folders.filter(is_it).map(|folder| Self { folder })
    }

    /// Ends it by SIGKILL.
    pub fn kill(&self) -> Result<()> {
        let pid = self.folder.file_name().context("a process without a number")?;
        let status = Command::new("kill").arg("-KILL").arg(pid).status().context("kill is needed")?;
        ensure!(status.success(), "failed to kill {}", self.folder.display());
        Ok(())
    }

    /// Its arguments, without the program's name.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let line = fs::read(self.folder.join("cmdline")).unwrap_or_default();
        let all = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        all.skip(1).filter(|word| !word.is_empty()).collect()
    }

    /// Its memory; nothing, once it has ended.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        Memory::read(&fs::read_to_string(self.folder.join("status")).ok()?)
    }

    /// The size of the file that it runs, in bytes.
    #[must_use]
    pub fn file_size(&self) -> Option<f64> {
        file_size(&self.folder.join("exe"))
    }
}

// === impl Memory ===

impl Memory {
    fn read(status: &str) -> Option<Self> {
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            let kibibytes: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(f64::from(kibibytes) * 1024.0)
        };
        Some(Self { resident: bytes("VmRSS:")?, highest: bytes("VmHWM:")? })
    }
}

/// The size of a file, in bytes.
#[must_use]
pub fn file_size(path: &Path) -> Option<f64> {
    let size = u32::try_from(fs::metadata(path).ok()?.len()).ok()?;
    Some(f64::from(size))
}

fn runs(folder: &Path, program: &str) -> bool {
    fs::read_link(folder.join("exe")).is_ok_and(|exe| exe.file_name().is_some_and(|name| name == program))
}

fn container_id(pod: &Pod, container: &str) -> Option<String> {
    let status = pod.status.as_ref()?;
    let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let running = all.filter(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()));
    let id = running.into_iter().find(|status| status.name == container)?.container_id.as_deref()?;
    Some(id.split_once("://")?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status =
            "Name:\tsidecar\nVmPeak:\t   9000 kB\nVmHWM:\t    3000 kB\nVmRSS:\t    2016 kB\nThreads:\t1\n";
        let memory = Memory { resident: 2016.0 * 1024.0, highest: 3000.0 * 1024.0 };
        assert_eq!(Memory::read(status), Some(memory));
    }

    #[test]
    fn a_process_that_has_ended_has_no_memory() {
        assert_eq!(Memory::read("Name:\tsidecar\nState:\tZ (zombie)\nThreads:\t1\n"), None);
    }

    #[test]
    fn a_containers_id_is_known_while_it_runs() {
        let pod: Pod = serde_json::from_value(serde_json::json!({"status": {
            "containerStatuses": [{"name": "primary", "state": {"waiting": {}}, "containerID": "containerd://a",
                "image": "", "imageID": "", "ready": false, "restartCount": 0}],
            "initContainerStatuses": [{"name": "sidecar", "state": {"running": {}}, "containerID": "containerd://b",
                "image": "", "imageID": "", "ready": true, "restartCount": 0}],
        }}))
        .unwrap();
        assert_eq!(container_id(&pod, "sidecar").as_deref(), Some("b"));
        assert_eq!(container_id(&pod, "primary"), None);
    }
}
