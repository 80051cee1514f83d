//! Which rows of the two sides have been matched, and how often.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, Int64Builder, ListBuilder, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::Int64Type;

use super::behind::all_rows;
use super::counters::{Counters, MultipleMatches};
use super::{Groups, RowsBehind, Side, Trace, Traced};
use crate::error::{Error, Result};

/// Rows of a side that are listed with an output row. All of a larger group are marked, but listing them again with each output
/// row that shares them would make results that grow with the square of the input.
pub const LISTED: usize = 1000;

/// The rows of each side that were matched. Every task marks in a part of its own ([`Marks::part`]); [`Marks::merge`] unites
/// them.
#[derive(Debug)]
pub struct Marks {
    left: Counters,
    right: Counters,
    /// Groups that are too large to be listed and stand behind output rows together, and behind how many.
    large: HashMap<(Side, Vec<i64>), u64>,
    cut: bool,
    /// Output rows in which both sides met.
    met: u64,
}

impl Marks {
    /// Nothing is matched yet; the arguments are the numbers of rows of the sides.
    ///
    /// Errors: [`Error::Internal`] when a side has more rows than this machine can address.
    pub fn new(left_rows: u64, right_rows: u64) -> Result<Self> {
        Ok(Self {
            left: Counters::new(left_rows)?,
            right: Counters::new(right_rows)?,
            large: HashMap::new(),
            cut: false,
            met: 0,
        })
    }

    /// For another task.
    pub fn part(&self) -> Self {
        let (left, right) = (self.left.part(), self.right.part());
        Self { left, right, large: HashMap::new(), cut: false, met: 0 }
    }

    /// Marks the rows behind a batch of [`Traced::plan`]'s output, and gives the columns `_left_row` and `_right_row` of
    /// [`Traced::row_columns`] (one value per row of the batch; lists ascend and hold each row once).
    ///
    /// Errors: [`Error::Internal`] when a row number is not one of the side's, [`Error::Output`] when groups cannot be read.
    pub fn mark(&mut self, batch: &RecordBatch, traced: &Traced) -> Result<(ArrayRef, ArrayRef)> {
        if let (Some(left), Some(right)) = (traced.plain(Side::Left), traced.plain(Side::Right)) {
            let (left, right) = (batch.column(left), batch.column(right));
            self.mark_pairs(numbers(left)?, numbers(right)?)?;
            return Ok((Arc::clone(left), Arc::clone(right)));
        }
        let mut left = Listed::new(batch, traced, Side::Left)?;
        let mut right = Listed::new(batch, traced, Side::Right)?;
        for row in 0..batch.num_rows() {
            let met = !left.read(row)?.is_empty() & !right.read(row)?.is_empty();
            self.met += u64::from(met);
            for listed in [&mut left, &mut right] {
                if met {
                    self.mark_behind(listed.side, &listed.rows)?;
                }
                self.cut |= !listed.rows.is_whole();
            }
        }
        Ok((left.finish(batch, traced), right.finish(batch, traced)))
    }

