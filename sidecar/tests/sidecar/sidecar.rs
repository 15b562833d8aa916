//! The binary as a container of a pod: its environment, its signals, its end.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use dataservice_wire::env;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::api::Api;
use crate::directory::Directory;
use crate::name_server::NameServer;

/// What the kubelet starts a sidecar from.
pub(crate) struct Pod {
    pub(crate) directory: Directory,
    args: Vec<OsString>,
    deadline: Duration,
    environment: Vec<(&'static str, OsString)>,
}

/// A sidecar that runs. It is killed when it is dropped.
pub(crate) struct Sidecar {
    child: Child,
    deadline: Duration,
    log: Vec<String>,
    lines: Option<Lines<BufReader<ChildStderr>>>,
    terminated_at: Option<Instant>,
    /// Of the pod: its token is read at the end.
    pub(crate) directory: Directory,
}

/// A sidecar that has ended as it always should.
#[derive(Debug)]
pub(crate) struct Ended {
    /// From the first signal on.
    pub(crate) took: Duration,
    /// Its lines, without the binary's name.
    pub(crate) log: Vec<String>,
}

// === impl Pod ===

impl Pod {
    /// A pod of this API, with a token, and time enough for a slow machine.
    pub(crate) fn of(api: &Api) -> Self {
        Self::new(&api.url(), &api.authority)
    }

    pub(crate) fn new(url: &str, authority: &str) -> Self {
        let directory = Directory::new();
        directory.put("token", token("first"));
        let environment = vec![
            (env::URL, url.into()),
            (env::CA, authority.into()),
            (env::TOKEN_FILE, directory.file("token").into()),
        ];
        Self { directory, args: Vec::new(), deadline: Duration::from_secs(8), environment }
    }

    /// With this much time for a release.
    pub(crate) fn allowed(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn asking(self, server: &NameServer) -> Self {
        self.with_args(["--nameserver", &server.address.to_string()])
    }

    pub(crate) fn with_args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(OsString::from));
        self
    }

    pub(crate) fn with(self, name: &'static str, value: impl Into<OsString>) -> Self {
        let mut pod = self.without(name);
        pod.environment.push((name, value.into()));
        pod
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(other, _)| *other != name);
        self
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.file("token")
    }

    /// Starts it, and waits for its first line: by then it listens for signals.
    pub(crate) async fn start(self) -> Sidecar {
        let mut sidecar = self.start_piped();
        sidecar.says_next().await;
        sidecar
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn start_piped(self) -> Sidecar {
        self.start_with(Stdio::piped())
    }

    /// Starts it with this as its stderr.
    pub(crate) fn start_with(self, stderr: Stdio) -> Sidecar {
        let command = Command::new(BINARY);
        self.start_as(command, stderr)
    }

    /// Starts it by a shell's script, which finds the binary and its flags as `"$@"`.
    pub(crate) fn start_by(self, script: &str) -> Sidecar {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh", BINARY]);
        self.start_as(command, Stdio::inherit())
    }

    fn start_as(self, mut command: Command, stderr: Stdio) -> Sidecar {
        command.args(["run", "--deadline", &format!("{}ms", self.deadline.as_millis())]).args(self.args);
        command.env_clear().envs(self.environment);
        let mut child = command.stdin(Stdio::null()).stderr(stderr).kill_on_drop(true).spawn().unwrap();
        let lines = child.stderr.take().map(|stderr| BufReader::new(stderr).lines());
        Sidecar {
            child,
            deadline: self.deadline,
            log: Vec::new(),
            lines,
            terminated_at: None,
            directory: self.directory,
        }
    }

    /// Starts it, ends it, and waits for its end.
    pub(crate) async fn run(self) -> Ended {
        self.start().await.terminate().await
    }
}

// === impl Sidecar ===

