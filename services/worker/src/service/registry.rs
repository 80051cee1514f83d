//! Which jobs a worker knows: those that wait, run and have ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use kalla_proto::v1;

use super::entry::Entry;
use crate::payload::Accepted;

/// Ended jobs that are remembered: how they ended, not what they were asked for. The storage knows of the others.
const REMEMBERED: usize = 1000;

/// A job that waits, with all that it is asked for: whoever runs it is the last to have that.
pub struct Waiting {
    pub entry: Arc<Entry>,
    pub accepted: Accepted,
}

#[derive(Default)]
pub struct Registry {
    entries: HashMap<String, Arc<Entry>>,
    /// In the order in which they came.
    pub queue: VecDeque<Waiting>,
    pub running: usize,
    /// Bytes of memory that those have.
    pub taken: u64,
    /// Those that are written down now, and wait then.
    pub arriving: Vec<Arc<Entry>>,
    /// The oldest first.
    ended: VecDeque<Arc<Entry>>,
    /// No job is taken any more.
    pub closing: bool,
}

impl Registry {
    pub fn get(&self, run_id: &str) -> Option<&Arc<Entry>> {
        self.entries.get(run_id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// Makes a job known, in the place of an earlier attempt.
    pub fn insert(&mut self, entry: &Arc<Entry>) {
        self.entries.insert(entry.run_id().to_owned(), Arc::clone(entry));
        self.arriving.push(Arc::clone(entry));
    }

    /// Puts a job at the end of the queue, unless it was stopped before it got there.
    pub fn arrive(&mut self, waiting: Waiting) {
        let before = self.arriving.len();
        self.arriving.retain(|arriving| !Arc::ptr_eq(arriving, &waiting.entry));
        if self.arriving.len() < before {
            self.queue.push_back(waiting);
        }
    }

    /// Whether the job waited, or was about to.
    pub fn leave(&mut self, entry: &Arc<Entry>) -> bool {
        let before = self.queue.len() + self.arriving.len();
        self.queue.retain(|waiting| !Arc::ptr_eq(&waiting.entry, entry));
        self.arriving.retain(|arriving| !Arc::ptr_eq(arriving, entry));
        self.queue.len() + self.arriving.len() < before
    }

    /// Those that have begun and not ended.
    pub fn running_jobs(&self) -> Vec<v1::RunningJob> {
        let running = self.entries.values().filter(|entry| entry.runs());
        let mut jobs: Vec<_> = running
            .map(|entry| v1::RunningJob {
                run_id: entry.run_id().to_owned(),
                attempt: entry.attempt,
                stage: entry.stage().into(),
            })
            .collect();
        jobs.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        jobs
    }

    /// Those that have not begun, the first to come first.
    pub fn waiting(&self) -> Vec<Arc<Entry>> {
        self.queue.iter().map(|waiting| &waiting.entry).chain(&self.arriving).cloned().collect()
    }

    /// Remembers an ended job and forgets the one that ended longest ago.
    pub fn remember(&mut self, entry: &Arc<Entry>) {
        self.ended.push_back(Arc::clone(entry));
        if self.ended.len() > REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.forget(&oldest);
        }
    }

    pub fn forget(&mut self, entry: &Arc<Entry>) {
        if self.entries.get(entry.run_id()).is_some_and(|known| Arc::ptr_eq(known, entry)) {
            self.entries.remove(entry.run_id());
        }
    }
}
