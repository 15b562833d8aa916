//! What is not `run`.

use crate::sidecar::command_line;

#[tokio::test]
async fn help_tells_of_commands_flags_and_environment() {
    let (code, stdout, stderr) = command_line(["--help"]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in ["Usage: dataservice-sidecar run", "--deadline", "--nameserver", "DATASERVICE_TOKEN_FILE"] {
        assert!(stdout.contains(part), "{part} is not in {stdout}");
    }
}

#[tokio::test]
async fn help_is_given_behind_the_command_too() {
    assert_eq!(command_line(["run", "--help"]).await, command_line(["--help"]).await);
}

#[tokio::test]
async fn version_is_told() {
    let version = format!("dataservice-sidecar {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(command_line(["--version"]).await, (Some(0), version, String::new()));
}

#[tokio::test]
async fn an_unknown_command_is_a_mistake_of_usage() {
    let told = "dataservice-sidecar: unknown command \"release\"; see --help\n";
    assert_eq!(command_line(["release"]).await, (Some(2), String::new(), told.to_owned()));
}

#[tokio::test]
async fn a_missing_command_is_a_mistake_of_usage() {
    let told = "dataservice-sidecar: a command is missing; see --help\n";
    assert_eq!(command_line([]).await, (Some(2), String::new(), told.to_owned()));
}
