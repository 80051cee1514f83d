//! Jobs over HTTP: `POST /api/jobs`, and `GET` and `DELETE /api/jobs/{run_id}`.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{JobPayload, JobStatus, Problem, SubmitJobResponse};

use super::House;
use super::answer::{Refusal, drain};

/// A payload is SQL and some addresses.
const LARGEST_PAYLOAD: usize = 2 << 20;
/// How long a client may take to send one.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn routes() -> Router<House> {
    Router::new().route("/api/jobs", post(submit)).route("/api/jobs/{run_id}", get(status).delete(cancel))
}

async fn submit(State(house): State<House>, request: Request) -> Result<Response, Refusal> {
    check_type(&request)?;
    let body = small_body(request.into_body()).await?;
    let text = std::str::from_utf8(&body).map_err(|e| Refusal::invalid(format!("the body is not UTF-8: {e}")))?;
    let (payload, unknown) = from_json_lenient::<JobPayload>(text).map_err(|e| Problem::unreadable(&[e]))?;
    if !unknown.is_empty() {
        tracing::warn!(run_id = payload.run_id, ?unknown, "the payload has fields that this version does not know");
    }
    house.service.submit(&payload)?;
    let place = [(LOCATION, format!("/api/jobs/{}", payload.run_id))];
    let accepted = SubmitJobResponse { run_id: payload.run_id, status: "accepted".to_owned() };
    Ok((StatusCode::ACCEPTED, place, Json(accepted)).into_response())
}

async fn status(State(house): State<House>, Path(run_id): Path<String>) -> Result<Json<JobStatus>, Refusal> {
    Ok(Json(house.service.get(&run_id).await?))
}

async fn cancel(State(house): State<House>, Path(run_id): Path<String>) -> Result<Response, Refusal> {
    let status = house.service.cancel(&run_id).await?;
    Ok((StatusCode::ACCEPTED, Json(status)).into_response())
}

/// JSON, said or unsaid; the type of forms is what `curl -d` says of everything.
fn check_type(request: &Request) -> Result<(), Refusal> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let kind = text.split(';').next().unwrap_or_default().trim();
    if matches!(kind, "application/json" | "application/x-www-form-urlencoded") || kind.ends_with("+json") {
        return Ok(());
    }
    Err(Refusal::unsupported(format!("a job is JSON, not `{kind}`: send Content-Type: application/json")))
}

async fn small_body(mut body: Body) -> Result<Bytes, Refusal> {
    let read = tokio::time::timeout(PATIENCE, Limited::new(&mut body, LARGEST_PAYLOAD).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            drain(body).await;
            Err(Refusal::too_large(format!("the payload is larger than {LARGEST_PAYLOAD} bytes")))
        }
        Ok(Err(error)) => Err(Refusal::invalid(format!("the body ends early: {error}"))),
        Err(_) => Err(Refusal::invalid(format!("the body did not arrive within {} s", PATIENCE.as_secs()))),
    }
}
