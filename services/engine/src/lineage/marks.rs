//! Which rows of the two sides have been matched: one bit per row.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::{Side, Trace, Traced};
use crate::error::{Error, Result};

/// The rows of each side that were matched. Every task marks its own; [`Marks::merge`] unites them.
#[derive(Debug, Clone)]
pub struct Marks {
    left: Bits,
    right: Bits,
}

impl Marks {
    /// Nothing is matched yet; the arguments are the numbers of rows of the sides.
    ///
    /// Errors: [`Error::Internal`] when a side has more rows than this machine can address.
    pub fn new(left_rows: u64, right_rows: u64) -> Result<Self> {
        Ok(Self { left: Bits::new(left_rows)?, right: Bits::new(right_rows)? })
    }

    /// Marks the rows behind a batch of [`Traced::plan`]'s output, and gives the columns `_left_row` and `_right_row` of
    /// [`Traced::row_columns`] (one value per row of the batch; lists ascend and hold each row once).
    ///
    /// Errors: [`Error::Internal`] when a row number is not one of the side's.
    pub fn mark(&mut self, batch: &RecordBatch, traced: &Traced) -> Result<(ArrayRef, ArrayRef)> {
        if let (Some(left), Some(right)) = (traced.plain(Side::Left), traced.plain(Side::Right)) {
            let (left, right) = (batch.column(left), batch.column(right));
            self.mark_pairs(numbers(left)?, numbers(right)?)?;
            return Ok((Arc::clone(left), Arc::clone(right)));
        }
        let left = RowLists::of(batch, &traced.left)?;
        let right = RowLists::of(batch, &traced.right)?;
        for row in 0..batch.num_rows() {
            let (left, right) = (left.get(row), right.get(row));
            if !left.is_empty() && !right.is_empty() {
                self.left.set_all(left)?;
                self.right.set_all(right)?;
            }
        }
        let public = |side: Side, lists: RowLists| match (traced.trace(side), traced.plain(side)) {
            (_, Some(column)) => Ok(Arc::clone(batch.column(column))),
            (Trace::Rows(_), None) => lists.into_array(),
            (Trace::Lost(_), None) => Ok(Arc::new(Int64Array::new_null(batch.num_rows())) as ArrayRef),
        };
        Ok((public(Side::Left, left)?, public(Side::Right, right)?))
    }

    /// Marks every row of one side behind a batch, for a caller that knows that the other side was met.
    ///
    /// Errors: [`Error::Internal`] when a row number is not one of the side's.
    pub fn mark_side(&mut self, batch: &RecordBatch, traced: &Traced, side: Side) -> Result<()> {
        let lists = RowLists::of(batch, traced.trace(side))?;
        self.bits_mut(side).set_all(&lists.rows)
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
                self.left.set_all(left.values())?;
                self.right.set_all(right.values())
            }
            Some(both) => {
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
        let rows = usize::try_from(rows).map_err(|_| Error::Internal(format!("{rows} rows are too many")))?;
        Ok(Self { words: vec![0; rows.div_ceil(64)], rows })
    }

    #[inline]
    fn set(&mut self, row: i64) -> Result<()> {
        match usize::try_from(row) {
            Ok(index) if index < self.rows => {
                self.words[index / 64] |= 1 << (index % 64);
                Ok(())
            }
            _ => Err(Error::Internal(format!("row number {row} of a source with {} rows", self.rows))),
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

/// The row numbers of one side behind every output row: ascending, each once.
#[derive(Debug)]
pub struct RowLists {
    rows: Vec<i64>,
    /// Ends of the output rows' parts in `rows`.
    ends: Vec<usize>,
}

impl RowLists {
    fn of(batch: &RecordBatch, trace: &Trace) -> Result<Self> {
        match trace {
            Trace::Rows(columns) => Self::read(batch, columns),
            Trace::Lost(_) => Self::read(batch, &[]),
        }
    }

    /// Of the columns of a batch that hold the row numbers of one side.
    ///
    /// Errors: [`Error::Internal`] when they hold something else.
    pub fn read(batch: &RecordBatch, columns: &[usize]) -> Result<Self> {
        let mut lists = Self { rows: Vec::new(), ends: Vec::with_capacity(batch.num_rows()) };
        let mut one = Vec::new();
        for row in 0..batch.num_rows() {
            one.clear();
            for &column in columns {
                flatten(batch.column(column), row..row + 1, &mut one)?;
            }
            one.sort_unstable();
            one.dedup();
            lists.rows.extend_from_slice(&one);
            lists.ends.push(lists.rows.len());
        }
        Ok(lists)
    }

    /// Of one row of the batch.
    pub fn get(&self, row: usize) -> &[i64] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.rows[start..self.ends[row]]
    }

    fn into_array(self) -> Result<ArrayRef> {
        let lengths = || (0..self.ends.len()).map(|row| self.get(row).len());
        if i32::try_from(self.rows.len()).is_err() {
            return Err(Error::Sql(
                "a batch of matches comes from more than 2^31 rows: group by more columns".to_owned(),
            ));
        }
        let offsets = OffsetBuffer::from_lengths(lengths());
        let nulls = NullBuffer::from_iter(lengths().map(|length| length > 0));
        let field = Arc::new(Field::new_list_field(DataType::Int64, true));
        let list = ListArray::try_new(field, offsets, Arc::new(Int64Array::from(self.rows)), Some(nulls));
        Ok(Arc::new(list.map_err(|e| Error::Internal(format!("row lists: {e}")))?))
    }
}

/// Appends the row numbers in a range of an array of numbers, lists or lists of lists, without NULLs.
fn flatten(array: &dyn Array, range: Range<usize>, rows: &mut Vec<i64>) -> Result<()> {
    if let Some(lists) = array.as_list_opt::<i32>() {
        let (offsets, values) = (lists.value_offsets(), lists.values());
        for row in range.filter(|&row| lists.is_valid(row)) {
            let bound = |offset: i32| usize::try_from(offset).map_err(|e| Error::Internal(format!("list offset: {e}")));
            flatten(values, bound(offsets[row])?..bound(offsets[row + 1])?, rows)?;
        }
        return Ok(());
    }
    let numbers = numbers(array)?;
    rows.extend(range.filter(|&row| numbers.is_valid(row)).map(|row| numbers.value(row)));
    Ok(())
}

fn numbers(array: &dyn Array) -> Result<&Int64Array> {
    let wrong = || Error::Internal(format!("a lineage column has the type {}", array.data_type()));
    array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)
}
