//! Watches, as one stream of events.

use dataservice_core::annotation;
use dataservice_core::reconcile::Kind;
use dataservice_core::record::MANAGED_BY;
use futures::stream::{SelectAll, select_all};
use futures::{Stream, StreamExt};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;

use crate::kind;

/// What is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Watched {
    /// Injected pods.
    Consumers,
    /// Our objects.
    Objects(Kind),
}

/// A change, or the error for which a watch starts over.
pub(crate) type Change = (Watched, Result<Event<Value>, watcher::Error>);

/// All watches. Each starts over by itself, with growing pauses.
pub(crate) fn watch(client: &Client) -> SelectAll<impl Stream<Item = Change> + Unpin + use<>> {
    let ours = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    // A server of ours is never a consumer, whatever it is labelled.
    let consumers = format!("{}=true,{}!={}", annotation::CONSUMER, MANAGED_BY.0, MANAGED_BY.1);
    select_all([
        one(client, Watched::Consumers, &kind::pods(), &consumers),
        one(client, Watched::Objects(Kind::Service), &kind::resource(Kind::Service), &ours),
        one(client, Watched::Objects(Kind::StatefulSet), &kind::resource(Kind::StatefulSet), &ours),
    ])
}

fn one(
    client: &Client,
    watched: Watched,
    resource: &ApiResource,
    labels: &str,
) -> futures::stream::BoxStream<'static, Change> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    watcher(api, watcher::Config::default().labels(labels))
        .default_backoff()
        .map(move |change| (watched, change.map(to_json)))
        .boxed()
}

fn to_json(event: Event<DynamicObject>) -> Event<Value> {
    // An object that came as JSON is JSON.
    let json = |object| serde_json::to_value(object).unwrap_or_default();
    match event {
        Event::Apply(object) => Event::Apply(json(object)),
        Event::Delete(object) => Event::Delete(json(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(json(object)),
        Event::InitDone => Event::InitDone,
    }
}
