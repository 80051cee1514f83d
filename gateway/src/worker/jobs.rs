//! Jobs: sent, asked about, stopped.

use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{Code, JobPayload, JobStatus, Problem};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use super::{PATIENCE, Worker, without_nul};

/// What became of a job that was sent.
pub enum Sent {
    /// `place`: where it stands in the stream of a broker.
    Taken { place: Option<u64> },
    /// No worker will ever take it.
    Refused(Problem),
    /// There is no room for it; why.
    Full(Problem),
    /// Nobody was reached; why.
    Unreached(Problem),
}

/// What a worker knows of a job.
pub enum Found {
    Job(Box<JobStatus>),
    /// Somebody has it, or will have it.
    Alive,
    Unknown,
    Unreached(Problem),
}

impl Worker {
    pub async fn submit(&self, job: &JobPayload) -> Sent {
        let Ok(body) = serde_json::to_vec(job) else {
            return Sent::Refused(Problem::refused(Code::Invalid, "the job has no JSON form"));
        };
        let request = self.request(Method::POST, "/api/jobs").header(CONTENT_TYPE, "application/json");
        let response = match self.send(request.body(body)).await {
            Ok(response) => response,
            Err(problem) => return Sent::Unreached(problem),
        };
        match response.status() {
            status if status.is_success() => Sent::Taken { place: None },
            StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Sent::Refused(self.told(response).await),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Sent::Full(self.told(response).await),
            _ => Sent::Unreached(self.told(response).await),
        }
    }

    /// How many jobs it would begin now.
    pub async fn room(&self) -> Result<usize, Problem> {
        self.breaker.check()?;
        let status = self.status().await.inspect_err(|problem| self.breaker.silent(problem))?;
        self.breaker.answered();
        let room = status.concurrency.saturating_sub(status.running).saturating_sub(status.waiting);
        Ok(if status.closing { 0 } else { usize::try_from(room).unwrap_or(0) })
    }

    pub async fn job(&self, run_id: &str) -> Found {
        self.found(Method::GET, run_id).await
    }

    /// Stops a job; says where it is then.
    pub async fn cancel(&self, run_id: &str) -> Found {
        self.found(Method::DELETE, run_id).await
    }

    async fn found(&self, method: Method, run_id: &str) -> Found {
        let response = match self.send(self.request(method, &format!("/api/jobs/{run_id}"))).await {
            Ok(response) => response,
            Err(problem) => return Found::Unreached(problem),
        };
        match response.status() {
            StatusCode::NOT_FOUND => Found::Unknown,
            status if status.is_success() => {
                let text = response.text().await.unwrap_or_default();
                match from_json_lenient::<JobStatus>(&without_nul(&text)) {
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

    async fn send(&self, request: RequestBuilder) -> Result<Response, Problem> {
        self.breaker.check()?;
        match request.timeout(PATIENCE).send().await {
            Ok(response) => {
                self.breaker.answered();
                Ok(response)
            }
            Err(error) => {
                let problem = self.silent(&error);
                self.breaker.silent(&problem);
                Err(problem)
            }
        }
    }

    /// What an answer says that is no success.
    pub(super) async fn told(&self, response: Response) -> Problem {
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return self.refuses_the_token();
        }
        let text = response.text().await.unwrap_or_default();
        match from_json_lenient::<Problem>(&without_nul(&text)) {
            Ok((problem, _)) if !problem.message.is_empty() => problem,
            _ => Problem::later(Code::Unavailable, format!("the worker at {} answers {status}", self.url)),
        }
    }
}
