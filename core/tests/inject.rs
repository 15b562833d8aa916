//! The decision on real Flyte pods: what is added, and that nothing else ever changes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use dataservice_core::inject::{Decision, DenyReason, Request, SkipReason, inject};
use dataservice_core::injection::Injection;
use dataservice_core::installation::Installation;
use dataservice_core::patch::patch;
use dataservice_core::plan::Plan;
use dataservice_core::resources::Resources;
use dataservice_core::settings::Settings;
use dataservice_wire as wire;
use proptest::prelude::*;
use serde_json::{Value, json};

const NAMESPACE: &str = "flytesnacks-development";
const UID: &str = "e8fb93fa-576c-454c-8d00-256e53f6f8c6";

fn installation() -> Installation {
    Installation {
        cluster_domain: "cluster.local".to_owned(),
        lifecycle_url: "https://dataservice.example:9444".to_owned(),
        lifecycle_ca: "PEM".to_owned(),
        sidecar_image: "localhost/dataservice-sidecar:dev".parse().unwrap(),
        sidecar_pull_policy: None,
        sidecar_resources: [("cpu".to_owned(), "50m".parse().unwrap())].into(),
    }
}

/// The pods of `tests/fixtures/reviews`, as a webhook sees them.
fn fixtures() -> BTreeMap<String, Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/reviews");
    let fixtures: BTreeMap<_, _> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let review: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), review["request"]["object"].clone())
        })
        .collect();
    assert!(fixtures.len() > 15);
    fixtures
}

fn plain() -> Value {
    fixtures().remove("plain").unwrap()
}

fn annotated(mut pod: Value, annotations: &[(&str, &str)]) -> Value {
    let there = pod["metadata"]["annotations"].as_object_mut().unwrap();
    there.retain(|key, _| !key.starts_with("dataservice.flyte.org/"));
    there.extend(annotations.iter().map(|(k, v)| (format!("dataservice.flyte.org/{k}"), json!(v))));
    pod
}

fn decide(pod: &Value) -> Decision {
    inject(Request { uid: UID, namespace: NAMESPACE, pod }, &Settings::default(), &installation())
}

/// The pod as it is admitted, and what its user is told.
fn admitted(pod: &Value) -> (Value, Vec<String>) {
    let Decision::Inject { injection, warnings } = decide(pod) else { panic!("{:?}", decide(pod)) };
    (applied(pod, &injection), warnings)
}

fn applied(pod: &Value, injection: &Injection) -> Value {
    let mut after = pod.clone();
    json_patch::patch(&mut after, &patch(pod, injection).unwrap()).unwrap();
    after
}

fn refused(pod: &Value) -> (DenyReason, String) {
    let Decision::Deny(refusal) = decide(pod) else { panic!("{:?}", decide(pod)) };
    assert_eq!(refusal.code, 422);
    (refusal.reason, refusal.to_string())
}

fn env<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let var = container["env"].as_array()?.iter().find(|var| var["name"] == name)?;
    var["value"].as_str()
}

/// Everything of `before` is in `after`, in its order; lists and objects may have grown.
fn only_adds(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().all(|(key, value)| after.get(key).is_some_and(|after| only_adds(value, after)))
        }
        (Value::Array(before), Value::Array(after)) => {
            let mut rest = after.iter();
            before.iter().all(|item| rest.any(|after| only_adds(item, after)))
        }
        (before, after) => before == after,
    }
}

#[test]
fn every_annotated_flyte_pod_is_injected_and_nothing_of_it_changes() {
    for (name, pod) in fixtures() {
        if name.starts_with("control") {
            assert_eq!(decide(&pod), Decision::Skip(SkipReason::NotAnnotated), "{name}");
            continue;
        }
        let (after, warnings) = admitted(&pod);
        assert!(only_adds(&pod, &after), "{name}");
        assert_eq!(warnings, [""; 0], "{name}");
        for container in after["spec"]["containers"].as_array().unwrap() {
            assert_eq!(container["env"][0]["name"], "MY_DATASERVICES", "{name}");
        }
        let [.., sidecar, gate] = after["spec"]["initContainers"].as_array().unwrap().as_slice() else {
            panic!()
        };
        assert_eq!(
            (&sidecar["name"], &gate["name"]),
            (&json!("dataservice-sidecar"), &json!("dataservice-wait")),
            "{name}"
        );
        assert_eq!((env(sidecar, "MY_DATASERVICES"), env(gate, "MY_DATASERVICES")), (None, None), "{name}");
    }
}

