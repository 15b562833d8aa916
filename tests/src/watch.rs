//! Seeing objects come and go at the moment when the API server tells.

use std::collections::HashMap;
use std::fmt::Debug;

use anyhow::{Context, Result, bail};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::wait;

/// A watch on the objects of one kind. It misses nothing from its opening on.
pub struct Watch<K> {
    api: Api<K>,
    events: BoxStream<'static, kube::Result<WatchEvent<K>>>,
    /// Of what was seen last.
    version: String,
}

// === impl Watch ===

impl<K: Resource + Clone + Debug + DeserializeOwned + Send + 'static> Watch<K> {
    /// Opens a watch on what `api` gives; the API server has taken it when this returns.
    pub async fn open(api: &Api<K>) -> Result<Self> {
        let version = api.list(&ListParams::default()).await?.metadata.resource_version;
        let version = version.context("a list without a version")?;
        let events = api.watch(&WatchParams::default(), &version).await?.boxed();
        Ok(Self { api: api.clone(), events, version })
    }

    /// Waits until the object of this name has been added, and hands back when that was seen here.
    pub async fn until_added(&mut self, name: &str) -> Result<Timestamp> {
        let is_it = |event: &WatchEvent<K>| matches!(event, WatchEvent::Added(it) if it.name_any() == name);
        wait::within(&format!("{name} to be added"), self.until(is_it)).await
    }

    /// Waits until the object of this name has been deleted, and hands back when that was seen here.
    pub async fn until_deleted(&mut self, name: &str) -> Result<Timestamp> {
        let is_it = |event: &WatchEvent<K>| matches!(event, WatchEvent::Deleted(it) if it.name_any() == name);
        wait::within(&format!("{name} to be deleted"), self.until(is_it)).await
    }

    /// Waits until objects of `count` different names have been added, and hands back when each was seen here: more
    /// than once, if it was deleted and made again.
    pub async fn until_all_added(&mut self, count: usize) -> Result<HashMap<String, Vec<Timestamp>>> {
        let mut added: HashMap<_, Vec<_>> = HashMap::new();
        while added.len() < count {
            let mut name = None;
            let seen = self.until(|event| {
                name = if let WatchEvent::Added(it) = event { Some(it.name_any()) } else { None };
                name.is_some()
            });
            let seen = seen.await.with_context(|| format!("{} of {count} were added", added.len()))?;
            added.entry(name.unwrap_or_default()).or_default().push(seen);
        }
        Ok(added)
    }

    async fn until(&mut self, mut is_it: impl FnMut(&WatchEvent<K>) -> bool) -> Result<Timestamp> {
        loop {
            let Some(event) = self.events.try_next().await? else {
                // The API server ends one when its time is over, or when it gets ahead of who reads.
                self.events = self.api.watch(&WatchParams::default(), &self.version).await?.boxed();
                continue;
            };
            let seen = Timestamp::now();
            match &event {
                WatchEvent::Added(it) | WatchEvent::Modified(it) | WatchEvent::Deleted(it) => {
                    self.version = it.resource_version().unwrap_or_default();
                }
                WatchEvent::Bookmark(mark) => self.version.clone_from(&mark.metadata.resource_version),
                WatchEvent::Error(status) => bail!("the watch failed: {status:?}"),
            }
            if is_it(&event) {
                return Ok(seen);
            }
        }
    }
}

impl Watch<Pod> {
    /// Waits until the pod of this name has this phase, and hands back when that was seen here.
    pub async fn until_phase(&mut self, name: &str, phase: &str) -> Result<Timestamp> {
        let has_it =
            |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some(phase));
        let is_it = |event: &WatchEvent<Pod>| matches!(event, WatchEvent::Modified(it) if it.name_any() == name && has_it(it));
        wait::within(&format!("{name} to be {phase}"), self.until(is_it)).await
    }
}
