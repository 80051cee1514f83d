//! Sends runs to the worker: those whose turn it is, as long as the worker has room.

use std::time::Duration;

use chrono::TimeDelta;
use kalla_proto::v1::{JobPayload, Problem};
use kalla_serving::telemetry::trace;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use super::describe::{self, By, Fact};
use super::life::{Input, Phase};
use super::{Runs, place, queue};
use crate::problem::Failure;
use crate::store::StoredRun;
use crate::time::now;
use crate::worker::Sent;

/// Between two looks at what waits, if nothing happens before.
const LOOK: Duration = Duration::from_secs(1);
/// Until a worker is tried again that had room, and took nothing.
const HOLD: Duration = Duration::from_secs(5);
/// A worker that is away for longer is more than restarted: those that wait for it are told.
const RESTART: TimeDelta = TimeDelta::seconds(5);

/// Whether there is something to go on with.
enum Next {
    /// When something has happened.
    Ready,
    /// Not at once, whatever happens.
    Held,
}

impl Runs {
    /// One run after the other, so that they begin in their order.
    pub(super) async fn keep_dispatching(&self, stop: &CancellationToken) {
        loop {
            let next = self.dispatch().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "what waits is not looked at");
                Next::Held
            });
            let happened = async {
                match next {
                    Next::Ready => {
                        let _ = tokio::time::timeout(LOOK, self.0.queued.notified()).await;
                    }
                    Next::Held => tokio::time::sleep(HOLD).await,
                }
            };
            tokio::select! {
                () = happened => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn dispatch(&self) -> Result<Next, Failure> {
        if self.0.parts.store.first_waiting(now()).await?.is_none() {
            return Ok(Next::Ready);
        }
        let room = self.0.parts.dispatch.room().await;
        self.reached(room.as_ref().err().cloned()).await?;
        let room = room.unwrap_or(0);
        let lines = if room > 0 { self.0.parts.store.queue(now(), room).await? } else { Vec::new() };
        for run_id in queue::next(lines, room) {
            match self.send(run_id).await {
                Ok(None | Some(Sent::Taken { .. } | Sent::Refused(_))) => {}
                Ok(Some(Sent::Full(_))) => return Ok(Next::Held),
                Ok(Some(Sent::Unreached(problem))) => {
                    self.reached(Some(problem)).await?;
                    break;
                }
                // That is the business of this run, and others do not wait for it.
                Err(failure) => self.troubled(run_id, failure).await,
            }
        }
        Ok(Next::Ready)
    }

    /// Whether a worker is reached: `nobody` says why not.
    async fn reached(&self, nobody: Option<Problem>) -> Result<(), Failure> {
        let lost = nobody.is_some();
        let before = std::mem::replace(&mut *self.nobody(), nobody);
        if lost && before.is_none() {
            self.0.parts.store.look_at_waiting(now(), now() + RESTART).await?;
        }
        Ok(())
    }

    /// Sends a run, and tells it what came of that; `None`: it does not wait any more.
    async fn send(&self, run_id: Uuid) -> Result<Option<Sent>, Failure> {
        let stored = self.stored(run_id).await?;
        if stored.life.phase != Phase::Pending {
            return Ok(None);
        }
        let attempt = stored.life.attempt;
        let payload = self.payload(&stored)?;
        let span = tracing::info_span!("dispatch", otel.kind = "producer", %run_id, attempt);
        trace::go_on(&span, payload.traceparent());
        let sent = self.0.parts.dispatch.submit(&payload).instrument(span).await;
        self.0.parts.metrics.dispatched(&sent);
        let told = |problem: &Problem| describe::met(&stored.run, problem.clone());
        let (input, fact) = match &sent {
            Sent::Taken { place } => (Input::Taken { attempt, place: *place }, Fact::None),
            Sent::Refused(problem) => (Input::Refused { attempt }, told(problem)),
            Sent::Full(problem) => (Input::NoRoom { attempt }, told(problem)),
            Sent::Unreached(problem) => (self.unreached(attempt), told(problem)),
        };
        self.step(run_id, input, fact, By::Gateway).await?;
        Ok(Some(sent))
    }

    fn payload(&self, stored: &StoredRun) -> Result<JobPayload, Failure> {
        let plain = self.0.parts.keys.open(&place(stored.run_id), &stored.sealed)?;
        let payload = JobPayload::decode(plain.as_slice())
            .map_err(|e| Failure::defect(format!("the payload of run {}: {e}", stored.run_id)))?;
        Ok(JobPayload {
            callback_url: self.0.parts.callback_url.clone(),
            callback_token: Some(self.0.parts.keys.token(&payload.run_id)),
            attempt: stored.life.attempt,
            contract_version: kalla_proto::CONTRACT_VERSION,
            ..payload
        })
    }
}
