//! What may become of the lifecycle API's stream.

use std::time::Duration;

use crate::api::{Api, ready, waiting};
use crate::gate::{Pod, Running};
use crate::name_server::NameServer;
use crate::server::Service;

/// A gate that was told once.
struct Told {
    api: Api,
    gate: Running,
    graph: Service,
    names: NameServer,
}

impl Told {
    /// It is told that its servers are waited for, and then `becomes` of the stream what it likes.
    fn and(pod: impl FnOnce(Pod) -> Pod, becomes: impl FnOnce(crate::api::Call)) -> Self {
        let (api, names, graph) = (Api::start(), NameServer::start(), Service::made("graph", 2));
        graph.starts(&names);
        let gate = pod(Pod::new([&graph]).asks(&api).resolves(&names)).waits();
        let mut call = api.stream();
        call.say(&waiting("graph 1/2 ready", 600));
        gate.says("graph 1/2 ready");
        becomes(call);
        Self { api, gate, graph, names }
    }

    /// It asks again, and what it is told then counts; answers do not, meanwhile.
    fn asks_again(self) {
        let mut call = self.api.stream();
        assert_eq!(self.names.asked(&self.graph.host(0)), 0);
        call.say(&waiting("graph 1/2 ready", 600));
        self.gate.says("graph 1/2 ready");
        call.say(&ready("graph 2/2 ready"));
        self.gate.says("graph 2/2 ready").opens_with("all 2 servers of 1 service answer (after ", " s)");
    }
}

#[test]
fn a_stream_that_breaks_off_is_taken_up_again() {
    let told = Told::and(|pod| pod, drop);
    told.gate.says_like("the lifecycle API's stream broke off: ", "; asking again");
    told.asks_again();
}

#[test]
fn a_stream_that_ends_too_early_is_taken_up_again() {
    let told = Told::and(|pod| pod, crate::api::Call::end);
    told.gate.says("the lifecycle API's stream ended too early; asking again");
    told.asks_again();
}

#[test]
fn a_stream_without_heartbeats_is_given_up_and_taken_up_again() {
    let mut held = None;
    let told = Told::and(|pod| pod.silence("700ms"), |call| held = Some(call));
    told.gate.says("the lifecycle API was silent for 700ms; asking again");
    told.asks_again();
}

#[test]
fn heartbeats_keep_a_stream() {
    let mut held = None;
    let told = Told::and(|pod| pod.silence("1s"), |call| held = Some(call));
    let mut call = held.unwrap();
    for _ in 0..4 {
        told.gate.is_silent_for(Duration::from_millis(400));
        call.say(&waiting("graph 1/2 ready", 600));
    }
    call.say(&ready("graph 2/2 ready"));
    told.gate.says("graph 2/2 ready");
    told.gate.opens();
}

#[test]
fn a_stream_that_holds_something_else_is_given_up_and_taken_up_again() {
    let told = Told::and(|pod| pod, |mut call| call.say_text("<html>\n"));
    told.gate.says(
        "the lifecycle API's stream holds what is no progress: expected value at line 1 column 1; asking again",
    );
    told.asks_again();
}

#[test]
fn a_line_without_end_is_given_up_and_the_stream_taken_up_again() {
    let told = Told::and(|pod| pod, |mut call| call.say_text(&" ".repeat(9_000)));
    told.gate.says(
        "the lifecycle API's stream holds what is no progress: a line is longer than 8192 bytes; asking again",
    );
    told.asks_again();
}

#[test]
fn lines_are_lines_wherever_the_network_parts_them() {
    let mut held = None;
    let told = Told::and(|pod| pod, |call| held = Some(call));
    let mut call = held.unwrap();
    let line = serde_json::to_string(&ready("graph 2/2 ready")).unwrap();
    let (start, end) = line.split_at(20);
    call.say_text(start);
    call.say_text(&format!("{end}\n"));
    told.gate.says("graph 2/2 ready");
    told.gate.opens();
}

#[test]
fn what_a_later_version_says_is_passed_over() {
    let mut held = None;
    let told = Told::and(|pod| pod, |call| held = Some(call));
    let mut call = held.unwrap();
    call.say_text("{\"state\":\"paused\",\"until\":7}\n");
    call.say_text("{\"state\":\"ready\",\"message\":\"graph 2/2 ready\",\"more\":7}\n");
    told.gate.says("graph 2/2 ready");
    told.gate.opens();
}

#[test]
fn a_stream_that_always_breaks_off_is_taken_up_after_growing_pauses() {
    let told = Told::and(|pod| pod, drop);
    for _ in 0..3 {
        told.api.stream().say(&waiting("graph 1/2 ready", 600));
    }
    told.api.is_left_alone_for(Duration::from_millis(700));
    drop(told.api.call());
}
