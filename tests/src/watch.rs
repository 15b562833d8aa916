//! Seeing objects come and go at the moment when the API server tells.

use std::fmt::Debug;

use anyhow::{Context, Result, bail};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
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

    async fn until(&mut self, is_it: impl Fn(&WatchEvent<K>) -> bool) -> Result<Timestamp> {
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
