//! Instants, names and certificates that the tests start from.

use dataservice_certs::{Authority, DnsName, Leaf};
use jiff::{SignedDuration, Timestamp};

/// 2026-06-01T00:00:00Z
pub(crate) const NOW: Timestamp = Timestamp::constant(1_780_272_000, 0);
pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(crate) const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
pub(crate) const NAME: &str = "web.ns-0.svc";

/// Valid from an hour ago for a year.
pub(crate) fn mk_authority() -> Authority {
    Authority::generate("ours", NOW - HOUR, NOW + YEAR).unwrap()
}

/// For [`NAME`], valid from an hour ago for a day.
pub(crate) fn mk_leaf(authority: &Authority) -> Leaf {
    authority.sign_leaf(&dns(&[NAME]), NOW - HOUR, NOW + 24 * HOUR).unwrap()
}

pub(crate) fn dns(names: &[&str]) -> Vec<DnsName<'static>> {
    names.iter().map(|name| DnsName::try_from((*name).to_owned()).unwrap()).collect()
}
