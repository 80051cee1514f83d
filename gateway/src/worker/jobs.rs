//! Jobs: sent, asked about, stopped.

use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{Code, JobPayload, JobStatus, Problem};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};

use super::{PATIENCE, Worker};

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
    pub async fn submit(&self, job: &JobPayload) -> Sent {
        let Ok(body) = serde_json::to_vec(job) else {
            return Sent::Refused(Problem::refused(Code::Invalid, "the job has no JSON form"));
        };
        let request = self.request(Method::POST, "/api/jobs").header(CONTENT_TYPE, "application/json");
        let request = request.timeout(PATIENCE).body(body);
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
        let response = match self.request(method, &format!("/api/jobs/{run_id}")).timeout(PATIENCE).send().await {
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

    /// What an answer says that is no success.
    pub(super) async fn told(&self, response: Response) -> Problem {
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return self.refuses_the_token();
        }
        let text = response.text().await.unwrap_or_default();
        match from_json_lenient::<Problem>(&text) {
            Ok((problem, _)) if !problem.message.is_empty() => problem,
            _ => Problem::later(Code::Unavailable, format!("the worker at {} answers {status}", self.url)),
        }
    }
}
