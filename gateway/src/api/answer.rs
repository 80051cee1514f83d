//! Answers: messages as JSON, with their versions.

use axum::Json;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use kalla_proto::v1::{Code, Problem};
use kalla_serving::Refusal;
use serde::Serialize;

use crate::problem::Failure;

impl From<Failure> for Refusal {
    fn from(Failure { problem, outdated }: Failure) -> Self {
        let refusal = Self::from(problem);
        if outdated { refusal.with_status(StatusCode::PRECONDITION_FAILED) } else { refusal }
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
