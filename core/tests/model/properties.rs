//! What holds of every world.

use dataservice_core::ask::OnFailure;
use dataservice_core::key::Scope;
use dataservice_core::reconcile::Claim;
use dataservice_core::record::Record;
use stateright::Property;

use crate::api_server::{KINDS, Pair};
use crate::clock::at;
use crate::cluster::{Controller, Pod, Stage, gate};
use crate::harm::Harm;
use crate::model::Explored;
use crate::note::Note;
use crate::replica::Watch;
use crate::scenario::Scenario;
use crate::sight::Sight;
use crate::world::World;

pub(crate) const HELD_ONLY: &str = "I1: when all is quiet, what nobody holds is gone";
pub(crate) const SERVED: &str = "I1: when all is quiet, whoever waits may start";
pub(crate) const KEPT: &str = "I2: nobody's service goes or changes";
pub(crate) const NAMED: &str = "I2: nobody's servers lose their names";
pub(crate) const NOT_OURS: &str = "I3: what is not ours is left alone";

pub(crate) const RETAINED: &str = "I1: when all is quiet, what failed is there for as long as was asked";
/// What is seen somewhere, or a scenario shows nothing.
pub(crate) const ALL_RUN: &str = "all run at once";
pub(crate) const CLOSING: &str = "a service is about to be closed while a pod waits for it";
pub(crate) const EMPTY: &str = "all is quiet and nothing is left";
pub(crate) const REFUSED: &str = "a pod waits for a service that is another's";

pub(crate) fn all() -> Vec<Property<Explored>> {
    vec![
        Property::always(HELD_ONLY, |model: &Explored, world| is_held_only(world, &model.scenario)),
        Property::always(SERVED, |model: &Explored, world| is_served(world, &model.scenario)),
        Property::always(KEPT, |_, world: &World| {
            !matches!(world.harm, Some(Harm::Deleted { .. } | Harm::Remade))
        }),
        Property::always(NAMED, |_, world: &World| !matches!(world.harm, Some(Harm::Unnamed { .. }))),
        Property::always(NOT_OURS, |_, world: &World| {
            !matches!(world.harm, Some(Harm::Adopted | Harm::Foreign))
        }),
        Property::always(RETAINED, |model: &Explored, world| is_retained(world, &model.scenario)),
        Property::sometimes(ALL_RUN, |_, world: &World| {
            world.cluster.pods.iter().all(|pod| pod.stage == Stage::Running)
        }),
        Property::sometimes(CLOSING, |model: &Explored, world: &World| {
            is_asked_for(world, &model.scenario, |_, record| record.closing)
        }),
        Property::sometimes(EMPTY, |model: &Explored, world: &World| {
            is_quiet(world, &model.scenario)
                && world.cluster.pods.iter().all(|pod| matches!(pod.stage, Stage::Ended(_) | Stage::Gone))
                && world.api.services.iter().all(|pair| *pair == Pair::default())
        }),
        Property::sometimes(REFUSED, |model: &Explored, world: &World| {
            is_asked_for(world, &model.scenario, |claim, record| claim.refusal(record).is_some())
        }),
    ]
}

/// Nothing is on its way, nobody is at anything, and nobody has anything to do before time passes.
pub(crate) fn is_quiet(world: &World, scenario: &Scenario) -> bool {
    let services = 0..scenario.services.len();
    let may_start = |replica| services.clone().any(|service| world.may_start(replica, service, scenario));
    let is_idle = world.replicas.iter().all(|replica| {
        replica.is_synced()
            && replica.desks.iter().all(|desk| desk.work.is_none())
            && Watch::ALL.into_iter().all(|watch| {
                !replica.stuck[watch as usize]
                    && !replica.has_backlog(watch)
                    && !replica.is_behind(watch, &world.shown(watch))
            })
    });
    let present = world.cluster.present(scenario);
    let has_garbage = |service| KINDS.into_iter().any(|kind| world.api.has_garbage((service, kind), present));
    is_idle && !(0..world.replicas.len()).any(may_start) && !(0..scenario.services.len()).any(has_garbage)
}

pub(crate) fn is_held_only(world: &World, scenario: &Scenario) -> bool {
    !is_quiet(world, scenario)
        || (0..scenario.services.len()).all(|service| is_held_or_gone(world, service, scenario))
}

