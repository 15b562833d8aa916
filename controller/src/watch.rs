//! Watches, as one stream of events.

use dataservice_core::annotation;
use dataservice_core::reconcile::Kind;
use dataservice_core::record::MANAGED_BY;
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;

use crate::{event, kind};

/// What is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Watched {
    /// Injected pods.
    Consumers,
    /// What the StatefulSet controller could not make. Its own status says nothing of it.
    FailedCreations,
    /// What we ourselves, or another replica, have told pods that wait in vain.
    Notices,
    /// Our objects.
    Objects(Kind),
    /// Our servers.
    Servers,
    /// What servers may start from.
    Templates,
}

/// A change, or the error for which a watch starts over.
pub(crate) type Change = (Watched, Result<Event<Value>, watcher::Error>);

// === impl Watched ===

impl Watched {
    /// All that is watched.
    pub(crate) const ALL: [Self; 8] = [
        Self::Consumers,
        Self::FailedCreations,
        Self::Notices,
        Self::Objects(Kind::NetworkPolicy),
        Self::Objects(Kind::Service),
        Self::Objects(Kind::StatefulSet),
        Self::Servers,
        Self::Templates,
    ];

    fn resource(self) -> ApiResource {
        match self {
            Self::Consumers | Self::Servers => kind::pods(),
            Self::FailedCreations | Self::Notices => kind::events(),
            Self::Objects(kind) => kind::resource(kind),
            Self::Templates => kind::pod_templates(),
        }
    }

    fn config(self) -> watcher::Config {
        let (manager, us) = MANAGED_BY;
        let config = watcher::Config::default();
        match self {
            // A server of ours is never a consumer, whatever it is labelled.
            Self::Consumers => config.labels(&format!("{}=true,{manager}!={us}", annotation::CONSUMER)),
            Self::FailedCreations => config.fields("involvedObject.kind=StatefulSet,reason=FailedCreate"),
            Self::Notices => config.fields(&format!("reportingComponent={},type=Warning", event::REPORTER)),
            Self::Objects(_) | Self::Servers => config.labels(&format!("{manager}={us}")),
            Self::Templates => config,
        }
    }
}

/// All watches. Each starts over by itself, with growing pauses.
pub(crate) fn watch(client: &Client) -> SelectAll<BoxStream<'static, Change>> {
    select_all(Watched::ALL.map(|watched| {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &watched.resource());
        let changes = watcher(api, watched.config()).default_backoff();
        changes.map(move |change| (watched, change.map(to_json))).boxed()
    }))
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
