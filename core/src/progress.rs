//! How far a pod's services are, in a person's words: what its wait gate prints, and why it gives up.

use jiff::{SignedDuration, Timestamp};

use crate::consumer::Consumer;
use crate::plan::PlannedService;
use crate::reconcile::{Claim, Object, Observed};
use crate::record::later;
use crate::server::Server;

/// What is known of a service at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its objects.
    pub observed: &'a Observed,
    /// Its servers, of whatever making, by ordinal.
    pub servers: &'a [Server],
    /// What events have told of it, and of the pod that asks.
    pub told: &'a [Told],
}

/// A cause that only an event tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// What it says, on one line.
    pub text: String,
    /// When it was last said.
    pub at: Timestamp,
    /// Whether waiting may mend it.
    pub hope: Hope,
}

/// Whether waiting may mend a cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hope {
    /// It may: an image that is not there yet, a cluster that is full.
    Mends,
    /// It may, within moments: the servers that fill a quota may just be ending.
    MendsSoon,
    /// It cannot.
    Never,
}

/// How far a pod's services are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Where that leaves the pod.
    pub state: State,
    /// The same in a person's words, on one line: `graph 3/4 ready; graph-2: starting`.
    pub message: String,
    /// When one of them last came nearer to being ready.
    pub progressed_at: Option<Timestamp>,
}

/// Where a pod is with its services; of several, the greatest counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// All servers are ready.
    Ready,
    /// They may be ready yet.
    Waiting,
    /// They will not be.
    Failed,
}

// === impl Hope ===

impl Hope {
    /// Whether waiting may mend what the API server has refused (403, or 400 and 422), by its words.
    #[must_use]
    pub fn of_refusal(text: &str) -> Self {
        // The latter where the quota is new and nobody has counted yet.
        let is_quota =
            ["exceeded quota", "status unknown for quota"].iter().any(|quota| text.contains(quota));
        if is_quota { Self::MendsSoon } else { Self::Never }
    }

    /// Whether there is none, of a cause that was there for so long.
    #[must_use]
    pub fn is_lost_after(self, waited: SignedDuration) -> bool {
        match self {
            Self::Mends => false,
            Self::MendsSoon => waited > SOON,
            Self::Never => true,
        }
    }
}

// === impl Progress ===

impl Progress {
    /// How far `service` is, for `consumer`.
    #[must_use]
    pub fn of_service(consumer: &Consumer, service: &PlannedService, known: &Known<'_>) -> Self {
        let name = &service.name;
        let Some(set) = &known.observed.stateful_set else {
            return Self::not_made(known, format!("{name}: not made yet"));
        };
        if set.is_going() {
            return Self::waiting(format!("{name}: waiting for the previous servers to end"), None);
        }
        let claim = Claim { consumer, service };
        if let Some(cause) = claim.refusal(&set.record).or_else(|| claim.refusal_by_owners(set)) {
            return Self::failed(format!("{name}: {cause}"));
        }
        Self::of_set(service, set, known, lack(set, &claim, known.observed), counts_until(consumer, set))
    }

    /// How far a pod is whose services are so far.
    #[must_use]
    pub fn of_all(each: Vec<Self>) -> Self {
        let state = each.iter().map(|progress| progress.state).max().unwrap_or(State::Ready);
        let progressed_at = each.iter().filter_map(|progress| progress.progressed_at).max();
        // Of services that will not be ready, only they are of interest.
        let told = each.into_iter().filter(|progress| state != State::Failed || progress.state == state);
        Self {
            state,
            message: told.map(|progress| progress.message).collect::<Vec<_>>().join("; "),
            progressed_at,
        }
    }

    /// When the pod has waited for long enough, if it waits at all (design §4: since it was created, or begins
    /// anew, or since the last progress, whichever is later).
    #[must_use]
    pub fn deadline(&self, consumer: &Consumer) -> Option<Timestamp> {
        let since = consumer.waits_since().max(self.progressed_at.unwrap_or(Timestamp::MIN));
        consumer.plan.wait.map(|wait| later(since, wait))
    }

