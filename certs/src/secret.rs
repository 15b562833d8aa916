//! An authority in a Secret, the same for every replica.
//!
//! RBAC: `get` and `update` on the Secret by name, `create` on Secrets in its namespace.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use backon::Retryable;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{GetParams, PostParams};
use kube::{Client, Resource};

use crate::api::{self, Failure};
use crate::authority::{self, Authority};

/// The key of the Secret that holds the certificate.
pub const CERTIFICATE: &str = "ca.crt";
/// The key of the Secret that holds the private key.
pub const KEY: &str = "ca.key";
/// Who made it, as a label and as field manager.
pub const MANAGER: &str = "flyte-dataservice";

/// Where an authority is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret's name.
    pub name: String,
}

/// Why there is no authority. The Secret is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It did not exist and could not be created.
    #[error("failed to create Secret {secret}")]
    CreateSecret {
        /// Which.
        secret: Location,
        /// Why.
        source: Failure,
    },
    /// It was there, empty, and could not be filled.
    #[error("failed to fill the empty Secret {secret}")]
    FillSecret {
        /// Which.
        secret: Location,
        /// Why.
        source: Failure,
    },
    /// There was nothing to put into it.
    #[error("failed to generate an authority for Secret {secret}")]
    GenerateAuthority {
        /// Which.
        secret: Location,
        /// Why.
        source: authority::Error,
    },
    /// It could not be read.
    #[error("failed to read Secret {secret}")]
    ReadSecret {
        /// Which.
        secret: Location,
        /// Why.
        source: Failure,
    },
    /// It holds an authority whose time is over.
    #[error("failed to use the authority in Secret {secret}: it expired {not_after}; {}", secret.remedy())]
    UseExpired {
        /// Which.
        secret: Location,
        /// When.
        not_after: Timestamp,
    },
    /// It holds something else.
    #[error("failed to use Secret {secret}: it does not hold a valid authority; {}", secret.remedy())]
    UseSecret {
        /// Which.
        secret: Location,
        /// What is wrong with it.
        source: authority::Error,
    },
}

/// The authority in the Secret `namespace/name`; if there is no such Secret, or an empty one as charts make
/// it, the one that `generate` makes is put there first.
///
/// When several replicas do this at once one of them wins, and all return the winner's. A Secret that holds
/// anything but a valid authority is left alone, and an error says what to do. Transient failures of the
/// API server are retried for up to half a minute.
pub async fn load_or_create(
    client: &Client,
    namespace: &str,
    name: &str,
    generate: impl Fn() -> Result<Authority, authority::Error>,
    now: Timestamp,
) -> Result<Authority, Error> {
    let secret = Location { namespace: namespace.to_owned(), name: name.to_owned() };
    let store = Store { client, secret };
    (|| store.load_or_create(&generate, now))
        .retry(api::bounded())
        .when(Error::is_transient)
        .notify(report)
        .await
}

fn report(error: &Error, wait: Duration) {
    if error.is_lost_race() {
        tracing::info!(error = %api::chain(error), "Another replica was first");
    } else {
        tracing::warn!(error = %api::chain(error), retry_after = ?wait, "No authority yet");
    }
}

struct Store<'a> {
    client: &'a Client,
    secret: Location,
}

// === impl Store ===

