//! The period in which a certificate may be used.

use jiff::Timestamp;
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use x509_parser::time::ASN1Time;

/// From when to when a certificate is valid, both ends included, in whole seconds as certificates have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A period that no certificate can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid period of validity: from {not_before} to {not_after}; it must start in 1970 or later and end after its start"
)]
pub struct InvalidValidity {
    not_before: Timestamp,
    not_after: Timestamp,
}

// === impl Validity ===

impl Validity {
    /// A period of at least one second that starts in 1970 or later; fractions of seconds are cut off.
    pub fn new(not_before: Timestamp, not_after: Timestamp) -> Result<Self, InvalidValidity> {
        let cut = Self { not_before: whole_second(not_before), not_after: whole_second(not_after) };
        if cut.not_before < Timestamp::UNIX_EPOCH || cut.not_after <= cut.not_before {
            return Err(InvalidValidity { not_before, not_after });
        }
        Ok(cut)
    }

    /// The first instant at which the certificate is valid.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second in which the certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether the period is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        whole_second(now) > self.not_after
    }

    /// Whether the period has begun and is not over.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before <= whole_second(now) && !self.is_over(now)
    }

    /// What a certificate that was read says; it need not make sense.
    pub(crate) fn read(validity: &x509_parser::certificate::Validity) -> Self {
        Self { not_before: from_asn1(validity.not_before), not_after: from_asn1(validity.not_after) }
    }

    /// As rcgen wants it: this is the only place where times leave `jiff`, [`unix_time`] apart.
    pub(crate) fn to_rcgen(self) -> (OffsetDateTime, OffsetDateTime) {
        (to_offset(self.not_before), to_offset(self.not_after))
    }
}

/// As rustls wants it; before 1970 is 1970.
pub(crate) fn unix_time(instant: Timestamp) -> UnixTime {
    let seconds = u64::try_from(instant.as_second()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

/// The end of the year 9999, which certificates use for "never", is past jiff's last instant.
fn from_asn1(instant: ASN1Time) -> Timestamp {
    let seconds = instant.timestamp();
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn to_offset(instant: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(instant.as_second())
        .expect("jiff's instants must lie within time's, both end with the year 9999")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::at;

    #[test]
    fn both_ends_are_included() {
        let validity = Validity::new(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:10Z")).unwrap();
        assert!(!validity.contains(at("2025-12-31T23:59:59.9Z")));
        assert!(validity.contains(at("2026-01-01T00:00:00Z")));
        assert!(validity.contains(at("2026-01-01T00:00:10.9Z")));
        assert!(!validity.contains(at("2026-01-01T00:00:11Z")));
        assert!(!validity.is_over(at("2025-12-31T23:59:59Z")));
        assert!(validity.is_over(at("2026-01-01T00:00:11Z")));
    }

    #[test]
    fn refuses_an_end_before_its_start_and_times_before_1970() {
        let (early, late) = (at("2026-01-01T00:00:00.2Z"), at("2026-01-01T00:00:00.9Z"));
        let message = Validity::new(early, late).unwrap_err().to_string();
        assert_eq!(
            message,
            "invalid period of validity: from 2026-01-01T00:00:00.2Z to 2026-01-01T00:00:00.9Z; \
             it must start in 1970 or later and end after its start"
        );
        assert!(Validity::new(at("1969-12-31T23:59:59Z"), late).is_err());
    }

    #[test]
    fn never_is_the_last_instant() {
        let never = ASN1Time::from_timestamp(253_402_300_799).unwrap();
        assert_eq!(from_asn1(never), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn every_instant_can_be_handed_to_the_libraries(seconds in 0..=Timestamp::MAX.as_second()) {
            let instant = Timestamp::from_second(seconds).unwrap();
            prop_assert_eq!(to_offset(instant).unix_timestamp(), seconds);
            prop_assert_eq!(unix_time(instant).as_secs(), u64::try_from(seconds).unwrap());
            prop_assert_eq!(from_asn1(ASN1Time::from(to_offset(instant))), instant);
        }
    }
}
