//! The kinds of object that are watched and made, as the API server names them.

use dataservice_core::reconcile::Kind;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};

/// The resource of one of a service's objects.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::NetworkPolicy => ApiResource::erase::<k8s_openapi::api::networking::v1::NetworkPolicy>(&()),
        Kind::Service => ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&()),
        Kind::StatefulSet => ApiResource::erase::<k8s_openapi::api::apps::v1::StatefulSet>(&()),
    }
}

/// Pods.
pub(crate) fn pods() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&())
}

/// Events, in the form whose fields can be selected by.
pub(crate) fn events() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&())
}

/// `PodTemplate`s.
pub(crate) fn pod_templates() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::PodTemplate>(&())
}

/// Objects of a namespace as JSON, unknown fields included.
pub(crate) fn namespaced(client: &Client, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, resource)
}
