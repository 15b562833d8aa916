//! Where a run takes place.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::Fault;
use super::journal::Journal;
use super::ledger::Ledger;
use crate::sandbox::Sandbox;

/// Where a run takes place, for all who act in it.
#[derive(Clone)]
pub struct Stage {
    /// The namespace.
    pub sandbox: Sandbox,
    /// Where tasks tell what they see.
    pub stand: SocketAddr,
    /// What the API server shows.
    pub ledger: Ledger,
    /// What happened when.
    pub journal: Journal,
    room: Arc<Semaphore>,
    deeds: Arc<Mutex<Vec<Deed>>>,
}

/// What was done, or tried.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A pod was deleted, by the plan or by a fault, so that it may end however it does.
    Deleted {
        /// Its uid.
        uid: String,
        /// How.
        how: Deletion,
    },
    /// A pod was created.
    Created {
        /// Its uid.
        uid: String,
        /// Whether it was let in without what was asked for.
        is_bare: bool,
    },
    /// A pod was refused.
    Refused {
        /// Its group's number.
        group: u32,
        /// With which status.
        status: u16,
        /// Why.
        message: String,
    },
    /// A group found no room in time, and was not played.
    Skipped {
        /// Its number.
        group: u32,
    },
    /// A fault was done.
    Struck {
        /// Which.
        fault: Fault,
        /// From when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    },
    /// A fault could not be done.
    Missed {
        /// Which.
        fault: Fault,
    },
    /// A group was played to its end, or did not come to one.
    Played {
        /// Which one.
        group: String,
        /// Whether it came to its end.
        is_over: bool,
    },
}

/// How a pod was deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// Its object at once.
    Force,
    /// With some grace.
    Grace,
    /// By the collector, because its owner was, and its services with it.
    Owner,
}

// === impl Stage ===

impl Stage {
    /// A stage on which nothing has happened yet.
    #[must_use]
    pub fn new(sandbox: Sandbox, stand: SocketAddr, ledger: Ledger, journal: Journal) -> Self {
        let room = Arc::new(Semaphore::new(usize::try_from(MOST_ALIVE).unwrap_or(1)));
        Self { sandbox, stand, ledger, journal, room, deeds: Arc::default() }
    }

    /// Waits until there is room for so many pods, servers included.
    pub async fn room(&self, pods: u32) -> Result<OwnedSemaphorePermit> {
        Ok(self.room.clone().acquire_many_owned(pods.min(MOST_ALIVE)).await?)
    }

    /// Takes down what was done.
    pub fn did(&self, deed: Deed) {
        self.journal.note(format_args!("{deed:?}"));
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).push(deed);
    }

    /// All that was done.
    #[must_use]
    pub fn deeds(&self) -> Vec<Deed> {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The uids of the pods that were deleted, and of those whose owner was, by how.
#[must_use]
pub fn deleted(deeds: &[Deed]) -> Vec<(&str, Deletion)> {
    let deleted = deeds.iter().filter_map(|deed| match deed {
        Deed::Deleted { uid, how } => Some((uid.as_str(), *how)),
        _ => None,
    });
    deleted.collect()
}

/// Pods that are there at once: what two cores bear.
const MOST_ALIVE: u32 = 25;
