//! What a row must be to be seen.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::{boolean, comparison};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;

use super::cast;
use super::only::{Known, Only};
use crate::error::{Error, Result, Violation};
use crate::job::Filter;
use crate::stage::filter::{BatchFilter, is_text, pattern_of};

/// Filters and a text to look for, checked against the columns of a table.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    filter: Option<BatchFilter>,
    search: Option<Search>,
    among: Option<Among>,
}

/// The rows of the file that are looked at.
#[derive(Clone)]
struct Among {
    only: Only,
    rows: Known,
}

/// Of one file they are always the same.
impl fmt::Debug for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.only)
    }
}

#[derive(Debug, Clone)]
struct Search {
    pattern: ArrayRef,
    columns: BTreeSet<usize>,
}

impl Condition {
    pub fn new(filters: &[Filter], search: Option<&str>, schema: &Schema) -> Result<Self> {
        let filter = BatchFilter::new(filters, schema, "selection").map_err(|error| match error {
            Error::Invalid(violations) => Error::Invalid(violations.into_iter().map(inside).collect()),
            other => other,
        })?;
        let texts = schema.fields().iter().enumerate().filter(|(_, field)| is_text(field.data_type()));
        let columns: BTreeSet<usize> = texts.map(|(column, _)| column).collect();
        let pattern = |text: &str| Arc::new(StringArray::from(vec![pattern_of(text)])) as ArrayRef;
        let search = search.filter(|text| !text.is_empty());
        Ok(Self { filter, search: search.map(|text| Search { pattern: pattern(text), columns }), among: None })
    }

    /// The same, of these rows alone.
    pub fn among(self, rows: Option<(Only, Known)>) -> Self {
        Self { among: rows.map(|(only, rows)| Among { only, rows }), ..self }
    }

    /// Which of `length` rows from `start` on are looked at; `None`: all of them.
    pub fn looked_at(&self, start: usize, length: usize) -> Option<BooleanBuffer> {
        self.among.as_ref().map(|among| among.rows.slice(start, length))
    }

    pub fn is_empty(&self) -> bool {
        self.filter.is_none() && self.search.is_none() && self.among.is_none()
    }

    /// The columns that decide.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut columns = self.filter.as_ref().map(BatchFilter::columns).unwrap_or_default();
        columns.extend(self.search.iter().flat_map(|search| &search.columns));
        columns
    }

    /// Of each of some sets of rows, whether one of them may pass; see [`BatchFilter::may_pass`].
    pub fn may_pass(
        &self,
        sets: usize,
        bounds: impl Fn(usize) -> Option<(ArrayRef, ArrayRef)>,
    ) -> Result<Vec<bool>, ArrowError> {
        self.filter.as_ref().map_or_else(|| Ok(vec![true; sets]), |filter| filter.may_pass(sets, bounds))
    }

    /// What is asked of some columns each, the cheap first, for batches of these columns alone.
    pub fn steps(&self) -> Vec<Step> {
        let filter = self.filter.as_ref().map(|filter| {
            let columns = filter.columns();
            Step { test: Test::Filter(filter.onto(&columns)), columns }
        });
        let search = self
            .search
            .as_ref()
            .map(|search| Step { test: Test::Search(Arc::clone(&search.pattern)), columns: search.columns.clone() });
        filter.into_iter().chain(search).collect()
    }
}

/// The filters of a selection are named without it.
fn inside(violation: Violation) -> Violation {
    let field = violation.field.strip_prefix("selection.").unwrap_or(&violation.field).to_owned();
    Violation { field, ..violation }
}

/// A part of a condition that is decided by some columns.
pub struct Step {
    pub columns: BTreeSet<usize>,
    test: Test,
}

enum Test {
    Filter(BatchFilter),
    Search(ArrayRef),
}

impl Step {
    /// Which rows of a batch of [`Step::columns`] pass.
    pub fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let all = BooleanArray::from(vec![true; batch.num_rows()]);
        match &self.test {
            Test::Filter(filter) => Ok(filter.mask(batch)?.unwrap_or(all)),
            Test::Search(pattern) => {
                let none = BooleanArray::from(vec![false; batch.num_rows()]);
                batch.columns().iter().try_fold(none, |found, column| {
                    boolean::or_kleene(&found, &comparison::ilike(column, &like(pattern, column.data_type())?)?)
                })
            }
        }
    }
}

fn like(pattern: &ArrayRef, column: &DataType) -> Result<Scalar<ArrayRef>, ArrowError> {
    cast(pattern, column).map(Scalar::new)
}
