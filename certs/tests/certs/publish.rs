//! `publish` against scripted API servers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataservice_certs::bundle::{Error, Published, publish, publish_until_seen};
use dataservice_certs::{Authority, Certificate};
use kube::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fixture::{NOW, mk_authority};
use crate::log::Log;
use crate::scenario::{Server, play};

const GET: &str = "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/web";
const PATCH: &str = "PATCH /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/web";

/// A configuration with webhooks of these names and bundles.
fn mk_configuration(version: u32, webhooks: &[(&str, &str)]) -> Value {
    let webhooks: Vec<_> = webhooks.iter().map(|(name, bundle)| mk_webhook(name, bundle)).collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": "web", "resourceVersion": version.to_string() },
        "webhooks": webhooks,
    })
}

fn mk_webhook(name: &str, bundle: &str) -> Value {
    let mut config = json!({ "service": { "namespace": "ns-0", "name": "web" } });
    if !bundle.is_empty() {
        config["caBundle"] = json!(STANDARD.encode(bundle));
    }
    json!({ "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": config })
}

/// The change that publishes `bundle` on top of the configuration of that version.
fn change(version: u32, webhooks: &[(&str, &str)]) -> Value {
    let webhooks: Vec<_> = webhooks
        .iter()
        .map(
            |(name, bundle)| json!({ "name": name, "clientConfig": { "caBundle": STANDARD.encode(bundle) } }),
        )
        .collect();
    json!({ "metadata": { "resourceVersion": version.to_string() }, "webhooks": webhooks })
}

async fn publish_one(client: Client, ours: &Authority) -> Result<Published, Error> {
    publish(&client, "web", Some("a.b.c"), ours.certificate(), NOW).await
}

async fn publish_all(client: Client, ours: &Authority) -> Result<Published, Error> {
    publish(&client, "web", None, ours.certificate(), NOW).await
}

async fn not_found(server: &mut Server) {
    server.refuses(GET, 404, "NotFound", "not found").await;
}

#[tokio::test(start_paused = true)]
async fn publish_is_seen_before_it_returns() {
    let ours = mk_authority();
    let pem = ours.certificate_pem();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("a.b.c", "")])).await;
        let patched = mk_configuration(2, &[("a.b.c", &pem)]);
        let asked = server.answers(PATCH, 200, patched.clone()).await;
        assert_eq!(asked.content_type, "application/strategic-merge-patch+json");
        assert_eq!(asked.body, change(1, &[("a.b.c", &pem)]));
        server.answers(GET, 200, patched).await;
    };
    let published = play(script, async |client| publish_one(client, &ours).await).await.unwrap();
    assert_eq!(published.bundle(), pem);
}

#[tokio::test(start_paused = true)]
async fn patch_that_is_lost_is_made_again() {
    // The answer to the patch says yes, and yet it is not there: somebody wrote over it.
    let ours = mk_authority();
    let pem = ours.certificate_pem();
    let script = async |server: &mut Server| {
        for version in [1, 3] {
            server.answers(GET, 200, mk_configuration(version, &[("a.b.c", "")])).await;
            server.answers(PATCH, 200, mk_configuration(version + 1, &[("a.b.c", &pem)])).await;
        }
        server.answers(GET, 200, mk_configuration(4, &[("a.b.c", &pem)])).await;
    };
    play(script, async |client| publish_one(client, &ours).await).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_where_ours_is_already() {
    let (ours, other) = (mk_authority(), mk_authority());
    let both = format!("{}{}", ours.certificate_pem(), other.certificate_pem());
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("a.b.c", &both)])).await;
    };
    let published = play(script, async |client| publish_one(client, &ours).await).await.unwrap();
    assert_eq!(published.bundle(), both);
}

#[tokio::test(start_paused = true)]
async fn conflict_starts_again_from_what_is_there_now() {
    let (ours, other) = (mk_authority(), mk_authority());
    let theirs = other.certificate_pem();
    let both = format!("{theirs}{}", ours.certificate_pem());
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("a.b.c", "")])).await;
        server.refuses(PATCH, 409, "Conflict", "the object has been modified").await;
        server.answers(GET, 200, mk_configuration(2, &[("a.b.c", &theirs)])).await;
        let asked = server.answers(PATCH, 200, mk_configuration(3, &[])).await;
        assert_eq!(asked.body, change(2, &[("a.b.c", &both)]));
        server.answers(GET, 200, mk_configuration(3, &[("a.b.c", &both)])).await;
    };
    let published = play(script, async |client| publish_one(client, &ours).await).await.unwrap();
    let bundle: Vec<_> = Certificate::all_in(published.bundle().as_bytes()).collect();
    assert_eq!(bundle, [other.certificate().clone(), ours.certificate().clone()]);
}

