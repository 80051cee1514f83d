//! Jobs that were accepted and have not ended, kept in the storage so that no kill loses one: a worker that finds those of a
//! dead one takes them on. A letter holds all that its payload does.

use std::sync::Arc;

use kalla_engine::Error;
use kalla_proto::v1::JobPayload;
use serde::{Deserialize, Serialize};

use crate::lease::Lease;
use crate::storage::{INBOX, Storage, Version};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Letter {
    payload: JobPayload,
    /// Who has the job.
    worker: String,
    /// How many have had it.
    workers: u32,
}

/// A job whose worker is dead.
pub struct Orphan {
    pub payload: JobPayload,
    /// How many workers have had it.
    pub workers: u32,
    seen: Version,
}

#[derive(Clone)]
pub struct Inbox {
    storage: Storage,
    lease: Arc<Lease>,
}

impl Inbox {
    pub fn new(storage: Storage, lease: Arc<Lease>) -> Self {
        Self { storage, lease }
    }

    /// `workers`: how many have had it, this one among them.
    pub async fn keep(&self, payload: &JobPayload, workers: u32) -> Result<(), Error> {
        self.storage.put(&name(payload), self.letter(payload, workers)?).await
    }

    /// Whether a job is known to some worker.
    pub async fn holds(&self, run_id: &str, attempt: u32) -> Result<bool, Error> {
        Ok(self.storage.written(&file(run_id, attempt)).await?.is_some())
    }

    pub async fn forget(&self, run_id: &str, attempt: u32) {
        if let Err(error) = self.storage.delete(&file(run_id, attempt)).await {
            tracing::warn!(run_id, %error, "a job that has ended stays in the inbox, and will be looked at again");
        }
    }

    /// The jobs of workers that are dead, and those that this one has signed for and not taken: `known` says which it has.
    pub async fn orphans(&self, known: impl Fn(&str) -> bool) -> Result<Vec<Orphan>, Error> {
        let mut orphans = Vec::new();
        for name in self.storage.all(INBOX).await? {
            let Some((bytes, seen)) = self.storage.get_version(&name).await? else { continue };
            let Ok(letter) = serde_json::from_slice::<Letter>(&bytes) else {
                tracing::error!(name, "a letter of the inbox cannot be read and is left where it is");
                continue;
            };
            let own = letter.worker == self.lease.id();
            if if own { !known(&letter.payload.run_id) } else { self.lease.is_dead(&letter.worker).await? } {
                orphans.push(Orphan { payload: letter.payload, workers: letter.workers, seen });
            }
        }
        Ok(orphans)
    }

    /// Signs for a job that nobody else has signed for in the meantime.
    pub async fn claim(&self, orphan: &Orphan) -> Result<bool, Error> {
        let letter = self.letter(&orphan.payload, orphan.workers + 1)?;
        self.storage.replace(&name(&orphan.payload), letter, &orphan.seen).await
    }

    fn letter(&self, payload: &JobPayload, workers: u32) -> Result<Vec<u8>, Error> {
        let letter = Letter { payload: payload.clone(), worker: self.lease.id().to_owned(), workers };
        serde_json::to_vec(&letter).map_err(|e| Error::defect_of("an order of a job", e))
    }
}

fn name(payload: &JobPayload) -> String {
    file(&payload.run_id, payload.attempt.max(1))
}

fn file(run_id: &str, attempt: u32) -> String {
    format!("{INBOX}/{run_id}-{attempt}.json")
}
