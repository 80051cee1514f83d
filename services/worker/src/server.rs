//! A running worker: what is put together when it starts, the port it listens on, and the order in which it stops.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kalla_broker::{Broker, BrokerError};
use kalla_engine::job::Limits;
use kalla_engine::location::Location;
use kalla_engine::results::Reader;
use kalla_engine::{Error, Violation, WorkDir};
use kalla_serving::{Server, Tls, TlsError, is_loopback, listen, private};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::Courier;
use crate::config::Config;
use crate::doors::{self, Health, House};
use crate::inbox::Inbox;
use crate::lease::Lease;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::payload::Intake;
use crate::policy::Policy;
use crate::process::Processes;
use crate::results::Results;
use crate::service::{JobService, Parts};
use crate::storage::{RESULTS, Storage};
use crate::sweep;

/// Requests that are under way when the worker stops may take so much longer.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Prefix of the directory for what the worker itself writes on the way.
const SCRATCH: &str = "kalla-worker-";

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Storage(#[from] Error),
    #[error("{address} cannot be listened on: {error}; KALLA_HOST and KALLA_WORKER_PORT choose another address")]
    Listen { address: String, error: std::io::Error },
    #[error(
        "{0} can be reached from other machines: set KALLA_WORKER_TOKEN, which every request then has to bring, listen on 127.0.0.1, or say KALLA_AUTH=none if everyone who reaches it may give it jobs"
    )]
    Open(String),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("no threads for reading results: {0}")]
    Threads(std::io::Error),
    #[error("callbacks: {0}")]
    Callbacks(#[from] reqwest::Error),
    #[error("{0}")]
    Broker(#[from] BrokerError),
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A worker that takes jobs until it is stopped.
pub struct Running {
    pub address: SocketAddr,
    service: JobService,
    health: Health,
    grace: Duration,
    server: Server,
    lease: Arc<Lease>,
    /// No more jobs are taken from the broker.
    closing: CancellationToken,
    /// Jobs of the broker.
    under_way: TaskTracker,
    /// Work beside the jobs ends.
    stop: CancellationToken,
    chores: TaskTracker,
    /// What reading results spills.
    _scratch: WorkDir,
}

pub async fn start(config: Config) -> Result<Running, StartError> {
    if config.token.is_none() && !config.open && !is_loopback(&config.host) {
        return Err(StartError::Open(config.host));
    }
    let failed = |error| StartError::Listen { address: format!("{}:{}", config.host, config.port), error };
    let listener = listen(&config.host, config.port).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let tls = config.tls.as_ref().map(Tls::acceptor).transpose()?;
    let spill_dir = config.process.spill_dir.clone();
    let scratch = scratch(spill_dir.as_deref())?;
    let storage = Storage::open(config.storage.clone(), config.stores.clone(), spill_dir.clone(), config.reserve)?;
    let mut fence = config.fence.clone();
    match storage.root() {
        Location::Local(path) => fence.directories.push(path.clone()),
        bucket => fence.buckets.push(bucket.clone()),
    }
    fence.closed.extend(storage.own());
    fence.closed.extend(spill_dir.map(Location::Local));
    let policy = Policy::new(fence.addresses).trusting(config.callback_url.as_ref());
    let stores = config.stores.within(fence);
    let metrics = Metrics::default();
    let courier = Courier::new(policy.clone(), config.callbacks.clone(), metrics.clone())?;
    // A letter that is older than one worker's patience has lost its worker.
    let age = config.callbacks.budget + config.callbacks.timeout * 2;
    let lease = Arc::new(Lease::take(&storage).await?);
    let inbox = Inbox::new(storage.clone(), Arc::clone(&lease));
    let outbox = Outbox::new(storage.clone(), courier.clone(), Arc::clone(&lease), metrics.clone(), age);
    let results = storage.root().join(RESULTS);
    let keep_staged = !config.keep_staged.is_zero();
    let intake = Intake { policy, stores, results, keep_staged, limits: config.limits.clone() };
    let reader = Reader::new(Limits {
        memory: config.budget.sorting,
        spill_dir: Some(scratch.path().to_owned()),
        ..config.limits.clone()
    })?;
    let results = Results::new(storage.clone(), intake.clone(), reader, &config.budget).map_err(StartError::Threads)?;
    let parts = Parts {
        name: format!("{}:{}", config.machine, address.port()).into(),
        url: reached_at(&config, address),
        intake,
        storage: storage.clone(),
        processes: Processes::new(config.process.clone()),
        inbox,
        outbox: outbox.clone(),
        courier,
        metrics: metrics.clone(),
        budget: config.budget,
        queue: config.queue,
    };
    let service = JobService::new(parts);
    let broker = match &config.broker {
        Some(settings) => Some(Broker::connect(settings.clone(), "kalla worker").await?),
        None => None,
    };
    let house = House::new(&config, service.clone(), storage.clone(), results, metrics, broker.clone());
    let (router, health) = doors::router(house)?;
    let (stop, chores) = (CancellationToken::new(), TaskTracker::new());
    chores.spawn(outbox.keep_delivering(stop.clone()));
    chores.spawn(service.clone().keep_recovering(stop.clone()));
    let beating = (Arc::clone(&lease), stop.clone());
    chores.spawn(async move { beating.0.keep(&beating.1).await });
    chores.spawn(sweep::keep_sweeping(storage.clone(), Arc::clone(&lease), config.clone(), stop.clone()));
    let (closing, under_way) = (CancellationToken::new(), TaskTracker::new());
    if let Some(broker) = broker {
        if !config.inside {
            chores.spawn(doors::give_signs_of_life(service.clone(), broker.clone(), stop.clone()));
        }
        chores.spawn(doors::take_jobs(service.clone(), broker, closing.clone(), under_way.clone()));
    }
    let server = Server::start(listener, tls, router).map_err(failed)?;
    health.serving(true).await;
    tracing::info!(%address, storage = %storage.root(), tls = config.tls.is_some(), "listening");
    let grace = config.grace;
    Ok(Running { address, service, health, grace, server, lease, closing, under_way, stop, chores, _scratch: scratch })
}

/// Where other machines find it, as far as it knows.
fn reached_at(config: &Config, address: SocketAddr) -> String {
    if let Some(url) = &config.public_url {
        return url.to_string();
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let host = if address.ip().is_unspecified() { &config.machine } else { &config.host };
    let host = host.trim_matches(['[', ']']);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{scheme}://{host}:{}", address.port())
}

/// Where this process puts what it has no memory for.
fn scratch(spill_dir: Option<&Path>) -> Result<WorkDir, Error> {
    let made = spill_dir.map_or(Ok(()), private::directory).and_then(|()| WorkDir::create(spill_dir, SCRATCH));
    made.map_err(|e| match spill_dir {
        Some(dir) => {
            Error::Invalid(vec![Violation::new("KALLA_SPILL_DIR", format!("{} cannot be used: {e}", dir.display()))])
        }
        None => Error::Output { path: "temporary directory".to_owned(), reason: e.to_string() },
    })
}

impl Running {
    /// Stops in order: no more jobs, the jobs, their callbacks, the connections.
    pub async fn stop(self) {
        self.health.serving(false).await;
        self.closing.cancel();
        self.service.shutdown(self.grace).await;
        // Those that are given back are so before the connection ends.
        self.under_way.close();
        let _ = tokio::time::timeout(LAST_REQUESTS, self.under_way.wait()).await;
        self.stop.cancel();
        self.chores.close();
        self.server.stop(LAST_REQUESTS).await;
        let _ = tokio::time::timeout(LAST_REQUESTS, self.chores.wait()).await;
        self.lease.give_up().await;
        tracing::info!("stopped");
    }
}
