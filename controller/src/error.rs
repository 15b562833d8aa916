//! What did not work.

use dataservice_core::consumer::{InvalidConsumer, PodRef};
use dataservice_core::progress::Hope;
use dataservice_core::reconcile::Kind;
use dataservice_core::render::InvalidTemplate;

use crate::index::ServiceRef;

/// An action could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the objects has changed since it was looked at: its newer version is looked at instead.
    #[error("{0} has changed meanwhile")]
    Changed(ServiceRef),
    /// An object could not be made.
    #[error("failed to create {kind:?} {service}: {}", message(source))]
    Create {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// An object could not be deleted.
    #[error("failed to delete {kind:?} {service}: {}", message(source))]
    Delete {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// The consumers could not be listed.
    #[error("failed to list the consumers of {service}: {}", message(source))]
    ListConsumers {
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// Something else has the name.
    #[error("{kind:?} {service} is there already and was not made by flyte-dataservice; it is left alone")]
    NameTaken {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
    },
    /// A pod could not be changed.
    #[error("failed to {what} pod {}/{}: {}", pod.namespace, pod.name, message(source))]
    Pod {
        /// The pod.
        pod: PodRef,
        /// What was tried.
        what: &'static str,
        /// What the API server said.
        source: kube::Error,
    },
    /// A pod that may need the service cannot be understood.
    #[error("pod {}/{pod} cannot be understood, and {service} is kept for it: {source}", service.namespace)]
    ReadConsumer {
        /// Its name.
        pod: String,
        /// The service that it was promised.
        service: ServiceRef,
        /// What is wrong.
        source: InvalidConsumer,
    },
    /// The pod template could not be read.
    #[error("failed to read pod template {name:?} in namespace {namespace}: {}", message(source))]
    ReadTemplate {
        /// Its name.
        name: String,
        /// Where it was looked for.
        namespace: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The pod template gives no servers.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
    /// There is no such pod template.
    #[error("there is no pod template {name:?} in namespace {namespace}")]
    TemplateMissing {
        /// Its name.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// An object's record or owners could not be changed.
    #[error("failed to update {kind:?} {service}: {}", message(source))]
    Update {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
}

// === impl Error ===

impl Error {
    /// Whether the same may work later. What somebody has to mend first, a pod is not to wait for.
    #[must_use]
    pub fn hope(&self) -> Hope {
        match self {
            // Forbidden: quotas, policies. Invalid: a template that makes no StatefulSet.
            Self::Create { source: kube::Error::Api(status), .. }
                if matches!(status.code, 400 | 403 | 422) =>
            {
                Hope::of_refusal(&status.message)
            }
            Self::NameTaken { .. } | Self::Template(_) | Self::TemplateMissing { .. } => Hope::Never,
            _ => Hope::Mends,
        }
    }
}

/// What the API server said, without the transport's wrapping.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    }
}
