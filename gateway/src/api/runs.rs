//! `/api/runs`: reconciliations, from the wish to the result, and what happens to them as it happens.

use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::StreamExt as _;
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{
    CreateRunRequest, ListRunEventsResponse, ListRunsResponse, ListStandingsResponse, Run, RunEvent, RunState,
};
use kalla_serving::Refusal;
use serde::Deserialize;
use serde_json::json;

use super::House;
use super::answer::{saved, versioned};
use super::request::{Body, Params, idempotency_key, invalid, page};
use super::stream::{self, Message};
use crate::access::Actor;
use crate::problem::Failure;
use crate::runs::id;
use crate::store::RunFilter;

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/runs", get(list).post(create))
        .route("/api/runs/events", get(changes))
        .route("/api/standings", get(standings))
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

/// Of recipes, by their latest runs.
async fn standings(State(house): State<House>) -> Result<Json<ListStandingsResponse>, Refusal> {
    Ok(Json(house.runs.standings().await?))
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
    let after = stream::last_seen(&headers).or(from.after).unwrap_or(0);
    let json = headers.get(ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if json {
        return Ok(Json(ListRunEventsResponse { events: house.runs.events(run_id, after).await? }).into_response());
    }
    // What tells a browser that there is nothing to come back for.
    if run.state().is_terminal() && after >= run.version {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let runs = house.runs.clone();
    let look = move |after| {
        let runs = runs.clone();
        async move { runs.events(run_id, after).await?.iter().map(told).collect() }
    };
    stream::answer(&house, stream::follow(&house.runs, Some(run_id), after, look))
}

fn told(event: &RunEvent) -> Result<Message, Failure> {
    let over = event.state().is_terminal();
    let name = if event.progress.is_some() && !over { "progress" } else { "state" };
    Message::new(event.seq, name, event, over)
}

/// All runs as they change, each as it is then. Whoever falls behind is told the latest of each run, once.
async fn changes(
    State(house): State<House>,
    Params(from): Params<From>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let latest = house.runs.latest_change().await?;
    // A number that was never given out is one of another database: of an older copy of this one, say.
    let seen = stream::last_seen(&headers).or(from.after).filter(|seen| *seen <= latest);
    let after = seen.unwrap_or(latest);
    let begin = match seen {
        None => Some(Message::new(latest, "following", &json!({}), false)?),
        Some(_) => None,
    };
    let runs = house.runs.clone();
    let look = move |after| {
        let runs = runs.clone();
        async move {
            runs.changed(after).await?.iter().map(|(number, run)| Message::new(*number, "run", run, false)).collect()
        }
    };
    let rest = stream::follow(&house.runs, None, after, look);
    stream::answer(&house, futures::stream::iter(begin).chain(rest))
}
