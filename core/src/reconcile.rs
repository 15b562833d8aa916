//! What has to be done so that a service's objects match its consumers.
//!
//! One service at a time, and every time from nothing: the answer depends on the consumers, on what is there and
//! on the time, never on what was done before. A missed event, a restart or a second replica changes nothing.

use jiff::Timestamp;

use crate::consumer::{Consumer, Owner, PodRef, Standing};
use crate::key::Key;
use crate::plan::PlannedService;
use crate::record::{self, Instance, Record};

/// A consumer's claim to one of the services it was promised.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The pod.
    pub consumer: &'a Consumer,
    /// What it was promised.
    pub service: &'a PlannedService,
}

/// How sure it is that all consumers are among the claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Knowledge {
    /// They come from watches, which may be behind each other: a consumer may be missing.
    Watched,
    /// They were listed from the API server just now.
    Listed,
}

/// What is there under a service's name. Objects that are not ours are not seen here; creating beside them fails.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// The StatefulSet.
    pub stateful_set: Option<Object>,
    /// The headless Service.
    pub service: Option<Object>,
}

/// An object of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Object {
    /// Its uid.
    pub uid: String,
    /// What it says of itself.
    pub record: Record,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The kinds of object that a service consists of.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// The servers.
    StatefulSet,
    /// Their names.
    Service,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nobody here claims the service, and watches may be behind: list its consumers and ask again.
    Confirm,
    /// Make what is missing.
    Create {
        /// What it is made from, and for whom.
        creation: Box<Creation>,
        /// The objects to make.
        kinds: Vec<Kind>,
    },
    /// Delete one object, if it still has this uid.
    Delete {
        /// Which object.
        kind: Kind,
        /// Its uid.
        uid: String,
    },
    /// Tell a pod why it does not get the service.
    Refuse {
        /// The pod.
        pod: PodRef,
        /// Why.
        cause: Refusal,
    },
    /// Ask again then, though nothing has changed.
    Revisit(Timestamp),
}

/// What a service is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Creation {
    /// What the first consumer was promised.
    pub service: PlannedService,
    /// Where.
    pub namespace: String,
    /// What its objects will say of themselves.
    pub record: Record,
    /// What its objects are owned by.
    pub owners: Vec<Owner>,
    /// The pods that it is made for.
    pub consumers: Vec<PodRef>,
}

/// Why a pod does not get a service.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It runs already, for the same key and from another specification.
    #[error("its specification differs from that of the service that is there, key {0}")]
    OtherSpec(Key),
    /// The name is that of another key's service: eight characters of hash met.
    #[error("its name is taken by the service with the key {0}")]
    OtherKey(Key),
}

/// What has to be done for the service that all of `claims` are for, at `now`.
#[must_use]
pub fn reconcile(
    claims: &[Claim<'_>],
    observed: &Observed,
    knowledge: Knowledge,
    now: Timestamp,
) -> Vec<Action> {
    let mut live: Vec<_> = claims.iter().filter(|claim| claim.consumer.standing.is_live(now)).collect();
    live.sort_by_key(|claim| (claim.consumer.created_at, &claim.consumer.pod.uid));
    match live.split_first() {
        None if claims.is_empty() && knowledge == Knowledge::Watched => {
            observed.any().then_some(Action::Confirm).into_iter().collect()
        }
        None => close(observed),
        Some((first, _)) => keep(first, &live, observed),
    }
}

/// Nobody needs it: delete what is there.
fn close(observed: &Observed) -> Vec<Action> {
    observed
        .objects()
        .filter(|(_, object)| !object.deleting)
        .map(|(kind, object)| Action::Delete { kind, uid: object.uid.clone() })
        .collect()
}

/// Somebody needs it: make what is missing, and say who cannot share it.
fn keep(first: &Claim<'_>, live: &[&Claim<'_>], observed: &Observed) -> Vec<Action> {
    let there = observed.objects().next().map(|(_, object)| &object.record);
    let record = there.cloned().unwrap_or_else(|| Record {
        version: record::VERSION,
        key: first.service.key.clone(),
        scope: first.service.scope,
        hash: first.service.hash.clone(),
        instance: Instance::of_creator(&first.consumer.pod.uid),
    });
    let (sharing, refused): (Vec<&Claim<'_>>, Vec<&Claim<'_>>) =
        live.iter().copied().partition(|claim| refusal(claim, &record).is_none());
    let refusals = refused.into_iter().filter_map(|claim| {
        Some(Action::Refuse { pod: claim.consumer.pod.clone(), cause: refusal(claim, &record)? })
    });
    let revisits = live.iter().filter_map(|claim| match claim.consumer.standing {
        Standing::LiveUntil(at) => Some(at),
        Standing::Live | Standing::Ended(_) => None,
    });
    let revisit = revisits.min().map(Action::Revisit);
    complete(&sharing, &record, observed).into_iter().chain(refusals).chain(revisit).collect()
}

/// Makes what is missing for `sharing`; what is half of another making is deleted first.
fn complete(sharing: &[&Claim<'_>], record: &Record, observed: &Observed) -> Vec<Action> {
    let Some(first) = sharing.first() else { return Vec::new() };
    if observed.objects().any(|(_, object)| object.deleting) {
        // Its deletion is seen when it is done; the name is free then.
        return Vec::new();
    }
    let strangers = observed.objects().filter(|(_, object)| object.record.instance != record.instance);
    let deletions: Vec<_> =
        strangers.map(|(kind, object)| Action::Delete { kind, uid: object.uid.clone() }).collect();
    if !deletions.is_empty() {
        return deletions;
    }
    let kinds = observed.missing();
    if kinds.is_empty() {
        return Vec::new();
    }
    let mut owners: Vec<_> = sharing.iter().map(|claim| claim.consumer.owner.clone()).collect();
    owners.sort();
    owners.dedup();
    let creation = Creation {
        service: first.service.clone(),
        namespace: first.consumer.pod.namespace.clone(),
        record: record.clone(),
        owners,
        consumers: sharing.iter().map(|claim| claim.consumer.pod.clone()).collect(),
    };
    vec![Action::Create { creation: Box::new(creation), kinds }]
}

/// Why this claim cannot be met by the service with this record.
fn refusal(claim: &Claim<'_>, record: &Record) -> Option<Refusal> {
    if claim.service.key != record.key {
        return Some(Refusal::OtherKey(record.key.clone()));
    }
    (claim.service.hash != record.hash).then(|| Refusal::OtherSpec(record.key.clone()))
}

// === impl Observed ===

impl Observed {
    /// What is there; the StatefulSet first, whose record wins.
    fn objects(&self) -> impl Iterator<Item = (Kind, &Object)> {
        let stateful_set = self.stateful_set.iter().map(|object| (Kind::StatefulSet, object));
        stateful_set.chain(self.service.iter().map(|object| (Kind::Service, object)))
    }

    fn any(&self) -> bool {
        self.objects().next().is_some()
    }

    /// What is not there. The Service goes first: resolvers remember a missing name for 30 s.
    fn missing(&self) -> Vec<Kind> {
        let service = self.service.is_none().then_some(Kind::Service);
        let stateful_set = self.stateful_set.is_none().then_some(Kind::StatefulSet);
        service.into_iter().chain(stateful_set).collect()
    }
}

#[cfg(test)]
mod tests;
