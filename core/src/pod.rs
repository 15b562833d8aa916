//! Small views of a pod as JSON.

use jiff::Timestamp;
use serde_json::Value;

/// The annotations whose values are text.
pub(crate) fn annotations(pod: &Value) -> impl Iterator<Item = (&str, &str)> {
    texts(pod, "/metadata/annotations")
}

/// The labels whose values are text.
pub(crate) fn labels(pod: &Value) -> impl Iterator<Item = (&str, &str)> {
    texts(pod, "/metadata/labels")
}

/// An annotation's value.
pub(crate) fn annotation<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    pod.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// A label's value.
pub(crate) fn label<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    pod.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// A text anywhere in the pod, by JSON pointer.
pub(crate) fn text<'a>(pod: &'a Value, pointer: &str) -> Option<&'a str> {
    pod.pointer(pointer)?.as_str()
}

/// A list anywhere in the pod, by JSON pointer; what is missing or `null` is empty.
pub(crate) fn list<'a>(pod: &'a Value, pointer: &str) -> &'a [Value] {
    pod.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A moment anywhere in the pod, by JSON pointer.
pub(crate) fn timestamp(pod: &Value, pointer: &str) -> Option<Timestamp> {
    text(pod, pointer)?.parse().ok()
}

/// A value's `name`.
pub(crate) fn name(value: &Value) -> Option<&str> {
    value.get("name")?.as_str()
}

/// The reference to the pod's controller, where it has one.
pub(crate) fn controller(pod: &Value) -> Option<&Value> {
    list(pod, "/metadata/ownerReferences")
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

fn texts<'a>(pod: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    pod.pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}
