//! Following a pod's services: what the pod is told, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api_server::{ApiServer, TOKEN, Told, accepted, accepted_as, api_server, review};
use crate::core::consumer::PodRef;
use crate::harness::{Lines, Running, eventually, request_with, serve};
use crate::log::Log;
use crate::webhook::lifecycle::{Lifecycle, LifecycleLimits};
use crate::webhook::limits::Limits;
use crate::webhook::progress::State;
use crate::wire::{MOST_LINE_BYTES, Progress, SERVICES_PATH};

/// A lifecycle API, and what it depends on.
pub(crate) struct Installed {
    pub(crate) server: Running,
    pub(crate) api_server: ApiServer,
    pub(crate) stop: watch::Sender<bool>,
}

/// Serves pods that are told what `follow` says.
pub(crate) async fn installed(
    follow: impl Fn(&PodRef) -> BoxStream<'static, State> + Send + Sync + 'static,
    limits: LifecycleLimits,
    listener: Limits,
) -> Installed {
    let (client, api_server) = api_server();
    let stop = watch::Sender::new(false);
    let lifecycle = Lifecycle::new(client, Arc::new(Told(follow)), stop.subscribe(), limits);
    Installed { server: serve(lifecycle, listener).await, api_server, stop }
}

/// The same, where nothing but the states matters.
async fn telling(states: impl Fn() -> BoxStream<'static, State> + Send + Sync + 'static) -> Installed {
    installed(move |_| states(), LifecycleLimits::default(), Limits::lifecycle()).await
}

pub(crate) fn waiting(message: &str) -> State {
    State::Waiting { message: message.to_owned(), until: Instant::now() + Duration::from_mins(10) }
}

/// A pod that waits for ever.
pub(crate) fn forever() -> BoxStream<'static, State> {
    stream::iter([waiting("graph 3/4 ready")]).chain(stream::pending()).boxed()
}

fn ready() -> State {
    State::Ready { message: "graph 4/4 ready".to_owned() }
}

/// Our pod asks how far its services are.
pub(crate) fn ask() -> Request<Full<Bytes>> {
    request_with(Method::GET, SERVICES_PATH, Some(&format!("Bearer {TOKEN}")))
}

impl Installed {
    /// Our pod opens a stream.
    pub(crate) async fn follow(&mut self) -> Lines {
        self.follow_as("u-1").await
    }

    /// A pod with this uid opens one.
    pub(crate) async fn follow_as(&mut self, uid: &str) -> Lines {
        let client = self.server.client().await;
        let (lines, ()) = tokio::join!(client.open(ask()), review(&mut self.api_server, accepted_as(uid)));
        assert_eq!(lines.status, 200);
        lines
    }

    /// What the pod is told when the review of its token says `status`.
    async fn refusal(&mut self, status: Value) -> (u16, String) {
        let mut client = self.server.client().await;
        tokio::join!(client.send(ask()), review(&mut self.api_server, status)).0.problem()
    }
}

