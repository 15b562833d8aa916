//! What a server asks of its node, in Flyte's words or Kubernetes'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::problem::{nearest, quote};
use crate::quantity::Quantity;

/// Amounts by Kubernetes' resource names.
pub type Amounts = BTreeMap<String, Quantity>;

/// Requests and limits, as a container has them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: Amounts,
    /// What the server may not pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: Amounts,
}

// === impl Resources ===

impl Resources {
    /// Fills in what its user left out: a side that was not given follows the other, and what neither names comes
    /// from `defaults`.
    ///
    /// So requests are never above limits, unless the user wrote it so ([`over_limit`](Self::over_limit)).
    #[must_use]
    pub fn resolve(&self, defaults: &Self) -> Self {
        let mut resolved = self.clone();
        for (name, default) in &defaults.requests {
            if !self.requests.contains_key(name) && !self.limits.contains_key(name) {
                resolved.requests.insert(name.clone(), default.clone());
                let limit = defaults.limits.get(name).unwrap_or(default);
                resolved.limits.insert(name.clone(), limit.clone());
            }
        }
        for (name, request) in &self.requests {
            resolved.limits.entry(name.clone()).or_insert_with(|| request.clone());
        }
        for (name, limit) in &self.limits {
            resolved.requests.entry(name.clone()).or_insert_with(|| limit.clone());
        }
        resolved
    }

    /// These, and of `template`'s those that are named on neither side here.
    #[must_use]
    pub fn or_template(&self, template: &Self) -> Self {
        let mut both = self.clone();
        let unnamed = |name: &String| !self.requests.contains_key(name) && !self.limits.contains_key(name);
        let add = |side: &mut Amounts, template: &Amounts| {
            side.extend(
                template.iter().filter(|(name, _)| unnamed(name)).map(|(k, v)| (k.clone(), v.clone())),
            );
        };
        add(&mut both.requests, &template.requests);
        add(&mut both.limits, &template.limits);
        both
    }

    /// The resources whose request is above their limit, with both.
    pub fn over_limit(&self) -> impl Iterator<Item = (&str, &Quantity, &Quantity)> {
        self.requests.iter().filter_map(|(name, request)| {
            let limit = self.limits.get(name)?;
            (request > limit).then_some((name.as_str(), request, limit))
        })
    }
}

/// Reads one side: names in Flyte's words (`cpu mem gpu ephemeral_storage storage`) or Kubernetes'.
pub(crate) fn amounts(pairs: BTreeMap<String, String>) -> Result<Amounts, String> {
    let mut amounts = Amounts::new();
    for (written, value) in pairs {
        let name = resource_name(&written)?;
        let amount: Quantity = value.parse().map_err(|error| format!("{written}={error}"))?;
        if name.contains('/') && !amount.is_whole() {
            return Err(format!("{written}={} is not a whole number, which {name} needs", quote(&value)));
        }
        if amounts.insert(name.to_owned(), amount).is_some() {
            return Err(format!("{} is given twice", quote(name)));
        }
    }
    Ok(amounts)
}

fn resource_name(written: &str) -> Result<&str, String> {
    let is_qualified = |name: &str| {
        name.split_once('/').is_some_and(|(domain, name)| {
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !domain.is_empty() && !name.is_empty() && domain.chars().all(part) && name.chars().all(part)
        })
    };
    match written {
        "cpu" | "memory" | "ephemeral-storage" => Ok(written),
        "mem" => Ok("memory"),
        "gpu" => Ok("nvidia.com/gpu"),
        "ephemeral_storage" | "storage" => Ok("ephemeral-storage"),
        _ if is_qualified(written) || written.starts_with("hugepages-") => Ok(written),
        _ => {
            let meant =
                nearest(written, KNOWN).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
            Err(format!(
                "{} is not a resource{meant}; allowed: {}, or a full name such as nvidia.com/gpu",
                quote(written),
                KNOWN.join(", ")
            ))
        }
    }
}

const KNOWN: [&str; 7] = ["cpu", "mem", "memory", "gpu", "ephemeral_storage", "ephemeral-storage", "storage"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Amounts, String> {
        amounts(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn resources(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> Resources {
        Resources { requests: read(requests).unwrap(), limits: read(limits).unwrap() }
    }

    fn defaults() -> Resources {
        resources(&[("cpu", "2"), ("mem", "10G")], &[("cpu", "6"), ("mem", "16G")])
    }

    #[test]
    fn flytes_words_become_kubernetes_names() {
        let read = read(&[("cpu", "1"), ("mem", "1Gi"), ("gpu", "2"), ("ephemeral_storage", "5Gi")]).unwrap();
        assert_eq!(
            read.keys().map(String::as_str).collect::<Vec<_>>(),
            ["cpu", "ephemeral-storage", "memory", "nvidia.com/gpu"]
        );
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(Resources::default().resolve(&defaults()), defaults());
    }

    #[test]
    fn a_side_that_was_not_given_follows_the_other() {
        let expected = resources(&[("cpu", "8"), ("mem", "10G")], &[("cpu", "8"), ("mem", "16G")]);
        assert_eq!(resources(&[("cpu", "8")], &[]).resolve(&defaults()), expected);
        let expected = resources(&[("cpu", "1"), ("mem", "10G")], &[("cpu", "1"), ("mem", "16G")]);
        assert_eq!(resources(&[], &[("cpu", "1")]).resolve(&defaults()), expected);
    }

    #[test]
    fn a_resource_nobody_knows_is_refused_with_what_was_meant() {
        assert_eq!(
            read(&[("memroy", "1Gi")]).unwrap_err(),
            "\"memroy\" is not a resource (did you mean \"memory\"?); allowed: cpu, mem, memory, gpu, \
             ephemeral_storage, ephemeral-storage, storage, or a full name such as nvidia.com/gpu"
        );
        assert_eq!(
            read(&[("gpu", "0.5")]).unwrap_err(),
            "gpu=\"0.5\" is not a whole number, which nvidia.com/gpu needs"
        );
        assert_eq!(read(&[("mem", "1"), ("memory", "1")]).unwrap_err(), "\"memory\" is given twice");
    }

    proptest! {
        #[test]
        fn requests_never_end_above_limits(
            requests in proptest::collection::btree_map("(cpu|mem|gpu)", "[0-9]{1,4}", 0..3),
            limits in proptest::collection::btree_map("(cpu|mem|gpu)", "[0-9]{1,4}", 0..3),
        ) {
            let written = Resources { requests: amounts(requests).unwrap(), limits: amounts(limits).unwrap() };
            prop_assume!(written.over_limit().next().is_none());
            let resolved = written.resolve(&defaults());
            prop_assert!(resolved.over_limit().next().is_none());
            prop_assert_eq!(resolved.resolve(&defaults()), resolved);
        }
    }
}
