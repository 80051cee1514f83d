//! What operators and their tools ask: `/health`, `/ready`, `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use super::House;
use super::answer::Refusal;
use crate::problem::Failure;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub fn routes() -> Router<House> {
    Router::new().route("/health", get("ok\n")).route("/ready", get(ready)).route("/metrics", get(metrics))
}

/// A gateway without a worker takes runs all the same: they wait.
async fn ready(State(house): State<House>) -> Result<&'static str, Refusal> {
    house.store.reachable().await.map_err(Failure::from)?;
    Ok("ready\n")
}

async fn metrics(State(house): State<House>) -> Result<impl IntoResponse, Refusal> {
    let open = house.store.open_runs().await.map_err(Failure::from)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], house.metrics.text(&open)))
}
