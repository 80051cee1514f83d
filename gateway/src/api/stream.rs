//! Server-sent events: what is in the store behind a number, then whatever comes.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
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

/// Messages behind `after`, as `look` finds them in what is saved, and then as runs change: for events of one `run`, `look` finds
/// them again; those who follow all runs (`None`) are told how each is. That one has come further has no number of its own: who
/// comes back misses nothing but that.
pub fn follow<L, F>(runs: &Runs, run: Option<Uuid>, after: u64, look: L) -> impl Stream<Item = Message> + use<L, F>
where
    L: Fn(u64) -> F,
    F: Future<Output = Result<Vec<Message>, Failure>>,
{
    let run = run.map(|run| run.to_string());
    let follower = Follower { look, run, changes: runs.changes(), after, looks: true };
    let batches = futures::stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        let messages = follower.next().await?;
        let over = messages.last().is_some_and(|last| last.last);
        Some((futures::stream::iter(messages), (!over).then_some(follower)))
    });
    batches.flatten()
}

struct Follower<L> {
    look: L,
    /// `None`: all of them.
    run: Option<String>,
    changes: Receiver<Change>,
    /// The number that was told last.
    after: u64,
    /// Whether there may be something behind it that nobody tells of.
    looks: bool,
}

impl<L, F> Follower<L>
where
    L: Fn(u64) -> F,
    F: Future<Output = Result<Vec<Message>, Failure>>,
{
    /// At least one message; `None`: it is over.
    async fn next(&mut self) -> Option<Vec<Message>> {
        loop {
            let messages = if self.looks {
                match (self.look)(self.after).await {
                    Ok(messages) => messages,
                    Err(failure) => {
                        // The client comes back with the last number that it got.
                        tracing::warn!(%failure, "a stream of events is cut");
                        return None;
                    }
                }
            } else {
                self.change().await?.into_iter().collect()
            };
            if let Some(last) = messages.last() {
                self.after = last.number;
                return Some(messages);
            }
            // What is saved was told to the end, or there is more of it.
            self.looks = !self.looks;
        }
    }

    /// Waits for a change. `Some(None)`: a look finds it, and whatever else there is.
    async fn change(&mut self) -> Option<Option<Message>> {
        loop {
            let change = match self.changes.recv().await {
                Ok(change) => change,
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return None,
            };
            let (Change::Saved(_, run) | Change::Further(run)) = &change;
            let number = match (&change, &self.run) {
                (_, Some(followed)) if run.run_id != *followed => continue,
                (_, Some(_)) => break,
                (Change::Saved(number, _), None) if *number <= self.after => continue,
                (Change::Saved(number, _), None) => *number,
                (Change::Further(_), None) => self.after,
            };
            return Message::new(number, "run", &**run, false).ok().map(Some);
        }
        // However many there are, one look finds them all.
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        Some(None)
    }
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
