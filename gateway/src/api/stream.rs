//! Server-sent events: what is in the store behind a number, then whatever comes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use kalla_proto::v1::Run;
use kalla_serving::Refusal;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use uuid::Uuid;

use super::House;
use crate::problem::Failure;
use crate::runs::{Change, Runs};

/// A stream on which nothing happens says so now and again, so that nobody on the way takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What proxies such as nginx are told, lest they collect events before they pass them on.
const UNBUFFERED: &str = "x-accel-buffering";

/// One event of a stream.
pub struct Message {
    /// What a client comes back with.
    number: u64,
    name: &'static str,
    data: String,
    /// Whether nothing comes after it.
    last: bool,
}

impl Message {
    pub fn new(number: u64, name: &'static str, data: &impl Serialize, last: bool) -> Result<Self, Failure> {
        let data = serde_json::to_string(data).map_err(Failure::defect)?;
        Ok(Self { number, name, data, last })
    }
}

/// The number that a client that comes back has seen.
pub fn last_seen(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// Messages behind `after`, as `look` finds them, again whenever `run` has changed (`None`: any of them). A change that is
/// missed on the way is found with the next: `look` reads what is saved. Who follows all of them sees those that come further
/// as they are then: that has no number of its own, and who comes back misses nothing but that.
pub fn follow<L, F>(runs: &Runs, run: Option<Uuid>, after: u64, look: L) -> impl Stream<Item = Message> + use<L, F>
where
    L: Fn(u64) -> F,
    F: Future<Output = Result<Vec<Message>, Failure>>,
{
    let begin = Some((look, runs.changes(), after));
    let batches = futures::stream::unfold(begin, move |state| async move {
        let (look, mut changes, after) = state?;
        loop {
            match look(after).await {
                Ok(messages) => {
                    if let Some(last) = messages.last() {
                        let next = (!last.last).then_some(last.number);
                        return Some((futures::stream::iter(messages), next.map(|after| (look, changes, after))));
                    }
                }
                Err(failure) => {
                    // The client comes back with the last number that it got.
                    tracing::warn!(%failure, "a stream of events is cut");
                    return None;
                }
            }
            if let Seen::Further(run) = change(&mut changes, run).await? {
                let message = Message::new(after, "run", &*run, false).ok()?;
                return Some((futures::stream::iter(vec![message]), Some((look, changes, after))));
            }
        }
    });
    batches.flatten()
}

/// What a change asks for.
enum Seen {
    /// A look at what is saved.
    Look,
    /// Nothing: this is all.
    Further(Arc<Run>),
}

/// Waits for a change; however many were saved, one look finds them all.
async fn change(changes: &mut Receiver<Change>, run: Option<Uuid>) -> Option<Seen> {
    loop {
        match (changes.recv().await, run) {
            (Ok(Change::Further(further)), None) => return Some(Seen::Further(further)),
            (Ok(Change::Further(further)), Some(run)) if further.run_id != run.to_string() => {}
            (Ok(Change::Saved(saved)), Some(run)) if saved != run => {}
            (Ok(_) | Err(RecvError::Lagged(_)), _) => break,
            (Err(RecvError::Closed), _) => return None,
        }
    }
    while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    Some(Seen::Look)
}

/// The stream as an answer; it ends with the gateway.
pub fn answer(house: &House, messages: impl Stream<Item = Message> + Send + 'static) -> Result<Response, Refusal> {
    let open = (house.rooms.streams.enter()?, house.metrics.stream());
    let events = messages.map(move |Message { number, name, data, .. }| {
        // Open as long as this is.
        let _ = &open;
        Ok::<_, Infallible>(Event::default().id(number.to_string()).event(name).data(data))
    });
    let events = events.take_until(house.stop.clone().cancelled_owned());
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(UNBUFFERED, "no")], events).into_response())
}
