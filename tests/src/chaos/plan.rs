//! What a run does: a function of its seed.

use std::fmt;
use std::time::Duration;

use super::dice::Dice;
use super::fault::{self, Fault, Strike};
use super::group::Group;

/// Within what a run is drawn.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// For how long tasks are made, and things go wrong.
    pub duration: Duration,
    /// How many tasks a minute.
    pub rate: u32,
    /// What may go wrong.
    pub faults: Vec<Fault>,
}

/// What a run does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// The tasks, in the order in which they begin.
    pub groups: Vec<Group>,
    /// What goes wrong, in order.
    pub strikes: Vec<Strike>,
}

// === impl Plan ===

impl Plan {
    /// Draws a run; the same for the same seed and bounds. What may go wrong changes nothing of the tasks.
    #[must_use]
    pub fn draw(seed: u64, bounds: &Bounds) -> Self {
        Self {
            seed,
            groups: groups(&mut Dice::new(seed, "groups"), bounds),
            strikes: fault::draw(&mut Dice::new(seed, "faults"), &bounds.faults, bounds.duration),
        }
    }

    /// How many pods it makes, without servers and second attempts.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.groups.iter().map(|group| group.members.len()).sum()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.groups.iter().map(|group| (group.at, group.to_string()));
        let strikes = self.strikes.iter().map(|strike| (strike.at, format!("FAULT {strike}")));
        let mut all: Vec<_> = groups.chain(strikes).collect();
        all.sort();
        all.iter().try_for_each(|(at, what)| writeln!(f, "{:7.1} s  {what}", at.as_secs_f64()))
    }
}

/// One after the other.
fn groups(dice: &mut Dice, bounds: &Bounds) -> Vec<Group> {
    let gap = Duration::from_mins(1) / bounds.rate.max(1);
    let (mut groups, mut at) = (Vec::new(), Duration::ZERO);
    for number in 0.. {
        if at >= bounds.duration {
            break;
        }
        groups.push(Group::draw(dice, number, at, execution_at(at)));
        at += dice.between(gap / 2, gap * 3 / 2);
    }
    groups
}

/// Executions follow one another, and take some time.
fn execution_at(at: Duration) -> u32 {
    u32::try_from(at.as_secs() / EXECUTION.as_secs()).unwrap_or(u32::MAX)
}

const EXECUTION: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::chaos::fault::LONGEST_PAUSE;

    fn bounds(seconds: u64) -> Bounds {
        Bounds { duration: Duration::from_secs(seconds), rate: 30, faults: Fault::value_variants().to_vec() }
    }

    fn plans(seconds: u64) -> impl Iterator<Item = Plan> {
        (0..50).map(move |seed| Plan::draw(seed, &bounds(seconds)))
    }

    #[test]
    fn the_same_seed_draws_the_same_run() {
        assert_eq!(Plan::draw(7, &bounds(300)), Plan::draw(7, &bounds(300)));
        assert_ne!(Plan::draw(7, &bounds(300)), Plan::draw(8, &bounds(300)));
    }

    #[test]
    fn what_may_go_wrong_changes_nothing_of_the_tasks() {
        let calm = Bounds { faults: Vec::new(), ..bounds(300) };
        let calm = Plan::draw(7, &calm);
        assert_eq!(calm.strikes, []);
        assert_eq!(calm.groups, Plan::draw(7, &bounds(300)).groups);
    }

    #[test]
    fn everything_begins_in_order_and_in_time() {
        for plan in plans(120) {
            assert!(plan.groups.is_sorted_by_key(|group| group.at), "{plan}");
            assert!(plan.strikes.is_sorted_by_key(|strike| strike.at), "{plan}");
            let last =
                plan.groups.iter().map(|group| group.at).chain(plan.strikes.iter().map(|s| s.at)).max();
            assert!(last < Some(Duration::from_mins(2)), "{plan}");
            assert!(plan.groups.len() >= 8, "{plan}");
        }
    }

    #[test]
    fn a_long_run_has_every_kind_and_every_fault_often() {
        let plan = Plan::draw(1, &bounds(1_200));
        for (_, kind) in crate::chaos::role::Kind::WEIGHTS {
            assert!(plan.groups.iter().any(|group| group.kind == *kind), "{kind:?}");
        }
        for fault in Fault::value_variants() {
            let times = plan.strikes.iter().filter(|strike| strike.fault == *fault).count();
            assert!(times >= 4, "{fault}: {times}");
        }
    }

    #[test]
    fn a_short_run_stops_the_kubelet_at_most_once() {
        for plan in plans(120) {
            let pauses = plan.strikes.iter().filter(|strike| strike.fault == Fault::Kubelet).count();
            assert!(pauses <= 1, "{plan}");
        }
    }

    #[test]
    fn the_api_server_and_etcd_are_never_away_together() {
        for plan in plans(300) {
            let away = plan.strikes.iter().filter(|s| matches!(s.fault, Fault::ApiServer | Fault::Etcd));
            let away: Vec<_> = away.map(|strike| (strike.at, strike.at + strike.lasts)).collect();
            assert!(away.iter().zip(away.iter().skip(1)).all(|(one, next)| one.1 < next.0), "{plan}");
            assert!(plan.strikes.iter().all(|strike| strike.lasts <= LONGEST_PAUSE));
        }
    }

    #[test]
    fn the_webhooks_pod_is_replaced_before_it_is_killed_again() {
        for plan in plans(600) {
            let ours = plan.strikes.iter().map(|strike| strike.fault);
            let ours: Vec<_> =
                ours.filter(|fault| matches!(fault, Fault::Webhook | Fault::Replacement)).collect();
            assert!(!ours.windows(2).any(|pair| pair == [Fault::Webhook, Fault::Webhook]), "{plan}");
        }
    }
}
