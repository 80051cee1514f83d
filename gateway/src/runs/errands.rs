//! What a run that is at its worker wants done there: a question, a stop. One at a time for each run.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use kalla_proto::v1::{Code, JobState, JobStatus, Problem};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::Runs;
use super::describe::{self, By, Fact};
use super::life::{Effect, Input, News};
use crate::problem::Failure;
use crate::store::StoredRun;
use crate::worker::Found;

/// Questions that are asked at the same time.
const AT_ONCE: usize = 16;

/// What is under way.
pub struct Errands {
    turns: Semaphore,
    /// By run: what is to be done after that.
    busy: Mutex<HashMap<Uuid, Option<Effect>>>,
}

impl Default for Errands {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), busy: Mutex::default() }
    }
}

impl Errands {
    /// Whether it is to be begun now. Of what waits for that, a stop is more than a question.
    fn enter(&self, run_id: Uuid, effect: Effect) -> bool {
        let mut busy = self.busy();
        match busy.get_mut(&run_id) {
            Some(next) => {
                if effect == Effect::Stop {
                    *next = Some(effect);
                }
                false
            }
            None => busy.insert(run_id, None).is_none(),
        }
    }

    /// What is to be done next for the run; `None`: it has left.
    fn next(&self, run_id: Uuid) -> Option<Effect> {
        let mut busy = self.busy();
        let next = busy.get_mut(&run_id).and_then(Option::take);
        if next.is_none() {
            busy.remove(&run_id);
        }
        next
    }

    /// Runs about which something is asked, or is to be.
    pub fn count(&self) -> usize {
        self.busy().len()
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Uuid, Option<Effect>>> {
        self.busy.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// An errand that breaks off leaves nothing behind that would keep the run from its next one.
struct BreaksOff<'a>(&'a Errands, Uuid);

impl Drop for BreaksOff<'_> {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
    }
}

impl Runs {
    /// Begins to do what is to be done about a run, unless that goes on already.
    pub(super) fn perform(&self, run_id: Uuid, effect: Effect) {
        if !self.0.errands.enter(run_id, effect) {
            return;
        }
        let runs = self.clone();
        tokio::spawn(async move {
            let broken = BreaksOff(&runs.0.errands, run_id);
            let mut next = Some(effect);
            while let Some(effect) = next {
                if let Err(failure) = runs.errand(run_id, effect).await {
                    runs.troubled(run_id, failure).await;
                }
                next = runs.0.errands.next(run_id);
            }
            std::mem::forget(broken);
        });
    }

    /// Does it, and tells the run what came of it.
    async fn errand(&self, run_id: Uuid, effect: Effect) -> Result<(), Failure> {
        // Never closed.
        let _turn = self.0.errands.turns.acquire().await;
        let stored = self.stored(run_id).await?;
        let (dispatch, id) = (&self.0.parts.dispatch, run_id.to_string());
        let found = match effect {
            Effect::Ask => dispatch.ask(&id, &stored.life).await,
            Effect::Stop => dispatch.stop(&id, &stored.life).await,
        };
        self.found(&stored, found).await
    }

    /// What a worker says of a job that it was asked about. Callbacks that did not arrive are made up for.
    async fn found(&self, stored: &StoredRun, found: Found) -> Result<(), Failure> {
        let attempt = stored.life.attempt;
        let (input, fact) = match found {
            Found::Job(status) if status.attempt < attempt && status.attempt > 0 => {
                (Input::Lost { attempt }, Fact::None)
            }
            Found::Job(status) => said(attempt, *status),
            Found::Alive => (Input::Alive { attempt }, Fact::None),
            Found::Unknown => {
                let message = "the worker lost the job: it was restarted, or removed before it was done";
                let problem = Problem::later(Code::Unavailable, message);
                (Input::Lost { attempt }, describe::met(&stored.run, problem))
            }
            Found::Unreached(problem) => (self.unreached(attempt), describe::met(&stored.run, problem)),
        };
        self.step(stored.run_id, input, fact, By::Gateway).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_for_each_run_and_a_stop_is_never_forgotten() {
        let errands = Errands::default();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(errands.enter(one, Effect::Ask));
        assert!(!errands.enter(one, Effect::Ask));
        assert!(errands.enter(two, Effect::Stop));
        assert_eq!((errands.next(one), errands.next(two)), (None, None));
        assert!(errands.enter(one, Effect::Ask));
        assert!(!errands.enter(one, Effect::Stop));
        assert!(!errands.enter(one, Effect::Ask));
        assert_eq!(errands.next(one), Some(Effect::Stop));
        assert_eq!(errands.next(one), None);
        assert_eq!(errands.count(), 0);
    }
}
