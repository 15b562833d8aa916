//! The decision: what becomes of a pod that somebody creates.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation::{self, Carried, MOST_BYTES, PREFIX};
use crate::ask::{self, Ask, Hold, Lifetime, ServiceAsk, Source, Wait};
use crate::compose::{self, Composer, compose};
use crate::container;
use crate::dns::Naming;
use crate::duration::Span;
use crate::holder::{self, Holder};
use crate::injection::Injection;
use crate::installation::Installation;
use crate::key::{Key, PodId, Scope};
use crate::name::ObjectName;
use crate::plan::{self, InvalidPlan, Plan, PlannedService};
use crate::pod;
use crate::problem::{Problem, Problems};
use crate::resources::Resources;
use crate::sealed::Sealed;
use crate::settings::Settings;

pub use crate::compose::ENV;

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
    /// It makes sense, and cannot work with what is there.
    Contradiction,
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
    let naming = check_pod(request, &carried, installation)?;
    let plan = plan(request, &carried, &ask, &naming, settings)?;
    let composer = Composer { request, ask: &ask, plan: &plan, naming: &naming, settings, installation };
    let (injection, warnings) = compose(&composer);
    check_labels(&carried, &injection)?;
    Ok(Decision::Inject { injection, warnings })
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
        (Some("true"), Some(_), Some(_)) => Ok(()),
        (Some(_), _, _) => Err(forged(annotation::CONSUMER, copied)),
        (None, Some(_), _) => Err(forged(annotation::ID, copied)),
        (None, None, Some(_)) => Err(forged(annotation::PLAN, copied)),
        (None, None, None) => match carried.labels.first() {
            Some((label, _)) => Err(forged(label, copied)),
            None => Ok(()),
        },
    }
}

/// A pod carries the labels that its plan gives, and no others of ours: by them it would be let through to services
/// that were not promised to it.
fn check_labels(carried: &Carried<'_>, injection: &Injection) -> Result<(), Refusal> {
    let foreign = carried.labels.iter().find(|(key, _)| !injection.labels.contains_key(*key));
    foreign.map_or(Ok(()), |(key, _)| {
        Err(forged(key, "is not what the pod's annotations give; create the pod without it"))
    })
}

