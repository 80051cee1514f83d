//! Which jobs a worker knows: those that wait, run and have ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::entry::Entry;

/// Ended jobs that are remembered, with all that they were asked for; the storage knows of the others.
const REMEMBERED: usize = 500;

#[derive(Default)]
pub struct Registry {
    entries: HashMap<String, Arc<Entry>>,
    /// In the order in which they came.
    pub queue: VecDeque<Arc<Entry>>,
    pub running: usize,
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
    pub fn arrive(&mut self, entry: &Arc<Entry>) {
        let before = self.arriving.len();
        self.arriving.retain(|arriving| !Arc::ptr_eq(arriving, entry));
        if self.arriving.len() < before {
            self.queue.push_back(Arc::clone(entry));
        }
    }

    /// Whether the job waited, or was about to.
    pub fn leave(&mut self, entry: &Arc<Entry>) -> bool {
        let before = self.queue.len() + self.arriving.len();
        self.queue.retain(|waiting| !Arc::ptr_eq(waiting, entry));
        self.arriving.retain(|arriving| !Arc::ptr_eq(arriving, entry));
        self.queue.len() + self.arriving.len() < before
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
