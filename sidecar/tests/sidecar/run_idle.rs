//! What it costs while there is nothing to do.

use std::time::Duration;

use tokio::time::sleep;

use crate::api::{Answer, Api};
use crate::sidecar::Pod;

#[tokio::test]
async fn idle_it_is_never_woken() {
    let api = Api::answering([Answer::of(204)]).await;
    let sidecar = Pod::of(&api).start().await;
    // Its first line is out before it has gone to sleep.
    sleep(Duration::from_millis(200)).await;
    let before = sidecar.work();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(sidecar.work(), before, "it ran, in times and ticks");
    sidecar.terminate().await.has_released(1);
}
