//! The API server, as far as a service's objects are concerned: versions, preconditions, garbage collection.

use dataservice_core::reconcile::Kind;

use crate::note::Note;

/// The objects under each of the services' names.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ApiServer {
    pub(crate) services: Vec<Pair>,
}

/// A service's objects.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Pair {
    pub(crate) set: Option<Object>,
    /// The headless Service.
    pub(crate) names: Option<Object>,
}

/// An object.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Object {
    /// Of several under the same name, a later one has a greater uid.
    pub(crate) uid: u8,
    /// Its resourceVersion.
    pub(crate) version: u8,
    /// What it says of itself; somebody else's says nothing.
    pub(crate) note: Option<Note>,
    /// The numbers of its owners, as bits.
    pub(crate) owners: Owners,
    /// The uid of the StatefulSet that owns it, instead of them; 0 where none does.
    pub(crate) attached_to: u8,
    /// Only as a controller knows it: here it is gone at once.
    pub(crate) deleting: bool,
}

/// Numbers of owners.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Owners(pub(crate) u16);

/// Where an object is: the service, and its kind.
pub(crate) type Place = (usize, Kind);

/// Why the API server did not do what it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// 404.
    Gone,
    /// 409 of a precondition, 422 of a patch's test.
    Changed,
}

// === impl ApiServer ===

impl ApiServer {
    pub(crate) fn new(services: usize) -> Self {
        Self { services: vec![Pair::default(); services] }
    }

    pub(crate) fn get(&self, (service, kind): Place) -> Option<Object> {
        self.services[service].get(kind)
    }

    /// Makes an object; where one is already, that one is handed back.
    pub(crate) fn create(&mut self, (service, kind): Place, object: Object) -> Result<(), Object> {
        let slot = self.services[service].slot(kind);
        if let Some(there) = slot {
            return Err(*there);
        }
        *slot = Some(object);
        Ok(())
    }

    /// Deletes an object, if it has this uid, and this version.
    pub(crate) fn delete(
        &mut self,
        (service, kind): Place,
        uid: u8,
        version: Option<u8>,
    ) -> Result<Object, Refusal> {
        let slot = self.services[service].slot(kind);
        let there = slot.ok_or(Refusal::Gone)?;
        if there.uid != uid || version.is_some_and(|version| version != there.version) {
            return Err(Refusal::Changed);
        }
        *slot = None;
        Ok(there)
    }

    /// Changes what a StatefulSet says of itself, if it has this uid and this version; as it was before.
    pub(crate) fn update(
        &mut self,
        service: usize,
        (uid, version): (u8, u8),
        note: Note,
        add: Owners,
    ) -> Result<Object, Refusal> {
        let there = self.services[service].set.as_mut().ok_or(Refusal::Gone)?;
        if (there.uid, there.version) != (uid, version) {
            return Err(Refusal::Changed);
        }
        let before = *there;
        let owners = there.owners.and(add);
        *there = Object { version: version + 1, note: Some(note), owners, ..before };
        Ok(before)
    }

    /// Has a StatefulSet own an object, if that has this uid and this version; and nobody else.
    pub(crate) fn attach(
        &mut self,
        (service, kind): Place,
        (uid, version): (u8, u8),
        set: u8,
    ) -> Result<Object, Refusal> {
        let there = self.services[service].slot(kind).as_mut().ok_or(Refusal::Gone)?;
        if (there.uid, there.version) != (uid, version) {
            return Err(Refusal::Changed);
        }
        *there = Object { version: version + 1, owners: Owners::default(), attached_to: set, ..*there };
        Ok(*there)
    }

    /// Whether the garbage collector has something to do here.
    pub(crate) fn has_garbage(&self, place: Place, present: Owners) -> bool {
        self.get(place).is_some_and(|object| match object.attached_to {
            0 => object.owners.among(present) != object.owners,
            set => self.services[place.0].set.is_none_or(|there| there.uid != set),
        })
    }

    /// The garbage collector's look: an object without an owner that is there is deleted, and handed back; of several
    /// owners the absent ones are taken off. It tests what it has looked at, so that this is one step.
    pub(crate) fn collect(&mut self, (service, kind): Place, present: Owners) -> Option<Object> {
        if !self.has_garbage((service, kind), present) {
            return None;
        }
        let slot = self.services[service].slot(kind);
        let there = slot.as_mut()?;
        let owners = there.owners.among(present);
        if owners == Owners::default() {
            return slot.take();
        }
        *there = Object { version: there.version + 1, owners, ..*there };
        None
    }
}

// === impl Pair ===

impl Pair {
    pub(crate) fn get(&self, kind: Kind) -> Option<Object> {
        match kind {
            Kind::NetworkPolicy => None,
            Kind::Service => self.names,
            Kind::StatefulSet => self.set,
        }
    }

    pub(crate) fn slot(&mut self, kind: Kind) -> &mut Option<Object> {
        match kind {
            Kind::NetworkPolicy => unreachable!("no service here is isolated"),
            Kind::Service => &mut self.names,
            Kind::StatefulSet => &mut self.set,
        }
    }
}

// === impl Owners ===

impl Owners {
    pub(crate) fn with(self, owner: usize) -> Self {
        Self(self.0 | 1 << owner)
    }

    pub(crate) fn has(self, owner: usize) -> bool {
        self.0 & 1 << owner != 0
    }

    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

/// The kinds of a service's objects here.
pub(crate) const KINDS: [Kind; 2] = [Kind::Service, Kind::StatefulSet];
