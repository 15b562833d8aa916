//! Which pod a token speaks for, by the API server's review of it.

use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};

use crate::core::consumer::PodRef;
use crate::refusal::Refusal;
use crate::wire::AUDIENCE;

/// The pod whose token was reviewed.
pub(crate) fn of(review: &TokenReviewStatus) -> Result<PodRef, Refusal> {
    if review.authenticated != Some(true) {
        return Err(Refusal::InvalidToken);
    }
    // An authenticator that knows nothing of audiences names none: then the token may be for anybody.
    if !review.audiences.iter().flatten().any(|audience| audience == AUDIENCE) {
        return Err(Refusal::WrongAudience);
    }
    review.user.as_ref().and_then(of_user).ok_or(Refusal::NotOfAPod)
}

fn of_user(user: &UserInfo) -> Option<PodRef> {
    let account = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, _) = account.split_once(':')?;
    let only = |key: &str| match user.extra.as_ref()?.get(key)?.as_slice() {
        [value] => Some(value.clone()),
        _ => None,
    };
    let pod = PodRef {
        namespace: namespace.to_owned(),
        name: only("authentication.kubernetes.io/pod-name")?,
        uid: only("authentication.kubernetes.io/pod-uid")?,
    };
    // They become part of a URL.
    let are_names = is_name(&pod.namespace) && is_name(&pod.name) && !pod.uid.is_empty();
    are_names.then_some(pod)
}

/// Whether this can be the name of a namespace or a pod.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().all(|byte| is_inner(byte) || byte == b'-' || byte == b'.')
        && text.bytes().next().is_some_and(is_inner)
        && text.bytes().last().is_some_and(is_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn review() -> Value {
        json!({
            "authenticated": true,
            "audiences": [AUDIENCE],
            "user": {
                "username": "system:serviceaccount:ns:default",
                "extra": {
                    "authentication.kubernetes.io/pod-name": ["p"],
                    "authentication.kubernetes.io/pod-uid": ["u"],
                },
            },
        })
    }

    #[expect(clippy::unwrap_in_result, reason = "a test's own review is one")]
    fn read(review: Value) -> Result<PodRef, Refusal> {
        of(&serde_json::from_value(review).unwrap())
    }

    fn with(pointer: &str, value: Value) -> Result<PodRef, Refusal> {
        let mut review = review();
        *review.pointer_mut(pointer).unwrap() = value;
        read(review)
    }

    #[test]
    fn a_pods_token_names_its_pod() {
        let pod = PodRef { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
        assert_eq!(read(review()), Ok(pod));
    }

    #[test]
    fn a_token_that_was_not_accepted_names_nobody() {
        assert_eq!(with("/authenticated", json!(false)), Err(Refusal::InvalidToken));
        assert_eq!(with("/authenticated", Value::Null), Err(Refusal::InvalidToken));
    }

    #[test]
    fn a_token_for_another_audience_names_nobody() {
        assert_eq!(
            with("/audiences", json!(["https://kubernetes.default.svc"])),
            Err(Refusal::WrongAudience)
        );
        assert_eq!(with("/audiences", Value::Null), Err(Refusal::WrongAudience));
    }

    #[test]
    fn a_token_that_is_not_a_pods_names_nobody() {
        for username in ["admin", "system:serviceaccount:ns", "system:serviceaccount:../x:y", "system:node:n"]
        {
            assert_eq!(with("/user/username", json!(username)), Err(Refusal::NotOfAPod), "{username}");
        }
        for name in [json!([]), json!(["p", "q"]), json!(["p/status"]), json!([".."]), json!([""])] {
            let pointer = "/user/extra/authentication.kubernetes.io~1pod-name";
            assert_eq!(with(pointer, name.clone()), Err(Refusal::NotOfAPod), "{name}");
        }
        assert_eq!(with("/user/extra", json!({})), Err(Refusal::NotOfAPod));
        assert_eq!(with("/user", Value::Null), Err(Refusal::NotOfAPod));
    }
}
