//! What operators and their tools ask: `/health`, `/ready`, `/metrics`, and what the page shows of it.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use kalla_proto::v1::{Problem, System, WorkerStatus};
use kalla_serving::Refusal;
use kalla_serving::metrics::OPEN_METRICS;

use super::House;
use crate::metrics::Now;
use crate::problem::Failure;
use crate::time::now;
use crate::worker::Fleet;

/// Whoever asks for metrics soon gives up. What has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn routes() -> Router<House> {
    Router::new()
        .route("/health", get("ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/system", get(system))
}

/// A gateway without a worker takes runs all the same: they wait.
async fn ready(State(house): State<House>) -> Result<&'static str, Refusal> {
    house.store.reachable().await.map_err(Failure::from)?;
    Ok("ready\n")
}

/// What people see of it: a worker that does not answer is told with the reason.
async fn system(State(house): State<House>) -> Json<System> {
    let workers = house.fleet.alive();
    let ((worker_url, status), broker) = tokio::join!(one_of(&house.fleet, &workers), house.runs.broker());
    Json(System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: house.store.kind().to_owned(),
        local: house.local,
        worker_url,
        worker_problem: status.as_ref().err().cloned(),
        broker,
        worker: status.ok(),
        workers,
    })
}

/// The worker of the operator, where there is one, or else one that has told of itself: where it is, and how.
async fn one_of(fleet: &Fleet, alive: &[WorkerStatus]) -> (String, Result<WorkerStatus, Problem>) {
    match (fleet.named(), alive.iter().find(|status| !status.closing).or(alive.first())) {
        (Some(named), _) => (named.place(), named.status().await),
        (None, Some(status)) => (status.url.clone(), Ok(status.clone())),
        (None, None) => (String::new(), Err(Fleet::nobody())),
    }
}

/// They are told whatever is away: then they matter most.
async fn metrics(State(house): State<House>) -> impl IntoResponse {
    let open = tokio::time::timeout(PATIENCE, house.store.open_runs(now()));
    let (open, broker) = tokio::join!(open, house.runs.broker());
    let open = open.ok().and_then(|open| open.inspect_err(|error| tracing::warn!(%error, "runs are not counted")).ok());
    let now = Now {
        open,
        connections: house.store.connections(),
        errands: house.runs.errands(),
        workers: house.fleet.count(),
        broker,
    };
    ([OPEN_METRICS], house.metrics.text(&now))
}
