//! Which workers of a storage are alive: what a dead one has left behind is taken on by another.
//!
//! On a disk a worker holds a lock, which the system lets go when it dies, however that happens. In a bucket it writes its
//! name again and again; one that has not done so for a while is dead.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use kalla_engine::Error;
use kalla_engine::location::Location;
use tokio_util::sync::CancellationToken;

use crate::storage::{Storage, TURNS, WORKERS, check_id};

/// Between two signs of life, and without any for how long one is dead.
const BEAT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(90);

/// That of this worker.
pub struct Lease {
    storage: Storage,
    id: String,
    /// Held on a disk.
    lock: Option<File>,
}

impl Lease {
    pub async fn take(storage: &Storage) -> Result<Self, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let lock = match storage.root() {
            Location::Local(root) => {
                let path = root.join(WORKERS).join(&id);
                let failed = |e: io::Error| Error::Output { path: path.display().to_string(), reason: e.to_string() };
                Some(locked(&path).map_err(failed)?)
            }
            Location::Object { .. } => None,
        };
        let lease = Self { storage: storage.clone(), id, lock };
        if lease.lock.is_none()
            && let Err(error) = lease.renew().await
        {
            // `/ready` says so as well, until the store is there.
            tracing::warn!(%error, "no sign of life yet");
        }
        Ok(lease)
    }

    /// What this worker signs with.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives signs of life until `stop`.
    pub async fn keep(&self, stop: &CancellationToken) {
        if self.lock.is_some() {
            return stop.cancelled().await;
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = stop.cancelled() => return,
            }
            if let Err(error) = self.renew().await {
                tracing::warn!(%error, "no sign of life: other workers may take on what this one does");
            }
        }
    }

    /// This worker has left nothing behind that it has not told of.
    pub async fn give_up(&self) {
        if let Err(error) = self.storage.delete(&name(&self.id)).await {
            tracing::debug!(%error, "the lease stays until somebody finds it");
        }
    }

    /// Whether the worker that signed so is dead.
    pub async fn is_dead(&self, id: &str) -> Result<bool, Error> {
        if check_id(id).is_err() {
            return Ok(true);
        }
        match self.storage.root() {
            Location::Local(root) => Ok(is_free(&root.join(WORKERS).join(id))),
            Location::Object { .. } => {
                let Some(last) = self.storage.written(&name(id)).await? else { return Ok(true) };
                // By the clock of the store alone.
                let Some(now) = self.storage.written(&name(&self.id)).await? else { return Ok(false) };
                Ok(now.duration_since(last).is_ok_and(|silent| silent > SILENCE))
            }
        }
    }

    /// Whether no other worker of this disk lives. In a bucket nobody can be sure.
    pub fn is_alone(&self) -> bool {
        let Location::Local(root) = self.storage.root() else { return false };
        let Ok(files) = std::fs::read_dir(root.join(WORKERS)) else { return false };
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        names.filter(|name| *name != self.id && *name != TURNS).all(|name| is_free(&root.join(WORKERS).join(name)))
    }

    async fn renew(&self) -> Result<(), Error> {
        self.storage.put(&name(&self.id), Vec::new()).await
    }
}

fn name(id: &str) -> String {
    format!("{WORKERS}/{id}")
}

fn locked(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(path)?;
    // Where there are no locks, nobody takes anybody for dead.
    let _ = file.lock();
    Ok(file)
}

/// A file that nobody holds is of no use any more.
fn is_free(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return true };
    match file.try_lock() {
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            true
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}
