//! Replicas that start at once, against an API server in memory that keeps one Secret.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use dataservice_certs::Authority;
use dataservice_certs::secret::load_or_create;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{NOW, mk_authority};
use crate::scenario::{Asked, refusal};

/// One Secret, created and changed as the API server does it.
#[derive(Default)]
struct Store {
    secret: Option<Value>,
    version: u64,
    writes: usize,
}

type SharedStore = Arc<Mutex<Store>>;

// === impl Store ===

impl Store {
    fn with_empty_secret() -> Self {
        let mut store = Self::default();
        store.keep(json!({ "metadata": { "namespace": "ns-0", "name": "ca" } }));
        store
    }

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let method = asked.line.split(' ').next().unwrap();
        match (method, self.secret.clone()) {
            ("GET", Some(secret)) => (200, secret),
            ("GET" | "PUT", None) => (404, refusal(404, "NotFound", "not found")),
            ("POST", Some(_)) => (409, refusal(409, "AlreadyExists", "already exists")),
            ("POST", None) => (201, self.keep(asked.body.clone())),
            ("PUT", Some(secret)) => self.replace(&secret, &asked.body),
            _ => panic!("nobody expected {}", asked.line),
        }
    }

    fn replace(&mut self, secret: &Value, new: &Value) -> (u16, Value) {
        if new["metadata"]["resourceVersion"] != secret["metadata"]["resourceVersion"] {
            return (409, refusal(409, "Conflict", "the object has been modified"));
        }
        (200, self.keep(new.clone()))
    }

    fn keep(&mut self, mut secret: Value) -> Value {
        self.version += 1;
        self.writes += 1;
        secret["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.secret = Some(secret.clone());
        secret
    }
}

/// A client whose requests reach the store, and whose answers leave it, after as many turns of the other
/// tasks as `delays` says.
fn mk_client(store: &SharedStore, delays: Vec<u8>) -> Client {
    let store = store.clone();
    let delays = Arc::new(Mutex::new(delays.into_iter().cycle()));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (store, delays) = (store.clone(), delays.clone());
        async move {
            let asked = Asked::read(request).await;
            turns(&delays).await;
            let (status, body) = store.lock().unwrap().answer(&asked);
            turns(&delays).await;
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

async fn turns(delays: &Mutex<impl Iterator<Item = u8>>) {
    let turns = delays.lock().unwrap().next().unwrap_or(0);
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// Starts one replica per list of delays and returns what each loaded, and what was written.
fn race(store: Store, replicas: &[Vec<u8>]) -> (Vec<Authority>, usize) {
    let before = store.writes;
    let store = Arc::new(Mutex::new(store));
    let load = async |delays: Vec<u8>| {
        let client = mk_client(&store, delays);
        load_or_create(&client, "ns-0", "ca", || Ok(mk_authority()), NOW).await.unwrap()
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let loaded =
        runtime.block_on(futures::future::join_all(replicas.iter().map(|delays| load(delays.clone()))));
    let writes = store.lock().unwrap().writes;
    (loaded, writes - before)
}

fn delays() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one_replica = proptest::collection::vec(0..20_u8, 1..8);
    proptest::collection::vec(one_replica, 2..5)
}

fn all_same(loaded: &[Authority]) -> bool {
    loaded
        .windows(2)
        .all(|pair| pair[0].certificate() == pair[1].certificate() && pair[0].key_pem() == pair[1].key_pem())
}

#[test]
fn two_replicas_converge_on_one_ca() {
    let (loaded, writes) = race(Store::default(), &[vec![5], vec![5]]);
    assert!(all_same(&loaded));
    assert_eq!(writes, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn replicas_converge_on_one_ca_in_every_order(delays in delays(), prepared in any::<bool>()) {
        let store = if prepared { Store::with_empty_secret() } else { Store::default() };
        let (loaded, writes) = race(store, &delays);
        prop_assert!(all_same(&loaded));
        prop_assert_eq!(writes, 1);
    }
}
