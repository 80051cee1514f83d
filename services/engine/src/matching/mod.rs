//! Runs the traced `match_sql` once: writes what it gives and marks the rows of both sides that took part.

mod keys;
mod order;
mod plan;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt as _;
use tokio::task::JoinSet;

pub use plan::{MatchPlan, PlanTable, plan, register, sides};
pub use table::{StagedTable, untyped};

use crate::differences::{self, Differences, Tally};
use crate::error::{Error, Result};
use crate::job::Limits;
use crate::lineage::{Marks, Side, Traced};
use crate::location::Location;
use crate::query::Joins;
use crate::stage::Staged;
use crate::tasks;
use crate::write::{PART_ROWS, Parts, TableWriter};
use keys::FoundKeys;
use order::{Found, Rows, Runs};

/// What the match has found.
pub struct Matched {
    pub marks: Marks,
    pub differences: Option<Differences>,
    pub spilled_bytes: u64,
}

/// Output rows whose lists of rows are made at a time.
const LISTED_AT_ONCE: usize = 1024;

/// The columns of the matched result set: those of `match_sql`, `_differs` where columns are `compared`, `_left_row` and `_right_row`.
fn matched_schema(traced: &Traced, physical: &Arc<dyn ExecutionPlan>, compared: bool) -> SchemaRef {
    let (left, right) = traced.row_columns();
    let own = compared.then(differences::field).into_iter().chain([left, right]).map(Arc::new);
    let fields = visible_schema(traced, physical).fields().iter().cloned().chain(own).collect::<Vec<_>>();
    Arc::new(Schema::new(fields))
}

/// The columns of `match_sql`.
fn visible_schema(traced: &Traced, physical: &Arc<dyn ExecutionPlan>) -> Schema {
    // What has no type has no value either: other tools read it as text.
    let typed = |field: &FieldRef| match field.data_type() {
        DataType::Null => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        _ => Arc::clone(field),
    };
    Schema::new(physical.schema().fields().iter().take(traced.width).map(typed).collect::<Vec<_>>())
}

/// Executes the plan on all partitions at once, and writes what they find in the order of the rows that it comes from, or in the
/// one that the statement asks for. `counter` shows the rows as they come; keys of rows, and output rows past the memory, wait in
/// `scratch` until the end.
pub async fn run(
    ctx: &SessionContext,
    plan: &Arc<MatchPlan>,
    sides: (u64, u64),
    writer: &TableWriter,
    scratch: &Location,
    counter: &Arc<AtomicU64>,
) -> Result<Matched> {
    for side in Side::BOTH {
        keys::refuse_repeated(ctx, plan, side).await?;
    }
    let streams = execute_stream_partitioned(Arc::clone(&plan.physical), ctx.task_ctx()).map_err(|e| plan.failed(e))?;
    let schema = plan.schema();
    let keys = FoundKeys::create(plan, scratch)?;
    let runs = Runs::new(scratch, &schema, &ctx.runtime_env().memory_pool, &plan.limits, streams.len());
    // One that asks for an order gives its rows in it, one after the other.
    let asked = plan.asks_for_order && streams.len() == 1;
    let mut marks = Marks::new(sides.0, sides.1)?;
    let mut partitions = JoinSet::new();
    for stream in streams {
        let partition = Partition {
            plan: Arc::clone(plan),
            schema: Arc::clone(&schema),
            counter: Arc::clone(counter),
            marks: marks.part(),
            tally: plan.comparison.clone().map(Tally::new),
            rows: if asked {
                Rows::Asked(Parts::new(writer, plan.limits.threads, PART_ROWS))
            } else {
                Rows::Found(Found::new(&runs))
            },
            keys: keys.clone(),
        };
        partitions.spawn(partition.drain(stream));
    }
    let mut found = Vec::new();
    let mut tally = plan.comparison.clone().map(Tally::new);
    while let Some((own, counted, rows)) = tasks::next_of(&mut partitions).await? {
        marks.merge(own);
        if let (Some(all), Some(counted)) = (&mut tally, counted) {
            all.merge(counted);
        }
        found.extend(rows);
    }
    marks.settle(&plan.traced.groups)?;
    let written = if asked { 0 } else { order::write(found, writer, &plan.limits).await? };
    if let Some(keys) = keys {
        keys.mark(ctx, plan, &mut marks).await?;
    }
    let differences = tally.map(Tally::finish);
    Ok(Matched { marks, differences, spilled_bytes: spilled(plan.physical.as_ref()) + written })
}

/// Whether the smaller side, of its columns that the match reads, can be held in memory and hashed.
pub fn fits(plan: &MatchPlan, staged: &[Staged], limits: &Limits) -> bool {
    let side = |index: usize| {
        let (rows, bytes) = (staged[index].file.rows(), staged[index].file.column_bytes(&plan.touched[index]));
        // The row number comes on top.
        (rows, bytes / rows.max(1) + 8)
    };
    let smaller = std::cmp::min_by_key(side(0), side(1), |(rows, row_bytes)| rows * row_bytes);
    Joins::choose(limits, smaller.0, smaller.1) == Joins::Hashed
}

/// One output partition of the match.
struct Partition {
    plan: Arc<MatchPlan>,
    schema: SchemaRef,
    counter: Arc<AtomicU64>,
    marks: Marks,
    tally: Option<Tally>,
    rows: Rows,
    keys: Option<FoundKeys>,
}

impl Partition {
    async fn drain(mut self, mut stream: SendableRecordBatchStream) -> Result<(Marks, Option<Tally>, Option<Found>)> {
        let listed = self.schema.fields().iter().rev().take(2).any(|field| field.data_type().is_nested());
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| self.plan.failed(e))?;
            self.count(batch.num_rows() as u64)?;
            let step = if listed { LISTED_AT_ONCE } else { batch.num_rows().max(1) };
            for start in (0..batch.num_rows()).step_by(step) {
                let batch = batch.slice(start, step.min(batch.num_rows() - start));
                let visible = self.visible(&batch)?;
                self.rows.push(visible).await?;
                if let Some(keys) = &mut self.keys {
                    let met = keys.add(&batch, &self.plan).await?;
                    self.marks.add_met(met.num_rows());
                    Side::BOTH.into_iter().try_for_each(|side| self.marks.mark_side(&met, &self.plan.traced, side))?;
                }
            }
        }
        if let Some(keys) = &mut self.keys {
            keys.write().await?;
        }
        Ok((self.marks, self.tally, self.rows.finish().await?))
    }

    fn count(&self, rows: u64) -> Result<()> {
        let limit = self.plan.limits.max_matched;
        if self.counter.fetch_add(rows, Ordering::Relaxed) + rows > limit {
            return Err(Error::TooManyMatches { limit });
        }
        Ok(())
    }

    /// Marks the rows behind the batch and gives the columns that are written.
    fn visible(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (left, right) = self.marks.mark(batch, &self.plan.traced)?;
        let typed = |column: &ArrayRef| match column.data_type() {
            DataType::Null => new_null_array(&DataType::Utf8, column.len()),
            _ => Arc::clone(column),
        };
        let mut columns: Vec<ArrayRef> = batch.columns().iter().take(self.plan.traced.width).map(typed).collect();
        if let Some(tally) = &mut self.tally {
            let first = [order::first_of(&left)?, order::first_of(&right)?];
            columns.push(tally.add(&columns, [&left, &right], [&first[0], &first[1]])?);
        }
        columns.extend([left, right]);
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|e| Error::defect_of("matched rows", e))
    }
}

fn spilled(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().iter().map(|child| spilled(child.as_ref())).sum::<u64>()
}
