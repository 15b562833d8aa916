//! What was said wrong: it is told at once, in the log of a pod that still runs, and fails nothing.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use dataservice_wire::env;
use tokio::time::sleep;

use crate::api::{Answer, Api};
use crate::sidecar::Pod;

/// Starts a sidecar with a mistake; it tells of it at once, waits for SIGTERM, and sends nothing.
async fn tells(mistake: impl FnOnce(Pod) -> Pod, told: &str) {
    let api = Api::answering([Answer::of(204)]).await;
    let mut sidecar = mistake(Pod::of(&api)).start().await;
    assert_eq!(
        sidecar.log(),
        [format!("there will be no release: {told}; the controller will see the pod's end by itself")]
    );
    sleep(Duration::from_millis(50)).await;
    assert!(sidecar.is_running());
    let ended = sidecar.terminate().await;
    assert_eq!(ended.log.len(), 1, "{ended:?}");
    assert_eq!(api.seen().connections, 0);
}

#[tokio::test]
async fn an_environment_that_lacks_a_variable_is_told() {
    for name in [env::URL, env::CA, env::TOKEN_FILE] {
        tells(|pod| pod.without(name), &format!("{name} is not set")).await;
    }
}

#[tokio::test]
async fn an_empty_variable_is_one_that_is_not_set() {
    tells(|pod| pod.with(env::TOKEN_FILE, ""), "DATASERVICE_TOKEN_FILE is not set").await;
}

#[tokio::test]
async fn a_variable_that_is_no_text_is_told() {
    let bytes = OsString::from_vec(b"https://\xff:9444".to_vec());
    tells(|pod| pod.with(env::URL, bytes), "DATASERVICE_URL is not UTF-8").await;
}

#[tokio::test]
async fn a_url_that_is_none_is_told() {
    let told = "DATASERVICE_URL is not the lifecycle API's URL: \"http://api:9444\": \
                https://<host> or https://<host>:<port> is wanted, without a path";
    tells(|pod| pod.with(env::URL, "http://api:9444"), told).await;
}

#[tokio::test]
async fn an_authority_that_is_none_is_told() {
    let told = "DATASERVICE_CA is not an authority: it holds no certificate";
    tells(|pod| pod.with(env::CA, "no PEM"), told).await;
}

#[tokio::test]
async fn an_unknown_flag_is_told() {
    tells(|pod| pod.with_args(["--dead-line", "5s"]), "invalid option '--dead-line'").await;
}

#[tokio::test]
async fn a_value_out_of_range_is_told() {
    let told = "--deadline \"1h\": a duration from 100ms to 10m is wanted, such as 500ms, 5s or 1m";
    tells(|pod| pod.with_args(["--deadline", "1h"]), told).await;
}
