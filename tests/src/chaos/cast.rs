//! A group's pods, as Flyte and its operators would write them.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::ask::{self, Ask, Mistake};
use super::group::{Ending, Group, Member};
use super::record::MEMBER;
use super::role::{Kind, Maker};
use crate::flyte;

/// The pod of the member with this number, whose task tells `stand` what it sees.
pub fn pod(group: &Group, number: usize, namespace: &str, stand: SocketAddr) -> Result<Value> {
    let member = group.members.get(number).context("no such member")?;
    let pod = flyte::runnable(member.role.fixture, &task(member, stand))?;
    let mut pod = renamed(&pod, group, number)?;
    ask::write(&mut pod, &asks(group, number));
    if group.gated {
        flyte::annotate(&mut pod, &[("hold", "scheduling")]);
    }
    match group.mistake {
        Some(Mistake::Annotation) => flyte::annotate(&mut pod, &[("replicas", "many")]),
        Some(Mistake::Image) => flyte::annotate(&mut pod, &[("wait", "20s")]),
        Some(Mistake::Rivalry) | None => {}
    }
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["labels"][MEMBER] = json!(format!("{}.{number}", group.number));
    if member.ending == Ending::Restarts {
        pod["spec"]["restartPolicy"] = json!("OnFailure");
    }
    if member.role.maker != Maker::Hand {
        // Its maker deletes it with the grace that it has by itself.
        pod["spec"]["terminationGracePeriodSeconds"] = json!(3);
    }
    Ok(pod)
}

/// The second of two rivals asks for another port.
fn asks(group: &Group, number: usize) -> Vec<Ask> {
    let is_second_rival = group.kind == Kind::Rivals && number > 0;
    let port = |ask: &Ask| if is_second_rival { ask.port + 1 } else { ask.port };
    group.asks.iter().map(|ask| Ask { port: port(ask), ..ask.clone() }).collect()
}

/// What a member's task runs.
fn task(member: &Member, stand: SocketAddr) -> String {
    let codes = match member.ending {
        Ending::Fails => "1",
        Ending::Restarts => "1 0",
        Ending::Deleted { .. } | Ending::Forced { .. } | Ending::Succeeds => "0",
    };
    let manner = if member.obeys { "obeys" } else { "ignores" };
    format!("exec witness {stand} {} {manner} {codes}", member.life.as_millis())
}

/// The fixture under names of its own: its execution's, and its node's in that.
fn renamed(pod: &Value, group: &Group, number: usize) -> Result<Value> {
    let (execution, attempt) =
        (format!("e{}", group.execution), if group.kind == Kind::Rivals { number } else { 0 });
    let node = format!("{execution}-n{}-{attempt}", group.number);
    let text = (0..10).fold(pod.to_string(), |text, n| text.replace(&format!("{FIXTURES}-n{n}-0"), &node));
    let mut pod: Value = serde_json::from_str(&text.replace(FIXTURES, &execution))?;
    if let Some(prefix) = pod["metadata"]["generateName"].as_str() {
        pod["metadata"]["name"] = json!(format!("{prefix}{number}"));
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.remove("generateName");
        }
    }
    Ok(pod)
}

/// The batch Job that makes `pod`, and a second one if the first fails.
pub fn job(pod: &Value) -> Result<Value> {
    // A task's own Job is called like the task; a Ray submitter's is in its fixture.
    let owner = pod.pointer("/metadata/ownerReferences/0").context("no owner")?;
    let name = if owner["kind"] == "Job" { &owner["name"] } else { &pod["metadata"]["name"] };
    Ok(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"backoffLimit": 1, "template": template(pod)},
    }))
}

/// The ReplicaSet that makes `pod`, and another one whenever it is gone.
pub fn replica_set(pod: &Value) -> Result<Value> {
    let owner = pod.pointer("/metadata/ownerReferences/0").context("no owner")?;
    Ok(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": owner["name"]},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {MEMBER: pod["metadata"]["labels"][MEMBER]}},
            "template": template(pod),
        },
    }))
}

/// What a controller makes a pod from: without what it writes itself.
fn template(pod: &Value) -> Value {
    let labels = pod["metadata"]["labels"].as_object().into_iter().flatten();
    let labels = labels.filter(|(key, _)| !is_a_jobs(key)).map(|(key, value)| (key.clone(), value.clone()));
    let labels: Map<String, Value> = labels.collect();
    json!({"metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]}, "spec": pod["spec"]})
}

fn is_a_jobs(label: &str) -> bool {
    label.starts_with("batch.kubernetes.io/") || matches!(label, "controller-uid" | "job-name")
}

/// The `ConfigMaps` that a pod's volumes are made of: its operator would make them.
pub fn config_maps(pod: &Value) -> impl Iterator<Item = Value> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume.get("configMap")).map(|map| {
        let keys = map["items"].as_array().into_iter().flatten().filter_map(|item| item["key"].as_str());
        let data: Map<String, Value> = keys.map(|key| (key.to_owned(), json!(""))).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": map["name"]}, "data": data})
    })
}

/// The execution of all fixtures.
const FIXTURES: &str = "a7k2m9x4q8z5b3c6d1f0";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::chaos::plan::{Bounds, Plan};

    fn all() -> Vec<(Group, usize, Value)> {
        let plan = Plan::draw(1, &Bounds { duration: Duration::from_mins(20), rate: 60, faults: Vec::new() });
        let stand = "198.18.0.1:1".parse().unwrap();
        let members = plan
            .groups
            .into_iter()
            .flat_map(|group| (0..group.members.len()).map(move |n| (group.clone(), n)));
        members.map(|(group, n)| (group.clone(), n, pod(&group, n, "ns", stand).unwrap())).collect()
    }

    #[test]
    fn no_two_pods_have_one_name_and_none_is_a_fixtures() {
        let pods = all();
        let names: BTreeSet<_> =
            pods.iter().map(|(.., pod)| pod["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), pods.len());
        assert!(!pods.iter().any(|(.., pod)| pod.to_string().contains(FIXTURES)));
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    }

    #[test]
    fn every_task_is_a_witness_as_long_as_it_lives() {
        for (group, n, pod) in all() {
            let life = group.members[n].life.as_millis().to_string();
            for container in pod["spec"]["containers"].as_array().unwrap() {
                let command = container["command"][2].as_str().unwrap();
                assert!(
                    command.starts_with("exec witness 198.18.0.1:1 ") && command.contains(&life),
                    "{command}"
                );
            }
        }
    }

    #[test]
    fn only_one_of_two_rivals_asks_for_the_other_port() {
        let pods = all();
        let ports = pods.iter().filter(|(group, ..)| group.kind == Kind::Rivals);
        let ports: BTreeSet<_> = ports.map(|(_, n, pod)| (*n, port(pod))).collect();
        assert_eq!(ports, BTreeSet::from([(0, "40000".to_owned()), (1, "40001".to_owned())]));
    }

    fn port(pod: &Value) -> String {
        pod["metadata"]["annotations"]["dataservice.flyte.org/port"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_makes_pods_leaves_out_what_it_writes_itself() {
        for (group, n, pod) in all() {
            let made = match group.members[n].role.maker {
                Maker::Hand => continue,
                Maker::Job => job(&pod).unwrap(),
                Maker::ReplicaSet => replica_set(&pod).unwrap(),
            };
            let template = &made["spec"]["template"]["metadata"];
            assert!(made["metadata"]["name"].is_string() && template["labels"][MEMBER].is_string());
            assert!(
                template["labels"].get("job-name").is_none() && template.get("ownerReferences").is_none()
            );
        }
    }
}
