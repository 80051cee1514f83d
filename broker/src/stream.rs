//! The stream of jobs: made where it is missing, checked where it is there, and never changed behind somebody's back.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, RetentionPolicy, StorageType, Stream};
use kalla_proto::v1::{Code, JobPayload, Problem};
use prost::Message as _;

use crate::connect::Broker;

pub(crate) const JOBS: &str = "KALLA_JOBS";
const SUBJECT: &str = "kalla.jobs.v1";
const CONSUMER: &str = "kalla-workers";
/// The same message again within so long is taken once.
const DEDUPLICATED: Duration = Duration::from_secs(120);
/// Jobs that are under way at the same time, in all workers together.
const MOST_UNDER_WAY: i64 = 100_000;

/// What became of a job that was published.
pub enum Published {
    /// The broker has it, in this place of its stream.
    Kept { place: u64 },
    /// It will never take it.
    Refused(Problem),
    /// It was not reached, or did not say that it has it.
    Unreached(Problem),
}

/// Jobs of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// No worker has taken them.
    pub waiting: u64,
    /// A worker has them.
    pub under_way: u64,
}

impl Broker {
    /// Publishes a job; the same attempt again is one job.
    pub async fn publish(&self, job: &JobPayload) -> Published {
        // Whether the stream is as it has to be was found out when its depth was asked for.
        if let Err(problem) = self.connected() {
            return Published::Unreached(problem);
        }
        let body = job.encode_to_vec();
        let most = self.client.server_info().max_payload;
        let message = PublishMessage::build()
            .payload(body.into())
            .message_id(format!("{}:{}", job.run_id, job.attempt))
            .expected_stream(JOBS);
        let sent = match self.jetstream.send_publish(SUBJECT, message).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(kept) => Published::Kept { place: kept.sequence },
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                let message = format!(
                    "the job is {} bytes long and the broker takes {most}: raise max_payload in its configuration",
                    job.encoded_len()
                );
                Published::Refused(Problem::refused(Code::Exhausted, message))
            }
            Err(error) => Published::Unreached(self.away(&error.to_string())),
        }
    }

    /// Whether a job is still in the stream: nobody has acknowledged it.
    pub async fn holds(&self, place: u64) -> Result<bool, Problem> {
        let stream = self.jobs_stream().await?;
        match stream.get_raw_message(place).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(false),
            Err(error) => Err(self.away(&error.to_string())),
        }
    }

    pub async fn depth(&self) -> Result<Depth, Problem> {
        let consumer = self.workers().await?;
        let info = consumer.cached_info();
        let under_way = u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX);
        Ok(Depth { waiting: info.num_pending, under_way })
    }

    /// The consumer of all workers, as the broker knows it now.
    pub(crate) async fn workers(&self) -> Result<Consumer<pull::Config>, Problem> {
        let stream = self.jobs_stream().await?;
        let wanted = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            description: Some("The workers of Kalla".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.settings.ack_wait,
            // Workers count, and tell whoever waits for the job when it is too much.
            max_deliver: -1,
            max_ack_pending: MOST_UNDER_WAY,
            ..pull::Config::default()
        };
        let found = stream.get_or_create_consumer(CONSUMER, wanted).await;
        let found = found.map_err(|error| self.away(&error.to_string()))?;
        let config = &found.cached_info().config;
        if config.ack_wait != self.settings.ack_wait {
            let message =
                format!("its ack_wait is {:?}, and KALLA_ACK_WAIT says {:?}", config.ack_wait, self.settings.ack_wait);
            return Err(self.otherwise(&format!("consumer {CONSUMER}"), &message));
        }
        if config.ack_policy != AckPolicy::Explicit || config.max_deliver > 0 {
            return Err(
                self.otherwise(&format!("consumer {CONSUMER}"), "it wants ack_policy explicit, and no max_deliver")
            );
        }
        Ok(found)
    }

    async fn jobs_stream(&self) -> Result<Stream, Problem> {
        self.connected()?;
        let wanted = Config {
            name: JOBS.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            description: Some("Jobs of Kalla".to_owned()),
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            num_replicas: self.settings.replicas,
            duplicate_window: DEDUPLICATED,
            ..Config::default()
        };
        let found = self.jetstream.get_or_create_stream(wanted).await.map_err(|error| self.away(&error.to_string()))?;
        let config = &found.cached_info().config;
        let wrong = if config.retention != RetentionPolicy::WorkQueue {
            Some("its retention is no work queue".to_owned())
        } else if config.storage != StorageType::File {
            Some("its storage is no file".to_owned())
        } else if !config.subjects.iter().any(|subject| subject == SUBJECT) {
            Some(format!("it does not take {SUBJECT}"))
        } else if config.num_replicas != self.settings.replicas {
            let (there, wanted) = (config.num_replicas, self.settings.replicas);
            Some(format!("it has {there} replicas, and KALLA_NATS_REPLICAS says {wanted}"))
        } else {
            None
        };
        match wrong {
            Some(wrong) => Err(self.otherwise(&format!("stream {JOBS}"), &wrong)),
            None => Ok(found),
        }
    }

    fn otherwise(&self, what: &str, wrong: &str) -> Problem {
        let message = format!(
            "the {what} of the broker at {} is another one than is wanted: {wrong}. Change one of the two; `nats stream rm` lets it be made anew",
            self.settings.url
        );
        Problem::later(Code::Unavailable, message)
    }
}
