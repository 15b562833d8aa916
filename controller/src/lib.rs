//! The reconciling half of the control plane.
//!
//! `watch` follows the consumers and our objects into an [`index`], which says which services a change touches;
//! [`queue`] says which of them is to be looked at when; [`dataservice_core::reconcile`] says what has to be done,
//! and [`apply`] does it. Nothing here has to survive a restart: everything that counts is on an object.

#![forbid(unsafe_code)]

pub mod apply;
pub mod controller;
mod error;
mod escort;
pub mod event;
pub mod follow;
pub mod index;
mod kind;
pub mod known;
mod mark;
pub mod queue;
mod watch;

pub use self::controller::{Controller, Running};
