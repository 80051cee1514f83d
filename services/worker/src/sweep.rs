//! Clears away, by age, what nobody needs any more: uploads, staged rows, and attempts of workers that were killed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::lease::Lease;
use crate::storage::{FILES, RESULTS, Storage};

/// Between two rounds, where nothing is to go sooner.
const PAUSE: Duration = Duration::from_secs(3600);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// An upload that goes on is written to more often: its client would be too slow.
const TORN: Duration = Duration::from_secs(3600);
/// No attempt takes longer.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Until `stop`.
pub async fn keep_sweeping(storage: Storage, lease: Arc<Lease>, config: Config, stop: CancellationToken) {
    // Where no other worker is, nothing is on its way when this one starts.
    let alone = lease.is_alone();
    sweep_torn(&storage, if alone { Duration::ZERO } else { TORN });
    if alone {
        sweep_scratch(&config, Duration::ZERO).await;
    }
    let pause = PAUSE.min(config.retention).min(config.keep_staged).max(SHORTEST_PAUSE);
    loop {
        tokio::select! {
            () = sweep(&storage, &config) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn sweep_torn(storage: &Storage, age: Duration) {
    match storage.drop_torn(age) {
        Ok(0) => {}
        Ok(uploads) => tracing::info!(uploads, "what was left of uploads is swept"),
        Err(error) => tracing::warn!(%error, "what is left of uploads is not swept"),
    }
}

/// What was spilled by processes that were killed.
async fn sweep_scratch(config: &Config, age: Duration) -> usize {
    let spill_dir = config.process.spill_dir.clone();
    let swept = tokio::task::spawn_blocking(move || kalla_engine::sweep_scratch(spill_dir.as_deref(), age)).await;
    swept.unwrap_or(0)
}

async fn sweep(storage: &Storage, config: &Config) {
    sweep_torn(storage, TORN);
    let mut uploads = 0;
    match storage.older(FILES, config.retention).await {
        Ok(old) => {
            for name in old {
                match storage.delete(&name).await {
                    Ok(()) => uploads += 1,
                    Err(error) => tracing::warn!(name, %error, "an old upload is not removed"),
                }
            }
        }
        Err(error) => tracing::warn!(%error, "old uploads are not swept"),
    }
    // A job that may run longer than a day is not taken for dead.
    let age = config.limits.timeout.map_or(ABANDONED, |timeout| ABANDONED.max(timeout * 2));
    let attempts = match kalla_engine::sweep_attempts(&storage.root().join(RESULTS), age).await {
        Ok(removed) => removed,
        Err(error) => {
            tracing::warn!(%error, "abandoned attempts are not swept");
            0
        }
    };
    let scratch = sweep_scratch(config, age).await;
    let staged = match storage.drop_staged(config.keep_staged).await {
        Ok(removed) => removed,
        Err(error) => {
            tracing::warn!(%error, "staged rows are not swept");
            0
        }
    };
    if uploads + attempts + scratch + staged > 0 {
        tracing::info!(uploads, attempts, scratch, staged, "swept");
    }
}