#[test]
fn the_injection_of_a_plain_pod() {
    let Decision::Inject { injection, .. } = decide(&plain()) else { panic!() };
    insta::assert_json_snapshot!(injection);
    let plan = Plan::read(&injection.annotations["dataservice.flyte.org/plan"]).unwrap();
    insta::assert_json_snapshot!("the_plan_of_a_plain_pod", plan);
}

#[test]
fn endpoints_are_in_the_order_of_services_and_ordinals() {
    let services = r#"[{"name": "b", "image": "x", "replicas": 2, "port": 1}, {"name": "a", "image": "x"}]"#;
    let (after, _) = admitted(&annotated(plain(), &[("services", services)]));
    let container = &after["spec"]["containers"][0];
    let all = env(container, "MY_DATASERVICES").unwrap();
    let each: Vec<_> = all.split(' ').collect();
    let [b0, b1, a0] = each.as_slice() else { panic!("{all}") };
    let object = b0.split_once('.').unwrap().1.strip_suffix(":1").unwrap();
    assert_eq!(*b0, format!("{object}-0.{object}:1"));
    assert_eq!(*b1, format!("{object}-1.{object}:1"));
    assert!(object.starts_with("b-") && a0.starts_with("a-") && a0.ends_with(":40000"), "{all}");
    assert_eq!(env(container, "MY_DATASERVICES_B").unwrap(), format!("{b0} {b1}"));
    assert_eq!(env(container, "MY_DATASERVICES_A").unwrap(), *a0);
    assert_eq!(container["env"][3]["name"], "FOO");
}

#[test]
fn a_users_own_value_stands_with_a_warning() {
    let mut pod = plain();
    pod["spec"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "MY_DATASERVICES", "value": "mine:1"}));
    let (after, warnings) = admitted(&pod);
    assert_eq!(env(&after["spec"]["containers"][0], "MY_DATASERVICES"), Some("mine:1"));
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.starts_with("container \"primary\" sets MY_DATASERVICES itself, and that value stands; the data service's endpoints are: dataservice-"),
        "{warning}"
    );
}

#[test]
fn an_existing_service_needs_a_gate_that_speaks_to_nobody() {
    let (after, _) = admitted(&annotated(plain(), &[("existing", "gnn"), ("replicas", "2"), ("port", "7")]));
    assert_eq!(env(&after["spec"]["containers"][0], "MY_DATASERVICES"), Some("gnn-0.gnn:7 gnn-1.gnn:7"));
    let [gate] = after["spec"]["initContainers"].as_array().unwrap().as_slice() else { panic!() };
    let vars: Vec<_> = gate["env"].as_array().unwrap().iter().map(|var| &var["name"]).collect();
    assert_eq!(vars, ["DATASERVICE_GATE"]);
    assert!(!after["spec"]["volumes"].to_string().contains("dataservice-token"));
}

#[test]
fn who_does_not_wait_has_no_gate() {
    let (after, _) = admitted(&annotated(plain(), &[("image", "a"), ("wait", "none")]));
    let [sidecar] = after["spec"]["initContainers"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(sidecar["name"], "dataservice-sidecar");
}

#[test]
fn the_gate_is_told_what_it_waits_for() {
    let services =
        r#"[{"name": "b", "image": "x", "replicas": 2, "port": 1}, {"name": "a", "existing": "gnn"}]"#;
    let (after, _) = admitted(&annotated(plain(), &[("services", services), ("wait", "15m")]));
    let gate: wire::Gate =
        serde_json::from_str(env(&after["spec"]["initContainers"][1], "DATASERVICE_GATE").unwrap()).unwrap();
    assert_eq!(
        (gate.deadline_seconds, gate.domain.as_str()),
        (900, "flytesnacks-development.svc.cluster.local")
    );
    let [b, a] = gate.services.as_slice() else { panic!() };
    assert_eq!((b.name.as_str(), b.replicas, b.port, b.made), ("b", 2, 1, true));
    assert_eq!((a.object.as_str(), a.made), ("gnn", false));
    assert_eq!(gate.lists, None);
}

#[test]
fn an_administrator_may_leave_the_sidecar_out() {
    let settings = Settings { sidecar: false, ..Settings::default() };
    let Decision::Inject { injection, .. } =
        inject(Request { uid: UID, namespace: NAMESPACE, pod: &plain() }, &settings, &installation())
    else {
        panic!()
    };
    let names: Vec<_> = injection.init_containers.iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["dataservice-wait"]);
    assert_eq!(injection.volumes.len(), 1);
}

