//! `/api/worker`: what workers report of their jobs.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::routing::post;
use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{JobEvent, Problem};
use kalla_serving::{Refusal, body};

use super::House;
use crate::runs::Heard;
use crate::worker::without_nul;

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/worker/progress", post(heard))
        .route("/api/worker/complete", post(heard))
        .route("/api/worker/error", post(heard))
}

/// The body says which of them it is.
async fn heard(State(house): State<House>, request: Request) -> Result<StatusCode, Refusal> {
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        token.and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
    let text = body::json(request).await?;
    let (event, unknown) =
        from_json_lenient::<JobEvent>(&without_nul(&text)).map_err(|error| Problem::unreadable(&[error]))?;
    let run_id = event.run_id.clone();
    let heard = house.runs.heard(event, &token).await;
    house.metrics.callback(&heard);
    let heard = heard?;
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().map(|field| field.path).collect();
        tracing::warn!(run_id, ?unknown, "a callback has fields that this version does not know");
    }
    match heard {
        Heard::Accepted => Ok(StatusCode::NO_CONTENT),
        Heard::Gone => Ok(StatusCode::GONE),
    }
}
