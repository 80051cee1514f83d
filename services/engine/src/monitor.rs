//! Watches a running job and publishes its progress a few times a second.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::job::Job;
use crate::progress::{Meter, Phase, Progress};

const INTERVAL: Duration = Duration::from_millis(100);

/// The counters of one job; publishing ends when it is dropped.
pub struct Monitor {
    state: Arc<State>,
    ticker: AbortHandle,
}

struct State {
    aliases: Vec<String>,
    meters: Vec<Meter>,
    matched: Arc<AtomicU64>,
    phase: Mutex<Phase>,
    channel: watch::Sender<Progress>,
}

impl Monitor {
    pub fn start(job: &Job, channel: watch::Sender<Progress>) -> Self {
        let aliases: Vec<String> = job.sources().map(|s| s.alias.clone()).collect();
        let meters = aliases.iter().map(|_| Meter::default()).collect();
        let state =
            Arc::new(State { aliases, meters, matched: Arc::default(), phase: Mutex::new(Phase::Staging), channel });
        let watched = Arc::clone(&state);
        let ticker = tokio::spawn(async move {
            loop {
                watched.publish();
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self { state, ticker: ticker.abort_handle() }
    }

    /// The counters of source `index`, in the order of [`Job::sources`].
    pub fn meter(&self, index: usize) -> Meter {
        self.state.meters[index].clone()
    }

    /// The rows that the match has given.
    pub fn matched(&self) -> &Arc<AtomicU64> {
        &self.state.matched
    }

    /// A phase begins; told at once.
    pub fn enter(&self, phase: Phase) {
        *self.state.phase.lock().unwrap_or_else(|e| e.into_inner()) = phase;
        self.state.publish();
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.ticker.abort();
        self.state.publish();
    }
}

impl State {
    fn publish(&self) {
        let phase = *self.phase.lock().unwrap_or_else(|e| e.into_inner());
        let sources: Vec<_> = self.meters.iter().zip(&self.aliases).map(|(m, alias)| m.read(alias)).collect();
        let (done, total) = sources.iter().fold((0, 0), |(d, t), s| (d + s.done, t + s.total));
        #[expect(clippy::cast_precision_loss, reason = "a fraction for a progress bar")]
        let fraction = (phase == Phase::Staging && total > 0).then(|| (done as f64 / total as f64).min(1.0));
        self.channel.send_replace(Progress {
            phase,
            sources,
            matched_count: self.matched.load(Ordering::Relaxed),
            fraction,
        });
    }
}
