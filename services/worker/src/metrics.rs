//! What `/metrics` tells. `docs/reference/worker.md` lists every metric, and a test compares the two.

use std::sync::Arc;

use kalla_engine::Manifest;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::callback::Answer;
use crate::process::memory;
use crate::service::{Outcome, Stop};

type Label = [(&'static str, &'static str); 1];
type Seconds = Family<Label, Histogram, fn() -> Histogram>;

/// Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    jobs: Family<Label, Counter>,
    queued: Gauge,
    running: Gauge,
    rows: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    seconds: Seconds,
    spilled: Counter,
    callbacks: Family<Label, Counter>,
    dropped: Counter,
    refused: Family<Label, Counter>,
    uploaded: Counter,
    resident: Gauge,
    free: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("kalla");
        let numbers = Numbers {
            jobs: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            rows: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            spilled: Counter::default(),
            callbacks: Family::default(),
            dropped: Counter::default(),
            refused: Family::default(),
            uploaded: Counter::default(),
            resident: Gauge::default(),
            free: Gauge::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("jobs", "Jobs that ended, by outcome", numbers.jobs.clone());
        r.register("jobs_queued", "Jobs that wait for room", numbers.queued.clone());
        r.register("jobs_running", "Jobs that run", numbers.running.clone());
        r.register("rows", "Rows that a stage has taken in or given out", numbers.rows.clone());
        r.register_with_unit(
            "stage_size",
            "Bytes that a stage has read or written",
            Unit::Bytes,
            numbers.bytes.clone(),
        );
        r.register_with_unit("stage_duration", "Time that a stage took", Unit::Seconds, numbers.seconds.clone());
        r.register_with_unit(
            "spilled",
            "Bytes that went to disk for want of memory",
            Unit::Bytes,
            numbers.spilled.clone(),
        );
        r.register("callbacks", "Callbacks that were tried, by answer", numbers.callbacks.clone());
        r.register("events_dropped", "Last events that nobody has taken for a week", numbers.dropped.clone());
        r.register("submissions_refused", "Jobs that were not accepted, by reason", numbers.refused.clone());
        r.register_with_unit("uploaded", "Bytes of files that were put", Unit::Bytes, numbers.uploaded.clone());
        r.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, numbers.resident.clone());
        r.register_with_unit(
            "storage_free",
            "What is left of the disk of a local storage",
            Unit::Bytes,
            numbers.free.clone(),
        );
        Self(Arc::new(Numbers { registry, ..numbers }))
    }
}

/// From a millisecond to some nine hours.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0, 32400.0])
}

impl Metrics {
    pub fn waiting(&self, queued: usize, running: usize) {
        self.0.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.0.running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    pub fn ended(&self, outcome: Outcome) {
        let word = match outcome {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Stopped(Stop::Cancelled) => "cancelled",
            Outcome::Stopped(Stop::Superseded) => "superseded",
            Outcome::Stopped(Stop::ShutDown) => "shut_down",
        };
        self.0.jobs.get_or_create(&[("outcome", word)]).inc();
    }

    /// What a job that completed has done.
    pub fn worked(&self, manifest: &Manifest) {
        let (counts, timings) = (&manifest.counts, &manifest.timings_ms);
        let unmatched = counts.unmatched_left_count + counts.unmatched_right_count;
        let written: u64 = manifest.files.values().map(|f| f.bytes).sum();
        for (stage, rows, bytes, milliseconds) in [
            (
                "staging",
                manifest.inputs().map(|i| i.rows).sum(),
                manifest.inputs().filter_map(|i| i.facts.bytes).sum(),
                timings.staging,
            ),
            ("matching", counts.matched_count, 0, timings.matching),
            ("writing_results", counts.matched_count + unmatched, written, timings.writing_results),
        ] {
            let label = [("stage", stage)];
            self.0.rows.get_or_create(&label).inc_by(rows);
            if stage != "matching" {
                self.0.bytes.get_or_create(&label).inc_by(bytes);
            }
            self.0.seconds.get_or_create(&label).observe(milliseconds / 1000.0);
        }
        self.0.spilled.inc_by(manifest.spilled_bytes);
    }

    pub fn callback(&self, answer: Answer) {
        let word = match answer {
            Answer::Accepted => "accepted",
            Answer::Gone => "gone",
            Answer::Failed => "failed",
        };
        self.0.callbacks.get_or_create(&[("answer", word)]).inc();
    }

    pub fn dropped(&self) {
        self.0.dropped.inc();
    }

    pub fn refused(&self, reason: &'static str) {
        self.0.refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn uploaded(&self, bytes: u64) {
        self.0.uploaded.inc_by(bytes);
    }

    /// In the text form of OpenMetrics; `free`: bytes of the disk.
    pub fn text(&self, free: Option<u64>) -> String {
        self.0.free.set(free.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0));
        self.0.resident.set(memory::own().and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.0.registry);
        text
    }
}
