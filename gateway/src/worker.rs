//! The worker behind `WORKER_URL`, as the gateway talks to it.

use std::time::Duration;

use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{Code, JobPayload, JobStatus, Problem};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};

/// A worker answers such requests from memory.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// Clones share the connections.
#[derive(Clone)]
pub struct Worker {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What became of a job that was sent.
pub enum Sent {
    Taken,
    /// No worker will ever take it.
    Refused(Problem),
    /// Nobody was reached, or there is no room; why.
    Unreached(Problem),
}

/// What a worker knows of a job.
pub enum Found {
    Job(Box<JobStatus>),
    Unknown,
    Unreached(Problem),
}

impl Worker {
    pub fn new(url: &str, token: Option<String>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(PATIENCE).build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), token })
    }

    pub async fn submit(&self, job: &JobPayload) -> Sent {
        let Ok(body) = serde_json::to_vec(job) else {
            return Sent::Refused(Problem::refused(Code::Invalid, "the job has no JSON form"));
        };
        let request = self.request(Method::POST, "/api/jobs").header(CONTENT_TYPE, "application/json").body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Sent::Unreached(self.silent(&error)),
        };
        match response.status() {
            status if status.is_success() => Sent::Taken,
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Sent::Refused(self.told(response).await),
            _ => Sent::Unreached(self.told(response).await),
        }
    }

    pub async fn job(&self, run_id: &str) -> Found {
        self.found(Method::GET, run_id).await
    }

    /// Stops a job; says where it is then.
    pub async fn cancel(&self, run_id: &str) -> Found {
        self.found(Method::DELETE, run_id).await
    }

    async fn found(&self, method: Method, run_id: &str) -> Found {
        let response = match self.request(method, &format!("/api/jobs/{run_id}")).send().await {
            Ok(response) => response,
            Err(error) => return Found::Unreached(self.silent(&error)),
        };
        match response.status() {
            StatusCode::NOT_FOUND => Found::Unknown,
            status if status.is_success() => {
                let text = response.text().await.unwrap_or_default();
                match from_json_lenient::<JobStatus>(&text) {
                    Ok((status, _)) => Found::Job(Box::new(status)),
                    Err(error) => {
                        let message = format!("the worker at {} answers with something else: {error}", self.url);
                        Found::Unreached(Problem::later(Code::Unavailable, message))
                    }
                }
            }
            _ => Found::Unreached(self.told(response).await),
        }
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
        tracing::debug!(url = self.url, error = %error, "no worker");
        Problem::later(Code::Unavailable, format!("the worker at {} {how}: is it running?", self.url))
    }

    /// What an answer says that is no success.
    async fn told(&self, response: Response) -> Problem {
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let message = format!("the worker at {} refuses the token: set KALLA_WORKER_TOKEN to its own", self.url);
            return Problem::later(Code::Unavailable, message);
        }
        let text = response.text().await.unwrap_or_default();
        match from_json_lenient::<Problem>(&text) {
            Ok((problem, _)) if !problem.message.is_empty() => problem,
            _ => Problem::later(Code::Unavailable, format!("the worker at {} answers {status}", self.url)),
        }
    }
}
