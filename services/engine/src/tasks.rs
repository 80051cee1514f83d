//! Work spread over the threads of a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};

use crate::error::{Error, Result};

/// The threads of a job: all its sources together parse and encode as many pieces at a time. Clones share them.
#[derive(Clone)]
pub struct Threads {
    count: usize,
    free: Arc<Semaphore>,
}

impl Threads {
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { count, free: Arc::new(Semaphore::new(count)) }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits until one is free, and has it until the turn is dropped.
    pub async fn turn(&self) -> Turn {
        Turn { _permit: Arc::clone(&self.free).acquire_owned().await.ok() }
    }
}

/// One thread, taken.
pub struct Turn {
    /// Always there: the semaphore is never closed.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Runs `work(0)` … `work(count - 1)` on up to `threads` tasks at a time, begun in that order; the first error stops the rest.
pub async fn for_each<F, Fut>(threads: usize, count: usize, work: F) -> Result<()>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..threads.clamp(1, count.max(1)) {
        let (work, next) = (Arc::clone(&work), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(());
                }
                work(index).await?;
                tokio::task::yield_now().await;
            }
        });
    }
    while next_of(&mut tasks).await?.is_some() {}
    Ok(())
}

/// What the next of some tasks gives; `None` when all have ended. After an error the others have ended too: what still
/// writes would write into a directory that is about to be removed.
pub async fn next_of<T: 'static>(tasks: &mut JoinSet<Result<T>>) -> Result<Option<T>> {
    let Some(done) = tasks.join_next().await else { return Ok(None) };
    match joined(done).and_then(|done| done) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            tasks.shutdown().await;
            Err(error)
        }
    }
}

/// The value of a finished task; a panic in it becomes an error of the job.
pub fn joined<T>(done: Result<T, JoinError>) -> Result<T> {
    done.map_err(|e| match e.try_into_panic() {
        Ok(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "of unknown kind".to_owned());
            Error::Internal(format!("panic: {text}"))
        }
        Err(_) => Error::Cancelled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_have_a_turn_than_there_are_threads() {
        let (threads, running) = (Threads::new(2), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (threads, running) = (threads.clone(), Arc::clone(&running));
            tasks.spawn(async move {
                let _turn = threads.turn().await;
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(at_once)
            });
        }
        let mut most = 0;
        while let Some(at_once) = next_of(&mut tasks).await.unwrap() {
            most = most.max(at_once);
        }
        assert!((1..=2).contains(&most), "{most}");
        assert_eq!(Threads::new(0).count(), 1);
    }
}
