//! `load_or_create` against scripted API servers.

mod failure;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataservice_certs::Authority;
use dataservice_certs::authority::Error as AuthorityError;
use dataservice_certs::secret::{Error, load_or_create};
use kube::Client;
use serde_json::{Value, json};

use crate::fixture::{NOW, mk_authority};
use crate::log::Log;
use crate::scenario::{Server, play};

const GET: &str = "GET /api/v1/namespaces/ns-0/secrets/ca";
const POST: &str = "POST /api/v1/namespaces/ns-0/secrets";
const PUT: &str = "PUT /api/v1/namespaces/ns-0/secrets/ca";
const REMEDY: &str = "delete it (kubectl delete secret --namespace ns-0 ca), then restart";

fn mk_secret(data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "namespace": "ns-0", "name": "ca", "resourceVersion": "41" },
        "data": data,
    })
}

fn holding(authority: &Authority) -> Value {
    mk_secret(&json!({
        "ca.crt": STANDARD.encode(authority.certificate_pem()),
        "ca.key": STANDARD.encode(authority.key_pem().expose()),
    }))
}

async fn load(client: Client) -> Result<Authority, Error> {
    load_or_create(&client, "ns-0", "ca", || Ok(mk_authority()), NOW).await
}

/// For where a new authority would be a mistake.
async fn load_only(client: Client) -> Result<Authority, Error> {
    let generate = || -> Result<_, AuthorityError> { panic!("nothing must be generated") };
    load_or_create(&client, "ns-0", "ca", generate, NOW).await
}

async fn not_found(server: &mut Server) {
    server.refuses(GET, 404, "NotFound", "secrets \"ca\" not found").await;
}

/// The authority that a request wrote.
fn written(body: &Value) -> Authority {
    let part = |key: &str| STANDARD.decode(body["data"][key].as_str().unwrap()).unwrap();
    Authority::from_pem(&part("ca.crt"), &part("ca.key")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn loads_the_authority_that_is_there() {
    let there = mk_authority();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, holding(&there)).await;
    };
    let loaded = play(script, load_only).await.unwrap();
    assert_eq!(loaded.certificate(), there.certificate());
    assert_eq!(loaded.key_pem(), there.key_pem());
}

#[tokio::test(start_paused = true)]
async fn creates_the_secret_where_there_is_none() {
    let mut created = None;
    let script = async |server: &mut Server| {
        not_found(server).await;
        let asked = server.answers(POST, 201, mk_secret(&json!({}))).await;
        assert_eq!(asked.body["type"], "Opaque");
        let metadata = json!({
            "namespace": "ns-0", "name": "ca",
            "labels": { "app.kubernetes.io/managed-by": "flyte-dataservice" },
        });
        assert_eq!(asked.body["metadata"], metadata);
        assert_eq!(asked.body["data"].as_object().unwrap().len(), 2);
        created = Some(written(&asked.body));
    };
    let loaded = play(script, load).await.unwrap();
    assert_eq!(loaded.certificate(), created.unwrap().certificate());
}

#[tokio::test(start_paused = true)]
async fn takes_the_winners_authority_after_a_lost_race() {
    let winner = mk_authority();
    let script = async |server: &mut Server| {
        not_found(server).await;
        server.refuses(POST, 409, "AlreadyExists", "secrets \"ca\" already exists").await;
        server.answers(GET, 200, holding(&winner)).await;
    };
    let log = Log::start();
    let loaded = play(script, load).await.unwrap();
    assert_eq!(loaded.certificate(), winner.certificate());
    assert!(log.warnings().is_empty(), "losing is no trouble: {}", log.text());
}

#[tokio::test(start_paused = true)]
async fn fills_an_empty_secret_and_leaves_the_rest_of_it() {
    for empty in [json!(null), json!({}), json!({ "ca.crt": "", "ca.key": "", "other": "eA==" })] {
        let mut filled = None;
        let script = async |server: &mut Server| {
            server.answers(GET, 200, mk_secret(&empty)).await;
            let asked = server.answers(PUT, 200, mk_secret(&json!({}))).await;
            let mut expected = mk_secret(&empty);
            for key in ["ca.crt", "ca.key"] {
                expected["data"][key] = asked.body["data"][key].clone();
            }
            assert_eq!(asked.body, expected);
            filled = Some(written(&asked.body));
        };
        let loaded = play(script, load).await.unwrap();
        assert_eq!(loaded.certificate(), filled.unwrap().certificate());
    }
}

#[tokio::test(start_paused = true)]
async fn takes_the_winners_authority_when_the_empty_secret_was_filled_meanwhile() {
    let winner = mk_authority();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_secret(&json!({}))).await;
        server.refuses(PUT, 409, "Conflict", "the object has been modified").await;
        server.answers(GET, 200, holding(&winner)).await;
    };
    let loaded = play(script, load).await.unwrap();
    assert_eq!(loaded.certificate(), winner.certificate());
}

#[tokio::test(start_paused = true)]
async fn creates_the_secret_when_the_empty_one_was_deleted_meanwhile() {
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_secret(&json!({}))).await;
        server.refuses(PUT, 404, "NotFound", "secrets \"ca\" not found").await;
        not_found(server).await;
        server.answers(POST, 201, mk_secret(&json!({}))).await;
    };
    play(script, load).await.unwrap();
}
