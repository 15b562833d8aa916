//! Carries out what [`reconcile`] decides for one service.

mod create;
mod leader;
mod look;

use std::time::Duration;

use dataservice_core::consumer::PodRef;
use dataservice_core::reconcile::{Action, Attachment, Kind, Knowledge, Update, reconcile};
use dataservice_core::record::Record;
use futures::stream::iter;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use serde_json::{Value, json};

use crate::event::{self, Event, Reason};
use crate::index::{ServiceRef, Snapshot};
use crate::{escort, kind, mark};

use self::leader::Lead;

pub(crate) use self::look::json;
pub use crate::error::Error;

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
    /// Objects that are being deleted, or gone.
    pub deleted: Vec<(Kind, String)>,
    /// Objects as the API server has them since they were changed.
    pub updated: Vec<(Kind, Value)>,
    /// The pods that do not get the service, by uid; they know.
    pub refused: Vec<String>,
    /// When to look again, though nothing changes.
    pub revisit: Option<Timestamp>,
    /// What did not work; it is tried again.
    pub error: Option<Error>,
}

/// What one action came to.
#[derive(Default)]
struct Done {
    outcome: Outcome,
    events: Vec<Event>,
}

/// What came of the looks at a service before. Nothing depends on it but what is said, and how often.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// For how long it has failed.
    pub failing_for: Duration,
    /// The pods that were told that they do not get it, by uid.
    pub refused: Vec<String>,
}

/// What actions are carried out for.
#[derive(Clone, Copy)]
struct Work<'a> {
    context: &'a Context,
    service: &'a ServiceRef,
    past: &'a Past,
}

/// Does what has to be done for `service`.
pub async fn apply(context: &Context, service: &ServiceRef, snapshot: &Snapshot, past: &Past) -> Outcome {
    let work = Work { context, service, past };
    let now = Timestamp::now();
    match leader::look(context, service, snapshot, now).await {
        Lead::Unchanged => decide(work, snapshot, now).await,
        Lead::Concluded(snapshot) => decide(work, &snapshot, now).await,
        Lead::Undecided(until) => {
            let mut outcome = decide(work, snapshot, now).await;
            outcome.add(Outcome { revisit: Some(until), ..Outcome::default() });
            outcome
        }
    }
}

async fn decide(work: Work<'_>, snapshot: &Snapshot, now: Timestamp) -> Outcome {
    let Work { context, service, .. } = work;
    let actions = reconcile(&snapshot.claims(service), &snapshot.observed, Knowledge::Watched, now);
    if !actions.contains(&Action::Confirm) {
        return carry_out(work, snapshot, actions).await;
    }
    match look::look(context, service, snapshot, now).await {
        Ok((listed, job)) => {
            let knowledge = Knowledge::Confirmed(job);
            let actions = reconcile(&listed.claims(service), &listed.observed, knowledge, now);
            carry_out(work, &listed, actions).await
        }
        Err(error) => Outcome { error: Some(error), ..Outcome::default() },
    }
}

async fn carry_out(work: Work<'_>, snapshot: &Snapshot, actions: Vec<Action>) -> Outcome {
    let Work { context, service, .. } = work;
    let mut outcome = Outcome::default();
    let mut events = Vec::new();
    // Boxed: the compiler cannot tell that closures which borrow are good for every lifetime.
    let doing: Vec<_> = actions.into_iter().map(|action| one(work, action).boxed()).collect();
    let mut doing = iter(doing).buffer_unordered(MOST_AT_ONCE);
    while let Some(done) = doing.next().await {
        outcome.add(done.outcome);
        events.extend(done.events);
    }
    if outcome.deleted.iter().any(|(kind, _)| *kind == Kind::StatefulSet) {
        let note = format!("deleted StatefulSet and Service {}", service.object);
        let tell = |consumer: &PodRef| event(consumer, service, Reason::Deleted, &note);
        events.extend(snapshot.consumers.iter().map(|consumer| tell(&consumer.pod)));
    }
    if let Some(error @ Error::Update { .. }) = &outcome.error {
        // Nobody who waits starts before it has worked.
        let waiting = snapshot.consumers.iter().filter(|consumer| escort::is_waiting(consumer));
        let note = error.to_string();
        events.extend(waiting.map(|consumer| event(&consumer.pod, service, Reason::Delayed, &note)));
    }
    publish(context, service, &events).await;
    outcome
}

async fn publish(context: &Context, service: &ServiceRef, events: &[Event]) {
    for event in events {
        tracing::info!(%service, pod = %event.pod.name, reason = event.reason.as_str(), note = %event.note);
    }
    let publishing = events.iter();
    let publishing = publishing
        .map(|event| event::publish(&context.client, &context.reporter, event, Timestamp::now()).boxed());
    iter(publishing.collect::<Vec<_>>()).buffer_unordered(MOST_AT_ONCE).collect::<()>().await;
}

