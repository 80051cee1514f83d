//! What `/metrics` tells. `docs/reference/worker.md` lists every metric, and a test compares the two.

use std::sync::Arc;

use kalla_engine::Manifest;
use kalla_serving::metrics::{self, Known, Label, signed};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::callback::Answer;
use crate::process::memory;
use crate::service::{Load, Outcome, Stop};
use crate::storage::Disks;

type Seconds = Family<Label, Histogram, fn() -> Histogram>;

/// What labels may be: each of them is told from the start, so that the first one is seen to come.
const OUTCOMES: [Outcome; 5] = [
    Outcome::Completed,
    Outcome::Failed,
    Outcome::Stopped(Stop::Cancelled),
    Outcome::Stopped(Stop::Superseded),
    Outcome::Stopped(Stop::ShutDown),
];
const ANSWERS: [Answer; 3] = [Answer::Accepted, Answer::Gone, Answer::Failed];
const STAGING: &str = "staging";
const MATCHING: &str = "matching";
const WRITING: &str = "writing_results";
const REASONS: [&str; 5] = ["invalid", "conflict", "full", "closing", "disk"];

/// How things are at the moment that somebody asks.
pub struct Now {
    pub load: Load,
    pub disks: Disks,
    /// `None`: there is none.
    pub broker_answers: Option<bool>,
}

/// Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    jobs: Family<Label, Counter>,
    queued: Gauge,
    running: Gauge,
    places: Gauge,
    waiting: Gauge,
    looks: Family<Label, Gauge>,
    look_places: Family<Label, Gauge>,
    rows: Family<Label, Counter>,
    bytes: Family<Label, Counter>,
    seconds: Seconds,
    spilled: Counter,
    callbacks: Family<Label, Counter>,
    dropped: Counter,
    undelivered: Gauge,
    broker: Known,
    refused: Family<Label, Counter>,
    uploaded: Counter,
    resident: Gauge,
    free: Family<Label, Gauge>,
    reserve: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = metrics::registry();
        let numbers = Numbers {
            jobs: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            places: Gauge::default(),
            waiting: Gauge::default(),
            looks: Family::default(),
            look_places: Family::default(),
            rows: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            spilled: Counter::default(),
            callbacks: Family::default(),
            dropped: Counter::default(),
            undelivered: Gauge::default(),
            broker: Known::default(),
            refused: Family::default(),
            uploaded: Counter::default(),
            resident: Gauge::default(),
            free: Family::default(),
            reserve: Gauge::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("jobs", "Jobs that ended, by outcome", numbers.jobs.clone());
        r.register("jobs_queued", "Jobs that wait for room", numbers.queued.clone());
        r.register("jobs_running", "Jobs that run", numbers.running.clone());
        r.register("job_places", "Jobs that may run at the same time", numbers.places.clone());
        let help = "How long the first of the jobs has waited that wait";
        r.register_with_unit("job_waiting", help, Unit::Seconds, numbers.waiting.clone());
        r.register("looks", "Looks into sources that are under way, by kind", numbers.looks.clone());
        r.register("look_places", "Looks that may be under way at the same time", numbers.look_places.clone());
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
        let help = "Last events that their worker did not get delivered in its time, in the whole storage";
        r.register("events_undelivered", help, numbers.undelivered.clone());
        r.register("broker_up", "Whether the broker is connected", numbers.broker.clone());
        r.register("submissions_refused", "Jobs that were not accepted, by reason", numbers.refused.clone());
        r.register_with_unit("uploaded", "Bytes of files that were put", Unit::Bytes, numbers.uploaded.clone());
        r.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, numbers.resident.clone());
        r.register_with_unit("disk_free", "What is left of a disk", Unit::Bytes, numbers.free.clone());
        let help = "What is to stay free of each disk";
        r.register_with_unit("disk_reserve", help, Unit::Bytes, numbers.reserve.clone());
        for (family, label, words) in [
            (&numbers.jobs, "outcome", OUTCOMES.map(of_outcome).as_slice()),
            (&numbers.rows, "stage", &[STAGING, MATCHING, WRITING]),
            (&numbers.bytes, "stage", &[STAGING, WRITING]),
            (&numbers.callbacks, "answer", &ANSWERS.map(of_answer)),
            (&numbers.refused, "reason", &REASONS),
        ] {
            for word in words {
                let _ = family.get_or_create(&[(label, *word)]);
            }
        }
        Self(Arc::new(Numbers { registry, ..numbers }))
    }
}

