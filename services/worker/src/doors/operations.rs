//! What operators and their tools ask: `/health`, `/ready`, `/metrics`.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use kalla_proto::v1::{Code, Problem};
use kalla_serving::Refusal;
use kalla_serving::metrics::OPEN_METRICS;

use super::House;
use crate::metrics::Now;

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
    let now = Now {
        load: house.service.load(),
        disks: house.storage.disks(),
        broker_answers: house.broker.as_ref().map(|broker| !broker.is_away()),
    };
    ([OPEN_METRICS], house.metrics.text(&now))
}
