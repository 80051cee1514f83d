//! What every request passes: where it comes from, who asks, a span, and a net for panics.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kalla_serving::Refusal;
use kalla_serving::answer::protect;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::House;
use crate::access::Actor;
use crate::problem::Failure;

pub fn guard(router: Router<House>, house: &House) -> Router<House> {
    router
        .layer(CatchPanicLayer::custom(|_| Refusal::from(Failure::defect("a panic in a handler")).into_response()))
        .layer(middleware::from_fn_with_state(house.clone(), admit))
}

async fn admit(State(house): State<House>, mut request: Request, next: Next) -> Response {
    // The pattern and not the path: names of runs are many.
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", method = %request.method(), route = route.as_str());
    let (began, method) = (Instant::now(), request.method().clone());
    let mut response = match house.callers.check(&request) {
        Ok(()) => {
            request.extensions_mut().insert(Actor::local());
            next.run(request).instrument(span).await
        }
        Err(refusal) => refusal.into_response(),
    };
    house.metrics.answered(&method, &route, response.status(), began.elapsed());
    protect(&mut response, house.https);
    response
}
