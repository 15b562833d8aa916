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

/// A watch on the objects of one kind. It misses nothing from its opening on, and ends within five minutes.
pub struct Watch<K> {
    events: BoxStream<'static, kube::Result<WatchEvent<K>>>,
}

// === impl Watch ===

impl<K: Resource + Clone + Debug + DeserializeOwned + Send + 'static> Watch<K> {
    /// Opens a watch on what `api` gives; the API server has taken it when this returns.
    pub async fn open(api: &Api<K>) -> Result<Self> {
        let version = api.list(&ListParams::default()).await?.metadata.resource_version;
        let version = version.context("a list without a version")?;
        Ok(Self { events: api.watch(&WatchParams::default(), &version).await?.boxed() })
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
        while let Some(event) = self.events.try_next().await? {
            let seen = Timestamp::now();
            if let WatchEvent::Error(status) = &event {
                bail!("the watch failed: {status:?}");
            }
            if is_it(&event) {
                return Ok(seen);
            }
        }
        bail!("the watch ended")
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
