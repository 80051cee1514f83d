//! Connections: how many, with TLS or without, how long they may dawdle, and how they end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pace::{Pace, Paced, TAKING};
use crate::telemetry::Peer;

/// How long a client may take for a TLS handshake or the head of a request, and how long a connection may be idle.
const PATIENCE: Duration = Duration::from_secs(15);
/// An HTTP/2 connection that is silent for so long is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Connections at a time; more are told to come back.
const CONNECTIONS: usize = 1024;
/// Requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 256;
/// The largest head of a request, and what is read of a connection at a time.
const HEAD: usize = 128 << 10;

/// How long those who are turned away may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct TlsError {
    file: String,
    reason: String,
}

/// A port that is served until it is stopped.
pub struct Server {
    pub address: SocketAddr,
    closed: CancellationToken,
    connections: TaskTracker,
}

/// `host`: an address or a name; one in brackets is an address of version 6.
pub async fn listen(host: &str, port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((host.trim_matches(['[', ']']), port)).await
}

impl Server {
    pub fn start(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (closed, connections) = (CancellationToken::new(), TaskTracker::new());
        tokio::spawn(accept(listener, tls, router, closed.clone(), connections.clone()));
        Ok(Self { address, closed, connections })
    }

    /// No new connections; those that are busy may take so much longer.
    pub async fn stop(self, patience: Duration) {
        self.closed.cancel();
        self.connections.close();
        if tokio::time::timeout(patience, self.connections.wait()).await.is_err() {
            tracing::info!(connections = self.connections.len(), "closed before their clients were done");
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    closed: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed.cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: there will be some again.
                tracing::warn!(%error, "a connection is not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tokio::spawn(tokio::time::timeout(FAREWELL, turn_away(stream)));
            continue;
        };
        let (tls, router, closed) = (tls.clone(), router.clone(), closed.clone());
        connections.spawn(async move {
            let _place = place;
            // Small answers leave at once.
            let _ = stream.set_nodelay(true);
            match tls {
                None => serve(stream, peer, router, closed).await,
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, peer, router, closed).await,
                    _ => tracing::debug!("no TLS handshake"),
                },
            }
        });
    }
}

/// Reads on until the client has gone: who sends into a closed connection does not see the answer.
async fn turn_away(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(FULL).await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

async fn serve<S>(stream: S, peer: SocketAddr, router: Router, closed: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(PATIENCE);
    http2.max_concurrent_streams(STREAMS).max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX));
    let stream = TokioIo::new(Paced::new(stream, PATIENCE, Pace::new(TAKING)));
    let service = WithPeer { service: TowerToHyperService::new(router), peer: Peer(peer) };
    let connection = builder.serve_connection(stream, service);
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

/// Tells handlers who is at the other end.
struct WithPeer {
    service: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for WithPeer {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }
}

impl Tls {
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let failed = |file: &Path| {
            let file = file.display().to_string();
            move |reason: String| TlsError { file, reason }
        };
        let certificates = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| failed(&self.certificate)(e.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| failed(&self.key)(e.to_string()))?;
        let wrong = |e: rustls::Error| failed(&self.certificate)(e.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(wrong)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