#[test]
fn a_pod_that_is_held_has_a_scheduling_gate_unless_its_node_is_chosen() {
    let held = annotated(plain(), &[("image", "a"), ("hold", "scheduling")]);
    let gates = json!([{"name": "dataservice.flyte.org/ready"}]);
    assert_eq!(admitted(&held).0["spec"]["schedulingGates"], gates);
    let mut placed = held.clone();
    placed["spec"]["nodeName"] = json!("node0");
    assert_eq!(admitted(&placed).0["spec"].get("schedulingGates"), None);
    let mut queued = held;
    queued["spec"]["schedulingGates"] = json!([{"name": "another"}]);
    assert_eq!(admitted(&queued).0["spec"]["schedulingGates"].as_array().unwrap().len(), 2);
    assert_eq!(
        refused(&annotated(plain(), &[("image", "a"), ("hold", "scheduling"), ("wait", "none")])).1,
        "dataservice.flyte.org/hold: scheduling cannot stand beside wait: none; leave one of them out"
    );
}

#[test]
fn all_pods_of_a_job_share_one_service() {
    let objects = |names: &[&str]| -> Vec<String> {
        let all = fixtures();
        let object = |name: &&str| {
            let (after, _) = admitted(&all[*name]);
            let labels = after["metadata"]["labels"].as_object().unwrap();
            labels.keys().find(|key| key.contains("/uses-")).unwrap().clone()
        };
        let mut objects: Vec<_> = names.iter().map(object).collect();
        objects.dedup();
        objects
    };
    for job in [
        &["mpi-launcher", "mpi-worker-0", "mpi-worker-1"][..],
        &["pytorch-master-0", "pytorch-worker-0"],
        &["ray-head", "ray-worker", "ray-submitter"],
        &["dask-job-runner", "dask-scheduler", "dask-worker-0"],
    ] {
        assert_eq!(objects(job).len(), 1, "{job:?}");
    }
}

#[test]
fn a_scope_without_anybody_to_share_with_is_refused() {
    let mut pod = annotated(plain(), &[("image", "a"), ("scope", "execution")]);
    pod["metadata"]["labels"] = json!({});
    pod["metadata"]["ownerReferences"] = json!([]);
    assert_eq!(
        refused(&pod).1,
        "dataservice.flyte.org/scope: execution needs a pod of a Flyte execution, and this one has neither a label \
         execution-id or run nor a FlyteWorkflow or TaskAction as its controller; use scope task or namespace"
    );
}

#[test]
fn a_pod_with_resources_of_its_own_gets_a_sidecar_without() {
    let mut pod = plain();
    pod["spec"]["resources"] = json!({"requests": {"cpu": "1"}});
    let (after, _) = admitted(&pod);
    assert_eq!(after["spec"]["initContainers"][0].get("resources"), None);
}

#[test]
fn inject_false_switches_the_pod_off() {
    let off = annotated(plain(), &[("inject", "false"), ("image", "a"), ("nonsense", "x")]);
    assert_eq!(decide(&off), Decision::Skip(SkipReason::SwitchedOff));
    let maybe = annotated(plain(), &[("inject", "maybe"), ("image", "a")]);
    assert_eq!(
        refused(&maybe),
        (
            DenyReason::InvalidAnnotations,
            "dataservice.flyte.org/inject: \"maybe\" is not known; allowed: true, false".to_owned()
        )
    );
}

