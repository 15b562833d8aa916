//! Long random schedules, with what a model checker cannot hold: more consumers, jobs, whatever watches do.

use proptest::prelude::*;

use crate::decision::Call;
use crate::properties::{is_held_only, is_quiet, is_retained, is_served};
use crate::scenario::Scenario;
use crate::step::Step;
use crate::world::World;

/// What is drawn at each moment: which of all that may happen does.
pub(crate) fn choices(most: usize) -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..most)
}

/// Lets things happen as they are drawn; then lets everything come to rest, pass and end.
pub(crate) fn run(scenario: &Scenario, choices: &[u16]) -> Result<(), TestCaseError> {
    let mut course = Course { scenario, world: World::new(scenario), taken: Vec::new() };
    for choice in choices {
        course.choose(*choice)?;
    }
    course.withdraw()?;
    course.rest()?;
    course.end()?;
    for _ in 0..LONGEST_KEPT {
        course.take(Step::Tick)?;
        course.rest()?;
    }
    let is_empty = course.world.api.services.iter().all(|pair| pair.set.is_none() && pair.names.is_none());
    course.holds(is_empty, "everything is over, and something is left")
}

/// What has happened so far.
struct Course<'a> {
    scenario: &'a Scenario,
    world: World,
    taken: Vec<(Step, Option<Call>)>,
}

// === impl Course ===

impl Course<'_> {
    fn choose(&mut self, choice: u16) -> Result<(), TestCaseError> {
        if choice.is_multiple_of(61) && self.intruders().is_empty() {
            return self.rest();
        }
        let happenings = self.world.happenings(self.scenario);
        let progress = self.world.progress(self.scenario);
        // Work gets on more often than things happen to it.
        let steps = if choice.is_multiple_of(4) || progress.is_empty() { happenings } else { progress };
        match steps.get(usize::from(choice / 4) % steps.len().max(1)) {
            Some(step) => self.take(*step),
            None => Ok(()),
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        self.taken.push((step, step.call(&self.world)));
        self.world = self.world.after(step, self.scenario);
        self.holds(self.world.harm.is_none(), &format!("harm {:?}", self.world.harm))
    }

    /// What somebody else has made under our names: while it is there, it is tried again and again.
    fn intruders(&self) -> Vec<Step> {
        let happenings = self.world.happenings(self.scenario).into_iter();
        happenings.filter(|step| matches!(step, Step::Withdraw(..))).collect()
    }

    fn withdraw(&mut self) -> Result<(), TestCaseError> {
        self.intruders().into_iter().try_for_each(|step| self.take(step))
    }

    /// Everything that is on its way arrives, and all that is to be done is done.
    fn rest(&mut self) -> Result<(), TestCaseError> {
        for turn in 0..LONGEST_REST {
            let progress = self.world.progress(self.scenario);
            if progress.is_empty() {
                self.holds(is_quiet(&self.world, self.scenario), "quiet")?;
                self.holds(is_held_only(&self.world, self.scenario), "what nobody holds is there")?;
                self.holds(is_retained(&self.world, self.scenario), "what failed is not kept")?;
                return self.holds(is_served(&self.world, self.scenario), "somebody waits in vain");
            }
            // Everybody's turn comes.
            self.take(progress[turn % progress.len()])?;
        }
        self.holds(false, "it does not come to rest")
    }

    /// All pods end, and what made them.
    fn end(&mut self) -> Result<(), TestCaseError> {
        for owner in 0..self.scenario.owners.len() {
            self.world.cluster.controllers[owner] = crate::cluster::Controller::Gone;
        }
        for pod in &mut self.world.cluster.pods {
            pod.vanish();
        }
        self.rest()
    }

    fn holds(&self, holds: bool, what: &str) -> Result<(), TestCaseError> {
        let told = |(step, call): &(Step, Option<Call>)| match call {
            Some(call) => format!("{step:?}: {call:?}"),
            None => format!("{step:?}"),
        };
        let taken = || self.taken.iter().map(told).collect::<Vec<_>>().join("\n");
        prop_assert!(holds, "{what}\n{}\n{}", taken(), self.world.told());
        Ok(())
    }
}

/// Steps until all must have come to rest.
const LONGEST_REST: usize = 3_000;
/// Minutes until nothing is kept warm or retained any more.
const LONGEST_KEPT: usize = 4;