/// From a millisecond to some nine hours.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0, 32400.0])
}

fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Failed => "failed",
        Outcome::Stopped(Stop::Cancelled) => "cancelled",
        Outcome::Stopped(Stop::Superseded) => "superseded",
        Outcome::Stopped(Stop::ShutDown) => "shut_down",
    }
}

fn of_answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::Gone => "gone",
        Answer::Failed => "failed",
    }
}

impl Metrics {
    pub fn ended(&self, outcome: Outcome) {
        self.0.jobs.get_or_create(&[("outcome", of_outcome(outcome))]).inc();
    }

    /// What a job that completed has done.
    pub fn worked(&self, manifest: &Manifest) {
        let (counts, timings) = (&manifest.counts, &manifest.timings_ms);
        let unmatched = counts.unmatched_left_count + counts.unmatched_right_count;
        let written: u64 = manifest.files.values().map(|f| f.bytes).sum();
        for (stage, rows, bytes, milliseconds) in [
            (
                STAGING,
                manifest.inputs().map(|i| i.rows).sum(),
                manifest.inputs().filter_map(|i| i.facts.bytes).sum(),
                timings.staging,
            ),
            (MATCHING, counts.matched_count, 0, timings.matching),
            (WRITING, counts.matched_count + unmatched, written, timings.writing_results),
        ] {
            let label = [("stage", stage)];
            self.0.rows.get_or_create(&label).inc_by(rows);
            if stage != MATCHING {
                self.0.bytes.get_or_create(&label).inc_by(bytes);
            }
            self.0.seconds.get_or_create(&label).observe(milliseconds / 1000.0);
        }
        self.0.spilled.inc_by(manifest.spilled_bytes);
    }

    pub fn callback(&self, answer: Answer) {
        self.0.callbacks.get_or_create(&[("answer", of_answer(answer))]).inc();
    }

    pub fn dropped(&self) {
        self.0.dropped.inc();
    }

    /// What was found in the outbox.
    pub fn undelivered(&self, letters: usize) {
        self.0.undelivered.set(signed(letters));
    }

    pub fn refused(&self, reason: &'static str) {
        self.0.refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn uploaded(&self, bytes: u64) {
        self.0.uploaded.inc_by(bytes);
    }

    /// In the text form of OpenMetrics.
    pub fn text(&self, now: &Now) -> String {
        let (numbers, load) = (&self.0, &now.load);
        numbers.queued.set(signed(load.queued));
        numbers.running.set(signed(load.running));
        numbers.places.set(signed(load.places));
        numbers.waiting.set(signed(load.waiting.as_secs()));
        for (kind, places, taken) in load.looks {
            numbers.look_places.get_or_create(&[("kind", kind)]).set(signed(places));
            numbers.looks.get_or_create(&[("kind", kind)]).set(signed(taken));
        }
        for (disk, free) in [("storage", now.disks.storage), ("spill", now.disks.spill)] {
            match free {
                Some(free) => drop(numbers.free.get_or_create(&[("disk", disk)]).set(signed(free))),
                None => drop(numbers.free.remove(&[("disk", disk)])),
            }
        }
        numbers.reserve.set(signed(now.disks.reserve));
        numbers.broker.set(now.broker_answers.map(i64::from));
        numbers.resident.set(memory::own().map_or(0, signed));
        metrics::text(&numbers.registry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_reference_tells_of_each() {
        let counted = Metrics::default();
        // Stages are measured when a job has ended.
        counted.0.seconds.get_or_create(&[("stage", STAGING)]).observe(1.0);
        let looks = [("heads", 1, 0), ("connections", 1, 0), ("whole", 1, 0)];
        let load = Load { queued: 0, running: 0, places: 1, waiting: Duration::ZERO, looks };
        let disks = Disks { storage: Some(1), spill: Some(1), reserve: 1 };
        let text = counted.text(&Now { load, disks, broker_answers: Some(true) });
        let told: BTreeSet<String> = metrics::names(&text).collect();
        let page = include_str!("../../../docs/reference/worker.md");
        let listed = page.lines().filter_map(|line| line.strip_prefix("| `kalla_")?.split('`').next());
        let listed: BTreeSet<String> = listed.map(|name| format!("kalla_{name}")).collect();
        assert_eq!(told, listed);
        let text = counted.text(&Now { load, disks: Disks::default(), broker_answers: None });
        for name in ["kalla_disk_free_bytes{", "kalla_broker_up "] {
            assert!(!text.contains(name), "{name} in {text}");
        }
    }
}
