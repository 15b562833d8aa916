//! The decision: what becomes of a pod that somebody creates.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation::{self, Carried, MOST_BYTES, PREFIX};
use crate::ask::{self, Ask, Hold, OnFailure, ServiceAsk, Source, Wait};
use crate::dns::Naming;
use crate::endpoint;
use crate::injection::{EnvVar, Injection};
use crate::installation::Installation;
use crate::key::{Key, PodId, Scope};
use crate::plan::{self, Plan, PlannedService};
use crate::pod;
use crate::problem::{Problem, Problems};
use crate::settings::Settings;
use crate::sidecar;

/// A pod on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The admission request's uid: random, another one at each call.
    pub uid: &'a str,
    /// The namespace in which the pod will be; the pod itself need not say it.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a Value,
}

/// What becomes of a pod.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// It is refused.
    Deny(Refusal),
    /// It is admitted with additions.
    Inject {
        /// What is added.
        injection: Injection,
        /// What its user should know.
        warnings: Vec<String>,
    },
    /// It is admitted as it is.
    Skip(SkipReason),
}

/// Why a pod is admitted as it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Nothing of ours is on it.
    NotAnnotated,
    /// `inject: "false"`.
    SwitchedOff,
}

/// Why a pod is refused.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The HTTP status for the API server. 400 and 422 end a Flyte task at once, with the message (design §5).
    pub code: u16,
    /// The kind of refusal, for metrics and logs.
    pub reason: DenyReason,
    /// What is wrong; at least one.
    pub problems: Vec<Problem>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenyReason {
    /// What only admission writes was on the pod already.
    Forged,
    /// The annotations make no sense.
    InvalidAnnotations,
    /// The pod itself cannot have what it asks for.
    UnsuitablePod,
}

/// Decides about a pod.
///
/// The same pod, uid, settings and installation give the same answer; its own output gives nothing to add
/// (reinvocation), whatever other webhooks did in between.
#[must_use]
pub fn inject(request: Request<'_>, settings: &Settings, installation: &Installation) -> Decision {
    decide(request, settings, installation).unwrap_or_else(Decision::Deny)
}

fn decide(
    request: Request<'_>,
    settings: &Settings,
    installation: &Installation,
) -> Result<Decision, Refusal> {
    let carried = Carried::read(request.pod);
    if carried.is_nothing() {
        return Ok(Decision::Skip(SkipReason::NotAnnotated));
    }
    check_size(&carried)?;
    check_outputs(&carried)?;
    if !ask::is_switched_on(&carried).map_err(|problem| invalid(vec![problem]))? {
        return if carried.has_outputs() {
            let reason = "was put there by admission, and inject is \"false\": create the pod without it";
            Err(forged(annotation::PLAN, reason))
        } else {
            Ok(Decision::Skip(SkipReason::SwitchedOff))
        };
    }
    let ask = ask::read(&carried, settings).map_err(invalid)?;
    check_available(&ask).map_err(invalid)?;
    let naming = check_pod(request, &carried, installation)?;
    let plan = plan(request, &carried, &ask, settings)?;
    compose(request, &ask, &plan, &naming, installation)
}

/// Before anything is parsed.
fn check_size(carried: &Carried<'_>) -> Result<(), Refusal> {
    let bytes = carried.written_bytes();
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let reason = format!("all annotations together are {bytes} bytes; allowed: {MOST_BYTES}");
    Err(invalid(vec![Problem::new(format!("{PREFIX}*"), reason)]))
}

/// What only admission and the lifecycle API write stands together or not at all.
fn check_outputs(carried: &Carried<'_>) -> Result<(), Refusal> {
    if carried.released.is_some() {
        return Err(forged(annotation::RELEASED, "is written when a pod ends; create the pod without it"));
    }
    let copied = "is written by admission; create the pod without it (was it copied from a pod that ran?)";
    if carried.written.is_empty() {
        return Err(forged(annotation::CONSUMER, copied));
    }
    match (carried.consumer, carried.id, carried.plan) {
        (None, None, None) | (Some("true"), Some(_), Some(_)) => Ok(()),
        (Some(_), _, _) => Err(forged(annotation::CONSUMER, copied)),
        (None, Some(_), _) => Err(forged(annotation::ID, copied)),
        (None, None, Some(_)) => Err(forged(annotation::PLAN, copied)),
    }
}

