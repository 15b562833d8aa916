//! What a pod asks for: its user's annotations, read.

mod service;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::service::{Lifetime, OnFailure, ServiceAsk, Source};
use crate::annotation::{Carried, POD_KEYS, PREFIX, SERVICE_KEYS, unknown_key};
use crate::duration::{InvalidSpan, Span};
use crate::field::{Written, json};
use crate::name::ServiceName;
use crate::problem::{Problem, Problems, quote};
use crate::settings::Settings;

/// What a pod asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The services, in the order in which they are written; at least one.
    pub services: Vec<ServiceAsk>,
    /// What the task waits for.
    pub wait: Wait,
    /// Where it waits, if its user says.
    pub hold: Option<Hold>,
    /// What was accepted, but probably not as its user thinks.
    pub warnings: Vec<String>,
}

/// What the task waits for before it starts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wait {
    /// Nothing: it starts at once.
    None,
    /// All servers ready, until the administrator's deadline.
    #[default]
    Ready,
    /// All servers ready, until this long after the last progress.
    Until(Span),
}

/// Where the task waits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// On its node, in an init container.
    #[default]
    Init,
    /// It is not even placed.
    Scheduling,
}

/// Reads what `carried` asks for; every problem at once.
pub(crate) fn read(carried: &Carried<'_>, settings: &Settings) -> Result<Ask, Vec<Problem>> {
    let mut problems = Problems::default();
    for (key, _) in &carried.written {
        if !POD_KEYS.contains(key) && !SERVICE_KEYS.contains(key) {
            let known: Vec<_> = [&POD_KEYS[..], &SERVICE_KEYS[..]].concat();
            problems.extend([unknown_key(format!("{PREFIX}{key}"), key, &known)]);
        }
    }
    let wait = carried.value("wait").and_then(|text| problems.note(&place("wait"), read_wait(text)));
    let hold = carried.value("hold").and_then(|text| problems.note(&place("hold"), read_hold(text)));
    let mut warnings = Vec::new();
    let services = read_services(carried, settings, &mut problems, &mut warnings);
    let wait = wait.unwrap_or_default();
    if (wait, hold) == (Wait::None, Some(Hold::Scheduling)) {
        problems.push(place("hold"), "scheduling cannot stand beside wait: none; leave one of them out");
    }
    let makes_nothing = services.iter().all(|service| matches!(service.source, Source::Existing(_)));
    if hold == Some(Hold::Scheduling) && makes_nothing {
        warnings.push(format!(
            "{}: scheduling is for services that are made; the pod is placed, and waits there for those that exist",
            place("hold")
        ));
    }
    problems.or_else(Ask { services, wait, hold, warnings })
}

/// Reads `inject`: whether the pod is to be injected at all.
pub(crate) fn is_switched_on(carried: &Carried<'_>) -> Result<bool, Problem> {
    match carried.value("inject").map(str::trim) {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => {
            Err(Problem::new(place("inject"), format!("{} is not known; allowed: true, false", quote(other))))
        }
    }
}

