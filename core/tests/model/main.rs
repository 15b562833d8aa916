//! The real `reconcile` under a model checker: all that may happen between pods, controllers and the API server.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod api_server;
mod cast;
mod clock;
mod cluster;
mod decision;
mod exhaustive;
mod harm;
mod model;
mod mutant;
mod normal;
mod note;
mod properties;
mod random;
mod replica;
mod role;
mod scenario;
mod schedule;
mod sight;
mod step;
mod work;
mod world;
