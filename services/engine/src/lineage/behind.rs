//! Which rows of a side are behind an output row.

use arrow::array::{Array as _, AsArray as _, Int64Array, ListArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Int64Type};

use super::groups::Members;
use super::{Groups, Side, Trace, Traced};
use crate::error::{Error, Result};

/// Reads the rows of one side behind the rows of a batch, one after the other: held is what is behind one of them.
pub struct RowsBehind<'a> {
    columns: Vec<Column<'a>>,
    numbered: &'a Groups,
    most: usize,
    rows: Vec<i64>,
    whole: bool,
    single: Vec<i64>,
    groups: Vec<i64>,
    /// The groups of the row before.
    before: Vec<i64>,
}

/// A column with numbers.
enum Column<'a> {
    Rows(&'a Int64Array),
    /// As results have them.
    Lists(&'a ListArray),
    Groups(&'a UInt64Array),
}

impl<'a> RowsBehind<'a> {
    /// Of the output of a traced plan; the first `most` behind each row.
    pub(super) fn of(batch: &'a RecordBatch, traced: &'a Traced, side: Side, most: usize) -> Result<Self> {
        match traced.trace(side) {
            Trace::Rows(columns) => Self::new(batch, columns, &traced.groups, most),
            Trace::Lost(_) => Self::new(batch, &[], &traced.groups, most),
        }
    }

    /// Of the columns of a batch that hold numbers of one side; the first `most` behind each row.
    ///
    /// Errors: [`Error::Internal`] when the columns hold something else.
    pub fn new(batch: &'a RecordBatch, columns: &[usize], numbered: &'a Groups, most: usize) -> Result<Self> {
        let columns = columns.iter().map(|column| Column::new(batch, *column)).collect::<Result<_>>()?;
        let (single, groups, before) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { columns, numbered, most, rows: Vec::new(), whole: true, single, groups, before })
    }

    /// Turns to a row of the batch and gives the rows behind it: ascending, each once.
    ///
    /// Errors: [`Error::Output`] when the file of the groups cannot be read.
    pub fn read(&mut self, row: usize) -> Result<&[i64]> {
        std::mem::swap(&mut self.before, &mut self.groups);
        let only_groups_before = self.single.is_empty();
        self.single.clear();
        self.groups.clear();
        for column in &self.columns {
            column.numbers(row, &mut self.single, &mut self.groups);
        }
        self.groups.sort_unstable();
        self.groups.dedup();
        if only_groups_before && self.single.is_empty() && self.groups == self.before {
            return Ok(&self.rows);
        }
        self.rows.clone_from(&self.single);
        self.whole = true;
        for group in &self.groups {
            self.whole &= gather(self.numbered, *group, self.most, &mut self.rows)?;
        }
        self.whole &= cut(&mut self.rows, self.most);
        Ok(&self.rows)
    }

    pub fn get(&self) -> &[i64] {
        &self.rows
    }

    /// Whether there are no more than those.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The numbers that are behind the row one by one, in any order.
    pub(super) fn single(&self) -> &[i64] {
        &self.single
    }

    /// The groups that are.
    pub(super) fn groups(&self) -> &[i64] {
        &self.groups
    }
}

impl<'a> Column<'a> {
    fn new(batch: &'a RecordBatch, index: usize) -> Result<Self> {
        let column = batch.column(index);
        match column.data_type() {
            DataType::Int64 => Ok(Self::Rows(column.as_primitive())),
            DataType::UInt64 => Ok(Self::Groups(column.as_primitive())),
            DataType::List(item) if *item.data_type() == DataType::Int64 => Ok(Self::Lists(column.as_list())),
            other => Err(Error::defect(format!("a lineage column has the type {other}"))),
        }
    }

    fn numbers(&self, row: usize, rows: &mut Vec<i64>, groups: &mut Vec<i64>) {
        match self {
            Self::Rows(numbers) if numbers.is_valid(row) => rows.push(numbers.value(row)),
            Self::Groups(numbers) if numbers.is_valid(row) => groups.push(numbers.value(row).cast_signed()),
            Self::Lists(lists) if lists.is_valid(row) => {
                let list = lists.value(row);
                rows.extend(list.as_primitive::<Int64Type>().iter().flatten());
            }
            _ => {}
        }
    }
}

/// All rows of some groups: ascending, each once.
///
/// Errors: [`Error::Output`] when the file of the groups cannot be read.
pub(super) fn all_rows(numbered: &Groups, groups: &[i64]) -> Result<Vec<i64>> {
    let mut rows = Vec::new();
    for group in groups {
        gather(numbered, *group, usize::MAX, &mut rows)?;
    }
    cut(&mut rows, usize::MAX);
    Ok(rows)
}

/// Adds the first `most` rows of a group; says whether these are all.
fn gather(groups: &Groups, group: i64, most: usize, rows: &mut Vec<i64>) -> Result<bool> {
    let mut inner = Vec::new();
    let mut whole = groups.read(group, most, |members| {
        match members {
            Members::Rows(members) => rows.extend_from_slice(members),
            Members::Groups(members) => inner.extend_from_slice(members),
        }
        Ok(())
    })?;
    for group in inner {
        whole &= gather(groups, group, most, rows)?;
        // The first rows of all are among the first rows of each.
        if rows.len() / 4 > most {
            whole &= cut(rows, most);
        }
    }
    Ok(whole)
}

/// Puts rows in order, each once, and keeps the first `most`; says whether these are all.
fn cut(rows: &mut Vec<i64>, most: usize) -> bool {
    rows.sort_unstable();
    rows.dedup();
    let whole = rows.len() <= most;
    rows.truncate(most);
    whole
}
