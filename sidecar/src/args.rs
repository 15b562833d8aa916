//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use dataservice_wire::HEARTBEAT;
use lexopt::{Arg, Parser};

use crate::dns;
use crate::wait::last_words;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Runs in a task pod: lets the task start when its data services are ready, and gives them back
when it is done.

Usage: dataservice-sidecar run [--deadline <duration>] [--nameserver <address>]...
       dataservice-sidecar wait [--silence <duration>] [--termination-log <path>]
                                [--nameserver <address>]...

Commands:
  run    Wait for SIGTERM, then release the pod's data services; exit 0 whatever happens
  wait   Wait until the pod's data services are ready and all of their servers answer, and exit 0;
         exit 1, with the cause as termination message, at the deadline, at a cause that waiting
         cannot mend, and at SIGTERM

Options of run:
  --deadline <duration>     Give up on the release after this long: 100ms to 10m, below the pod's
                            grace period [default: 5s]

Options of wait:
  --silence <duration>      A lifecycle API that is silent for this long, 100ms to 10m, is gone: ask
                            again, and if it has never said a word, let the servers' own answers
                            be enough [default: 30s]
  --termination-log <path>  Where the cause of a failure goes [default: /dev/termination-log]

Options:
  --nameserver <address>    Ask this name server, <address> or <address>:<port>, instead of those
                            of /etc/resolv.conf; may be given several times
  --help                    Print this
  --version                 Print the version

Environment:
  DATASERVICE_URL           The lifecycle API, https://<host>:<port>; the host is a full name or an address
  DATASERVICE_CA            The authority its certificate is checked against, in PEM
  DATASERVICE_TOKEN_FILE    The file with the pod's token
  DATASERVICE_GATE          What wait waits for: services, deadline and lists of endpoints to write, in JSON
";

/// What the binary is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Print the help.
    Help,
    /// Wait for SIGTERM and release. Flags that make no sense are handed on: `run` has to outlive them.
    Run(Result<RunArgs, InvalidArgs>),
    /// Print the version.
    Version,
    /// Wait for the services. Flags that make no sense are handed on: `wait` leaves word of them.
    Wait(Result<WaitArgs, InvalidArgs>),
}

/// The flags of `run`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct RunArgs {
    /// How long the release may take in all.
    pub(crate) deadline: Duration,
    /// The name servers to ask; those of `/etc/resolv.conf` where empty.
    pub(crate) nameservers: Vec<SocketAddr>,
}

/// The flags of `wait`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct WaitArgs {
    /// The name servers to ask; those of `/etc/resolv.conf` where empty.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// How long the lifecycle API may be silent.
    pub(crate) silence: Duration,
    /// Where the cause of a failure goes.
    pub(crate) termination_log: PathBuf,
}

/// Why the command line makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidArgs {
    #[error("{flag} {value:?}: a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m")]
    Duration { flag: &'static str, value: OsString },
    #[error(
        "--nameserver {0:?}: an IP address is wanted, or one with a port, such as 10.96.0.10:53 or [fd00::a]:53"
    )]
    Nameserver(OsString),
    #[error("a command is missing")]
    NoCommand,
    #[error(transparent)]
    Syntax(#[from] lexopt::Error),
    #[error("unknown command {0:?}")]
    UnknownCommand(OsString),
}

// === impl Command ===

impl Command {
    /// Reads the command line, without the binary's own name.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, InvalidArgs> {
        let args: Vec<OsString> = args.into_iter().collect();
        let mut parser = Parser::from_args(args.iter().cloned());
        let waits = match parser.next()? {
            Some(Arg::Value(command)) if command == "run" => false,
            Some(Arg::Value(command)) if command == "wait" => true,
            Some(Arg::Value(command)) => return Err(InvalidArgs::UnknownCommand(command)),
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Self::Help),
            Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Self::Version),
            Some(unknown) => return Err(unknown.unexpected().into()),
            None => return Err(InvalidArgs::NoCommand),
        };
        if args.iter().any(|arg| arg == "--help" || arg == "-h") {
            return Ok(Self::Help);
        }
        Ok(if waits { Self::Wait(WaitArgs::parse(parser)) } else { Self::Run(RunArgs::parse(parser)) })
    }
}

// === impl RunArgs ===

impl RunArgs {
    fn parse(mut parser: Parser) -> Result<Self, InvalidArgs> {
        let mut args = Self { deadline: DEFAULT_DEADLINE, nameservers: Vec::new() };
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("deadline") => args.deadline = duration_value("--deadline", &mut parser)?,
                Arg::Long("nameserver") => args.nameservers.push(nameserver_value(&mut parser)?),
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(args)
    }
}

// === impl WaitArgs ===

impl WaitArgs {
    fn parse(mut parser: Parser) -> Result<Self, InvalidArgs> {
        let mut args = Self {
            nameservers: Vec::new(),
            silence: DEFAULT_SILENCE,
            termination_log: last_words::DEFAULT_PATH.into(),
        };
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("nameserver") => args.nameservers.push(nameserver_value(&mut parser)?),
                Arg::Long("silence") => args.silence = duration_value("--silence", &mut parser)?,
                Arg::Long("termination-log") => args.termination_log = parser.value()?.into(),
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(args)
    }
}

fn duration_value(flag: &'static str, parser: &mut Parser) -> Result<Duration, InvalidArgs> {
    let value = parser.value()?;
    duration(&value).ok_or(InvalidArgs::Duration { flag, value })
}

