//! One way to call a worker: every behaviour is tried through each.

use std::sync::Arc;

use kalla_proto::v1::job_service_client::JobServiceClient;
use kalla_proto::v1::source_service_client::SourceServiceClient;
use kalla_proto::v1::{self, JobPayload, JobStatus, Problem};
use prost::Message as _;
use tonic::transport::Channel;

use crate::nats::Nats;

#[derive(Clone)]
pub enum Door {
    Http {
        client: reqwest::Client,
        url: String,
    },
    Grpc(JobServiceClient<Channel>),
    /// Jobs go through a broker; what is asked about them goes to the port.
    Nats {
        nats: Arc<Nats>,
        port: Box<Door>,
    },
}

impl Door {
    pub fn http(url: &str) -> Self {
        Self::Http { client: reqwest::Client::new(), url: url.to_owned() }
    }

    pub async fn grpc(url: &str) -> Self {
        Self::Grpc(JobServiceClient::new(channel(url).await))
    }

    pub fn nats(nats: Nats, url: &str) -> Self {
        Self::Nats { nats: Arc::new(nats), port: Box::new(Self::http(url)) }
    }

    pub async fn submit(&self, job: &JobPayload) -> Result<(), Problem> {
        match self {
            Self::Http { client, url } => {
                let answer = post(client, url, serde_json::to_vec(job).unwrap()).await;
                let accepted: v1::SubmitJobResponse = json(answer, 202).await?;
                assert_eq!((accepted.run_id, accepted.status), (job.run_id.clone(), "accepted".to_owned()));
                Ok(())
            }
            Self::Grpc(client) => {
                let request = v1::SubmitJobRequest { job: Some(job.clone()) };
                client.clone().submit_job(request).await.map(drop).map_err(|status| problem(&status))
            }
            // As a person does who has a file with the job.
            Self::Nats { nats, .. } => {
                nats.publish("kalla.jobs.v1", "Content-Type: application/json", &serde_json::to_string(job).unwrap());
                Ok(())
            }
        }
    }

    pub async fn get(&self, run_id: &str) -> Result<JobStatus, Problem> {
        match self {
            Self::Http { client, url } => {
                json(client.get(format!("{url}/api/jobs/{run_id}")).send().await.unwrap(), 200).await
            }
            Self::Grpc(client) => {
                let request = v1::GetJobRequest { run_id: run_id.to_owned() };
                let answer = client.clone().get_job(request).await;
                answer.map(|a| a.into_inner().job.unwrap()).map_err(|status| problem(&status))
            }
            Self::Nats { port, .. } => Box::pin(port.get(run_id)).await,
        }
    }

    pub async fn cancel(&self, run_id: &str) -> Result<JobStatus, Problem> {
        match self {
            Self::Http { client, url } => {
                json(client.delete(format!("{url}/api/jobs/{run_id}")).send().await.unwrap(), 202).await
            }
            Self::Grpc(client) => {
                let request = v1::CancelJobRequest { run_id: run_id.to_owned() };
                let answer = client.clone().cancel_job(request).await;
                answer.map(|a| a.into_inner().job.unwrap()).map_err(|status| problem(&status))
            }
            Self::Nats { port, .. } => Box::pin(port.cancel(run_id)).await,
        }
    }
}

/// A body for `POST /api/jobs`, whatever it is, that is said to be JSON.
pub async fn post(client: &reqwest::Client, url: &str, body: Vec<u8>) -> reqwest::Response {
    let request = client.post(format!("{url}/api/jobs")).header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

pub async fn channel(url: &str) -> Channel {
    Channel::from_shared(url.to_owned()).unwrap().connect().await.unwrap()
}

pub async fn sources(url: &str) -> SourceServiceClient<Channel> {
    SourceServiceClient::new(channel(url).await)
}

/// The problem in the details of a status.
pub fn problem(status: &tonic::Status) -> Problem {
    let problem = Problem::decode(status.details()).unwrap();
    assert_eq!(problem.message, status.message());
    problem
}

async fn json<T: serde::de::DeserializeOwned>(answer: reqwest::Response, expected: u16) -> Result<T, Problem> {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let body = answer.bytes().await.unwrap();
    if kind == "application/problem+json" {
        return Err(serde_json::from_slice(&body).unwrap());
    }
    assert_eq!((status, kind.as_str()), (expected, "application/json"), "{body:?}");
    Ok(serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&body))))
}
