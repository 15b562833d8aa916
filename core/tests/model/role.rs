//! What a consumer is: built once, as admission and the controller build it.

use std::collections::HashMap;

use dataservice_core::annotation;
use dataservice_core::ask::OnFailure;
use dataservice_core::consumer::{Consumer, Owner};
use dataservice_core::inject::{Decision, Request, inject};
use dataservice_core::installation::Installation;
use dataservice_core::key::ServiceObject;
use dataservice_core::plan::PlannedService;
use dataservice_core::release::Released;
use dataservice_core::settings::Settings;
use serde_json::{Value, json};

use crate::clock::{Tick, at};
use crate::cluster::Deed;
use crate::sight::Sight;

/// What a consumer is written as, and what may become of it.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Its name and its uid; who is created in the same second is ordered by it.
    pub(crate) uid: String,
    pub(crate) annotations: Value,
    pub(crate) labels: Value,
    pub(crate) controller: Option<Owner>,
    /// Whether what fails runs again: restartPolicy `OnFailure`.
    pub(crate) restarts: bool,
    pub(crate) may: Vec<Deed>,
    /// The uid of the pod that has to end before this one appears.
    pub(crate) after: Option<String>,
}

/// A consumer, whatever its pod shows.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) script: Script,
    seen: HashMap<Sight, Consumer>,
}

// === impl Script ===

impl Script {
    pub(crate) fn new(uid: &str, annotations: Value) -> Self {
        Self {
            uid: uid.to_owned(),
            annotations,
            labels: json!({}),
            controller: None,
            restarts: false,
            may: Vec::new(),
            after: None,
        }
    }

    #[must_use]
    pub(crate) fn labelled(self, labels: Value) -> Self {
        Self { labels, ..self }
    }

    #[must_use]
    pub(crate) fn controlled_by(self, api_version: &str, kind: &str, name: &str) -> Self {
        let controller = Owner {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: name.to_owned(),
        };
        Self { controller: Some(controller), ..self }
    }

    #[must_use]
    pub(crate) fn restarting(self) -> Self {
        Self { restarts: true, ..self }
    }

    #[must_use]
    pub(crate) fn that_may(self, may: &[Deed]) -> Self {
        Self { may: may.to_vec(), ..self }
    }

    #[must_use]
    pub(crate) fn after(self, uid: &str) -> Self {
        Self { after: Some(uid.to_owned()), ..self }
    }

    fn pod(&self) -> Value {
        let owners: Vec<_> = self.controller.iter().map(dataservice_core::render::owner_reference).collect();
        let mut pod = json!({
            "metadata": {
                "annotations": {}, "labels": self.labels, "ownerReferences": owners,
                "name": self.uid, "namespace": "ns", "uid": self.uid,
                "creationTimestamp": "1970-01-01T00:00:00Z",
            },
            "spec": {
                "containers": [{"name": "main"}],
                "restartPolicy": if self.restarts { "OnFailure" } else { "Never" },
            },
        });
        for owner in pod["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            owner["controller"] = json!(true);
        }
        for (key, value) in self.annotations.as_object().into_iter().flatten() {
            pod["metadata"]["annotations"][format!("{}{key}", annotation::PREFIX)] = value.clone();
        }
        pod
    }

    fn admitted(&self) -> Value {
        let mut pod = self.pod();
        let request = Request { uid: &self.uid, namespace: "ns", pod: &pod };
        let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation())
        else {
            panic!("{pod}")
        };
        pod["metadata"]["annotations"][annotation::PLAN] = json!(injection.annotations[annotation::PLAN]);
        pod
    }
}

// === impl Role ===

impl Role {
    /// The role of `script`, for so many minutes.
    pub(crate) fn new(script: Script, ticks: Tick) -> Self {
        let pod = script.admitted();
        let timed = (0..=ticks).flat_map(|tick| [Sight::Leaving(tick), Sight::Failed(tick)]);
        let sights = [Sight::Live, Sight::Rerun, Sight::Dismissed, Sight::Released, Sight::Completed];
        let seen = sights.into_iter().chain(timed);
        let seen = seen.map(|sight| (sight, Consumer::read(&show(pod.clone(), sight)).unwrap())).collect();
        Self { script, seen }
    }

    /// The consumer that a pod which shows this is read as.
    pub(crate) fn consumer(&self, sight: Sight) -> Option<&Consumer> {
        self.seen.get(&sight)
    }

    /// It while it lives.
    pub(crate) fn live(&self) -> &Consumer {
        &self.seen[&Sight::Live]
    }

    /// What it was promised under this name.
    pub(crate) fn promised(&self, object: &ServiceObject) -> Option<&PlannedService> {
        self.live().plan.services.iter().find(|service| service.object == *object)
    }

    /// Whether what it used stays for a while when it fails.
    pub(crate) fn is_retained(&self) -> bool {
        self.live().plan.services.iter().any(|service| service.lifetime.on_failure != OnFailure::Delete)
    }

    pub(crate) fn is_live(&self, sight: Sight, now: Tick) -> bool {
        self.consumer(sight).is_some_and(|consumer| consumer.standing.is_live(at(now)))
    }
}

/// The pod, as it shows this.
fn show(mut pod: Value, sight: Sight) -> Value {
    let uid = pod["metadata"]["uid"].as_str().unwrap().to_owned();
    let restarts = pod["spec"]["restartPolicy"] == "OnFailure";
    let exited = |code: u8, tick: Tick| {
        let terminated = json!({"exitCode": code, "finishedAt": at(tick).to_string()});
        json!({"containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]})
    };
    match sight {
        Sight::Absent | Sight::Live => {}
        Sight::Rerun | Sight::Released => {
            pod["metadata"]["annotations"][annotation::RELEASED] = json!(Released::ByItself(&uid).to_text());
        }
        Sight::Dismissed => {
            pod["metadata"]["annotations"][annotation::RELEASED] =
                json!(Released::ByItsLeader(&uid).to_text());
        }
        Sight::Leaving(tick) => pod["metadata"]["deletionTimestamp"] = json!(at(tick).to_string()),
        Sight::Completed => pod["status"] = exited(0, 0),
        // What would run again is ended from outside, and has no status of its containers.
        Sight::Failed(_) if restarts => pod["status"] = json!({"phase": "Failed"}),
        Sight::Failed(tick) => pod["status"] = exited(1, tick),
    }
    pod
}

fn installation() -> Installation {
    Installation::offline("sidecar".parse().unwrap())
}
