//! `/api/runs`: reconciliations, from the wish to the result, and what happens to them as it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::{Stream, StreamExt as _};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{CreateRunRequest, ListRunEventsResponse, ListRunsResponse, Run, RunEvent, RunState};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::House;
use super::answer::{Refusal, saved, versioned};
use super::request::{Body, Params, idempotency_key, invalid, page};
use crate::access::Actor;
use crate::problem::Failure;
use crate::runs::{Runs, id};
use crate::store::RunFilter;

/// A stream on which nothing happens says so now and again, so that nobody on the way takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/runs", get(list).post(create))
        .route("/api/runs/{id}", get(show))
        .route("/api/runs/{id}/cancel", post(cancel))
        .route("/api/runs/{id}/retry", post(retry))
        .route("/api/runs/{id}/events", get(events))
}

async fn create(
    State(house): State<House>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    Body(request): Body<CreateRunRequest>,
) -> Result<Response, Refusal> {
    let run = house.runs.create(request, idempotency_key(&headers)?, &actor).await?;
    Ok(saved(&run, run.version, true, &format!("/api/runs/{}", run.run_id)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    limit: Option<u32>,
    cursor: Option<String>,
    #[serde(default)]
    recipe_id: String,
    state: Option<String>,
}

async fn list(State(house): State<House>, Params(which): Params<Which>) -> Result<Json<ListRunsResponse>, Refusal> {
    let behind = match which.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
        Some(cursor) => house.runs.behind(cursor).await?,
        None => RunFilter::default(),
    };
    let state = match which.state.as_deref() {
        None | Some("") => None,
        Some(word) => Some(RunState::from_word(word).ok_or_else(|| {
            let message = "pending, running ones such as matching, completed, failed or cancelled";
            invalid("state", format!("`{word}` is no state of a run: {message}"))
        })?),
    };
    let filter = RunFilter { recipe_id: which.recipe_id, state, limit: page(which.limit)?, ..behind };
    Ok(Json(house.runs.list(filter).await?))
}

async fn show(State(house): State<House>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let run = house.runs.get(&id).await?;
    Ok(versioned(&run, run.version, &headers))
}

async fn cancel(
    State(house): State<House>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Run>, Refusal> {
    Ok(Json(house.runs.cancel(&id, &actor).await?))
}

async fn retry(
    State(house): State<House>,
    Path(id): Path<String>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Run>, Refusal> {
    Ok(Json(house.runs.retry(&id, &actor).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    after: Option<u64>,
}

/// As a stream that goes on until the run has ended; as JSON, where that is asked for, what has happened so far.
async fn events(
    State(house): State<House>,
    Path(run_id): Path<String>,
    Params(from): Params<From>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = house.runs.get(&run_id).await?;
    let run_id = id(&run.run_id)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = last.or(from.after).unwrap_or(0);
    let json = headers.get(ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if json {
        return Ok(Json(ListRunEventsResponse { events: house.runs.events(run_id, after).await? }).into_response());
    }
    // What tells a browser that there is nothing to come back for.
    if run.state().is_terminal() && after >= run.version {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = follow(house.runs, run_id, after).take_until(house.stop.cancelled_owned());
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Events behind `after`, as they are in the store: a change that is missed on the way is found there.
fn follow(runs: Runs, run_id: Uuid, after: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = runs.changes();
    let batches =
        futures::stream::unfold((runs, changes, after, false), move |(runs, mut changes, after, over)| async move {
            if over {
                return None;
            }
            loop {
                let events = match runs.events(run_id, after).await {
                    Ok(events) => events,
                    Err(failure) => {
                        // The client comes back with the last event that it got.
                        tracing::warn!(%run_id, %failure, "a stream of events is cut");
                        return None;
                    }
                };
                if let Some(last) = events.last() {
                    let (after, over) = (last.seq, last.state().is_terminal());
                    return Some((futures::stream::iter(events), (runs, changes, after, over)));
                }
                loop {
                    match changes.recv().await {
                        Ok(changed) if changed != run_id => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return None,
                    }
                }
            }
        });
    batches.flatten().map(|event| Ok(sent(&event)))
}

fn sent(event: &RunEvent) -> Event {
    let name = if event.progress.is_some() && !event.state().is_terminal() { "progress" } else { "state" };
    let sent = Event::default().id(event.seq.to_string()).event(name);
    match serde_json::to_string(event) {
        Ok(data) => sent.data(data),
        Err(error) => sent.comment(Failure::defect(error).problem.message),
    }
}
