//! One service, as far as it is known.

use std::collections::{BTreeMap, BTreeSet};

use dataservice_core::consumer::Consumer;
use dataservice_core::plan::PlannedService;
use dataservice_core::progress::{Hope, Known, Progress, Told};
use dataservice_core::reconcile::{Kind, Object, Observed};
use dataservice_core::server::Server;

use super::Notice;

/// One service, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// The uids of its consumers.
    pub(super) consumers: BTreeSet<String>,
    pub(super) observed: Observed,
    /// The uids of its servers; the servers, in the same order.
    server_uids: Vec<String>,
    servers: Vec<Server>,
    /// Of servers that are not ready, by ordinal, the last that its node refused or lost.
    removed: BTreeMap<u32, Server>,
    /// The last notices, the newest last.
    notices: Vec<Notice>,
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_nothing(&self) -> bool {
        self.consumers.is_empty() && self.observed == Observed::default() && self.servers.is_empty()
    }

    pub(super) fn forget_consumer(&mut self, uid: &str) -> bool {
        self.notices.retain(|notice| notice.about != uid);
        self.consumers.remove(uid)
    }

    /// An object as a watch or an answer shows it. An older version than the one that is known says nothing; a newer
    /// one in which nothing has changed that we look at is kept, and no news.
    pub(super) fn show(&mut self, kind: Kind, object: Option<Object>) -> bool {
        let slot = self.observed.slot(kind);
        let is_older =
            slot.as_deref().zip(object.as_ref()).is_some_and(|(known, shown)| is_older(shown, known));
        if is_older {
            return false;
        }
        let versionless = |object: &Object| Object { resource_version: String::new(), ..object.clone() };
        let changed = slot.as_deref().map(versionless) != object.as_ref().map(versionless);
        *slot = object.map(Box::new);
        changed
    }

    pub(super) fn lose(&mut self, kind: Kind) -> bool {
        self.observed.slot(kind).take().is_some()
    }

    pub(super) fn show_server(&mut self, uid: String, mut server: Server) -> bool {
        self.remember_removal(&mut server);
        match self.server_uids.iter().position(|there| *there == uid).and_then(|at| self.servers.get_mut(at))
        {
            Some(there) if *there == server => false,
            Some(there) => {
                *there = server;
                true
            }
            None => {
                self.server_uids.push(uid);
                self.servers.push(server);
                true
            }
        }
    }

    /// A server that its node refuses is deleted at once, and the next one has yet to meet its fate: in between, what
    /// became of the last is told.
    fn remember_removal(&mut self, server: &mut Server) {
        if server.removal.is_some() {
            self.removed.insert(server.ordinal, server.clone());
        } else if server.is_ready {
            self.removed.remove(&server.ordinal);
        } else {
            let last = self.removed.get(&server.ordinal).filter(|last| last.instance == server.instance);
            server.last_removal = last.and_then(|last| last.removal.clone());
        }
    }

    pub(super) fn lose_servers(&mut self, is_gone: impl Fn(&str) -> bool) -> bool {
        let kept: Vec<bool> = self.server_uids.iter().map(|uid| !is_gone(uid)).collect();
        let mut keep = kept.iter();
        self.servers.retain(|_| keep.next().copied().unwrap_or(true));
        let mut keep = kept.iter();
        self.server_uids.retain(|_| keep.next().copied().unwrap_or(true));
        kept.contains(&false)
    }

    pub(super) fn tell(&mut self, notice: Notice) -> bool {
        if self.notices.contains(&notice) {
            return false;
        }
        self.notices.retain(|there| (&there.about, &there.told.text) != (&notice.about, &notice.told.text));
        if self.notices.len() >= MOST_NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(notice);
        true
    }

    pub(super) fn last_failure(&self) -> Option<&Told> {
        self.notices.iter().rev().map(|notice| &notice.told).find(|told| told.hope == Hope::Never)
    }

    pub(super) fn set_uid(&self) -> Option<String> {
        self.observed.stateful_set.as_ref().map(|set| set.uid.clone())
    }

    /// How far the service is, for one of its consumers.
    pub(super) fn progress(&self, consumer: &Consumer, service: &PlannedService) -> Progress {
        let set = self.observed.stateful_set.as_ref().map(|set| set.uid.as_str());
        let concerns =
            |notice: &&Notice| notice.about == consumer.pod.uid || Some(notice.about.as_str()) == set;
        let told: Vec<_> =
            self.notices.iter().rev().filter(concerns).map(|notice| notice.told.clone()).collect();
        let known = Known { observed: &self.observed, servers: &self.servers, told: &told };
        Progress::of_service(consumer, service, &known)
    }
}

/// Whether one version of the same object is older than another. (Versions are comparable numbers since Kubernetes
/// 1.35, KEP-5504, and have been in fact since etcd 3; what is no number is taken as it comes.)
fn is_older(shown: &Object, known: &Object) -> bool {
    let number = |object: &Object| object.resource_version.parse::<u64>().ok();
    shown.uid == known.uid && number(shown).zip(number(known)).is_some_and(|(shown, known)| shown < known)
}

/// One for each of a few servers and consumers.
const MOST_NOTICES: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn server(instance: &str, status: &Value) -> Server {
        let labels = json!({"app.kubernetes.io/managed-by": "flyte-dataservice", "dataservice.flyte.org/instance": instance});
        let metadata =
            json!({"name": "graph-0", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": labels});
        Server::read(&json!({"metadata": metadata, "status": status})).unwrap()
    }

    #[test]
    fn why_a_server_was_removed_is_told_of_its_successor_until_that_is_ready() {
        let mut entry = Entry::default();
        let rejected = json!({"phase": "Failed", "reason": "OutOfcpu", "message": "no"});
        entry.show_server("a".to_owned(), server("i", &rejected));
        entry.lose_servers(|uid| uid == "a");
        let last = |entry: &mut Entry, uid: &str, instance: &str, status: &Value| {
            entry.show_server(uid.to_owned(), server(instance, status));
            let shown = entry.servers.last().and_then(|server| server.last_removal.clone());
            shown.map(|removal| removal.to_string())
        };
        assert_eq!(last(&mut entry, "b", "i", &json!({})).as_deref(), Some("OutOfcpu: no"));
        assert!(!entry.show_server("b".to_owned(), server("i", &json!({}))), "that is no news");
        assert_eq!(last(&mut entry, "c", "another making", &json!({})), None);
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(last(&mut entry, "d", "i", &ready), None);
        assert_eq!(last(&mut entry, "e", "i", &json!({})), None);
    }
}
