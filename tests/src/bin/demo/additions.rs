//! What admission has added to a pod.

use std::fmt;

use serde_json::Value;

/// One thing that was added.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Addition {
    what: &'static str,
    text: String,
}

/// What of ours is on the admitted pod and was not on the one that was sent. (What Kubernetes adds to every pod is
/// not told.)
pub(crate) fn additions(sent: &Value, admitted: &Value) -> Vec<Addition> {
    let mut additions = Vec::new();
    let mut add = |what, text| additions.push(Addition { what, text });
    for (what, place) in [("label", "/metadata/labels"), ("annotation", "/metadata/annotations")] {
        for (key, value) in new_members(sent, admitted, place) {
            add(what, format!("{key}: {}", brief(value)));
        }
    }
    for container in CONTAINERS.into_iter().flat_map(|list| items(admitted, list)) {
        let before = CONTAINERS.into_iter().flat_map(|list| items(sent, list));
        let Some(before) = before.into_iter().find(|before| name(before) == name(container)) else {
            continue;
        };
        for var in new_items(before, container, "/env").filter(|var| name(var).starts_with(ENV)) {
            let value = var.pointer("/value").and_then(Value::as_str).unwrap_or_default();
            let endpoints = value.split(' ').fold(String::new(), |all, endpoint| all + "\n" + endpoint);
            add("variable", format!("{} in container {}:{endpoints}", name(var), name(container)));
        }
    }
    for container in CONTAINERS.into_iter().flat_map(|list| new_items(sent, admitted, list)) {
        let is_sidecar = container.pointer("/restartPolicy").is_some();
        let kind = if is_sidecar { "native sidecar" } else { "init container" };
        add(kind, name(container).to_owned());
    }
    for volume in new_items(sent, admitted, "/spec/volumes").filter(|volume| name(volume).starts_with(MARK)) {
        add("volume", name(volume).to_owned());
    }
    additions
}

/// What is ours in a pod's annotations.
pub(crate) fn annotations(pod: &Value) -> impl Iterator<Item = String> {
    members(pod, "/metadata/annotations").map(|(key, value)| format!("{key}: {value}"))
}

fn new_members<'a>(
    sent: &'a Value,
    admitted: &'a Value,
    place: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    members(admitted, place).filter(move |(key, _)| !members(sent, place).any(|(there, _)| there == *key))
}

fn members<'a>(pod: &'a Value, place: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let all = pod.pointer(place).and_then(Value::as_object).into_iter().flatten();
    all.filter(|(key, _)| key.starts_with(PREFIX))
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn new_items<'a>(sent: &'a Value, admitted: &'a Value, list: &'a str) -> impl Iterator<Item = &'a Value> {
    items(admitted, list)
        .iter()
        .filter(move |item| !items(sent, list).iter().any(|there| name(there) == name(item)))
}

fn items<'a>(value: &'a Value, list: &str) -> &'a [Value] {
    value.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn name(item: &Value) -> &str {
    item.pointer("/name").and_then(Value::as_str).unwrap_or_default()
}

/// A person need not read the plan.
fn brief(value: &str) -> String {
    if value.starts_with('{') {
        format!("{} bytes, for the controller", value.len())
    } else {
        value.to_owned()
    }
}

const PREFIX: &str = dataservice_core::annotation::PREFIX;
const ENV: &str = dataservice_core::inject::ENV;
/// What the names of our containers and volumes start with.
const MARK: &str = "dataservice-";
const CONTAINERS: [&str; 2] = ["/spec/initContainers", "/spec/containers"];

// === impl Addition ===

impl fmt::Display for Addition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut what = self.what;
        for line in self.text.lines() {
            writeln!(f, "{what:<16}{line}")?;
            what = "";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_ours_and_new_is_told() {
        let sent = json!({
            "metadata": {"annotations": {"dataservice.flyte.org/image": "i", "a": "b"}},
            "spec": {"containers": [{"name": "primary", "env": [{"name": "FOO", "value": "bar"}]}]},
        });
        let admitted = json!({
            "metadata": {
                "labels": {"dataservice.flyte.org/id": "7f3k"},
                "annotations": {"dataservice.flyte.org/image": "i", "dataservice.flyte.org/plan": "{}", "a": "b"},
            },
            "spec": {
                "initContainers": [{"name": "dataservice-sidecar", "restartPolicy": "Always"}],
                "containers": [{"name": "primary", "env": [
                    {"name": "MY_DATASERVICES", "value": "x-0.x:1 x-1.x:1"}, {"name": "FOO", "value": "bar"},
                ]}],
                "volumes": [{"name": "dataservice-token"}, {"name": "kube-api-access-8x2kd"}],
            },
        });
        let told: String = additions(&sent, &admitted).iter().map(ToString::to_string).collect();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "label           dataservice.flyte.org/id: 7f3k",
                "annotation      dataservice.flyte.org/plan: 2 bytes, for the controller",
                "variable        MY_DATASERVICES in container primary:",
                "                x-0.x:1",
                "                x-1.x:1",
                "native sidecar  dataservice-sidecar",
                "volume          dataservice-token",
            ]
        );
    }
}
