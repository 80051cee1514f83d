//! Counts of equal and different values, batch by batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListBuilder, StringBuilder, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};

use super::apart::Apart;
use super::plan::{Compared, Comparison};
use super::values::{broken, shown};
use super::{ColumnDifferences, Differences, Example};
use crate::error::Result;
use crate::names::DIFFERS;

/// Examples of a column.
const EXAMPLES: usize = 3;

/// The column `_differs` of the matched result set: the names that the columns which differ have on the left; NULL where none does.
pub fn field() -> Field {
    Field::new(DIFFERS, DataType::new_list(DataType::Utf8, true), true)
}

/// What one task has found. Every task counts in a tally of its own; [`Tally::merge`] unites them.
pub struct Tally {
    comparison: Arc<Comparison>,
    matches: u64,
    differing: u64,
    columns: Vec<ColumnTally>,
}

/// Of one column; `found` has no names.
#[derive(Default)]
struct ColumnTally {
    found: ColumnDifferences,
    largest: Option<Apart>,
}

/// A batch of output rows, and where they come from.
struct Rows<'a> {
    columns: &'a [ArrayRef],
    /// The first row of each side behind each of them.
    first: [&'a [i64]; 2],
    /// In which of them both sides met; `None`: in all.
    met: Option<BooleanBuffer>,
}

impl Tally {
    pub fn new(comparison: Arc<Comparison>) -> Self {
        let columns = comparison.columns.iter().map(|_| ColumnTally::default()).collect();
        Self { comparison, matches: 0, differing: 0, columns }
    }

    /// Counts output rows, given `_left_row` and `_right_row` of them and the first number in each of these; gives `_differs`.
    pub fn add(&mut self, columns: &[ArrayRef], [left, right]: [&ArrayRef; 2], first: [&[i64]; 2]) -> Result<ArrayRef> {
        let both = NullBuffer::union(left.nulls(), right.nulls());
        let met = both.as_ref().map_or(left.len(), |nulls| nulls.len() - nulls.null_count());
        self.matches += met as u64;
        let rows = Rows { columns, first, met: both.map(NullBuffer::into_inner) };
        let mut differ: Vec<(u32, usize)> = Vec::new();
        for (at, (tally, compared)) in self.columns.iter_mut().zip(&self.comparison.columns).enumerate() {
            tally.found.equal += met as u64;
            let found = tally.add(compared, &rows, &self.comparison.keys)?;
            differ.extend(found.into_iter().map(|row| (row, at)));
        }
        differ.sort_unstable();
        let names = self.comparison.columns.iter().map(|compared| compared.names[0].as_str()).collect::<Vec<_>>();
        let mut lists = ListBuilder::new(StringBuilder::new());
        let mut rest = differ.as_slice();
        for row in 0..left.len() {
            let own = rest.iter().take_while(|(of, _)| *of as usize == row).count();
            let (own, after) = rest.split_at(own);
            own.iter().for_each(|(_, column)| lists.values().append_value(names[*column]));
            lists.append(!own.is_empty());
            self.differing += u64::from(!own.is_empty());
            rest = after;
        }
        Ok(Arc::new(lists.finish()))
    }

    /// Adds what another task has counted.
    pub fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        self.differing += other.differing;
        self.columns.iter_mut().zip(other.columns).for_each(|(own, other)| own.merge(other));
    }

    pub fn finish(self) -> Differences {
        let columns = self.columns.into_iter().zip(&self.comparison.columns).map(|(tally, compared)| {
            let ([left, right], [left_type, right_type]) = (compared.names.clone(), compared.types.clone());
            let [left_output, right_output] = compared.outputs.clone();
            let (largest, allowed) = (tally.largest.map(|apart| apart.to_string()), compared.allowed.clone());
            ColumnDifferences {
                left,
                right,
                left_type,
                right_type,
                left_output,
                right_output,
                allowed,
                largest,
                ..tally.found
            }
        });
        Differences {
            matches: self.matches,
            differing: self.differing,
            columns: columns.collect(),
            ..self.comparison.schemas.clone()
        }
    }
}

impl ColumnTally {
    /// Counts the rows of a batch, all of which count as equal so far; gives those in which the column differs.
    fn add(&mut self, compared: &Compared, rows: &Rows<'_>, keys: &[usize]) -> Result<Vec<u32>> {
        let [left, right] = compared.places.map(|place| &rows.columns[place]);
        let equal = compared.test.equal(left, right)?;
        let unequal = match &rows.met {
            Some(met) => &!&equal & met,
            None => !&equal,
        };
        if unequal.count_set_bits() == 0 {
            return Ok(Vec::new());
        }
        let places: UInt32Array = unequal.set_indices_u32().collect::<Vec<_>>().into();
        self.found.equal -= places.len() as u64;
        let pick = |column: &ArrayRef| take(column, &places, None).map_err(broken);
        let (left, right) = (pick(left)?, pick(right)?);
        let near = compared.test.near(&left, &right)?;
        let is_near = |at: usize| near.as_ref().is_some_and(|near: &BooleanArray| near.is_valid(at) && near.value(at));
        if let Some(apart) = compared.test.furthest(&left, &right)? {
            self.largest = Some(self.largest.map_or(apart, |own| own.greater(apart)));
        }
        let mut differ = Vec::with_capacity(places.len());
        for (at, row) in places.values().iter().copied().enumerate() {
            let count = match (left.is_null(at), right.is_null(at)) {
                (true, _) => &mut self.found.missing_left,
                (_, true) => &mut self.found.missing_right,
                _ if is_near(at) => &mut self.found.within,
                _ => &mut self.found.different,
            };
            *count += 1;
            if left.is_valid(at) && right.is_valid(at) && is_near(at) {
                continue;
            }
            differ.push(row);
            let [left_row, right_row] = rows.first.map(|first| first[row as usize].cast_unsigned());
            if self.is_early(left_row, right_row) {
                let key = keys.iter().map(|key| Ok(value(&rows.columns[*key], row as usize)?.unwrap_or_default()));
                let (key, left, right) = (key.collect::<Result<_>>()?, value(&left, at)?, value(&right, at)?);
                self.keep([Example { left_row, right_row, key, left, right }]);
            }
        }
        Ok(differ)
    }

    /// Whether a match comes before one of the examples, or there is room for more of these.
    fn is_early(&self, left: u64, right: u64) -> bool {
        let last = self.found.examples.last().map(|example| (example.left_row, example.right_row));
        self.found.examples.len() < EXAMPLES || last.is_none_or(|last| (left, right) < last)
    }

    fn keep(&mut self, examples: impl IntoIterator<Item = Example>) {
        let own = &mut self.found.examples;
        own.extend(examples);
        own.sort_by_key(|example| (example.left_row, example.right_row));
        own.truncate(EXAMPLES);
    }

    fn merge(&mut self, other: Self) {
        let (own, found) = (&mut self.found, other.found);
        own.equal += found.equal;
        own.within += found.within;
        own.different += found.different;
        own.missing_left += found.missing_left;
        own.missing_right += found.missing_right;
        self.keep(found.examples);
        self.largest = match (self.largest, other.largest) {
            (Some(own), Some(other)) => Some(own.greater(other)),
            (own, other) => own.or(other),
        };
    }
}

/// A value as text; `None` for NULL.
fn value(column: &ArrayRef, row: usize) -> Result<Option<String>> {
    let text = shown(&column.slice(row, 1)).map_err(broken)?;
    Ok(text.is_valid(0).then(|| text.value(0).to_owned()))
}
