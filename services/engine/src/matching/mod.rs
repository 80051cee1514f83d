//! Runs the traced `match_sql` once: writes what it gives and marks the rows of both sides that took part.

mod keys;
mod plan;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::{and, filter_record_batch, is_not_null};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt as _;
use tokio::task::JoinSet;

pub use plan::{MatchPlan, PlanTable, plan, register, sides};
pub use table::StagedTable;

use crate::error::{Error, Result};
use crate::job::Limits;
use crate::lineage::{Marks, Side, Traced};
use crate::query::{self, Joins};
use crate::stage::Staged;
use crate::tasks;
use crate::write::{PART_ROWS, TableWriter};
use keys::mark_by_keys;

/// What the match has found.
pub struct Matched {
    pub marks: Marks,
    pub rows: u64,
    pub spilled_bytes: u64,
}

/// The columns of the matched result set: those of `match_sql`, then `_left_row` and `_right_row`.
fn matched_schema(traced: &Traced, physical: &Arc<dyn ExecutionPlan>) -> SchemaRef {
    let visible = physical.schema();
    let (left, right) = traced.row_columns();
    let fields = visible.fields().iter().take(traced.width).cloned().chain([Arc::new(left), Arc::new(right)]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Executes `traced` on all partitions at once, each writing its own parts. `counter` shows the rows as they come.
pub async fn run(
    ctx: &SessionContext,
    plan: &MatchPlan,
    sides: (u64, u64),
    writer: &TableWriter,
    limits: &Limits,
    counter: &Arc<AtomicU64>,
) -> Result<Matched> {
    let failed = |e| query::execution_error(e, limits);
    let traced = &plan.traced;
    let streams = execute_stream_partitioned(Arc::clone(&plan.physical), ctx.task_ctx()).map_err(failed)?;
    let schema = plan.schema();
    let keyed: Vec<(Side, &[String])> =
        [Side::Left, Side::Right].into_iter().filter_map(|side| Some((side, plan.keys(side)?))).collect();
    let present: Vec<String> = keyed.iter().flat_map(|(_, keys)| keys.iter().cloned()).collect();
    let parts = Arc::new(AtomicU64::new(0));
    let mut partitions = JoinSet::new();
    for stream in streams {
        let partition = Partition {
            traced: Arc::clone(traced),
            schema: Arc::clone(&schema),
            writer: writer.clone(),
            parts: Arc::clone(&parts),
            counter: Arc::clone(counter),
            limits: limits.clone(),
            marks: Marks::new(sides.0, sides.1)?,
            present: present.clone(),
        };
        partitions.spawn(partition.drain(stream));
    }
    let mut marks = Marks::new(sides.0, sides.1)?;
    while let Some(found) = tasks::next_of(&mut partitions).await? {
        marks.merge(&found);
    }
    for (side, keys) in keyed {
        let rows = plan.numbered(side);
        mark_by_keys(ctx, &plan.visible, rows, side, keys, &present, &mut marks).await.map_err(failed)?;
    }
    Ok(Matched { marks, rows: counter.load(Ordering::Relaxed), spilled_bytes: spilled(plan.physical.as_ref()) })
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
    traced: Arc<Traced>,
    schema: SchemaRef,
    writer: TableWriter,
    parts: Arc<AtomicU64>,
    counter: Arc<AtomicU64>,
    limits: Limits,
    marks: Marks,
    /// Where a side is followed by key: the columns that tell that both sides are there.
    present: Vec<String>,
}

impl Partition {
    async fn drain(mut self, mut stream: SendableRecordBatchStream) -> Result<Marks> {
        let mut waiting: Vec<RecordBatch> = Vec::new();
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| query::execution_error(e, &self.limits))?;
            if batch.num_rows() == 0 {
                continue;
            }
            self.count(batch.num_rows() as u64)?;
            rows += batch.num_rows();
            waiting.push(self.visible(&batch)?);
            if rows >= PART_ROWS {
                self.write(&mut waiting).await?;
                rows = 0;
            }
        }
        self.write(&mut waiting).await?;
        Ok(self.marks)
    }

    fn count(&self, rows: u64) -> Result<()> {
        let limit = self.limits.max_matched;
        if self.counter.fetch_add(rows, Ordering::Relaxed) + rows > limit {
            return Err(Error::TooManyMatches { limit });
        }
        Ok(())
    }

    /// Marks the rows behind the batch and gives the columns that are written.
    fn visible(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (left, right) = self.marks.mark(batch, &self.traced)?;
        if !self.present.is_empty() {
            let met = self.with_keys(batch)?;
            Side::BOTH.into_iter().try_for_each(|side| self.marks.mark_side(&met, &self.traced, side))?;
        }
        let columns = batch.columns().iter().take(self.traced.width).cloned().chain([left, right]);
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
            .map_err(|e| Error::Internal(format!("matched rows: {e}")))
    }

    /// The rows of a batch in which every side that is followed by key has one.
    fn with_keys(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut met: Option<BooleanArray> = None;
        for column in self.present.iter().filter_map(|name| batch.column_by_name(name)) {
            let filled = is_not_null(column).map_err(arrow_error)?;
            met = Some(match met {
                Some(others) => and(&others, &filled).map_err(arrow_error)?,
                None => filled,
            });
        }
        met.map_or_else(|| Ok(batch.clone()), |met| filter_record_batch(batch, &met).map_err(arrow_error))
    }

    async fn write(&self, waiting: &mut Vec<RecordBatch>) -> Result<()> {
        if !waiting.is_empty() {
            self.writer.write(self.parts.fetch_add(1, Ordering::Relaxed), waiting).await?;
            waiting.clear();
        }
        Ok(())
    }
}

fn arrow_error(error: ArrowError) -> Error {
    Error::Internal(format!("matched rows: {error}"))
}

fn spilled(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().iter().map(|child| spilled(child.as_ref())).sum::<u64>()
}
