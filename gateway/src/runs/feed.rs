//! What changes is read once for all who follow, whichever gateway has saved it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Change, Runs};
use crate::problem::Failure;
use crate::store::Notice;

/// Between two looks at what nobody has told of: a notice may be lost on its way.
const LOOK: Duration = Duration::from_secs(3);
/// Until a database that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl Runs {
    /// Tells of changes behind number `told`, until `stop`.
    pub async fn keep_telling(self, told: u64, stop: CancellationToken) {
        tokio::select! {
            () = self.tell_of_changes(told) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn tell_of_changes(&self, mut told: u64) {
        let mut notices = self.0.parts.store.notices();
        loop {
            // However many there are, one look finds them all.
            let first = tokio::time::timeout(LOOK, notices.next()).await.ok().flatten();
            let mut further = BTreeSet::new();
            let mut next = first;
            while let Some(notice) = next {
                if let Notice::Further(run_id) = notice {
                    further.insert(run_id);
                }
                next = notices.next().now_or_never().flatten();
            }
            if let Err(failure) = self.read(&mut told, &further).await {
                tracing::debug!(%failure, "changes are not told yet");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Reads what has changed behind number `told`, and runs that have come further.
    async fn read(&self, told: &mut u64, further: &BTreeSet<Uuid>) -> Result<(), Failure> {
        loop {
            let changed = self.changed(*told).await?;
            if changed.is_empty() {
                break;
            }
            for (number, run) in changed {
                *told = number;
                self.tell(Change::Saved(number, Arc::new(run)));
            }
            self.0.queued.notify_one();
        }
        for run_id in further {
            if let Some(stored) = self.0.parts.store.run(*run_id).await? {
                self.tell(Change::Further(Arc::new(stored.run)));
            }
        }
        Ok(())
    }
}
