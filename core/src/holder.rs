//! Whose a service is: one pod's, a job's, an execution's, or everybody's in a namespace.

use std::fmt;

use serde_json::Value;

use crate::key::{PodId, Scope};
use crate::pod;

/// Whom a service is held for: all pods with the same holder mean the same service by the same name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A job, by the uid of the controller that its pods share.
    Controller(String),
    /// A Dask cluster, by its name: each of its workers has a ReplicaSet of its own.
    Dask(String),
    /// A Flyte execution, by the name that all of its pods carry, those of its jobs included.
    Execution(String),
    /// Whoever asks for the name.
    Namespace,
    /// One pod.
    Pod(PodId),
    /// A Ray cluster, by its name: its submitter has another controller than its nodes.
    Ray(String),
    /// A Flyte 2 run, by its name.
    Run(String),
    /// A Spark application, by its id.
    Spark(String),
}

/// Nobody can be found for whom the service would be held. It prints as what is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unheld {
    /// Not a pod of an execution.
    #[error(
        "execution needs a pod of a Flyte execution, and this one has neither a label execution-id or run nor a \
         FlyteWorkflow or TaskAction as its controller; use scope task or namespace"
    )]
    Execution,
    /// A submitter whose cluster is unknown.
    #[error(
        "the pod submits a job to a Ray cluster (RAY_JOB_SUBMISSION_ID), and its RAY_DASHBOARD_ADDRESS is not of the \
         form <cluster>-head-svc.<namespace>.…; which cluster's data service it shares is unknown"
    )]
    RayCluster,
}

// === impl Holder ===

impl Holder {
    /// The holder of what `pod` asks for in `scope`.
    pub fn of(scope: Scope, pod: &Value, id: &PodId) -> Result<Self, Unheld> {
        match scope {
            Scope::Task => Self::of_task(pod, id),
            Scope::Execution => Self::of_execution(pod).ok_or(Unheld::Execution),
            Scope::Namespace => Ok(Self::Namespace),
        }
    }

    /// The pod's job where it is part of one, else the pod (design §3; flyte.md §3 says what each operator writes).
    fn of_task(pod: &Value, id: &PodId) -> Result<Self, Unheld> {
        let label = |key| pod::label(pod, key).filter(|value| !value.is_empty()).map(str::to_owned);
        if let Some(cluster) = label(RAY_CLUSTER) {
            return Ok(Self::Ray(cluster));
        }
        if is_ray_submitter(pod) {
            return ray_cluster_of_submitter(pod).map(Self::Ray).ok_or(Unheld::RayCluster);
        }
        let by_label = label(DASK_CLUSTER).map(Self::Dask).or_else(|| label(SPARK_APP).map(Self::Spark));
        let by_controller = || match pod::controller(pod) {
            Some(controller) if !is_flytes(controller) => Some(Self::Controller(uid(controller)?)),
            Some(_) | None => None,
        };
        Ok(by_label.or_else(by_controller).unwrap_or_else(|| Self::Pod(id.clone())))
    }

