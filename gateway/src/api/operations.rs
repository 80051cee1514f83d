//! What operators and their tools ask: `/health`, `/ready`.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::House;
use super::answer::Refusal;

pub fn routes() -> Router<House> {
    Router::new().route("/health", get("ok\n")).route("/ready", get(ready))
}

/// A gateway without a worker takes runs all the same: they wait.
async fn ready(State(house): State<House>) -> Result<&'static str, Refusal> {
    house.store.reachable().await.map_err(crate::problem::Failure::from)?;
    Ok("ready\n")
}
