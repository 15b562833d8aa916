//! The composition root: what is started in which order, and how it ends.

use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow};
use dataservice_certs::{Authority, DnsName, Leaf, Resolver, bundle, leaf, secret};
use dataservice_controller::Controller;
use dataservice_controller::apply;
use dataservice_controller::follow::{Follower, Standing};
use dataservice_core::consumer::PodRef;
use dataservice_webhook::admission::Admission;
use dataservice_webhook::health::{Health, Latch, Readiness};
use dataservice_webhook::informed::Informed;
use dataservice_webhook::lifecycle::{Lifecycle, LifecycleLimits};
use dataservice_webhook::limits::Limits;
use dataservice_webhook::policy::Native;
use dataservice_webhook::progress::{Follow, State};
use dataservice_webhook::server::{Bound, Drained};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::args::WebhookArgs;
use crate::client;

/// Runs everything until SIGTERM or SIGINT, or until a part of it ends.
pub(crate) async fn run(args: WebhookArgs) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let readiness = Readiness::default();
    let stop = watch::Sender::new(false);
    let mut parts = JoinSet::new();

    let health = Bound::plain(args.health_address, Limits::health()).await?;
    let stopped_last = watch::Sender::new(false);
    parts.spawn(health.serve(Health::new(readiness.clone()), stopped(&stopped_last)));

    let started = tokio::select! {
        started = start(&args, &readiness, &stop, &mut parts) => Some(started?),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let mut broken = None;
    if let Some(Started { mut controller, latches: _latches }) = started {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            error = end_of_a_part(&mut parts, &mut controller) => broken = Some(error),
        }
        readiness.drain();
        // The API server hears of it a moment after we are gone from the Service's endpoints.
        tokio::time::sleep(args.linger).await;
        stop.send_replace(true);
        if !controller.is_finished() {
            let drained = tokio::time::timeout(args.drain, controller).await;
            tracing::info!(in_time = drained.is_ok(), "The controller ended");
        }
    }
    stop.send_replace(true);
    stopped_last.send_replace(true);
    while let Some(drained) = parts.join_next().await {
        if let Ok(Drained::CutOff(connections)) = drained {
            tracing::warn!(connections, "Cut off connections that were busy at the end of the grace");
        }
    }
    broken.map_or(Ok(()), Err)
}

/// Waits until a listener or the controller ends by itself. Without one of them this would admit pods whose services
/// nobody makes: it ends, and Kubernetes starts another.
async fn end_of_a_part(parts: &mut JoinSet<Drained>, controller: &mut JoinHandle<()>) -> Error {
    tokio::select! {
        Some(ended) = parts.join_next() => anyhow!("a listener ended by itself: {ended:?}"),
        ended = controller => anyhow!("the controller ended by itself: {ended:?}"),
    }
}

/// What has to be kept until the end.
struct Started {
    controller: JoinHandle<()>,
    latches: Vec<Latch>,
}

