//! Answers of the HTTP door: messages as JSON, errors as `application/problem+json`.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use kalla_proto::v1::{Code, Problem};

/// Seconds after which a caller may try again: about what a short job takes.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

const DRAINED: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// An error as an answer.
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
    pub fn invalid(message: impl Into<String>) -> Self {
        Problem::refused(Code::Invalid, message).into()
    }

    pub fn unsupported(message: String) -> Self {
        Self { problem: Problem::refused(Code::Invalid, message), status: StatusCode::UNSUPPORTED_MEDIA_TYPE }
    }

    pub fn too_large(message: String) -> Self {
        Self { problem: Problem::refused(Code::Exhausted, message), status: StatusCode::PAYLOAD_TOO_LARGE }
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

pub async fn nothing_here(uri: Uri) -> Refusal {
    Problem::refused(Code::NotFound, format!("there is nothing at {}: jobs are at /api/jobs", uri.path())).into()
}

pub async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{method} is not possible at {}", uri.path());
    Refusal { problem: Problem::refused(Code::Invalid, message), status: StatusCode::METHOD_NOT_ALLOWED }
}
