//! What `/metrics` tells. `docs/reference/gateway.md` lists every metric, and a test compares the two.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{BrokerStatus, Code, RunState};
use kalla_serving::metrics::{self, Known, Label, signed};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Failure;
use crate::runs::Heard;
use crate::store::{Connections, OpenRuns};
use crate::time::now;
use crate::worker::Sent;

type Route = [(&'static str, String); 1];
type Request = [(&'static str, String); 3];

/// States of runs that have not ended.
const OPEN: [RunState; 5] =
    [RunState::Pending, RunState::Dispatched, RunState::Staging, RunState::Matching, RunState::Writing];

/// What a label may be, apart from states of runs: each of them is told from the start, so that the first one is seen to come.
const ENDED: [RunState; 3] = [RunState::Completed, RunState::Failed, RunState::Cancelled];
const SENT: [&str; 4] = ["taken", "refused", "full", "unreached"];
const HEARD: [&str; 4] = ["accepted", "gone", "forged", "failed"];

/// How things are at the moment that somebody asks.
pub struct Now {
    /// `None`: the database does not answer.
    pub open: Option<OpenRuns>,
    pub connections: Connections,
    /// What is asked of workers, or waits for its turn.
    pub errands: usize,
    pub workers: usize,
    /// `None`: there is none.
    pub broker: Option<BrokerStatus>,
}

/// Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    streams: Gauge,
    database: Gauge,
    connections: Family<Label, Gauge>,
    housekeeping: Gauge,
    created: Counter,
    ended: Family<Label, Counter>,
    open: Family<Label, Gauge>,
    parked: Known,
    waiting: Known,
    troubles: Counter,
    errands: Gauge,
    workers: Gauge,
    broker: Known,
    broker_jobs: Family<Label, Gauge>,
    dead: Known,
    dispatches: Family<Label, Counter>,
    callbacks: Family<Label, Counter>,
    uploaded: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = metrics::registry();
        let numbers = Numbers {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            streams: Gauge::default(),
            database: Gauge::default(),
            connections: Family::default(),
            housekeeping: Gauge::default(),
            created: Counter::default(),
            ended: Family::default(),
            open: Family::default(),
            parked: Known::default(),
            waiting: Known::default(),
            troubles: Counter::default(),
            errands: Gauge::default(),
            workers: Gauge::default(),
            broker: Known::default(),
            broker_jobs: Family::default(),
            dead: Known::default(),
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
        r.register("database_up", "Whether the database answers", numbers.database.clone());
        let help = "Connections to the database, by state";
        r.register("database_connections", help, numbers.connections.clone());
        let help = "Whether this gateway sends runs and looks after them, for all that use the database";
        r.register("housekeeping", help, numbers.housekeeping.clone());
        r.register("runs_created", "Runs that were made", numbers.created.clone());
        r.register("runs_ended", "Runs that ended, by state", numbers.ended.clone());
        r.register("runs_open", "Runs that have not ended, by state", numbers.open.clone());
        r.register("runs_parked", "Runs that somebody has to look into", numbers.parked.clone());
        let help = "How long the first run has waited that could be sent";
        r.register_with_unit("run_waiting", help, Unit::Seconds, numbers.waiting.clone());
        r.register("run_troubles", "Failures of the gateway itself at what a run needs", numbers.troubles.clone());
        r.register("errands", "Runs about which a worker is asked, or is to be", numbers.errands.clone());
        r.register("workers", "Workers that are there", numbers.workers.clone());
        r.register("broker_up", "Whether the broker answers", numbers.broker.clone());
        r.register("broker_jobs", "Jobs that the broker has, by state", numbers.broker_jobs.clone());
        r.register("broker_dead_letters", "What came to the broker and is no job", numbers.dead.clone());
        r.register("dispatches", "Runs that were sent to a worker, by answer", numbers.dispatches.clone());
        r.register("callbacks_received", "Callbacks of workers, by answer", numbers.callbacks.clone());
        r.register_with_unit("uploads", "Bytes of files that came in", Unit::Bytes, numbers.uploaded.clone());
        for state in ENDED {
            let _ = numbers.ended.get_or_create(&[("state", state.word())]);
        }
        for (family, words) in [(&numbers.dispatches, SENT), (&numbers.callbacks, HEARD)] {
            for word in words {
                let _ = family.get_or_create(&[("answer", word)]);
            }
        }
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

    /// Whether this gateway is the one that keeps house.
    pub fn keeps_house(&self, does: bool) {
        self.0.housekeeping.set(i64::from(does));
    }

    /// In the text form of OpenMetrics.
    pub fn text(&self, now: &Now) -> String {
        let numbers = &self.0;
        numbers.database.set(i64::from(now.open.is_some()));
        for (state, count) in [("used", now.connections.used), ("idle", now.connections.idle)] {
            numbers.connections.get_or_create(&[("state", state)]).set(i64::from(count));
        }
        self.runs(now.open.as_ref());
        numbers.errands.set(signed(now.errands));
        numbers.workers.set(signed(now.workers));
        self.broker(now.broker.as_ref());
        metrics::text(&numbers.registry)
    }

    fn runs(&self, open: Option<&OpenRuns>) {
        let Numbers { open: states, parked, waiting, .. } = &*self.0;
        parked.set(open.map(|open| open.parked));
        let waited = |open: &OpenRuns| open.waiting_since.map_or(0, |since| (now() - since).num_seconds().max(0));
        waiting.set(open.map(waited));
        let Some(open) = open else { return states.clear() };
        for state in OPEN {
            let count = open.states.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count);
            states.get_or_create(&[("state", state.word())]).set(signed(count));
        }
    }

    fn broker(&self, status: Option<&BrokerStatus>) {
        let Numbers { broker, broker_jobs, dead, .. } = &*self.0;
        let Some(status) = status else { return };
        let answers = status.problem.is_none();
        broker.set(Some(i64::from(answers)));
        dead.set(answers.then_some(status.dead));
        if !answers {
            return broker_jobs.clear();
        }
        for (state, count) in [("waiting", status.waiting), ("under_way", status.under_way)] {
            broker_jobs.get_or_create(&[("state", state)]).set(signed(count));
        }
    }
}

pub struct OpenStream(Metrics);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.0.streams.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_reference_tells_of_each() {
        let counted = Metrics::default();
        counted.answered(&Method::GET, "/health", StatusCode::OK, Duration::ZERO);
        let broker = Some(BrokerStatus::default());
        let now = Now {
            open: Some(OpenRuns::default()),
            connections: Connections::default(),
            errands: 0,
            workers: 0,
            broker,
        };
        let text = counted.text(&now);
        let told: BTreeSet<String> = metrics::names(&text).collect();
        let page = include_str!("../../docs/reference/gateway.md");
        let listed = page.lines().filter_map(|line| line.strip_prefix("| `kalla_")?.split('`').next());
        let listed: BTreeSet<String> = listed.map(|name| format!("kalla_{name}")).collect();
        assert_eq!(told, listed);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let counted = Metrics::default();
        let problem = kalla_proto::v1::Problem::later(Code::Unavailable, "away");
        let away = BrokerStatus { problem: Some(problem), ..BrokerStatus::default() };
        for (open, broker) in [(Some(OpenRuns::default()), Some(BrokerStatus::default())), (None, Some(away))] {
            let known = open.is_some();
            let now = Now { open, connections: Connections::default(), errands: 0, workers: 0, broker };
            let text = counted.text(&now);
            for name in ["kalla_runs_open{", "kalla_runs_parked ", "kalla_broker_jobs{", "kalla_broker_dead_letters "] {
                assert_eq!(text.contains(name), known, "{name} in {text}");
            }
            for name in ["kalla_database_up", "kalla_broker_up"] {
                assert!(text.contains(&format!("{name} {}", i64::from(known))), "{name} in {text}");
            }
        }
    }
}
