//! The pods, their life, and what owns them.

use dataservice_core::key::Scope;
use dataservice_core::reconcile::{Claim, Job};

use crate::api_server::{Owners, Pair};
use crate::clock::Tick;
use crate::role::Role;
use crate::scenario::{Precaution, Scenario};
use crate::sight::Sight;

/// What is there besides the services' objects.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cluster {
    pub(crate) now: Tick,
    pub(crate) pods: Vec<Pod>,
    /// By the number of the owner; those that are pods do not matter.
    pub(crate) controllers: Vec<Controller>,
}

/// A pod.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Pod {
    pub(crate) stage: Stage,
    /// The uids of the StatefulSets that its gate has let it through to, by service; 0 where it has not.
    pub(crate) passed: [u8; MOST_SERVICES],
    leaving: Option<Tick>,
    is_dismissed: bool,
    is_rerun: bool,
    /// It ran to its own end, and is one whose failure is to be looked at.
    pub(crate) is_evidence: bool,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    #[default]
    Absent,
    /// Its gate asks.
    Waiting,
    Running,
    /// Its containers have ended, and it shows this.
    Ended(Sight),
    /// Its object is gone.
    Gone,
}

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Deed {
    Appear,
    /// Its main container exits with 0.
    Complete,
    /// It is deleted, with grace.
    Delete,
    /// Its main container exits with 1, or its gate does.
    Fail,
    /// Its main container has ended, and its sidecar says so before its status does.
    Release,
    /// Its sandbox is killed: sidecar, gate and main run again.
    Rerun,
    /// Its object is gone: at the end of its grace, by force, or after its end.
    Vanish,
}

/// What owns pods.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Controller {
    /// It may make more pods.
    #[default]
    Going,
    /// It says that it is over.
    Over,
    /// Its object is gone.
    Gone,
}

// === impl Deed ===

impl Deed {
    pub(crate) const ALL: [Self; 7] =
        [Self::Appear, Self::Complete, Self::Delete, Self::Fail, Self::Release, Self::Rerun, Self::Vanish];
}

// === impl Cluster ===

