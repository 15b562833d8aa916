//! Authorities and the serving certificates that they sign.
//!
//! Half of this crate is pure and has no clock: [`authority`] makes and reads certificate authorities and
//! signs [`leaf`] certificates, [`bundle::merge`] decides what the API server is told to trust, and
//! [`resolver`] serves a leaf only after it has verified it as a client would. The other half carries the
//! result to the API server and back: [`secret`] keeps an authority in a Secret that every replica agrees
//! on, and [`bundle::publish`] puts its certificate into the webhook's configuration *and sees it there*.
//!
//! The order that keeps a webhook trusted: load the authority, publish its certificate, and only then serve
//! a leaf signed by it, verified under the bundle that was seen.
#![forbid(unsafe_code)]

pub mod api;
pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod leaf;
mod refusal;
pub mod resolver;
pub mod secret;
pub mod tls;
pub mod unloggable;
pub mod validity;

#[cfg(test)]
mod fixture;

pub use rustls_pki_types::DnsName;

pub use crate::authority::Authority;
pub use crate::certificate::Certificate;
pub use crate::leaf::Leaf;
pub use crate::resolver::{Refusal, Resolver};
pub use crate::unloggable::Unloggable;
pub use crate::validity::Validity;