/// What this version reads but does not do yet is refused rather than ignored.
fn check_available(ask: &Ask) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::default();
    let mut refuse = |key: &str, what: &str| {
        problems.push(format!("{PREFIX}{key}"), format!("{what} is not available in this version"));
    };
    if ask.hold == Hold::Scheduling {
        refuse("hold", "scheduling");
    }
    if matches!(ask.wait, Wait::Until(_)) {
        refuse("wait", "a deadline");
    }
    for service in &ask.services {
        if let Source::Made { scope, lifetime, .. } = &service.source {
            if *scope != Scope::Task {
                refuse("scope", &scope.to_string());
            }
            if lifetime.on_failure != OnFailure::Delete {
                refuse("on-failure", "retain");
            }
        }
    }
    problems.or_else(())
}

/// Whether the pod can have a data service at all, and by which names it can reach it.
fn check_pod(
    request: Request<'_>,
    carried: &Carried<'_>,
    installation: &Installation,
) -> Result<Naming, Refusal> {
    let mut problems = Problems::default();
    if carried.plan.is_none() {
        for name in sidecar::taken_names(request.pod) {
            problems.push(
                format!("container or volume {name:?}"),
                "names that start with \"dataservice-\" are for what admission adds; choose another",
            );
        }
    }
    let naming = Naming::of(request.pod, request.namespace, &installation.cluster_domain);
    let naming = problems.note("spec.dnsPolicy", naming);
    match (naming, problems.is_empty()) {
        (Some(naming), true) => Ok(naming),
        (_, _) => Err(refusal(DenyReason::UnsuitablePod, problems.or_else(()).err().unwrap_or_default())),
    }
}

/// What the pod is promised. A pod that was here before is promised the same.
fn plan(
    request: Request<'_>,
    carried: &Carried<'_>,
    ask: &Ask,
    settings: &Settings,
) -> Result<Plan, Refusal> {
    let id = match carried.id {
        None => PodId::from_request_uid(request.uid),
        Some(id) => id.parse().map_err(|error| forged(annotation::ID, &format!("{error}")))?,
    };
    let services =
        ask.services.iter().filter_map(|service| planned(service, request.namespace, &id, settings));
    let plan =
        Plan { version: plan::VERSION, services: services.collect(), id, wait: ask.wait, hold: ask.hold };
    match carried.plan {
        Some(there) if Plan::read(there).ok().as_ref() != Some(&plan) => {
            Err(forged(annotation::PLAN, "is not what the pod's annotations give; create the pod without it"))
        }
        Some(_) | None => Ok(plan),
    }
}

fn planned(service: &ServiceAsk, namespace: &str, id: &PodId, settings: &Settings) -> Option<PlannedService> {
    let Source::Made { spec, scope, lifetime } = &service.source else { return None };
    let key = Key::of_pod(namespace, id, &service.name);
    let hash = spec.digest();
    let mut spec = spec.as_ref().clone();
    spec.pod_template = spec.pod_template.or_else(|| settings.default_pod_template.clone());
    Some(PlannedService {
        name: service.name.clone(),
        object: key.object(&service.name),
        key,
        scope: *scope,
        spec,
        default_resources: settings.default_resources.clone(),
        hash,
        lifetime: *lifetime,
    })
}

