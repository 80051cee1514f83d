//! The worker behind `WORKER_URL`, as the gateway talks to it: jobs over HTTP, looks into data over gRPC, on one port.

mod data;
mod files;
mod jobs;

use std::time::Duration;

use kalla_proto::v1::{Code, Problem};
use reqwest::{Method, RequestBuilder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

pub use jobs::{Found, Sent};

/// A worker answers such requests from memory.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("WORKER_URL: {0}: write an address such as http://localhost:9090")]
    Url(String),
    #[error("KALLA_WORKER_TOKEN holds characters that a header cannot carry")]
    Token,
    #[error("requests to workers: {0}")]
    Requests(#[from] reqwest::Error),
}

/// Clones share the connections.
#[derive(Clone)]
pub struct Worker {
    client: reqwest::Client,
    channel: Channel,
    url: String,
    token: Option<String>,
    bearer: Option<MetadataValue<Ascii>>,
}

impl Worker {
    /// Connects when it is first asked for something.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, WorkerError> {
        let url = url.trim_end_matches('/').to_owned();
        let wrong = |error: tonic::transport::Error| WorkerError::Url(error.to_string());
        let mut endpoint = Endpoint::from_shared(url.clone()).map_err(wrong)?.connect_timeout(CONNECT);
        match endpoint.uri().scheme_str() {
            Some("http") => {}
            Some("https") => {
                endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(wrong)?;
            }
            _ => return Err(WorkerError::Url(format!("`{url}` has no scheme that is known"))),
        }
        let bearer = token.as_ref().map(|token| format!("Bearer {token}").parse());
        let bearer = bearer.transpose().map_err(|_| WorkerError::Token)?;
        let client = reqwest::Client::builder().connect_timeout(CONNECT).build()?;
        Ok(Self { client, channel: endpoint.connect_lazy(), url, token, bearer })
    }

    /// Where it is, without credentials.
    pub fn place(&self) -> String {
        crate::address::shown(&self.url).0
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn silent(&self, error: &reqwest::Error) -> Problem {
        let how = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        tracing::debug!(url = self.url, %error, "no worker");
        Problem::later(Code::Unavailable, format!("the worker at {} {how}: is it running?", self.url))
    }

    fn refuses_the_token(&self) -> Problem {
        let message = format!("the worker at {} refuses the token: set KALLA_WORKER_TOKEN to its own", self.url);
        Problem::later(Code::Unavailable, message)
    }
}
