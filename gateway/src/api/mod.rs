//! The REST API: handlers decode, call and encode.

mod answer;
mod callbacks;
mod guard;
mod openapi;
mod operations;
mod recipes;
mod request;
mod results;
mod runs;
mod sources;
mod stream;
mod uploads;
mod web;

use std::sync::Arc;

use axum::Router;
use kalla_serving::answer::wrong_method;
use kalla_serving::{Callers, Room};
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::metrics::Metrics;
use crate::runs::Runs;
use crate::store::Store;
use crate::uploads::Uploads;
use crate::worker::Fleet;

const UPLOADS: usize = 16;
const STREAMS: usize = 512;

/// What the handlers call.
#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub catalog: Catalog,
    pub runs: Runs,
    pub uploads: Uploads,
    pub fleet: Fleet,
    pub metrics: Metrics,
    /// Streams end when it is cancelled.
    pub stop: CancellationToken,
    /// Whether it is meant for this machine alone.
    pub local: bool,
    /// Whether people reach it over https alone.
    pub https: bool,
    pub callers: Arc<Callers>,
    pub rooms: Rooms,
}

/// How much of what lasts there may be at the same time.
#[derive(Clone)]
pub struct Rooms {
    pub uploads: Room,
    pub streams: Room,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            uploads: Room::new(UPLOADS, "files are uploaded"),
            streams: Room::new(STREAMS, "streams of events are open"),
        }
    }
}

pub fn router(house: House) -> Router {
    let router = Router::new()
        .merge(web::routes())
        .merge(operations::routes())
        .merge(openapi::routes())
        .merge(sources::routes())
        .merge(recipes::routes())
        .merge(runs::routes())
        .merge(results::routes())
        .merge(uploads::routes())
        .merge(callbacks::routes())
        .fallback(web::elsewhere)
        .method_not_allowed_fallback(wrong_method);
    guard::guard(router, &house).with_state(house)
}
