//! Looks at runs that are due: what a crash cut short is done again, a worker that is silent is asked, and a run that waits
//! is told what for.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use kalla_proto::v1::Problem;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Runs;
use super::describe::{self, By, Fact};
use super::life::Input;
use crate::problem::Failure;
use crate::store::Due;
use crate::time::now;

const INTERVAL: Duration = Duration::from_secs(1);
/// Runs that are looked at in one go.
const BATCH: u32 = 100;
/// Between two looks at old requests.
const PAUSE: Duration = Duration::from_secs(3600);
/// For so long, a request with the same Idempotency-Key gives the same run.
const REMEMBERED: TimeDelta = TimeDelta::days(7);
/// A run that this version cannot read is looked at again after so long: another version may.
const ASIDE: TimeDelta = TimeDelta::hours(1);

impl Runs {
    pub(super) async fn keep_sweeping(&self, stop: &CancellationToken) {
        if let Err(error) = self.0.parts.store.take_up_parked(now()).await {
            tracing::warn!(%error, "parked runs stay parked");
        }
        let mut forget = Instant::now();
        loop {
            if forget <= Instant::now() {
                forget += PAUSE;
                if let Err(error) = self.0.parts.store.forget_requests(now() - REMEMBERED).await {
                    tracing::warn!(%error, "old requests are not forgotten");
                }
            }
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "runs that are due are not looked at");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn sweep(&self) -> Result<(), Failure> {
        for due in self.0.parts.store.due(now(), BATCH).await? {
            if let Err(failure) = self.look(&due).await {
                self.troubled(due.run_id, failure).await;
            }
        }
        Ok(())
    }

    async fn look(&self, due: &Due) -> Result<(), Failure> {
        let nobody = self.nobody().clone().filter(|_| due.waits);
        let (input, fact) = match nobody {
            Some(problem) => {
                let stored = self.stored(due.run_id).await?;
                (self.unreached(stored.life.attempt), describe::met(&stored.run, problem))
            }
            None => (Input::Due, Fact::None),
        };
        self.step(due.run_id, input, fact, By::Gateway).await?;
        Ok(())
    }

    /// The gateway itself has failed at what a run needs. The run is told, and others do not notice.
    pub(super) async fn troubled(&self, run_id: Uuid, failure: Failure) {
        if failure.problem.retryable {
            // The database is away, for one: it is due again soon.
            tracing::warn!(%run_id, error = %failure, "cut short");
            return;
        }
        self.0.parts.metrics.troubled();
        tracing::error!(%run_id, error = %failure, "a run is in trouble");
        if let Err(error) = self.tell_trouble(run_id, failure.problem).await
            && !error.problem.retryable
            && let Err(error) = self.0.parts.store.set_aside(run_id, now() + ASIDE).await
        {
            tracing::warn!(%run_id, %error, "it is not parked");
        }
    }

    async fn tell_trouble(&self, run_id: Uuid, problem: Problem) -> Result<(), Failure> {
        let stored = self.stored(run_id).await?;
        let fact = describe::met(&stored.run, problem);
        self.step(run_id, Input::Troubled { attempt: stored.life.attempt }, fact, By::Gateway).await?;
        Ok(())
    }
}
