//! What a run has done at its worker.

use kalla_proto::v1::{Code, JobPayload, JobState, JobStatus, Problem};
use prost::Message as _;
use uuid::Uuid;

use super::describe::{self, Fact};
use super::life::{Effect, Input, News, Phase};
use super::{GATEWAY, Runs, place};
use crate::problem::Failure;
use crate::store::StoredRun;
use crate::worker::{Found, Sent};

impl Runs {
    /// Does what is to be done and tells the run what came of it.
    pub(super) async fn errand(&self, run_id: Uuid, effect: Effect) -> Result<(), Failure> {
        // Never closed.
        let _turn = self.0.errands.acquire().await;
        let stored = self.stored(run_id).await?;
        match effect {
            Effect::Dispatch => self.dispatch(stored).await,
            Effect::Ask => {
                let found = self.0.parts.worker.job(&run_id.to_string()).await;
                self.found(&stored, found).await
            }
            Effect::Stop => {
                let found = self.0.parts.worker.cancel(&run_id.to_string()).await;
                self.found(&stored, found).await
            }
        }
    }

    async fn dispatch(&self, stored: StoredRun) -> Result<(), Failure> {
        let attempt = stored.life.attempt;
        // Things may have changed while it waited for its turn.
        if stored.life.phase != Phase::Pending {
            return Ok(());
        }
        let plain = self.0.parts.keys.open(&place(stored.run_id), &stored.sealed)?;
        let payload = JobPayload::decode(plain.as_slice())
            .map_err(|e| Failure::defect(format!("the payload of run {}: {e}", stored.run_id)))?;
        let payload = JobPayload {
            callback_url: self.0.parts.callback_url.clone(),
            callback_token: Some(self.0.parts.keys.token(&payload.run_id)),
            attempt,
            contract_version: kalla_proto::CONTRACT_VERSION,
            ..payload
        };
        let sent = self.0.parts.worker.submit(&payload).await;
        self.0.parts.metrics.dispatched(&sent);
        let (input, fact) = match sent {
            Sent::Taken => (Input::Taken { attempt }, Fact::None),
            Sent::Refused(problem) => (Input::Refused { attempt }, Fact::Error(describe::error(&stored.run, problem))),
            Sent::Unreached(problem) => {
                (Input::Unreached { attempt }, Fact::Error(describe::error(&stored.run, problem)))
            }
        };
        self.step(stored.run_id, input, fact, GATEWAY).await?;
        Ok(())
    }

    /// What a worker says of a job that it was asked about. Callbacks that did not arrive are made up for.
    async fn found(&self, stored: &StoredRun, found: Found) -> Result<(), Failure> {
        let attempt = stored.life.attempt;
        let (input, fact) = match found {
            Found::Job(status) if status.attempt < attempt && status.attempt > 0 => {
                (Input::Lost { attempt }, Fact::None)
            }
            Found::Job(status) => said(attempt, *status),
            Found::Unknown => {
                let message = "the worker lost the job: it was restarted, or removed before it was done";
                let problem = Problem::later(Code::Unavailable, message);
                (Input::Lost { attempt }, Fact::Error(describe::error(&stored.run, problem)))
            }
            Found::Unreached(problem) => {
                (Input::Unreached { attempt }, Fact::Error(describe::error(&stored.run, problem)))
            }
        };
        self.step(stored.run_id, input, fact, GATEWAY).await?;
        Ok(())
    }
}

/// The last word stands behind whatever the attempt has told before.
fn said(attempt: u32, status: JobStatus) -> (Input, Fact) {
    let last = |news| Input::Heard { attempt, seq: u64::MAX, news };
    match (status.state(), status.complete, status.error) {
        (JobState::Completed, Some(complete), _) => (last(News::Completed), Fact::Complete(complete)),
        (JobState::Failed | JobState::Cancelled, _, Some(error)) => {
            (last(describe::failure(&error)), Fact::Error(error))
        }
        _ => (Input::Alive { attempt }, Fact::None),
    }
}
