use serde_json::json;

use super::*;
use crate::key::Scope;

/// Reads a pod with these annotations, keys without prefix.
fn ask(annotations: &[(&str, &str)]) -> Result<Ask, Vec<String>> {
    let annotations: Map<String, Value> =
        annotations.iter().map(|(key, value)| (format!("{PREFIX}{key}"), json!(value))).collect();
    let pod = json!({"metadata": {"annotations": annotations}});
    read(&Carried::read(&pod), &Settings::default())
        .map_err(|problems| problems.iter().map(|p| p.to_string().replace(PREFIX, "")).collect())
}

fn refused(annotations: &[(&str, &str)]) -> Vec<String> {
    ask(annotations).unwrap_err()
}

fn spec(service: &ServiceAsk) -> &crate::spec::Spec {
    match &service.source {
        Source::Made { spec, .. } => spec,
        Source::Existing(name) => panic!("existing {name}"),
    }
}

#[test]
fn an_image_is_enough() {
    let ask = ask(&[("image", "ge-server:1.4")]).unwrap();
    let [service] = ask.services.as_slice() else { panic!("{ask:?}") };
    assert_eq!(service.name.as_str(), "dataservice");
    assert_eq!((service.replicas, service.port), (1, 40_000));
    assert_eq!((ask.wait, ask.hold), (Wait::Ready, None));
}

