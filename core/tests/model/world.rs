//! Everything at one moment, and what may happen next.

use dataservice_core::reconcile::Kind;

use crate::api_server::{ApiServer, KINDS, Object, Owners, Place};
use crate::clock::Tick;
use crate::cluster::{Cluster, Controller, gate};
use crate::harm::{Culprit, Harm};
use crate::replica::{Replica, Shown, Watch};
use crate::scenario::{Precaution, Scenario, Watching};
use crate::step::{Blind, Step};
use crate::work::Work;

/// Everything at one moment.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) api: ApiServer,
    pub(crate) replicas: Vec<Replica>,
    /// How often what may still happen.
    crashes: u8,
    lags: u8,
    losses: u8,
    intrusions: u8,
    /// What must not happen, and has.
    pub(crate) harm: Option<Harm>,
}

// === impl World ===

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let limits = scenario.limits;
        let mut world = Self {
            cluster: Cluster::new(scenario),
            api: ApiServer::new(scenario.services.len()),
            replicas: (0..limits.replicas)
                .map(|number| Replica::new(limits.works.filter(|_| number > 0), scenario))
                .collect(),
            crashes: limits.crashes,
            lags: limits.lags,
            losses: limits.losses,
            intrusions: limits.intrusions,
            harm: None,
        };
        if !limits.watching.is_free() {
            world.follow(scenario);
        }
        world
    }

    pub(crate) fn now(&self) -> Tick {
        self.cluster.now
    }

    /// All that may happen next.
    pub(crate) fn steps(&self, scenario: &Scenario) -> Vec<Step> {
        let mut steps = self.happenings(scenario);
        steps.extend(self.progress(scenario));
        steps
    }

    /// What may happen, or not.
    pub(crate) fn happenings(&self, scenario: &Scenario) -> Vec<Step> {
        let mut steps = Vec::new();
        for pod in 0..scenario.roles.len() {
            steps.extend(self.cluster.deeds(pod, scenario).into_iter().map(|deed| Step::Deed(pod, deed)));
        }
        for (owner, controller) in self.cluster.controllers.iter().enumerate() {
            if scenario.pod_that_is(owner).is_none() {
                steps.extend((*controller == Controller::Going).then_some(Step::Conclude(owner)));
                steps.extend((*controller != Controller::Gone).then_some(Step::Abandon(owner)));
            }
        }
        steps.extend((self.now() < scenario.limits.ticks).then_some(Step::Tick));
        steps.extend(self.intrusions());
        steps.extend(self.accidents());
        steps.extend(self.repetitions(scenario));
        steps
    }

    fn intrusions(&self) -> Vec<Step> {
        let places = (0..self.api.services.len()).flat_map(|service| KINDS.map(|kind| (service, kind)));
        let step = |(service, kind): Place| match self.api.get((service, kind)) {
            Some(object) => object.note.is_none().then_some(Step::Withdraw(service, kind)),
            None => (self.intrusions > 0).then_some(Step::Intrude(service, kind)),
        };
        places.filter_map(step).collect()
    }

    fn accidents(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, replica) in self.replicas.iter().enumerate() {
            steps.extend((self.crashes > 0 && replica.is_synced()).then_some(Step::Crash(number)));
            for (service, desk) in replica.desks.iter().enumerate().filter(|_| self.losses > 0) {
                if let Some(Work::Doing { calls, .. }) = &desk.work {
                    steps.extend((0..calls.len()).map(|call| Step::Fail(number, service, call)));
                }
            }
        }
        steps
    }

    /// Where no event is needed none does harm.
    fn repetitions(&self, scenario: &Scenario) -> Vec<Step> {
        let replicas = (0..self.replicas.len()).filter(|_| scenario.limits.watching.is_free());
        let repeat = |replica| Watch::ALL.map(|watch| Step::Repeat(replica, watch));
        replicas.flat_map(repeat).collect()
    }

    /// What happens sooner or later, if nothing else does.
    pub(crate) fn progress(&self, scenario: &Scenario) -> Vec<Step> {
        let mut steps = self.gates(scenario);
        let present = self.cluster.present(scenario);
        for service in 0..scenario.services.len() {
            let has_garbage = |kind: &Kind| self.api.has_garbage((service, *kind), present);
            steps.extend(KINDS.into_iter().filter(has_garbage).map(|kind| Step::Collect(service, kind)));
        }
        for number in 0..self.replicas.len() {
            steps.extend(self.news(number, scenario));
            steps.extend(self.work(number, scenario));
        }
        steps
    }

    fn gates(&self, scenario: &Scenario) -> Vec<Step> {
        let mut steps = Vec::new();
        for pod in 0..scenario.roles.len() {
            let Some(service) = self.cluster.asks_for(pod, scenario) else { continue };
            if gate(pod, service, &self.api.services[service], scenario).is_some() {
                steps.push(Step::Pass(pod, service));
            }
            if scenario.lacks(Precaution::LiveGate) {
                steps.extend((0..self.replicas.len()).filter_map(|replica| {
                    let known = &self.replicas[replica].view.objects[service];
                    gate(pod, service, known, scenario).map(|_| Step::PassBlindly(pod, service, replica))
                }));
            }
        }
        steps
    }

    fn news(&self, number: usize, scenario: &Scenario) -> Vec<Step> {
        let replica = &self.replicas[number];
        let step = |watch: Watch| match scenario.limits.watching {
            Watching::Following => (replica.stuck[watch as usize].then_some(Step::Show(number, watch)), None),
            Watching::Free { backlog: most } => {
                let receive = replica.has_backlog(watch).then_some(Step::Receive(number, watch));
                let may_send = replica.backlogs(watch) < most && replica.is_behind(watch, &self.shown(watch));
                (receive, may_send.then_some(Step::Send(number, watch)))
            }
        };
        Watch::ALL.into_iter().map(step).flat_map(|(one, other)| one.into_iter().chain(other)).collect()
    }

    /// What is there, as a watch shows it. What is not ours carries no label of ours.
    pub(crate) fn shown(&self, watch: Watch) -> Shown {
        match watch {
            Watch::Pods => Shown::Pods(self.cluster.sights()),
            Watch::Names | Watch::Sets => {
                let kind = watch.kind();
                let ours = |object: Option<Object>| object.filter(|object| object.note.is_some());
                Shown::Objects(self.api.services.iter().map(|pair| ours(pair.get(kind))).collect())
            }
        }
    }

    /// It, in lines.
    pub(crate) fn told(&self) -> String {
        let Cluster { now, pods, controllers } = &self.cluster;
        let lines = [format!("minute {now}"), format!("controllers of pods: {controllers:?}")];
        let pods = pods.iter().enumerate().map(|(number, pod)| format!("pod {number}: {pod:?}"));
        let services = self.api.services.iter().enumerate();
        let services = services.map(|(number, pair)| format!("service {number}: {pair:?}"));
        let replicas = self.replicas.iter().enumerate();
        let replicas = replicas.map(|(number, it)| format!("replica {number}: {:?} {:?}", it.view, it.desks));
        let harm = self.harm.map(|harm| format!("harm: {harm:?}"));
        lines
            .into_iter()
            .chain(pods)
            .chain(services)
            .chain(replicas)
            .chain(harm)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The world after that.
    #[must_use]
    pub(crate) fn after(&self, step: Step, scenario: &Scenario) -> Self {
        let mut next = self.clone();
        next.take(step, scenario);
        if !scenario.limits.watching.is_free() {
            next.follow(scenario);
            next.replicas.sort();
        }
        next.normalize();
        next
    }

    /// The sets of replicas that a step may be hidden from, by a watch that gets stuck just before.
    pub(crate) fn blind(&self, step: Step) -> Vec<Blind> {
        let Some(watch) = step.shows(self).filter(|_| self.lags > 0) else { return Vec::new() };
        let may_miss = |replica: &usize| !self.replicas[*replica].stuck[watch as usize];
        let candidates: Vec<_> = (0..self.replicas.len()).filter(may_miss).collect();
        let sets = (1..1_usize << candidates.len()).map(|set| {
            let chosen = candidates.iter().enumerate().filter(|(bit, _)| set & 1 << bit != 0);
            Blind { watch, replicas: chosen.map(|(_, replica)| *replica).collect() }
        });
        sets.filter(|blind| blind.replicas.len() <= usize::from(self.lags)).collect()
    }

    /// The world after that, which some do not see; nothing if there is nothing to be seen.
    pub(crate) fn after_unseen(&self, step: Step, blind: &Blind, scenario: &Scenario) -> Option<Self> {
        let mut next = self.clone();
        for replica in &blind.replicas {
            next.lags -= 1;
            next.replicas[*replica].stuck[blind.watch as usize] = true;
        }
        let before = self.shown(blind.watch);
        next.take(step, scenario);
        next.follow(scenario);
        if next.shown(blind.watch) == before {
            return None;
        }
        next.normalize();
        next.replicas.sort();
        Some(next)
    }

    /// All watches that are not stuck show what is there.
    fn follow(&mut self, scenario: &Scenario) {
        for watch in Watch::ALL {
            let there = self.shown(watch);
            for replica in &mut self.replicas {
                if !replica.stuck[watch as usize] && replica.is_behind(watch, &there) {
                    replica.send(watch, there.clone());
                    replica.receive(watch, scenario);
                }
            }
        }
    }

    fn take(&mut self, step: Step, scenario: &Scenario) {
        match step {
            Step::Abandon(owner) => self.cluster.abandon(owner, scenario),
            Step::Conclude(owner) => self.cluster.controllers[owner] = Controller::Over,
            Step::Collect(service, kind) => self.collect((service, kind), scenario),
            Step::Crash(replica) => {
                self.crashes -= 1;
                self.replicas[replica] = Replica::new(self.replicas[replica].works, scenario);
            }
            Step::Deed(pod, deed) => self.cluster.carry_out(deed, pod, scenario),
            Step::Do(replica, service, call) => self.request(replica, service, call, scenario),
            Step::Fail(replica, service, call) => {
                self.losses -= 1;
                self.take_call(replica, service, call);
                self.failed(replica, service);
            }
            Step::Finish(replica, service) => self.finish(replica, service, scenario),
            Step::Look(replica, service) => self.look(replica, service, scenario),
            Step::Intrude(service, kind) => self.intrude((service, kind)),
            Step::Pass(pod, service) => {
                let uid = gate(pod, service, &self.api.services[service], scenario);
                self.cluster.pass(pod, service, uid.unwrap(), scenario);
            }
            Step::PassBlindly(pod, service, replica) => {
                let uid = gate(pod, service, &self.replicas[replica].view.objects[service], scenario);
                self.cluster.pass(pod, service, uid.unwrap(), scenario);
            }
            Step::Repeat(replica, watch) => self.replicas[replica].repeat(watch, scenario),
            Step::Receive(replica, watch) => self.replicas[replica].receive(watch, scenario),
            Step::Send(replica, watch) => {
                let shown = self.shown(watch);
                self.replicas[replica].send(watch, shown);
            }
            Step::Show(replica, watch) => {
                let shown = self.shown(watch);
                self.replicas[replica].stuck[watch as usize] = false;
                self.replicas[replica].send(watch, shown);
                self.replicas[replica].receive(watch, scenario);
            }
            Step::Start(replica, service) => self.start(replica, service, scenario),
            Step::Tick => self.cluster.now += 1,
            Step::Withdraw(service, kind) => *self.api.services[service].slot(kind) = None,
        }
    }

    fn collect(&mut self, place: Place, scenario: &Scenario) {
        let present = self.cluster.present(scenario);
        if let Some(lost) = self.api.collect(place, present) {
            self.lost(place, lost, Culprit::Collector, scenario);
        }
    }

    fn intrude(&mut self, place: Place) {
        self.intrusions -= 1;
        let uid = self.fresh_uid(place);
        let object = Object {
            uid,
            version: 1,
            note: None,
            owners: Owners::default(),
            attached_to: 0,
            deleting: false,
        };
        self.api.create(place, object).unwrap();
    }
}
