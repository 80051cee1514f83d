//! Which rows of the two sides have been matched: one bit per row.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, Int64Builder, ListBuilder, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::Int64Type;

use super::groups::Members;
use super::{Groups, RowsBehind, Side, Trace, Traced};
use crate::error::{Error, Result};

/// Rows of a side that are listed with an output row. All of a larger group are marked, but listing them again with each output
/// row that shares them would make results that grow with the square of the input.
pub const LISTED: usize = 1000;

/// The rows of each side that were matched. Every task marks its own; [`Marks::merge`] unites them.
#[derive(Debug, Clone)]
pub struct Marks {
    left: Bits,
    right: Bits,
    /// Large groups all of whose rows are marked.
    marked: HashSet<i64>,
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
            left: Bits::new(left_rows)?,
            right: Bits::new(right_rows)?,
            marked: HashSet::new(),
            cut: false,
            met: 0,
        })
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
                    self.mark_behind(listed.side, &listed.rows, &traced.groups)?;
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

    fn mark_behind(&mut self, side: Side, rows: &RowsBehind<'_>, groups: &Groups) -> Result<()> {
        self.bits_mut(side).set_all(rows.get())?;
        if rows.is_whole() {
            return Ok(());
        }
        self.bits_mut(side).set_all(rows.single())?;
        rows.groups().iter().try_for_each(|group| self.mark_group(side, *group, groups))
    }

    /// All rows of a group, of which the large ones are taken up once.
    fn mark_group(&mut self, side: Side, group: i64, groups: &Groups) -> Result<()> {
        if self.marked.contains(&group) {
            return Ok(());
        }
        let (mut inner, mut rows) = (Vec::new(), 0);
        let bits = self.bits_mut(side);
        groups.read(group, usize::MAX, |members| {
            match members {
                Members::Rows(members) => {
                    rows += members.len();
                    bits.set_all(members)?;
                }
                Members::Groups(members) => inner.extend_from_slice(members),
            }
            Ok(())
        })?;
        inner.iter().try_for_each(|group| self.mark_group(side, *group, groups))?;
        if rows > LISTED || !inner.is_empty() {
            self.marked.insert(group);
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
            self.mark_behind(side, &rows, &traced.groups)?;
        }
        Ok(())
    }

    /// Marks one row.
    ///
    /// Errors: [`Error::Internal`] when the side has no such row.
    pub fn set(&mut self, side: Side, row: i64) -> Result<()> {
        self.bits_mut(side).set(row)
    }

    /// The hot path: every output row comes from at most one row of each side.
    fn mark_pairs(&mut self, left: &Int64Array, right: &Int64Array) -> Result<()> {
        match NullBuffer::union(left.nulls(), right.nulls()) {
            None => {
                self.met += left.len() as u64;
                self.left.set_all(left.values())?;
                self.right.set_all(right.values())
            }
            Some(both) => {
                self.met += (both.len() - both.null_count()) as u64;
                let (left, right) = (left.values(), right.values());
                for row in both.valid_indices() {
                    self.left.set(left[row])?;
                    self.right.set(right[row])?;
                }
                Ok(())
            }
        }
    }

    /// Adds the rows that another task has matched in the same two sides.
    pub fn merge(&mut self, other: &Self) {
        self.left.merge(&other.left);
        self.right.merge(&other.right);
        self.cut |= other.cut;
        self.met += other.met;
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
        self.bits(side).words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    #[cfg(test)]
    /// Whether a row is matched; no for a row that the side does not have.
    pub fn is_set(&self, side: Side, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|index| self.bits(side).words.get(index));
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// One bit per row of a side, set where the row is *not* matched.
    pub fn unmatched(&self, side: Side) -> BooleanBuffer {
        let bits = self.bits(side);
        BooleanBuffer::new(Buffer::from_iter(bits.words.iter().map(|word| !word)), 0, bits.rows)
    }

    fn bits_mut(&mut self, side: Side) -> &mut Bits {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn bits(&self, side: Side) -> &Bits {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// A bit per row; those past the last row are never set.
#[derive(Debug, Clone)]
struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    fn new(rows: u64) -> Result<Self> {
        let rows = usize::try_from(rows).map_err(|_| Error::defect(format!("{rows} rows are too many")))?;
        Ok(Self { words: vec![0; rows.div_ceil(64)], rows })
    }

    #[inline]
    fn set(&mut self, row: i64) -> Result<()> {
        match usize::try_from(row) {
            Ok(index) if index < self.rows => {
                self.words[index / 64] |= 1 << (index % 64);
                Ok(())
            }
            _ => Err(Error::defect(format!("row number {row} of a source with {} rows", self.rows))),
        }
    }

    fn set_all(&mut self, rows: &[i64]) -> Result<()> {
        rows.iter().try_for_each(|&row| self.set(row))
    }

    fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.rows, other.rows);
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
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