async fn one(work: Work<'_>, action: Action) -> Done {
    let Work { context, service, past } = work;
    match action {
        Action::Attach(attachment) => attach(context, service, &attachment).await,
        Action::Confirm => Done::default(),
        Action::Create { creation, kinds } => create::create(work, &creation, &kinds).await,
        Action::Delete { kind, uid, resource_version } => {
            delete(context, service, kind, &uid, resource_version).await.map_or_else(Done::error, |()| Done {
                outcome: Outcome { deleted: vec![(kind, uid)], ..Outcome::default() },
                events: Vec::new(),
            })
        }
        Action::Refuse { pod, cause } => {
            let note = format!("this pod does not get its data service {}: {cause}", service.object);
            // Not about the service: others have it, and are not to be refused for this one's sake.
            let event = Event { service: None, ..event(&pod, service, Reason::Failed, &note) };
            let events = if past.refused.contains(&pod.uid) { Vec::new() } else { vec![event] };
            Done { outcome: Outcome { refused: vec![pod.uid], ..Outcome::default() }, events }
        }
        Action::Release(pod) => {
            mark::release(&context.client, &pod).await.map_or_else(Done::error, |()| Done::default())
        }
        Action::Revisit(at) => {
            Done { outcome: Outcome { revisit: Some(at), ..Outcome::default() }, events: Vec::new() }
        }
        Action::Update(change) => {
            change_object(context, service, Kind::StatefulSet, operations(&change)).await
        }
    }
}

/// Deletes an object, if it is still there.
async fn delete(
    context: &Context,
    service: &ServiceRef,
    kind: Kind,
    uid: &str,
    resource_version: Option<String>,
) -> Result<(), Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::resource(kind));
    let has_version = resource_version.is_some();
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api.delete(service.object.as_str(), &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 && has_version => {
            Err(Error::Changed(service.clone()))
        }
        // Gone, or another one by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(source) => Err(Error::Delete { kind, service: service.clone(), source }),
    }
}

/// Has a StatefulSet own an object, and nobody else (docs/decisions/0005).
async fn attach(context: &Context, service: &ServiceRef, attachment: &Attachment) -> Done {
    let Attachment { kind, uid, resource_version, set } = attachment;
    let owner = dataservice_core::render::owner_reference(set);
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": "/metadata/ownerReferences", "value": [owner]},
    ]);
    change_object(context, service, *kind, operations).await
}

/// Changes an object by a JSON Patch that tests its uid and its version (docs/decisions/0003).
async fn change_object(context: &Context, service: &ServiceRef, kind: Kind, operations: Value) -> Done {
    let failed = |source| Error::Update { kind, service: service.clone(), source };
    let patch: json_patch::Patch = match serde_json::from_value(operations) {
        Ok(patch) => patch,
        Err(error) => return Done::error(failed(kube::Error::SerdeError(error))),
    };
    let api = kind::namespaced(&context.client, &service.namespace, &kind::resource(kind));
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch(service.object.as_str(), &params, &Patch::Json::<()>(patch)).await {
        Ok(object) => Done {
            outcome: Outcome { updated: vec![(kind, json(object))], ..Outcome::default() },
            events: Vec::new(),
        },
        // 422: a test failed.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => {
            Done::error(Error::Changed(service.clone()))
        }
        Err(source) => Done::error(failed(source)),
    }
}

/// What changes a StatefulSet's record and adds owners: it can add an owner, and cannot take another away.
fn operations(change: &Update) -> Value {
    let record = format!("/metadata/annotations/{}", dataservice_core::annotation::RECORD.replace('/', "~1"));
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": change.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": change.resource_version}),
        json!({"op": "replace", "path": record, "value": change.record.to_text()}),
    ];
    if change.owners.is_empty() {
        return json!(operations);
    }
    let owners: Vec<_> = change.owners.iter().map(dataservice_core::render::owner_reference).collect();
    if change.has_owners {
        operations.extend(
            owners
                .iter()
                .map(|owner| json!({"op": "add", "path": "/metadata/ownerReferences/-", "value": owner})),
        );
    } else {
        operations.push(json!({"op": "add", "path": "/metadata/ownerReferences", "value": owners}));
    }
    json!(operations)
}

fn event(pod: &PodRef, service: &ServiceRef, reason: Reason, note: &str) -> Event {
    Event { pod: pod.clone(), service: Some(service.object.to_string()), reason, note: note.to_owned() }
}

// === impl Outcome ===

impl Outcome {
    fn add(&mut self, other: Self) {
        self.created.extend(other.created);
        self.deleted.extend(other.deleted);
        self.updated.extend(other.updated);
        self.refused.extend(other.refused);
        self.revisit = [self.revisit, other.revisit].into_iter().flatten().min();
        self.error = self.error.take().or(other.error);
    }
}

// === impl Done ===

impl Done {
    fn error(error: Error) -> Self {
        Self { outcome: Outcome { error: Some(error), ..Outcome::default() }, events: Vec::new() }
    }
}

/// The record of an object, if it is ours.
fn record(object: Option<&Value>) -> Option<Record> {
    object.and_then(Record::read)
}

/// Our field manager.
pub const MANAGER: &str = "flyte-dataservice";
/// Requests that one service may have under way.
const MOST_AT_ONCE: usize = 8;