/// Whether the pod can have a data service at all, and by which names it can reach it.
fn check_pod(
    request: Request<'_>,
    carried: &Carried<'_>,
    installation: &Installation,
) -> Result<Naming, Refusal> {
    let mut problems = Problems::default();
    if carried.plan.is_none() {
        for name in container::taken_names(request.pod) {
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
    naming: &Naming,
    settings: &Settings,
) -> Result<Plan, Refusal> {
    let id = match carried.id {
        None => PodId::from_request_uid(request.uid),
        Some(id) => id.parse().map_err(|error| forged(annotation::ID, &format!("{error}")))?,
    };
    let there = carried.plan.map(Plan::read).transpose().map_err(|error| unreadable_plan(&error))?;
    let there = there.as_ref();
    let wait = match ask.wait {
        Wait::None => None,
        Wait::Ready => Some(there.and_then(|there| there.wait).unwrap_or(settings.default_wait)),
        Wait::Until(span) => Some(span),
    };
    let services = planned(request, ask, &id, settings, there).map_err(invalid)?;
    let mut plan = Plan {
        version: plan::VERSION,
        gated: wait.is_some() && !services.is_empty() && is_held_unplaced(request.pod, ask, settings),
        listed: false,
        services,
        wait,
        leads: holder::leads(request.pod),
        id,
    };
    plan.listed = compose::is_too_long(request.pod, ask, &plan, naming);
    let Some(there) = there else { return Ok(plan) };
    // These hang on what other webhooks may have changed since: a pod that was here before keeps its answer.
    let kept = Plan { gated: there.gated, listed: there.listed, ..plan };
    if kept == *there { Ok(kept) } else { Err(foreign_plan()) }
}

fn unreadable_plan(error: &InvalidPlan) -> Refusal {
    match error {
        InvalidPlan::Json(_) => foreign_plan(),
        // In the midst of a rollout the API server may ask two of us about one pod. That passes.
        InvalidPlan::Version(version) => {
            let reason =
                format!("has version {version}, which this replica of the webhook cannot read; try again");
            Refusal {
                code: 429,
                ..refusal(DenyReason::Contradiction, vec![Problem::new(annotation::PLAN, reason)])
            }
        }
    }
}

fn foreign_plan() -> Refusal {
    forged(annotation::PLAN, "is not what the pod's annotations give; create the pod without it")
}

/// A pod whose node is chosen already may have no scheduling gate (the API server answers 422).
fn is_held_unplaced(pod: &Value, ask: &Ask, settings: &Settings) -> bool {
    let is_placed = pod::text(pod, "/spec/nodeName").is_some_and(|node| !node.is_empty());
    ask.hold.unwrap_or(settings.default_hold) == Hold::Scheduling && !is_placed
}

fn planned(
    request: Request<'_>,
    ask: &Ask,
    id: &PodId,
    settings: &Settings,
    there: Option<&Plan>,
) -> Result<Vec<PlannedService>, Vec<Problem>> {
    let mut problems = Problems::default();
    let planned = ask.services.iter().filter_map(|service| {
        let Source::Made { scope, .. } = &service.source else { return None };
        let holder = Holder::of(*scope, request.pod, id);
        let holder = problems.note(&format!("{PREFIX}scope"), holder)?;
        let mut there = there.into_iter().flat_map(|there| &there.services);
        let given = Given::of(there.find(|there| there.name == service.name), settings);
        planned_service(service, request.namespace, &holder, given)
    });
    let planned = planned.collect();
    problems.or_else(planned)
}

/// What the administrator gives a service where its user says nothing.
struct Given {
    default_resources: Sealed<Resources>,
    isolated: bool,
    keep_warm: Span,
    pod_template: Option<ObjectName>,
}

// === impl Given ===

impl Given {
    /// By these settings, or by those of whoever promised the pod the service that is `there`: another replica may have
    /// others, in the midst of a rollout. (Who writes a plan himself gains nothing: all of it but the isolation, which
    /// only grows, he may ask for.)
    fn of(there: Option<&PlannedService>, settings: &Settings) -> Self {
        let Some(there) = there else {
            return Self {
                default_resources: Sealed::new(&settings.default_resources),
                isolated: settings.isolate,
                keep_warm: settings.default_keep_warm,
                pod_template: settings.default_pod_template.clone(),
            };
        };
        Self {
            default_resources: there.default_resources.clone(),
            isolated: there.isolated || settings.isolate,
            keep_warm: there.lifetime.keep_warm.unwrap_or(settings.default_keep_warm),
            pod_template: there.spec.open().pod_template,
        }
    }
}

fn planned_service(
    service: &ServiceAsk,
    namespace: &str,
    holder: &Holder,
    given: Given,
) -> Option<PlannedService> {
    let Source::Made { spec, scope, lifetime } = &service.source else { return None };
    let key = Key::new(*scope, namespace, holder, &service.name);
    let hash = spec.digest();
    let mut spec = spec.as_ref().clone();
    spec.pod_template = spec.pod_template.or(given.pod_template);
    let keep_warm = match scope {
        Scope::Task => None,
        Scope::Execution | Scope::Namespace => Some(lifetime.keep_warm.unwrap_or(given.keep_warm)),
    };
    Some(PlannedService {
        name: service.name.clone(),
        object: key.object(*scope, &service.name),
        key,
        scope: *scope,
        replicas: spec.replicas,
        spec: Sealed::new(&spec),
        default_resources: given.default_resources,
        hash,
        lifetime: Lifetime { keep_warm, ..*lifetime },
        isolated: given.isolated,
    })
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
