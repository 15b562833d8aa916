//! The story: a task gets its data service, uses it, and gives it back.

use std::fmt::Debug;

use anyhow::{Context, Result, bail};
use dataservice_tests::cluster::logs;
use dataservice_tests::sandbox::{Sandbox, name, object};
use dataservice_tests::{flyte, owner, wait};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::additions::{additions, annotations};
use crate::follow::Course;
use crate::script;
use crate::settings::Settings;
use crate::teller::Teller;
use crate::view::View;

/// Tells it.
pub(crate) async fn tell(settings: &Settings, mut teller: Teller) -> Result<()> {
    let teller = &mut teller;
    let metadata = ObjectMeta { name: Some(settings.namespace.clone()), ..ObjectMeta::default() };
    let sandbox = Sandbox::create(metadata).await.context("failed to create the demo's namespace")?;
    let sent = flytes_pod(&sandbox, settings, teller).await?;
    until_answered(&sandbox, &sent).await?;
    let admitted = admission(&sandbox, &sent, teller).await?;
    let mut course = Course::new(sandbox, name(&admitted)?, object(&admitted)?);
    coming(&mut course, teller).await?;
    running(&mut course, teller).await?;
    release(&mut course, teller).await?;
    nothing_left(&course.sandbox, teller).await
}

async fn flytes_pod(sandbox: &Sandbox, settings: &Settings, teller: &mut Teller) -> Result<Value> {
    teller.step("A Flyte task needs a data service: its pod says so in annotations");
    let mut pod = flyte::runnable(FIXTURE, script::TASK)?;
    pod["metadata"]["namespace"] = json!(sandbox.namespace);
    use_image(&mut pod, &settings.image);
    if settings.with_workflow {
        owner::own(&sandbox.client, &sandbox.namespace, &mut pod).await?;
    } else if let Some(metadata) = pod["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
    }
    teller.detail(&format!("pod {} in namespace {}", name(&pod)?, sandbox.namespace));
    teller.detail(&format!(
        "as FlytePropeller made it (tests/fixtures/{FIXTURE}.json), with a small image: {}",
        settings.image
    ));
    if !settings.with_workflow {
        teller.detail(
            "and with no FlyteWorkflow above it, which a Flyte in this cluster would take for an execution",
        );
    }
    for annotation in annotations(&pod) {
        teller.detail(&annotation);
    }
    Ok(pod)
}

fn use_image(pod: &mut Value, image: &str) {
    flyte::annotate(pod, &[("image", image)]);
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        container["image"] = json!(image);
    }
}

/// Waits until the API server reaches the webhook: the cluster's proxies learn a little later than others that it is
/// ready.
async fn until_answered(sandbox: &Sandbox, pod: &Value) -> Result<()> {
    wait::until("the API server to reach the webhook, by the Service flyte-dataservice-webhook", || async {
        let answer = sandbox.try_create(pod, "dryRun=All").await?;
        Ok((answer.status != 500).then_some(()))
    })
    .await
}

async fn admission(sandbox: &Sandbox, sent: &Value, teller: &mut Teller) -> Result<Value> {
    teller.step("The webhook adds to it, as it is created");
    let answer = sandbox.try_create(sent, "").await.context("failed to create the pod")?;
    if answer.status != 201 {
        bail!(
            "the pod was refused with {}: {}",
            answer.status,
            answer.body["message"].as_str().unwrap_or("?")
        );
    }
    for warning in &answer.warnings {
        teller.detail(&format!("Warning: {warning}"));
    }
    let additions = additions(sent, &answer.body);
    if additions.is_empty() {
        bail!("nothing was added to the pod: does its MutatingWebhookConfiguration leave the namespace out?");
    }
    for addition in &additions {
        teller.detail(&addition.to_string());
    }
    teller.done();
    Ok(answer.body)
}

async fn coming(course: &mut Course, teller: &mut Teller) -> Result<()> {
    teller.step("The controller makes the data service, and its servers start");
    let up = |view: &View| view.is_up() || view.has_ended();
    course.follow(teller, "every server to be ready", View::coming, up).await?;
    Ok(())
}

async fn running(course: &mut Course, teller: &mut Teller) -> Result<()> {
    teller.step("The task starts, and speaks to each of its servers by the names in MY_DATASERVICES");
    let replicas = replicas(&course.follow(teller, "the task to end", View::coming, View::has_ended).await?)?;
    printed(course, GATE, "its gate printed, before it started:", teller).await?;
    let output = printed(course, CONTAINER, "the task itself printed:", teller).await?;
    script::check(&output, &course.object, replicas)?;
    teller.detail(&format!("each of its {replicas} servers has answered to its own name, in order"));
    Ok(())
}

/// Tells what a container of the task's pod has printed.
async fn printed(course: &Course, container: &str, title: &str, teller: &Teller) -> Result<String> {
    let Sandbox { client, namespace } = &course.sandbox;
    let output = logs(client, namespace, &course.pod, container).await?;
    teller.detail(title);
    for line in output.lines() {
        teller.detail(&format!("| {line}"));
    }
    Ok(output)
}

/// As many servers as the pod asks for.
fn replicas(view: &View) -> Result<usize> {
    let text =
        view.task.annotations().get("dataservice.flyte.org/replicas").context("no replicas on the pod")?;
    text.parse().context("replicas is no number")
}

async fn release(course: &mut Course, teller: &mut Teller) -> Result<()> {
    teller.step("The task has ended: its data service goes");
    course.follow(teller, "the data service to be gone", View::going, View::is_gone).await?;
    printed(course, SIDECAR, "the sidecar printed:", teller).await?;
    for reason in ["DataServiceCreated", "DataServiceDeleted"] {
        let told = course.sandbox.until_told(&course.pod, reason).await?;
        teller.detail(&format!("event on the pod: {reason}: {told}"));
    }
    Ok(())
}

async fn nothing_left(sandbox: &Sandbox, teller: &mut Teller) -> Result<()> {
    teller.step("Nothing is left over");
    wait::until("nothing to be left of the data service", || async {
        Ok(left(sandbox).await?.is_empty().then_some(()))
    })
    .await?;
    teller.detail("no StatefulSet, Service, EndpointSlice, ControllerRevision, or pod but the task's own");
    let namespaces: Api<Namespace> = Api::all(sandbox.client.clone());
    namespaces.delete(&sandbox.namespace, &DeleteParams::default()).await?;
    wait::until("the demo's namespace to be gone", || async {
        Ok(namespaces.get_opt(&sandbox.namespace).await?.is_none().then_some(()))
    })
    .await?;
    teller.detail(&format!("namespace {} is deleted, with the task's pod", sandbox.namespace));
    teller.done();
    Ok(())
}

/// What of the data service is left, and of whatever was made for it.
async fn left(sandbox: &Sandbox) -> Result<Vec<String>> {
    let mut left = names::<StatefulSet>(sandbox).await?;
    left.extend(names::<Service>(sandbox).await?);
    left.extend(names::<EndpointSlice>(sandbox).await?);
    left.extend(names::<ControllerRevision>(sandbox).await?);
    let servers = ListParams::default().labels("dataservice.flyte.org/service");
    left.extend(sandbox.pods().list(&servers).await?.iter().map(ResourceExt::name_any));
    Ok(left)
}

async fn names<K>(sandbox: &Sandbox) -> Result<Vec<String>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    Ok(api.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect())
}

const FIXTURE: &str = "plain";
/// The fixture's only container.
const CONTAINER: &str = "primary";
const GATE: &str = "dataservice-wait";
const SIDECAR: &str = "dataservice-sidecar";