#[test]
fn too_much_is_refused_before_it_is_parsed() {
    let deep = "[".repeat(40_000);
    let (reason, message) = refused(&annotated(plain(), &[("services", &deep)]));
    assert_eq!(reason, DenyReason::InvalidAnnotations);
    assert_eq!(message, "dataservice.flyte.org/*: all annotations together are 40030 bytes; allowed: 32768");
    let (_, message) = refused(&annotated(plain(), &[("services", &"[".repeat(20_000))]));
    assert_eq!(message, "dataservice.flyte.org/services: is nested too deeply; allowed: 127 levels");
}

#[test]
fn a_pod_that_cannot_resolve_the_names_is_told_what_to_set() {
    let mut pod = plain();
    pod["spec"]["hostNetwork"] = json!(true);
    let (reason, message) = refused(&pod);
    assert_eq!(reason, DenyReason::UnsuitablePod);
    assert!(message.ends_with("set dnsPolicy: ClusterFirstWithHostNet"), "{message}");
}

#[test]
fn a_name_of_ours_is_refused() {
    let mut pod = plain();
    pod["spec"]["containers"][0]["name"] = json!("dataservice-sidecar");
    assert_eq!(
        refused(&pod),
        (
            DenyReason::UnsuitablePod,
            "container or volume \"dataservice-sidecar\": names that start with \"dataservice-\" are for what \
             admission adds; choose another"
                .to_owned()
        )
    );
}

#[test]
fn what_only_admission_writes_cannot_be_brought_along() {
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut pod = plain();
        change(&mut pod);
        let (reason, message) = refused(&pod);
        assert_eq!(reason, DenyReason::Forged);
        message
    };
    let copied = "is written by admission; create the pod without it (was it copied from a pod that ran?)";
    assert_eq!(
        forged(&|pod| pod["metadata"]["annotations"]["dataservice.flyte.org/released"] = json!("x")),
        "dataservice.flyte.org/released: is written when a pod ends; create the pod without it"
    );
    assert_eq!(
        forged(&|pod| pod["metadata"]["annotations"]["dataservice.flyte.org/plan"] = json!("{}")),
        format!("dataservice.flyte.org/plan: {copied}")
    );
    assert_eq!(
        forged(&|pod| pod["metadata"]["labels"]["dataservice.flyte.org/id"] = json!("0123456789abcdef")),
        format!("dataservice.flyte.org/id: {copied}")
    );
    assert_eq!(
        forged(&|pod| {
            *pod = annotated(pod.take(), &[]);
            pod["metadata"]["labels"]["dataservice.flyte.org/consumer"] = json!("true");
        }),
        format!("dataservice.flyte.org/consumer: {copied}")
    );
    assert_eq!(
        forged(&|pod| pod["metadata"]["labels"]["dataservice.flyte.org/uses-x"] = json!("true")),
        format!("dataservice.flyte.org/uses-x: {copied}")
    );
    let (mut injected, _) = admitted(&plain());
    injected["metadata"]["labels"]["dataservice.flyte.org/uses-x"] = json!("true");
    assert_eq!(
        refused(&injected).1,
        "dataservice.flyte.org/uses-x: is not what the pod's annotations give; create the pod without it"
    );
    let (mut injected, _) = admitted(&plain());
    injected["metadata"]["annotations"]["dataservice.flyte.org/replicas"] = json!("3");
    assert_eq!(
        refused(&injected).1,
        "dataservice.flyte.org/plan: is not what the pod's annotations give; create the pod without it"
    );
    let (mut injected, _) = admitted(&plain());
    injected["metadata"]["annotations"]["dataservice.flyte.org/inject"] = json!("false");
    assert_eq!(
        refused(&injected).1,
        "dataservice.flyte.org/plan: was put there by admission, and inject is \"false\": create the pod without it"
    );
}

