//! Making a service's objects.

use dataservice_core::reconcile::{Creation, Kind};
use dataservice_core::render;
use jiff::SignedDuration;
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;

use super::{Context, Done, Error, MANAGER, Outcome, Work, event, look, record};
use crate::event::Reason;
use crate::index::ServiceRef;
use crate::kind;

/// Makes what is missing, in order: servers are not made before their names. Its consumers are told, whether it worked
/// or not.
pub(super) async fn create(work: Work<'_>, creation: &Creation, kinds: &[Kind]) -> Done {
    let Work { context, service, past } = work;
    let waited = SignedDuration::try_from(past.failing_for).unwrap_or(SignedDuration::MAX);
    let mut outcome = Outcome::default();
    for kind in kinds {
        match one(context, service, *kind, creation).await {
            Ok(made) => outcome.created.extend(made.map(|uid| (*kind, uid))),
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    let tell =
        |reason, note: &str| creation.consumers.iter().map(|pod| event(pod, service, reason, note)).collect();
    let events = match &outcome.error {
        Some(error) if error.hope().is_lost_after(waited) => tell(Reason::Failed, &error.to_string()),
        Some(error) => tell(Reason::Delayed, &error.to_string()),
        None if outcome.created.is_empty() => Vec::new(),
        None => {
            let replicas = creation.spec.replicas;
            let servers = if replicas == 1 { "server" } else { "servers" };
            tell(
                Reason::Created,
                &format!("created StatefulSet and Service {} with {replicas} {servers}", service.object),
            )
        }
    };
    Done { outcome, events }
}

/// Creates one object; its uid. Where the name is taken, the object that has it is looked at: it may be the one we
/// wanted.
async fn one(
    context: &Context,
    service: &ServiceRef,
    kind: Kind,
    creation: &Creation,
) -> Result<Option<String>, Error> {
    let api = kind::namespaced(&context.client, &service.namespace, &kind::resource(kind));
    let failed = |source| Error::Create { kind, service: service.clone(), source };
    let object: DynamicObject = serde_json::from_value(render(context, kind, creation).await?)
        .map_err(|error| failed(kube::Error::SerdeError(error)))?;
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &object).await {
        Ok(created) => Ok(created.metadata.uid),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let there = api.get_opt(service.object.as_str()).await.map_err(failed)?.map(look::json);
            match (&there, record(there.as_ref())) {
                // Gone again, or ours: the watch tells the rest.
                (None, _) => Ok(None),
                (Some(_), Some(record)) if record.key == creation.record.key => Ok(None),
                (Some(_), _) => Err(Error::NameTaken { kind, service: service.clone() }),
            }
        }
        Err(source) => Err(failed(source)),
    }
}

async fn render(context: &Context, kind: Kind, creation: &Creation) -> Result<Value, Error> {
    match kind {
        Kind::NetworkPolicy => Ok(render::network_policy(creation)),
        Kind::Service => Ok(render::service(creation)),
        Kind::StatefulSet => {
            let template = template(context, creation).await?;
            Ok(render::stateful_set(creation, template.as_ref())?)
        }
    }
}

/// The pod template that the service names, if it names one.
async fn template(context: &Context, creation: &Creation) -> Result<Option<Value>, Error> {
    let Some(name) = &creation.spec.pod_template else { return Ok(None) };
    let (name, namespace) = (name.to_string(), creation.namespace.clone());
    let api = kind::namespaced(&context.client, &namespace, &kind::pod_templates());
    match api.get_opt(&name).await {
        Ok(Some(template)) => Ok(Some(look::json(template))),
        Ok(None) => Err(Error::TemplateMissing { name, namespace }),
        Err(source) => Err(Error::ReadTemplate { name, namespace, source }),
    }
}
