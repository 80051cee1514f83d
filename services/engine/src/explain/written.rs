//! What a run has written, as far as it tells which rows are matched, and with which.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray as _, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int64Type};
use futures::TryStreamExt as _;

use crate::error::{Error, Result};
use crate::job::{Filter, FilterOp, FilterValue};
use crate::lineage::{Groups, RowsBehind};
use crate::location::Location;
use crate::manifest::Manifest;
use crate::names::{LEFT_ROW, RIGHT_ROW, ROW};
use crate::results::{Reader, ResultSet, Rows, Selection};

/// The result sets of a run. Sides are 0, the left one, and 1.
pub struct Written<'a> {
    pub reader: Reader,
    pub output: &'a Location,
    pub manifest: &'a Manifest,
}

impl Written<'_> {
    async fn read(&self, set: ResultSet, columns: &[&str], filter: Option<Filter>) -> Result<Rows> {
        let selection = Selection {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            filters: filter.into_iter().collect(),
            ..Selection::default()
        };
        let table = self.reader.open(self.output, self.manifest, set).await?;
        table.select(selection).await?.rows().await
    }

    pub async fn is_unmatched(&self, side: usize, row: u64) -> Result<bool> {
        let filter =
            Filter { column: ROW.to_owned(), op: FilterOp::Eq, values: vec![FilterValue::Number(row.to_string())] };
        let mut found = self.read(UNMATCHED[side], &[ROW], Some(filter)).await?;
        while let Some(batch) = found.try_next().await? {
            if batch.num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A bit for every row of a side that is set where it is unmatched.
    pub async fn unmatched(&self, side: usize, rows: u64) -> Result<BooleanBuffer> {
        let rows = usize::try_from(rows).map_err(|_| Error::defect(format!("{rows} rows are too many")))?;
        let mut bits = BooleanBufferBuilder::new(rows);
        bits.append_n(rows, false);
        let mut unmatched = self.read(UNMATCHED[side], &[ROW], None).await?;
        while let Some(batch) = unmatched.try_next().await? {
            for row in batch.column(0).as_primitive::<Int64Type>().values() {
                if let Some(row) = usize::try_from(*row).ok().filter(|row| *row < rows) {
                    bits.set_bit(row, true);
                }
            }
        }
        Ok(bits.finish())
    }

    /// The rows that some rows of a side are matched with, as far as they are listed.
    pub async fn partners(&self, side: usize, rows: &BTreeSet<i64>) -> Result<BTreeMap<i64, Vec<i64>>> {
        let mut partners: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        let table = self.reader.open(self.output, self.manifest, ResultSet::Matched).await?;
        let types = ROWS.map(|name| table.schema().field_with_name(name).map(|f| f.data_type().clone()).ok());
        // Lists are text in CSV.
        let followed = |t: &Option<DataType>| matches!(t, Some(DataType::Int64 | DataType::List(_)));
        if rows.is_empty() || !types.iter().all(followed) {
            return Ok(BTreeMap::new());
        }
        let filter = (types[side] == Some(DataType::Int64)).then(|| Filter {
            column: ROWS[side].to_owned(),
            op: FilterOp::In,
            values: rows.iter().map(|row| FilterValue::Number(row.to_string())).collect(),
        });
        // Results list the rows themselves.
        let none = Groups::new(None);
        let mut matched = self.read(ResultSet::Matched, &ROWS, filter).await?;
        while let Some(batch) = matched.try_next().await? {
            let mut own = RowsBehind::new(&batch, &[side], &none, usize::MAX)?;
            let mut others = RowsBehind::new(&batch, &[1 - side], &none, usize::MAX)?;
            for at in 0..batch.num_rows() {
                let others = others.read(at)?;
                for row in own.read(at)?.iter().filter(|row| rows.contains(row)) {
                    partners.entry(*row).or_default().extend(others);
                }
            }
        }
        Ok(partners.into_iter().map(|(row, with)| (row, with.into_iter().collect())).collect())
    }
}

/// Whether a row is matched, by the bits of [`Written::unmatched`].
pub fn is_matched(unmatched: &BooleanBuffer, row: i64) -> bool {
    usize::try_from(row).is_ok_and(|row| row < unmatched.len() && !unmatched.value(row))
}

const UNMATCHED: [ResultSet; 2] = [ResultSet::UnmatchedLeft, ResultSet::UnmatchedRight];
const ROWS: [&str; 2] = [LEFT_ROW, RIGHT_ROW];
