//! The world as stateright explores it.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use crate::properties;
use crate::scenario::Scenario;
use crate::step::{Blind, Step};
use crate::world::World;

/// A scenario, to be explored.
pub(crate) struct Explored {
    pub(crate) scenario: Scenario,
}

/// A step, and those who do not see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    step: Step,
    unseen: Option<Blind>,
}

// === impl Move ===

impl Move {
    fn take(&self, world: &World, scenario: &Scenario) -> Option<World> {
        match &self.unseen {
            Some(blind) => world.after_unseen(self.step, blind, scenario),
            None => Some(world.after(self.step, scenario)),
        }
    }
}

// === impl Explored ===

impl Model for Explored {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.scenario)]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        // After harm there is nothing more to see.
        let steps = if world.harm.is_none() { world.steps(&self.scenario) } else { Vec::new() };
        for step in steps {
            let unseen = world.blind(step).into_iter().map(Some);
            moves.extend(unseen.chain([None]).map(|unseen| Move { step, unseen }));
        }
    }

    fn next_state(&self, world: &World, next: Move) -> Option<World> {
        next.take(world, &self.scenario)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

/// Explores all of a scenario; panics with the way to what must not be, or where one of `shown` is never seen.
pub(crate) fn explore(name: &str, scenario: Scenario, shown: &[&'static str]) {
    // Each uses all cores, and what it says of its time is to be its own.
    let _alone = ALONE.lock();
    let began = jiff::Timestamp::now();
    let checker = Explored { scenario }.checker().threads(threads()).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.target_state_count(MOST_STATES).spawn_dfs().join();
    let took = jiff::Timestamp::now().duration_since(began).as_secs_f64();
    let is_all = checker.state_count() < MOST_STATES;
    tell(&format!(
        "{name}: {} unique states of {}, depth {}, {took:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    ));
    for property in checker.model().properties() {
        let path = checker.discovery(property.name);
        match (property.expectation, path) {
            (Expectation::Sometimes, None) => {
                assert!(!shown.contains(&property.name), "{name}: never seen: {}", property.name);
            }
            (Expectation::Always, Some(path)) => {
                panic!("{name}: {}\n{}", property.name, walk(&checker.model().scenario, path.into_actions()));
            }
            _ => {}
        }
    }
    assert!(is_all, "{name}: not all was explored");
}

/// A short way to a world in which this property does not hold.
pub(crate) fn counterexample(scenario: Scenario, property: &'static str) -> Option<Vec<Move>> {
    let finished = HasDiscoveries::AnyOf([property].into());
    let checker = Explored { scenario }.checker().threads(threads()).finish_when(finished).spawn_bfs().join();
    checker.discovery(property).map(stateright::Path::into_actions)
}

/// Each step of a way, and where it leads.
fn walk(scenario: &Scenario, moves: Vec<Move>) -> String {
    let mut world = World::new(scenario);
    let mut lines = Vec::new();
    for next in moves {
        let call = next.step.call(&world).map(|call| format!(": {call:?}"));
        let unseen = next.unseen.as_ref().map(|blind| format!(", unseen by {:?}", blind.replicas));
        lines.push(format!("{:?}{}{}", next.step, call.unwrap_or_default(), unseen.unwrap_or_default()));
        world = next.take(&world, scenario).unwrap();
    }
    lines.push(world.told());
    lines.join("\n")
}

/// Past the test harness, which keeps what passing tests print.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

static ALONE: Mutex<()> = Mutex::new(());

/// Many times what any scenario has: an end for one that was made too large.
const MOST_STATES: usize = 200_000_000;
