//! One service, as annotations of its own or as an object inside `services`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation::{SERVICE_KEYS, unknown_key};
use crate::duration::Span;
use crate::field::Written;
use crate::image::ImageRef;
use crate::key::Scope;
use crate::name::{ObjectName, ServiceName};
use crate::problem::{Problems, quote};
use crate::resources::{Resources, amounts};
use crate::settings::Settings;
use crate::spec::Spec;

/// One service that a pod asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceAsk {
    /// Its name, as its user knows it.
    pub name: ServiceName,
    /// Where it comes from.
    pub source: Source,
    /// How many servers it has.
    pub replicas: u32,
    /// The port that each listens on.
    pub port: u16,
}

/// Where a service comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// It is there already, under this name; nothing of it is created, changed or deleted.
    Existing(ObjectName),
    /// It is made for its consumers.
    Made {
        /// What its user asked for, without the administrator's defaults.
        spec: Box<Spec>,
        /// Who shares it.
        scope: Scope,
        /// How long it stays.
        lifetime: Lifetime,
    },
}

/// How long a service outlives its consumers. Each pod's own; of several, the longest wins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifetime {
    /// After the last consumer left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_warm: Option<Span>,
    /// After a consumer failed.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What becomes of a service whose consumer failed; the longer it stays, the greater.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is deleted, as after success.
    #[default]
    Delete,
    /// It stays for so long, to look at.
    Retain(Span),
}

