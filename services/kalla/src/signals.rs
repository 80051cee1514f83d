//! Ctrl-C and SIGTERM.

/// What a shell reports of a process that Ctrl-C has ended.
pub const INTERRUPTED: i32 = 130;

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
