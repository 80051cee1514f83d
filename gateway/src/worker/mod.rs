//! Workers, as the gateway talks to them: jobs over HTTP, looks into data over gRPC, on one port.

mod breaker;
mod data;
mod files;
mod fleet;
mod jobs;
mod words;

use std::sync::Arc;
use std::time::Duration;

use kalla_proto::v1::{Code, Problem};
use kalla_serving::Address;
use reqwest::{Method, RequestBuilder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use breaker::Breaker;
pub use fleet::Fleet;
pub use jobs::{Found, Sent};
pub use words::without_nul;

/// A worker answers such requests from memory.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// What of a result that is exported may be on its way from the worker.
const WINDOW: u32 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("the address of a worker: {0}")]
    Url(#[from] tonic::transport::Error),
    #[error("KALLA_WORKER_TOKEN holds characters that a header cannot carry")]
    Token,
    #[error("requests to workers: {0}")]
    Requests(#[from] reqwest::Error),
}

/// Clones share the connections.
#[derive(Clone)]
pub struct Worker {
    client: reqwest::Client,
    /// For what is done about jobs.
    breaker: Arc<Breaker>,
    /// For files: they share no connection with jobs, nor with each other.
    files: reqwest::Client,
    channel: Channel,
    /// For results that are exported, each over a connection of its own: one whose client takes nothing fills it up.
    exports: Endpoint,
    url: Address,
    token: Option<String>,
    bearer: Option<MetadataValue<Ascii>>,
}

impl Worker {
    /// Connects when it is first asked for something.
    pub fn new(url: Address, token: Option<String>) -> Result<Self, WorkerError> {
        let mut endpoint = Endpoint::from_shared(url.to_string())?.connect_timeout(CONNECT);
        if url.is_https() {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
        }
        let exports = endpoint.clone().initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let bearer = token.as_ref().map(|token| format!("Bearer {token}").parse());
        let bearer = bearer.transpose().map_err(|_| WorkerError::Token)?;
        let client = || reqwest::Client::builder().connect_timeout(CONNECT);
        Ok(Self {
            client: client().build()?,
            breaker: Arc::default(),
            files: client().http1_only().build()?,
            channel: endpoint.connect_lazy(),
            exports,
            url,
            token,
            bearer,
        })
    }

    pub fn place(&self) -> String {
        self.url.to_string()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.with_token(self.client.request(method, format!("{}{path}", self.url)))
    }

    fn with_token(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn silent(&self, error: &reqwest::Error) -> Problem {
        let how = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        tracing::debug!(url = %self.url, %error, "no worker");
        Problem::later(Code::Unavailable, format!("the worker at {} {how}: is it running?", self.url))
    }

    fn refuses_the_token(&self) -> Problem {
        let message = format!("the worker at {} refuses the token: set KALLA_WORKER_TOKEN to its own", self.url);
        Problem::later(Code::Unavailable, message)
    }
}
