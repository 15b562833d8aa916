//! What goes wrong, and when.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use super::dice::Dice;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Fault {
    /// The API server is killed, and started again.
    ApiServer,
    /// The controllers of Kubernetes are.
    Controllers,
    /// etcd is.
    Etcd,
    /// The kubelet stands still for longer than its lease, and goes on.
    Kubelet,
    /// A task's pod is deleted without any grace.
    Pod,
    /// The webhook's pod is deleted without any grace.
    Replacement,
    /// A server's pod is deleted without any grace.
    Server,
    /// A task's sidecar is killed.
    Sidecar,
    /// The webhook is killed in its pod.
    Webhook,
}

/// Something that goes wrong at some time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Strike {
    /// When.
    pub at: Duration,
    /// What.
    pub fault: Fault,
    /// For how long.
    pub lasts: Duration,
    /// Whom it hits, of those that are there.
    pub pick: u64,
}

// === impl Fault ===

impl Fault {
    /// How long it lasts.
    fn duration(self, dice: &mut Dice) -> Duration {
        match self {
            Self::ApiServer | Self::Controllers | Self::Etcd => {
                dice.between(Duration::from_secs(1), Duration::from_secs(10))
            }
            // The lease is good for 40 s, and was renewed up to 10 s before; another 10 s pass until the node counts as
            // not ready.
            Self::Kubelet => dice.between(Duration::from_mins(1), LONGEST_PAUSE),
            Self::Pod | Self::Replacement | Self::Server | Self::Sidecar | Self::Webhook => Duration::ZERO,
        }
    }

    /// How long after one has ended before the next of the kind may begin.
    const fn rest(self) -> Duration {
        Duration::from_secs(match self {
            Self::ApiServer | Self::Etcd => 20,
            Self::Controllers => 15,
            Self::Kubelet => 180,
            Self::Pod | Self::Server | Self::Sidecar => 2,
            Self::Replacement | Self::Webhook => 10,
        })
    }

    /// Those that must not come together: one thing that is away, or whose container the kubelet holds back.
    ///
    /// A container that is killed for the second time within ten minutes waits for 10 s, then 20, 40…: Kubernetes' own
    /// pause, which says nothing of us. So the webhook's pod is replaced before it is killed again.
    const fn place(self) -> usize {
        match self {
            Self::ApiServer | Self::Etcd => 0,
            Self::Controllers => 1,
            Self::Kubelet => 2,
            Self::Replacement | Self::Webhook => 3,
            Self::Pod => 4,
            Self::Server => 5,
            Self::Sidecar => 6,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.pad(value.get_name()))
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if self.lasts.is_zero() { Ok(()) } else { write!(f, " for {:?}", self.lasts) }
    }
}

/// Everything that goes wrong in a run of `duration`, and is over in it: each of `faults` once, where there is time, then
/// at random.
pub(super) fn draw(dice: &mut Dice, faults: &[Fault], duration: Duration) -> Vec<Strike> {
    let mut deck = dice.shuffled(faults.to_vec());
    // The last is drawn first. While the kubelet stands still little else can be seen.
    deck.sort_by_key(|fault| *fault != Fault::Kubelet);
    let mut free_at: BTreeMap<usize, Duration> = BTreeMap::new();
    let (mut strikes, mut at) = (Vec::new(), FIRST);
    let mut last_of_webhook = None;
    while at < duration && !faults.is_empty() {
        let is_free = |fault: &Fault| free_at.get(&fault.place()).is_none_or(|free_at| *free_at <= at);
        let may_come = |fault: &Fault| {
            is_free(fault) && !(*fault == Fault::Webhook && last_of_webhook == Some(Fault::Webhook))
        };
        let from_deck = deck.iter().rposition(may_come).map(|index| deck.remove(index));
        let others: Vec<Fault> = faults.iter().copied().filter(|fault| may_come(fault)).collect();
        if let Some(fault) = from_deck.or_else(|| dice.one_of(&others).copied()) {
            let (lasts, pick) = (fault.duration(dice), dice.throw());
            if at + lasts <= duration {
                strikes.push(Strike { at, fault, lasts, pick });
                free_at.insert(fault.place(), at + lasts + fault.rest());
                if matches!(fault, Fault::Replacement | Fault::Webhook) {
                    last_of_webhook = Some(fault);
                }
            }
        }
        at += dice.between(SHORTEST_GAP, LONGEST_GAP);
    }
    strikes
}

/// So that there is something to hit.
const FIRST: Duration = Duration::from_secs(8);
const SHORTEST_GAP: Duration = Duration::from_secs(2);
const LONGEST_GAP: Duration = Duration::from_secs(12);
/// The kubelet's, and so the longest of all.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(75);
