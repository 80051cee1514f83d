//! The rows that a run has read, as they are kept beside its results, or lie in its sources still.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;

use super::tables::Tables;
use crate::attempt;
use crate::error::{Error, Result, Violation};
use crate::job::Limits;
use crate::location::Location;
use crate::manifest::{Column, Input, Manifest};
use crate::stage::{self, ColumnNote};
use crate::stores::Stores;

/// Rows that are read together.
const UNIT_ROWS: u64 = 64 * 1024;

/// See [`crate::source_rows`].
pub async fn source_rows(
    output: &Location,
    input: &Input,
    numbers: &[u64],
    stores: &Stores,
) -> Result<Vec<RecordBatch>> {
    if let Some(number) = numbers.iter().find(|number| **number >= input.rows) {
        let message = format!("`{}` has {} rows, counted from 0: there is no row {number}", input.alias, input.rows);
        return Err(Error::Invalid(vec![Violation::new("rows", message)]));
    }
    let file = open(output, input, stores).await?;
    let mut found = BTreeMap::new();
    for unit in file.units(UNIT_ROWS) {
        let wanted: BTreeSet<u64> = numbers.iter().copied().filter(|number| unit.rows.contains(number)).collect();
        if wanted.is_empty() {
            continue;
        }
        let mask = unit.rows.clone().map(|number| wanted.contains(&number)).collect();
        let batches = file.read(&unit, mask).await?;
        let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
        found.extend(wanted.into_iter().zip(rows));
    }
    Ok(numbers.iter().filter_map(|number| found.get(number).cloned()).collect())
}

/// The tables of a run, and its `match_sql` planned over them.
pub async fn kept(output: &Location, manifest: &Manifest, limits: &Limits, stores: &Stores) -> Result<Tables> {
    let mut files = Vec::new();
    for input in manifest.inputs() {
        let note = |column: &Column| Some(ColumnNote { column: column.name.clone(), note: column.note.clone()? });
        let notes = input.columns.iter().filter_map(note).collect();
        files.push((input.alias.as_str(), open(output, input, stores).await?, notes));
    }
    Tables::plan(&manifest.match_sql, &files, limits).await
}

async fn open(output: &Location, input: &Input, stores: &Stores) -> Result<stage::RowFile> {
    let alias = &input.alias;
    if let Some(path) = &input.staged {
        let location = attempt::below(output, path);
        return match stage::parquet::open(alias, &location).await {
            Ok((file, _)) => Ok(file),
            Err(Error::NotFound { .. }) => {
                Err(Error::Missing(format!("the rows of `{alias}` are no longer kept: run the job again")))
            }
            Err(error) => Err(error),
        };
    }
    if input.facts.format != "parquet" {
        return Err(Error::Missing(format!(
            "the rows of `{alias}` were not kept: run the job again with --keep-staged"
        )));
    }
    let denied = |what| Error::Denied { alias: alias.clone(), what };
    let location = stores.locate(&input.uri).map_err(denied)?;
    let (file, facts) = stage::parquet::open(alias, &location).await?;
    if facts.fingerprint != input.facts.fingerprint {
        return Err(Error::Missing(format!("{location} has changed since the run: run the job again")));
    }
    Ok(file)
}