    /// By label first: the pods of an execution's jobs have no FlyteWorkflow for a controller, and each Flyte 2 action
    /// has a TaskAction of its own (docs/decisions/0002).
    fn of_execution(pod: &Value) -> Option<Self> {
        let label = |key| pod::label(pod, key).filter(|value| !value.is_empty()).map(str::to_owned);
        let by_label = label(EXECUTION).map(Self::Execution);
        let by_label = by_label.or_else(|| label(FLYTE_2_RUN).or_else(|| label(RUN)).map(Self::Run));
        by_label.or_else(|| {
            let controller = pod::controller(pod).filter(|controller| is_flytes(controller))?;
            uid(controller).map(Self::Controller)
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(uid) => write!(f, "controller:{uid}"),
            Self::Dask(name) => write!(f, "dask:{name}"),
            Self::Execution(name) => write!(f, "execution:{name}"),
            Self::Namespace => write!(f, "namespace"),
            Self::Pod(id) => write!(f, "pod:{id}"),
            Self::Ray(name) => write!(f, "ray:{name}"),
            Self::Run(name) => write!(f, "run:{name}"),
            Self::Spark(id) => write!(f, "spark:{id}"),
        }
    }
}

/// Whether the end of `pod` is the end of its job, whatever its other pods do: MPI workers sleep until somebody
/// deletes them, Ray heads stay for an hour, Dask workers never end.
#[must_use]
pub fn leads(pod: &Value) -> bool {
    let label = |key| pod::label(pod, key).unwrap_or_default().to_ascii_lowercase();
    let leads_kubeflow = pod::label(pod, KUBEFLOW_JOB).is_some()
        && (["master", "launcher"].contains(&label(KUBEFLOW_ROLE).as_str())
            || ["launcher", "master", "chief"].contains(&label(KUBEFLOW_REPLICA).as_str()));
    leads_kubeflow
        || is_ray_submitter(pod)
        || label(DASK_COMPONENT) == "job-runner"
        || (pod::label(pod, SPARK_APP).is_some() && label(SPARK_ROLE) == "driver")
}

/// A Flyte controller owns a pod that is a task of its own, not one of a job's.
fn is_flytes(controller: &Value) -> bool {
    let text = |key: &str| controller.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split('/').next().unwrap_or_default();
    // Flyte writes its own kind in lower case.
    let kind = text("kind").to_ascii_lowercase();
    matches!((group, kind.as_str()), ("flyte.lyft.com", "flyteworkflow") | ("flyte.org", "taskaction"))
}

fn uid(controller: &Value) -> Option<String> {
    controller.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty()).map(str::to_owned)
}

/// `KubeRay`'s submitter: the pod of a batch Job, without any of the cluster's labels.
fn is_ray_submitter(pod: &Value) -> bool {
    let is_jobs =
        pod::controller(pod).is_some_and(|controller| pod::text(controller, "/kind") == Some("Job"));
    is_jobs && env(pod, "RAY_JOB_SUBMISSION_ID").is_some()
}

/// The cluster is what its dashboard's address begins with.
fn ray_cluster_of_submitter(pod: &Value) -> Option<String> {
    let address = env(pod, "RAY_DASHBOARD_ADDRESS")?;
    let host = address.split_once("://").map_or(address, |(_, rest)| rest).split(['.', ':']).next()?;
    host.strip_suffix("-head-svc").filter(|cluster| !cluster.is_empty()).map(str::to_owned)
}

/// The variable's value in the first container that sets it.
fn env<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let vars = pod::list(pod, "/spec/containers").iter().flat_map(|container| pod::list(container, "/env"));
    vars.into_iter().find(|var| pod::name(var) == Some(name)).and_then(|var| pod::text(var, "/value"))
}