/// Its objects are there only while somebody, or a period, holds them.
fn is_held_or_gone(world: &World, service: usize, scenario: &Scenario) -> bool {
    let pair = world.api.services[service];
    let ours = [pair.set, pair.names].into_iter().flatten().filter_map(|object| object.note);
    let mut ours = ours.peekable();
    if ours.peek().is_none() {
        return true;
    }
    let has_consumer = ours.clone().all(|note| {
        (0..scenario.roles.len()).any(|pod| {
            world.cluster.is_live(pod, scenario)
                && scenario.promised(pod, service).is_some_and(|it| it.key == note.record().key)
        })
    });
    let set = pair.set.and_then(|set| set.note).map(Note::record);
    let is_kept = set.and_then(|record| record.kept_until()).is_some_and(|until| at(world.now()) < until);
    let controller = set.and_then(|record| record.key.controller());
    let may_come = scenario
        .owners
        .iter()
        .zip(&world.cluster.controllers)
        .any(|(owner, state)| Some(owner.uid.as_str()) == controller && *state == Controller::Going);
    // Nobody watches jobs: they are looked at now and then.
    let is_looked_at_later = controller.is_some()
        && world.replicas.iter().any(|it| it.desks[service].revisit.is_some_and(|at| at > world.now()));
    has_consumer || is_kept || may_come || is_looked_at_later
}

pub(crate) fn is_served(world: &World, scenario: &Scenario) -> bool {
    !is_quiet(world, scenario) || (0..scenario.roles.len()).all(|pod| may_start(world, pod, scenario))
}

/// Whether a pod that waits may go on, or is not to.
fn may_start(world: &World, pod: usize, scenario: &Scenario) -> bool {
    if !world.cluster.is_live(pod, scenario) {
        return true;
    }
    let owner = scenario.owner_of(pod);
    scenario.services_of(pod).all(|service| {
        let pair = &world.api.services[service];
        let is_taken = KINDS.into_iter().any(|kind| pair.get(kind).is_some_and(|it| it.note.is_none()));
        let planned = scenario.promised(pod, service).unwrap();
        let consumer = scenario.roles[pod].live();
        let set = pair.set.and_then(|set| set.note).map(Note::record);
        let is_refused =
            set.is_some_and(|record| Claim { consumer, service: planned }.refusal(record).is_some());
        // Its service goes with its controller, as itself does.
        // The gate of a pod that is being deleted has been told to stop.
        let is_leaving = matches!(world.cluster.pods[pod].sight(), Sight::Leaving(_));
        let is_orphan = planned.scope != Scope::Namespace && !world.cluster.present(scenario).has(owner);
        is_taken || is_refused || is_orphan || is_leaving || gate(pod, service, pair, scenario).is_some()
    })
}

/// What a failed pod used stays for as long as it asked.
pub(crate) fn is_retained(world: &World, scenario: &Scenario) -> bool {
    let is_there =
        |service: usize, until| at(world.now()) >= until || world.api.services[service].set.is_some();
    !is_quiet(world, scenario)
        || (0..scenario.roles.len()).all(|pod| {
            let Pod { stage: Stage::Ended(Sight::Failed(tick)), is_evidence: true, .. } =
                world.cluster.pods[pod]
            else {
                return true;
            };
            let is_orphan = !world.cluster.present(scenario).has(scenario.owner_of(pod));
            is_orphan
                || scenario.services_of(pod).all(|service| {
                    match scenario.promised(pod, service).unwrap().lifetime.on_failure {
                        OnFailure::Delete => true,
                        OnFailure::Retain(span) => is_there(service, at(tick) + span.as_duration()),
                    }
                })
        })
}

/// Whether a pod waits for a StatefulSet with such a record.
fn is_asked_for(world: &World, scenario: &Scenario, such: fn(Claim<'_>, &Record) -> bool) -> bool {
    (0..scenario.roles.len()).any(|pod| {
        world.cluster.asks_for(pod, scenario).is_some_and(|service| {
            let claim = Claim {
                consumer: scenario.roles[pod].live(),
                service: scenario.promised(pod, service).unwrap(),
            };
            world.api.services[service]
                .set
                .and_then(|set| set.note)
                .is_some_and(|note| such(claim, note.record()))
        })
    })
}