/// Starts everything but health. The order is the one in which nothing is promised too early: authorities, the
/// published bundle, and only then the listener that presents a certificate of theirs.
async fn start(
    args: &WebhookArgs,
    readiness: &Readiness,
    stop: &watch::Sender<bool>,
    parts: &mut JoinSet<Drained>,
) -> Result<Started> {
    let settings = args.settings()?;
    let certificate = readiness.register("certificate", "its authority is not published yet");
    let synced = readiness.register("controller", "it has not seen all there is yet");
    let client = client::connect().await?;

    let lifecycle_authority = authority(&client, args, &args.lifecycle_secret).await?;
    let admission_authority = authority(&client, args, &args.admission_secret).await?;
    let installation = args.installation(lifecycle_authority.certificate_pem())?;

    let lifecycle_config = leaf::server_config(&serving_leaf(&lifecycle_authority, &[&args.full_name()])?)?;
    let lifecycle = Bound::tls(args.lifecycle_address, lifecycle_config, Limits::lifecycle()).await?;
    let context = apply::Context { client: client.clone(), reporter: args.pod_name.clone() };
    let (controller, follower) = Controller::new(context);
    let known = follower.known();
    let (limits, follow) = (LifecycleLimits::default(), Arc::new(Following(follower)));
    let lifecycle_api = Lifecycle::new(client.clone(), follow, stop.subscribe(), limits);
    parts.spawn(lifecycle.serve(lifecycle_api, stopped(stop)));

    let controller = controller.spawn(stopped(stop));
    let latch = tokio::spawn(ready_when_synced(controller.synced, synced));

    let published = bundle::publish_until_seen(
        &client,
        &args.webhook_configuration,
        None,
        admission_authority.certificate(),
        Timestamp::now,
    )
    .await;
    let name = args.service_name();
    let leaf = serving_leaf(&admission_authority, &[&name])?;
    let resolver =
        Arc::new(Resolver::new(&leaf, dns_names(&[&name])?, published.bundle(), Timestamp::now())?);
    let admission = Bound::tls(args.admission_address, resolver.server_config(), Limits::admission()).await?;
    let policy = Arc::new(Informed::new(Native::new(settings, installation), known));
    tracing::info!(address = %admission.local_addr(), "Answering admission reviews");
    parts.spawn(admission.serve(Admission::new(policy), stopped(stop)));
    certificate.ready();
    let synced = latch.await.context("the controller ended before it had seen all there is")?;
    Ok(Started { controller: controller.task, latches: vec![certificate, synced] })
}

/// What the controller knows, as the lifecycle API tells it.
struct Following(Follower);

impl Follow for Following {
    fn follow(&self, pod: &PodRef) -> BoxStream<'static, State> {
        let told = self.0.follow(pod).map(|standing| match standing {
            Standing::Failed { message } => State::Failed { message },
            Standing::Ready { message } => State::Ready { message },
            Standing::Waiting { message, until } => State::Waiting { message, until },
        });
        told.boxed()
    }
}

async fn ready_when_synced(mut synced: watch::Receiver<bool>, latch: Latch) -> Latch {
    if synced.wait_for(|synced| *synced).await.is_ok() {
        latch.ready();
    }
    latch
}

/// The authority in a Secret, made there if there is none.
async fn authority(client: &Client, args: &WebhookArgs, secret: &str) -> Result<Authority> {
    let now = Timestamp::now();
    let generate = || Authority::generate(secret, now - SKEW, now + AUTHORITY_FOR);
    let authority = secret::load_or_create(client, &args.namespace, secret, generate, now);
    authority.await.with_context(|| format!("no authority in Secret {}/{secret}", args.namespace))
}

/// A certificate that outlives this process: it is in memory only, and another is signed at the next start.
fn serving_leaf(authority: &Authority, names: &[&str]) -> Result<Leaf> {
    let now = Timestamp::now();
    let not_after = authority.validity().not_after();
    Ok(authority.sign_leaf(&dns_names(names)?, now - SKEW, not_after)?)
}

fn dns_names(names: &[&str]) -> Result<Vec<DnsName<'static>>> {
    let parse = |name: &&str| {
        DnsName::try_from((*name).to_owned()).with_context(|| format!("{name} is not a host name"))
    };
    names.iter().map(parse).collect()
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // A sender that is gone stops everything as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// How far the clocks of a cluster's nodes may be apart.
const SKEW: SignedDuration = SignedDuration::from_hours(1);
/// Ten years: a pod that trains for weeks keeps what it was given (design §4).
const AUTHORITY_FOR: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_controller_that_panics_ends_everything() {
        let mut listeners = JoinSet::new();
        listeners.spawn(std::future::pending());
        let mut controller = tokio::spawn(async { panic!("a defect") });
        let error = end_of_a_part(&mut listeners, &mut controller).await.to_string();
        assert!(error.starts_with("the controller ended by itself: Err("), "{error}");
        assert!(error.contains("a defect"), "{error}");
    }
}
