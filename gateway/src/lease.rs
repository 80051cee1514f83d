//! What one of several gateways does for all. Its holder counts a beat up; whoever sees the beat stand still takes the lease over.
//! Each compares only what its own clock tells, and a holder that cannot write its beat stops before another one begins.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::store::{Held, Store, StoreError};

const BEAT: Duration = Duration::from_secs(2);
/// A holder whose beat stands still for so long is gone.
const GONE: Duration = Duration::from_secs(8);
/// A holder that has written no beat for so long is none any more.
const LOST: Duration = Duration::from_secs(6);

pub struct Lease {
    store: Store,
    name: &'static str,
    me: Uuid,
    seen: Option<Held>,
}

impl Lease {
    pub fn new(store: Store, name: &'static str) -> Self {
        Self { store, name, me: Uuid::new_v4(), seen: None }
    }

    /// Waits until it is this gateway's.
    pub async fn take(&mut self) {
        let mut since = Instant::now();
        loop {
            match self.store.lease(self.name).await {
                Ok(now) => {
                    if self.seen != Some(now) {
                        (self.seen, since) = (Some(now), Instant::now());
                    }
                    // What is its own may have been written without an answer.
                    let own = now.holder.is_none_or(|holder| holder == self.me);
                    let free = own || since.elapsed() >= GONE;
                    if free && matches!(self.beat(Some(self.me)).await, Ok(true)) {
                        return;
                    }
                }
                Err(error) => tracing::debug!(%error, lease = self.name, "not read"),
            }
            sleep(BEAT).await;
        }
    }

    /// Until it is this gateway's no more.
    pub async fn keep(&mut self) {
        let mut written = Instant::now();
        loop {
            sleep(BEAT).await;
            // Others may see the beat from here on.
            let asked = Instant::now();
            match timeout_at(written + LOST, self.beat(Some(self.me))).await {
                Ok(Ok(true)) => written = asked,
                Ok(Ok(false)) => {
                    tracing::info!(lease = self.name, "not as it was left: taken anew, if nobody else has it");
                    return;
                }
                // Whether it was written is not known, and found out with the next one.
                Ok(Err(error)) => tracing::debug!(%error, lease = self.name, "no beat"),
                Err(_) => {
                    tracing::warn!(lease = self.name, "the database does not answer: others may take over");
                    return;
                }
            }
        }
    }

    /// Nobody has to wait for it.
    pub async fn give_up(&mut self) {
        if let Err(error) = self.beat(None).await {
            tracing::debug!(%error, lease = self.name, "not given up");
        }
    }

    /// Whether it was as it was seen.
    async fn beat(&mut self, holder: Option<Uuid>) -> Result<bool, StoreError> {
        let Some(seen) = self.seen else { return Ok(false) };
        let written = self.store.beat(self.name, seen, holder).await?;
        if written.is_some() {
            self.seen = written;
        }
        Ok(written.is_some())
    }
}
