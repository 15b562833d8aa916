//! A replica's work at a service, as `controller::apply` does it.

use dataservice_core::reconcile::{Job, Kind};

use crate::api_server::{KINDS, Object, Owners, Pair, Place};
use crate::clock::Tick;
use crate::decision::{Call, Certainty, Decision, Question, decide};
use crate::harm::Culprit;
use crate::note::Note;
use crate::replica::Replica;
use crate::scenario::{Precaution, Scenario};
use crate::sight::Sight;
use crate::step::Step;
use crate::world::World;

/// Work at a service: between any two steps anything may happen.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Work {
    /// It is about to list the service's consumers.
    Listing { since: Tick, objects: Pair },
    /// It has listed them, and is about to look at the controller that they share.
    Reading { since: Tick, objects: Pair, listed: Vec<Sight> },
    /// It is about to make these requests, in any order; what they changed is taken in at last.
    Doing { calls: Vec<Call>, updated: Pair },
}

// === impl World ===

impl World {
    /// Whether a replica has something to do for a service, by what it knows.
    pub(crate) fn may_start(&self, number: usize, service: usize, scenario: &Scenario) -> bool {
        let replica = &self.replicas[number];
        let is_free = scenario.limits.watching.is_free();
        let is_prompted = !is_free || replica.is_due(service, self.now());
        let is_free_hand = is_free || replica.desks.iter().all(|desk| desk.work.is_none());
        is_free_hand && replica.works != Some(0) && replica.is_synced() && is_prompted && {
            let decision = decide(self.question(number, service, scenario), scenario);
            is_free || decision.confirm || !decision.calls.is_empty()
        }
    }

    /// What a replica knows of a service.
    fn question(&self, number: usize, service: usize, scenario: &Scenario) -> Question {
        let view = &self.replicas[number].view;
        let certainty =
            if scenario.lacks(Precaution::Confirmation) { Certainty::Over } else { Certainty::Watched };
        let (pods, objects) = (view.pods.clone(), view.objects[service]);
        Question { service, pods, objects, certainty, now: self.now() }
    }

    pub(crate) fn work(&self, number: usize, scenario: &Scenario) -> Vec<Step> {
        let replica = &self.replicas[number];
        let mut steps = Vec::new();
        for (service, desk) in replica.desks.iter().enumerate() {
            match &desk.work {
                None if self.may_start(number, service, scenario) => steps.push(Step::Start(number, service)),
                None => {}
                Some(Work::Listing { .. } | Work::Reading { .. }) => steps.push(Step::Look(number, service)),
                Some(Work::Doing { calls, .. }) if calls.is_empty() => {
                    steps.push(Step::Finish(number, service));
                }
                Some(Work::Doing { calls, .. }) => {
                    steps.extend((0..calls.len()).map(|call| Step::Do(number, service, call)));
                }
            }
        }
        steps
    }

    pub(crate) fn start(&mut self, replica: usize, service: usize, scenario: &Scenario) {
        let now = self.now();
        let question = self.question(replica, service, scenario);
        let objects = question.objects;
        let decision = decide(question, scenario);
        let Replica { works, desks, .. } = &mut self.replicas[replica];
        *works = works.map(|works| works - 1);
        let desk = &mut desks[service];
        desk.is_touched = false;
        desk.revisit = desk.revisit.filter(|at| *at > now);
        if decision.confirm {
            desk.work = Some(Work::Listing { since: now, objects });
        } else {
            self.begin(replica, service, &decision, scenario);
        }
    }

    pub(crate) fn look(&mut self, replica: usize, service: usize, scenario: &Scenario) {
        let (since, objects, listed, job) = match self.replicas[replica].desks[service].work.take() {
            Some(Work::Listing { since, objects }) => (since, objects, self.cluster.sights(), None),
            Some(Work::Reading { since, objects, listed }) => {
                (since, objects, listed, shared_controller(&objects, scenario))
            }
            Some(Work::Doing { .. }) | None => unreachable!("nothing to look at"),
        };
        let desk = &mut self.replicas[replica].desks[service];
        if job.is_none() && shared_controller(&objects, scenario).is_some() {
            desk.work = Some(Work::Reading { since, objects, listed });
            return;
        }
        let certainty = job.map_or(Job::Over, |owner| self.cluster.job(owner)).into();
        let question = Question { service, pods: listed, objects, certainty, now: since };
        self.begin(replica, service, &decide(question, scenario), scenario);
    }

    fn begin(&mut self, replica: usize, service: usize, decision: &Decision, scenario: &Scenario) {
        let desk = &mut self.replicas[replica].desks[service];
        if scenario.limits.watching.is_free() {
            desk.revisit = desk.revisit.into_iter().chain(decision.revisit).min();
        }
        desk.work = Some(Work::Doing { calls: decision.calls.clone(), updated: Pair::default() });
        self.finish_if_idle(replica, service);
    }

