//! What is checked: who may come, what may happen, and how often.

use std::sync::atomic::{AtomicU32, Ordering};

use dataservice_core::consumer::Owner;
use dataservice_core::key::ServiceObject;
use dataservice_core::plan::PlannedService;

use crate::clock::Tick;
use crate::role::{Role, Script};

/// What is checked.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// To tell it from others in this process.
    pub(crate) id: u32,
    pub(crate) roles: Vec<Role>,
    /// The names under which services are made.
    pub(crate) services: Vec<ServiceObject>,
    /// All that services may be owned by.
    pub(crate) owners: Vec<Owner>,
    pub(crate) limits: Limits,
    /// What is left out of the protocol, to show that it is needed.
    pub(crate) without: Option<Precaution>,
}

/// How often what may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Controllers that act at once: nothing but the protocol keeps a stale leader from it.
    pub(crate) replicas: usize,
    /// Pieces of work that all but one of them may begin: a stale leader ends some day.
    pub(crate) works: Option<u8>,
    /// A controller is killed and starts anew.
    pub(crate) crashes: u8,
    /// A request fails before it reaches the API server.
    pub(crate) losses: u8,
    /// A watch gets stuck, where watches follow the world at once otherwise.
    pub(crate) lags: u8,
    /// Somebody else makes an object under one of our names.
    pub(crate) intrusions: u8,
    /// Minutes that pass.
    pub(crate) ticks: Tick,
    pub(crate) watching: Watching,
}

/// How watches keep up with the world.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watching {
    /// At once, unless one is stuck. A controller looks at a service whenever it would do something for it, so that
    /// no event is needed, and none does harm.
    Following,
    /// Each sooner or later. A controller looks at a service when something prompts it.
    Free {
        /// States of the world that each watch may have on its way.
        backlog: usize,
    },
}

/// What is done so that nothing bad happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Precaution {
    /// The gate waits until the servers' names go with them.
    Attachment,
    /// Whoever is there counts, not the first alone.
    Census,
    /// Who closes looks at the pods themselves.
    Confirmation,
    /// A task that failed is told from one that is done.
    Failure,
    /// The gate's last look is at the API server.
    LiveGate,
    /// A service is marked before it is closed.
    Mark,
    /// What was changed is remembered only while it is there.
    Memory,
    /// What nobody claims any more is looked at too.
    Orphans,
    /// The gate waits until the pod's own controller owns the service too.
    Ownership,
    /// Only the object that was seen is deleted, not whatever has its name.
    Uid,
    /// The mark is taken off for whoever comes.
    Unmark,
    /// Only the version that was marked is deleted.
    Version,
}

// === impl Scenario ===

impl Scenario {
    pub(crate) fn new(scripts: Vec<Script>, limits: Limits) -> Self {
        static IDS: AtomicU32 = AtomicU32::new(0);
        let roles: Vec<_> = scripts.into_iter().map(|script| Role::new(script, limits.ticks)).collect();
        let mut services: Vec<ServiceObject> = Vec::new();
        let mut owners: Vec<Owner> = Vec::new();
        for consumer in roles.iter().map(Role::live) {
            services.extend(consumer.plan.services.iter().map(|service| service.object.clone()));
            owners.push(consumer.owner.clone());
        }
        services.sort();
        services.dedup();
        owners.sort();
        owners.dedup();
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Self { id, roles, services, owners, limits, without: None }
    }

    #[must_use]
    pub(crate) fn without(self, precaution: Precaution) -> Self {
        Self { without: Some(precaution), ..self }
    }

    pub(crate) fn lacks(&self, precaution: Precaution) -> bool {
        self.without == Some(precaution)
    }

    /// What this pod was promised under this name.
    pub(crate) fn promised(&self, pod: usize, service: usize) -> Option<&PlannedService> {
        self.roles[pod].promised(&self.services[service])
    }

    /// The number of what this pod's services are owned by.
    pub(crate) fn owner_of(&self, pod: usize) -> usize {
        let owner = &self.roles[pod].live().owner;
        self.owners.iter().position(|there| there == owner).unwrap()
    }

    /// The pod that is this owner, if it is one.
    pub(crate) fn pod_that_is(&self, owner: usize) -> Option<usize> {
        let Owner { kind, uid, .. } = &self.owners[owner];
        self.roles.iter().position(|role| kind == "Pod" && role.script.uid == *uid)
    }

    /// The services that this pod was promised.
    pub(crate) fn services_of(&self, pod: usize) -> impl Iterator<Item = usize> {
        (0..self.services.len()).filter(move |service| self.promised(pod, *service).is_some())
    }
}

// === impl Limits ===

impl Limits {
    /// Two controllers, and nothing goes wrong.
    pub(crate) const LEAST: Self = Self {
        replicas: 2,
        works: None,
        crashes: 0,
        losses: 0,
        lags: 0,
        intrusions: 0,
        ticks: 1,
        watching: Watching::Following,
    };
}

// === impl Watching ===

impl Watching {
    pub(crate) fn is_free(self) -> bool {
        matches!(self, Self::Free { .. })
    }
}