#[test]
fn a_pod_that_was_here_before_keeps_what_other_settings_gave_it() {
    let other = Settings {
        default_wait: "7m".parse().unwrap(),
        default_keep_warm: "3m".parse().unwrap(),
        default_pod_template: Some("gpu".parse().unwrap()),
        default_resources: Resources::default(),
        isolate: true,
        ..Settings::default()
    };
    for asked in [&[("image", "x")][..], &[("image", "x"), ("scope", "namespace"), ("name", "cache")]] {
        let pod = annotated(plain(), asked);
        let request = Request { uid: UID, namespace: NAMESPACE, pod: &pod };
        let Decision::Inject { injection, .. } = inject(request, &other, &installation()) else { panic!() };
        let after = applied(&pod, &injection);
        assert_eq!(admitted_again(&after).0, after);
    }
    // What is not isolated is not let in where all are to be.
    let (after, _) = admitted(&plain());
    let request = Request { uid: UID, namespace: NAMESPACE, pod: &after };
    let Decision::Deny(refusal) = inject(request, &other, &installation()) else { panic!() };
    assert_eq!(refusal.reason, DenyReason::Forged);
}

#[test]
fn a_plan_of_another_version_passes_with_the_rollout_that_wrote_it() {
    let (mut after, _) = admitted(&plain());
    after["metadata"]["annotations"]["dataservice.flyte.org/plan"] = json!(r#"{"version": 9}"#);
    let Decision::Deny(refusal) = decide(&after) else { panic!() };
    assert_eq!((refusal.code, refusal.reason), (429, DenyReason::Contradiction));
    assert_eq!(
        refusal.to_string(),
        "dataservice.flyte.org/plan: has version 9, which this replica of the webhook cannot read; try again"
    );
}

#[test]
fn a_list_that_no_process_could_be_started_with_goes_to_a_file() {
    let settings = Settings { max_replicas: 5_000, ..Settings::default() };
    let services = r#"{"a": {"image": "x", "replicas": 5000}, "b": {"existing": "gnn"}}"#;
    let pod = annotated(plain(), &[("services", services), ("wait", "none")]);
    let request = Request { uid: UID, namespace: NAMESPACE, pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &settings, &installation()) else { panic!() };
    let vars: Vec<_> = injection.env.iter().map(|var| (var.name.as_str(), var.value.as_str())).collect();
    assert_eq!(
        vars,
        [
            ("MY_DATASERVICES_FILE", "/var/run/dataservice/endpoints"),
            ("MY_DATASERVICES_A_FILE", "/var/run/dataservice/endpoints-a"),
            ("MY_DATASERVICES_B_FILE", "/var/run/dataservice/endpoints-b"),
        ]
    );
    let gate = env(injection.init_containers.last().unwrap(), "DATASERVICE_GATE").unwrap();
    let gate: wire::Gate = serde_json::from_str(gate).unwrap();
    assert_eq!(gate.deadline_seconds, 0, "it waits for nothing, and is there for the file alone");
    assert_eq!(gate.lists.unwrap().folder, "/var/run/dataservice");
    let after = applied(&pod, &injection);
    let mount = after["spec"]["containers"][0]["volumeMounts"].as_array().unwrap().last().unwrap();
    assert_eq!(
        *mount,
        json!({"name": "dataservice-lists", "mountPath": "/var/run/dataservice", "readOnly": true})
    );
    // Whatever another webhook adds, the answer is the same the second time.
    let mut meddled = after;
    meddled["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "istio", "image": "i"}));
    let Decision::Inject { injection: again, .. } =
        inject(Request { pod: &meddled, ..request }, &settings, &installation())
    else {
        panic!()
    };
    assert_eq!(again.env, injection.env);
}

#[test]
fn a_name_that_stands_for_a_file_is_refused_beside_others() {
    let services = r#"{"a": {"image": "x"}, "a-file": {"image": "x"}}"#;
    assert_eq!(
        refused(&annotated(plain(), &[("services", services)])).1,
        "dataservice.flyte.org/services: has a service with the name \"a-file\", and MY_DATASERVICES_FILE names the \
         file of a long list of endpoints; give it another name"
    );
}

/// What another webhook may do between two calls of ours.
fn meddle(mut pod: Value, seed: u8) -> Value {
    let sidecar = json!({"name": "istio", "image": "i", "env": [{"name": "X", "value": "y"}]});
    if seed & 1 > 0 {
        pod["spec"]["containers"].as_array_mut().unwrap().insert(0, sidecar.clone());
    }
    if seed & 2 > 0 {
        pod["metadata"]["annotations"]["sidecar.istio.io/status"] = json!("{}");
    }
    if seed & 4 > 0 {
        for list in ["containers", "initContainers"] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
                    env.insert(0, json!({"name": "FLYTE_SECRETS", "value": "1"}));
                }
                container["volumeMounts"] = json!([{"name": "secrets", "mountPath": "/etc/flyte/secrets"}]);
            }
        }
    }
    if seed & 8 > 0 {
        pod["spec"]["initContainers"].as_array_mut().unwrap().insert(0, sidecar);
    }
    pod
}

