//! One connection, from its acceptance to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use crate::body::{self, Budget};
use crate::limits::Limits;
use crate::service::{Reply, Service};
use crate::stall::Stall;

/// What all connections of a listener have in common.
pub(crate) struct Shared<S> {
    /// None for plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) service: S,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
}

/// Serves one connection until its client or a limit ends it, or `drain` says so.
pub(crate) async fn serve<S: Service>(
    stream: TcpStream,
    shared: Arc<Shared<S>>,
    drain: watch::Receiver<bool>,
) {
    // Answers are small and on connections that live long: Nagle would only hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Failed to set TCP_NODELAY");
    }
    let limits = shared.limits;
    let Some(tls) = &shared.tls else { return serve_http(stream, shared, drain).await };
    match tokio::time::timeout(limits.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, shared, drain).await,
        Ok(Err(error)) => tracing::debug!(%error, "Failed to shake hands"),
        Err(_) => tracing::debug!("Dropped a client that did not finish its handshake"),
    }
}

async fn serve_http<S: Service>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<Shared<S>>,
    mut drain: watch::Receiver<bool>,
) {
    let limits = shared.limits;
    let is_used = AtomicBool::new(false);
    let first_use = Notify::new();
    let service = service_fn(|request| {
        is_used.store(true, Ordering::Relaxed);
        first_use.notify_one();
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(respond(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper counts from the end of the last answer, so that this is the limit of idleness too.
        .header_read_timeout(limits.idle)
        .max_buf_size(MOST_BUFFERED)
        .serve_connection(TokioIo::new(Stall::new(stream, limits.stall)), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return note_end(ended),
        () = unused_after(limits.first_request, &is_used) => {
            return tracing::debug!("Dropped a client that sent no request");
        }
        // The sender lives as long as the accept loop: an error says the same as `true`.
        _ = drain.wait_for(|drain| *drain) => {}
    }
    if !is_used.load(Ordering::Relaxed) {
        tokio::select! {
            ended = connection.as_mut() => return note_end(ended),
            () = first_use.notified() => {}
            () = tokio::time::sleep(LAST_REQUEST_WITHIN) => return,
        }
    }
    // An idle connection ends here and now; else the request in flight is the last one.
    connection.as_mut().graceful_shutdown();
    note_end(connection.await);
}

/// Ends `after` so long if there has been no request until then, else never.
async fn unused_after(after: Duration, is_used: &AtomicBool) {
    tokio::time::sleep(after).await;
    if is_used.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn respond<S: Service>(request: Request<Incoming>, shared: &Shared<S>) -> Reply {
    let (parts, body) = request.into_parts();
    match body::read(body, &shared.budget, &shared.limits).await {
        Ok(held) => {
            let _until_answered = held.share;
            shared.service.call(Request::from_parts(parts, held.bytes)).await
        }
        Err(unread) => {
            tracing::debug!(reason = %unread, "Refused a request");
            unread.reply()
        }
    }
}

fn note_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended early");
    }
}

/// Bytes of a request's headers, and of what is buffered besides.
const MOST_BUFFERED: usize = 64 * 1024;
/// When draining: how long a connection that has not sent anything yet may take to send its one request. Clients
/// open connections ahead of need; those must not hold up the end.
const LAST_REQUEST_WITHIN: Duration = Duration::from_millis(500);
