//! What `/metrics` tells. `docs/reference/gateway.md` lists every metric, and a test compares the two.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Code, RunState};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Failure;
use crate::runs::Heard;
use crate::store::OpenRuns;
use crate::time::now;
use crate::worker::Sent;

type Label = [(&'static str, &'static str); 1];
type Route = [(&'static str, String); 1];
type Request = [(&'static str, String); 3];

/// States of runs that have not ended.
const OPEN: [RunState; 5] =
    [RunState::Pending, RunState::Dispatched, RunState::Staging, RunState::Matching, RunState::Writing];

/// Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    streams: Gauge,
    created: Counter,
    ended: Family<Label, Counter>,
    open: Family<Label, Gauge>,
    parked: Gauge,
    waiting: Gauge,
    troubles: Counter,
    dispatches: Family<Label, Counter>,
    callbacks: Family<Label, Counter>,
    uploaded: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("kalla");
        let numbers = Numbers {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            streams: Gauge::default(),
            created: Counter::default(),
            ended: Family::default(),
            open: Family::default(),
            parked: Gauge::default(),
            waiting: Gauge::default(),
            troubles: Counter::default(),
            dispatches: Family::default(),
            callbacks: Family::default(),
            uploaded: Counter::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("http_requests", "Requests that were answered", numbers.requests.clone());
        let help = "Time until an answer began";
        r.register_with_unit("http_request_duration", help, Unit::Seconds, numbers.seconds.clone());
        r.register("event_streams", "Streams of events that are open", numbers.streams.clone());
        r.register("runs_created", "Runs that were made", numbers.created.clone());
        r.register("runs_ended", "Runs that ended, by state", numbers.ended.clone());
        r.register("runs_open", "Runs that have not ended, by state", numbers.open.clone());
        r.register("runs_parked", "Runs that somebody has to look into", numbers.parked.clone());
        let help = "How long the first run has waited that could be sent";
        r.register_with_unit("run_waiting", help, Unit::Seconds, numbers.waiting.clone());
        r.register("run_troubles", "Failures of the gateway itself at what a run needs", numbers.troubles.clone());
        r.register("dispatches", "Runs that were sent to a worker, by answer", numbers.dispatches.clone());
        r.register("callbacks_received", "Callbacks of workers, by answer", numbers.callbacks.clone());
        r.register_with_unit("uploads", "Bytes of files that came in", Unit::Bytes, numbers.uploaded.clone());
        Self(Arc::new(Numbers { registry, ..numbers }))
    }
}

/// From a millisecond to half a minute.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
}

impl Metrics {
    /// `route`: the pattern, or nothing.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let route = if route.is_empty() { "none" } else { route };
        // Methods that nobody knows are many.
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS => {
                method.as_str()
            }
            _ => "other",
        };
        let labels =
            [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_u16().to_string())];
        self.0.requests.get_or_create(&labels).inc();
        self.0.seconds.get_or_create(&[("route", route.to_owned())]).observe(took.as_secs_f64());
    }

    /// A stream of events is open as long as what this gives is kept.
    pub fn stream(&self) -> OpenStream {
        self.0.streams.inc();
        OpenStream(self.clone())
    }

    pub fn created(&self) {
        self.0.created.inc();
    }

    pub fn ended(&self, state: RunState) {
        self.0.ended.get_or_create(&[("state", state.word())]).inc();
    }

    pub fn troubled(&self) {
        self.0.troubles.inc();
    }

    pub fn dispatched(&self, sent: &Sent) {
        let word = match sent {
            Sent::Taken { .. } => "taken",
            Sent::Refused(_) => "refused",
            Sent::Full(_) => "full",
            Sent::Unreached(_) => "unreached",
        };
        self.0.dispatches.get_or_create(&[("answer", word)]).inc();
    }

    pub fn callback(&self, heard: &Result<Heard, Failure>) {
        let word = match heard {
            Ok(Heard::Accepted) => "accepted",
            Ok(Heard::Gone) => "gone",
            Err(failure) if failure.problem.code() == Code::Unauthenticated => "forged",
            Err(_) => "failed",
        };
        self.0.callbacks.get_or_create(&[("answer", word)]).inc();
    }

    pub fn uploaded(&self, bytes: u64) {
        self.0.uploaded.inc_by(bytes);
    }

    /// In the text form of OpenMetrics.
    pub fn text(&self, open: &OpenRuns) -> String {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for state in OPEN {
            let count = open.states.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count);
            self.0.open.get_or_create(&[("state", state.word())]).set(signed(count));
        }
        self.0.parked.set(signed(open.parked));
        self.0.waiting.set(open.waiting_since.map_or(0, |since| (now() - since).num_seconds().max(0)));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.0.registry);
        text
    }
}

pub struct OpenStream(Metrics);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.0.streams.dec();
    }
}
