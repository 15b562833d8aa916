//! What an annotated pod means.
//!
//! Everything here is a function of its arguments: no I/O, no clock, no randomness, no Kubernetes client. Pods and
//! the objects made for them are JSON values with small views, so that a field nobody here has heard of passes
//! through untouched.
//!
//! * [`inject`] reads a pod's annotations and answers with a refusal or a structured [`injection`],
//!   which [`patch`] turns into an add-only JSON Patch;
//! * [`plan`] is what admission tells the controller, on the pod;
//! * [`reconcile`] decides what has to be done so that the services match their [`consumer`]s, and
//!   [`render`] writes the objects;
//! * [`progress`] says how far they are, and [`usher`] what has to be done with the pods that wait for them.

#![forbid(unsafe_code)]

pub mod annotation;
pub mod ask;
mod compose;
pub mod consumer;
pub mod container;
pub mod contradiction;
pub mod dns;
pub mod duration;
pub mod endpoint;
mod field;
pub mod holder;
pub mod image;
pub mod inject;
pub mod injection;
pub mod installation;
pub mod key;
pub mod name;
pub mod patch;
pub mod plan;
pub mod pod;
pub mod problem;
pub mod progress;
pub mod quantity;
pub mod reconcile;
pub mod record;
pub mod release;
pub mod render;
pub mod resources;
pub mod sealed;
pub mod server;
pub mod settings;
pub mod spec;
pub mod standing;
pub mod trouble;
pub mod usher;
pub mod waiting;