/// Reads one service; `prefix` goes before each field's name in a problem's place.
pub(super) fn read(
    prefix: &str,
    written: Vec<(&str, Written<'_>)>,
    settings: &Settings,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> ServiceAsk {
    let mut fields = Fields::collect(prefix, written, problems, warnings);
    let name = fields.read("name", problems, |w| parsed::<ServiceName>(w));
    let replicas = fields.read("replicas", problems, |w| w.integer(1, settings.max_replicas)).unwrap_or(1);
    let port = fields.read("port", problems, |w| w.integer(1, 65_535));
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(DEFAULT_PORT);

    if let Some(existing) = fields.read("existing", problems, parsed::<ObjectName>) {
        let ignored = fields.rest().join(", ");
        if !ignored.is_empty() {
            warnings.push(format!("{prefix}existing: nothing is created, so these are ignored: {ignored}"));
        }
        let name = name.or_else(|| existing.as_str().parse().ok()).unwrap_or_default();
        return ServiceAsk { name, source: Source::Existing(existing), replicas, port };
    }

    let scope = fields.read("scope", problems, read_scope).unwrap_or_default();
    let lifetime = read_lifetime(&mut fields, scope, problems);
    let spec = read_spec(&mut fields, replicas, port, problems);
    if spec.image.is_none() && !fields.seen.contains(&"image") && !has_template(&spec, settings) {
        problems.push(
            format!("{prefix}image"),
            "is missing; say which image serves the data, or name a pod-template that has one, or `existing` to \
             use a service that is there",
        );
    }
    let source = Source::Made { spec: Box::new(spec), scope, lifetime };
    ServiceAsk { name: name.unwrap_or_default(), source, replicas, port }
}

fn read_spec(fields: &mut Fields<'_>, replicas: u32, port: u16, problems: &mut Problems) -> Spec {
    let image = fields.read("image", problems, parsed::<ImageRef>);
    let pod_template = fields.read("pod-template", problems, parsed::<ObjectName>);
    let command = fields.read("command", problems, Written::words).unwrap_or_default();
    let args = fields.read("args", problems, Written::words).unwrap_or_default();
    let env = fields.read("env", problems, read_env).unwrap_or_default();
    let requests = fields.read("requests", problems, |w| amounts(w.pairs()?)).unwrap_or_default();
    let limits = fields.read("limits", problems, |w| amounts(w.pairs()?)).unwrap_or_default();
    let resources = Resources { requests, limits };
    for (name, request, limit) in resources.over_limit() {
        problems.push(
            format!("{}requests", fields.prefix),
            format!("{name}={request} is above its limit, {limit}; a request is at most the limit"),
        );
    }
    Spec { image, replicas, port, command, args, resources, env, pod_template }
}

fn read_lifetime(fields: &mut Fields<'_>, scope: Scope, problems: &mut Problems) -> Lifetime {
    let keep_warm = fields.read("keep-warm", problems, |written| {
        if scope == Scope::Task {
            return Err("needs scope execution or namespace: a task's own service ends with it".to_owned());
        }
        parsed::<Span>(written)
    });
    let on_failure = fields.read("on-failure", problems, |written| match written.text()? {
        "delete" => Ok(OnFailure::Delete),
        text => {
            let retain = text.strip_prefix("retain=").ok_or_else(|| {
                format!(
                    "{} is not known; allowed: delete, or retain with a duration such as retain=1h",
                    quote(text)
                )
            })?;
            parsed::<Span>(Written::Text(retain)).map(OnFailure::Retain)
        }
    });
    Lifetime { keep_warm, on_failure: on_failure.unwrap_or_default() }
}

fn read_scope(written: Written<'_>) -> Result<Scope, String> {
    match written.text()? {
        "task" => Ok(Scope::Task),
        "execution" => Ok(Scope::Execution),
        "namespace" => Ok(Scope::Namespace),
        other => Err(format!("{} is not known; allowed: task, execution, namespace", quote(other))),
    }
}

fn read_env(written: Written<'_>) -> Result<BTreeMap<String, String>, String> {
    let env = written.pairs()?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    for name in env.keys() {
        if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
            return Err(format!(
                "{} is not the name of a variable; allowed: letters, digits and '_', not starting with a digit",
                quote(name)
            ));
        }
        if name.starts_with("DATASERVICE_") || OUR_ENV.contains(&name.as_str()) {
            return Err(format!("{} is set by flyte-dataservice itself; choose another name", quote(name)));
        }
    }
    Ok(env)
}

fn has_template(spec: &Spec, settings: &Settings) -> bool {
    spec.pod_template.is_some() || settings.default_pod_template.is_some()
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(written: Written<'_>) -> Result<T, String> {
    written.text()?.parse().map_err(|error: T::Err| error.to_string())
}

/// A service's fields by their annotation's key, taken out as they are read.
struct Fields<'a> {
    prefix: &'a str,
    written: BTreeMap<&'static str, Written<'a>>,
    /// What was read, well or not.
    seen: Vec<&'static str>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Sorts what was written by key; flytekit's `DataServiceConfig` names are keys as well, `null` is absence.
    fn collect(
        prefix: &'a str,
        written: Vec<(&str, Written<'a>)>,
        problems: &mut Problems,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut fields = Self { prefix, written: BTreeMap::new(), seen: Vec::new() };
        for (key, value) in written {
            if matches!(value, Written::Json(Value::Null)) {
                continue;
            }
            if key == "Cluster" {
                warnings
                    .push(format!("{prefix}Cluster is ignored: a data service is made where its task runs"));
                continue;
            }
            let Some(known) = known_key(key) else {
                problems.extend([unknown_key(format!("{prefix}{key}"), key, &SERVICE_KEYS)]);
                continue;
            };
            if fields.written.insert(known, value).is_some() {
                problems.push(
                    format!("{prefix}{key}"),
                    format!("says the same as {known:?}; leave one of them out"),
                );
            }
        }
        fields
    }

    /// Takes the field out and reads it; a problem is noted at its place.
    fn read<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(Written<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let written = self.written.remove(key)?;
        self.seen.push(key);
        problems.note(&format!("{}{key}", self.prefix), read(written))
    }

    /// The keys that nobody read.
    fn rest(&self) -> Vec<&'static str> {
        self.written.keys().copied().collect()
    }
}

/// The annotation's key that `key` stands for, in our spelling or in `DataServiceConfig`'s.
fn known_key(key: &str) -> Option<&'static str> {
    let key = match key {
        "Name" => "name",
        "Requests" => "requests",
        "Limits" => "limits",
        "Port" => "port",
        "Image" => "image",
        "Command" => "command",
        "Replicas" => "replicas",
        "ExistingReleaseName" => "existing",
        key => key,
    };
    SERVICE_KEYS.into_iter().find(|known| *known == key)
}

/// As flytekitplugins-k8sdataservice has it.
const DEFAULT_PORT: u16 = 40_000;
/// What today's servers of the flytekit plugin read.
const OUR_ENV: [&str; 3] = ["GE_BASE_PORT", "GE_COUNT", "SERVER_PORT"];
