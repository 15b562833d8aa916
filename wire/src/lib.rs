//! What our containers in a task pod and the webhook say to each other: paths, environment, bodies.
//!
//! Both sides link this crate, so that neither can change a word alone. A pod keeps the sidecar it was admitted
//! with for weeks: what stands here may be added to, never changed.

#![forbid(unsafe_code)]

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a pod gives its data services back: `POST`, no body. Answered with 204, or a [`Problem`].
pub const RELEASE_PATH: &str = "/v1/release";

/// Where a pod asks how far its data services are: `GET`. Answered with 200 and a stream of lines, each a
/// [`Progress`] in JSON, the last of which says `ready` or `failed`; or with a [`Problem`].
///
/// A stream that ends without such a last line was cut off: ask again.
pub const SERVICES_PATH: &str = "/v1/services";

/// The media type of the stream.
pub const LINES: &str = "application/jsonl";

/// A line comes at least this often, if only to repeat the last one: silence for several of these means that the
/// other end is gone.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// Bytes of one line of the stream, at most; longer messages are cut.
pub const MOST_LINE_BYTES: usize = 8 * 1024;

/// The audience of the service account token that a pod shows to the lifecycle API, and of no other token.
pub const AUDIENCE: &str = "dataservice.flyte.org";

/// The environment of our containers in a task pod.
pub mod env {
    /// The lifecycle API's base URL, `https://<host>:<port>`.
    pub const URL: &str = "DATASERVICE_URL";
    /// The authority that the lifecycle API's certificate is checked against, in PEM.
    pub const CA: &str = "DATASERVICE_CA";
    /// The file that holds the pod's token for [`AUDIENCE`](super::AUDIENCE); the kubelet renews it.
    pub const TOKEN_FILE: &str = "DATASERVICE_TOKEN_FILE";
    /// What the wait gate waits for: a [`Gate`](super::Gate) in JSON.
    pub const GATE: &str = "DATASERVICE_GATE";
}

/// What the wait gate was told at admission.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// What it waits for, in the order in which the pod's user wrote them.
    pub services: Vec<GateService>,
    /// `<namespace>.svc.<cluster domain>`. A server's full name is `<object>-<ordinal>.<object>.<domain>`.
    pub domain: String,
    /// How long it waits, counted from the last progress; 0: not at all.
    pub deadline_seconds: u64,
    /// Where the lists of endpoints are to be written, where they are too long for the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Lists>,
}

/// One service that the wait gate waits for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateService {
    /// Its name, as the pod's user knows it.
    pub name: String,
    /// What its StatefulSet and Service are called.
    pub object: String,
    /// How many servers it has: ordinals from 0.
    pub replicas: u32,
    /// The port that each of them listens on.
    pub port: u16,
    /// Whether it is made for its consumers, so that the lifecycle API knows of it.
    pub made: bool,
}

/// Files for the task, one endpoint a line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lists {
    /// The folder. Every endpoint is in its file `endpoints`; where there are several services, those of each are in
    /// `endpoints-<name>` as well.
    pub folder: String,
    /// What follows `<object>-<ordinal>.<object>` in the names that the task is given: nothing, or `.<domain>`.
    pub suffix: String,
}

/// How far a pod's services are: a line of the stream at [`SERVICES_PATH`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Progress {
    /// A cause that waiting cannot mend. The last line.
    Failed {
        /// The cause, for a person: `graph: pods "graph-0" is forbidden: exceeded quota …`.
        message: String,
    },
    /// All servers of all services are ready, by a look at the API server itself. The last line.
    Ready {
        /// What is ready, for a person: `graph 4/4 ready`.
        message: String,
    },
    /// Not yet.
    Waiting {
        /// What is missing, for a person: `graph 3/4 ready; graph-2: pulling image`.
        message: String,
        /// How long to go on waiting, if nothing changes.
        remaining_seconds: u64,
    },
    /// A line of a later version, which says neither of the above.
    #[serde(other)]
    Unknown,
}

/// Why the lifecycle API refused: the body of every answer that is not a success.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// One sentence for a person; it holds no secret.
    pub message: String,
}

// === impl Progress ===

impl Progress {
    /// Whether it is a stream's last line.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Ready { .. })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Pods that were admitted by an earlier version read these: they never change.
    #[test]
    fn progress_is_written_as_it_always_was() {
        let written = |progress: &Progress| serde_json::to_value(progress).unwrap();
        let message = "graph 3/4 ready".to_owned();
        assert_eq!(
            written(&Progress::Waiting { message: message.clone(), remaining_seconds: 600 }),
            json!({"state": "waiting", "message": message, "remainingSeconds": 600})
        );
        assert_eq!(
            written(&Progress::Ready { message: message.clone() }),
            json!({"state": "ready", "message": message})
        );
        assert_eq!(
            written(&Progress::Failed { message: message.clone() }),
            json!({"state": "failed", "message": message})
        );
    }

    #[test]
    fn what_a_later_version_says_is_no_error() {
        let later = json!({"state": "paused", "message": "m", "until": 1});
        assert_eq!(serde_json::from_value::<Progress>(later).unwrap(), Progress::Unknown);
        let more = json!({"state": "ready", "message": "m", "endpoints": 4});
        assert_eq!(
            serde_json::from_value::<Progress>(more).unwrap(),
            Progress::Ready { message: "m".to_owned() }
        );
    }
}
