//! Ctrl-C and SIGTERM.

use std::time::Duration;

use kalla_engine::Error;
use tokio_util::sync::CancellationToken;

/// What a shell reports of a process that Ctrl-C has ended.
pub const INTERRUPTED: i32 = 130;

/// How long work that was told to stop may take to clear away what it has begun.
const PATIENCE: Duration = Duration::from_millis(900);

/// Waits for the next of them.
#[cfg(unix)]
pub async fn interrupt() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = term.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
pub async fn interrupt() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Cancelled by the first signal. The second one, or the end of patience, ends the process: on a thread of its own, because
/// planning and joining may keep every other thread busy.
pub fn watch() -> CancellationToken {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    std::thread::spawn(move || {
        // Without a runtime or signals of ours the system's own way stays: the process ends.
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            if interrupt().await.is_ok() {
                stop.cancel();
                // A second one that cannot be waited for is as good as there.
                let _ = tokio::time::timeout(PATIENCE, interrupt()).await;
                std::process::exit(INTERRUPTED);
            }
        });
    });
    cancel
}

/// Work that leaves nothing behind when it is dropped.
pub async fn stoppable<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled))
}