fn read_services(
    carried: &Carried<'_>,
    settings: &Settings,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Vec<ServiceAsk> {
    let flat: Vec<_> = carried.written.iter().filter(|(key, _)| SERVICE_KEYS.contains(key)).collect();
    let Some(text) = carried.value("services") else {
        if flat.is_empty() && problems.is_empty() {
            let reason =
                "is missing; say which image serves the data, or `existing` to use a service that is there";
            problems.push(place("image"), reason);
            return Vec::new();
        }
        let fields = flat.iter().map(|(key, text)| (*key, Written::Text(text))).collect();
        return vec![service::read(PREFIX, fields, settings, problems, warnings)];
    };
    if let Some((key, _)) = flat.first() {
        problems.push(
            place(key),
            format!(
                "cannot stand beside {PREFIX}services; write it inside, for the service that it belongs to"
            ),
        );
    }
    let Some(value) = problems.note(&place("services"), json(text)) else { return Vec::new() };
    let services = read_list(&value, settings, problems, warnings);
    check_names(&services, problems);
    services
}

/// `services` as a list, or as an object by name.
fn read_list(
    value: &Value,
    settings: &Settings,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Vec<ServiceAsk> {
    let here = place("services");
    let entries: Vec<(String, Option<&str>, &Value)> = match value {
        Value::Array(list) => {
            list.iter().enumerate().map(|(i, v)| (format!("{here}[{i}]"), None, v)).collect()
        }
        Value::Object(map) => {
            map.iter().map(|(name, v)| (format!("{here}[{}]", quote(name)), Some(name.as_str()), v)).collect()
        }
        _ => {
            let found = Written::from(value).quoted();
            problems.push(here, format!("{found} is neither a list of services nor an object by name"));
            return Vec::new();
        }
    };
    let most = settings.max_services as usize;
    if entries.is_empty() || entries.len() > most {
        problems.push(here, format!("has {} services; allowed: 1 to {most}", entries.len()));
        return Vec::new();
    }
    entries
        .into_iter()
        .filter_map(|(place, name, value)| {
            let Value::Object(fields) = value else {
                problems.push(place, format!("{} is not an object", Written::from(value).quoted()));
                return None;
            };
            let fields = named(fields, name, &place, problems);
            Some(service::read(&format!("{place}."), fields, settings, problems, warnings))
        })
        .collect()
}

/// The fields of a service, with the name under which it stands, where it stands under one.
fn named<'a>(
    fields: &'a Map<String, Value>,
    name: Option<&'a str>,
    place: &str,
    problems: &mut Problems,
) -> Vec<(&'a str, Written<'a>)> {
    let mut written: Vec<_> =
        fields.iter().map(|(key, value)| (key.as_str(), Written::from(value))).collect();
    if let Some(name) = name {
        let is_name = |key: &str| key == "name" || key == "Name";
        let inside =
            written.iter().find(|(key, value)| is_name(key) && !matches!(value, Written::Json(Value::Null)));
        if let Some((_, inside)) = inside.filter(|(_, inside)| inside.text() != Ok(name)) {
            problems
                .push(place, format!("has another name inside, {}; leave one of them out", inside.quoted()));
        }
        written.retain(|(key, _)| !is_name(key));
        written.push(("name", Written::Text(name)));
    }
    written
}

fn check_names(services: &[ServiceAsk], problems: &mut Problems) {
    let mut seen: Vec<&ServiceName> = Vec::new();
    for service in services {
        if seen.contains(&&service.name) {
            problems.push(
                place("services"),
                format!(
                    "has two services with the name {:?}; give each a name of its own",
                    service.name.as_str()
                ),
            );
        }
        if services.len() > 1 && is_taken(&service.name) {
            problems.push(
                place("services"),
                format!(
                    "has a service with the name {:?}, and {}_FILE names the file of a long list of endpoints; give it \
                     another name",
                    service.name.as_str(),
                    crate::inject::ENV
                ),
            );
        }
        seen.push(&service.name);
    }
}

/// Whether the service's own variable would be taken for one that names a file.
fn is_taken(name: &ServiceName) -> bool {
    name.as_str() == "file" || name.as_str().ends_with("-file")
}

fn read_wait(text: &str) -> Result<Wait, String> {
    match text.trim() {
        "ready" => Ok(Wait::Ready),
        "none" => Ok(Wait::None),
        text => {
            text.parse().map(Wait::Until).map_err(|error: InvalidSpan| format!("{error}, or ready, or none"))
        }
    }
}

fn read_hold(text: &str) -> Result<Hold, String> {
    match text.trim() {
        "init" => Ok(Hold::Init),
        "scheduling" => Ok(Hold::Scheduling),
        other => Err(format!("{} is not known; allowed: init, scheduling", quote(other))),
    }
}

fn place(key: &str) -> String {
    format!("{PREFIX}{key}")
}

#[cfg(test)]
mod tests;
