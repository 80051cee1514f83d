//! A running worker: what is put together when it starts, the port it listens on, and the order in which it stops.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use kalla_engine::job::Limits;
use kalla_engine::results::Reader;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::Courier;
use crate::config::{Config, Tls};
use crate::doors::{self, Health, House};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::payload::{FILE_ROOTS, Intake};
use crate::policy::Policy;
use crate::process::Processes;
use crate::results::Results;
use crate::service::{JobService, Parts};
use crate::storage::{RESULTS, Storage};
use crate::sweep;

/// How long a client may take for a TLS handshake or the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// An HTTP/2 connection that is silent for so long is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests that are under way when the worker stops may take so much longer.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Memory that sorting results may take, of all that are read at a time; past it, it spills.
const READING: u64 = 512 << 20;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Storage(#[from] kalla_engine::Error),
    #[error("{address} cannot be listened on: {error}; KALLA_HOST and KALLA_WORKER_PORT choose another address")]
    Listen { address: String, error: std::io::Error },
    #[error("{file}: {reason}")]
    Tls { file: String, reason: String },
    #[error("no threads for reading results: {0}")]
    Threads(std::io::Error),
    #[error("callbacks: {0}")]
    Callbacks(#[from] reqwest::Error),
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A worker that takes jobs until it is stopped.
pub struct Running {
    pub address: SocketAddr,
    service: JobService,
    health: Health,
    grace: Duration,
    /// No new connections.
    closed: CancellationToken,
    connections: TaskTracker,
    /// Work beside the jobs ends.
    stop: CancellationToken,
    chores: TaskTracker,
}

pub async fn start(config: Config) -> Result<Running, StartError> {
    let tls = config.tls.as_ref().map(acceptor).transpose()?;
    let storage = Storage::open(config.storage.clone(), config.stores.clone())?;
    let own = storage.root().as_local().map(Path::to_path_buf);
    let roots: Vec<_> = config.file_roots.iter().cloned().chain(own).collect();
    let policy = Policy::new(config.refuse_private);
    let stores = config.stores.within(&roots, FILE_ROOTS);
    let metrics = Metrics::default();
    let courier = Courier::new(policy, config.callbacks.clone(), metrics.clone())?;
    // A letter that is older than one worker's patience has lost its worker.
    let age = config.callbacks.budget + config.callbacks.timeout * 2;
    let outbox = Outbox::new(storage.clone(), courier.clone(), age);
    let results = storage.root().join(RESULTS);
    let keep_staged = !config.keep_staged.is_zero();
    let intake = Intake { policy, stores, results, keep_staged, limits: config.limits.clone() };
    let reader = Reader::new(Limits { memory: config.limits.memory.min(READING), ..config.limits.clone() })?;
    let results = Results::new(storage.clone(), intake.clone(), reader).map_err(StartError::Threads)?;
    let parts = Parts {
        intake,
        storage: storage.clone(),
        processes: Processes::new(config.process.clone()),
        outbox: outbox.clone(),
        courier,
        metrics: metrics.clone(),
        concurrency: config.concurrency,
        queue: config.queue,
    };
    let service = JobService::new(parts);
    let house = House::new(&config, service.clone(), storage.clone(), results, metrics);
    let (router, health) = doors::router(house)?;

    let listener = listen(&config.host, config.port).await?;
    let failed = |error| StartError::Listen { address: config.host.clone(), error };
    let address = listener.local_addr().map_err(failed)?;
    let (stop, closed) = (CancellationToken::new(), CancellationToken::new());
    let (chores, connections) = (TaskTracker::new(), TaskTracker::new());
    chores.spawn(outbox.keep_delivering(stop.clone()));
    chores.spawn(sweep::keep_sweeping(storage.clone(), config.clone(), stop.clone()));
    tokio::spawn(accept(listener, tls, router, closed.clone(), connections.clone()));
    health.serving(true).await;
    tracing::info!(%address, storage = %storage.root(), tls = config.tls.is_some(), "listening");
    Ok(Running { address, service, health, grace: config.grace, closed, connections, stop, chores })
}

impl Running {
    /// Stops in order: no more jobs, the jobs, their callbacks, the connections.
    pub async fn stop(self) {
        self.health.serving(false).await;
        self.service.shutdown(self.grace).await;
        self.stop.cancel();
        self.closed.cancel();
        self.connections.close();
        self.chores.close();
        if tokio::time::timeout(LAST_REQUESTS, self.connections.wait()).await.is_err() {
            tracing::info!(connections = self.connections.len(), "closed before their clients were done");
        }
        let _ = tokio::time::timeout(LAST_REQUESTS, self.chores.wait()).await;
        tracing::info!("stopped");
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::Listen { address: format!("{host}:{port}"), error };
    TcpListener::bind((host.trim_matches(['[', ']']), port)).await.map_err(failed)
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    closed: CancellationToken,
    connections: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: there will be some again.
                tracing::warn!(%error, "a connection is not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, router, closed) = (tls.clone(), router.clone(), closed.clone());
        connections.spawn(async move {
            // Small answers leave at once.
            let _ = stream.set_nodelay(true);
            match tls {
                None => serve(stream, router, closed).await,
                Some(tls) => match shake_hands(&tls, stream).await {
                    Some(stream) => serve(stream, router, closed).await,
                    None => tracing::debug!("no TLS handshake"),
                },
            }
        });
    }
}

async fn shake_hands(tls: &TlsAcceptor, stream: TcpStream) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::time::timeout(PATIENCE, tls.accept(stream)).await.ok()?.ok()
}

async fn serve<S>(stream: S, router: Router, closed: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(PATIENCE);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => done,
        () = closed.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a connection broke");
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, StartError> {
    let failed = |file: &Path| {
        let file = file.display().to_string();
        move |reason: String| StartError::Tls { file, reason }
    };
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(&tls.certificate)(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| failed(&tls.key)(e.to_string()))?;
    let wrong = |e: rustls::Error| failed(&tls.certificate)(e.to_string());
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
