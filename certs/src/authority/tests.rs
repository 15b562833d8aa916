use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;
use crate::fixture::{HOUR, NOW, YEAR, at, dns, mk_authority, mk_leaf};

fn reread(authority: &Authority) -> Authority {
    Authority::from_pem(authority.certificate_pem().as_bytes(), authority.key_pem().expose().as_bytes())
        .unwrap()
}

fn refusal(certificate: &str, key: &str) -> String {
    Authority::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_was_generated_reads_back_the_same() {
    let made = mk_authority("flyte-dataservice admission");
    let read = reread(&made);
    assert_eq!(read.certificate(), made.certificate());
    assert_eq!(read.key_pem(), made.key_pem());
    assert_eq!(read.validity().not_after(), NOW + YEAR);
    assert_eq!(read.certificate().subject(), "CN=flyte-dataservice admission");
}

#[test]
fn authority_is_a_p256_ca_that_signs_leaves_only() {
    let made = mk_authority("a");
    let (_, parsed) = X509Certificate::from_der(made.certificate().der()).unwrap();
    let constraints = parsed.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert!(parsed.key_usage().unwrap().unwrap().value.key_cert_sign());
    assert_eq!(parsed.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2");
}

#[test]
fn leaf_names_its_services_and_its_signer_and_serves_only() {
    let authority = reread(&mk_authority("a"));
    let leaf = authority.sign_leaf(&dns(&["web.ns-0.svc", "web.ns-0"]), NOW - HOUR, NOW + HOUR).unwrap();
    let (_, parsed) = X509Certificate::from_der(&leaf.chain()[0]).unwrap();
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(*names, [GeneralName::DNSName("web.ns-0.svc"), GeneralName::DNSName("web.ns-0")]);
    assert!(parsed.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert!(!parsed.is_ca());
    let signer = authority.certificate().der();
    let (_, signer) = X509Certificate::from_der(signer).unwrap();
    assert_eq!(parsed.issuer().as_raw(), signer.subject().as_raw());
    assert!(parsed.verify_signature(Some(signer.public_key())).is_ok());
}

#[test]
fn leaves_have_keys_and_serials_of_their_own() {
    let authority = mk_authority("a");
    let (one, two) = (mk_leaf(&authority), mk_leaf(&authority));
    let serial = |leaf: &Leaf| X509Certificate::from_der(&leaf.chain()[0]).unwrap().1.raw_serial_as_string();
    assert_ne!(serial(&one), serial(&two));
    assert_ne!(one.key().expose().secret_der(), two.key().expose().secret_der());
}

#[test]
fn dates_after_2050_are_kept() {
    let end = at("2086-06-01T00:00:00Z");
    let authority = Authority::generate("a", NOW, end).unwrap();
    assert_eq!(authority.validity().not_after(), end);
}

#[test]
fn refuses_the_key_of_another() {
    let (a, b) = (mk_authority("a"), mk_authority("b"));
    assert_eq!(
        refusal(&a.certificate_pem(), b.key_pem().expose()),
        "failed to match the authority's key with the certificate of CN=a: it is another one's"
    );
}

#[test]
fn refuses_a_leaf_as_authority() {
    let leaf = mk_leaf(&mk_authority("a"));
    let certificate = Certificate::from_der(leaf.chain()[0].clone()).unwrap();
    let key = pem::encode(&pem::Pem::new("PRIVATE KEY", leaf.key().expose().secret_der()));
    assert_eq!(
        refusal(&certificate.to_pem(), &key),
        "failed to use the certificate of CN=flyte-dataservice as an authority: it is not a CA"
    );
}

#[test]
fn refuses_a_ca_that_may_not_sign() {
    let key = KeyPair::generate().unwrap();
    let mut params = authority_params("a", mk_authority("a").validity());
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).unwrap();
    assert_eq!(
        refusal(&certificate.pem(), &key.serialize_pem()),
        "failed to use the certificate of CN=a as an authority: it is not a CA"
    );
}

#[test]
fn refuses_what_is_no_certificate() {
    let key = mk_authority("a").key_pem().expose().clone();
    assert_eq!(refusal("", &key), "failed to read the authority's certificate");
}

#[test]
fn refusing_a_key_never_quotes_it() {
    let made = mk_authority("a");
    let key = made.key_pem().expose();
    let half = &key[..key.len() / 2];
    let tagged = key.replace("PRIVATE KEY", "SECRET WORD");
    for bad in ["", "hunter2", half, &tagged] {
        let error = Authority::from_pem(made.certificate_pem().as_bytes(), bad.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read the authority's key: it is not an unencrypted PEM private key"
        );
        assert_eq!(format!("{error:?}"), "ReadKey");
    }
}

#[test]
fn debug_never_shows_a_key() {
    let authority = mk_authority("a");
    let leaf = mk_leaf(&authority);
    let key_lines = authority.key_pem().expose().lines().filter(|line| !line.starts_with("---"));
    for shown in [format!("{authority:?}"), format!("{authority:#?}")] {
        assert!(shown.contains("...") && key_lines.clone().all(|line| !shown.contains(line)), "{shown}");
    }
    let shown = format!("{leaf:?}");
    assert!(shown.contains("key: ..."), "{shown}");
    assert!(!shown.contains(&format!("{:?}", leaf.key().expose().secret_der())), "{shown}");
}

#[test]
fn refuses_a_leaf_without_names() {
    let error = mk_authority("a").sign_leaf(&[], NOW, NOW + HOUR).unwrap_err();
    assert_eq!(error.to_string(), "failed to sign a leaf: it has no name");
}

#[test]
fn refuses_a_leaf_that_outlives_its_authority() {
    let authority = Authority::generate("a", NOW - HOUR, NOW + HOUR).unwrap();
    let names = dns(&["web.ns-0.svc"]);
    assert!(authority.sign_leaf(&names, NOW, NOW + HOUR).is_ok());
    let error = authority.sign_leaf(&names, NOW, NOW + 2 * HOUR).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to sign a leaf that is valid until 2026-06-01T02:00:00Z: its authority CN=a ends \
         2026-06-01T01:00:00Z"
    );
}

#[test]
fn refuses_an_empty_period() {
    let error = Authority::generate("a", NOW, NOW).unwrap_err().to_string();
    assert!(error.starts_with("invalid period of validity: from 2026-06-01T00:00:00Z"), "{error}");
    let error = mk_authority("a").sign_leaf(&dns(&["web"]), NOW, NOW - HOUR).unwrap_err().to_string();
    assert!(error.starts_with("invalid period of validity: from 2026-06-01T00:00:00Z"), "{error}");
}

#[test]
fn key_is_pkcs8() {
    let pem = mk_authority("a").key_pem().expose().clone();
    assert!(matches!(PrivateKeyDer::from_pem_slice(pem.as_bytes()), Ok(PrivateKeyDer::Pkcs8(_))));
}
