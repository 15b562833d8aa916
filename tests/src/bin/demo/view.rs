//! What can be seen of a task and its data service at one moment.

use anyhow::Result;
use dataservice_core::annotation::RELEASED;
use dataservice_tests::sandbox::Sandbox;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};

/// What can be seen of a task and its data service at one moment.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) task: Pod,
    pub(crate) stateful_set: Option<StatefulSet>,
    pub(crate) service: Option<Service>,
    pub(crate) servers: Vec<Pod>,
    pub(crate) endpoints: Vec<EndpointSlice>,
}

// === impl View ===

impl View {
    pub(crate) async fn look(sandbox: &Sandbox, pod: &str, object: &str) -> Result<Self> {
        let slices: Api<EndpointSlice> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
        let servers = ListParams::default().labels(&format!("dataservice.flyte.org/service={object}"));
        let endpoints = ListParams::default().labels(&format!("kubernetes.io/service-name={object}"));
        Ok(Self {
            task: sandbox.pods().get(pod).await?,
            stateful_set: sandbox.stateful_sets().get_opt(object).await?,
            service: sandbox.services().get_opt(object).await?,
            servers: sandbox.pods().list(&servers).await?.items,
            endpoints: slices.list(&endpoints).await?.items,
        })
    }

    /// Whether every server is ready and has its endpoint.
    pub(crate) fn is_up(&self) -> bool {
        let wanted = self.stateful_set.as_ref().and_then(|set| set.spec.as_ref()?.replicas);
        let ready = self.servers.iter().filter(|server| is_ready(server)).count();
        let has_all = |count: usize| wanted.is_some_and(|wanted| usize::try_from(wanted) == Ok(count));
        has_all(ready) && has_all(self.addresses().count())
    }

    /// Whether the task's containers can run no longer.
    pub(crate) fn has_ended(&self) -> bool {
        let statuses = containers(&self.task);
        let ended = |status: &ContainerStatus| state(status).is_some_and(|state| state.terminated.is_some());
        matches!(phase(&self.task), "Succeeded" | "Failed")
            || (!statuses.is_empty() && statuses.iter().all(ended))
    }

    /// Whether the pod itself has ended, and nothing of its service is left.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(phase(&self.task), "Succeeded" | "Failed")
            && self.stateful_set.is_none()
            && self.service.is_none()
            && self.servers.is_empty()
            && self.endpoints.is_empty()
    }

    /// What keeps a container from starting, if it is nothing that passes.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let pods = self.servers.iter().chain([&self.task]);
        let statuses = pods.flat_map(|pod| containers(pod).iter().chain(init_containers(pod)));
        let mut states = statuses.filter_map(|status| state(status)?.waiting.as_ref());
        let waiting =
            states.find(|waiting| waiting.reason.as_deref().is_some_and(|it| LASTING.contains(&it)))?;
        Some(format!(
            "{}: {}",
            waiting.reason.as_deref().unwrap_or_default(),
            waiting.message.as_deref().unwrap_or_default()
        ))
    }

    /// What is true as a service comes up and its task runs; a line each.
    pub(crate) fn coming(&self) -> Vec<String> {
        let mut facts = Vec::new();
        facts.extend(self.stateful_set.as_ref().map(|set| {
            let replicas = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
            format!("StatefulSet {}: {replicas} servers, owned by {}", set.name_any(), owner(set))
        }));
        facts.extend(self.service.as_ref().map(|service| {
            let spec = service.spec.as_ref();
            let port = spec.and_then(|spec| spec.ports.as_ref()?.first()).map_or(0, |port| port.port);
            format!("Service {}: headless, port {port}", service.name_any())
        }));
        facts.extend(self.servers.iter().map(|server| format!("server {}", standing(server))));
        facts.extend(self.addresses());
        facts.push(format!("task {}", standing(&self.task)));
        facts
    }

    /// What is true as the service goes.
    pub(crate) fn going(&self) -> Vec<String> {
        let mut facts = Vec::new();
        let mut note = |is_true: bool, fact: &str| facts.extend(is_true.then(|| fact.to_owned()));
        let released = self.task.annotations().get(RELEASED);
        note(released.is_some() && released == self.task.uid().as_ref(), "the pod is marked as released");
        note(self.stateful_set.is_none(), "the StatefulSet is deleted");
        note(self.service.is_none(), "the Service is deleted");
        note(self.endpoints.is_empty(), "its endpoints are gone");
        note(self.servers.is_empty(), "its servers are gone");
        note(phase(&self.task) != "Running", &format!("the task's pod is {}", phase(&self.task)));
        facts
    }

    /// `name at address`, of each server that can be found by its name.
    fn addresses(&self) -> impl Iterator<Item = String> {
        self.endpoints.iter().flat_map(|slice| &slice.endpoints).filter_map(|endpoint| {
            let name = endpoint.hostname.as_ref()?;
            Some(format!("endpoint {name}: {}", endpoint.addresses.first()?))
        })
    }
}

/// `name: phase`, and what stands in its way.
fn standing(pod: &Pod) -> String {
    let mut words = vec![phase(pod).to_owned()];
    words.extend(is_ready(pod).then(|| "ready".to_owned()));
    words.extend(unscheduled(pod));
    words.extend(containers(pod).iter().filter_map(waiting));
    words.extend(containers(pod).iter().filter_map(exit));
    format!("{}: {}", pod.name_any(), words.join(", "))
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Why no node takes it.
fn unscheduled(pod: &Pod) -> Option<String> {
    let condition = condition(pod, "PodScheduled").filter(|condition| condition.status == "False")?;
    condition.message.clone()
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a k8s_openapi::api::core::v1::PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The statuses of the regular containers.
fn containers(pod: &Pod) -> &[ContainerStatus] {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    statuses.unwrap_or_default()
}

/// Ours is one of them.
fn init_containers(pod: &Pod) -> &[ContainerStatus] {
    let statuses = pod.status.as_ref().and_then(|status| status.init_container_statuses.as_deref());
    statuses.unwrap_or_default()
}

fn state(status: &ContainerStatus) -> Option<&ContainerState> {
    status.state.as_ref()
}

/// What a container waits for, unless it is only being made.
fn waiting(status: &ContainerStatus) -> Option<String> {
    let waiting = state(status)?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().filter(|reason| !PASSING.contains(reason))?;
    Some(format!("container {} waits: {reason}", status.name))
}

fn exit(status: &ContainerStatus) -> Option<String> {
    let code = state(status)?.terminated.as_ref()?.exit_code;
    Some(format!("container {} exited with {code}", status.name))
}

fn owner<K: Resource>(object: &K) -> String {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    owners.iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect::<Vec<_>>().join(", ")
}

/// What every container waits for at first.
const PASSING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// What nobody need wait out.
const LASTING: [&str; 4] =
    ["CreateContainerConfigError", "ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName"];
