//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lexopt::{Arg, Parser};

use crate::dns;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Runs in a task pod, and gives its data services back when the task is done.

Usage: dataservice-sidecar run [--deadline <duration>] [--nameserver <address>]...

Commands:
  run    Wait for SIGTERM, then release the pod's data services; exit 0 whatever happens

Options:
  --deadline <duration>   Give up on the release after this long: 100ms to 10m, below the pod's
                          grace period [default: 5s]
  --nameserver <address>  Ask this name server, <address> or <address>:<port>, instead of those
                          of /etc/resolv.conf; may be given several times
  --help                  Print this
  --version               Print the version

Environment:
  DATASERVICE_URL         The lifecycle API, https://<host>:<port>; the host is a full name or an address
  DATASERVICE_CA          The authority its certificate is checked against, in PEM
  DATASERVICE_TOKEN_FILE  The file with the pod's token
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
}

/// The flags of `run`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct RunArgs {
    /// How long the release may take in all.
    pub(crate) deadline: Duration,
    /// The name servers to ask; those of `/etc/resolv.conf` where empty.
    pub(crate) nameservers: Vec<SocketAddr>,
}

/// Why the command line makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidArgs {
    #[error("--deadline {0:?}: a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m")]
    Deadline(OsString),
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
        match parser.next()? {
            Some(Arg::Value(command)) if command == "run" => {}
            Some(Arg::Value(command)) => return Err(InvalidArgs::UnknownCommand(command)),
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Self::Help),
            Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Self::Version),
            Some(unknown) => return Err(unknown.unexpected().into()),
            None => return Err(InvalidArgs::NoCommand),
        }
        if args.iter().any(|arg| arg == "--help" || arg == "-h") {
            return Ok(Self::Help);
        }
        Ok(Self::Run(RunArgs::parse(parser)))
    }
}

// === impl RunArgs ===

impl RunArgs {
    fn parse(mut parser: Parser) -> Result<Self, InvalidArgs> {
        let mut args = Self { deadline: DEFAULT_DEADLINE, nameservers: Vec::new() };
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("deadline") => {
                    let value = parser.value()?;
                    args.deadline = deadline(&value).ok_or(InvalidArgs::Deadline(value))?;
                }
                Arg::Long("nameserver") => {
                    let value = parser.value()?;
                    args.nameservers.push(nameserver(&value).ok_or(InvalidArgs::Nameserver(value))?);
                }
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(args)
    }
}

fn deadline(value: &OsString) -> Option<Duration> {
    let value = value.to_str()?;
    let unit = value.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = value.split_at_checked(unit)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let deadline = Duration::from_millis(count.parse::<u64>().ok()?.checked_mul(milliseconds)?);
    (MIN_DEADLINE..=MAX_DEADLINE).contains(&deadline).then_some(deadline)
}

fn nameserver(value: &OsString) -> Option<SocketAddr> {
    let value = value.to_str()?;
    let address = || value.parse::<IpAddr>().map(|address| SocketAddr::new(address, dns::PORT));
    value.parse().or_else(|_| address()).ok()
}

/// Below the shortest grace that is usual (30 s), above what a leader's change takes the API.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
/// Less than a loaded node needs to make one attempt.
const MIN_DEADLINE: Duration = Duration::from_millis(100);
/// Above any sensible grace: a slip of the unit more likely than a wish.
const MAX_DEADLINE: Duration = Duration::from_mins(10);

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
        for line in ["--help", "-h", "run --help", "run --deadline 5s -h"] {
            assert!(matches!(parse(line), Ok(Command::Help)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_deadline_makes_the_parser_panic(value in any::<String>()) {
            let _ = deadline(&OsString::from(value));
        }
    }
}
