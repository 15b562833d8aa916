use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::authority::Authority;
use crate::fixture::{HOUR, NOW, YEAR, mk_authority, mk_leaf};

/// What may be found in a bundle: ours, our predecessors, an expired one, other people's, and worse.
static FOUND: LazyLock<Vec<String>> = LazyLock::new(|| {
    let expired = Authority::generate("ours", NOW - 2 * HOUR, NOW - HOUR).unwrap();
    let leaf = mk_leaf(&mk_authority("ours")).chain()[0].clone();
    vec![
        OURS.to_pem(),
        mk_authority("ours").certificate_pem(),
        mk_authority("ours").certificate_pem(),
        mk_authority("ours").certificate_pem().replace('\n', "\r\n"),
        expired.certificate_pem(),
        mk_authority("other").certificate_pem(),
        Certificate::from_der(leaf).unwrap().to_pem(),
        mk_authority("ours").key_pem().expose().clone(),
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n".to_owned(),
        "\n".to_owned(),
        "# a comment\n".to_owned(),
    ]
});

static OURS: LazyLock<Certificate> = LazyLock::new(|| mk_authority("ours").certificate().clone());

/// Indices into [`FOUND`] of what must stay.
const STAYS: [usize; 4] = [0, 1, 2, 3];

fn parts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..FOUND.len(), 0..12)
}

fn text(parts: &[usize]) -> String {
    parts.iter().map(|part| FOUND[*part].as_str()).collect()
}

fn merged(existing: &str) -> String {
    merge(existing.as_bytes(), &OURS, NOW)
}

fn all_in(bundle: &str) -> Vec<Certificate> {
    Certificate::all_in(bundle.as_bytes()).collect()
}

#[test]
fn nothing_becomes_ours_alone() {
    assert_eq!(merged(""), OURS.to_pem());
    assert_eq!(merge(&[0xff, 0xfe], &OURS, NOW), OURS.to_pem());
}

#[test]
fn keeps_our_other_authorities_and_adds_ours_behind() {
    assert_eq!(merged(&FOUND[1]), format!("{}{}", FOUND[1], FOUND[0]));
}

#[test]
fn drops_what_is_not_ours_or_over() {
    assert_eq!(merged(&text(&[4, 5, 6, 7, 8, 9, 10])), OURS.to_pem());
}

#[test]
fn keeps_an_authority_through_its_last_second() {
    let old = Authority::generate("ours", NOW - HOUR, NOW + YEAR).unwrap();
    let existing = old.certificate_pem();
    assert_eq!(all_in(&merge(existing.as_bytes(), &OURS, NOW + YEAR)).len(), 2);
    let second = jiff::SignedDuration::from_secs(1);
    assert_eq!(all_in(&merge(existing.as_bytes(), &OURS, NOW + YEAR + second)).len(), 1);
}

#[test]
fn two_replicas_that_disagree_come_to_rest() {
    let (a, b) = (mk_authority("ours"), mk_authority("ours"));
    let first = merge(b"", a.certificate(), NOW);
    let second = merge(first.as_bytes(), b.certificate(), NOW);
    assert_eq!(merge(second.as_bytes(), a.certificate(), NOW), second);
    assert_eq!(all_in(&second), [a.certificate().clone(), b.certificate().clone()]);
}

proptest! {
    #[test]
    fn holds_ours_and_exactly_what_must_stay_in_order(parts in parts()) {
        let mut expected: Vec<Certificate> = Vec::new();
        for part in parts.iter().filter(|part| STAYS.contains(part)).chain([&0]) {
            let certificate = Certificate::from_pem(FOUND[*part].as_bytes()).unwrap();
            if !expected.contains(&certificate) {
                expected.push(certificate);
            }
        }
        prop_assert_eq!(all_in(&merged(&text(&parts))), expected);
    }

    #[test]
    fn merging_again_changes_nothing(parts in parts()) {
        let once = merged(&text(&parts));
        prop_assert_eq!(merged(&once), once);
    }

    #[test]
    fn garbage_never_panics_and_never_hides_ours(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(merge(&bytes, &OURS, NOW), OURS.to_pem());
    }
}