fn compose(
    request: Request<'_>,
    ask: &Ask,
    plan: &Plan,
    naming: &Naming,
    installation: &Installation,
) -> Result<Decision, Refusal> {
    let env = environment(ask, plan, naming);
    let containers = containers(request.pod).count();
    let bytes = containers * env.iter().map(|var| var.name.len() + var.value.len()).sum::<usize>();
    if bytes > MOST_ENV_BYTES || env.iter().any(|var| var.value.len() > MOST_VALUE_BYTES) {
        let reason = format!(
            "the endpoints are {bytes} bytes in {containers} containers; allowed: {MOST_ENV_BYTES} in all and \
             {MOST_VALUE_BYTES} in one variable; ask for fewer replicas"
        );
        return Err(invalid(vec![Problem::new(format!("{PREFIX}replicas"), reason)]));
    }
    let mut warnings = ask.warnings.clone();
    warnings.extend(own_values(request.pod, &env));
    let makes_something = !plan.services.is_empty();
    let injection = Injection {
        annotations: [(annotation::PLAN.to_owned(), plan.to_text())].into(),
        labels: [
            (annotation::CONSUMER.to_owned(), "true".to_owned()),
            (annotation::ID.to_owned(), plan.id.to_string()),
        ]
        .into(),
        env,
        init_containers: makes_something
            .then(|| sidecar::container(installation, request.pod))
            .into_iter()
            .collect(),
        volumes: makes_something.then(sidecar::token_volume).into_iter().collect(),
    };
    Ok(Decision::Inject { injection, warnings })
}

/// `MY_DATASERVICES`, and one variable for each service where there are several.
fn environment(ask: &Ask, plan: &Plan, naming: &Naming) -> Vec<EnvVar> {
    let mut made = plan.services.iter();
    let each: Vec<_> = ask
        .services
        .iter()
        .map(|service| {
            let object = match &service.source {
                Source::Existing(object) => object.as_str(),
                Source::Made { .. } => made.next().map_or("", |planned| planned.object.as_str()),
            };
            let value = endpoint::joined(object, service.replicas, service.port, naming);
            EnvVar { name: format!("{ENV}_{}", service.name.to_env()), value }
        })
        .collect();
    let all = each.iter().map(|var| var.value.as_str()).collect::<Vec<_>>().join(" ");
    let all = EnvVar { name: ENV.to_owned(), value: all };
    let each = if each.len() > 1 { each } else { Vec::new() };
    std::iter::once(all).chain(each).collect()
}

/// A warning for each container in which the user has set one of the variables to something else.
fn own_values(pod: &Value, env: &[EnvVar]) -> Vec<String> {
    let mut warnings = Vec::new();
    for container in containers(pod) {
        for var in pod::list(container, "/env") {
            let ours = env.iter().find(|ours| pod::name(var) == Some(&ours.name));
            if let Some(ours) = ours.filter(|ours| pod::text(var, "/value") != Some(&ours.value)) {
                let container = pod::name(container).unwrap_or_default();
                warnings.push(format!(
                    "container {container:?} sets {} itself, and that value stands; the data service's endpoints \
                     are: {}",
                    ours.name, ours.value
                ));
            }
        }
    }
    warnings
}

/// The user's containers, init containers included.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/spec/initContainers", "/spec/containers"]
        .into_iter()
        .flat_map(|list| pod::list(pod, list))
        .filter(|container| !crate::patch::is_ours(container))
}

fn invalid(problems: Vec<Problem>) -> Refusal {
    refusal(DenyReason::InvalidAnnotations, problems)
}

fn forged(place: &str, reason: &str) -> Refusal {
    refusal(DenyReason::Forged, vec![Problem::new(place, reason)])
}

fn refusal(reason: DenyReason, problems: Vec<Problem>) -> Refusal {
    Refusal { code: 422, reason, problems }
}

// === impl Refusal ===

impl std::fmt::Display for Refusal {
    /// One line for each problem, so that all of them are seen at once.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.problems.as_slice() {
            [problem] => write!(f, "{problem}"),
            problems => {
                write!(f, "{} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// The variable that holds every endpoint.
pub const ENV: &str = "MY_DATASERVICES";
/// Half of what the kernel takes as one string (128 KiB).
const MOST_VALUE_BYTES: usize = 64 * 1024;
/// A sixth of what etcd takes as one object (1.5 MiB), managedFields and the rest of the pod considered.
const MOST_ENV_BYTES: usize = 256 * 1024;