fn annotations() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop_oneof![
        4 => proptest::sample::select(vec![
            "image", "name", "replicas", "port", "command", "args", "requests", "limits", "env", "pod-template", "scope",
            "keep-warm", "on-failure", "existing", "wait", "hold", "services", "inject", "plan", "released", "record",
        ]).prop_map(str::to_owned),
        1 => "[a-z-]{0,12}",
    ];
    let value = prop_oneof![
        proptest::sample::select(vec![
            "a",
            "4",
            "1.0",
            "cpu=1,mem=1Gi",
            "{\"cpu\":1}",
            "[\"a\",1]",
            "a 'b",
            "ready",
            "none",
            "5m",
            "false",
            "true",
            "{}",
            "[{\"image\":\"a\"}]",
            "{\"x\":{\"Image\":\"a\",\"Replicas\":2.0},\"y\":{\"existing\":\"e\"}}",
            "K=v",
            "retain=1h",
            "task",
            "execution",
            "namespace",
            "scheduling",
        ])
        .prop_map(str::to_owned),
        ".{0,30}",
        "[\\[\\]{}\",:0-9a-z]{0,40}",
    ];
    proptest::collection::vec((key, value), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// I4 and I5, and that no annotation whatever makes it panic.
    #[test]
    fn whatever_is_written_the_patch_only_adds_and_applying_twice_changes_nothing(
        which in 0_usize..100, annotations in annotations(), seed in 0_u8..16,
    ) {
        let fixtures = fixtures_once();
        let (_, pod) = fixtures.iter().nth(which % fixtures.len()).unwrap();
        let annotations: Vec<_> = annotations.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let pod = annotated(pod.clone(), &annotations);
        if let Decision::Inject { injection, .. } = decide(&pod) {
            let after = applied(&pod, &injection);
            prop_assert!(only_adds(&pod, &after));
            let changed: Vec<_> = patch(&pod, &injection).unwrap().0.iter().map(|op| op.path().to_string()).collect();
            prop_assert!(changed.iter().all(|path| allowed(path)), "{:?}", changed);

            let plan = Plan::read(&injection.annotations["dataservice.flyte.org/plan"]).unwrap();
            prop_assert_eq!(plan.to_text(), &*injection.annotations["dataservice.flyte.org/plan"]);

            prop_assert_eq!(&admitted_again(&after).0, &after);
            if after["spec"].get("initContainers").is_some() {
                let meddled = meddle(after, seed);
                let (again, _) = admitted_again(&meddled);
                prop_assert!(only_adds(&meddled, &again));
                prop_assert_eq!(&admitted_again(&again).0, &again);
            }
        }
    }
}

/// As the API server reinvokes: another uid.
fn admitted_again(pod: &Value) -> (Value, Vec<String>) {
    let request = Request { uid: "another", namespace: NAMESPACE, pod };
    match inject(request, &Settings::default(), &installation()) {
        Decision::Inject { injection, warnings } => (applied(pod, &injection), warnings),
        other => panic!("{other:?}"),
    }
}

fn allowed(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["metadata", "annotations" | "labels", key] => key.starts_with("dataservice.flyte.org~1"),
        ["metadata", "annotations" | "labels"]
        | ["spec", "initContainers" | "schedulingGates" | "volumes"]
        | ["spec", "initContainers" | "schedulingGates" | "volumes", "-"]
        | ["spec", "containers" | "initContainers", _, "env"]
        | ["spec", "containers" | "initContainers", _, "env", _] => true,
        _ => false,
    }
}

fn fixtures_once() -> &'static BTreeMap<String, Value> {
    static FIXTURES: std::sync::OnceLock<BTreeMap<String, Value>> = std::sync::OnceLock::new();
    FIXTURES.get_or_init(fixtures)
}
