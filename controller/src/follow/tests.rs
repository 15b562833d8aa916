//! The last look, against the API server's half.

use dataservice_core::annotation::{PLAN, RECORD};
use dataservice_core::inject::{Decision, Request as Admission, inject};
use dataservice_core::installation::Installation;
use dataservice_core::plan::Plan;
use dataservice_core::record::Record;
use dataservice_core::settings::Settings;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Request as Asked, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use super::*;

/// A pod that follows a service that is ready as far as is known, and whose deadline was long ago.
struct Scene {
    standings: BoxStream<'static, Standing>,
    api_server: Handle<Asked<Body>, Response<Body>>,
    /// Nothing changes while it is there.
    _known: watch::Sender<Option<Seen>>,
}

impl Scene {
    fn begin() -> Self {
        let (service, api_server) = mock::pair();
        let (follower, mut requests) = Follower::new(Client::new(service, "default"));
        let pod = PodRef { namespace: "ns".to_owned(), name: "a".to_owned(), uid: "u".to_owned() };
        let known = watch::Sender::new(Some(seen_ready()));
        let subscribed = known.subscribe();
        // The controller's half.
        tokio::spawn(async move { requests.recv().await.unwrap().reply.send(subscribed).unwrap() });
        Self { standings: follower.follow(&pod).boxed(), api_server, _known: known }
    }

    /// What the pod is told next, when the API server answers so; and when it was asked.
    async fn told(&mut self, status: u16, answer: Value) -> (Standing, Instant) {
        let answering = async {
            let (request, respond) = self.api_server.next_request().await.unwrap();
            assert_eq!(request.uri().path(), "/apis/apps/v1/namespaces/ns/statefulsets/graph");
            let body = Body::from(answer.to_string().into_bytes());
            respond.send_response(Response::builder().status(status).body(body).unwrap());
            Instant::now()
        };
        let (told, at) = futures::join!(self.standings.next(), answering);
        (told.unwrap(), at)
    }
}

fn seen_ready() -> Seen {
    let progress =
        Progress { state: State::Ready, message: "graph 1/1 ready".to_owned(), progressed_at: None };
    let graph = ServiceRef { namespace: "ns".to_owned(), object: "graph".into() };
    Seen { progress, deadline: Some(Timestamp::UNIX_EPOCH), sets: vec![(graph, "set".to_owned())] }
}

/// The StatefulSet that is ready.
fn set(closing: bool) -> Value {
    let pod = json!({
        "metadata": {"name": "a", "annotations": {"dataservice.flyte.org/image": "a"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "task"}]},
    });
    let installation = Installation::offline("sidecar".parse().unwrap());
    let admission = Admission { uid: "a", namespace: "ns", pod: &pod };
    let Decision::Inject { injection, .. } = inject(admission, &Settings::default(), &installation) else {
        panic!("an image is all that is asked")
    };
    let plan = Plan::read(&injection.annotations[PLAN]).unwrap();
    let record = Record { closing, ..Record::of(&plan.services[0], "u") };
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {
        "name": "graph", "namespace": "ns", "uid": "set", "resourceVersion": "1",
        "creationTimestamp": "2026-06-01T00:00:00Z",
        "labels": {"app.kubernetes.io/managed-by": "flyte-dataservice"},
        "annotations": {RECORD: record.to_text()},
    }})
}

fn away() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "etcd is away",
           "reason": "InternalError", "code": 500})
}

#[track_caller]
fn assert_waits_on(told: &Standing, why: &str) {
    let Standing::Waiting { message, until } = told else { panic!("{told:?}") };
    assert_eq!(*message, format!("graph 1/1 ready; {why}"));
    let left = until.saturating_duration_since(Instant::now());
    assert!(left > Duration::from_secs(29), "{left:?}");
}

const NOT_ASKED: &str = "the API server could not be asked whether that is still so";

#[tokio::test(start_paused = true)]
async fn what_is_still_so_is_ready() {
    let mut scene = Scene::begin();
    let ready = Standing::Ready { message: "graph 1/1 ready".to_owned() };
    assert_eq!(scene.told(200, set(false)).await.0, ready);
    assert_eq!(scene.standings.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_says_nothing_and_ends_no_pod_that_has_waited_for_long() {
    let mut scene = Scene::begin();
    assert_waits_on(&scene.told(500, away()).await.0, NOT_ASKED);
    assert!(matches!(scene.told(200, set(false)).await.0, Standing::Ready { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_about_to_go_is_looked_at_once_more() {
    let mut scene = Scene::begin();
    assert_waits_on(&scene.told(200, set(true)).await.0, "looking once more");
    assert!(matches!(scene.told(200, set(false)).await.0, Standing::Ready { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_look_has_its_end() {
    let mut scene = Scene::begin();
    let start = Instant::now();
    let (told, asked) = futures::join!(scene.standings.next(), scene.api_server.next_request());
    assert!(asked.is_some());
    assert_waits_on(&told.unwrap(), NOT_ASKED);
    assert_eq!(start.elapsed().as_secs(), LONGEST_LOOK.as_secs());
}

#[tokio::test(start_paused = true)]
async fn looks_become_rarer() {
    let mut scene = Scene::begin();
    let mut asked = Vec::new();
    for _ in 0..12 {
        asked.push(scene.told(500, away()).await.1);
    }
    let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A timer's milliseconds are added.
    assert!(pauses[0] >= Duration::from_millis(250) && pauses[0] < Duration::from_millis(510), "{pauses:?}");
    assert!(pauses[10] >= Duration::from_secs(5), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE * 2 + Duration::from_millis(10)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_controller() {
    let mut scene = Scene::begin();
    assert_waits_on(&scene.told(500, away()).await.0, NOT_ASKED);
    let Scene { mut standings, _known: known, .. } = scene;
    drop(known);
    assert_eq!(standings.next().await, None);
}
