//! What has to be done so that a service's objects match its consumers.
//!
//! One service at a time, and every time from nothing: the answer depends on the consumers, on what is there and
//! on the time, never on what was done before. A missed event, a restart or a second replica changes nothing.
//!
//! A service that others may come for while it is closed is closed in two phases (design §3): its record is marked, by
//! compare-and-swap; its consumers are listed; it is deleted in the version that was marked, or the mark is taken off.
//! Who comes before the list is found by it; who comes after it sees the mark, and waits.
//!
//! The other objects go with their StatefulSet: once both are there it owns them, and nobody starts before. Until then
//! they may be deleted, in the version that nothing has them; afterwards they are Kubernetes' own collector's. So
//! nothing but the StatefulSet has to be kept from going too early, whoever sees how much of what is there.

mod close;
mod keep;
mod observed;

use jiff::Timestamp;

use crate::consumer::{Consumer, Owner, PodRef};
use crate::key::{Key, Scope};
use crate::plan::PlannedService;
use crate::record::Record;
use crate::resources::Resources;
use crate::spec::Spec;
use crate::standing::Standing;
use crate::waiting::Waiting;

pub use self::close::{HELD_FOR_UNREADABLE, Job};
pub use self::observed::{Kind, Object, Observed};

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
    /// They were listed from the API server just now, and so was the controller that they share, if they do.
    Confirmed(Job),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Have the StatefulSet own one of its other objects, and nobody else, so that they go together.
    Attach(Box<Attachment>),
    /// Before the service is closed: list its consumers, look at the controller that they share, and ask again.
    Confirm,
    /// Make what is missing.
    Create {
        /// What it is made from, and for whom.
        creation: Box<Creation>,
        /// The objects to make.
        kinds: Vec<Kind>,
    },
    /// Delete one object, if it is still this one.
    Delete {
        /// Which object.
        kind: Kind,
        /// Its uid.
        uid: String,
        /// Its version, where it must not have changed since.
        resource_version: Option<String>,
    },
    /// Tell a pod why it does not get the service.
    Refuse {
        /// The pod.
        pod: PodRef,
        /// Why.
        cause: Refusal,
    },
    /// Mark a pod as one that needs its services no more: the leader of its job has ended.
    Release(PodRef),
    /// Ask again then, though nothing has changed.
    Revisit(Timestamp),
    /// Change what the StatefulSet says of itself, if it has not changed since.
    Update(Box<Update>),
}

/// An object that goes with its StatefulSet from now on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachment {
    /// Its kind.
    pub kind: Kind,
    /// Its uid.
    pub uid: String,
    /// Its version: nobody may have changed it since.
    pub resource_version: String,
    /// The StatefulSet.
    pub set: Owner,
}

/// A change of a StatefulSet's record and owners.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The StatefulSet's uid.
    pub uid: String,
    /// Its version: nobody may have changed it since.
    pub resource_version: String,
    /// What it says from now on.
    pub record: Record,
    /// Whether it has owners already.
    pub has_owners: bool,
    /// Who owns it besides.
    pub owners: Vec<Owner>,
}

/// What a service is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Creation {
    /// What the first consumer was promised.
    pub service: PlannedService,
    /// What its user asked for.
    pub spec: Spec,
    /// What a server asks of its node where neither its user nor its template says.
    pub default_resources: Resources,
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
    #[error(
        "all who share the key {key} must ask for the same, and this pod asks for something else than the service that \
         is there: {differences}; ask for the same, or for a service of another name"
    )]
    OtherSpec {
        /// The key that both share.
        key: Key,
        /// What differs.
        differences: String,
    },
    /// The name is that of another key's service: eight characters of hash met.
    #[error("its name is taken by the service with the key {0}; choose another name")]
    OtherKey(Key),
    /// An object has room for so many owners.
    #[error(
        "it is shared by the pods of {MOST_OWNERS} controllers already, and of no more; ask for a service of another \
         name, or with scope namespace, which has no owners"
    )]
    TooManyOwners,
}

