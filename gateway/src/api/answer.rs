//! Answers: messages as JSON, errors as `application/problem+json`.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use kalla_proto::v1::{Code, Problem};
use serde::Serialize;

use crate::problem::Failure;

/// Seconds after which a caller may try again.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

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

impl From<Failure> for Refusal {
    fn from(Failure { problem, outdated }: Failure) -> Self {
        let refusal = Self::from(problem);
        if outdated { Self { status: StatusCode::PRECONDITION_FAILED, ..refusal } } else { refusal }
    }
}

impl Refusal {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { problem: Problem::refused(code, message), status }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Problem::CONTENT_TYPE));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, TRY_AGAIN);
        }
        response
    }
}

/// A thing that has versions; one that the client has already is not sent again.
pub fn versioned(message: &impl Serialize, version: u64, asked: &HeaderMap) -> Response {
    let tag = tag(version);
    if asked.get(header::IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    ([(ETAG, tag)], Json(message)).into_response()
}

/// A thing that was saved, at `place` when it is new.
pub fn saved(message: &impl Serialize, version: u64, new: bool, place: &str) -> Response {
    let mut response = ([(ETAG, tag(version))], Json(message)).into_response();
    if new {
        *response.status_mut() = StatusCode::CREATED;
        if let Ok(place) = HeaderValue::from_str(place) {
            response.headers_mut().insert(header::LOCATION, place);
        }
    }
    response
}

fn tag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

pub async fn nothing_here(uri: Uri) -> Refusal {
    Problem::refused(Code::NotFound, format!("there is nothing at {}", uri.path())).into()
}

pub async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{method} is not possible at {}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Invalid, message)
}
