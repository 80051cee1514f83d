//! Work spread over the threads of a job.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
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

/// Pieces of work, handed out in their order. What comes of them is put back in order, and waits for those before it: so
/// nobody gets far ahead of the first that is not done.
pub struct Pieces {
    count: usize,
    ahead: usize,
    taken: Mutex<Taken>,
    moved: Notify,
}

#[derive(Default)]
struct Taken {
    next: usize,
    /// Not done, and all before it are.
    first: usize,
    /// Done, and after the first.
    done: BTreeSet<usize>,
}

impl Pieces {
    /// `count` pieces for so many threads.
    pub fn new(count: usize, threads: usize) -> Self {
        Self { count, ahead: threads.saturating_mul(AHEAD), taken: Mutex::default(), moved: Notify::new() }
    }

    /// The next piece, once it may be begun; `None` when there are no more. [`Self::done`] has to follow.
    pub async fn next(&self) -> Option<usize> {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            // From here on: nothing that moves while we look is missed.
            moved.as_mut().enable();
            {
                let mut taken = self.taken.lock().unwrap_or_else(|e| e.into_inner());
                if taken.next == self.count {
                    return None;
                }
                if taken.next < taken.first + self.ahead {
                    taken.next += 1;
                    return Some(taken.next - 1);
                }
            }
            moved.await;
        }
    }

    pub fn done(&self, piece: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(|e| e.into_inner());
        taken.done.insert(piece);
        let before = taken.first;
        while let Taken { first, done, .. } = &mut *taken
            && done.remove(first)
        {
            *first += 1;
        }
        if taken.first > before {
            self.moved.notify_waiters();
        }
    }
}

/// Pieces per thread that may be begun while one is late.
const AHEAD: usize = 4;

/// Runs `work(0)` … `work(count - 1)` on up to `threads` tasks at a time, begun in that order; the first error stops the rest.
pub async fn for_each<F, Fut>(threads: usize, count: usize, work: F) -> Result<()>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let work = Arc::new(work);
    let pieces = Arc::new(Pieces::new(count, threads.max(1)));
    let mut tasks = JoinSet::new();
    for _ in 0..threads.clamp(1, count.max(1)) {
        let (work, pieces) = (Arc::clone(&work), Arc::clone(&pieces));
        tasks.spawn(async move {
            while let Some(piece) = pieces.next().await {
                work(piece).await?;
                pieces.done(piece);
                tokio::task::yield_now().await;
            }
            Ok(())
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
            Error::defect_of("a panic", text)
        }
        Err(_) => Error::Cancelled,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_gets_far_ahead_of_a_piece_that_is_late() {
        let (begun, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (seen, waits) = (Arc::clone(&begun), Arc::clone(&late));
        let work = tokio::spawn(for_each(3, 100, move |piece| {
            let (seen, waits) = (Arc::clone(&seen), Arc::clone(&waits));
            async move {
                seen.fetch_add(1, Ordering::SeqCst);
                if piece == 0 {
                    waits.notified().await;
                }
                Ok(())
            }
        }));
        let most = 3 * AHEAD;
        while begun.load(Ordering::SeqCst) < most {
            tokio::task::yield_now().await;
        }
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), most);
        late.notify_one();
        work.await.unwrap().unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 100);
    }

    #[tokio::test]
    async fn an_error_ends_those_that_wait_for_it() {
        let failing = for_each(3, 100, |piece| async move {
            if piece == 0 {
                tokio::task::yield_now().await;
                return Err(Error::Cancelled);
            }
            Ok(())
        });
        assert!(matches!(failing.await, Err(Error::Cancelled)));
    }

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
