//! The JSON Patch of an [`Injection`]: additions, and nothing else.
//!
//! It is built from the injection, never as the difference of two pods: such a difference rewrites every list that
//! got a new first element, and takes with it what another webhook put there.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::{Value, json};

use crate::annotation::PREFIX;
use crate::injection::{EnvVar, Injection};
use crate::pod;

/// An injection that would do more than add what is ours.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// What it adds does not carry our mark.
    #[error("refused to add {kind} {name:?}: its name does not start with {mark:?}")]
    NotOurs {
        /// What it is.
        kind: &'static str,
        /// What it is called.
        name: String,
        /// What its name would have to start with.
        mark: &'static str,
    },
    /// It is there already, with another value.
    #[error("refused to replace {kind} {name:?}, which the pod has already")]
    WouldReplace {
        /// What it is.
        kind: &'static str,
        /// What it is called.
        name: String,
    },
}

/// The additions that bring `injection` into `pod`; none where it is there already.
pub fn patch(pod: &Value, injection: &Injection) -> Result<Patch, Error> {
    check_names(injection)?;
    let mut operations = Vec::new();
    add_pairs(pod, "annotations", &injection.annotations, &mut operations)?;
    add_pairs(pod, "labels", &injection.labels, &mut operations)?;
    for list in ["initContainers", "containers"] {
        for (index, container) in pod::list(pod, &format!("/spec/{list}")).iter().enumerate() {
            if !is_ours(container) {
                let path = ["spec", list, &index.to_string()];
                add_env(container, &path, &injection.env, &mut operations);
                append(
                    container,
                    &[&path[..], &["volumeMounts"]].concat(),
                    &injection.volume_mounts,
                    &mut operations,
                );
            }
        }
    }
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    append(spec, &["spec", "initContainers"], &injection.init_containers, &mut operations);
    append(spec, &["spec", "schedulingGates"], &injection.scheduling_gates, &mut operations);
    append(spec, &["spec", "volumes"], &injection.volumes, &mut operations);
    Ok(Patch(operations))
}

/// Adds what is missing of `pairs` to `metadata`'s member `field`.
fn add_pairs<'a>(
    pod: &Value,
    field: &'static str,
    pairs: impl IntoIterator<Item = (&'a String, &'a String)>,
    operations: &mut Vec<PatchOperation>,
) -> Result<(), Error> {
    let present = pod.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
    let mut missing = Vec::new();
    for (key, value) in pairs {
        match present.and_then(|present| present.get(key)) {
            None => missing.push((key, value)),
            Some(Value::String(there)) if there == value => {}
            Some(_) => return Err(Error::WouldReplace { kind: field, name: key.clone() }),
        }
    }
    if present.is_some() {
        for (key, value) in missing {
            operations.push(add(&["metadata", field, key], json!(value)));
        }
    } else if !missing.is_empty() {
        let members = missing.into_iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        operations.push(add(&["metadata", field], Value::Object(members)));
    }
    Ok(())
}

/// Puts the variables that the container at `path` does not have before those that it has.
fn add_env(container: &Value, path: &[&str], env: &[EnvVar], operations: &mut Vec<PatchOperation>) {
    let present = container.get("env").and_then(Value::as_array);
    let has = |name: &str| present.is_some_and(|env| env.iter().any(|var| pod::name(var) == Some(name)));
    let missing: Vec<_> = env.iter().filter(|var| !has(&var.name)).map(|var| json!(var)).collect();
    if present.is_some() {
        for (index, var) in missing.into_iter().enumerate() {
            operations.push(add(&[path, &["env", &index.to_string()]].concat(), var));
        }
    } else if !missing.is_empty() {
        operations.push(add(&[path, &["env"]].concat(), Value::Array(missing)));
    }
}

/// Appends to the list at `path`, whose last part is a field of `parent`, what it does not have by name.
fn append(parent: &Value, path: &[&str], items: &[Value], operations: &mut Vec<PatchOperation>) {
    let present = path.last().and_then(|field| parent.get(field)).and_then(Value::as_array);
    let has = |item: &Value| {
        present.is_some_and(|list| list.iter().any(|there| pod::name(there) == pod::name(item)))
    };
    let missing: Vec<_> = items.iter().filter(|item| !has(item)).cloned().collect();
    if present.is_some() {
        operations.extend(missing.into_iter().map(|item| add(&[path, &["-"]].concat(), item)));
    } else if !missing.is_empty() {
        operations.push(add(path, Value::Array(missing)));
    }
}

/// Whether a container is one that admission added.
pub(crate) fn is_ours(container: &Value) -> bool {
    pod::name(container).is_some_and(|name| name.starts_with(OBJECT_MARK))
}

fn check_names(injection: &Injection) -> Result<(), Error> {
    let check = |kind, name: &str, mark: &'static str| {
        if name.starts_with(mark) {
            Ok(())
        } else {
            Err(Error::NotOurs { kind, name: name.to_owned(), mark })
        }
    };
    injection.annotations.keys().try_for_each(|key| check("annotation", key, PREFIX))?;
    injection.labels.keys().try_for_each(|key| check("label", key, PREFIX))?;
    injection.env.iter().try_for_each(|var| check("variable", &var.name, ENV_MARK))?;
    let named = |kind, list: &[Value], mark| {
        list.iter().try_for_each(|item| check(kind, pod::name(item).unwrap_or_default(), mark))
    };
    named("init container", &injection.init_containers, OBJECT_MARK)?;
    named("scheduling gate", &injection.scheduling_gates, PREFIX)?;
    named("volume mount", &injection.volume_mounts, OBJECT_MARK)?;
    named("volume", &injection.volumes, OBJECT_MARK)
}

fn add(path: &[&str], value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(path.iter().copied()), value })
}

/// What the names of our containers and volumes start with.
pub(crate) const OBJECT_MARK: &str = "dataservice-";
/// What the names of our variables start with.
const ENV_MARK: &str = "MY_DATASERVICES";
