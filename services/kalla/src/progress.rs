//! Progress bars on the standard error: one per source, then one for the matching and one for the writing.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kalla_engine::job::{Job, Source, SourceUri};
use kalla_engine::progress::{Phase, Progress, SourceProgress};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::report::numbers::{bytes, count};

/// A job that ends sooner shows no bars at all.
const PATIENCE: Duration = Duration::from_millis(250);
/// Time between two pictures.
const TICK: Duration = Duration::from_millis(100);

/// Bars that are being drawn.
pub struct Bars {
    over: CancellationToken,
    thread: JoinHandle<()>,
}

/// Draws what comes through `progress`, if the standard error is a terminal: on a thread of its own, because a join may keep all
/// others.
pub fn show(job: &Job, progress: watch::Receiver<Progress>) -> Bars {
    let sources = [&job.left, &job.right].into_iter().chain(&job.extras).map(Kind::of).collect();
    let over = CancellationToken::new();
    let end = over.clone();
    let thread = std::thread::spawn(move || {
        // Without a clock there are no bars.
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() {
            runtime.block_on(draw(sources, progress, end));
        }
    });
    Bars { over, thread }
}

impl Bars {
    /// Clears them away: nothing else may be printed before.
    pub fn clear(self) {
        self.over.cancel();
        // One that has died has none left.
        let _ = self.thread.join();
    }
}

/// What the units of a source's progress are.
#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Pages,
}

impl Kind {
    fn of(source: &Source) -> Self {
        match source.uri {
            SourceUri::File(_) => Self::Bytes,
            SourceUri::Postgres(_) => Self::Pages,
        }
    }
}

async fn draw(kinds: Vec<Kind>, mut progress: watch::Receiver<Progress>, over: CancellationToken) {
    let start = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(PATIENCE) => {}
        () = over.cancelled() => return,
    }
    let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    if all.is_hidden() {
        return;
    }
    let mut bars: Vec<ProgressBar> = Vec::new();
    let mut phase_bar: Option<(Phase, ProgressBar)> = None;
    loop {
        let now = progress.borrow_and_update().clone();
        let names = now.sources.iter().map(|s| console::measure_text_width(&s.alias)).max().unwrap_or(0).max(8);
        while bars.len() < now.sources.len() {
            bars.push(all.add(bar(&now.sources[bars.len()].alias, names)));
        }
        for (i, (source, bar)) in now.sources.iter().zip(&bars).enumerate() {
            if !bar.is_finished() {
                let kind = kinds.get(i).copied().unwrap_or(Kind::Bytes);
                update_source(bar, source, kind, start.elapsed(), now.phase > Phase::Staging);
            }
        }
        if now.phase > Phase::Staging {
            if phase_bar.as_ref().is_none_or(|(phase, _)| *phase != now.phase) {
                if let Some((_, bar)) = phase_bar.take() {
                    bar.set_position(bar.length().unwrap_or(0));
                    bar.finish();
                }
                let name = if now.phase == Phase::Matching { "matching" } else { "writing" };
                phase_bar = Some((now.phase, all.add(bar(name, names))));
            }
            if let Some((_, bar)) = &phase_bar {
                update_phase(bar, &now);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = over.cancelled() => break,
        }
    }
    // The report says all of it again. A terminal that refuses is none to draw on.
    let _ = all.clear();
}

fn bar(name: &str, width: usize) -> ProgressBar {
    let bar = ProgressBar::new(0).with_prefix(format!("{name:<width$}"));
    bar.set_style(style("{prefix:.bold} {bar:28.cyan/dim} {percent:>3} %  {msg}"));
    bar
}

/// Without an end there is nothing to fill: a mark that moves instead.
fn endless() -> ProgressStyle {
    style("{prefix:.bold} {spinner:.cyan} {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).map_or_else(|_| ProgressStyle::default_bar(), |s| s.progress_chars("━╸─"))
}

fn update_source(bar: &ProgressBar, source: &SourceProgress, kind: Kind, elapsed: Duration, staged: bool) {
    let finished = source.finished || staged;
    let speed = match kind {
        _ if finished => String::new(),
        Kind::Bytes => format!("  {}/s", bytes(per_second(source.done, elapsed))),
        Kind::Pages => format!("  {} of {} pages", count(source.done), count(source.total)),
    };
    bar.set_length(source.total.max(source.done));
    bar.set_position(if finished { source.total.max(source.done) } else { source.done });
    if source.total == 0 && !finished {
        bar.set_style(endless());
        bar.tick();
    }
    bar.set_message(format!("{} rows{speed}", count(source.rows)));
    if finished {
        bar.finish();
    }
}

fn update_phase(bar: &ProgressBar, now: &Progress) {
    const STEPS: u64 = 1000;
    match now.fraction {
        Some(fraction) => {
            bar.set_length(STEPS);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=STEPS")]
            bar.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
        }
        None => {
            bar.set_style(endless());
            bar.tick();
        }
    }
    if now.matched_count > 0 {
        bar.set_message(format!("{} rows matched", count(now.matched_count)));
    }
}

fn per_second(done: u64, elapsed: Duration) -> u64 {
    let millis = elapsed.as_millis().max(1);
    u64::try_from(u128::from(done) * 1000 / millis).unwrap_or(u64::MAX)
}
