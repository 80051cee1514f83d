//! Terminal events that nobody has accepted yet, kept in the storage so that no crash loses one. Whichever worker finds
//! an old one delivers it; the receiver knows a repeated one by its idempotency key.

use std::time::Duration;

use kalla_engine::Error;
use kalla_proto::v1::JobEvent;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::callback::{Answer, Courier, Target};
use crate::storage::{OUTBOX, Storage};

#[derive(Serialize, Deserialize)]
struct Letter {
    target: Target,
    event: JobEvent,
}

#[derive(Clone)]
pub struct Outbox {
    storage: Storage,
    courier: Courier,
    /// Letters older than this are nobody's any more.
    age: Duration,
}

impl Outbox {
    pub fn new(storage: Storage, courier: Courier, age: Duration) -> Self {
        Self { storage, courier, age }
    }

    /// Keeps the event, delivers it, and forgets it once it is taken. `Failed`: it is kept for later.
    pub async fn deliver(&self, target: &Target, event: &JobEvent) -> Answer {
        let name = format!("{OUTBOX}/{}-{}.json", event.run_id, event.attempt);
        let letter = Letter { target: target.clone(), event: event.clone() };
        let kept = match serde_json::to_vec(&letter) {
            Ok(json) => self.storage.put(&name, json).await,
            Err(e) => Err(Error::defect_of("an event of a job", e)),
        };
        if let Err(error) = kept {
            tracing::warn!(run_id = event.run_id, %error, "the terminal event is not kept: a crash now would lose it");
        }
        let answer = self.courier.deliver(target, event).await;
        if answer != Answer::Failed {
            self.forget(&name).await;
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
            if let Err(error) = self.deliver_old().await {
                tracing::warn!(%error, "the outbox cannot be read");
            }
            tokio::select! {
                () = tokio::time::sleep(self.age) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn deliver_old(&self) -> Result<(), Error> {
        for name in self.storage.older(OUTBOX, self.age).await? {
            let Some(bytes) = self.storage.get(&name).await? else { continue };
            let Ok(letter) = serde_json::from_slice::<Letter>(&bytes) else {
                tracing::error!(name, "a letter of the outbox cannot be read and is left where it is");
                continue;
            };
            if self.courier.post(&letter.target, &letter.event).await != Answer::Failed {
                tracing::info!(run_id = letter.event.run_id, "an event that was left over is delivered");
                self.forget(&name).await;
            }
        }
        Ok(())
    }
}
