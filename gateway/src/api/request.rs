//! What requests bring: bodies, parameters, conditions.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kalla_proto::json::from_json_strict;
use kalla_proto::v1::{Code, Problem, Violation};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Refusal;
use crate::catalog::Expected;

/// A recipe is SQL and some addresses.
const LARGEST: usize = 2 << 20;
/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Things on a page, where nothing is said.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// A message as JSON. Unknown fields are refused, each with the nearest known name.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + prost::Name, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let text = text(request).await?;
        from_json_strict(&text).map(Self).map_err(|errors| Problem::unreadable(&errors).into())
    }
}

/// The body of a request as text.
pub async fn text(request: Request) -> Result<String, Refusal> {
    let kind =
        request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
    if let Some(kind) = kind {
        let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
        if kind != "application/json" && !kind.ends_with("+json") {
            let message = format!("the body is JSON, not `{kind}`: send Content-Type: application/json");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Invalid, message));
        }
    }
    let read = tokio::time::timeout(PATIENCE, Limited::new(request.into_body(), LARGEST).collect()).await;
    let bytes: Bytes = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("the body is larger than {LARGEST} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::Exhausted, message));
        }
        Ok(Err(error)) => return Err(invalid("", format!("the body ends early: {error}"))),
        Err(_) => return Err(invalid("", format!("the body did not arrive within {} s", PATIENCE.as_secs()))),
    };
    String::from_utf8(bytes.into()).map_err(|e| invalid("", format!("the body is not UTF-8: {e}")))
}

/// The parameters behind the `?`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(invalid("", error.body_text())),
        }
    }
}

/// A page of a list: how many, and behind which.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    pub limit: Option<u32>,
    #[serde(default)]
    pub cursor: String,
}

/// How many rows of a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    pub limit: Option<u32>,
}

/// How many things a page has.
pub fn page(limit: Option<u32>) -> Result<u32, Refusal> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=LARGEST_PAGE => Ok(limit),
        _ => Err(invalid("limit", format!("it is a number from 1 to {LARGEST_PAGE}"))),
    }
}

/// Which version a change is meant for: `If-Match: "3"`, or `If-None-Match: *` for a thing that is to be new.
pub fn expected(headers: &HeaderMap) -> Result<Expected, Refusal> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    match (text(IF_MATCH).as_deref(), text(IF_NONE_MATCH).as_deref()) {
        (None | Some("*"), None) => Ok(Expected::Any),
        (None, Some("*")) => Ok(Expected::Absent),
        (Some(tag), None) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
            version.map(Expected::Version).ok_or_else(|| invalid("If-Match", "it is an ETag, such as \"3\""))
        }
        _ => Err(invalid("If-None-Match", "a change takes `*` here, and no If-Match beside it")),
    }
}

/// A key that makes a request safe to be sent again.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key)),
        _ => Err(invalid("Idempotency-Key", "it is made of 1 to 255 printable ASCII characters")),
    }
}

pub fn invalid(field: &str, message: impl Into<String>) -> Refusal {
    Problem::invalid(vec![Violation::new(field, message)]).into()
}
