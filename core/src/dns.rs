//! Whether a pod can resolve the names of its namespace's Services, and which form of them.
//!
//! Measured on a real cluster (kubernetes.md): short names fail with hostNetwork and `ClusterFirst`, with
//! `Default`, and with `None` where the namespace's search list is missing.

use serde_json::Value;

use crate::pod;

/// The form of the names that a pod can resolve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Naming {
    /// `name-0.name`.
    Short,
    /// `name-0.name.<namespace>.svc.<cluster domain>`.
    Full {
        /// What is appended, with its dot.
        suffix: String,
    },
}

/// The pod asks a name server that knows nothing of the cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unresolvable {
    /// `dnsPolicy: Default`.
    #[error(
        "with dnsPolicy: Default the pod cannot resolve its data service's names; set dnsPolicy: ClusterFirst"
    )]
    NodeDns,
    /// `hostNetwork: true` with `dnsPolicy: ClusterFirst`, which then means `Default`.
    #[error(
        "with hostNetwork: true and dnsPolicy: ClusterFirst the pod cannot resolve its data service's names; \
         set dnsPolicy: ClusterFirstWithHostNet"
    )]
    HostNetwork,
}

// === impl Naming ===

impl Naming {
    /// The form of names that `pod` can resolve in `namespace`.
    pub fn of(pod: &Value, namespace: &str, cluster_domain: &str) -> Result<Self, Unresolvable> {
        let search = format!("{namespace}.svc.{cluster_domain}");
        let searches = pod::list(pod, "/spec/dnsConfig/searches");
        let host_network = pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true));
        match pod::text(pod, "/spec/dnsPolicy").unwrap_or("ClusterFirst") {
            "Default" => Err(Unresolvable::NodeDns),
            "ClusterFirst" if host_network => Err(Unresolvable::HostNetwork),
            "None"
                if !searches
                    .iter()
                    .any(|s| s.as_str().is_some_and(|s| s.trim_end_matches('.') == search)) =>
            {
                Ok(Self::Full { suffix: format!(".{search}") })
            }
            _ => Ok(Self::Short),
        }
    }

    /// What follows the short name.
    pub(crate) fn suffix(&self) -> String {
        match self {
            Self::Short => String::new(),
            Self::Full { suffix } => suffix.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn naming(spec: &Value) -> Result<Naming, Unresolvable> {
        Naming::of(&json!({"spec": spec}), "ns", "cluster.local")
    }

    #[test]
    fn most_pods_resolve_short_names() {
        for spec in [
            json!({}),
            json!({"dnsPolicy": "ClusterFirst"}),
            json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}),
            json!({"dnsPolicy": "None", "dnsConfig": {"searches": ["x", "ns.svc.cluster.local"]}}),
        ] {
            assert_eq!(naming(&spec), Ok(Naming::Short));
        }
    }

    #[test]
    fn without_the_search_list_full_names_are_used() {
        let full = Naming::Full { suffix: ".ns.svc.cluster.local".to_owned() };
        assert_eq!(naming(&json!({"dnsPolicy": "None"})), Ok(full));
    }

    #[test]
    fn pods_that_ask_the_nodes_resolver_are_told_what_to_set() {
        assert_eq!(naming(&json!({"dnsPolicy": "Default"})), Err(Unresolvable::NodeDns));
        let error = naming(&json!({"hostNetwork": true})).unwrap_err();
        assert!(error.to_string().ends_with("set dnsPolicy: ClusterFirstWithHostNet"));
    }
}
