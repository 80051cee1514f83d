//! How many matches each row of a side stands in: one byte a row, shared by all tasks that count.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow::buffer::BooleanBuffer;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a byte holds at most; what is more stands in [`Counters::more`].
const FULL: u8 = u8::MAX;

/// The counts of one side.
#[derive(Debug)]
pub(super) struct Counters {
    rows: Arc<[AtomicU8]>,
    /// What this task has counted of rows whose byte was full.
    more: HashMap<usize, u64>,
}

/// Rows of a side that stand in more than one match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultipleMatches {
    /// How many they are.
    pub rows: u64,
    /// In how many matches they stand, all together.
    pub matches: u64,
    /// The most that one of them stands in.
    pub most: u64,
    /// The number of that row, from 0: of several the first.
    pub row: u64,
}

impl MultipleMatches {
    /// As a sentence about the rows of a source.
    pub fn note(&self, alias: &str) -> String {
        let Self { rows, matches, most, row } = self;
        match rows {
            1 => format!(
                "1 row of `{alias}` matches more than once: it stands in {matches} matches (row {row}, counted from 0)"
            ),
            _ => format!(
                "{rows} rows of `{alias}` match more than once: they stand in {matches} matches, one of them in {most} (row {row}, \
                 counted from 0)"
            ),
        }
    }
}

impl Counters {
    pub fn new(rows: u64) -> Result<Self> {
        let rows = usize::try_from(rows).map_err(|_| Error::defect(format!("{rows} rows are too many")))?;
        Ok(Self { rows: std::iter::repeat_with(AtomicU8::default).take(rows).collect(), more: HashMap::new() })
    }

    /// For another task, which counts the same rows.
    pub fn part(&self) -> Self {
        Self { rows: Arc::clone(&self.rows), more: HashMap::new() }
    }

    /// One more match for a row.
    #[inline]
    pub fn add(&mut self, row: i64) -> Result<()> {
        self.add_times(row, 1)
    }

    #[inline]
    pub fn add_times(&mut self, row: i64, times: u64) -> Result<()> {
        let (index, counter) = self.counter(row)?;
        // Nobody reads before all have counted, and the end of a task makes what it has counted known.
        let mut held = counter.load(Ordering::Relaxed);
        loop {
            let sum = u64::from(held) + times;
            let (kept, over) = match u8::try_from(sum) {
                Ok(sum) => (sum, 0),
                Err(_) => (FULL, sum - u64::from(FULL)),
            };
            match counter.compare_exchange_weak(held, kept, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) if over > 0 => *self.more.entry(index).or_default() += over,
                Ok(_) => {}
                Err(now) => {
                    held = now;
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// Makes a row one that matches, whatever it matches.
    pub fn set(&mut self, row: i64) -> Result<()> {
        let (_, counter) = self.counter(row)?;
        counter.fetch_max(1, Ordering::Relaxed);
        Ok(())
    }

    fn counter(&self, row: i64) -> Result<(usize, &AtomicU8)> {
        let index = usize::try_from(row).ok();
        let found = index.and_then(|index| Some((index, self.rows.get(index)?)));
        found.ok_or_else(|| Error::defect(format!("row number {row} of a source with {} rows", self.rows.len())))
    }

    /// Adds what another task has counted.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(Arc::ptr_eq(&self.rows, &other.rows));
        for (index, count) in &other.more {
            *self.more.entry(*index).or_default() += count;
        }
    }

    pub fn count(&self) -> u64 {
        self.rows.iter().filter(|row| row.load(Ordering::Relaxed) > 0).count() as u64
    }

    pub fn is_set(&self, index: usize) -> bool {
        self.rows.get(index).is_some_and(|row| row.load(Ordering::Relaxed) > 0)
    }

    /// One bit per row, set where it stands in no match.
    pub fn unset(&self) -> BooleanBuffer {
        BooleanBuffer::collect_bool(self.rows.len(), |index| !self.is_set(index))
    }

    /// The rows that stand in more than one; `None` where no row does.
    pub fn multiple(&self) -> Option<MultipleMatches> {
        let mut found = MultipleMatches { rows: 0, matches: 0, most: 1, row: 0 };
        for (index, counter) in self.rows.iter().enumerate() {
            let held = counter.load(Ordering::Relaxed);
            if held < 2 {
                continue;
            }
            let more = if held == FULL { self.more.get(&index).copied().unwrap_or(0) } else { 0 };
            let matches = u64::from(held) + more;
            found.rows += 1;
            found.matches += matches;
            if matches > found.most {
                (found.most, found.row) = (matches, index as u64);
            }
        }
        (found.rows > 0).then_some(found)
    }
}
