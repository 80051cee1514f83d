//! A running gateway: what is put together when it starts, and the order in which it stops.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use kalla_broker::{Broker, BrokerError};
use kalla_serving::{Callers, Server, is_loopback, listen};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, House, Rooms};
use crate::catalog::Catalog;
use crate::config::{Config, Key};
use crate::dispatch::Dispatch;
use crate::keys::{KeyError, Keys};
use crate::metrics::Metrics;
use crate::runs::{Parts, Runs};
use crate::store::{Place, Store, StoreError};
use crate::uploads::Uploads;
use crate::worker::{Fleet, Worker, WorkerError};

/// Requests that are under way when the gateway stops may take so much longer.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// Where callbacks arrive, under the address of the gateway.
const CALLBACKS: &str = "/api/worker";
/// What machines of the operator ask, under the name by which workers know the gateway.
const FOR_MACHINES: [&str; 2] = [CALLBACKS, "/metrics"];

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
    #[error("{0}")]
    Broker(#[from] BrokerError),
    #[error("there is neither a worker nor a broker that jobs could go to: set WORKER_URL, or NATS_URL")]
    Nobody,
}

/// A gateway that serves until it is stopped.
pub struct Running {
    pub address: SocketAddr,
    store: Store,
    stop: CancellationToken,
    chores: TaskTracker,
    server: Server,
}

/// An address that is listened on, before anything is served there.
pub struct Listening {
    listener: TcpListener,
    host: String,
    open: bool,
    pub address: SocketAddr,
}

/// `port` 0 takes a free one. `open`: whether everyone who reaches it may use it, on whatever address it listens.
pub async fn listen_on(host: &str, port: u16, open: bool) -> Result<Listening, StartError> {
    if !open && !is_loopback(host) {
        return Err(StartError::Open(host.to_owned()));
    }
    let failed = |error| StartError::Listen { address: format!("{host}:{port}"), error };
    let listener = listen(host, port).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Listening { listener, host: host.to_owned(), open, address })
}

impl Listening {
    /// Where a worker of this machine reports.
    pub fn callback_url(&self) -> String {
        let mut reachable = self.address;
        match reachable.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => reachable.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => reachable.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{reachable}{CALLBACKS}")
    }
}

/// Makes the schema of the database what this version needs.
pub async fn migrate(place: &Place) -> Result<(), StartError> {
    Store::open(place).await?.close().await;
    Ok(())
}

pub async fn start(listening: Listening, config: Config) -> Result<Running, StartError> {
    let Listening { listener, host, open, address } = listening;
    let failed = |error| StartError::Listen { address: address.to_string(), error };
    let store = Store::open(&config.database).await?;
    let keys = match &config.key {
        Key::Text(text) => Keys::from_hex(text)?,
        Key::File(path) => Keys::from_file(path)?,
    };
    keys.check(&store.key_check(&keys.sealed_check()?).await?)?;
    let token = config.worker_token;
    let named = config.worker_url.map(|url| Worker::new(url, token.clone())).transpose()?;
    let fleet = Fleet::new(named.clone(), token);
    let callers = Callers::with_page(config.public_url.as_ref())
        .and_listened_on(&host)
        .and_at(&config.callback_url, &FOR_MACHINES);
    let catalog = Catalog::new(store.clone(), keys.clone());
    let uploads = Uploads::new(store.clone(), fleet.clone());
    let metrics = Metrics::default();
    let (stop, chores) = (CancellationToken::new(), TaskTracker::new());
    let dispatch = match &config.broker {
        None => Dispatch::Direct(Box::new(named.ok_or(StartError::Nobody)?)),
        Some(settings) => {
            let broker = Box::new(Broker::connect(settings.clone(), "kalla gateway").await?);
            chores.spawn(fleet.clone().keep_listening((*broker).clone(), stop.clone()));
            Dispatch::Queue { broker, fleet: fleet.clone() }
        }
    };
    let parts = Parts {
        store: store.clone(),
        keys,
        catalog: catalog.clone(),
        uploads: uploads.clone(),
        dispatch,
        metrics: metrics.clone(),
        callback_url: config.callback_url.to_string(),
        patience: TimeDelta::from_std(config.worker_patience).unwrap_or(TimeDelta::MAX),
    };
    let runs = Runs::new(parts);
    chores.spawn(runs.clone().keep_telling(store.latest_change().await?, stop.clone()));
    chores.spawn(runs.clone().keep_house(stop.clone()));
    let house = House {
        store: store.clone(),
        catalog,
        runs,
        uploads,
        fleet,
        metrics,
        stop: stop.clone(),
        local: !open,
        https: config.public_url.is_some_and(|url| url.is_https()),
        callers: Arc::new(callers),
        rooms: Rooms::default(),
    };
    tracing::info!(%address, "listening");
    let server = Server::start(listener, None, api::router(house)).map_err(failed)?;
    Ok(Running { address, store, stop, chores, server })
}

impl Running {
    /// Stops in order: no new connections and no streams, the requests that are under way, the database.
    pub async fn stop(self) {
        self.stop.cancel();
        self.chores.close();
        self.server.stop(LAST_REQUESTS).await;
        let _ = tokio::time::timeout(LAST_REQUESTS, self.chores.wait()).await;
        self.store.close().await;
        tracing::info!("stopped");
    }
}
