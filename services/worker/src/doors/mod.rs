//! The doors of a worker: each decodes, calls and encodes. HTTP, gRPC and Flight share one port.

mod access;
mod files;
mod flight;
mod grpc;
mod http;
mod nats;
mod operations;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use kalla_broker::Broker;
use kalla_proto::v1::{Code, Problem};
use kalla_serving::answer::wrong_method;
use kalla_serving::{Callers, Refusal, Room};
use subtle::ConstantTimeEq as _;

pub use grpc::Health;
pub use nats::{give_signs_of_life, take_jobs};

use crate::config::Config;
use crate::metrics::Metrics;
use crate::results::Results;
use crate::service::JobService;
use crate::storage::Storage;

/// What the doors call.
#[derive(Clone)]
pub struct House {
    pub service: JobService,
    pub storage: Storage,
    pub results: Results,
    pub metrics: Metrics,
    /// Where jobs come from, if not to the port alone.
    pub broker: Option<Broker>,
    /// The largest file that is taken.
    pub upload_bytes: u64,
    /// For files that are put.
    pub uploads: Room,
    callers: Arc<Callers>,
    token: Option<Arc<str>>,
}

impl House {
    pub fn new(
        config: &Config,
        service: JobService,
        storage: Storage,
        results: Results,
        metrics: Metrics,
        broker: Option<Broker>,
    ) -> Self {
        let held = storage.held();
        Self {
            service,
            storage,
            results,
            metrics,
            broker,
            upload_bytes: config.upload_bytes,
            uploads: Room::new(config.budget.uploads(held), "files are uploaded"),
            callers: Arc::new(callers(config)),
            token: config.token.as_deref().map(Arc::from),
        }
    }

    /// Whether a request that brings `given` may come in.
    fn admits(&self, given: Option<&str>) -> bool {
        match &self.token {
            None => true,
            // The time that it takes does not tell how much of a wrong token is right.
            Some(token) => given.is_some_and(|given| token.as_bytes().ct_eq(given.as_bytes()).into()),
        }
    }
}

/// A token tells who calls; without one, names and browsers have to.
fn callers(config: &Config) -> Callers {
    match config.token {
        Some(_) => Callers::with_token(),
        None => Callers::programs(config.public_url.as_ref()).and_listened_on(&config.host),
    }
}

/// Everything that listens on the port, and the switch of `grpc.health.v1`.
pub fn router(house: House) -> Result<(Router, Health), tonic_reflection::server::Error> {
    let (grpc, health) = grpc::routes(&house)?;
    let router = http::routes().merge(operations::routes()).merge(files::routes()).merge(grpc);
    let router = router.fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    Ok((access::guard(router, &house).with_state(house), health))
}

async fn nothing_here(uri: Uri) -> Refusal {
    Problem::refused(Code::NotFound, format!("there is nothing at {}: jobs are at /api/jobs", uri.path())).into()
}
