//! The log is for people: that it cannot be written must not cost the release.

use std::io::{PipeReader, PipeWriter, Write};

use rustix::pipe::fcntl_getpipe_size;

use crate::api::{Answer, Api};
use crate::sidecar::Pod;

/// A pipe that takes no more until somebody reads, and nobody does.
fn mk_full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let capacity = fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'x'; capacity]).unwrap();
    (reader, writer)
}

#[tokio::test]
async fn a_log_that_is_closed_does_not_cost_the_release() {
    let api = Api::answering([Answer::of(500), Answer::of(204)]).await;
    let sidecar = Pod::of(&api).start_by("exec \"$@\" 2>&-");
    sidecar.catches_sigterm().await;
    sidecar.terminate().await;
    let [_, _] = api.requests();
}

#[tokio::test]
async fn a_log_without_a_reader_does_not_cost_the_release() {
    let api = Api::answering([Answer::of(500), Answer::of(204)]).await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let sidecar = Pod::of(&api).start_with(writer.into());
    sidecar.catches_sigterm().await;
    sidecar.terminate().await;
    let [_, _] = api.requests();
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_cost_the_release() {
    let api = Api::answering([Answer::of(500), Answer::of(204)]).await;
    let (_reader, writer) = mk_full_pipe();
    let sidecar = Pod::of(&api).start_with(writer.into());
    sidecar.catches_sigterm().await;
    sidecar.terminate().await;
    let [_, _] = api.requests();
}

#[tokio::test]
async fn a_log_that_is_full_does_not_cost_the_release() {
    let api = Api::answering([Answer::of(500), Answer::of(204)]).await;
    let sidecar = Pod::of(&api).start_by("exec \"$@\" 2>/dev/full");
    sidecar.catches_sigterm().await;
    sidecar.terminate().await;
    let [_, _] = api.requests();
}
