//! The words in which tests against a real cluster are written.
//!
//! Nothing is faked: the cluster that `KUBECONFIG` names runs the webhook from its image and manifests, pods are
//! Flyte's own (`tests/fixtures`) with images that can be had there, and a kubelet runs them.

#![forbid(unsafe_code)]
#![allow(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test that cannot go on says why and fails"
)]

pub mod bench;
pub mod chaos;
pub mod cluster;
pub mod figure;
pub mod flyte;
pub mod histogram;
pub mod lifecycle;
pub mod machine;
pub mod obstacle;
pub mod owner;
pub mod process;
pub mod report;
pub mod sandbox;
pub mod spread;
pub mod token;
pub mod wait;
pub mod watch;
pub mod webhook;
