//! What operators and their tools ask: `/health`, `/ready`, `/metrics`.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use kalla_proto::v1::{Code, Problem};
use kalla_serving::Refusal;

use super::House;

/// The storage answers within this time, or it is not there.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn routes() -> Router<House> {
    Router::new().route("/health", get("ok\n")).route("/ready", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(house): State<House>) -> Result<&'static str, Refusal> {
    let missing = |what: String| Refusal::from(Problem::later(Code::Unavailable, what));
    house.storage.has_room()?;
    match tokio::time::timeout(PATIENCE, house.storage.usable()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(missing(format!("the storage cannot be used: {error}"))),
        Err(_) => return Err(missing(format!("the storage has not answered for {} s", PATIENCE.as_secs()))),
    }
    if let Some(broker) = &house.broker {
        broker.ready().await?;
    }
    Ok("ready\n")
}

async fn metrics(State(house): State<House>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        house.metrics.text(house.storage.free()),
    )
}
