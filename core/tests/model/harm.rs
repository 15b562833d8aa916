//! What must never happen: I2 and I3.

use dataservice_core::reconcile::Kind;

use crate::api_server::{Object, Place};
use crate::note::Note;
use crate::scenario::Scenario;
use crate::world::World;

/// What must never happen, and to which pod.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Harm {
    /// A service has got an owner that is none of its consumers'.
    Adopted,
    /// What is not ours was changed or deleted.
    Foreign,
    /// What a service is was changed.
    Remade,
    /// A pod's StatefulSet was deleted under it.
    Deleted { pod: usize, by: Culprit },
    /// The names of a pod's servers were.
    Unnamed { pod: usize, by: Culprit },
}

/// Who deleted it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Culprit {
    Collector,
    Replica,
}

impl World {
    /// An object was deleted.
    pub(crate) fn lost(&mut self, (service, kind): Place, lost: Object, by: Culprit, scenario: &Scenario) {
        let Some(note) = lost.note else {
            self.harm = Some(Harm::Foreign);
            return;
        };
        let set = if kind == Kind::StatefulSet { Some(lost) } else { self.api.services[service].set };
        // Names of another making are not the ones that its servers have.
        let is_its = |set: &Object| set.note.is_some_and(|set| is_one_making(set, note));
        let Some(set) = set.filter(is_its) else { return };
        let users = (0..scenario.roles.len()).filter(|pod| self.uses(*pod, service, set.uid, scenario));
        // With the pod's own controller its services go, as the pod does.
        let present = self.cluster.present(scenario);
        let is_owned = |pod: usize| present.has(scenario.owner_of(pod));
        let victim = users.into_iter().find(|pod| by == Culprit::Replica || is_owned(*pod));
        self.harm = victim.map(|pod| match kind {
            Kind::StatefulSet => Harm::Deleted { pod, by },
            Kind::NetworkPolicy | Kind::Service => Harm::Unnamed { pod, by },
        });
    }

    /// A StatefulSet was changed; `before` is what it was.
    pub(crate) fn changed(&mut self, service: usize, before: Object, scenario: &Scenario) {
        let after = self.api.services[service].set;
        let (Some(old), Some((new, owners))) =
            (before.note, after.and_then(|after| Some((after.note?, after.owners))))
        else {
            self.harm = Some(Harm::Foreign);
            return;
        };
        if !is_same_service(old, new) {
            self.harm = Some(Harm::Remade);
        }
        let key = &new.record().key;
        let of_the_key = |pod: &usize| scenario.promised(*pod, service).is_some_and(|it| it.key == *key);
        let consumers = (0..scenario.roles.len()).filter(of_the_key);
        let theirs = consumers.map(|pod| scenario.owner_of(pod)).collect::<Vec<_>>();
        if (0..scenario.owners.len()).any(|owner| owners.has(owner) && !theirs.contains(&owner)) {
            self.harm = Some(Harm::Adopted);
        }
    }

    /// Whether a pod lives and was let through to this StatefulSet.
    fn uses(&self, pod: usize, service: usize, uid: u8, scenario: &Scenario) -> bool {
        self.cluster.pods[pod].passed[service] == uid && self.cluster.is_live(pod, scenario)
    }
}

fn is_one_making(one: Note, other: Note) -> bool {
    one.record().instance == other.record().instance
}

/// Whether only what says how long it stays has changed.
fn is_same_service(one: Note, other: Note) -> bool {
    let (one, other) = (one.record(), other.record());
    is_one_making(Note::of(one), Note::of(other))
        && (&one.key, &one.hash, &one.spec, one.scope, one.isolated)
            == (&other.key, &other.hash, &other.spec, other.scope, other.isolated)
}
