//! Carries out what [`reconcile`] decides for one service.

use std::sync::Arc;

use dataservice_core::consumer::{Consumer, PodRef};
use dataservice_core::reconcile::{Action, Creation, Kind, Knowledge, reconcile};
use dataservice_core::record::Record;
use dataservice_core::render::{self, InvalidTemplate};
use futures::future::join_all;
use jiff::Timestamp;
use kube::Client;
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams, Preconditions, PropagationPolicy};
use serde_json::Value;

use crate::event::{self, Event, Reason};
use crate::index::{ServiceRef, Snapshot};
use crate::kind;

/// What it takes to carry actions out.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Who reports events: our pod's name.
    pub reporter: String,
}

/// What was done for a service.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Objects that were made, by kind and uid; watches have yet to show them.
    pub created: Vec<(Kind, String)>,
    /// Objects whose deletion was taken.
    pub deleted: Vec<(Kind, String)>,
    /// When to look again, though nothing changes.
    pub revisit: Option<Timestamp>,
    /// What did not work; it is tried again.
    pub error: Option<Error>,
}

/// An action could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The consumers could not be listed.
    #[error("failed to list the consumers of {service}: {}", message(source))]
    ListConsumers {
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// An object could not be made.
    #[error("failed to create {kind:?} {service}: {}", message(source))]
    Create {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// An object could not be deleted.
    #[error("failed to delete {kind:?} {service}: {}", message(source))]
    Delete {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
        /// What the API server said.
        source: kube::Error,
    },
    /// Something else has the name.
    #[error("{kind:?} {service} is there already and was not made by flyte-dataservice; it is left alone")]
    NameTaken {
        /// Its kind.
        kind: Kind,
        /// The service.
        service: ServiceRef,
    },
    /// The pod template could not be read.
    #[error("failed to read pod template {name:?} in namespace {namespace}: {reason}")]
    ReadTemplate {
        /// Its name.
        name: String,
        /// Where it was looked for.
        namespace: String,
        /// What the API server said.
        reason: String,
    },
    /// The pod template gives no servers.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
}

/// Does what has to be done for `service`.
pub async fn apply(context: &Context, service: &ServiceRef, snapshot: &Snapshot) -> Outcome {
    let now = Timestamp::now();
    let actions = reconcile(&snapshot.claims(service), &snapshot.observed, Knowledge::Watched, now);
    if actions.contains(&Action::Confirm) {
        return match list_consumers(context, service, snapshot).await {
            Ok(listed) => {
                let actions = reconcile(&listed.claims(service), &listed.observed, Knowledge::Listed, now);
                carry_out(context, service, &listed, actions).await
            }
            Err(error) => Outcome { error: Some(error), ..Outcome::default() },
        };
    }
    carry_out(context, service, snapshot, actions).await
}

async fn carry_out(
    context: &Context,
    service: &ServiceRef,
    snapshot: &Snapshot,
    actions: Vec<Action>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut events = Vec::new();
    for result in join_all(actions.into_iter().map(|action| one(context, service, action))).await {
        outcome.created.extend(result.created);
        outcome.deleted.extend(result.deleted);
        outcome.revisit = outcome.revisit.or(result.revisit);
        outcome.error = outcome.error.or(result.error);
        events.extend(result.events);
    }
    if !outcome.deleted.is_empty() {
        let note = format!("deleted StatefulSet and Service {}", service.object);
        events.extend(snapshot.consumers.iter().map(|consumer| Event {
            pod: consumer.pod.clone(),
            reason: Reason::Deleted,
            note: note.clone(),
        }));
    }
    for event in &events {
        tracing::info!(%service, pod = %event.pod.name, reason = event.reason.as_str(), note = %event.note);
        event::publish(&context.client, &context.reporter, event, Timestamp::now()).await;
    }
    outcome
}

/// What one action came to.
#[derive(Default)]
struct Done {
    created: Vec<(Kind, String)>,
    deleted: Option<(Kind, String)>,
    revisit: Option<Timestamp>,
    error: Option<Error>,
    events: Vec<Event>,
}

async fn one(context: &Context, service: &ServiceRef, action: Action) -> Done {
    match action {
        Action::Confirm => Done::default(),
        Action::Create { creation, kinds } => create(context, service, &creation, &kinds).await,
        Action::Delete { kind, uid } => match delete(context, service, kind, &uid).await {
            Ok(()) => Done { deleted: Some((kind, uid)), ..Done::default() },
            Err(error) => Done { error: Some(error), ..Done::default() },
        },
        Action::Refuse { pod, cause } => {
            let note = format!("this pod does not get its data service {}: {cause}", service.object);
            Done { events: vec![Event { pod, reason: Reason::Failed, note }], ..Done::default() }
        }
        Action::Revisit(at) => Done { revisit: Some(at), ..Done::default() },
    }
}

/// Makes what is missing. Its consumers are told, whether it worked or not.
async fn create(context: &Context, service: &ServiceRef, creation: &Creation, kinds: &[Kind]) -> Done {
    let mut done = Done::default();
    match render(context, creation, kinds).await {
        Ok(objects) => {
            let posts =
                objects.into_iter().map(|(kind, object)| post(context, service, kind, object, creation));
            for result in join_all(posts).await {
                match result {
                    Ok(created) => done.created.extend(created),
                    Err(error) => done.error = Some(error),
                }
            }
        }
        Err(error) => done.error = Some(error),
    }
    let tell = |reason, note: &str| {
        let event = |pod: &PodRef| Event { pod: pod.clone(), reason, note: note.to_owned() };
        creation.consumers.iter().map(event).collect()
    };
    match &done.error {
        Some(error) => done.events = tell(Reason::Failed, &error.to_string()),
        None if !done.created.is_empty() => {
            let replicas = creation.service.spec.replicas;
            let note = format!("created StatefulSet and Service {} with {replicas} servers", service.object);
            done.events = tell(Reason::Created, &note);
        }
        None => {}
    }
    done
}

async fn render(context: &Context, creation: &Creation, kinds: &[Kind]) -> Result<Vec<(Kind, Value)>, Error> {
    let mut objects = Vec::new();
    for kind in kinds {
        let object = match kind {
            Kind::Service => render::service(creation),
            Kind::StatefulSet => {
                let template = template(context, creation).await?;
                render::stateful_set(creation, template.as_ref())?
            }
        };
        objects.push((*kind, object));
    }
    Ok(objects)
}

/// The pod template that the service names, if it names one.
async fn template(context: &Context, creation: &Creation) -> Result<Option<Value>, Error> {
    let Some(name) = &creation.service.spec.pod_template else { return Ok(None) };
    let api = kind::namespaced(&context.client, &creation.namespace, &kind::pod_templates());
    let failed = |reason: String| Error::ReadTemplate {
        name: name.to_string(),
        namespace: creation.namespace.clone(),
        reason,
    };
    match api.get_opt(name.as_str()).await {
        Ok(Some(template)) => Ok(Some(json(template))),
        Ok(None) => Err(failed("there is none of that name".to_owned())),
        Err(error) => Err(failed(message(&error))),
    }
}

/// Creates one object. Where the name is taken, the object that has it is looked at: it may be the one we wanted.
async fn post(
    context: &Context,
    service: &ServiceRef,
    kind: Kind,
    object: Value,
    creation: &Creation,
) -> Result<Option<(Kind, String)>, Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::resource(kind));
    let failed = |source| Error::Create { kind, service: service.clone(), source };
    let object: DynamicObject =
        serde_json::from_value(object).map_err(|error| failed(kube::Error::SerdeError(error)))?;
    match api
        .create(&PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }, &object)
        .await
    {
        Ok(created) => Ok(created.metadata.uid.map(|uid| (kind, uid))),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let there = api.get_opt(service.object.as_str()).await.map_err(failed)?.map(json);
            let record = there.as_ref().and_then(Record::read);
            match (there, record) {
                // Gone again, or ours: the watch tells the rest.
                (None, _) => Ok(None),
                (Some(_), Some(record)) if record.key == creation.record.key => Ok(None),
                (Some(_), _) => Err(Error::NameTaken { kind, service: service.clone() }),
            }
        }
        Err(source) => Err(failed(source)),
    }
}

