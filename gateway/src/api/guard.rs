//! What every request passes: where it comes from, who asks, a span and a line, and a net for panics.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kalla_serving::Refusal;
use kalla_serving::answer::protect;
use kalla_serving::telemetry::Asked;
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
    let (asked, method) = (Asked::new(&request), request.method().clone());
    let mut response = match house.callers.check(&request) {
        Ok(()) => {
            let actor = Actor::local();
            asked.by(actor.name());
            request.extensions_mut().insert(actor);
            next.run(request).instrument(asked.span.clone()).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let route = asked.route.clone();
    let took = asked.answered(&mut response);
    house.metrics.answered(&method, &route, response.status(), took);
    protect(&mut response, house.https);
    response
}
