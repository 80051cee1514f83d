//! Files that jobs will read: `PUT /api/files/{id}` streams one into the storage, `DELETE` removes it.

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use kalla_engine::Error;
use kalla_engine::location::in_words;
use kalla_proto::v1::StoredFile;
use kalla_serving::Refusal;
use kalla_serving::answer::drain;
use kalla_serving::body::Incoming;
use object_store::buffered::BufWriter;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::House;
use crate::problem;
use crate::storage::{FILES, check_id};

pub fn routes() -> Router<House> {
    Router::new().route("/api/files/{id}", put(store).delete(remove))
}

/// A file that is gone already is as good.
async fn remove(State(house): State<House>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    check_id(&id).map_err(Refusal::invalid)?;
    house.storage.delete(&format!("{FILES}/{id}")).await.map_err(|e| problem::told(&e))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The file is there as a whole or not at all; one of the same id is replaced.
async fn store(State(house): State<House>, Path(id): Path<String>, request: Request) -> Result<Response, Refusal> {
    check_id(&id).map_err(Refusal::invalid)?;
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > house.upload_bytes) {
        drain(request.into_body()).await;
        return Err(too_large(house.upload_bytes));
    }
    let _place = match house.storage.has_room().and_then(|()| house.uploads.enter()) {
        Ok(place) => place,
        Err(full) => {
            drain(request.into_body()).await;
            return Err(full.into());
        }
    };
    let mut writer = house.storage.writer(&format!("{FILES}/{id}"));
    let written = copy(request.into_body(), &mut writer, house.upload_bytes).await;
    let failed = |e: std::io::Error| {
        let path = house.storage.file(&id).to_string();
        Refusal::from(problem::told(&Error::Output { path, reason: in_words(&e) }))
    };
    let (bytes, sha256) = match written {
        Ok(done) => done,
        Err(stopped) => {
            // What is left of it is swept by the store itself, if it does not listen now.
            let _ = writer.abort().await;
            return Err(match stopped {
                Stopped::Store(error) => failed(error),
                Stopped::Client(refusal) => refusal,
            });
        }
    };
    writer.shutdown().await.map_err(failed)?;
    house.metrics.uploaded(bytes);
    let stored = StoredFile { uri: house.storage.file(&id).to_string(), id, bytes, sha256 };
    Ok((StatusCode::CREATED, Json(stored)).into_response())
}

enum Stopped {
    Client(Refusal),
    Store(std::io::Error),
}

async fn copy(body: Body, writer: &mut BufWriter, limit: u64) -> Result<(u64, String), Stopped> {
    let mut pieces = Incoming::new(body.into_data_stream());
    let (mut bytes, mut hash) = (0, Sha256::new());
    while let Some(piece) = pieces.next().await {
        let chunk = piece.map_err(|message| Stopped::Client(Refusal::invalid(message)))?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            drain(Body::from_stream(pieces.into_inner())).await;
            return Err(Stopped::Client(too_large(limit)));
        }
        hash.update(&chunk);
        writer.write_all(&chunk).await.map_err(Stopped::Store)?;
    }
    Ok((bytes, hex::encode(hash.finalize())))
}

fn too_large(limit: u64) -> Refusal {
    Refusal::too_large(format!("the file is larger than {limit} bytes: KALLA_UPLOAD_BYTES sets the limit"))
}
