//! Terminal events that nobody has accepted yet, kept in the storage so that no crash loses one. Whichever worker finds
//! one whose own worker is dead or has given up delivers it; the receiver knows a repeated one by its idempotency key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kalla_engine::Error;
use kalla_proto::v1::JobEvent;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::callback::{Answer, Courier, Target};
use crate::lease::Lease;
use crate::metrics::Metrics;
use crate::storage::{OUTBOX, Storage};

/// Letters that nobody takes are dropped after this time.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Between two looks at what is left over.
const PAUSE: Duration = Duration::from_secs(10);
/// Letters in a row that a place does not take, and then no more of them in this round.
const MOST_FAILED: usize = 5;
/// Places that are called back at the same time.
const PLACES: usize = 8;

#[derive(Serialize, Deserialize)]
struct Letter {
    target: Target,
    event: JobEvent,
    /// Who delivers it. Older versions do not say.
    #[serde(default)]
    worker: Option<String>,
}

#[derive(Clone)]
pub struct Outbox {
    storage: Storage,
    courier: Courier,
    lease: Arc<Lease>,
    metrics: Metrics,
    /// Whoever delivers a letter has given up after that, for now.
    age: Duration,
}

impl Outbox {
    pub fn new(storage: Storage, courier: Courier, lease: Arc<Lease>, metrics: Metrics, age: Duration) -> Self {
        Self { storage, courier, lease, metrics, age }
    }

    /// Keeps an event until it is taken.
    pub async fn keep(&self, target: &Target, event: &JobEvent) {
        let worker = Some(self.lease.id().to_owned());
        let letter = Letter { target: target.clone(), event: event.clone(), worker };
        let kept = match serde_json::to_vec(&letter) {
            Ok(json) => self.storage.put(&name(event), json).await,
            Err(e) => Err(Error::defect_of("an event of a job", e)),
        };
        if let Err(error) = kept {
            tracing::warn!(run_id = event.run_id, %error, "the terminal event is not kept: a crash now would lose it");
        }
    }

    /// Delivers an event that is kept, and forgets it once it is taken. `Failed`: it stays for later.
    pub async fn deliver(&self, target: &Target, event: &JobEvent) -> Answer {
        let answer = self.courier.deliver(target, event).await;
        if answer != Answer::Failed {
            self.forget(&name(event)).await;
        }
        answer
    }

    async fn forget(&self, name: &str) {
        if let Err(error) = self.storage.delete(name).await {
            tracing::warn!(name, %error, "a delivered event stays in the outbox and will be sent again");
        }
    }

    /// Delivers what is left over, now and again, until `stop`.
    pub async fn keep_delivering(self, stop: CancellationToken) {
        loop {
            let delivered = tokio::select! {
                delivered = self.deliver_left_over() => delivered,
                () = stop.cancelled() => return,
            };
            if let Err(error) = delivered {
                tracing::warn!(%error, "the outbox cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE.min(self.age)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn deliver_left_over(&self) -> Result<(), Error> {
        let late: BTreeSet<String> = self.storage.older(OUTBOX, self.age).await?.into_iter().collect();
        let mut places: BTreeMap<String, Vec<(String, Letter)>> = BTreeMap::new();
        for name in self.storage.all(OUTBOX).await? {
            let Some(bytes) = self.storage.get(&name).await? else { continue };
            let Ok(letter) = serde_json::from_slice::<Letter>(&bytes) else {
                tracing::error!(name, "a letter of the outbox cannot be read and is left where it is");
                continue;
            };
            let orphaned = match &letter.worker {
                Some(worker) => self.lease.is_dead(worker).await?,
                None => false,
            };
            if orphaned || late.contains(&name) {
                let place = letter.target.url.split('/').take(3).collect::<Vec<_>>().join("/");
                places.entry(place).or_default().push((name, letter));
            }
        }
        self.metrics.undelivered(places.values().map(Vec::len).sum());
        futures::stream::iter(places.into_values())
            .for_each_concurrent(PLACES, |letters| self.deliver_all(letters))
            .await;
        for name in self.storage.older(OUTBOX, KEPT).await? {
            tracing::error!(
                name,
                days = KEPT.as_secs() / 86_400,
                "nobody has taken an event for too long: it is dropped"
            );
            self.metrics.dropped();
            self.forget(&name).await;
        }
        Ok(())
    }

    /// To one place. One that is away is not asked for each letter.
    async fn deliver_all(&self, letters: Vec<(String, Letter)>) {
        let mut failed = 0;
        for (name, Letter { target, event, .. }) in letters {
            if self.courier.post(&target, &event).await == Answer::Failed {
                failed += 1;
                if failed == MOST_FAILED {
                    return;
                }
                continue;
            }
            failed = 0;
            tracing::info!(run_id = event.run_id, "an event that was left over is delivered");
            self.forget(&name).await;
        }
    }
}

fn name(event: &JobEvent) -> String {
    format!("{OUTBOX}/{}-{}.json", event.run_id, event.attempt)
}
