//! All that is known of a run when it is over.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::fault::Fault;
use super::group::Group;
use super::outcome::{self, Outcome};
use super::plan::Plan;
use super::probe::Answer;
use super::record::{ObjectRecord, PodRecord};
use super::stage::{Deed, deleted};
use super::testimony::Testimony;

/// All that is known of a run when it is over.
pub struct Facts {
    /// What it was to do.
    pub plan: Plan,
    /// All pods that there were.
    pub pods: Vec<PodRecord>,
    /// All StatefulSets and Services that there were.
    pub objects: Vec<ObjectRecord>,
    /// What tasks told.
    pub testimonies: Vec<Testimony>,
    /// What was done.
    pub deeds: Vec<Deed>,
    /// Whether pods could be created.
    pub admissions: Vec<(Timestamp, Answer)>,
    /// When the last of the groups was over.
    pub quiet_at: Timestamp,
    /// What was still there at the end, by its name.
    pub left: Vec<String>,
    /// When nothing was there any more, or nobody waited any longer.
    pub ended_at: Timestamp,
    /// What the harness itself failed to do.
    pub failures: Vec<String>,
}

/// A pod that wanted a service.
pub struct Consumer<'a> {
    /// The pod.
    pub record: &'a PodRecord,
    /// What its tasks told.
    pub told: Vec<&'a Testimony>,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether somebody deleted it before it was over.
    pub is_deleted: bool,
}

// === impl Facts ===

impl Facts {
    /// The pods that wanted a service.
    #[must_use]
    pub fn consumers(&self) -> Vec<Consumer<'_>> {
        let deleted: BTreeSet<&str> = deleted(&self.deeds).into_iter().map(|(uid, _)| uid).collect();
        let consumers = self.pods.iter().filter(|record| record.member().is_some());
        let consumers = consumers.map(|record| {
            let (told, is_deleted) =
                (outcome::told(record, &self.testimonies), record.is_cut || deleted.contains(record.uid()));
            Consumer { outcome: Outcome::of(record, &told, is_deleted), record, told, is_deleted }
        });
        consumers.collect()
    }

    /// The task with this number.
    #[must_use]
    pub fn group(&self, number: u32) -> Option<&Group> {
        self.plan.groups.iter().find(|group| group.number == number)
    }

    /// The tasks that found room in time.
    pub fn played(&self) -> impl Iterator<Item = &Group> {
        let is_skipped = |number: u32| {
            self.deeds.iter().any(|deed| matches!(deed, Deed::Skipped { group } if *group == number))
        };
        self.plan.groups.iter().filter(move |group| !is_skipped(group.number))
    }

    /// The faults that were done, and when.
    pub fn struck(&self) -> impl Iterator<Item = (Fault, Timestamp, Timestamp)> {
        self.deeds.iter().filter_map(|deed| match deed {
            Deed::Struck { fault, from, to } => Some((*fault, *from, *to)),
            _ => None,
        })
    }
}