fn nameserver_value(parser: &mut Parser) -> Result<SocketAddr, InvalidArgs> {
    let value = parser.value()?;
    nameserver(&value).ok_or(InvalidArgs::Nameserver(value))
}

fn duration(value: &OsString) -> Option<Duration> {
    let value = value.to_str()?;
    let unit = value.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = value.split_at_checked(unit)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let duration = Duration::from_millis(count.parse::<u64>().ok()?.checked_mul(milliseconds)?);
    (SHORTEST..=LONGEST).contains(&duration).then_some(duration)
}

fn nameserver(value: &OsString) -> Option<SocketAddr> {
    let value = value.to_str()?;
    let address = || value.parse::<IpAddr>().map(|address| SocketAddr::new(address, dns::PORT));
    value.parse().or_else(|_| address()).ok()
}

/// Below the shortest grace that is usual (30 s), above what a leader's change takes the API.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
/// Less than a loaded node needs to make one attempt.
const SHORTEST: Duration = Duration::from_millis(100);
/// Above any sensible grace: a slip of the unit more likely than a wish.
const LONGEST: Duration = Duration::from_mins(10);
/// As long as its other end may be busy, or restart.
const DEFAULT_SILENCE: Duration = HEARTBEAT.saturating_mul(3);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Command, InvalidArgs> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Result<RunArgs, String> {
        match parse(line) {
            Ok(Command::Run(args)) => args.map_err(|error| error.to_string()),
            other => panic!("{line:?} is not a run: {other:?}"),
        }
    }

    #[test]
    fn run_needs_no_flags() {
        assert_eq!(run("run"), Ok(RunArgs { deadline: Duration::from_secs(5), nameservers: Vec::new() }));
    }

    fn wait(line: &str) -> Result<WaitArgs, String> {
        match parse(line) {
            Ok(Command::Wait(args)) => args.map_err(|error| error.to_string()),
            other => panic!("{line:?} is not a wait: {other:?}"),
        }
    }

    #[test]
    fn wait_needs_no_flags() {
        let termination_log = "/dev/termination-log".into();
        let args = WaitArgs { nameservers: Vec::new(), silence: Duration::from_secs(30), termination_log };
        assert_eq!(wait("wait"), Ok(args));
    }

    #[test]
    fn flags_of_wait_are_read() {
        let args = wait("wait --silence 500ms --termination-log /tmp/cause --nameserver 127.0.0.1:53");
        let nameservers = vec!["127.0.0.1:53".parse().unwrap()];
        let silence = Duration::from_millis(500);
        assert_eq!(args, Ok(WaitArgs { nameservers, silence, termination_log: "/tmp/cause".into() }));
    }

    #[test]
    fn flags_that_make_no_sense_are_handed_to_wait() {
        for (line, message) in [
            ("wait --deadline 5s", "invalid option '--deadline'"),
            ("wait --termination-log", "missing argument for option '--termination-log'"),
            (
                "wait --silence 5",
                "--silence \"5\": a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m",
            ),
        ] {
            assert_eq!(wait(line), Err(message.into()));
        }
    }

    #[test]
    fn deadline_is_read_in_every_unit() {
        for (line, milliseconds) in
            [("run --deadline 100ms", 100), ("run --deadline=7s", 7_000), ("run --deadline 2m", 120_000)]
        {
            assert_eq!(
                run(line).map(|args| args.deadline),
                Ok(Duration::from_millis(milliseconds)),
                "{line}"
            );
        }
    }

    #[test]
    fn deadline_out_of_range_is_refused_with_what_is_allowed() {
        for value in ["0s", "99ms", "11m", "5", "s", "-5s", "5 s", "5h", "18446744073709551615m", "5s\u{fe}"]
        {
            let refused = Command::parse(["run".into(), "--deadline".into(), OsString::from(value)]);
            let Ok(Command::Run(Err(error))) = refused else { panic!("{value} was accepted") };
            assert_eq!(
                error.to_string(),
                format!(
                    "--deadline {value:?}: a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m"
                )
            );
        }
    }

    #[test]
    fn nameservers_are_kept_in_order_with_their_ports() {
        let args = run("run --nameserver 10.96.0.10 --nameserver 127.0.0.1:5300 --nameserver [::1]:5301");
        let expected = ["10.96.0.10:53", "127.0.0.1:5300", "[::1]:5301"];
        assert_eq!(args.map(|args| args.nameservers), Ok(expected.map(|at| at.parse().unwrap()).to_vec()));
    }

    #[test]
    fn flags_that_make_no_sense_are_handed_to_run() {
        for (line, message) in [
            ("run --deadlin 5s", "invalid option '--deadlin'"),
            ("run now", "unexpected argument \"now\""),
            ("run --deadline", "missing argument for option '--deadline'"),
            (
                "run --nameserver kube-dns",
                "--nameserver \"kube-dns\": an IP address is wanted, or one with a port, such as 10.96.0.10:53 or [fd00::a]:53",
            ),
        ] {
            assert_eq!(run(line), Err(message.into()));
        }
    }

    #[test]
    fn what_is_not_a_command_is_refused() {
        for (line, message) in [
            ("", "a command is missing"),
            ("release", "unknown command \"release\""),
            ("--deadline 5s", "invalid option '--deadline'"),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn help_is_found_before_and_behind_the_command() {
        for line in ["--help", "-h", "run --help", "run --deadline 5s -h", "wait --help"] {
            assert!(matches!(parse(line), Ok(Command::Help)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_duration_makes_the_parser_panic(value in any::<String>()) {
            let _ = duration(&OsString::from(value));
        }
    }
}
