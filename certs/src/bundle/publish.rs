//! The bundle's way into a `MutatingWebhookConfiguration`.

use backon::BackoffBuilder;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::merge;
use crate::api::{self, Failure};
use crate::certificate::Certificate;
use crate::secret::MANAGER;

/// How often a configuration is read and patched before giving up on those who change it meanwhile.
const ROUNDS: usize = 10;

/// That an authority is in the configuration: there is no value of this type before it has been read there.
///
/// API servers learn of it by watching, so each trusts the authority a few milliseconds after it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    bundle: String,
}

/// Why a bundle is not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such configuration.
    #[error("failed to find MutatingWebhookConfiguration {configuration}: apply the manifests")]
    FindConfiguration {
        /// Its name.
        configuration: String,
    },
    /// The configuration has no such webhook.
    #[error(
        "failed to find webhook {webhook} in MutatingWebhookConfiguration {configuration}: apply the manifests"
    )]
    FindWebhook {
        /// The configuration's name.
        configuration: String,
        /// The webhook's name, `*` for any.
        webhook: String,
    },
    /// It could not be changed.
    #[error("failed to patch MutatingWebhookConfiguration {configuration}")]
    PatchConfiguration {
        /// Its name.
        configuration: String,
        /// Why.
        source: Failure,
    },
    /// It could not be read.
    #[error("failed to read MutatingWebhookConfiguration {configuration}")]
    ReadConfiguration {
        /// Its name.
        configuration: String,
        /// Why.
        source: Failure,
    },
    /// Others change it as fast as we do.
    #[error(
        "failed to see our authority in MutatingWebhookConfiguration {configuration} after {ROUNDS} patches: \
         something else changes its caBundle"
    )]
    SeeAuthority {
        /// Its name.
        configuration: String,
    },
}

/// Adds `ours` to `caBundle` of the webhook of that name, or of all webhooks of the configuration, and
/// returns once it has been read there. Nothing is changed where it is already.
///
/// A patch holds only if the configuration is still the one that was read; else it is read again. Every
/// error is worth trying again later.
///
/// RBAC: `get` and `patch` on the configuration by name.
pub async fn publish(
    client: &Client,
    configuration: &str,
    webhook: Option<&str>,
    ours: &Certificate,
    now: Timestamp,
) -> Result<Published, Error> {
    let configurations = Api::all(client.clone());
    for _ in 0..ROUNDS {
        let observed = read(&configurations, configuration).await?;
        match plan(&observed, configuration, webhook, ours, now)? {
            Action::Done(published) => return Ok(published),
            Action::Patch(changes) => patch(&configurations, configuration, changes).await?,
        }
    }
    Err(Error::SeeAuthority { configuration: configuration.to_owned() })
}

/// Publishes `ours` as [`publish`] does, however long it takes: a webhook may start before its configuration
/// is applied. Each failure is logged, with pauses that grow to some seconds in between.
pub async fn publish_until_seen(
    client: &Client,
    configuration: &str,
    webhook: Option<&str>,
    ours: &Certificate,
    clock: impl Fn() -> Timestamp,
) -> Published {
    let mut pauses = api::for_ever().build();
    loop {
        let error = match publish(client, configuration, webhook, ours, clock()).await {
            Ok(published) => return published,
            Err(error) => error,
        };
        let pause = pauses.next().unwrap_or_default();
        tracing::warn!(error = %api::chain(&error), retry_after = ?pause, "Authority not published yet");
        tokio::time::sleep(pause).await;
    }
}

/// What is to be done about a configuration. `Done` is the end; after `Patch` it is looked at again.
enum Action {
    Done(Published),
    Patch(Value),
}

// === impl Published ===

impl Published {
    /// The authorities, in PEM, that every one of the webhooks was seen to trust. A leaf that verifies
    /// under these is one that the API server accepts.
    #[must_use]
    pub fn bundle(&self) -> &str {
        &self.bundle
    }
}

fn plan(
    observed: &MutatingWebhookConfiguration,
    configuration: &str,
    webhook: Option<&str>,
    ours: &Certificate,
    now: Timestamp,
) -> Result<Action, Error> {
    let webhooks = selected(observed, webhook);
    let [first, others @ ..] = webhooks.as_slice() else {
        let webhook = webhook.unwrap_or("*").to_owned();
        return Err(Error::FindWebhook { configuration: configuration.to_owned(), webhook });
    };
    let trusted_by_all: Vec<_> = Certificate::all_in(bundle_of(first))
        .filter(|found| {
            others.iter().all(|webhook| Certificate::all_in(bundle_of(webhook)).any(|c| c == *found))
        })
        .collect();
    if trusted_by_all.contains(ours) {
        let bundle = trusted_by_all.iter().map(Certificate::to_pem).collect();
        return Ok(Action::Done(Published { bundle }));
    }
    Ok(Action::Patch(changes(observed, &webhooks, ours, now)))
}

fn selected<'a>(
    observed: &'a MutatingWebhookConfiguration,
    webhook: Option<&str>,
) -> Vec<&'a MutatingWebhook> {
    let all = observed.webhooks.iter().flatten();
    all.filter(|candidate| webhook.is_none_or(|wanted| candidate.name == wanted)).collect()
}

/// A strategic merge patch: webhooks are found by name, and nothing but `caBundle` is touched. With the
/// resource version in it the API server answers 409 when the configuration has changed meanwhile.
fn changes(
    observed: &MutatingWebhookConfiguration,
    webhooks: &[&MutatingWebhook],
    ours: &Certificate,
    now: Timestamp,
) -> Value {
    let webhooks: Vec<_> = webhooks
        .iter()
        .map(|webhook| {
            let bundle = ByteString(merge(bundle_of(webhook), ours, now).into_bytes());
            json!({ "name": webhook.name, "clientConfig": { "caBundle": bundle } })
        })
        .collect();
    let version = observed.metadata.resource_version.as_deref().unwrap_or_default();
    json!({ "metadata": { "resourceVersion": version }, "webhooks": webhooks })
}

fn bundle_of(webhook: &MutatingWebhook) -> &[u8] {
    webhook.client_config.ca_bundle.as_ref().map_or(&[], |bundle| bundle.0.as_slice())
}

async fn read(
    configurations: &Api<MutatingWebhookConfiguration>,
    name: &str,
) -> Result<MutatingWebhookConfiguration, Error> {
    let configuration = name.to_owned();
    configurations.get(name).await.map_err(|error| match Failure::from(error) {
        failure if failure.is_not_found() => Error::FindConfiguration { configuration },
        source => Error::ReadConfiguration { configuration, source },
    })
}

/// A configuration that has changed or gone meanwhile is no error: reading it again tells.
async fn patch(
    configurations: &Api<MutatingWebhookConfiguration>,
    name: &str,
    changes: Value,
) -> Result<(), Error> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match configurations.patch(name, &params, &Patch::Strategic(changes)).await.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_conflict() || failure.is_not_found() => Ok(()),
        Err(source) => Err(Error::PatchConfiguration { configuration: name.to_owned(), source }),
    }
}
