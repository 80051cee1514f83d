//! Jobs as a worker takes them: as many as it has places for, and each until it says what became of it.

use std::time::Duration;

use async_nats::header::HeaderMap;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{AckKind, Message};
use futures::{Stream, StreamExt as _};
use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{JobPayload, Problem};
use prost::Message as _;

use crate::connect::Broker;

/// Where it is told that a job is to be stopped, to whoever has it.
const STOPS: &str = "kalla.stops.v1";
/// One request for jobs; then the next one is made.
const EXPIRES: Duration = Duration::from_secs(10);
const JSON: &str = "application/json";

/// Where jobs come from.
pub struct Jobs {
    broker: Broker,
    consumer: Consumer<pull::Config>,
}

/// A job that this worker has until it acknowledges it, or gives it back.
pub struct Delivery {
    pub job: JobPayload,
    /// Workers that have had it, this one among them.
    pub workers: u32,
    message: Message,
    broker: Broker,
}

impl Broker {
    /// What workers take; the stream and its consumer are made where they are missing.
    pub async fn jobs(&self) -> Result<Jobs, Problem> {
        Ok(Jobs { broker: self.clone(), consumer: self.workers().await? })
    }

    /// Tells whoever has the job of a run that nobody wants it any more.
    pub async fn stop(&self, run_id: &str) -> Result<(), Problem> {
        self.connected()?;
        let sent = self.client.publish(STOPS, run_id.to_owned().into()).await;
        sent.map_err(|error| self.away(&error.to_string()))
    }

    /// Runs whose jobs nobody wants any more.
    pub async fn stops(&self) -> Result<impl Stream<Item = String> + Send + use<>, Problem> {
        let stops = self.client.subscribe(STOPS).await.map_err(|error| self.away(&error.to_string()))?;
        Ok(stops.map(|message| String::from_utf8_lossy(&message.payload).into_owned()))
    }

    /// Whether jobs can be taken, and why not.
    pub async fn ready(&self) -> Result<(), Problem> {
        self.workers().await.map(drop)
    }
}

impl Jobs {
    /// Asks for so many at most.
    pub async fn ask(&self, most: usize) -> Result<Batch, Problem> {
        let batch = self.consumer.batch().max_messages(most).expires(EXPIRES).messages();
        let messages = batch.await.map_err(|error| self.broker.away(&error.to_string()))?;
        Ok(Batch { broker: self.broker.clone(), messages })
    }
}

/// Jobs that were asked for, as they come.
pub struct Batch {
    broker: Broker,
    messages: pull::Batch,
}

impl Batch {
    /// `None`: there are no more, for now. What nobody can read is buried.
    pub async fn next(&mut self) -> Result<Option<Delivery>, Problem> {
        while let Some(message) = self.messages.next().await {
            let message = message.map_err(|error| self.broker.away(&error.to_string()))?;
            match read(&message) {
                Ok(job) => {
                    let delivered = message.info().map_or(1, |info| info.delivered);
                    let workers = u32::try_from(delivered).unwrap_or(1).max(1);
                    return Ok(Some(Delivery { job, workers, message, broker: self.broker.clone() }));
                }
                Err(reason) => self.broker.bury(&message, &reason).await?,
            }
        }
        Ok(None)
    }
}

impl Delivery {
    /// It goes on: nobody else is to take it yet.
    pub async fn goes_on(&self) {
        self.tell(AckKind::Progress, "goes on").await;
    }

    /// It is done, whatever came of it.
    pub async fn done(&self) {
        // Once more where the answer is lost: a job that comes again is found to be done.
        if let Err(error) = self.message.double_ack().await {
            tracing::warn!(run_id = self.job.run_id, error, "the broker is not told that a job is done");
        }
    }

    /// Nobody will ever do it, and nobody waits for it: it is kept with the reason.
    pub async fn bury(&self, reason: &str) {
        if let Err(problem) = self.broker.bury(&self.message, reason).await {
            tracing::warn!(run_id = self.job.run_id, problem = problem.message, "a job is not buried yet");
        }
    }

    /// Others may have it, at once or after `pause`.
    pub async fn give_back(&self, pause: Option<Duration>) {
        self.tell(AckKind::Nak(pause), "is given back").await;
    }

    async fn tell(&self, kind: AckKind, what: &str) {
        if let Err(error) = self.message.ack_with(kind).await {
            tracing::warn!(run_id = self.job.run_id, error, what, "the broker is not told of a job");
        }
    }
}

/// Protobuf, or JSON where the message says so.
fn read(message: &Message) -> Result<JobPayload, String> {
    let headers = message.headers.as_ref();
    let kind = headers.and_then(|headers| content_type(headers)).unwrap_or_default();
    let job = if kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON)) {
        let text =
            std::str::from_utf8(&message.payload).map_err(|_| "it says that it is JSON, and is no UTF-8".to_owned())?;
        from_json_lenient::<JobPayload>(text).map_err(|error| format!("it is no job in JSON: {error}"))?.0
    } else {
        JobPayload::decode(&*message.payload).map_err(|error| {
            format!("it is no job in protobuf: {error}; JSON wants the header `Content-Type: {JSON}`")
        })?
    };
    if job.run_id.is_empty() { Err("it has no run_id".to_owned()) } else { Ok(job) }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers
        .iter()
        .find(|(name, _)| name.to_string().eq_ignore_ascii_case("content-type"))?
        .1
        .first()
        .map(|value| value.as_str())
}
