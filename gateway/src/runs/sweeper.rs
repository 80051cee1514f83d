//! Looks at runs that are due: what a crash cut short is done again, and a worker that is silent is asked.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::describe::Fact;
use super::life::Input;
use super::{GATEWAY, Runs};
use crate::problem::Failure;
use crate::time::now;

const INTERVAL: Duration = Duration::from_secs(1);
/// Runs that are looked at in one go.
const BATCH: u32 = 100;
/// Between two looks at old requests.
const PAUSE: Duration = Duration::from_secs(3600);
/// For so long, a request with the same Idempotency-Key gives the same run.
const REMEMBERED: TimeDelta = TimeDelta::days(7);

impl Runs {
    pub async fn keep_sweeping(self, stop: CancellationToken) {
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
        for run_id in self.0.parts.store.due(now(), BATCH).await? {
            self.step(run_id, Input::Due, Fact::None, GATEWAY).await?;
        }
        Ok(())
    }
}