#[test]
fn every_key_is_read() {
    let ask = ask(&[
        ("image", "ge-server:1.4"),
        ("name", "graph"),
        ("replicas", "4"),
        ("port", "5000"),
        ("command", r#"["serve"]"#),
        ("args", "--shard 'a b'"),
        ("requests", "cpu=2,mem=10Gi"),
        ("limits", r#"{"cpu": 4, "mem": "20Gi"}"#),
        ("env", "A=1,B=x"),
        ("pod-template", "gpu"),
        ("scope", "execution"),
        ("keep-warm", "5m"),
        ("on-failure", "retain=1h"),
        ("wait", "15m"),
        ("hold", "scheduling"),
        ("inject", "true"),
    ])
    .unwrap();
    insta::assert_debug_snapshot!(ask);
}

#[test]
fn services_are_a_list_or_an_object_by_name() {
    let list = ask(&[("services", r#"[{"image": "a", "name": "x"}, {"image": "b", "name": "y"}]"#)]).unwrap();
    let object = ask(&[("services", r#"{"x": {"image": "a"}, "y": {"image": "b"}}"#)]).unwrap();
    assert_eq!(list, object);
}

#[test]
fn the_order_of_services_is_as_written() {
    let ask = ask(&[("services", r#"{"y": {"image": "b"}, "x": {"image": "a"}}"#)]).unwrap();
    let names: Vec<_> = ask.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["y", "x"]);
}

#[test]
fn flytekits_config_is_accepted_as_it_is() {
    let config = r#"[{"Name": "gnn", "Requests": {"cpu": "1", "mem": "1Gi", "gpu": null, "ephemeral_storage": null},
        "Limits": null, "Port": 1234.0, "Image": "busybox:latest", "Command": ["bash", "-c", "sleep 3600"],
        "Replicas": 2.0, "ExistingReleaseName": null, "Cluster": null}]"#;
    let ask = ask(&[("services", config)]).unwrap();
    let service = &ask.services[0];
    assert_eq!((service.name.as_str(), service.replicas, service.port), ("gnn", 2, 1234));
    assert_eq!(spec(service).command, ["bash", "-c", "sleep 3600"]);
    assert_eq!(spec(service).resources.requests.len(), 2);
    assert!(ask.warnings.is_empty(), "{:?}", ask.warnings);
}

#[test]
fn an_existing_release_leaves_the_rest_aside_with_a_warning() {
    let config = r#"[{"ExistingReleaseName": "gnn-1", "Image": "busybox", "Cluster": "c", "Replicas": 3}]"#;
    let ask = ask(&[("services", config)]).unwrap();
    assert_eq!(ask.services[0].source, Source::Existing("gnn-1".parse().unwrap()));
    assert_eq!(ask.services[0].name.as_str(), "gnn-1");
    assert_eq!(
        ask.warnings,
        [
            "dataservice.flyte.org/services[0].Cluster is ignored: a data service is made where its task runs",
            "dataservice.flyte.org/services[0].existing: nothing is created, so these are ignored: image",
        ]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(
        refused(&[("imgae", "x"), ("replicas", "many"), ("port", "0"), ("hold", "on"), ("wait", "soon")]),
        [
            "imgae: \"imgae\" is not known (did you mean \"image\"?); allowed: hold, inject, services, wait, args, \
             command, env, existing, image, keep-warm, limits, name, on-failure, pod-template, port, replicas, \
             requests, scope",
            "wait: \"soon\" is not a duration; allowed: whole numbers with s, m, h or d, such as 90s, 15m or 1h30m, \
             at most 365d, or ready, or none",
            "hold: \"on\" is not known; allowed: init, scheduling",
            "replicas: \"many\" is not a whole number; allowed: 1 to 64",
            "port: 0 is out of range; allowed: 1 to 65535",
            "image: is missing; say which image serves the data, or name a pod-template that has one, or `existing` \
             to use a service that is there",
        ]
    );
}

#[test]
fn a_problem_inside_services_says_where() {
    assert_eq!(
        refused(&[("services", r#"[{"image": "a"}, {"image": "B", "name": "y", "colour": 1}, 7]"#)]),
        [
            "services[1].colour: \"colour\" is not known; allowed: args, command, env, existing, image, keep-warm, \
             limits, name, on-failure, pod-template, port, replicas, requests, scope",
            "services[1].image: \"B\" is not an image reference: a part of its path is empty, has upper-case letters \
             or characters other than a-z 0-9 . _ -; allowed: [registry/]path[:tag][@sha256:…]",
            "services[2]: 7 is not an object",
        ]
    );
}

#[test]
fn each_way_of_writing_it_wrong_has_its_message() {
    let image = ("image", "a");
    for (annotations, message) in [
        (
            vec![],
            "image: is missing; say which image serves the data, or `existing` to use a service that is there",
        ),
        (vec![("services", "[")], "services: \"[\" is not JSON: EOF while parsing a list at line 1 column 1"),
        (vec![("services", "7")], "services: 7 is neither a list of services nor an object by name"),
        (vec![("services", "[]")], "services: has 0 services; allowed: 1 to 8"),
        (
            vec![("services", r#"[{"image": "a"}, {"image": "b"}]"#)],
            "services: has two services with the name \"dataservice\"; give each a name of its own",
        ),
        (
            vec![("services", r#"{"x": {"image": "a", "name": "y"}}"#)],
            "services[\"x\"]: has another name inside, \"y\"; leave one of them out",
        ),
        (
            vec![("services", r#"[{"image": "a", "Image": "b"}]"#)],
            "services[0].Image: says the same as \"image\"; leave one of them out",
        ),
        (
            vec![image, ("services", r#"[{"image": "a"}]"#)],
            "image: cannot stand beside dataservice.flyte.org/services; write it inside, for the service that it \
             belongs to",
        ),
        (vec![("image", " ")], "image: is empty; leave it out, or give it a value"),
        (
            vec![image, ("requests", "cpu=x")],
            "requests: cpu=\"x\" is not a quantity; allowed: a positive number such as 2, 500m, 1.5 or 10Gi",
        ),
        (
            vec![image, ("requests", "cpu=3"), ("limits", "cpu=2")],
            "requests: cpu=3 is above its limit, 2; a request is at most the limit",
        ),
        (
            vec![image, ("env", "1A=x")],
            "env: \"1A\" is not the name of a variable; allowed: letters, digits and '_', not starting with a digit",
        ),
        (
            vec![image, ("env", "SERVER_PORT=1")],
            "env: \"SERVER_PORT\" is set by flyte-dataservice itself; choose another name",
        ),
        (
            vec![image, ("scope", "world")],
            "scope: \"world\" is not known; allowed: task, execution, namespace",
        ),
        (
            vec![image, ("keep-warm", "5m")],
            "keep-warm: needs scope execution or namespace: a task's own service ends with it",
        ),
        (
            vec![image, ("on-failure", "keep")],
            "on-failure: \"keep\" is not known; allowed: delete, or retain with a duration such as retain=1h",
        ),
    ] {
        assert_eq!(refused(&annotations), [message.replace(PREFIX, "")], "{annotations:?}");
    }
}

#[test]
fn what_means_the_same_has_the_same_hash() {
    let hash = |annotations: &[(&str, &str)]| spec(&ask(annotations).unwrap().services[0]).digest();
    let written =
        hash(&[("image", "a"), ("replicas", "1"), ("requests", "mem=10Gi,cpu=1"), ("command", "a b")]);
    let same = hash(&[
        ("image", "a"),
        ("requests", r#"{"cpu": "1000m", "memory": "10240Mi"}"#),
        ("command", r#"["a","b"]"#),
    ]);
    assert_eq!(written, same);
    assert_ne!(written, hash(&[("image", "a"), ("requests", "mem=10Gi,cpu=2"), ("command", "a b")]));
}

#[test]
fn scopes_are_read() {
    let ask = ask(&[("image", "a"), ("scope", "namespace")]).unwrap();
    assert!(matches!(ask.services[0].source, Source::Made { scope: Scope::Namespace, .. }));
}

#[test]
fn to_be_held_for_what_exists_is_warned_of() {
    let ask = ask(&[("existing", "gnn"), ("hold", "scheduling")]).unwrap();
    let [warning] = ask.warnings.as_slice() else { panic!("{:?}", ask.warnings) };
    assert!(warning.starts_with("dataservice.flyte.org/hold: scheduling is for services"), "{warning}");
}
