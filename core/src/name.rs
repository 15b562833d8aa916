//! Names that users choose, in the grammar of the Kubernetes objects that they end up in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::quote;

/// A data service's name as its user writes it: a DNS label that starts with a letter (it becomes the name of a
/// Service, RFC 1035), at most 40 characters, so that the object's name with its hash stays below the 52 at which
/// a StatefulSet stops getting pods.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// Not a [`ServiceName`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{} is not a service name; allowed: at most 40 lower-case letters, digits and '-', \
     starting with a letter and not ending with '-'",
    quote(.0)
)]
pub struct InvalidServiceName(String);

/// The name of a Kubernetes object that exists already: a DNS subdomain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

/// Not an [`ObjectName`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{} is not the name of a Kubernetes object; allowed: at most 63 lower-case letters, digits and '-'",
    quote(.0)
)]
pub struct InvalidObjectName(String);

// === impl ServiceName ===

impl ServiceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the tail of an environment variable's: `graph-cache` is `GRAPH_CACHE`.
    #[must_use]
    pub fn to_env(&self) -> String {
        self.0.to_ascii_uppercase().replace('-', "_")
    }
}

impl Default for ServiceName {
    fn default() -> Self {
        Self("dataservice".to_owned())
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let starts_with_letter = text.starts_with(|c: char| c.is_ascii_lowercase());
        if starts_with_letter && is_label(text, 40) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidServiceName(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidServiceName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl ObjectName ===

impl ObjectName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = InvalidObjectName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_label(text, 63) { Ok(Self(text.to_owned())) } else { Err(InvalidObjectName(text.to_owned())) }
    }
}

impl TryFrom<String> for ObjectName {
    type Error = InvalidObjectName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` is a DNS label (RFC 1123) of at most `longest` characters.
fn is_label(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= longest
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_is_a_dns_label_of_forty() {
        for good in ["a", "graph-cache", "g2", &"a".repeat(40)] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        for bad in ["", "2g", "-a", "a-", "Graph", "a.b", "a_b", "ä", &"a".repeat(41)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_message_says_what_is_allowed() {
        assert_eq!(
            "Graph".parse::<ServiceName>().unwrap_err().to_string(),
            "\"Graph\" is not a service name; allowed: at most 40 lower-case letters, digits and '-', \
             starting with a letter and not ending with '-'"
        );
    }

    #[test]
    fn two_names_never_share_an_environment_variable() {
        assert_eq!("graph-cache".parse::<ServiceName>().unwrap().to_env(), "GRAPH_CACHE");
    }
}
