//! Time that passes whatever the threads of the runtime do. Its own timers fire only when one of its threads is free, and a
//! join may keep all of them for minutes.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Ends after `time`, never without one. Dropping it ends the thread that waits.
pub async fn after(time: Option<Duration>) {
    let Some(time) = time else { return std::future::pending().await };
    let (over, is_over) = oneshot::channel();
    let (_waited_for, still_waited_for) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if still_waited_for.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let _ = over.send(());
        }
    });
    // Without a sender there was no thread: time is over then, rather than never.
    let _ = is_over.await;
}

/// What `work` gives, unless it takes longer than `time`.
pub async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = after(Some(time)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only thread of the runtime is busy: its timers stand still.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn time_passes_while_every_thread_is_busy() {
        let (stop, stopped) = mpsc::channel::<()>();
        let busy = tokio::spawn(async move { stopped.recv().is_ok() });
        assert_eq!(within(Duration::from_millis(20), std::future::pending::<()>()).await, None);
        assert_eq!(within(Duration::from_secs(60), async { 7 }).await, Some(7));
        stop.send(()).unwrap();
        assert!(busy.await.unwrap());
    }
}
