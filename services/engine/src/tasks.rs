//! Work spread over the threads of a job.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::{JoinError, JoinSet};

use crate::error::{Error, Result};

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
