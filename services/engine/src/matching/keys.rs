//! The fallback where row numbers cannot pass: rows of a side count as matched when an output row holds their primary key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, JoinType, ident, lit};
use futures::StreamExt as _;

use super::{MatchPlan, StagedTable};
use crate::error::{Error, Place, Result};
use crate::lineage::{Marks, RowsBehind, Side, Trace};
use crate::location::Location;
use crate::names::{INTERNAL, ROW_NUMBER, list};
use crate::query;
use crate::stage::RowFile;
use crate::write::{PART_ROWS, Purpose, RowGroups};

/// The keys in the output rows in which both sides met, on their way to a file; clones share it, as long as nothing waits.
#[derive(Clone)]
pub struct FoundKeys {
    /// Where the keys stand in an output row, left side first; of sides that are followed by key.
    places: Vec<(Side, Vec<usize>)>,
    schema: SchemaRef,
    file: RowGroups,
    parts: Arc<AtomicU64>,
    waiting: Vec<RecordBatch>,
}

impl FoundKeys {
    /// `None` where both sides are followed by row number.
    pub fn create(plan: &MatchPlan, directory: &Location) -> Result<Option<Self>> {
        let places: Vec<(Side, Vec<usize>)> =
            Side::BOTH.into_iter().filter_map(|side| Some((side, plan.keys(side)?.places.clone()))).collect();
        if places.is_empty() {
            return Ok(None);
        }
        let output = plan.physical.schema();
        let fields = places.iter().flat_map(|(side, places)| {
            let named = |(n, at): (usize, &usize)| Field::clone(output.field(*at)).with_name(name(*side, n));
            places.iter().enumerate().map(named).collect::<Vec<_>>()
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let file = RowGroups::create(&directory.join("keys.parquet"), &schema, Purpose::Staged)?;
        Ok(Some(Self { places, schema, file, parts: Arc::default(), waiting: Vec::new() }))
    }

    /// Adds the keys in an output batch; gives the rows in which both sides met.
    pub async fn add(&mut self, batch: &RecordBatch, plan: &MatchPlan) -> Result<RecordBatch> {
        let mut met = vec![true; batch.num_rows()];
        for side in Side::BOTH {
            if let Trace::Rows(columns) = plan.traced.trace(side) {
                let mut rows = RowsBehind::new(batch, columns, &plan.traced.groups, 1)?;
                for (row, met) in met.iter_mut().enumerate() {
                    *met &= !rows.read(row)?.is_empty();
                }
            }
        }
        let places: Vec<usize> = self.places.iter().flat_map(|(_, places)| places).copied().collect();
        for nulls in places.iter().filter_map(|at| batch.column(*at).logical_nulls()) {
            met.iter_mut().zip(nulls.iter()).for_each(|(met, valid)| *met &= valid);
        }
        let broken = |e| Error::defect_of("keys of matched rows", e);
        let met = filter_record_batch(batch, &BooleanArray::from(met)).map_err(broken)?;
        let columns = places.iter().map(|at| Arc::clone(met.column(*at))).collect();
        let keys = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(broken)?;
        self.waiting.push(keys);
        if self.waiting.iter().map(RecordBatch::num_rows).sum::<usize>() >= PART_ROWS {
            self.write().await?;
        }
        Ok(met)
    }

    /// Writes the keys that wait.
    pub async fn write(&mut self) -> Result<()> {
        let part = self.parts.fetch_add(1, Ordering::Relaxed);
        self.file.write(part, &std::mem::take(&mut self.waiting)).await
    }

    /// Marks the rows whose keys were found.
    pub async fn mark(self, ctx: &SessionContext, plan: &MatchPlan, marks: &mut Marks) -> Result<()> {
        let (written, metadata) = self.file.finish().await?;
        let found = RowFile::new(written.location.clone(), written.bytes, metadata);
        let found = found.map_err(|e| Error::defect_of("keys of matched rows", e))?;
        for (side, _) in &self.places {
            let marked = mark_side(ctx, plan, &found, *side, marks).await;
            marked.map_err(|e| query::execution_error(e, &plan.limits))?;
        }
        // The rows that are kept for later are those of the sources.
        match written.location.as_local().map(std::fs::remove_file) {
            Some(Err(e)) => Err(Error::defect_of("keys of matched rows", e)),
            _ => Ok(()),
        }
    }
}

/// Rows that share a key cannot be told apart by it: all of them would count as matched when one is.
pub async fn refuse_repeated(ctx: &SessionContext, plan: &MatchPlan, side: Side) -> Result<()> {
    let Some(keys) = plan.keys(side) else { return Ok(()) };
    let failed = |e| query::execution_error(e, &plan.limits);
    let Some(repeated) = repeated(ctx, plan, side, &keys.columns).await.map_err(failed)? else { return Ok(()) };
    let names = list(&keys.columns);
    Err(Error::Data {
        alias: keys.alias.clone(),
        place: Place::default(),
        reason: format!(
            "the primary key {names} is not unique: {repeated}. Rows are followed by it, so name the columns that together are \
             different in each row"
        ),
    })
}

/// A key that stands in more than one row, and in which; rows without a key are nobody's.
async fn repeated(
    ctx: &SessionContext,
    plan: &MatchPlan,
    side: Side,
    columns: &[String],
) -> Result<Option<String>, DataFusionError> {
    let known = columns.iter().map(|column| ident(column).is_not_null()).reduce(Expr::and);
    let rows = ident(ROW_NUMBER);
    let found = ctx
        .read_table(plan.numbered(side))?
        .filter(known.unwrap_or_else(|| lit(true)))?
        .aggregate(columns.iter().map(ident).collect(), vec![min(rows.clone()), max(rows.clone()), count(rows)])?;
    let places: Vec<String> = found.schema().columns().into_iter().map(|column| column.name).collect();
    let [.., first, _, times] = places.as_slice() else { return Ok(None) };
    let found =
        found.filter(ident(times).gt(lit(1)))?.sort_by(vec![ident(first)])?.limit(0, Some(1))?.collect().await?;
    let Some(row) = found.into_iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    let options = FormatOptions::default();
    let texts: Vec<String> = row
        .columns()
        .iter()
        .map(|column| Ok(ArrayFormatter::try_new(column, &options)?.value(0).to_string()))
        .collect::<Result<_, DataFusionError>>()?;
    let (values, rest) = texts.split_at(columns.len());
    let [first, last, times] = rest else { return Ok(None) };
    let values = values.join("`, `");
    Ok(Some(format!("`{values}` stands in {times} rows, such as {first} and {last}, counted from 0")))
}

async fn mark_side(
    ctx: &SessionContext,
    plan: &MatchPlan,
    found: &RowFile,
    side: Side,
    marks: &mut Marks,
) -> Result<(), DataFusionError> {
    let keys = plan.keys(side).map(|keys| keys.columns.as_slice()).unwrap_or_default();
    let theirs = |n: usize| ident(name(side, n));
    let wanted: Vec<Expr> = [ident(ROW_NUMBER)].into_iter().chain(keys.iter().map(ident)).collect();
    let on: Vec<Expr> = keys.iter().enumerate().map(|(n, key)| ident(key).eq(theirs(n))).collect();
    let found = ctx.read_table(Arc::new(StagedTable::new(ctx, found, false)?))?;
    let found = found.select((0..keys.len()).map(theirs).collect::<Vec<_>>())?;
    let rows = ctx.read_table(plan.numbered(side))?.select(wanted)?.join_on(found, JoinType::LeftSemi, on)?;
    let mut rows = rows.select(vec![ident(ROW_NUMBER)])?.execute_stream().await?;
    while let Some(batch) = rows.next().await {
        for row in batch?.column(0).as_primitive::<Int64Type>().values() {
            marks.set(side, *row).map_err(|e| DataFusionError::External(Box::new(e)))?;
        }
    }
    Ok(())
}

fn name(side: Side, n: usize) -> String {
    format!("{INTERNAL}{}_key_{n}", side.as_str())
}
