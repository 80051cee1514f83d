//! What every request passes: where it comes from, who asks, a span, and a net for panics.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kalla_proto::v1::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::House;
use super::answer::Refusal;
use crate::access::Actor;
use crate::problem::Failure;
use crate::server::is_loopback;

const SAME_PLACE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub fn guard(router: Router<House>, house: &House) -> Router<House> {
    router
        .layer(CatchPanicLayer::custom(|_| Refusal::from(Failure::defect("a panic in a handler")).into_response()))
        .layer(middleware::from_fn_with_state(house.clone(), admit))
}

async fn admit(State(house): State<House>, mut request: Request, next: Next) -> Response {
    // The pattern and not the path: names of runs are many.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", method = %request.method(), route = route.as_str());
    if let Some(refusal) = strange(&house, &request) {
        return refusal.into_response();
    }
    request.extensions_mut().insert(Actor::local());
    let (began, method) = (Instant::now(), request.method().clone());
    let mut response = next.run(request).instrument(span).await;
    house.metrics.answered(&method, &route, response.status(), began.elapsed());
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// Pages of other sites run in the browser of whoever uses this machine: they may neither change anything here nor, under a
/// name of theirs that leads here, read anything.
fn strange(house: &House, request: &Request) -> Option<Refusal> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refused = |message: String| Some(Refusal::new(StatusCode::FORBIDDEN, Code::Forbidden, message));
    let host = text(HOST).or(request.uri().authority().map(|authority| authority.as_str())).unwrap_or_default();
    if house.local && !is_loopback(without_port(host)) {
        return refused(format!("`{host}` is no name of this machine: use http://127.0.0.1 or http://localhost"));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let other_site = text(SAME_PLACE).is_some_and(|place| place == "cross-site")
        || text(ORIGIN).is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != Some(host));
    if other_site { refused("this comes from a page of another site".to_owned()) } else { None }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name.trim_matches(['[', ']']),
        _ => host.trim_matches(['[', ']']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (given, expected) in [
            ("localhost", "localhost"),
            ("localhost:3000", "localhost"),
            ("127.0.0.1:3000", "127.0.0.1"),
            ("[::1]:3000", "::1"),
            ("[::1]", "::1"),
            ("kalla.example", "kalla.example"),
        ] {
            assert_eq!(without_port(given), expected, "{given}");
        }
    }
}
