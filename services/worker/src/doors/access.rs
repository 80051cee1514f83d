//! What every request passes: who may call, the token, its deadline, a span and a line, and a net for panics.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kalla_engine::Error;
use kalla_proto::v1::{Code, Problem};
use kalla_serving::Refusal;
use kalla_serving::answer::protect;
use kalla_serving::telemetry::Asked;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::House;
use crate::problem;

/// Answered without a token: what load balancers ask.
const OPEN: [&str; 2] = ["/health", "/ready"];
const OPEN_SERVICE: &str = "/grpc.health.v1.Health/";

pub fn guard(router: Router<House>, house: &House) -> Router<House> {
    router
        .layer(CatchPanicLayer::custom(|_| {
            Refusal::from(problem::told(&Error::defect("a panic in a door"))).into_response()
        }))
        .layer(middleware::from_fn_with_state(house.clone(), admit))
}

async fn admit(State(house): State<House>, request: Request, next: Next) -> Response {
    let asked = Asked::new(&request);
    let mut response = admitted(&house, request, next).instrument(asked.span.clone()).await;
    asked.answered(&mut response);
    protect(&mut response, false);
    response
}

async fn admitted(house: &House, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if let Err(refused) = house.callers.check(&request) {
        return refusal(&request, refused);
    }
    let open = OPEN.contains(&path) || path.starts_with(OPEN_SERVICE);
    if !open && !house.admits(bearer(&request)) {
        let refused =
            Problem::refused(Code::Unauthenticated, "send `Authorization: Bearer …` with this worker's token");
        return refusal(&request, refused.into());
    }
    let Some(limit) = deadline(&request) else { return next.run(request).await };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        // What was done for it has been dropped, and a process with it.
        Err(_) => {
            let late = Problem::refused(Code::Deadline, "not done within the deadline of the request");
            problem::grpc_status(&late).into_http()
        }
    }
}

/// How long a gRPC client waits: the header `grpc-timeout`, digits and a unit. What cannot be read is no deadline.
fn deadline(request: &Request) -> Option<Duration> {
    let text = request.headers().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// In the manner of the protocol that asked.
fn refusal(request: &Request, refused: Refusal) -> Response {
    let grpc =
        request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if grpc { problem::grpc_status(refused.problem()).into_http::<axum::body::Body>() } else { refused.into_response() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;

    use super::*;

    #[test]
    fn deadlines_are_digits_and_a_unit() {
        for (text, expected) in [
            ("10S", Some(Duration::from_secs(10))),
            ("2M", Some(Duration::from_secs(120))),
            ("1H", Some(Duration::from_secs(3600))),
            ("500m", Some(Duration::from_millis(500))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("123456789S", None),
            ("-1S", None),
            ("S", None),
            ("10", None),
            ("10x", None),
            ("", None),
        ] {
            let request = Request::builder().header("grpc-timeout", text).body(Body::empty()).unwrap();
            assert_eq!(deadline(&request), expected, "{text}");
        }
        assert_eq!(deadline(&Request::new(Body::empty())), None);
    }
}
