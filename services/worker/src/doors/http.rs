//! Jobs over HTTP: `POST /api/jobs`, and `GET` and `DELETE /api/jobs/{run_id}`.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kalla_proto::v1::{JobStatus, SubmitJobResponse};
use kalla_serving::{Refusal, body};

use super::House;
use crate::payload;

pub fn routes() -> Router<House> {
    Router::new().route("/api/jobs", post(submit)).route("/api/jobs/{run_id}", get(status).delete(cancel))
}

async fn submit(State(house): State<House>, request: Request) -> Result<Response, Refusal> {
    let text = body::json(request).await?;
    let payload = payload::from_json(&text)?;
    let run_id = payload.run_id.clone();
    house.service.submit(payload).await?;
    let place = [(LOCATION, format!("/api/jobs/{run_id}"))];
    let accepted = SubmitJobResponse { run_id, status: "accepted".to_owned() };
    Ok((StatusCode::ACCEPTED, place, Json(accepted)).into_response())
}

async fn status(State(house): State<House>, Path(run_id): Path<String>) -> Result<Json<JobStatus>, Refusal> {
    Ok(Json(house.service.get(&run_id).await?))
}

async fn cancel(State(house): State<House>, Path(run_id): Path<String>) -> Result<Response, Refusal> {
    let status = house.service.cancel(&run_id).await?;
    Ok((StatusCode::ACCEPTED, Json(status)).into_response())
}
