use jiff::SignedDuration;

use super::*;
use crate::authority::Authority;
use crate::fixture::{HOUR, NOW, dns, mk_authority, mk_leaf};

struct Case {
    authority: Authority,
    resolver: Resolver,
}

impl Case {
    fn new() -> Self {
        let authority = mk_authority("a");
        let bundle = authority.certificate_pem();
        let names = dns(&["web.ns-0.svc"]);
        let resolver = Resolver::new(&mk_leaf(&authority), names, &bundle, NOW).unwrap();
        Self { authority, resolver }
    }

    fn served(&self) -> Arc<CertifiedKey> {
        self.resolver.served.load().key.clone()
    }

    /// Asserts that `leaf` is refused and the old one kept; the refusal.
    fn refuses(&self, leaf: &Leaf, bundle: &str, now: Timestamp) -> String {
        let before = self.served();
        let refusal = self.resolver.replace(leaf, bundle, now).unwrap_err();
        assert!(Arc::ptr_eq(&before, &self.served()), "the old leaf must stay");
        refusal.to_string()
    }

    fn refuses_here(&self, leaf: &Leaf) -> String {
        self.refuses(leaf, &self.authority.certificate_pem(), NOW)
    }
}

const UNTRUSTED: &str =
    "failed to accept the serving certificate: no valid authority in the bundle has signed it";

#[test]
fn serves_the_new_leaf_from_the_next_handshake_on() {
    let case = Case::new();
    let names = dns(&["web.ns-0.svc", "other.ns-0.svc"]);
    let next = case.authority.sign_leaf(&names, NOW, NOW + 48 * HOUR).unwrap();
    case.resolver.replace(&next, &case.authority.certificate_pem(), NOW).unwrap();
    assert_eq!(case.served().cert, next.chain());
    assert_eq!(case.resolver.validity(), next.validity());
}

#[test]
fn keeps_old_certificate_when_new_key_mismatches() {
    let case = Case::new();
    let (one, two) = (mk_leaf(&case.authority), mk_leaf(&case.authority));
    let mixed = Leaf::new(one.chain().to_vec(), two.key().expose().clone_key(), one.validity());
    assert_eq!(case.refuses_here(&mixed), "failed to accept the serving certificate: its key does not fit");
}

#[test]
fn keeps_old_certificate_when_a_name_is_missing() {
    let case = Case::new();
    let leaf = case.authority.sign_leaf(&dns(&["web.ns-1.svc"]), NOW, NOW + HOUR).unwrap();
    assert_eq!(
        case.refuses_here(&leaf),
        "failed to accept the serving certificate: it does not cover the name web.ns-0.svc"
    );
}

#[test]
fn every_name_must_be_covered() {
    let authority = mk_authority("a");
    let names = dns(&["web.ns-0.svc", "web.ns-0"]);
    let refusal = Resolver::new(&mk_leaf(&authority), names, &authority.certificate_pem(), NOW).unwrap_err();
    assert!(matches!(refusal, Refusal::CoverName { name } if name == "web.ns-0"));
}

#[test]
fn keeps_old_certificate_when_its_authority_is_not_in_the_bundle() {
    let case = Case::new();
    let leaf = mk_leaf(&case.authority);
    let other = mk_authority("b").certificate_pem();
    let same_name = mk_authority("a").certificate_pem();
    for bundle in ["", "nothing", &other, &same_name] {
        assert_eq!(case.refuses(&leaf, bundle, NOW), UNTRUSTED);
    }
}

/// rustls takes a leaf whose authority is over, Go does not, and the API server is written in Go.
#[test]
fn keeps_old_certificate_when_its_authority_has_expired() {
    let authority = mk_authority("a");
    let leaf = mk_leaf(&authority);
    let bundle = reissued(&authority, NOW - HOUR, NOW + HOUR);
    let case = Case::new();
    case.resolver.replace(&leaf, &bundle, NOW + HOUR).unwrap();
    assert_eq!(case.refuses(&leaf, &bundle, NOW + 2 * HOUR), UNTRUSTED);
}

/// The same authority, key and all, in a certificate of another period.
fn reissued(authority: &Authority, not_before: Timestamp, not_after: Timestamp) -> String {
    let key = rcgen::KeyPair::from_pem(authority.key_pem().expose()).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "a");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let validity = Validity::new(not_before, not_after).unwrap();
    (params.not_before, params.not_after) = validity.to_rcgen();
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn keeps_old_certificate_when_the_new_one_has_expired_or_is_not_yet_valid() {
    let case = Case::new();
    let bundle = case.authority.certificate_pem();
    let leaf = mk_leaf(&case.authority);
    assert_eq!(
        case.refuses(&leaf, &bundle, NOW + 25 * HOUR),
        "failed to accept the serving certificate: it expired 2026-06-02T00:00:00Z"
    );
    let early = case.authority.sign_leaf(&dns(&["web.ns-0.svc"]), NOW + HOUR, NOW + 2 * HOUR).unwrap();
    assert_eq!(
        case.refuses_here(&early),
        "failed to accept the serving certificate: it is not valid before 2026-06-01T01:00:00Z"
    );
}

#[test]
fn last_second_counts() {
    let case = Case::new();
    let bundle = case.authority.certificate_pem();
    let leaf = mk_leaf(&case.authority);
    let last = NOW + 24 * HOUR + SignedDuration::from_millis(999);
    case.resolver.replace(&leaf, &bundle, last).unwrap();
}

#[test]
fn any_authority_of_the_bundle_will_do() {
    let (old, new) = (mk_authority("a"), mk_authority("a"));
    let bundle = format!("garbage\n{}{}", old.certificate_pem(), new.certificate_pem());
    for authority in [old, new] {
        Resolver::new(&mk_leaf(&authority), dns(&["web.ns-0.svc"]), &bundle, NOW).unwrap();
    }
}

#[test]
fn debug_never_shows_a_key() {
    let case = Case::new();
    let leaf = mk_leaf(&case.authority);
    case.resolver.replace(&leaf, &case.authority.certificate_pem(), NOW).unwrap();
    let secret = format!("{:?}", leaf.key().expose().secret_der());
    let shown = format!("{:?}", case.resolver);
    assert!(!shown.contains(&secret[1..secret.len() - 1]), "{shown}");
}
