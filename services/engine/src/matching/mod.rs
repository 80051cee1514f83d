//! Runs the traced `match_sql` once: writes what it gives and marks the rows of both sides that took part.

mod keys;
mod plan;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt as _;
use tokio::task::JoinSet;

pub use plan::{MatchPlan, PlanTable, plan, register, sides};
pub use table::StagedTable;

use crate::error::{Error, Result};
use crate::job::Limits;
use crate::lineage::{Marks, Side, Traced};
use crate::location::Location;
use crate::query::{self, Joins};
use crate::stage::Staged;
use crate::tasks;
use crate::write::{Part, TableWriter};
use keys::FoundKeys;

/// What the match has found.
pub struct Matched {
    pub marks: Marks,
    pub spilled_bytes: u64,
}

/// What the rows that wait to be written are called among the operators.
const WAITING: &str = "matched rows";
/// Bytes of rows that may wait where memory is short.
const LEAST_PART: usize = 4 << 20;
/// Output rows whose lists of rows are made at a time.
const LISTED_AT_ONCE: usize = 1024;

/// The columns of the matched result set: those of `match_sql`, then `_left_row` and `_right_row`.
fn matched_schema(traced: &Traced, physical: &Arc<dyn ExecutionPlan>) -> SchemaRef {
    let visible = physical.schema();
    let (left, right) = traced.row_columns();
    let fields = visible.fields().iter().take(traced.width).cloned().chain([Arc::new(left), Arc::new(right)]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Executes the plan on all partitions at once, each writing its own parts. `counter` shows the rows as they come; keys of
/// rows wait in `scratch` until the end.
pub async fn run(
    ctx: &SessionContext,
    plan: &Arc<MatchPlan>,
    sides: (u64, u64),
    writer: &TableWriter,
    scratch: &Location,
    counter: &Arc<AtomicU64>,
) -> Result<Matched> {
    let failed = |e| query::execution_error(e, &plan.limits);
    let streams = execute_stream_partitioned(Arc::clone(&plan.physical), ctx.task_ctx()).map_err(failed)?;
    let schema = plan.schema();
    let keys = FoundKeys::create(plan, scratch)?;
    let parts = Arc::new(AtomicU64::new(0));
    let mut partitions = JoinSet::new();
    for stream in streams {
        let partition = Partition {
            plan: Arc::clone(plan),
            schema: Arc::clone(&schema),
            writer: writer.clone(),
            parts: Arc::clone(&parts),
            counter: Arc::clone(counter),
            marks: Marks::new(sides.0, sides.1)?,
            keys: keys.clone(),
            waiting: Part::default(),
            reserved: MemoryConsumer::new(WAITING).register(&ctx.runtime_env().memory_pool),
            waiting_keys: Vec::new(),
        };
        partitions.spawn(partition.drain(stream));
    }
    let mut marks = Marks::new(sides.0, sides.1)?;
    while let Some(found) = tasks::next_of(&mut partitions).await? {
        marks.merge(&found);
    }
    if let Some(keys) = keys {
        keys.mark(ctx, plan, &mut marks).await?;
    }
    Ok(Matched { marks, spilled_bytes: spilled(plan.physical.as_ref()) })
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
    writer: TableWriter,
    parts: Arc<AtomicU64>,
    counter: Arc<AtomicU64>,
    marks: Marks,
    keys: Option<FoundKeys>,
    waiting: Part,
    reserved: MemoryReservation,
    waiting_keys: Vec<RecordBatch>,
}

impl Partition {
    async fn drain(mut self, mut stream: SendableRecordBatchStream) -> Result<Marks> {
        let listed = self.schema.fields().iter().rev().take(2).any(|field| field.data_type().is_nested());
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| query::execution_error(e, &self.plan.limits))?;
            self.count(batch.num_rows() as u64)?;
            let step = if listed { LISTED_AT_ONCE } else { batch.num_rows().max(1) };
            for start in (0..batch.num_rows()).step_by(step) {
                let visible = self.visible(&batch.slice(start, step.min(batch.num_rows() - start)))?;
                let full = self.waiting.push(visible);
                // Where operators have taken the memory there is hardly any to wait in.
                let refused = self.reserved.try_resize(self.waiting.bytes()).is_err();
                if full || (refused && self.waiting.bytes() >= LEAST_PART) {
                    self.write().await?;
                }
            }
        }
        self.write().await?;
        Ok(self.marks)
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
        let traced = &self.plan.traced;
        let (left, right) = self.marks.mark(batch, traced)?;
        if let Some(keys) = &self.keys {
            let (met, keys) = keys.of(batch, &self.plan)?;
            Side::BOTH.into_iter().try_for_each(|side| self.marks.mark_side(&met, traced, side))?;
            self.waiting_keys.push(keys);
        }
        let columns = batch.columns().iter().take(traced.width).cloned().chain([left, right]);
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
            .map_err(|e| Error::Internal(format!("matched rows: {e}")))
    }

    async fn write(&mut self) -> Result<()> {
        let waiting = self.waiting.take();
        if !waiting.is_empty() {
            let part = self.parts.fetch_add(1, Ordering::Relaxed);
            self.writer.write(part, &waiting).await?;
            drop(waiting);
            self.reserved.free();
            if let Some(keys) = &self.keys {
                keys.write(part, &self.waiting_keys).await?;
                self.waiting_keys.clear();
            }
        }
        Ok(())
    }
}

fn spilled(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().iter().map(|child| spilled(child.as_ref())).sum::<u64>()
}