const DASK_CLUSTER: &str = "dask.org/cluster-name";
const DASK_COMPONENT: &str = "dask.org/component";
const EXECUTION: &str = "execution-id";
const FLYTE_2_RUN: &str = "flyte.org/run";
const KUBEFLOW_JOB: &str = "training.kubeflow.org/job-name";
const KUBEFLOW_REPLICA: &str = "training.kubeflow.org/replica-type";
const KUBEFLOW_ROLE: &str = "training.kubeflow.org/job-role";
const RAY_CLUSTER: &str = "ray.io/cluster";
const RUN: &str = "run";
const SPARK_APP: &str = "spark-app-selector";
const SPARK_ROLE: &str = "spark-role";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id() -> PodId {
        PodId::from_request_uid("r")
    }

    fn pod(labels: &Value, controller: &Value) -> Value {
        json!({"metadata": {"labels": labels, "ownerReferences": [controller]}, "spec": {"containers": [{"name": "a"}]}})
    }

    fn controller(api_version: &str, kind: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "name": "n", "uid": "u", "controller": true})
    }

    fn task(pod: &Value) -> String {
        Holder::of(Scope::Task, pod, &id()).unwrap().to_string()
    }

    fn execution(pod: &Value) -> Result<String, Unheld> {
        Holder::of(Scope::Execution, pod, &id()).map(|holder| holder.to_string())
    }

    #[test]
    fn a_pod_that_flyte_made_itself_has_its_own() {
        let own = format!("pod:{}", id());
        for controller in [
            controller("flyte.lyft.com/v1alpha1", "flyteworkflow"),
            controller("flyte.lyft.com/v1alpha1", "FlyteWorkflow"),
            controller("flyte.org/v1", "TaskAction"),
            json!({"kind": "MPIJob", "uid": "u"}),
        ] {
            assert_eq!(task(&pod(&json!({}), &controller)), own);
        }
        assert_eq!(task(&json!({})), own);
    }

    #[test]
    fn a_jobs_pods_share_by_their_controller() {
        for controller in [
            controller("kubeflow.org/v1", "MPIJob"),
            controller("batch/v1", "Job"),
            controller("x.org/v1", "TaskAction"),
        ] {
            assert_eq!(task(&pod(&json!({}), &controller)), "controller:u");
        }
    }

    #[test]
    fn clusters_with_several_controllers_share_by_their_name() {
        let replica_set = controller("apps/v1", "ReplicaSet");
        assert_eq!(task(&pod(&json!({"dask.org/cluster-name": "d"}), &replica_set)), "dask:d");
        assert_eq!(
            task(&pod(&json!({"ray.io/cluster": "r"}), &controller("ray.io/v1", "RayCluster"))),
            "ray:r"
        );
        assert_eq!(task(&pod(&json!({"spark-app-selector": "s"}), &json!({}))), "spark:s");
    }

    #[test]
    fn a_ray_submitter_joins_its_cluster_by_the_dashboards_address() {
        let submitter = |address: &str| {
            let mut pod = pod(&json!({}), &controller("batch/v1", "Job"));
            pod["spec"]["containers"][0]["env"] = json!([
                {"name": "RAY_DASHBOARD_ADDRESS", "value": address},
                {"name": "RAY_JOB_SUBMISSION_ID", "value": "x"},
            ]);
            pod
        };
        for address in ["job-x7k2p-head-svc.ns.svc.cluster.local:8265", "http://job-x7k2p-head-svc:8265"] {
            assert_eq!(task(&submitter(address)), "ray:job-x7k2p");
        }
        let refused = Holder::of(Scope::Task, &submitter("10.0.0.1:8265"), &id());
        assert_eq!(refused, Err(Unheld::RayCluster));
        assert!(leads(&submitter("")));
    }

    #[test]
    fn an_execution_is_known_by_its_label_then_by_its_controller() {
        let workflow = controller("flyte.lyft.com/v1alpha1", "flyteworkflow");
        let job = controller("kubeflow.org/v1", "MPIJob");
        let labels = json!({"execution-id": "e"});
        assert_eq!(execution(&pod(&labels, &workflow)), Ok("execution:e".to_owned()));
        assert_eq!(execution(&pod(&labels, &job)), Ok("execution:e".to_owned()));
        assert_eq!(execution(&pod(&json!({"flyte.org/run": "r"}), &json!({}))), Ok("run:r".to_owned()));
        assert_eq!(execution(&pod(&json!({}), &workflow)), Ok("controller:u".to_owned()));
        assert_eq!(execution(&pod(&json!({}), &job)), Err(Unheld::Execution));
    }

    #[test]
    fn leaders_are_those_whose_end_is_their_jobs() {
        let kubeflow = |role: &str, replica: &str| {
            let labels = json!({
                "training.kubeflow.org/job-name": "j", "training.kubeflow.org/job-role": role,
                "training.kubeflow.org/replica-type": replica,
            });
            leads(&pod(&labels, &controller("kubeflow.org/v1", "MPIJob")))
        };
        assert!(kubeflow("master", "worker") && kubeflow("", "launcher") && kubeflow("", "Chief"));
        assert!(!kubeflow("", "worker") && !kubeflow("", "ps"));
        let dask = |component: &str| leads(&pod(&json!({"dask.org/component": component}), &json!({})));
        assert!(dask("job-runner") && !dask("worker") && !dask("scheduler"));
        let spark =
            |role: &str| leads(&pod(&json!({"spark-app-selector": "s", "spark-role": role}), &json!({})));
        assert!(spark("driver") && !spark("executor"));
        assert!(!leads(&json!({})));
    }
}
