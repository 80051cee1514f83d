//! How far a job has come: counters that the work bumps, published on a watch channel a few times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The part of a job that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Phase {
    #[default]
    Staging,
    Matching,
    WritingResults,
}

/// A truthful picture of a running job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    pub sources: Vec<SourceProgress>,
    /// Rows that `match_sql` has given so far.
    pub matched_count: u64,
    /// Share of the present phase that is done, 0 to 1, where it is known.
    pub fraction: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceProgress {
    pub alias: String,
    pub rows: u64,
    /// Units done and in all: bytes of a file, pages of a table; 0 in all when unknown.
    pub done: u64,
    pub total: u64,
    pub finished: bool,
}

/// The counters of one source, shared by the tasks that read it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    rows: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    pub fn expect(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub fn add(&self, rows: u64, done: u64) {
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
        self.0.done.fetch_add(done, Ordering::Relaxed);
    }

    /// A source that is read again (a type was widened) starts again.
    pub fn restart(&self) {
        self.0.rows.store(0, Ordering::Relaxed);
        self.0.done.store(0, Ordering::Relaxed);
    }

    pub fn read(&self, alias: &str) -> SourceProgress {
        let (rows, done, total) = (
            self.0.rows.load(Ordering::Relaxed),
            self.0.done.load(Ordering::Relaxed),
            self.0.total.load(Ordering::Relaxed),
        );
        SourceProgress { alias: alias.to_owned(), rows, done, total, finished: total > 0 && done >= total }
    }
}
