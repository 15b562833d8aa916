//! What a pod gets for its plan: the injection, written out.

use dataservice_wire as wire;
use serde_json::{Value, json};

use crate::annotation;
use crate::ask::{Ask, ServiceAsk, Source};
use crate::container::{self, LISTS_PATH, Voice};
use crate::dns::Naming;
use crate::duration::Span;
use crate::endpoint;
use crate::inject::Request;
use crate::injection::{EnvVar, Injection};
use crate::installation::Installation;
use crate::plan::Plan;
use crate::pod;
use crate::settings::Settings;

/// All that an injection is made of.
pub(crate) struct Composer<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) ask: &'a Ask,
    pub(crate) plan: &'a Plan,
    pub(crate) naming: &'a Naming,
    pub(crate) settings: &'a Settings,
    pub(crate) installation: &'a Installation,
}

/// The injection, and what the pod's user should know.
pub(crate) fn compose(of: &Composer<'_>) -> (Injection, Vec<String>) {
    let services = services(of.ask, of.plan);
    let is_long = of.plan.listed;
    let env = if is_long { list_environment(&services) } else { environment(&services, of.naming) };
    let mut warnings = of.ask.warnings.clone();
    warnings.extend(own_values(of.request.pod, &env));
    let makes_something = !of.plan.services.is_empty();
    let has_sidecar = makes_something && of.settings.sidecar;
    let gate = of.gate(&services, is_long);
    let speaks = has_sidecar || (makes_something && gate.is_some());
    let sidecar = has_sidecar.then(|| container::sidecar(of.installation, of.request.pod));
    let token = speaks.then(container::token_volume);
    let lists = is_long.then(container::lists_volume);
    let injection = Injection {
        annotations: [(annotation::PLAN.to_owned(), of.plan.to_text())].into(),
        labels: labels(of.plan),
        env,
        init_containers: sidecar.into_iter().chain(gate).collect(),
        scheduling_gates: of
            .plan
            .gated
            .then(|| json!({"name": annotation::SCHEDULING_GATE}))
            .into_iter()
            .collect(),
        volume_mounts: is_long.then(container::lists_mount).into_iter().collect(),
        volumes: token.into_iter().chain(lists).collect(),
    };
    (injection, warnings)
}

/// Whether the endpoints are too long for the environment of the pod's containers.
pub(crate) fn is_too_long(pod: &Value, ask: &Ask, plan: &Plan, naming: &Naming) -> bool {
    let env = environment(&services(ask, plan), naming);
    let each = env.iter().map(|var| var.name.len() + var.value.len()).sum::<usize>();
    each * containers(pod).count() > MOST_ENV_BYTES
        || env.iter().any(|var| var.value.len() > MOST_VALUE_BYTES)
}

/// One service, and what its objects are called.
struct Named<'a> {
    ask: &'a ServiceAsk,
    object: &'a str,
}

// === impl Composer ===

impl Composer<'_> {
    /// The gate's container, where there is something to wait for or a list to write.
    fn gate(&self, services: &[Named<'_>], is_long: bool) -> Option<Value> {
        let deadline = self.plan.wait;
        if deadline.is_none() && !is_long {
            return None;
        }
        let lists = || wire::Lists { folder: LISTS_PATH.to_owned(), suffix: self.naming.suffix() };
        let gate = wire::Gate {
            services: services.iter().map(Named::waited_for).collect(),
            domain: format!("{}.svc.{}", self.request.namespace, self.installation.cluster_domain),
            deadline_seconds: deadline.map_or(0, Span::seconds),
            lists: is_long.then(lists),
        };
        let makes_something = !self.plan.services.is_empty();
        let voice = if makes_something { Voice::Speaking } else { Voice::Silent };
        Some(container::gate(self.installation, self.request.pod, &gate, voice))
    }
}

// === impl Named ===

impl Named<'_> {
    fn waited_for(&self) -> wire::GateService {
        wire::GateService {
            name: self.ask.name.to_string(),
            object: self.object.to_owned(),
            replicas: self.ask.replicas,
            port: self.ask.port,
            made: matches!(self.ask.source, Source::Made { .. }),
        }
    }

    fn variable(&self) -> String {
        format!("{ENV}_{}", self.ask.name.to_env())
    }
}

fn services<'a>(ask: &'a Ask, plan: &'a Plan) -> Vec<Named<'a>> {
    let mut made = plan.services.iter();
    let named = ask.services.iter().map(|ask| {
        let object = match &ask.source {
            Source::Existing(object) => object.as_str(),
            Source::Made { .. } => made.next().map_or("", |planned| planned.object.as_str()),
        };
        Named { ask, object }
    });
    named.collect()
}

/// `MY_DATASERVICES`, and one variable for each service where there are several.
fn environment(services: &[Named<'_>], naming: &Naming) -> Vec<EnvVar> {
    let value =
        |named: &Named<'_>| endpoint::joined(named.object, named.ask.replicas, named.ask.port, naming);
    let each: Vec<_> =
        services.iter().map(|named| EnvVar { name: named.variable(), value: value(named) }).collect();
    let all = each.iter().map(|var| var.value.as_str()).collect::<Vec<_>>().join(" ");
    with_each(EnvVar { name: ENV.to_owned(), value: all }, each)
}

/// The same, where the lists are in files.
fn list_environment(services: &[Named<'_>]) -> Vec<EnvVar> {
    let file = |name: String, file: &str| EnvVar {
        name: format!("{name}_FILE"),
        value: format!("{LISTS_PATH}/{file}"),
    };
    let each = services.iter().map(|named| file(named.variable(), &format!("endpoints-{}", named.ask.name)));
    with_each(file(ENV.to_owned(), "endpoints"), each.collect())
}

fn with_each(all: EnvVar, each: Vec<EnvVar>) -> Vec<EnvVar> {
    let each = if each.len() > 1 { each } else { Vec::new() };
    std::iter::once(all).chain(each).collect()
}

fn labels(plan: &Plan) -> std::collections::BTreeMap<String, String> {
    let uses = plan.services.iter().map(|service| (service.object.label(), "true".to_owned()));
    let ours = [
        (annotation::CONSUMER.to_owned(), "true".to_owned()),
        (annotation::ID.to_owned(), plan.id.to_string()),
    ];
    ours.into_iter().chain(uses).collect()
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

/// The variable that holds every endpoint.
pub const ENV: &str = "MY_DATASERVICES";
/// Half of what the kernel takes as one string (128 KiB).
const MOST_VALUE_BYTES: usize = 64 * 1024;
/// A sixth of what etcd takes as one object (1.5 MiB), managedFields and the rest of the pod considered.
const MOST_ENV_BYTES: usize = 256 * 1024;
