//! What is documented is answered, and nothing else.

use http::Method;

use crate::api_server;
use crate::harness::{Running, serve_plain};
use crate::judge::native;
use crate::webhook::health::{Health, Readiness};
use crate::webhook::lifecycle::LifecycleLimits;
use crate::webhook::limits::Limits;
use crate::webhook::{admission, health, lifecycle};

/// The rows of the table in the crate's documentation: listener, method, path.
fn documented() -> Vec<(String, String, String)> {
    let rows = include_str!("../src/lib.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split(" | ").map(|cell| cell.trim_matches('`').to_owned()).collect();
        let [listener, method, path, _] = <[String; 4]>::try_from(cells).ok()?;
        path.starts_with('/').then_some((listener, method, path))
    })
    .collect()
}

fn routes() -> Vec<(String, String, String)> {
    fn rows<E>(listener: &str, routes: &[crate::webhook::route::Route<E>]) -> Vec<(String, String, String)> {
        let row = |route: &crate::webhook::route::Route<E>| {
            (listener.to_owned(), route.method.to_string(), route.path.to_owned())
        };
        routes.iter().map(row).collect()
    }
    [
        rows("admission", &admission::ROUTES),
        rows("lifecycle", &lifecycle::ROUTES),
        rows("health", &health::ROUTES),
    ]
    .concat()
}

async fn listener(name: &str) -> Running {
    match name {
        "admission" => serve_plain(native(), Limits::admission()).await,
        "lifecycle" => {
            let (client, _) = api_server::api_server();
            serve_plain(api_server::lifecycle(client, LifecycleLimits::default()), Limits::lifecycle()).await
        }
        "health" => serve_plain(Health::new(Readiness::default()), Limits::health()).await,
        other => panic!("no such listener: {other}"),
    }
}

#[test]
fn every_route_is_documented() {
    assert_eq!(documented(), routes());
}

#[tokio::test]
async fn every_documented_route_answers() {
    for (name, method, path) in documented() {
        let server = listener(&name).await;
        let status = server.send(method.parse().unwrap(), &path, "").await.status;
        assert!(![404, 405].contains(&status.as_u16()), "{method} {path}: {status}");
        assert_eq!(server.send(Method::DELETE, &path, "").await.status, 405, "{path}");
        assert_eq!(server.send(Method::GET, "/", "").await.status, 404);
        assert_eq!(server.send(Method::GET, &format!("{path}/"), "").await.status, 404);
    }
}
