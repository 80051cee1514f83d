//! What nobody can do is put where people find it, with the reason.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, StorageType};
use async_nats::jetstream::{AckKind, ErrorCode, Message};
use kalla_proto::v1::{DeadLetter, Problem};

use crate::connect::Broker;

const DEAD: &str = "KALLA_DEAD";
const SUBJECT: &str = "kalla.jobs.dead";
const REASON: &str = "Kalla-Reason";
/// What is dead is kept for so long.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// So many of them are shown.
const SHOWN: u64 = 5;

/// What lies there.
#[derive(Debug, Default)]
pub struct Dead {
    pub count: u64,
    /// The last one first.
    pub latest: Vec<DeadLetter>,
}

impl Broker {
    pub async fn dead(&self) -> Result<Dead, Problem> {
        self.connected()?;
        let stream = match self.jetstream.get_stream(DEAD).await {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                        Ok(Dead::default())
                    }
                    _ => Err(self.away(&error.to_string())),
                };
            }
        };
        let state = &stream.cached_info().state;
        let mut dead = Dead { count: state.messages, latest: Vec::new() };
        let first = state.first_sequence.max(state.last_sequence.saturating_sub(SHOWN - 1)).max(1);
        for number in (first..=state.last_sequence).rev() {
            match stream.get_raw_message(number).await {
                Ok(message) => {
                    let reason = message.headers.get(REASON).map(ToString::to_string).unwrap_or_default();
                    let seconds = u64::try_from(message.time.unix_timestamp()).unwrap_or(0);
                    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
                    dead.latest.push(DeadLetter { number, time: Some(time.into()), reason });
                }
                // Somebody has looked into it.
                Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => {}
                Err(error) => return Err(self.away(&error.to_string())),
            }
        }
        Ok(dead)
    }

    /// Takes a message from the jobs, and keeps it here.
    pub(crate) async fn bury(&self, message: &Message, reason: &str) -> Result<(), Problem> {
        tracing::error!(reason, "what is no job is buried in kalla.jobs.dead");
        let away = |error: &dyn std::fmt::Display| self.away(&error.to_string());
        let dead = Config {
            name: DEAD.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            description: Some("Jobs of Kalla that cannot be read, each with the reason".to_owned()),
            storage: StorageType::File,
            num_replicas: self.settings.replicas,
            max_age: KEPT,
            ..Config::default()
        };
        self.jetstream.get_or_create_stream(dead).await.map_err(|error| away(&error))?;
        let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
        let kept = PublishMessage::build().payload(message.payload.clone()).header(REASON, reason.as_str());
        let sent = self.jetstream.send_publish(SUBJECT, kept).await.map_err(|error| away(&error))?;
        sent.await.map_err(|error| away(&error))?;
        message.double_ack_with(AckKind::Term).await.map_err(|error| away(&error))
    }
}
