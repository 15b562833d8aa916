//! Which requests a listener answers, as data.

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, StatusCode};

use crate::reply;
use crate::service::Reply;

/// One of the requests that a listener answers.
#[derive(Clone, Debug)]
pub struct Route<E> {
    /// With this method…
    pub method: Method,
    /// …at exactly this path (the query does not matter: the API server sends its timeout in it)…
    pub path: &'static str,
    /// …what is asked for.
    pub endpoint: E,
}

/// What `request` asks for, or the answer that there is no such thing.
pub(crate) fn find<E: Copy>(routes: &[Route<E>], request: &Request<Bytes>) -> Result<E, Box<Reply>> {
    let path = request.uri().path();
    let Some(here) = routes.iter().find(|route| route.path == path) else {
        let paths: Vec<_> = routes.iter().map(|route| route.path).collect();
        let message = format!("there is nothing at this path; this port answers at {}", paths.join(", "));
        return Err(Box::new(reply::problem(StatusCode::NOT_FOUND, message)));
    };
    match routes.iter().find(|route| route.path == path && route.method == request.method()) {
        Some(route) => Ok(route.endpoint),
        None => Err(Box::new(not_allowed(here.path, &here.method))),
    }
}

fn not_allowed(path: &str, allowed: &Method) -> Reply {
    let message = format!("{path} takes {allowed} only");
    let mut reply = reply::problem(StatusCode::METHOD_NOT_ALLOWED, message);
    if let Ok(allowed) = HeaderValue::from_str(allowed.as_str()) {
        reply.headers_mut().insert(ALLOW, allowed);
    }
    reply
}
