//! `/api/uploads`: files for runs to read, of any size that the worker's disk holds.

use std::time::Duration;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt as _, TryStreamExt as _};
use kalla_proto::v1::{LoadScopedRequest, PreviewSourceResponse, Upload};
use kalla_serving::Refusal;
use kalla_serving::body::Incoming;
use tokio::sync::mpsc;

use super::House;
use super::request::{Body, Params, Rows, invalid, page};

/// Pieces of a file that wait between the browser and the worker.
const WAITING: usize = 4;
const LONGEST_NAME: usize = 255;
/// How long a form may take until its file begins.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/uploads", post(take).layer(DefaultBodyLimit::disable()))
        .route("/api/uploads/{id}", get(show))
        .route("/api/uploads/{id}/preview", get(preview))
        .route("/api/uploads/{id}/load-scoped", post(load_scoped))
}

async fn take(State(house): State<House>, request: Request) -> Result<Response, Refusal> {
    use axum::extract::FromRequest as _;
    let _place = house.rooms.uploads.enter()?;
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| {
        invalid(
            "",
            format!("{}: send the file as multipart/form-data, as `curl -F file=@payments.csv` does", e.body_text()),
        )
    })?;
    let late = |_| invalid("file", format!("no file has begun within {} s", PATIENCE.as_secs()));
    let broken = |e: MultipartError| invalid("", format!("the form ends early: {}", e.body_text()));
    let field = tokio::time::timeout(PATIENCE, form.next_field()).await.map_err(late)?.map_err(broken)?;
    let mut field = field.ok_or_else(|| invalid("file", "the form has no file: `curl -F file=@payments.csv`"))?;
    let name = field.file_name().map(plain_name).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid("file", "the first part of the form is no file with a name"))?;
    // A part of a form cannot outlive the form: its pieces go through a channel to the request to the worker.
    let (sender, receiver) = mpsc::channel::<Result<axum::body::Bytes, String>>(WAITING);
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let read = async move {
        let mut pieces = Incoming::new(field.by_ref().map_err(|e| e.body_text()));
        loop {
            let piece = tokio::select! {
                piece = pieces.next() => piece,
                // The worker has had enough, and says why.
                () = sender.closed() => return None,
            };
            let piece = piece?;
            let failed = piece.as_ref().err().cloned();
            if sender.send(piece).await.is_err() || failed.is_some() {
                return failed;
            }
        }
    };
    let (broken, taken) = tokio::join!(read, house.uploads.take(&name, pieces));
    if let Some(message) = broken {
        return Err(invalid("file", message));
    }
    let upload = taken?;
    house.metrics.uploaded(upload.bytes);
    let place = [(LOCATION, format!("/api/uploads/{}", upload.upload_id))];
    Ok((StatusCode::CREATED, place, Json(upload)).into_response())
}

async fn show(State(house): State<House>, Path(id): Path<String>) -> Result<Json<Upload>, Refusal> {
    Ok(Json(house.uploads.get(&id).await?))
}

async fn preview(
    State(house): State<House>,
    Path(id): Path<String>,
    Params(rows): Params<Rows>,
) -> Result<Json<PreviewSourceResponse>, Refusal> {
    Ok(Json(house.uploads.preview(&id, LoadScopedRequest { limit: page(rows.limit)?, ..Default::default() }).await?))
}

async fn load_scoped(
    State(house): State<House>,
    Path(id): Path<String>,
    Body(mut request): Body<LoadScopedRequest>,
) -> Result<Json<PreviewSourceResponse>, Refusal> {
    request.limit = page(Some(request.limit).filter(|limit| *limit > 0))?;
    Ok(Json(house.uploads.preview(&id, request).await?))
}

/// The last part of a path, without what has no place in a name.
fn plain_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}
