//! Jobs of the broker, which keeps each until this worker answers for it: in its result, in its outbox, or by giving it back.

use std::time::Duration;

use kalla_proto::v1::{Code, JobPayload, Problem};

use super::entry::Entry;
use super::life::Stop;
use super::recover::MOST_WORKERS;
use super::{JobService, Origin};

/// Until a disk that is full is looked at again.
const FULL: Duration = Duration::from_secs(5);

/// How a job of the broker has left this worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// Its last word is told or kept.
    Done,
    /// The worker ends, and another one may have it.
    GivenBack,
    /// It cannot be taken now.
    Later(Problem),
    /// It will never be done, and there is nobody to tell.
    Dead(Problem),
}

impl JobService {
    /// Waits until a job could begin, and says how many could. With a full disk none could: what is taken and given back counts
    /// as if its worker had ended.
    pub async fn room(&self) -> usize {
        loop {
            if self.0.parts.storage.has_room().is_err() {
                tokio::time::sleep(FULL).await;
                continue;
            }
            let changed = self.0.changed.notified();
            let room = {
                let registry = self.0.lock();
                let busy = registry.running + registry.queue.len() + registry.arriving.len();
                if registry.closing { 0 } else { self.0.parts.budget.jobs.places.saturating_sub(busy) }
            };
            if room > 0 {
                return room;
            }
            changed.await;
        }
    }

    /// Runs a job that so many workers have had, this one among them; `begun` is called when it has its place. A worker that has it
    /// already goes on with it.
    pub async fn take(&self, payload: &JobPayload, workers: u32, begun: impl FnOnce() + Send) -> Left {
        // Each worker that takes it is an attempt of its own, later than those before.
        let attempt = payload.attempt.max(1) + workers.saturating_sub(1);
        let same = |entry: &Entry| entry.queued && !entry.ended() && payload.attempt <= entry.attempt;
        let here = self.0.lock().get(&payload.run_id).filter(|entry| same(entry)).cloned();
        let payload = JobPayload { attempt, ..payload.clone() };
        let entry = match here {
            Some(entry) => entry,
            None if workers > MOST_WORKERS => {
                let message = format!("{MOST_WORKERS} workers ended while they had this job: their logs may say why");
                return self.refuse(&payload, Problem::refused(Code::Exhausted, message)).await;
            }
            None => match self.admit(&payload, Origin::Queued).await {
                Ok(Some(entry)) => entry,
                Ok(None) => return Left::Done,
                Err(problem) if problem.retryable => return Left::Later(problem),
                // The run is another job's, whose end is nobody's but its own.
                Err(problem) if problem.code() == Code::Conflict => return Left::Dead(problem),
                Err(problem) => return self.refuse(&payload, problem).await,
            },
        };
        begun();
        let mut view = entry.view.subscribe();
        // The sender lives as long as the entry.
        let _ = view.wait_for(|view| view.kept).await;
        if entry.given_back() { Left::GivenBack } else { Left::Done }
    }

    async fn refuse(&self, payload: &JobPayload, problem: Problem) -> Left {
        if self.0.parts.intake.target(payload).is_ok_and(|target| target.is_some()) {
            self.give_up(payload, problem).await;
            return Left::Done;
        }
        Left::Dead(problem)
    }

    /// Stops the job of a run that nobody wants any more, if it is one of this worker.
    pub fn stop_if_here(&self, run_id: &str) {
        let mut registry = self.0.lock();
        if let Some(entry) = registry.get(run_id).filter(|entry| !entry.ended()).cloned() {
            self.0.stop(&mut registry, &entry, Stop::Cancelled);
            self.0.start_next(&mut registry);
        }
    }
}
