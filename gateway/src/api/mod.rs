//! The REST API: handlers decode, call and encode.

mod answer;
mod callbacks;
mod guard;
mod operations;
mod page;
mod recipes;
mod request;
mod runs;
mod sources;

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::runs::Runs;
use crate::store::Store;

/// What the handlers call.
#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub catalog: Catalog,
    pub runs: Runs,
    /// Streams end when it is cancelled.
    pub stop: CancellationToken,
    /// Whether it is meant for this machine alone.
    pub local: bool,
}

pub fn router(house: House) -> Router {
    let router = Router::new()
        .merge(page::routes())
        .merge(operations::routes())
        .merge(sources::routes())
        .merge(recipes::routes())
        .merge(runs::routes())
        .merge(callbacks::routes())
        .fallback(answer::nothing_here)
        .method_not_allowed_fallback(answer::wrong_method);
    guard::guard(router, &house).with_state(house)
}
