//! What happens, one thing at a time.

use dataservice_core::reconcile::Kind;

use crate::cluster::Deed;
use crate::decision::Call;
use crate::replica::Watch;
use crate::work::Work;
use crate::world::World;

/// Something that happens.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Step {
    /// A controller of pods is deleted.
    Abandon(usize),
    /// A controller of pods says that it is over.
    Conclude(usize),
    /// The garbage collector looks at an object.
    Collect(usize, Kind),
    /// A replica is killed, and starts anew.
    Crash(usize),
    Deed(usize, Deed),
    /// A replica makes one of the requests that it is about to make, at a service.
    Do(usize, usize, usize),
    /// One of them fails on its way.
    Fail(usize, usize, usize),
    /// A replica takes in what came of its requests.
    Finish(usize, usize),
    /// A replica looks at a service's pods, or at their controller.
    Look(usize, usize),
    /// Somebody else's object appears under one of our names.
    Intrude(usize, Kind),
    /// The gate of a pod lets it through to a service.
    Pass(usize, usize),
    /// The same, by what a replica knows.
    PassBlindly(usize, usize, usize),
    /// What a watch took down reaches its replica.
    Receive(usize, Watch),
    /// A watch shows once more, or after others, what it has shown before.
    Repeat(usize, Watch),
    /// A watch takes down what is there.
    Send(usize, Watch),
    /// A watch shows its replica what is there.
    Show(usize, Watch),
    /// A replica begins to work at a service.
    Start(usize, usize),
    Tick,
    /// Somebody else's object is taken away.
    Withdraw(usize, Kind),
}

/// Who does not see a step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Blind {
    pub(crate) watch: Watch,
    pub(crate) replicas: Vec<usize>,
}

// === impl Step ===

impl Step {
    /// The watch that shows what it changes, if it may change anything.
    pub(crate) fn shows(self, world: &World) -> Option<Watch> {
        match self {
            Self::Abandon(_) | Self::Deed(..) => Some(Watch::Pods),
            Self::Collect(_, kind) => Some(Watch::of(kind)),
            Self::Do(..) => self.call(world).map(|call| match call {
                Call::Attach { kind, .. } | Call::Delete { kind, .. } => Watch::of(kind),
                Call::Create { names: true, .. } => Watch::Names,
                Call::Create { .. } | Call::Update { .. } => Watch::Sets,
                Call::Release(_) => Watch::Pods,
            }),
            _ => None,
        }
    }

    /// The request that it is about, if it is.
    pub(crate) fn call(self, world: &World) -> Option<Call> {
        let (Self::Do(replica, service, call) | Self::Fail(replica, service, call)) = self else {
            return None;
        };
        match &world.replicas[replica].desks[service].work {
            Some(Work::Doing { calls, .. }) => Some(calls[call]),
            _ => None,
        }
    }
}
