//! What every request passes: the token, a span, and a net for panics.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kalla_engine::Error;
use kalla_proto::v1::{Code, Problem};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::House;
use super::answer::Refusal;
use crate::problem;

/// Answered without a token: what load balancers ask.
const OPEN: [&str; 2] = ["/health", "/ready"];
const OPEN_SERVICE: &str = "/grpc.health.v1.Health/";

pub fn guard(router: Router<House>, house: &House) -> Router<House> {
    router
        .layer(CatchPanicLayer::custom(|_| {
            Refusal::from(problem::told(&Error::Internal("a panic in a door".to_owned()))).into_response()
        }))
        .layer(middleware::from_fn_with_state(house.clone(), admit))
}

async fn admit(State(house): State<House>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // The pattern and not the path: names of runs and files are many.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", method = %request.method(), route);
    let open = OPEN.contains(&path) || path.starts_with(OPEN_SERVICE);
    if !open && !house.admits(bearer(&request)) {
        let refused =
            problem::refused(Code::Unauthenticated, "send `Authorization: Bearer …` with this worker's token");
        return refusal(&request, refused);
    }
    next.run(request).instrument(span).await
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// In the manner of the protocol that asked.
fn refusal(request: &Request, problem: Problem) -> Response {
    let grpc =
        request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        problem::grpc_status(&problem).into_http::<axum::body::Body>()
    } else {
        Refusal::from(problem).into_response()
    }
}
