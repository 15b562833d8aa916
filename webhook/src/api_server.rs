//! What the lifecycle API asks of the API server.

use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::annotation::{CONSUMER, RELEASED};
use crate::core::consumer::PodRef;
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::AUDIENCE;

/// The API server.
///
/// Answers are taken as text: kube's typed calls log an answer that they cannot read, and a review holds the token.
#[derive(Clone)]
pub(crate) struct ApiServer(Client);

// === impl ApiServer ===

impl ApiServer {
    pub(crate) const fn new(client: Client) -> Self {
        Self(client)
    }

    /// What the API server says of `token`.
    pub(crate) async fn review(&self, token: Token) -> Result<TokenReviewStatus, Refusal> {
        #[derive(Deserialize)]
        struct Reviewed {
            status: TokenReviewStatus,
        }
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.reveal(), "audiences": [AUDIENCE]},
        });
        let request = Request::post("/apis/authentication.k8s.io/v1/tokenreviews");
        let request = request.header(CONTENT_TYPE, JSON).header(ACCEPT, JSON);
        let answer = self.send(request, &review).await;
        let answer = answer.map_err(|error| failed("review a token", &error))?;
        match serde_json::from_str::<Reviewed>(&answer) {
            Ok(Reviewed { status }) => Ok(status),
            // Not the error itself: it may quote the answer.
            Err(error) => {
                tracing::error!(
                    line = error.line(),
                    column = error.column(),
                    "Failed to read a token's review"
                );
                Err(Refusal::Refused)
            }
        }
    }

    /// Marks `pod` as released, if it is that very pod, a consumer, and one whose containers never run again.
    ///
    /// These are the patch's own conditions, checked by the API server against the living object: no read before
    /// the write, nothing that could have changed in between, no index that could lag behind. The word of a pod that
    /// may run again would count for nothing, and take the place of the controller's, which does.
    pub(crate) async fn mark_released(&self, pod: &PodRef) -> Result<(), Refusal> {
        let label = format!("/metadata/labels/{}", CONSUMER.replace('/', "~1"));
        let annotation = format!("/metadata/annotations/{}", RELEASED.replace('/', "~1"));
        let operations = json!([
            {"op": "test", "path": "/metadata/uid", "value": pod.uid},
            {"op": "test", "path": label, "value": "true"},
            {"op": "test", "path": "/spec/restartPolicy", "value": "Never"},
            {"op": "add", "path": annotation, "value": pod.uid},
        ]);
        let path =
            format!("/api/v1/namespaces/{}/pods/{}?fieldManager={FIELD_MANAGER}", pod.namespace, pod.name);
        let request = Request::patch(path).header(CONTENT_TYPE, "application/json-patch+json");
        match self.send(request.header(ACCEPT, METADATA), &operations).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(Refusal::Gone),
            Err(kube::Error::Api(status)) if status.code == 422 => {
                tracing::warn!(
                    namespace = pod.namespace,
                    pod = pod.name,
                    message = status.message,
                    "The API server would not mark a pod"
                );
                Err(Refusal::NotThisPod)
            }
            Err(error) => Err(failed("mark a pod", &error)),
        }
    }

    async fn send(&self, request: http::request::Builder, body: &Value) -> kube::Result<String> {
        let request = request.body(body.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
        self.0.request_text(request).await
    }
}

/// The refusal after the API server did not do what it should.
fn failed(what: &'static str, error: &kube::Error) -> Refusal {
    match error {
        kube::Error::Api(status) if status.code == 429 => Refusal::Busy,
        kube::Error::Api(status) => {
            tracing::error!(what, code = status.code, reason = status.reason, "The API server refused");
            Refusal::Refused
        }
        error => {
            tracing::warn!(what, %error, "Failed to reach the API server");
            Refusal::Unreachable
        }
    }
}

const JSON: &str = "application/json";
/// A patch's answer need not be the whole pod.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Who writes, for `managedFields`.
const FIELD_MANAGER: &str = "flyte-dataservice";