#[tokio::test]
async fn a_pod_is_told_how_far_its_services_are_until_they_are_ready() {
    let states = || stream::iter([waiting("graph 3/4 ready"), waiting("graph 2/4 ready"), ready()]).boxed();
    let mut installed = telling(states).await;
    let mut lines = installed.follow().await;
    assert_eq!(lines.headers["content-type"], "application/jsonl");
    for message in ["graph 3/4 ready", "graph 2/4 ready"] {
        let expected = Progress::Waiting { message: message.to_owned(), remaining_seconds: 600 };
        assert_eq!(lines.progress().await, Some(expected));
    }
    let last = "{\"state\":\"ready\",\"message\":\"graph 4/4 ready\"}\n";
    assert_eq!(lines.next().await.as_deref(), Some(last));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_cause_that_waiting_cannot_mend_is_the_last_line() {
    let message = "graph: pods \"graph-0\" is forbidden: exceeded quota";
    let failed = move || State::Failed { message: message.to_owned() };
    let mut installed = telling(move || stream::iter([failed(), ready()]).boxed()).await;
    let mut lines = installed.follow().await;
    assert_eq!(lines.progress().await, Some(Progress::Failed { message: message.to_owned() }));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_pod_follows_its_own_services_and_no_others() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let follow = move |pod: &PodRef| {
        noted.lock().unwrap().push(pod.clone());
        forever()
    };
    let mut installed = installed(follow, LifecycleLimits::default(), Limits::lifecycle()).await;
    installed.follow().await.next().await.unwrap();
    let pod = PodRef { namespace: "ns".to_owned(), name: "task".to_owned(), uid: "u-1".to_owned() };
    assert_eq!(*asked.lock().unwrap(), [pod]);
}

#[tokio::test]
async fn a_line_comes_when_it_is_told_and_not_later() {
    let (states, told) = watch::channel(waiting("graph 3/4 ready"));
    let follow = move || {
        let told = told.clone();
        stream::unfold((told, true), |(mut told, is_first)| async move {
            if !is_first {
                told.changed().await.ok()?;
            }
            let state = told.borrow_and_update().clone();
            Some((state, (told, false)))
        })
        .boxed()
    };
    let mut installed = telling(follow).await;
    let mut lines = installed.follow().await;
    assert!(lines.next().await.unwrap().contains("3/4"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    states.send_replace(ready());
    let told_at = Instant::now();
    assert!(lines.next().await.unwrap().contains("4/4"));
    // The heartbeat is ten seconds.
    assert!(told_at.elapsed() < Duration::from_secs(5), "{:?}", told_at.elapsed());
}

#[tokio::test]
async fn without_news_the_last_line_comes_again() {
    let mut limits = LifecycleLimits::default();
    limits.heartbeat = Duration::from_millis(20);
    let mut installed = installed(|_| forever(), limits, Limits::lifecycle()).await;
    let mut lines = installed.follow().await;
    for _ in 0..5 {
        assert!(lines.next().await.unwrap().contains("graph 3/4 ready"));
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_cut() {
    let states = || stream::iter([State::Failed { message: "⏳\n".repeat(10_000) }]).boxed();
    let mut installed = telling(states).await;
    let mut lines = installed.follow().await;
    let line = lines.next().await.unwrap();
    assert!(line.len() <= MOST_LINE_BYTES, "{}", line.len());
    let Ok(Progress::Failed { message }) = serde_json::from_str(&line) else { panic!("{line}") };
    assert!(message.starts_with("⏳\n⏳") && message.ends_with('…'), "{message}");
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_stream_without_states_ends_without_a_line() {
    let mut installed = telling(|| stream::empty().boxed()).await;
    assert_eq!(installed.follow().await.next().await, None);
}

#[tokio::test]
async fn whoever_is_not_a_pod_with_a_token_for_us_is_told_nothing() {
    let mut installed = telling(|| panic!("must not be asked")).await;
    let answer = installed.server.send(Method::GET, SERVICES_PATH, "").await;
    assert_eq!(answer.problem(), (401, "the request has no bearer token".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    let expected = (401, "the API server did not accept the token".to_owned());
    assert_eq!(installed.refusal(json!({"error": "invalid bearer token"})).await, expected);
    let mut status = accepted();
    status["audiences"] = json!(["https://kubernetes.default.svc"]);
    let expected = (403, "the token is not for the audience dataservice.flyte.org".to_owned());
    assert_eq!(installed.refusal(status).await, expected);
    let mut status = accepted();
    status["user"]["extra"] = json!({});
    assert_eq!(installed.refusal(status).await, (403, "the token is not that of a pod".to_owned()));
}

#[tokio::test]
async fn what_follows_and_why_it_ended_is_logged_without_the_token() {
    let (log, _guard) = Log::start();
    let mut installed = telling(|| stream::iter([ready()]).boxed()).await;
    let mut lines = installed.follow().await;
    while lines.next().await.is_some() {}
    let mut installed = telling(forever).await;
    let mut lines = installed.follow().await;
    lines.next().await.unwrap();
    lines.abandon();
    let pod = "namespace=\"ns\" pod=\"task\" uid=\"u-1\"";
    let expected = [
        format!("Follows its services {pod}"),
        format!("No longer follows its services {pod} reason=\"ready\""),
        format!("Follows its services {pod}"),
        format!("No longer follows its services {pod} reason=\"client-gone\""),
    ];
    let noted = || log.text().lines().filter(|line| line.contains("ollows its services")).count();
    eventually(|| noted() == expected.len()).await;
    let logged = log.text();
    let noted = logged.lines().filter(|line| line.contains("ollows its services"));
    for (line, expected) in noted.zip(expected) {
        assert!(line.ends_with(&expected), "{line}");
    }
    assert!(!logged.contains(TOKEN), "{logged}");
}