/// What has to be done for the service that all of `claims` are for, at `now`.
#[must_use]
pub fn reconcile(
    claims: &[Claim<'_>],
    observed: &Observed,
    knowledge: Knowledge,
    now: Timestamp,
) -> Vec<Action> {
    let released = close::released_by_their_leader(claims, now);
    if !released.is_empty() {
        // They have ended when the mark is seen on them.
        return released;
    }
    let mut live: Vec<_> = claims.iter().filter(|claim| claim.consumer.standing.is_live(now)).collect();
    // Those that are being deleted last: nothing is made for them any more.
    live.sort_by_key(|claim| (claim.lost_at(), claim.consumer.created_at, &claim.consumer.pod.uid));
    let made = live.first().map(|first| Record::of(first.service, &first.consumer.pod.uid));
    let Some(record) = observed.record_for(&live).cloned().or(made) else {
        return close::close(claims, observed, knowledge, now);
    };
    let set = observed.stateful_set.as_deref();
    let refusal = |claim: &Claim<'_>| {
        claim.refusal(&record).or_else(|| set.and_then(|set| claim.refusal_by_owners(set)))
    };
    let (sharing, refused): (Vec<&Claim<'_>>, Vec<&Claim<'_>>) =
        live.iter().copied().partition(|claim| refusal(claim).is_none());
    let mut actions = if sharing.is_empty() {
        close::close(claims, observed, knowledge, now)
    } else {
        keep::keep(claims, &sharing, &record, observed, now)
    };
    // What is about to go is in nobody's way for long.
    let refused = if set.is_some_and(Object::is_going) { Vec::new() } else { refused };
    actions.extend(refused.into_iter().filter_map(|claim| {
        Some(Action::Refuse { pod: claim.consumer.pod.clone(), cause: refusal(claim)? })
    }));
    actions.extend(live.iter().filter_map(|claim| claim.lost_at()).min().map(Action::Revisit));
    actions
}

/// Why what was promised is not the service with this record, if it is not.
pub(crate) fn refusal(service: &PlannedService, record: &Record) -> Option<Refusal> {
    if service.key != record.key {
        return Some(Refusal::OtherKey(record.key.clone()));
    }
    (service.hash != record.hash).then(|| Refusal::OtherSpec {
        key: record.key.clone(),
        differences: record.spec.open().differences(&service.spec.open()),
    })
}

// === impl Claim ===

impl Claim<'_> {
    /// Why it cannot be met by the service with this record, if it cannot.
    #[must_use]
    pub fn refusal(&self, record: &Record) -> Option<Refusal> {
        refusal(self.service, record)
    }

    /// Why a service has no room for its pod's controller. Who has got past its gate has that among the owners.
    #[must_use]
    pub fn refusal_by_owners(&self, set: &Object) -> Option<Refusal> {
        let is_coming = self.consumer.wait != Waiting::Over && self.lost_at().is_none();
        let is_full = set.owners.len() >= MOST_OWNERS;
        (is_coming && is_full && !self.is_owned(set)).then_some(Refusal::TooManyOwners)
    }

    /// Whether its pod's controller is among the owners that it needs. What a namespace shares has none.
    pub(crate) fn is_owned(&self, set: &Object) -> bool {
        self.service.scope == Scope::Namespace || set.is_owned_by(&self.consumer.owner.uid)
    }

    /// When its pod counts as lost, if it is being deleted.
    fn lost_at(&self) -> Option<Timestamp> {
        match self.consumer.standing {
            Standing::LiveUntil(at) => Some(at),
            Standing::Live | Standing::Ended(_) => None,
        }
    }
}

/// Of a StatefulSet: each takes some 300 bytes, managedFields included, and an object may have 1.5 MiB. (Flyte 2 has a
/// controller for each action of a run.)
pub const MOST_OWNERS: usize = 1_000;

#[cfg(test)]
mod tests;