async fn delete(context: &Context, service: &ServiceRef, kind: Kind, uid: &str) -> Result<(), Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::resource(kind));
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api.delete(service.object.as_str(), &params).await {
        Ok(_) => Ok(()),
        // Gone, or another one by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(source) => Err(Error::Delete { kind, service: service.clone(), source }),
    }
}

/// The consumers as the API server has them now.
async fn list_consumers(
    context: &Context,
    service: &ServiceRef,
    snapshot: &Snapshot,
) -> Result<Snapshot, Error> {
    let observed = snapshot.observed.clone();
    let record = observed.stateful_set.as_ref().or(observed.service.as_ref()).map(|object| &object.record);
    let Some(record) = record else { return Ok(Snapshot { consumers: Vec::new(), observed }) };
    let api = kind::namespaced(&context.client, &service.namespace, &kind::pods());
    let list = api.list(&ListParams::default().labels(&record.key.consumers())).await;
    let list = list.map_err(|source| Error::ListConsumers { service: service.clone(), source })?;
    let consumers =
        list.into_iter().filter_map(|pod| Consumer::read(&json(pod)).ok().map(Arc::new)).collect();
    Ok(Snapshot { consumers, observed })
}

fn json(object: DynamicObject) -> Value {
    // An object that came as JSON is JSON.
    serde_json::to_value(object).unwrap_or_default()
}

/// What the API server said, without the transport's wrapping.
fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        error => error.to_string(),
    }
}

/// Our field manager.
pub const MANAGER: &str = "flyte-dataservice";