    fn of_set(
        service: &PlannedService,
        set: &Object,
        known: &Known<'_>,
        lack: Option<&str>,
        counts_until: Timestamp,
    ) -> Self {
        let ours = |server: &&Server| server.instance == set.record.instance.as_str() && !server.is_ending;
        let servers: Vec<_> = known.servers.iter().filter(ours).collect();
        let ready = servers.iter().filter(|server| server.is_ready).count();
        let replicas = usize::try_from(service.replicas).unwrap_or(usize::MAX);
        let count = format!("{} {ready}/{replicas} ready", service.name);
        let counting = servers.iter().filter(|server| server.created_at <= counts_until);
        let progressed_at = counting.map(|server| server.progressed_at).chain([set.created_at]).max();
        if ready >= replicas {
            return match lack {
                None => Self { state: State::Ready, message: count, progressed_at },
                Some(lack) => Self::waiting(format!("{count}; {lack}"), progressed_at),
            };
        }
        let told = known.told.iter().find(|told| told.is_in_the_way(set));
        if let Some(told) = told.filter(|_| servers.len() < replicas) {
            return Self::of_told(told, format!("{count}; {}", told.text), Some(set.created_at));
        }
        Self::waiting(format!("{count}{}", missing(service, &servers)), progressed_at)
    }

    fn not_made(known: &Known<'_>, message: String) -> Self {
        match known.told.iter().max_by_key(|told| told.at) {
            Some(told) => Self::of_told(told, format!("{message}; {}", told.text), None),
            None => Self::waiting(message, None),
        }
    }

    fn of_told(told: &Told, message: String, progressed_at: Option<Timestamp>) -> Self {
        let waited = progressed_at.map(|since| told.at.duration_since(since)).unwrap_or_default();
        if told.hope.is_lost_after(waited) {
            Self::failed(message)
        } else {
            Self::waiting(message, progressed_at)
        }
    }

    fn failed(message: String) -> Self {
        Self { state: State::Failed, message, progressed_at: None }
    }

    fn waiting(message: String, progressed_at: Option<Timestamp>) -> Self {
        Self { state: State::Waiting, message, progressed_at }
    }
}

// === impl Told ===

impl Told {
    /// What the StatefulSet controller says of a server that it cannot make: `create Pod graph-0 in StatefulSet graph
    /// failed error: pods "graph-0" is forbidden: exceeded quota: …`. Its status says nothing of it.
    #[must_use]
    pub fn of_failed_creation(text: &str, at: Timestamp) -> Self {
        let text = text.split_once("failed error: ").map_or(text, |(_, cause)| cause);
        let is_refused = text.contains("is forbidden") || text.contains("is invalid");
        let hope = if is_refused { Hope::of_refusal(text) } else { Hope::Mends };
        Self { text: one_line(text), at, hope }
    }

    /// Told of this making, not of one before.
    fn is_in_the_way(&self, set: &Object) -> bool {
        self.at >= set.created_at
    }
}

/// What a service lacks for its pod though its servers are ready. Where the pod's controller does not hold it,
/// Kubernetes' collector may take it with another's.
fn lack(set: &Object, claim: &Claim<'_>, observed: &Observed) -> Option<&'static str> {
    if !claim.is_owned(set) {
        Some("not yet owned by this pod's controller")
    } else if !is_whole(set, observed) {
        Some("its other objects are not yet made, or not yet owned by its StatefulSet")
    } else {
        None
    }
}

/// Whether the other objects are there and go with the StatefulSet: else they may go before it.
fn is_whole(set: &Object, observed: &Observed) -> bool {
    let is_attached = |object: &Object| object.attached_to.as_ref() == Some(&set.uid);
    observed.missing(&set.record).is_empty() && observed.others().all(|(_, object)| is_attached(object))
}

/// Until when a server that is made is progress. All are made at first, and however long it takes to place them, that is
/// progress; one that is made so late takes the place of one that was refused by its node or evicted, and that may go on
/// for ever.
fn counts_until(consumer: &Consumer, set: &Object) -> Timestamp {
    let since = set.created_at.max(consumer.waits_since());
    let waits = consumer.plan.wait.into_iter().cycle().take(MOST_WAITS);
    waits.fold(since, later)
}

/// What is missing, a few servers by name: those in trouble first.
fn missing(service: &PlannedService, servers: &[&Server]) -> String {
    let mut unready: Vec<_> = servers.iter().filter(|server| !server.is_ready).collect();
    unready.sort_by_key(|server| (!server.is_troubled(), server.ordinal));
    let told = unready.iter().take(MOST_NAMED);
    let told = told.map(|server| format!("; {}-{}: {}", service.name, server.ordinal, server.told()));
    let rest = unready.len().saturating_sub(MOST_NAMED);
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    told.chain([more]).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MOST_CHARS).collect()
}

/// How long a quota may be full because servers of a service that is gone have not ended yet (their grace is 5 s).
const SOON: SignedDuration = SignedDuration::from_secs(10);
/// So many times its wait, a pod's servers may be made anew before that is no progress any more.
const MOST_WAITS: usize = 6;
/// Servers that a message names.
const MOST_NAMED: usize = 3;
/// The API server's words can be long; a termination message holds 4 KiB in all.
const MOST_CHARS: usize = 700;

#[cfg(test)]
mod tests;
