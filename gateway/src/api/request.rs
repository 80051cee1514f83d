//! What requests bring: bodies, parameters, conditions.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use kalla_proto::json::from_json_strict;
use kalla_proto::v1::{Problem, Violation};
use kalla_serving::{Refusal, body};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalog::Expected;

/// Things on a page, where nothing is said.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// A message as JSON. Unknown fields are refused, each with the nearest known name.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + prost::Name, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let text = body::json(request).await?;
        from_json_strict(&text).map(Self).map_err(|errors| Problem::unreadable(&errors).into())
    }
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
