//! The doors of a worker: each decodes, calls and encodes. HTTP, gRPC and Flight share one port.

mod access;
mod answer;
mod files;
mod flight;
mod grpc;
mod http;
mod operations;

use std::sync::Arc;

use axum::Router;
use subtle::ConstantTimeEq as _;

pub use grpc::Health;

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
    /// The largest file that is taken.
    pub upload_bytes: u64,
    token: Option<Arc<str>>,
}

impl House {
    pub fn new(config: &Config, service: JobService, storage: Storage, results: Results, metrics: Metrics) -> Self {
        Self {
            service,
            storage,
            results,
            metrics,
            upload_bytes: config.upload_bytes,
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

/// Everything that listens on the port, and the switch of `grpc.health.v1`.
pub fn router(house: House) -> Result<(Router, Health), tonic_reflection::server::Error> {
    let (grpc, health) = grpc::routes(&house)?;
    let router = http::routes().merge(operations::routes()).merge(files::routes()).merge(grpc);
    let router = router.fallback(answer::nothing_here).method_not_allowed_fallback(answer::wrong_method);
    Ok((access::guard(router, &house).with_state(house), health))
}
