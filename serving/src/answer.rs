//! Errors as `application/problem+json`, and what stands on every answer.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use kalla_proto::v1::{Code, Problem};

/// Seconds after which a caller may try again: about what a short job takes.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

const DRAINED: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// An error as an answer.
#[derive(Debug)]
pub struct Refusal {
    problem: Problem,
    status: StatusCode,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { problem, status }
    }
}

impl Refusal {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { problem: Problem::refused(code, message), status }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Problem::refused(Code::Invalid, message).into()
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::Exhausted, message)
    }

    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, TRY_AGAIN);
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// Where a path takes other methods.
pub async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{method} is not possible at {}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Invalid, message)
}

/// What keeps an answer where it belongs, whatever it is: no browser takes it for something else, shows it in somebody's frame,
/// gives it to a page of another site or tells others the address that it came from.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
/// Where an answer says nothing else: it is data, of which nobody keeps a copy and in which nothing runs.
const UNLESS_SAID: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// `https`: whether people reach the server that way alone.
pub fn protect(response: &mut Response, https: bool) {
    let headers = response.headers_mut();
    // A stream of events is data as well, though no cache would keep it.
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        headers.remove(CACHE_CONTROL);
    }
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    for (name, value) in UNLESS_SAID {
        headers.entry(name).or_insert(value);
    }
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
}

/// Takes what a client still sends, within reason: one that cannot send on does not read the answer.
pub async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut left = DRAINED;
    let read = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Who is too slow is too late.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}