impl Store<'_> {
    async fn load_or_create(
        &self,
        generate: impl Fn() -> Result<Authority, authority::Error>,
        now: Timestamp,
    ) -> Result<Authority, Error> {
        let found = self.read().await?;
        if let Some(authority) = found.as_ref().map_or(Ok(None), |found| self.held_by(found, now))? {
            return Ok(authority);
        }
        let authority =
            generate().map_err(|source| Error::GenerateAuthority { secret: self.secret.clone(), source })?;
        match found {
            None => self.create(&authority).await?,
            Some(empty) => self.fill(empty, &authority).await?,
        }
        Ok(authority)
    }

    /// What `found` holds: nothing, an authority, or an error.
    fn held_by(&self, found: &Secret, now: Timestamp) -> Result<Option<Authority>, Error> {
        let (certificate, key) = (value(found, CERTIFICATE), value(found, KEY));
        if certificate.is_empty() && key.is_empty() {
            return Ok(None);
        }
        let secret = || self.secret.clone();
        let authority = Authority::from_pem(certificate, key)
            .map_err(|source| Error::UseSecret { secret: secret(), source })?;
        if authority.validity().is_over(now) {
            let not_after = authority.validity().not_after();
            return Err(Error::UseExpired { secret: secret(), not_after });
        }
        Ok(Some(authority))
    }

    async fn read(&self) -> Result<Option<Secret>, Error> {
        let request = self.request().get(&self.secret.name, &GetParams::default());
        match api::ask(self.client, request).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(source) => Err(Error::ReadSecret { secret: self.secret.clone(), source }),
        }
    }

    /// The API server refuses it when there is one by now.
    async fn create(&self, authority: &Authority) -> Result<(), Error> {
        let request = self.request().create(&by_us(), json(&self.rendered(authority)));
        let answer: Result<Secret, _> = api::ask(self.client, request).await;
        answer.map_err(|source| Error::CreateSecret { secret: self.secret.clone(), source })?;
        Ok(())
    }

    /// The API server refuses it when `empty` has changed since it was read: its resource version is sent
    /// back. Labels, type and other keys belong to whoever made it.
    async fn fill(&self, mut empty: Secret, authority: &Authority) -> Result<(), Error> {
        empty.data.get_or_insert_default().extend(data(authority));
        let request = self.request().replace(&self.secret.name, &by_us(), json(&empty));
        let answer: Result<Secret, _> = api::ask(self.client, request).await;
        answer.map_err(|source| Error::FillSecret { secret: self.secret.clone(), source })?;
        Ok(())
    }

    fn rendered(&self, authority: &Authority) -> Secret {
        let label = ("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned());
        Secret {
            metadata: ObjectMeta {
                namespace: Some(self.secret.namespace.clone()),
                name: Some(self.secret.name.clone()),
                labels: Some([label].into()),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(data(authority)),
            ..Secret::default()
        }
    }

    fn request(&self) -> kube::core::Request {
        kube::core::Request::new(Secret::url_path(&(), Some(&self.secret.namespace)))
    }
}

// === impl Error ===

impl Error {
    /// A lost race is one too: the next reading finds the winner's.
    fn is_transient(&self) -> bool {
        match self {
            Self::CreateSecret { source, .. }
            | Self::FillSecret { source, .. }
            | Self::ReadSecret { source, .. } => source.is_transient() || self.is_lost_race(),
            Self::GenerateAuthority { .. } | Self::UseExpired { .. } | Self::UseSecret { .. } => false,
        }
    }

    /// Somebody has created, filled or deleted the Secret since it was read.
    fn is_lost_race(&self) -> bool {
        match self {
            Self::CreateSecret { source, .. } => source.is_conflict(),
            Self::FillSecret { source, .. } => source.is_conflict() || source.is_not_found(),
            _ => false,
        }
    }
}

// === impl Location ===

impl Location {
    fn remedy(&self) -> String {
        let Self { namespace, name } = self;
        format!("delete it (kubectl delete secret --namespace {namespace} {name}), then restart")
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn value<'a>(secret: &'a Secret, key: &str) -> &'a [u8] {
    secret.data.as_ref().and_then(|data| data.get(key)).map_or(&[], |value| value.0.as_slice())
}

fn data(authority: &Authority) -> BTreeMap<String, ByteString> {
    let certificate = ByteString(authority.certificate_pem().into_bytes());
    let key = ByteString(authority.key_pem().expose().clone().into_bytes());
    [(CERTIFICATE.to_owned(), certificate), (KEY.to_owned(), key)].into()
}

fn json(secret: &Secret) -> Vec<u8> {
    serde_json::to_vec(secret).expect("a Secret must be JSON: its keys are strings")
}

fn by_us() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}
