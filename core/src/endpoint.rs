//! The names under which a task reaches the servers.

use crate::dns::Naming;

/// Every endpoint of a service: `<object>-<ordinal>.<object>[.<suffix>]:<port>`, in ordinal order.
pub fn endpoints(object: &str, replicas: u32, port: u16, naming: &Naming) -> impl Iterator<Item = String> {
    let suffix = naming.suffix();
    (0..replicas).map(move |ordinal| format!("{object}-{ordinal}.{object}{suffix}:{port}"))
}

/// The endpoints as `MY_DATASERVICES` has them: separated by one blank.
#[must_use]
pub fn joined(object: &str, replicas: u32, port: u16, naming: &Naming) -> String {
    endpoints(object, replicas, port, naming).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_in_ordinal_order() {
        assert_eq!(
            joined("graph-1", 3, 40_000, &Naming::Short),
            "graph-1-0.graph-1:40000 graph-1-1.graph-1:40000 graph-1-2.graph-1:40000"
        );
        let full = Naming::Full { suffix: ".ns.svc.cluster.local".to_owned() };
        assert_eq!(joined("g", 1, 1, &full), "g-0.g.ns.svc.cluster.local:1");
    }
}