    /// Whether any list was cut at [`LISTED`] rows.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn mark_behind(&mut self, side: Side, rows: &RowsBehind<'_>) -> Result<()> {
        if rows.is_whole() {
            let counters = self.counters_mut(side);
            return rows.get().iter().try_for_each(|row| counters.add(*row));
        }
        let counters = self.counters_mut(side);
        rows.single().iter().try_for_each(|row| counters.add(*row))?;
        *self.large.entry((side, rows.groups().to_vec())).or_default() += 1;
        Ok(())
    }

    /// Marks the rows of large groups, which are read once, however many output rows share them.
    ///
    /// Errors: [`Error::Output`] when groups cannot be read.
    pub fn settle(&mut self, groups: &Groups) -> Result<()> {
        for ((side, together), times) in std::mem::take(&mut self.large) {
            let rows = all_rows(groups, &together)?;
            let counters = self.counters_mut(side);
            rows.into_iter().try_for_each(|row| counters.add_times(row, times))?;
        }
        Ok(())
    }

    /// Marks every row of one side behind a batch, for a caller that knows that the other side was met.
    ///
    /// Errors: [`Error::Internal`] when a row number is not one of the side's, [`Error::Output`] when groups cannot be read.
    pub fn mark_side(&mut self, batch: &RecordBatch, traced: &Traced, side: Side) -> Result<()> {
        let mut rows = RowsBehind::of(batch, traced, side, LISTED)?;
        for row in 0..batch.num_rows() {
            rows.read(row)?;
            self.mark_behind(side, &rows)?;
        }
        Ok(())
    }

    /// Marks one row, of which nobody knows how often it matches.
    ///
    /// Errors: [`Error::Internal`] when the side has no such row.
    pub fn set(&mut self, side: Side, row: i64) -> Result<()> {
        self.counters_mut(side).set(row)
    }

    /// The hot path: every output row comes from at most one row of each side.
    fn mark_pairs(&mut self, left: &Int64Array, right: &Int64Array) -> Result<()> {
        match NullBuffer::union(left.nulls(), right.nulls()) {
            None => {
                self.met += left.len() as u64;
                for (counters, rows) in [(&mut self.left, left), (&mut self.right, right)] {
                    // A join gives the partners of a row one after the other.
                    let runs = rows.values().chunk_by(|a, b| a == b);
                    runs.into_iter().try_for_each(|run| counters.add_times(run[0], run.len() as u64))?;
                }
                Ok(())
            }
            Some(both) => {
                self.met += (both.len() - both.null_count()) as u64;
                let (left, right) = (left.values(), right.values());
                for row in both.valid_indices() {
                    self.left.add(left[row])?;
                    self.right.add(right[row])?;
                }
                Ok(())
            }
        }
    }

    /// Adds what another task has marked in its [`Marks::part`].
    pub fn merge(&mut self, other: Self) {
        self.left.merge(&other.left);
        self.right.merge(&other.right);
        self.cut |= other.cut;
        self.met += other.met;
        for (together, times) in other.large {
            *self.large.entry(together).or_default() += times;
        }
    }

    /// Adds output rows in which both sides met, for a caller that knows it.
    pub fn add_met(&mut self, rows: usize) {
        self.met += rows as u64;
    }

    /// Output rows in which both sides met: the matches. An outer join lists others, too.
    pub fn met(&self) -> u64 {
        self.met
    }

    /// How many rows of a side are matched.
    pub fn count(&self, side: Side) -> u64 {
        self.counters(side).count()
    }

    /// The rows of a side that stand in several matches; `None` where there are none, or where rows are followed by key.
    pub fn multiple(&self, side: Side) -> Option<MultipleMatches> {
        self.counters(side).multiple()
    }

    #[cfg(test)]
    /// Whether a row is matched; no for a row that the side does not have.
    pub fn is_set(&self, side: Side, row: u64) -> bool {
        usize::try_from(row).is_ok_and(|row| self.counters(side).is_set(row))
    }

    /// One bit per row of a side, set where the row is *not* matched.
    pub fn unmatched(&self, side: Side) -> BooleanBuffer {
        self.counters(side).unset()
    }

    fn counters_mut(&mut self, side: Side) -> &mut Counters {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn counters(&self, side: Side) -> &Counters {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// One of the public columns, row by row.
struct Listed<'a> {
    side: Side,
    rows: RowsBehind<'a>,
    /// `None` where a column of the batch, or NULL, is all there is to show.
    lists: Option<ListBuilder<Int64Builder>>,
}

impl<'a> Listed<'a> {
    fn new(batch: &'a RecordBatch, traced: &'a Traced, side: Side) -> Result<Self> {
        let listed = matches!(traced.trace(side), Trace::Rows(_)) && traced.plain(side).is_none();
        let lists = listed.then(|| ListBuilder::new(Int64Builder::new()));
        Ok(Self { side, rows: RowsBehind::of(batch, traced, side, LISTED)?, lists })
    }

    fn read(&mut self, row: usize) -> Result<&[i64]> {
        self.rows.read(row)?;
        let rows = self.rows.get();
        if let Some(lists) = &mut self.lists {
            lists.values().append_slice(rows);
            lists.append(!rows.is_empty());
        }
        Ok(rows)
    }

    fn finish(self, batch: &RecordBatch, traced: &Traced) -> ArrayRef {
        match (self.lists, traced.plain(self.side)) {
            (Some(mut lists), _) => Arc::new(lists.finish()),
            (None, Some(column)) => Arc::clone(batch.column(column)),
            (None, None) => Arc::new(Int64Array::new_null(batch.num_rows())),
        }
    }
}

fn numbers(array: &ArrayRef) -> Result<&Int64Array> {
    let wrong = || Error::defect(format!("a lineage column has the type {}", array.data_type()));
    array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)
}
