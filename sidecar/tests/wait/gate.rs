//! A pod's gate: the real binary.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use dataservice_wire::{Gate, Lists, env};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::Api;
use crate::directory::Directory;
use crate::name_server::NameServer;
use crate::server::{DOMAIN, Service};

/// A pod before its gate runs.
pub(crate) struct Pod {
    pub(crate) directory: Rc<Directory>,
    command: Command,
    gate: Gate,
}

/// A gate that runs.
pub(crate) struct Running {
    child: RefCell<Child>,
    directory: Rc<Directory>,
    /// What it has said and no test has read.
    lines: Receiver<String>,
}

/// What a gate leaves behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// The termination message.
    pub(crate) cause: String,
    /// What it said last.
    pub(crate) last_line: String,
    /// What it wrote beside, as long as this lives.
    pub(crate) directory: Rc<Directory>,
}

// === impl Pod ===

impl Pod {
    /// A pod whose gate waits ten minutes for these services, and has nobody to ask.
    pub(crate) fn new<const N: usize>(services: [&Service; N]) -> Self {
        let directory = Rc::new(Directory::new());
        // As the kubelet does.
        std::fs::write(directory.file(CAUSE), "").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dataservice-sidecar"));
        command.arg("wait").arg("--termination-log").arg(directory.file(CAUSE));
        command.env_clear();
        let services = services.map(|service| service.gate.clone()).to_vec();
        let gate = Gate { services, domain: DOMAIN.to_owned(), deadline_seconds: 600, lists: None };
        Self { directory, command, gate }
    }

    /// It may ask this lifecycle API.
    pub(crate) fn asks(self, api: &Api) -> Self {
        self.asks_at(&api.url(), api)
    }

    /// It is told that the lifecycle API is elsewhere.
    pub(crate) fn asks_at(mut self, url: &str, api: &Api) -> Self {
        let token = self.directory.file("token");
        std::fs::write(&token, "a.pods.token\n").unwrap();
        self.command.env(env::URL, url).env(env::CA, &api.authority).env(env::TOKEN_FILE, token);
        self
    }

    /// It has this name server.
    pub(crate) fn resolves(self, names: &NameServer) -> Self {
        self.resolves_at(names.address)
    }

    pub(crate) fn resolves_at(self, address: SocketAddr) -> Self {
        self.flag("--nameserver", &address.to_string())
    }

    /// A lifecycle API that is silent for so long is gone.
    pub(crate) fn silence(self, silence: &str) -> Self {
        self.flag("--silence", silence)
    }

    pub(crate) fn deadline(mut self, seconds: u64) -> Self {
        self.gate.deadline_seconds = seconds;
        self
    }

    /// It writes lists of endpoints into its directory.
    pub(crate) fn lists(self, suffix: &str) -> Self {
        let folder = self.directory.path().to_str().unwrap().to_owned();
        self.lists_in(&folder, suffix)
    }

    pub(crate) fn lists_in(mut self, folder: &str, suffix: &str) -> Self {
        self.gate.lists = Some(Lists { folder: folder.to_owned(), suffix: suffix.to_owned() });
        self
    }

    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.command.args([name, value]);
        self
    }

    /// Starts it, and reads its first line.
    pub(crate) fn waits(self) -> Running {
        let running = self.start();
        let first = running.line();
        assert!(first.starts_with("waiting for "), "{first}");
        running
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let gate = serde_json::to_string(&self.gate).unwrap();
        self.command.env(env::GATE, gate);
        self.start_as_it_is()
    }

    /// Starts it, without a word of what it waits for but what a test has set.
    pub(crate) fn start_as_it_is(mut self) -> Running {
        let mut child = self.command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child: RefCell::new(child), directory: self.directory, lines }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }
}

// === impl Running ===

impl Running {
    /// The next line that it says.
    pub(crate) fn line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("the gate must say something");
        let said = line.strip_prefix("dataservice-wait: ");
        said.unwrap_or_else(|| panic!("a line without its name: {line}")).to_owned()
    }

    /// It says this, and nothing before.
    #[track_caller]
    pub(crate) fn says(&self, line: &str) -> &Self {
        assert_eq!(self.line(), line);
        self
    }

    /// It says a line like this, and nothing before.
    #[track_caller]
    pub(crate) fn says_like(&self, start: &str, end: &str) -> &Self {
        let line = self.line();
        assert!(line.starts_with(start) && line.ends_with(end), "not {start:?} … {end:?}: {line:?}");
        self
    }

    /// It says this, maybe after something about servers, which depends on how fast the machine is.
    pub(crate) fn says_then(&self, line: &str) -> &Self {
        while self.line() != line {}
        self
    }

    /// It says nothing for so long, and lives.
    #[track_caller]
    pub(crate) fn is_silent_for(&self, duration: Duration) -> &Self {
        assert_eq!(self.lines.recv_timeout(duration), Err(RecvTimeoutError::Timeout));
        self
    }

    pub(crate) fn is_told_to_stop(&self) -> &Self {
        let pid = Pid::from_child(&self.child.borrow());
        kill_process(pid, Signal::TERM).unwrap();
        self
    }

    /// A number from its `/proc/…/status`, such as `VmHWM`.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn id(&self) -> u32 {
        self.child.borrow().id()
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// It ends.
    pub(crate) fn ends(&self) -> Ended {
        let mut last_line = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => last_line = line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the gate must end; it said last: {last_line}"),
            }
        }
        let code = self.child.borrow_mut().wait().unwrap().code();
        let cause = self.directory.text(CAUSE);
        Ended { code, cause, last_line, directory: Rc::clone(&self.directory) }
    }

    /// It ends, and the task may start.
    #[track_caller]
    pub(crate) fn opens(&self) {
        let ended = self.ends();
        assert_eq!((ended.code, ended.cause.as_str()), (Some(0), ""), "{ended:?}");
    }

    /// It ends with a line like this, and the task may start.
    #[track_caller]
    pub(crate) fn opens_with(&self, start: &str, end: &str) {
        let ended = self.ends();
        assert_eq!((ended.code, ended.cause.as_str()), (Some(0), ""), "{ended:?}");
        let start = format!("dataservice-wait: {start}");
        assert!(ended.last_line.starts_with(&start) && ended.last_line.ends_with(end), "{ended:?}");
    }

    /// It ends, and the task must not start, for this cause.
    #[track_caller]
    pub(crate) fn fails(&self, cause: &str) {
        let ended = self.ends();
        assert_eq!((ended.code, ended.cause.as_str()), (Some(1), cause), "{ended:?}");
        assert_eq!(ended.last_line, format!("dataservice-wait: {cause}"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed before the gate's end; else it has ended.
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The termination message.
pub(crate) const CAUSE: &str = "termination-log";
