//! The callbacks of one job, in order: progress while it runs, then the terminal event until someone takes it.

use std::sync::Arc;
use std::time::Duration;

use kalla_proto::v1::JobEvent;
use tokio::sync::watch;

use super::Shared;
use super::entry::{Entry, Settled, View};
use super::life::{Outcome, State, Stop};
use crate::callback::{Answer, Target};
use crate::outcome;

/// How long the end of a job waits for progress that is on its way.
const LAST_PROGRESS: Duration = Duration::from_millis(500);

pub async fn report(shared: Arc<Shared>, entry: Arc<Entry>) {
    let mut view = entry.view.subscribe();
    let target = entry.target.as_ref();
    let Some(last) = tell_progress(&shared, &entry, target, &mut view).await else { return };
    let superseded = entry.view.borrow().state == State::Ended(Outcome::Stopped(Stop::Superseded));
    let untold = superseded || entry.given_back();
    let target = target.filter(|_| !untold);
    // What was accepted is in one place at least, at any moment: in the inbox, as an outcome, or in the outbox.
    if !untold {
        shared.keep_outcome(&last).await;
    }
    if let Some(target) = target {
        shared.parts.outbox.keep(target, &last).await;
    }
    shared.parts.inbox.forget(&last.run_id, last.attempt).await;
    entry.let_go();
    let settled = match target {
        _ if untold => Settled::Superseded,
        None => Settled::Reported,
        Some(target) => match shared.parts.outbox.deliver(target, &last).await {
            Answer::Accepted | Answer::Gone => Settled::Reported,
            Answer::Failed => Settled::Unreported,
        },
    };
    if settled == Settled::Unreported {
        tracing::warn!("the callback has not taken the last event: it stays in the outbox");
    }
    entry.settle(settled);
    shared.changed.notify_waiters();
}

/// Sends the latest progress now and again, and gives the terminal event as soon as there is one.
async fn tell_progress(
    shared: &Shared,
    entry: &Arc<Entry>,
    target: Option<&Target>,
    view: &mut watch::Receiver<View>,
) -> Option<JobEvent> {
    let mut told = None;
    loop {
        let event = view.borrow_and_update().event.clone();
        match (event, target) {
            (Some(event), _) if outcome::is_terminal(&event) => return Some(event),
            // Other things change as well: what was told is not told again.
            (Some(event), Some(target)) if told != Some(event.seq) => {
                told = Some(event.seq);
                if post(shared, target, &event, view).await == Some(Answer::Gone) {
                    tracing::info!("nobody wants this run any more");
                    shared.stop(&mut shared.lock(), entry, Stop::Cancelled);
                }
                let mut ending = view.clone();
                tokio::select! {
                    () = tokio::time::sleep(shared.parts.courier.settings.progress_interval) => {}
                    _ = ending.wait_for(View::ended) => {}
                }
            }
            _ => {}
        }
        view.changed().await.ok()?;
    }
}

/// Sends progress. The end of the job waits a moment for it, so that the two arrive in order, and then for nothing.
async fn post(shared: &Shared, target: &Target, event: &JobEvent, view: &watch::Receiver<View>) -> Option<Answer> {
    let mut ending = view.clone();
    let mut post = std::pin::pin!(shared.parts.courier.post(target, event));
    tokio::select! {
        answer = &mut post => return Some(answer),
        _ = ending.wait_for(View::ended) => {}
    }
    tokio::time::timeout(LAST_PROGRESS, post).await.ok()
}
