//! What goes wrong, what is said about it, and what is never said.

use dataservice_certs::api;

use super::*;
use crate::fixture::HOUR;

/// The whole message of loading a Secret with these data, which must not be written to.
async fn refusal_of(data: Value) -> String {
    let script = async |server: &mut Server| {
        server.answers(GET, 200, mk_secret(&data)).await;
    };
    let error = play(script, load_only).await.unwrap_err();
    assert!(matches!(error, Error::UseSecret { .. }), "{error:?}");
    whole(&error)
}

fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn garbage_is_refused_with_what_to_do_and_never_overwritten() {
    let other = mk_authority();
    let certificate = STANDARD.encode(other.certificate_pem());
    let start = format!("failed to use Secret ns-0/ca: it does not hold a valid authority; {REMEDY}");
    let cases = [
        (json!({ "ca.crt": "eA==", "ca.key": "eA==" }), {
            "failed to read the authority's certificate: failed to find a PEM certificate"
        }),
        (json!({ "ca.crt": certificate }), {
            "failed to read the authority's key: it is not an unencrypted PEM private key"
        }),
        (json!({ "ca.crt": certificate, "ca.key": STANDARD.encode(mk_authority().key_pem().expose()) }), {
            "failed to match the authority's key with the certificate of CN=ours: it is another one's"
        }),
    ];
    for (data, cause) in cases {
        assert_eq!(refusal_of(data).await, format!("{start}: {cause}"));
    }
}

#[tokio::test(start_paused = true)]
async fn expired_authority_is_refused_with_what_to_do() {
    let old = Authority::generate("ours", NOW - 2 * HOUR, NOW - HOUR).unwrap();
    let script = async |server: &mut Server| {
        server.answers(GET, 200, holding(&old)).await;
    };
    let error = play(script, load_only).await.unwrap_err();
    let expected =
        format!("failed to use the authority in Secret ns-0/ca: it expired 2026-05-31T23:00:00Z; {REMEDY}");
    assert_eq!(whole(&error), expected);
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_retried() {
    let script = async |server: &mut Server| {
        server.refuses(GET, 500, "InternalError", "etcdserver: leader changed").await;
        server.hangs_up(GET).await;
        not_found(server).await;
        server.refuses(POST, 503, "ServiceUnavailable", "apiserver is shutting down").await;
        not_found(server).await;
        server.answers(POST, 201, mk_secret(&json!({}))).await;
    };
    let log = Log::start();
    play(script, load).await.unwrap();
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    let told = "failed to read Secret ns-0/ca: etcdserver: leader changed (HTTP 500)";
    assert!(warnings[0].contains(told), "{}", warnings[0]);
    assert!(warnings[1].contains("connection reset by peer"), "{}", warnings[1]);
}

#[tokio::test(start_paused = true)]
async fn creation_whose_answer_was_lost_is_found_again() {
    let mut stored = json!(null);
    let script = async |server: &mut Server| {
        not_found(server).await;
        let asked = server.refuses(POST, 504, "Timeout", "request timed out").await;
        stored = asked.body;
        server.answers(GET, 200, stored.clone()).await;
    };
    let loaded = play(script, load).await.unwrap();
    assert_eq!(loaded.certificate(), written(&stored).certificate());
}

#[tokio::test(start_paused = true)]
async fn retries_end() {
    let script = async |server: &mut Server| {
        for _ in 0..8 {
            server.refuses(GET, 500, "InternalError", "no").await;
        }
    };
    let error = play(script, load_only).await.unwrap_err();
    assert_eq!(whole(&error), "failed to read Secret ns-0/ca: no (HTTP 500)");
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_mend_is_told_at_once() {
    let denied = "secrets is forbidden: User \"x\" cannot create resource \"secrets\"";
    let reading = async |server: &mut Server| {
        server.refuses(GET, 403, "Forbidden", denied).await;
    };
    let error = play(reading, load).await.unwrap_err();
    assert_eq!(whole(&error), format!("failed to read Secret ns-0/ca: {denied} (HTTP 403)"));
    let creating = async |server: &mut Server| {
        not_found(server).await;
        server.refuses(POST, 403, "Forbidden", denied).await;
    };
    let error = play(creating, load).await.unwrap_err();
    assert_eq!(whole(&error), format!("failed to create Secret ns-0/ca: {denied} (HTTP 403)"));
    let filling = async |server: &mut Server| {
        server.answers(GET, 200, mk_secret(&json!({}))).await;
        server.refuses(PUT, 422, "Invalid", "field is immutable when `immutable` is set").await;
    };
    let error = play(filling, load).await.unwrap_err();
    let cause = "field is immutable when `immutable` is set (HTTP 422)";
    assert_eq!(whole(&error), format!("failed to fill the empty Secret ns-0/ca: {cause}"));
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_cannot_be_made_is_told_with_its_secret() {
    let call = async |client: Client| {
        let generate = || Authority::generate("ours", NOW, NOW);
        load_or_create(&client, "ns-0", "ca", generate, NOW).await
    };
    let error = play(not_found_script, call).await.unwrap_err();
    assert!(whole(&error).starts_with("failed to generate an authority for Secret ns-0/ca: invalid period"));
}

async fn not_found_script(server: &mut Server) {
    not_found(server).await;
}

#[tokio::test(start_paused = true)]
async fn key_never_reaches_the_log_or_an_error() {
    let key = "hunter2hunter2hunter2";
    let half = mk_secret(&json!({ "ca.crt": "eA==", "ca.key": key })).to_string();
    let answers = [half.clone(), half[..half.len() - 3].to_owned(), mk_secret(&json!([key])).to_string()];
    for answer in answers {
        let log = Log::start();
        let script = async |server: &mut Server| {
            server.answers_text(GET, 200, answer.clone()).await;
        };
        let error = play(script, load_only).await.unwrap_err();
        let expected = "failed to read Secret ns-0/ca: failed to read the API server's answer";
        assert_eq!(whole(&error), expected);
        assert!(matches!(error, Error::ReadSecret { source: api::Failure::ReadAnswer, .. }));
        let shown = format!("{error:?} {error:#?} {}", log.text());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn whole_creation_logs_no_key_at_any_level() {
    let log = Log::start();
    let script = async |server: &mut Server| {
        not_found(server).await;
        server.refuses(POST, 500, "InternalError", "no").await;
        not_found(server).await;
        server.answers(POST, 201, mk_secret(&json!({}))).await;
    };
    let loaded = play(script, load).await.unwrap();
    let text = log.text();
    assert!(text.contains("failed to create Secret"), "{text}");
    let encoded = STANDARD.encode(loaded.key_pem().expose());
    for line in loaded.key_pem().expose().lines().chain([encoded.as_str()]) {
        assert!(!text.contains(line), "{text}");
    }
}