impl Cluster {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            now: 0,
            pods: vec![Pod::default(); scenario.roles.len()],
            controllers: vec![Controller::default(); scenario.owners.len()],
        }
    }

    /// The pods as a LIST shows them.
    pub(crate) fn sights(&self) -> Vec<Sight> {
        self.pods.iter().map(Pod::sight).collect()
    }

    pub(crate) fn is_live(&self, pod: usize, scenario: &Scenario) -> bool {
        scenario.roles[pod].is_live(self.pods[pod].sight(), self.now)
    }

    /// The owners that are there.
    pub(crate) fn present(&self, scenario: &Scenario) -> Owners {
        let is_there = |owner: &usize| match scenario.pod_that_is(*owner) {
            Some(pod) => !matches!(self.pods[pod].stage, Stage::Absent | Stage::Gone),
            None => self.controllers[*owner] != Controller::Gone,
        };
        (0..scenario.owners.len()).filter(is_there).fold(Owners::default(), Owners::with)
    }

    /// The controller with this number, as a GET of it shows it.
    pub(crate) fn job(&self, owner: usize) -> Job {
        if self.controllers[owner] == Controller::Going { Job::Unfinished } else { Job::Over }
    }

    /// What may become of a pod now.
    pub(crate) fn deeds(&self, pod: usize, scenario: &Scenario) -> Vec<Deed> {
        let Pod { stage, leaving, .. } = self.pods[pod];
        let role = &scenario.roles[pod].script;
        let possible: &[Deed] = match stage {
            Stage::Absent if self.may_appear(pod, scenario) => return vec![Deed::Appear],
            Stage::Absent | Stage::Gone => &[],
            Stage::Waiting => &[Deed::Fail, Deed::Delete, Deed::Vanish],
            Stage::Running => {
                &[Deed::Complete, Deed::Fail, Deed::Release, Deed::Rerun, Deed::Delete, Deed::Vanish]
            }
            // What its sidecar said first, its status says too.
            Stage::Ended(Sight::Released) => &[Deed::Complete, Deed::Fail, Deed::Vanish],
            Stage::Ended(_) => &[Deed::Vanish],
        };
        let is_possible = |deed: &&Deed| match deed {
            Deed::Delete => leaving.is_none(),
            Deed::Release => !role.restarts,
            Deed::Rerun => role.restarts && leaving.is_none(),
            _ => true,
        };
        possible.iter().filter(|deed| role.may.contains(deed)).filter(is_possible).copied().collect()
    }

    fn may_appear(&self, pod: usize, scenario: &Scenario) -> bool {
        let after = scenario.roles[pod].script.after.as_ref();
        let is_over = |(role, pod): (&Role, &Pod)| {
            after != Some(&role.script.uid) || matches!(pod.stage, Stage::Ended(_) | Stage::Gone)
        };
        self.controllers[scenario.owner_of(pod)] == Controller::Going
            && scenario.roles.iter().zip(&self.pods).all(is_over)
    }

    pub(crate) fn carry_out(&mut self, deed: Deed, pod: usize, scenario: &Scenario) {
        let now = self.now;
        let is_retained = scenario.roles[pod].is_retained();
        let failed = Sight::Failed(if is_retained { now } else { 0 });
        let it = &mut self.pods[pod];
        let is_evidence =
            is_retained && (it.is_evidence || it.stage == Stage::Running && it.sight() == Sight::Live);
        match deed {
            Deed::Appear => it.stage = Stage::Waiting,
            Deed::Complete => it.end(Sight::Completed),
            Deed::Delete => it.leaving = Some(now),
            Deed::Fail => it.end(failed),
            Deed::Release => it.end(Sight::Released),
            Deed::Rerun => {
                (it.stage, it.passed, it.is_rerun) = (Stage::Waiting, [0; MOST_SERVICES], true);
            }
            Deed::Vanish => it.vanish(),
        }
        self.pods[pod].is_evidence = is_evidence && matches!(self.pods[pod].stage, Stage::Ended(_));
    }

    /// A controller is deleted: its pods are deleted too.
    pub(crate) fn abandon(&mut self, owner: usize, scenario: &Scenario) {
        self.controllers[owner] = Controller::Gone;
        for (number, pod) in self.pods.iter_mut().enumerate() {
            if scenario.owner_of(number) == owner && matches!(pod.stage, Stage::Waiting | Stage::Running) {
                pod.leaving = pod.leaving.or(Some(self.now));
            }
        }
    }

    /// The mark on a pod whose leader has ended.
    pub(crate) fn dismiss(&mut self, pod: usize) {
        let it = &mut self.pods[pod];
        it.is_dismissed = !matches!(it.stage, Stage::Absent | Stage::Gone | Stage::Ended(_));
    }

    /// The service that a pod's gate asks for next.
    pub(crate) fn asks_for(&self, pod: usize, scenario: &Scenario) -> Option<usize> {
        let Pod { stage, passed, .. } = self.pods[pod];
        scenario.services_of(pod).find(|service| stage == Stage::Waiting && passed[*service] == 0)
    }

    /// The gate lets a pod through to a service; the last one lets it run.
    pub(crate) fn pass(&mut self, pod: usize, service: usize, uid: u8, scenario: &Scenario) {
        self.pods[pod].passed[service] = uid;
        if self.asks_for(pod, scenario).is_none() {
            self.pods[pod].stage = Stage::Running;
        }
    }
}

// === impl Pod ===

impl Pod {
    pub(crate) fn sight(&self) -> Sight {
        match self.stage {
            Stage::Absent | Stage::Gone => Sight::Absent,
            Stage::Ended(sight) => sight,
            Stage::Waiting | Stage::Running => match self.leaving {
                _ if self.is_dismissed => Sight::Dismissed,
                Some(tick) => Sight::Leaving(tick),
                None if self.is_rerun => Sight::Rerun,
                None => Sight::Live,
            },
        }
    }

    pub(crate) fn vanish(&mut self) {
        *self = Self { stage: Stage::Gone, ..Self::default() };
    }

    fn end(&mut self, sight: Sight) {
        *self = Self { stage: Stage::Ended(sight), ..Self::default() };
    }
}

/// The uid of the StatefulSet that the gate lets this pod through to, where the objects are these.
pub(crate) fn gate(pod: usize, service: usize, objects: &Pair, scenario: &Scenario) -> Option<u8> {
    let set = objects.set.filter(|set| !set.deleting)?;
    let record = set.note?.record();
    let consumer = scenario.roles[pod].live();
    let planned = scenario.promised(pod, service)?;
    let is_its = Claim { consumer, service: planned }.refusal(record).is_none();
    let is_owned = planned.scope == Scope::Namespace
        || set.owners.has(scenario.owner_of(pod))
        || scenario.lacks(Precaution::Ownership);
    let is_held = is_owned
        && objects.names.is_some_and(|names| {
            // It asks the servers themselves, by name.
            names.note.is_some_and(|note| note.record().instance == record.instance)
                && (names.attached_to == set.uid || scenario.lacks(Precaution::Attachment))
        });
    (is_its && is_held && !record.closing).then_some(set.uid)
}

/// The services of a scenario.
pub(crate) const MOST_SERVICES: usize = 2;
