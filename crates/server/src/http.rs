//! The service `http`: figures for Prometheus, and whether the node is well.
//!
//! Left out on purpose: TLS and access control. It listens on loopback unless the configuration says otherwise, and
//! tells nothing about who writes to whom.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::metrics::StoreFigures;
use crate::shared::{Shared, Stage};
use crate::socket::Socket;

/// What a connection hears that is turned away.
pub(crate) const TOO_MANY_CONNECTIONS: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 60\r\n\r\n";

/// What Prometheus reads (OpenMetrics 1.0 §4.2).
const METRICS_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The whole head of a request must come within that.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection ends after that, whatever it does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Octets of the head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// On every response: nothing of it is a page, and nobody else may use it as one.
const SECURITY: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What all connections have in common.
#[derive(Clone)]
pub(crate) struct Speech {
    router: Router,
}

impl Speech {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let router = Router::new()
            .route("/metrics", on(MethodFilter::GET, metrics))
            .route("/healthz", on(MethodFilter::GET, health))
            .layer(map_response(secured))
            .with_state(Arc::clone(shared));
        Self { router }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, speech: Speech, socket: Socket) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(speech.router);
    let connection = server.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let mut stage = shared.stage.clone();
    let served = timeout(CONNECTION_TIMEOUT, async {
        tokio::select! {
            biased;
            served = connection.as_mut() => return served,
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => {}
        }
        // A response that is on its way is still sent.
        connection.as_mut().graceful_shutdown();
        connection.await
    });
    if let Ok(Err(error)) = served.await {
        debug!(%error, "an HTTP connection ended");
    }
}

async fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY {
        response.headers_mut().insert(name, value);
    }
    response
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let embedded = Arc::clone(&shared.embedded);
    // It reads the disk: on a thread where no session waits for it.
    let store = tokio::task::spawn_blocking(move || StoreFigures::read(&embedded)).await;
    let store = match store {
        Ok(Ok(store)) => Some(store),
        Ok(Err(error)) => {
            warn!(%error, "the store tells no figures");
            None
        }
        Err(_) => None,
    };
    match shared.metrics.text(store) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => {
            warn!(%error, "the figures cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `ok` while the node takes work; 503 from the moment it stops.
async fn health(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if *shared.stage.borrow() == Stage::Serving {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    }
}
