//! A request as logs and traces tell of it: one span, and one line when it is answered.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tracing::{Span, field};

use super::trace;

/// What a client, or a proxy before it, calls a request, and is told again.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Whom a proxy has it from.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What of a header stands in the log.
const SHOWN: usize = 128;
/// What is asked every few seconds by machines is told at level debug.
const QUIET: [&str; 3] = ["/health", "/ready", "/metrics"];

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// A request that is not answered yet.
pub struct Asked {
    /// The pattern and not the path: names of runs are many. Empty: there is none.
    pub route: String,
    pub span: Span,
    request_id: String,
    began: Instant,
}

impl Asked {
    pub fn new(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
        let method = request.method();
        let span = tracing::info_span!(
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            %method,
            route,
            trace_id = field::Empty,
            request_id = field::Empty,
            client = field::Empty,
            forwarded_for = field::Empty,
            actor = field::Empty,
        );
        trace::go_on_with(&span, request.headers());
        let trace_id = trace::id(&span);
        let shown = |name: &HeaderName| {
            let text = request.headers().get(name)?.to_str().ok()?;
            Some(text.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>())
                .filter(|text| !text.is_empty())
        };
        let request_id = shown(&REQUEST_ID).unwrap_or_else(|| trace_id.clone());
        span.record("trace_id", trace_id);
        span.record("request_id", &request_id);
        if let Some(Peer(peer)) = request.extensions().get::<Peer>() {
            span.record("client", field::display(peer.ip()));
        }
        if let Some(from) = shown(&FORWARDED) {
            span.record("forwarded_for", from);
        }
        Self { route, span, request_id, began: Instant::now() }
    }

    /// Who asks, where that is known.
    pub fn by(&self, actor: &str) {
        self.span.record("actor", actor);
    }

    /// Says so. Gives what it took until the answer began.
    pub fn answered(self, response: &mut Response) -> Duration {
        let took = self.began.elapsed();
        let (status, ms) = (response.status().as_u16(), took.as_millis());
        if QUIET.contains(&self.route.as_str()) {
            tracing::debug!(parent: &self.span, status, ms, "answered");
        } else {
            tracing::info!(parent: &self.span, status, ms, "answered");
        }
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        took
    }
}
