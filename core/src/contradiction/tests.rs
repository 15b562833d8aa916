use serde_json::json;

use super::*;
use crate::annotation;
use crate::inject::{Decision, Request, inject};
use crate::installation::Installation;
use crate::progress::Hope;
use crate::settings::Settings;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What a pod is promised that asks for a service of the namespace so.
fn plan(asked: &[(&str, &str)]) -> Plan {
    let mut pod = json!({
        "metadata": {"annotations": {
            "dataservice.flyte.org/name": "graph", "dataservice.flyte.org/scope": "namespace",
        }},
        "spec": {"containers": [{"name": "a"}]},
    });
    for (key, value) in asked {
        pod["metadata"]["annotations"][format!("{PREFIX}{key}")] = json!(value);
    }
    let installation = Installation::offline("sidecar".parse().unwrap());
    let request = Request { uid: "r", namespace: "ns", pod: &pod };
    let Decision::Inject { injection, .. } = inject(request, &Settings::default(), &installation) else {
        panic!()
    };
    Plan::read(&injection.annotations[annotation::PLAN]).unwrap()
}

fn made_for(plan: &Plan) -> There {
    There { record: Some(Record::of(&plan.services[0], "u").into()), failure: None }
}

fn failed(second: i64) -> There {
    let told = Told { text: "quota is full".to_owned(), at: at(second), hope: Hope::Never };
    There { record: None, failure: Some(told) }
}

/// What is said to a pod with this plan at 100, where there are no templates.
fn told(plan: &Plan, there: Option<There>) -> Vec<String> {
    let there = there.map(Arc::new);
    let problems = contradictions(plan, |_| there.clone(), |_| false, at(100));
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn who_asks_for_what_is_there_or_not_there_yet_is_let_in() {
    let x = plan(&[("image", "x")]);
    for there in [None, Some(There::default()), Some(made_for(&x))] {
        assert_eq!(told(&x, there), [""; 0]);
    }
}

#[test]
fn who_asks_for_something_else_is_told_what_differs_and_what_to_do() {
    let [problem] = &told(&plan(&[("image", "y")]), Some(made_for(&plan(&[("image", "x")]))))[..] else {
        panic!()
    };
    assert!(problem.starts_with("dataservice.flyte.org/name of service \"graph\": "), "{problem}");
    assert!(
        problem.ends_with("image is \"x\" and not \"y\"; ask for the same, or for a service of another name"),
        "{problem}"
    );
}

#[test]
fn who_asks_for_something_else_than_what_is_about_to_go_is_let_in() {
    let mut closing = made_for(&plan(&[("image", "x")]));
    Arc::make_mut(closing.record.as_mut().unwrap()).closing = true;
    assert_eq!(told(&plan(&[("image", "y")]), Some(closing.clone())), [""; 0]);
    let templated = plan(&[("pod-template", "gpu")]);
    assert_eq!(told(&templated, Some(closing)).len(), 1, "it is made anew, and needs its template");
}

#[test]
fn what_has_just_failed_for_others_is_refused_for_a_moment() {
    let x = plan(&[("image", "x")]);
    assert_eq!(
        told(&x, Some(failed(86))),
        [
            "dataservice.flyte.org/name of service \"graph\": has just failed for others that share it: quota is \
          full; mend that first, then create the pod again (15s after it last failed it is tried anew)"
        ]
    );
    assert_eq!(told(&x, Some(failed(85))), [""; 0]);
}

#[test]
fn a_template_that_is_missing_is_told_to_whom_it_would_be_made_for() {
    let templated = plan(&[("pod-template", "gpu")]);
    let [problem] = &told(&templated, None)[..] else { panic!() };
    assert!(problem.contains("pod-template of service \"graph\": \"gpu\" is not there"), "{problem}");
    assert_eq!(told(&templated, Some(made_for(&templated))), [""; 0], "it joins what is there");
}
