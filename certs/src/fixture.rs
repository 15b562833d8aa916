//! What the tests of several modules start from.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::DnsName;

use crate::authority::Authority;
use crate::leaf::Leaf;

/// 2026-06-01T00:00:00Z
pub(crate) const NOW: Timestamp = Timestamp::constant(1_780_272_000, 0);
pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(crate) const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::from_str(text).unwrap()
}

pub(crate) fn dns(names: &[&str]) -> Vec<DnsName<'static>> {
    names.iter().map(|name| DnsName::try_from((*name).to_owned()).unwrap()).collect()
}

/// Valid from an hour ago for a year.
pub(crate) fn mk_authority(subject: &str) -> Authority {
    Authority::generate(subject, NOW - HOUR, NOW + YEAR).unwrap()
}

/// For `web.ns-0.svc`, valid from an hour ago for a day.
pub(crate) fn mk_leaf(authority: &Authority) -> Leaf {
    authority.sign_leaf(&dns(&["web.ns-0.svc"]), NOW - HOUR, NOW + 24 * HOUR).unwrap()
}

/// A client's clock that shows [`NOW`].
#[derive(Debug)]
pub(crate) struct StoppedClock;

impl rustls::time_provider::TimeProvider for StoppedClock {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        Some(crate::validity::unix_time(NOW))
    }
}
