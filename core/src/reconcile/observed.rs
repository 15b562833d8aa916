//! What is there under a service's name.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::Claim;
use crate::consumer::Owner;
use crate::pod;
use crate::record::{Instance, Record};

/// What is there under a service's name. Objects that are not ours are not seen here; creating beside them fails.
///
/// Boxed: most services that are known are waited for, or gone but for their consumers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// The StatefulSet, whose record wins.
    pub stateful_set: Option<Box<Object>>,
    /// The headless Service.
    pub service: Option<Box<Object>>,
    /// The NetworkPolicy, of a service that is isolated.
    pub network_policy: Option<Box<Object>>,
}

/// An object of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Object {
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it says of itself.
    pub record: Arc<Record>,
    /// Its owners.
    pub owners: Vec<Owner>,
    /// The uid of the StatefulSet of its own name, if that owns it: it goes with that one.
    pub attached_to: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The kinds of object that a service consists of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Who may reach the servers.
    NetworkPolicy,
    /// Their names.
    Service,
    /// The servers.
    StatefulSet,
}

// === impl Object ===

impl Object {
    /// Reads an object, if it is ours.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let text = |pointer| pod::text(object, pointer).map(str::to_owned);
        let owners = pod::list(object, "/metadata/ownerReferences").iter();
        let owners: Vec<_> = owners.filter_map(Owner::read).collect();
        let name = pod::name(object.get("metadata")?)?;
        Some(Self {
            uid: text("/metadata/uid")?,
            resource_version: text("/metadata/resourceVersion")?,
            created_at: pod::timestamp(object, "/metadata/creationTimestamp")?,
            record: Arc::new(Record::read(object)?),
            attached_to: owners.iter().find(|owner| owner.is_set(name)).map(|owner| owner.uid.clone()),
            owners,
            deleting: object.pointer("/metadata/deletionTimestamp").is_some(),
        })
    }

    /// Whether it is about to go: who wants something else under its name waits for that.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.deleting || self.record.closing
    }

    /// Whether the object with this uid is among its owners.
    #[must_use]
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owners.iter().any(|owner| owner.uid == uid)
    }
}

// === impl Kind ===

impl Kind {
    /// All of them, in the order in which they are made: resolvers remember a missing name for 30 s, and servers are
    /// not to be open to everybody even for a moment.
    pub const ALL: [Self; 3] = [Self::Service, Self::NetworkPolicy, Self::StatefulSet];
}

// === impl Observed ===

impl Observed {
    /// The object of this kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&Object> {
        match kind {
            Kind::NetworkPolicy => self.network_policy.as_deref(),
            Kind::Service => self.service.as_deref(),
            Kind::StatefulSet => self.stateful_set.as_deref(),
        }
    }

    /// The place of the object of this kind.
    pub fn slot(&mut self, kind: Kind) -> &mut Option<Box<Object>> {
        match kind {
            Kind::NetworkPolicy => &mut self.network_policy,
            Kind::Service => &mut self.service,
            Kind::StatefulSet => &mut self.stateful_set,
        }
    }

    /// What is there.
    pub fn objects(&self) -> impl Iterator<Item = (Kind, &Object)> {
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }

    /// What is there besides the StatefulSet.
    pub fn others(&self) -> impl Iterator<Item = (Kind, &Object)> {
        self.objects().filter(|(kind, _)| *kind != Kind::StatefulSet)
    }

    /// Whether another StatefulSet has the object than the one that is seen. Either that one is gone, and the collector
    /// takes what it has left; or it is there, and not seen yet.
    pub(super) fn is_left(&self, object: &Object) -> bool {
        object.attached_to.is_some()
            && object.attached_to.as_ref() != self.stateful_set.as_ref().map(|set| &set.uid)
    }

    /// The record that counts for `live`: the StatefulSet's. Where there is only a Service, it is half of a making for
    /// one of these, or left over from a service that is gone.
    pub(super) fn record_for(&self, live: &[&Claim<'_>]) -> Option<&Record> {
        let is_theirs = |record: &&Record| {
            let staying = live.iter().filter(|claim| claim.lost_at().is_none());
            staying.map(|claim| Instance::of_creator(&claim.consumer.pod.uid)).any(|of| of == record.instance)
        };
        let half = self.service.as_deref().map(|object| object.record.as_ref()).filter(is_theirs);
        self.stateful_set.as_deref().map(|object| object.record.as_ref()).or(half)
    }

    /// Of the kinds that a service with `record` consists of, those that are not there.
    pub(crate) fn missing(&self, record: &Record) -> Vec<Kind> {
        let is_missing = |kind: &Kind| self.get(*kind).is_none();
        Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::NetworkPolicy || record.isolated)
            .filter(is_missing)
            .collect()
    }
}
