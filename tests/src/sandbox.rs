//! A namespace for one test.

use std::panic::AssertUnwindSafe;

use anyhow::{Context, Result, bail};
use dataservice_core::plan::Plan;
use futures::FutureExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams};
use serde_json::Value;

use crate::cluster::{self, Answer};
use crate::{flyte, owner, wait};

/// A namespace for one test.
#[derive(Clone)]
pub struct Sandbox {
    /// The cluster.
    pub client: Client,
    /// The namespace's name.
    pub namespace: String,
}

/// Runs a test in a namespace of its own, tells what is in it when the test fails, and deletes it.
pub async fn sandbox<F: Future<Output = Result<()>>>(test: impl FnOnce(Sandbox) -> F) {
    if let Err(error) = in_sandbox(test).await {
        panic!("{error:?}");
    }
}

/// Runs `work` in a namespace of its own, tells what is in it when that fails, and deletes it.
pub async fn in_sandbox<T, F: Future<Output = Result<T>>>(work: impl FnOnce(Sandbox) -> F) -> Result<T> {
    let metadata =
        ObjectMeta { generate_name: Some("dataservice-test-".to_owned()), ..ObjectMeta::default() };
    let sandbox = Sandbox::create(metadata).await.context("failed to create a namespace")?;
    let outcome = AssertUnwindSafe(work(sandbox.clone())).catch_unwind().await;
    if !matches!(outcome, Ok(Ok(_))) {
        sandbox.describe().await;
    }
    sandbox.delete().await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

// === impl Sandbox ===

impl Sandbox {
    /// Makes a namespace, and waits until pods can be created in it.
    pub async fn create(metadata: ObjectMeta) -> Result<Self> {
        let client = cluster::client().await?;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = namespaces.create(&PostParams::default(), &namespace).await?;
        let namespace = created.metadata.name.context("a namespace without a name")?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        wait::until("the default service account", || async { Ok(accounts.get_opt("default").await?) })
            .await?;
        Ok(Self { client, namespace })
    }

    /// Deletes it and all that is in it.
    pub async fn delete(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        if let Err(error) = namespaces.delete(&self.namespace, &DeleteParams::background()).await {
            eprintln!("failed to delete namespace {}: {error}", self.namespace);
        }
    }

    /// A fixture that runs `task` here, controlled by an object that is there.
    pub async fn pod(&self, fixture: &str, task: &str) -> Result<Value> {
        self.own(flyte::runnable(fixture, task)?).await
    }

    /// The plain fixture as an action of a Flyte 2 run, that runs `task` here, controlled by an object that is there.
    pub async fn flyte_2_pod(&self, run: &str, action: &str, task: &str) -> Result<Value> {
        let mut pod = flyte::runnable("plain", task)?;
        flyte::into_flyte_2(&mut pod, run, action);
        self.own(pod).await
    }

    async fn own(&self, mut pod: Value) -> Result<Value> {
        pod["metadata"]["namespace"] = self.namespace.clone().into();
        owner::own(&self.client, &self.namespace, &mut pod).await?;
        Ok(pod)
    }

    /// Asks the API server to create a pod.
    pub async fn try_create(&self, pod: &Value, query: &str) -> Result<Answer> {
        cluster::create_pod(&self.client, &self.namespace, pod, query).await
    }

    /// Creates a pod, and hands back what was admitted.
    pub async fn create_pod(&self, pod: &Value) -> Result<Value> {
        let answer = self.try_create(pod, "").await?;
        if answer.status != 201 {
            bail!("the pod was refused with {}: {}", answer.status, answer.body["message"]);
        }
        Ok(answer.body)
    }

    /// Waits until the pod has this phase.
    pub async fn until_phase(&self, pod: &str, phase: &str) -> Result<Pod> {
        wait::until(&format!("pod {pod} to be {phase}"), || async {
            let pod = self.pods().get(pod).await?;
            let there = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if there != Some(phase) && matches!(there, Some("Failed" | "Succeeded")) {
                bail!("the pod is {there:?}, not {phase}: {:?}", pod.status);
            }
            Ok((there == Some(phase)).then_some(pod))
        })
        .await
    }

    /// Waits until the pod's wait gate has given up, and hands back why.
    pub async fn until_given_up(&self, pod: &str) -> Result<String> {
        let ended = self.until_phase(pod, "Failed").await?;
        gate_message(&ended).with_context(|| format!("the gate did not say why: {:?}", ended.status))
    }

    /// The uid of the StatefulSet of this name, if there is one.
    pub async fn set_uid(&self, object: &str) -> Result<Option<String>> {
        Ok(self.stateful_sets().get_opt(object).await?.and_then(|set| set.metadata.uid))
    }

    /// Waits until the StatefulSet and the Service of this name are there.
    pub async fn until_made(&self, object: &str) -> Result<(StatefulSet, Service)> {
        wait::until(&format!("service {object} to be made"), || async {
            let (set, service) =
                (self.stateful_sets().get_opt(object).await?, self.services().get_opt(object).await?);
            Ok(set.zip(service))
        })
        .await
    }

    /// Waits until neither StatefulSet nor Service nor server of this name is left.
    pub async fn until_gone(&self, object: &str) -> Result<()> {
        wait::until(&format!("service {object} to be gone"), || async {
            let set = self.stateful_sets().get_opt(object).await?;
            let service = self.services().get_opt(object).await?;
            let servers = ListParams::default().labels(&format!("dataservice.flyte.org/service={object}"));
            let left =
                set.is_some() || service.is_some() || !self.pods().list(&servers).await?.items.is_empty();
            Ok((!left).then_some(()))
        })
        .await
    }

    /// Waits for an event on the pod with this reason, and hands its text back.
    pub async fn until_told(&self, pod: &str, reason: &str) -> Result<String> {
        wait::until(&format!("event {reason} on pod {pod}"), || async {
            Ok(self.told(pod, reason).await?.into_iter().next())
        })
        .await
    }

    /// The texts of the events on the pod with this reason.
    pub async fn told(&self, pod: &str, reason: &str) -> Result<Vec<String>> {
        let events: Api<k8s_openapi::api::events::v1::Event> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let fields = ListParams::default().fields(&format!("regarding.name={pod},reason={reason}"));
        Ok(events.list(&fields).await?.items.into_iter().filter_map(|event| event.note).collect())
    }

    /// The pods here.
    #[must_use]
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The StatefulSets here.
    #[must_use]
    pub fn stateful_sets(&self) -> Api<StatefulSet> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Services here.
    #[must_use]
    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What is here, for a test that failed.
    async fn describe(&self) {
        let events: Api<k8s_openapi::api::core::v1::Event> =
            Api::namespaced(self.client.clone(), &self.namespace);
        eprintln!("--- namespace {}", self.namespace);
        for pod in self.pods().list(&ListParams::default()).await.into_iter().flatten() {
            eprintln!(
                "pod {:?}: {:?}",
                pod.metadata.name,
                pod.status.map(|status| (status.phase, status.container_statuses))
            );
        }
        for set in self.stateful_sets().list(&ListParams::default()).await.into_iter().flatten() {
            eprintln!("stateful set {:?}: {:?}", set.metadata.name, set.status);
        }
        for event in events.list(&ListParams::default()).await.into_iter().flatten() {
            eprintln!("event {:?} {:?}: {:?}", event.involved_object.name, event.reason, event.message);
        }
    }
}

/// What the wait gate of a pod said when it ended.
#[must_use]
pub fn gate_message(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.init_container_statuses.as_ref()?;
    let gate = statuses.iter().find(|status| status.name == "dataservice-wait")?;
    let ended = gate.state.as_ref()?.terminated.as_ref().or(gate.last_state.as_ref()?.terminated.as_ref())?;
    ended.message.clone()
}

/// The plan of an admitted pod.
pub fn plan(pod: &Value) -> Result<Plan> {
    let text = pod["metadata"]["annotations"]["dataservice.flyte.org/plan"].as_str();
    Ok(Plan::read(text.context("the pod has no plan")?)?)
}

/// The name of the only service of an admitted pod.
pub fn object(pod: &Value) -> Result<String> {
    match plan(pod)?.services.as_slice() {
        [service] => Ok(service.object.to_string()),
        services => bail!("{} services", services.len()),
    }
}

/// A pod's name.
pub fn name(pod: &Value) -> Result<String> {
    Ok(pod["metadata"]["name"].as_str().context("a pod without a name")?.to_owned())
}
