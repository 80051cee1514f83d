//! A running gateway: what is put together when it starts, and the order in which it stops.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, House};
use crate::catalog::Catalog;
use crate::config::{Config, Key};
use crate::keys::{KeyError, Keys};
use crate::metrics::Metrics;
use crate::runs::{Parts, Runs};
use crate::store::{Place, Store, StoreError};
use crate::uploads::Uploads;
use crate::worker::{Worker, WorkerError};

/// Requests that are under way when the gateway stops may take so much longer.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// Where callbacks arrive, under the address of the gateway.
const CALLBACKS: &str = "/api/worker";

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{address} cannot be listened on: {error}; KALLA_HOST and KALLA_PORT choose another address")]
    Listen { address: String, error: std::io::Error },
    #[error(
        "{0} can be reached from other machines, and there is no sign-in yet: listen on 127.0.0.1, or say KALLA_AUTH=none if everyone who reaches it may read and change everything"
    )]
    Open(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("{0}")]
    Worker(#[from] WorkerError),
}

/// A gateway that serves until it is stopped.
pub struct Running {
    pub address: SocketAddr,
    store: Store,
    stop: CancellationToken,
    chores: TaskTracker,
    server: JoinHandle<std::io::Result<()>>,
}

/// Makes the schema of the database what this version needs.
pub async fn migrate(place: &Place) -> Result<(), StartError> {
    Store::open(place).await?.close().await;
    Ok(())
}

pub async fn start(config: Config) -> Result<Running, StartError> {
    let host = config.host.trim_matches(['[', ']']).to_owned();
    if !config.open && !is_loopback(&host) {
        return Err(StartError::Open(host));
    }
    let store = Store::open(&config.database).await?;
    let keys = match &config.key {
        Key::Text(text) => Keys::from_hex(text)?,
        Key::File(path) => Keys::from_file(path)?,
    };
    keys.check(&store.key_check(&keys.sealed_check()?).await?)?;
    let address = format!("{host}:{}", config.port);
    let failed = |error| StartError::Listen { address: address.clone(), error };
    let listener = TcpListener::bind((host.as_str(), config.port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let callback_url = config.callback_url.unwrap_or_else(|| format!("http://{}{CALLBACKS}", reachable(address)));
    let worker = Worker::new(&config.worker_url, config.worker_token)?;
    let catalog = Catalog::new(store.clone(), keys.clone());
    let uploads = Uploads::new(store.clone(), worker.clone());
    let metrics = Metrics::default();
    let parts = Parts {
        store: store.clone(),
        keys,
        catalog: catalog.clone(),
        uploads: uploads.clone(),
        worker: worker.clone(),
        metrics: metrics.clone(),
        callback_url,
    };
    let runs = Runs::new(parts);
    let (stop, chores) = (CancellationToken::new(), TaskTracker::new());
    chores.spawn(runs.clone().keep_sweeping(stop.clone()));
    let house = House {
        store: store.clone(),
        catalog,
        runs,
        uploads,
        worker,
        metrics,
        stop: stop.clone(),
        local: !config.open,
    };
    tracing::info!(%address, worker = config.worker_url, "listening");
    let server = axum::serve(listener, api::router(house)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    Ok(Running { address, store, stop, chores, server })
}

impl Running {
    /// Stops in order: no new connections and no streams, the requests that are under way, the database.
    pub async fn stop(self) {
        self.stop.cancel();
        self.chores.close();
        if tokio::time::timeout(LAST_REQUESTS, self.server).await.is_err() {
            tracing::info!("stopped before its clients were done");
        }
        let _ = tokio::time::timeout(LAST_REQUESTS, self.chores.wait()).await;
        self.store.close().await;
        tracing::info!("stopped");
    }
}

pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a worker of this machine writes for `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}
