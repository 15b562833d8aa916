use super::*;
use crate::consumer::{Owner, PodRef};
use crate::holder::Holder;
use crate::key::{Key, PodId, Scope};
use crate::plan::PlannedService;
use crate::record::Record;
use crate::sealed::Sealed;
use crate::settings::Settings;

fn creation(spec: Value) -> Creation {
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let name: crate::name::ServiceName = "graph".parse().unwrap();
    let key = Key::new(Scope::Task, "ns", &Holder::Pod(PodId::from_request_uid("r")), &name);
    let hash = spec.digest();
    let owner = Owner {
        api_version: "flyte.lyft.com/v1alpha1".to_owned(),
        kind: "flyteworkflow".to_owned(),
        name: "a7k".to_owned(),
        uid: "5d0".to_owned(),
    };
    let service = PlannedService {
        object: key.object(Scope::Task, &name),
        name,
        key,
        scope: Scope::Task,
        replicas: spec.replicas,
        spec: Sealed::new(&spec),
        default_resources: Sealed::new(&Settings::default().default_resources),
        hash,
        lifetime: crate::ask::Lifetime::default(),
        isolated: false,
    };
    Creation {
        record: Record::of(&service, "u"),
        spec,
        default_resources: Settings::default().default_resources,
        service,
        namespace: "ns".to_owned(),
        owners: vec![owner],
        consumers: vec![PodRef { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() }],
    }
}

fn rendered(spec: Value, template: &Value) -> Value {
    stateful_set(&creation(spec), Some(template)).unwrap()["spec"]["template"].take()
}

#[test]
fn a_service_as_it_is_written() {
    let creation = creation(json!({
        "image": "ge-server:1.4", "replicas": 2, "port": 40_000, "command": ["serve"], "args": ["--shard"],
        "resources": {"requests": {"cpu": "1"}}, "env": {"A": "b"},
    }));
    insta::assert_yaml_snapshot!("the_service", service(&creation));
    insta::assert_yaml_snapshot!("the_stateful_set", stateful_set(&creation, None).unwrap());
    insta::assert_yaml_snapshot!("the_network_policy", network_policy(&creation));
}

#[test]
fn a_record_reads_back_from_what_is_written() {
    let creation = creation(json!({"image": "a", "replicas": 1, "port": 1}));
    assert_eq!(Record::read(&service(&creation)), Some(creation.record.clone()));
    let mut foreign = stateful_set(&creation, None).unwrap();
    foreign["metadata"]["labels"][MANAGED_BY.0] = json!("somebody");
    assert_eq!(Record::read(&foreign), None);
}

#[test]
fn a_template_gives_what_the_annotations_do_not() {
    let template = json!({"template": {
        "metadata": {
            "labels": {"team": "graph", "dataservice.flyte.org/consumer": "true"},
            "annotations": {"a": "b", "dataservice.flyte.org/image": "recursion"},
        },
        "spec": {
            "tolerations": [{"key": "gpu"}],
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 7},
            "containers": [
                {"name": "logs", "image": "logs"},
                {
                    "name": "primary", "image": "template", "env": [{"name": "A", "value": "template"}, {"name": "C", "value": "d"}],
                    "resources": {"limits": {"nvidia.com/gpu": "1"}, "claims": [{"name": "x"}]},
                    "readinessProbe": {"exec": {"command": ["ready"]}},
                },
            ],
        },
    }});
    let pod = rendered(json!({"image": "mine", "replicas": 1, "port": 7, "env": {"A": "user"}}), &template);
    insta::assert_yaml_snapshot!(pod);
    let pod = rendered(json!({"replicas": 1, "port": 7}), &template);
    assert_eq!(pod["spec"]["containers"][1]["image"], "template");
}

#[test]
fn a_template_that_gives_no_servers_says_why() {
    let creation = creation(json!({"replicas": 1, "port": 7, "podTemplate": "gpu"}));
    let error = |template: Value| stateful_set(&creation, Some(&template)).unwrap_err().to_string();
    assert_eq!(error(json!({})), "pod template \"gpu\" has no template with a spec");
    assert_eq!(
        error(json!({"template": {"spec": {"containers": [{"name": "a"}]}}})),
        "pod template \"gpu\" has no image for the servers, and neither have the annotations"
    );
    let limits = json!({"limits": {"memory": "16 gigs"}});
    let told = error(
        json!({"template": {"spec": {"containers": [{"name": "a", "image": "x", "resources": limits}]}}}),
    );
    assert!(told.starts_with("pod template \"gpu\" has resources that cannot be read: "), "{told}");
    assert!(told.contains("16 gigs"), "{told}");
}
