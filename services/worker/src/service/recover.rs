//! What dead workers have left behind is taken on: jobs that they had accepted.

use std::time::Duration;

use kalla_engine::Error;
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{Code, JobEvent, JobPayload, Problem, Stage};
use tokio_util::sync::CancellationToken;

use super::{JobService, Origin};
use crate::outcome;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// Workers that may end while they have a job, by restarts and accidents. If so many do, it is most likely the job.
pub(super) const MOST_WORKERS: u32 = 20;

impl JobService {
    /// Now and again, until `stop`.
    pub async fn keep_recovering(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.recover().await {
                tracing::warn!(%error, "the inbox cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn recover(&self) -> Result<(), Error> {
        let inbox = &self.0.parts.inbox;
        let known = |run_id: &str| self.0.lock().get(run_id).is_some();
        for orphan in inbox.orphans(known).await? {
            let run_id = orphan.payload.run_id.as_str();
            if self.0.lock().closing {
                return Ok(());
            }
            let attempt = orphan.payload.attempt.max(1);
            let noted = self.0.parts.storage.note(run_id).await?;
            if let Some(last) = noted.and_then(|note| note.outcome).filter(|last| last.attempt >= attempt) {
                // It had ended, and its worker died before it had told so.
                self.tell(&orphan.payload, last).await;
                continue;
            }
            if orphan.workers >= MOST_WORKERS {
                let message = format!("{MOST_WORKERS} workers ended while they had this job: their logs may say why");
                self.give_up(&orphan.payload, Problem::refused(Code::Exhausted, message)).await;
                continue;
            }
            if !inbox.claim(&orphan).await? {
                continue;
            }
            match self.admit(&orphan.payload, Origin::Left { workers: orphan.workers + 1 }).await {
                Ok(_) => tracing::info!(run_id, "taken on from a worker that is gone"),
                // The next worker, or this one when it has room: nothing of the claim is lost.
                Err(problem) if problem.retryable => {
                    tracing::warn!(run_id, problem = problem.message, "not taken on yet");
                }
                Err(problem) => self.give_up(&orphan.payload, problem).await,
            }
        }
        Ok(())
    }

    /// Whoever waits for a job is told that nobody will do it.
    pub(super) async fn give_up(&self, payload: &JobPayload, problem: Problem) {
        tracing::error!(run_id = payload.run_id, problem = problem.message, "a job is given up");
        let error = Event::Error(outcome::failure(problem, Stage::Staging));
        let last = outcome::last(&payload.run_id, payload.attempt.max(1), error);
        self.0.keep_outcome(&last).await;
        self.tell(payload, last).await;
    }

    /// Tells whoever wanted the job how it ended.
    async fn tell(&self, payload: &JobPayload, last: JobEvent) {
        let parts = &self.0.parts;
        let target = parts.intake.target(payload).ok().flatten();
        if let Some(target) = &target {
            parts.outbox.keep(target, &last).await;
        }
        parts.inbox.forget(&payload.run_id, payload.attempt.max(1)).await;
        if let Some(target) = target {
            let outbox = parts.outbox.clone();
            // That may take its time; what is not taken stays in the outbox.
            tokio::spawn(async move { outbox.deliver(&target, &last).await });
        }
    }
}
