//! The listeners over real sockets, in process.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use dataservice_core as core;
use dataservice_webhook as webhook;
use dataservice_wire as wire;

mod admit_connection;
mod admit_flyte;
mod admit_refusal;
mod admit_request;
mod api_server;
mod drain_server;
mod follow_limits;
mod follow_pod;
mod harness;
mod health_probe;
mod judge;
mod log;
mod release_pod;
mod route_table;
