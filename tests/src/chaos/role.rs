//! What pods of a group are to each other.

/// A part that a pod plays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Role {
    /// The fixture that it is made from.
    pub fixture: &'static str,
    /// Who makes the pod.
    pub maker: Maker,
    /// How it ends.
    pub tie: Tie,
}

/// Who makes a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Maker {
    /// We do, as Flyte or an operator does.
    Hand,
    /// A batch Job, whose controller is there.
    Job,
    /// A ReplicaSet, whose controller is there.
    ReplicaSet,
}

/// How a pod's end and those of its group are tied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tie {
    /// It works until its job's leader has ended and somebody deletes it.
    Follows,
    /// It ends by itself.
    Free,
    /// Its end is its job's.
    Leads,
}

/// A kind of task, by the pods that it consists of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A Dask job with its scheduler and worker.
    Dask,
    /// A task with two containers and an init container.
    Full,
    /// A batch Job.
    Job,
    /// Two children of a map task.
    Map,
    /// An MPI job: launcher and two workers.
    Mpi,
    /// A plain Python task.
    Plain,
    /// A `PyTorch` job: master and worker.
    PyTorch,
    /// A raw container with Flyte's copilot.
    Raw,
    /// A Ray cluster and the Job that submits to it.
    Ray,
    /// Two tasks that ask for different things by one name.
    Rivals,
}

// === impl Kind ===

impl Kind {
    /// How often each kind comes.
    pub const WEIGHTS: &[(u64, Self)] = &[
        (6, Self::Plain),
        (3, Self::Map),
        (2, Self::Full),
        (2, Self::Job),
        (2, Self::Mpi),
        (2, Self::Raw),
        (1, Self::Dask),
        (1, Self::PyTorch),
        (1, Self::Ray),
        (1, Self::Rivals),
    ];

    /// The pods of such a task, in the order in which they are made.
    #[must_use]
    pub fn roles(self) -> Vec<Role> {
        match self {
            Self::Dask => vec![
                Role { maker: Maker::ReplicaSet, ..follows("dask-scheduler") },
                Role { maker: Maker::ReplicaSet, ..follows("dask-worker-0") },
                leads("dask-job-runner"),
            ],
            Self::Full => vec![free("full")],
            Self::Job => vec![Role { maker: Maker::Job, ..free("plain") }],
            Self::Map => vec![free("map-child-0"), free("map-child-1")],
            Self::Mpi => vec![follows("mpi-worker-0"), follows("mpi-worker-1"), leads("mpi-launcher")],
            Self::Plain => vec![free("plain")],
            Self::PyTorch => vec![leads("pytorch-master-0"), free("pytorch-worker-0")],
            Self::Raw => vec![free("raw")],
            Self::Ray => vec![
                follows("ray-head"),
                follows("ray-worker"),
                Role { maker: Maker::Job, ..leads("ray-submitter") },
            ],
            Self::Rivals => vec![free("plain"), free("plain")],
        }
    }

    /// Whether its pods are parts of one job, and share what they ask for.
    #[must_use]
    pub const fn is_job(self) -> bool {
        matches!(self, Self::Dask | Self::Job | Self::Mpi | Self::PyTorch | Self::Ray)
    }
}

const fn free(fixture: &'static str) -> Role {
    Role { fixture, maker: Maker::Hand, tie: Tie::Free }
}

const fn follows(fixture: &'static str) -> Role {
    Role { fixture, maker: Maker::Hand, tie: Tie::Follows }
}

const fn leads(fixture: &'static str) -> Role {
    Role { fixture, maker: Maker::Hand, tie: Tie::Leads }
}
