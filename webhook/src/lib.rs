//! The serving half of the control plane: admission, the lifecycle API and health, each on a listener of its own.
//!
//! | listener | method | path | answers |
//! |---|---|---|---|
//! | admission | POST | `/mutate--v1-pod` | an `AdmissionReview` with the decision on a pod |
//! | lifecycle | POST | `/v1/release` | 204 once the pod that asks is marked as released |
//! | lifecycle | GET | `/v1/services` | JSON, line by line: how far the services of the pod that asks are |
//! | health | GET | `/healthz` | 200 for as long as the process lives |
//! | health | GET | `/readyz` | 200 when nothing is missing, else 503 and what is |
//!
//! [`server`] binds and serves; what is served is a [`service::Service`], which gets requests whose body has been
//! read within the listener's [`limits`] and never sees a socket. Whatever is refused before a service decides is
//! refused with a [`wire::Problem`] as its body. What the lines at `/v1/services` say comes from a
//! [`progress::Follow`].

#![forbid(unsafe_code)]

pub mod admission;
mod answer;
mod api_server;
mod body;
mod connection;
pub mod health;
mod identity;
pub mod informed;
pub mod lifecycle;
pub mod limits;
mod place;
pub mod policy;
pub mod progress;
mod refusal;
mod reply;
mod review;
pub mod route;
pub mod server;
pub mod service;
mod stall;
mod stream;
mod token;
mod warning;

use dataservice_core as core;
use dataservice_wire as wire;