impl Sidecar {
    fn pid(&self) -> u32 {
        self.child.id().expect("a process that was not waited for must have an id")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    /// Waits until it has said this.
    pub(crate) async fn says(&mut self, part: &str) {
        while !self.log.iter().any(|line| line.contains(part)) {
            self.says_next().await;
        }
    }

    /// Waits for the next line.
    async fn says_next(&mut self) {
        let next = timeout(LONG, self.next_line()).await.expect("it must say something in time");
        assert!(next, "it has ended, and said no more than {:#?}", self.log);
    }

    /// Reads a line, if there will be another.
    async fn next_line(&mut self) -> bool {
        let Some(lines) = &mut self.lines else { return false };
        let Some(line) = lines.next_line().await.unwrap() else { return false };
        let said = line.strip_prefix("dataservice-sidecar: ");
        self.log.push(said.unwrap_or_else(|| panic!("not a line of ours: {line:?}")).to_owned());
        true
    }

    /// How often its main thread was given the processor, and for how long in ticks.
    pub(crate) fn work(&self) -> (u64, u64) {
        let stat = self.proc("stat");
        // Behind the name, which may hold anything: the state, ten numbers, utime and stime.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
        let switches = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
        let switches = switches.map(|name| self.status(name).parse::<u64>().unwrap());
        (switches.iter().sum(), ticks.sum())
    }

    /// A field of what the kernel says of it.
    fn status(&self, name: &str) -> String {
        let status = self.proc("status");
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().trim().to_owned()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap()
    }

    /// Waits until SIGTERM would no longer simply kill it.
    pub(crate) async fn catches_sigterm(&self) {
        let bit = 1_u64 << (Signal::TERM.as_raw() - 1);
        let caught = || u64::from_str_radix(&self.status("SigCgt"), 16).unwrap() & bit != 0;
        timeout(LONG, until(caught)).await.expect("it must install its handlers in time");
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
        self.terminated_at.get_or_insert_with(Instant::now);
    }

    /// Sends SIGTERM and waits for its end.
    pub(crate) async fn terminate(mut self) -> Ended {
        self.signal(Signal::TERM);
        self.ends().await
    }

    /// Waits for its end, which must be a success and within the deadline and a second of the first signal.
    pub(crate) async fn ends(mut self) -> Ended {
        let began = self.terminated_at.expect("it must have been told to end");
        let limit = began + self.deadline + Duration::from_secs(1);
        let status = timeout_at(limit, async {
            while self.next_line().await {}
            self.child.wait().await.unwrap()
        });
        let Ok(status) = status.await else { panic!("it still runs, and has said {:#?}", self.log) };
        let took = began.elapsed();
        assert_eq!((status.code(), status.signal()), (Some(0), None), "it said {:#?}", self.log);
        assert!(
            !self.log.iter().any(|line| line.contains(SECRET)),
            "the log shows the token: {:#?}",
            self.log
        );
        Ended { took, log: self.log }
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(1)).await;
    }
}

// === impl Ended ===

impl Ended {
    /// What it said last.
    pub(crate) fn conclusion(&self) -> &str {
        self.log.last().map_or("", String::as_str)
    }

    /// Asserts that it gave the service back, with this many attempts.
    pub(crate) fn has_released(&self, attempts: u32) {
        let last = self.conclusion();
        assert!(last.starts_with("released in "), "{:#?}", self.log);
        let expected = (attempts > 1).then(|| format!("with {attempts} attempts"));
        assert_eq!(last.split_once(", ").map(|(_, told)| told.to_owned()), expected, "{:#?}", self.log);
    }

    /// Asserts that it tried until its time was up, and what it could not do. (The time may have been up in the
    /// middle of another attempt.)
    pub(crate) fn has_given_up(&self, why: &str) {
        let last = self.conclusion();
        assert!(last.starts_with("gave up after "), "{:#?}", self.log);
        assert!(last.ends_with("; the controller will see the pod's end by itself"), "{last}");
        assert!(self.log[2..].iter().any(|line| line.contains(why)), "not {why}: {:#?}", self.log);
    }

    /// The pauses before further attempts, as it announced them.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let pause = |line: &String| {
            let (_, pause) = line.split_once("; trying again in ")?;
            let (count, unit) = pause.split_at(pause.find(char::is_alphabetic)?);
            Some(Duration::from_secs_f64(count.parse().ok()?) / if unit == "ms" { 1_000 } else { 1 })
        };
        self.log.iter().filter_map(pause).collect()
    }
}

/// A token that is known again wherever it turns up.
pub(crate) fn token(name: &str) -> String {
    format!("{SECRET}.{name}")
}

/// Runs the binary with this command line, to its end: the exit code, stdout and stderr.
pub(crate) async fn command_line<const N: usize>(args: [&str; N]) -> (Option<i32>, String, String) {
    let output = Command::new(BINARY).args(args.map(OsStr::new)).env_clear().kill_on_drop(true).output();
    let output = timeout(LONG, output).await.expect("it must end in time").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const BINARY: &str = env!("CARGO_BIN_EXE_dataservice-sidecar");
/// In every token, and nowhere else.
const SECRET: &str = "eyJhbGciOiJzZWNyZXQifQ";
/// For what takes milliseconds where nothing else runs.
const LONG: Duration = Duration::from_secs(20);
