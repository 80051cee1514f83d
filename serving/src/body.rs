//! Bodies of requests: small ones that are read as a whole, and large ones piece by piece.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use futures::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kalla_proto::v1::Code;

use crate::answer::{Refusal, drain};
use crate::pace::{Pace, SENDING};

/// A job or a recipe is SQL and some addresses.
pub const LARGEST: usize = 2 << 20;
/// How long a client may take to send one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body of a request that brings JSON and says so. Pages of other sites may send forms, plain text and bodies without a
/// type to wherever they like, but no JSON.
pub async fn json(request: Request) -> Result<String, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let kind = kind.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !kind.ends_with("+json") {
        let given = if kind.is_empty() { "something without a type".to_owned() } else { format!("`{kind}`") };
        let message = format!("the body is JSON, not {given}: send Content-Type: application/json");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Invalid, message));
    }
    let mut body = request.into_body();
    let read = tokio::time::timeout(PATIENCE, Limited::new(&mut body, LARGEST).collect()).await;
    let bytes = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            drain(body).await;
            return Err(Refusal::too_large(format!("the body is larger than {LARGEST} bytes")));
        }
        Ok(Err(error)) => return Err(Refusal::invalid(format!("the body ends early: {error}"))),
        Err(_) => {
            return Err(Refusal::invalid(format!("the body did not arrive within {} s", PATIENCE.as_secs())));
        }
    };
    String::from_utf8(bytes.into()).map_err(|e| Refusal::invalid(format!("the body is not UTF-8: {e}")))
}

/// A large body, as its client sends it.
pub struct Incoming<S> {
    stream: S,
    pace: Pace,
}

impl<S, E> Incoming<S>
where
    S: Stream<Item = Result<bytes::Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    pub fn new(stream: S) -> Self {
        Self { stream, pace: Pace::new(SENDING) }
    }

    /// `None` at the end. A body that ends early, or comes too slowly, is an error in words.
    pub async fn next(&mut self) -> Option<Result<bytes::Bytes, String>> {
        let size = |piece: &Option<Result<bytes::Bytes, E>>| {
            piece.as_ref().and_then(|p| p.as_ref().ok()).map_or(0, bytes::Bytes::len)
        };
        match self.pace.of(self.stream.next(), size).await {
            Some(piece) => piece.map(|piece| piece.map_err(|e| format!("the file ends early: {e}"))),
            None => Some(Err(format!(
                "the file comes too slowly: nothing, or next to nothing, for {} s",
                SENDING.as_secs()
            ))),
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}
