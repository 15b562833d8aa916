//! Image references.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::quote;

/// An image reference, `[registry/]path[:tag][@digest]`, in the grammar of distribution/reference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef(String);

/// Not an [`ImageRef`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} is not an image reference: {reason}; allowed: [registry/]path[:tag][@sha256:…]", quote(.text))]
pub struct InvalidImageRef {
    text: String,
    reason: &'static str,
}

// === impl ImageRef ===

impl ImageRef {
    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text).map_err(|reason| InvalidImageRef { text: text.to_owned(), reason })?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ImageRef {
    type Error = InvalidImageRef;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.0
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    // A colon before the last slash belongs to the registry's port.
    let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest.get(last_slash..).and_then(|last| last.find(':')) {
        Some(at) => (rest.get(..last_slash + at), rest.get(last_slash + at + 1..)),
        None => (Some(rest), None),
    };
    check_name(name.unwrap_or_default())?;
    tag.map_or(Ok(()), check_tag)?;
    digest.map_or(Ok(()), check_digest)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > 255 {
        return Err("its name is longer than 255 characters");
    }
    let mut parts = name.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let has_registry = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    if has_registry {
        parts.next();
        check_registry(first)?;
    }
    if parts.all(is_path_part) {
        Ok(())
    } else {
        Err("a part of its path is empty, has upper-case letters or characters other than a-z 0-9 . _ -")
    }
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
    let label = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if !host.split('.').all(label) {
        return Err("its registry is not a host name");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("its registry's port is not a number up to 65535");
    }
    Ok(())
}

/// Alphanumerics, joined by one dot, one or two underscores, or any number of dashes.
fn is_path_part(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = part.split(alphanumeric).filter(|separator| !separator.is_empty());
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = (1..=128).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-');
    if good {
        Ok(())
    } else {
        Err("its tag is empty, longer than 128 characters or has characters other than a-z A-Z 0-9 . _ -")
    }
}

fn check_digest(digest: &str) -> Result<(), &'static str> {
    let hex = |text: &str| text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let algorithm = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b))
    };
    match digest.split_once(':') {
        Some(("sha256", value)) if value.len() != 64 => Err("its sha256 digest has not 64 digits"),
        Some((name, value)) if algorithm(name) && hex(value) => Ok(()),
        _ => Err("its digest is not algorithm:hex"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_form_are_accepted() {
        let digest = format!("ge-server@sha256:{}", "0a".repeat(32));
        for good in [
            "ge-server",
            "ge-server:1.4",
            "localhost/busybox:1",
            "localhost:5000/a/b",
            "registry.example:5000/team/ge__server.x-y--z:v1_A",
            "team/ge-server",
            &digest,
        ] {
            assert!(good.parse::<ImageRef>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_no_registry_could_serve_is_refused() {
        let long = "a/".repeat(200) + "a";
        for bad in [
            "",
            ":1",
            "a:",
            "a b",
            "A/b",
            "a//b",
            "/a",
            "a/",
            "a:b:c",
            "a@sha256:12",
            "a@",
            "x.y:port/a",
            "a___b",
            "a..b",
            "-a",
            "a;rm",
            "a\n",
            "ä",
            &long,
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
        assert_eq!(
            "Graph:1".parse::<ImageRef>().unwrap_err().to_string(),
            "\"Graph:1\" is not an image reference: a part of its path is empty, has upper-case letters or \
             characters other than a-z 0-9 . _ -; allowed: [registry/]path[:tag][@sha256:…]"
        );
    }
}