    pub(crate) fn request(&mut self, replica: usize, service: usize, call: usize, scenario: &Scenario) {
        match self.take_call(replica, service, call) {
            Call::Attach { kind, uid, version, set } => {
                match self.api.attach((service, kind), (uid, version), set) {
                    Ok(_) => self.updated(replica, (service, kind), scenario),
                    Err(_) => self.failed(replica, service),
                }
            }
            Call::Create { note, owners, names, set } => {
                self.create(replica, service, (note, owners), (names, set));
            }
            Call::Delete { kind, uid, version } => {
                self.delete(replica, (service, kind), (uid, version), scenario);
            }
            Call::Release(pod) => {
                self.cluster.dismiss(pod);
                self.finish_if_idle(replica, service);
            }
            Call::Update { uid, version, note, owners } => {
                match self.api.update(service, (uid, version), note, owners) {
                    Ok(before) => {
                        self.changed(service, before, scenario);
                        self.updated(replica, (service, Kind::StatefulSet), scenario);
                    }
                    Err(_) => self.failed(replica, service),
                }
            }
        }
    }

    /// Makes the next object. Where the name is taken by one with the same key, the work goes on.
    fn create(
        &mut self,
        replica: usize,
        service: usize,
        (note, owners): (Note, Owners),
        (names, set): (bool, bool),
    ) {
        let kind = if names { Kind::Service } else { Kind::StatefulSet };
        let uid = self.fresh_uid((service, kind));
        let object = Object { uid, version: 1, note: Some(note), owners, attached_to: 0, deleting: false };
        let is_there = match self.api.create((service, kind), object) {
            Ok(()) => true,
            Err(there) => there.note.is_some_and(|there| there.record().key == note.record().key),
        };
        if !is_there {
            self.failed(replica, service);
        } else if names && set {
            let rest = Call::Create { note, owners, names: false, set };
            self.calls(replica, service).push(rest);
            self.calls(replica, service).sort();
        } else {
            self.finish_if_idle(replica, service);
        }
    }

    fn delete(
        &mut self,
        replica: usize,
        place: Place,
        (uid, version): (u8, Option<u8>),
        scenario: &Scenario,
    ) {
        let there = self.api.get(place).filter(|_| scenario.lacks(Precaution::Uid));
        match self.api.delete(place, there.map_or(uid, |object| object.uid), version) {
            Ok(lost) => {
                self.lost(place, lost, Culprit::Replica, scenario);
                self.deleted(replica, place, uid);
            }
            Err(_) if version.is_none() => self.deleted(replica, place, uid),
            Err(_) => self.failed(replica, place.0),
        }
    }

    /// A replica takes in what came of a change. (Of deletions it may know at once: they say nothing of another uid.)
    pub(crate) fn finish(&mut self, number: usize, service: usize, scenario: &Scenario) {
        let Replica { view, desks, .. } = &mut self.replicas[number];
        let Some(Work::Doing { updated, .. }) = desks[service].work.take() else { return };
        for kind in KINDS {
            let Some(object) = updated.get(kind) else { continue };
            let known = view.objects[service].get(kind);
            let is_known = known.is_some_and(|known| known.uid == object.uid);
            if is_known || scenario.lacks(Precaution::Memory) {
                desks[service].is_touched |= view.show_object((service, kind), Some(object));
            }
        }
    }

    fn finish_if_idle(&mut self, replica: usize, service: usize) {
        let desk = &mut self.replicas[replica].desks[service];
        if matches!(&desk.work, Some(Work::Doing { calls, updated }) if calls.is_empty() && *updated == Pair::default())
        {
            desk.work = None;
        }
    }

    fn deleted(&mut self, replica: usize, place: Place, uid: u8) {
        self.replicas[replica].view.mark_deleting(place, uid);
        self.finish_if_idle(replica, place.0);
    }

    pub(crate) fn failed(&mut self, replica: usize, service: usize) {
        self.replicas[replica].desks[service].is_touched = true;
        self.finish_if_idle(replica, service);
    }

    fn updated(&mut self, replica: usize, (service, kind): Place, scenario: &Scenario) {
        let object = self.api.get((service, kind));
        let Some(Work::Doing { calls, updated }) = &mut self.replicas[replica].desks[service].work else {
            return;
        };
        *updated.slot(kind) = object;
        if calls.is_empty() && !scenario.limits.watching.is_free() {
            self.finish(replica, service, scenario);
        }
    }

    pub(crate) fn take_call(&mut self, replica: usize, service: usize, call: usize) -> Call {
        self.calls(replica, service).remove(call)
    }

    fn calls(&mut self, replica: usize, service: usize) -> &mut Vec<Call> {
        match &mut self.replicas[replica].desks[service].work {
            Some(Work::Doing { calls, .. }) => calls,
            _ => unreachable!("nothing is being done"),
        }
    }
}

/// The controller that a service's pods share, if it is looked at.
fn shared_controller(objects: &Pair, scenario: &Scenario) -> Option<usize> {
    let set = objects.set?;
    let uid = set.note?.record().key.controller()?;
    (0..scenario.owners.len()).find(|owner| set.owners.has(*owner) && scenario.owners[*owner].uid == uid)
}