#[tokio::test(start_paused = true)]
async fn only_the_named_webhook_is_touched() {
    let ours = mk_authority();
    let pem = ours.certificate_pem();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("x.y.z", ""), ("a.b.c", "")])).await;
        let asked = server.answers(PATCH, 200, mk_configuration(2, &[])).await;
        assert_eq!(asked.body, change(1, &[("a.b.c", &pem)]));
        server.answers(GET, 200, mk_configuration(2, &[("x.y.z", ""), ("a.b.c", &pem)])).await;
    };
    play(script, async |client| publish_one(client, &ours).await).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn published_bundle_is_what_every_webhook_trusts() {
    let (ours, other) = (mk_authority(), mk_authority());
    let (pem, theirs) = (ours.certificate_pem(), other.certificate_pem());
    let both = format!("{theirs}{pem}");
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("x.y.z", &theirs), ("a.b.c", &pem)])).await;
        let asked = server.answers(PATCH, 200, mk_configuration(2, &[])).await;
        assert_eq!(asked.body, change(1, &[("x.y.z", &both), ("a.b.c", &pem)]));
        server.answers(GET, 200, mk_configuration(2, &[("x.y.z", &both), ("a.b.c", &pem)])).await;
    };
    let published = play(script, async |client| publish_all(client, &ours).await).await.unwrap();
    assert_eq!(published.bundle(), pem);
}

#[tokio::test(start_paused = true)]
async fn missing_configuration_says_to_apply_the_manifests() {
    let ours = mk_authority();
    let error = play(not_found_once, async |client| publish_one(client, &ours).await).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to find MutatingWebhookConfiguration web: apply the manifests");
}

async fn not_found_once(server: &mut Server) {
    not_found(server).await;
}

#[tokio::test(start_paused = true)]
async fn missing_webhook_says_to_apply_the_manifests() {
    let ours = mk_authority();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("x.y.z", "")])).await;
    };
    let error = play(script, async |client| publish_one(client, &ours).await).await.unwrap_err();
    let text = "failed to find webhook a.b.c in MutatingWebhookConfiguration web: apply the manifests";
    assert_eq!(error.to_string(), text);
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[])).await;
    };
    let error = play(script, async |client| publish_all(client, &ours).await).await.unwrap_err();
    let text = "failed to find webhook * in MutatingWebhookConfiguration web: apply the manifests";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn gives_up_on_someone_who_always_writes_over_it() {
    let ours = mk_authority();
    let script = async |server: &mut Server| {
        for version in 0..10 {
            server.answers(GET, 200, mk_configuration(version, &[("a.b.c", "")])).await;
            server.answers(PATCH, 200, mk_configuration(version, &[])).await;
        }
    };
    let error = play(script, async |client| publish_one(client, &ours).await).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to see our authority in MutatingWebhookConfiguration web after 10 patches: something else \
         changes its caBundle"
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_with_the_api_servers_words() {
    let ours = mk_authority();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_configuration(1, &[("a.b.c", "")])).await;
        server.refuses(PATCH, 403, "Forbidden", "cannot patch").await;
        server.refuses(GET, 403, "Forbidden", "cannot get").await;
    };
    let errors = play(script, async |client: Client| {
        [publish_one(client.clone(), &ours).await, publish_one(client, &ours).await].map(Result::unwrap_err)
    });
    let texts = errors.await.map(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        (error.to_string(), cause.unwrap())
    });
    let expected = [("patch", "cannot patch (HTTP 403)"), ("read", "cannot get (HTTP 403)")];
    let expected = expected.map(|(verb, cause)| {
        (format!("failed to {verb} MutatingWebhookConfiguration web"), cause.to_owned())
    });
    assert_eq!(texts, expected);
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_configuration_however_long_it_takes() {
    let ours = mk_authority();
    let pem = ours.certificate_pem();
    let script = async |server: &mut Server| {
        for _ in 0..100 {
            not_found(server).await;
        }
        server.refuses(GET, 500, "InternalError", "etcdserver: leader changed").await;
        server.answers(GET, 200, mk_configuration(1, &[("a.b.c", "")])).await;
        server.hangs_up(PATCH).await;
        server.answers(GET, 200, mk_configuration(2, &[("a.b.c", &pem)])).await;
    };
    let log = Log::start();
    let start = Instant::now();
    let published = play(script, async |client| {
        publish_until_seen(&client, "web", Some("a.b.c"), ours.certificate(), || NOW).await
    });
    assert_eq!(published.await.bundle(), pem);
    let (warnings, waited) = (log.warnings(), start.elapsed().as_secs());
    assert_eq!(warnings.len(), 102);
    let told = "failed to find MutatingWebhookConfiguration web: apply the manifests";
    assert!(warnings[..100].iter().all(|line| line.contains(told)), "{}", warnings[0]);
    assert!(warnings[100].contains("etcdserver: leader changed (HTTP 500)"), "{}", warnings[100]);
    assert!((390..=820).contains(&waited), "pauses grow to between 4 and 8 seconds: {waited}");
}
