//! Output rows in the order of the rows that they come from, so that the same match gives the same file, whoever was first.
//!
//! Each partition holds what it has found. What takes too much memory is sorted and written to a run, a file that is read once more
//! when all is found: then the runs, and what is still held, are merged on their way to the result.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, Decimal128Array, RecordBatch};
use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::error::{Cause, Error, Result};
use crate::job::Limits;
use crate::location::Location;
use crate::names::INTERNAL;
use crate::query;
use crate::stage::RowFile;
use crate::tasks;
use crate::write::{BATCH_ROWS, Parts, Purpose, RowGroups, TableWriter, bytes_of, part_rows, pieces};

/// What the rows that wait are called among the operators.
const WAITING: &str = "matched rows";
/// The share of the memory limit that they may take.
const SHARE: u64 = 4;
/// Less than this is held whatever the operators take.
const LEAST: usize = 4 << 20;
/// Rows of a row group of a run.
const RUN_ROWS: usize = 4 * BATCH_ROWS;

/// What all partitions have in common: where runs go, and what may be held.
pub struct Runs {
    directory: Location,
    schema: SchemaRef,
    pool: Arc<dyn MemoryPool>,
    share: usize,
    next: AtomicU64,
}

/// What one partition gives.
pub enum Rows {
    /// In an order that the statement asks for.
    Asked(Parts),
    Found(Found),
}

impl Rows {
    pub async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        match self {
            Self::Asked(parts) => parts.push(vec![batch]).await,
            Self::Found(found) => found.push(batch).await,
        }
    }

    /// Ends what is written already, and puts what is held in order.
    pub async fn finish(self) -> Result<Option<Found>> {
        match self {
            Self::Asked(parts) => parts.finish().await.map(|()| None),
            Self::Found(found) => Ok(Some(found.finish())),
        }
    }
}

/// What one partition has found.
pub struct Found {
    runs: Arc<Runs>,
    held: Held,
    reserved: MemoryReservation,
    written: Vec<Run>,
    rows: u64,
    bytes: u64,
}

/// Rows in memory, and where each belongs.
#[derive(Default)]
struct Held {
    batches: Vec<RecordBatch>,
    index: Vec<Entry>,
    bytes: usize,
}

/// By the first left row behind an output row, then the first right row; none comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    left: i64,
    right: i64,
    batch: u32,
    row: u32,
}

/// A file of rows in order, which goes when they have been read: what is kept for later are the rows of the sources.
struct Run(RowFile);

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(path) = self.0.location().as_local() {
            // It goes with its directory otherwise.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Entry {
    fn is_beside(self, other: Self) -> bool {
        (self.left, self.right) == (other.left, other.right)
    }
}

impl Runs {
    pub fn new(
        directory: &Location,
        schema: &SchemaRef,
        pool: &Arc<dyn MemoryPool>,
        limits: &Limits,
        partitions: usize,
    ) -> Arc<Self> {
        let share = usize::try_from(limits.memory / SHARE).unwrap_or(usize::MAX) / partitions.max(1);
        let (directory, schema, pool) = (directory.clone(), Arc::clone(schema), Arc::clone(pool));
        Arc::new(Self { directory, schema, pool, share: share.max(LEAST), next: AtomicU64::new(0) })
    }
}

impl Found {
    pub fn new(runs: &Arc<Runs>) -> Self {
        let reserved = MemoryConsumer::new(WAITING).register(&runs.pool);
        Self { runs: Arc::clone(runs), held: Held::default(), reserved, written: Vec::new(), rows: 0, bytes: 0 }
    }

    async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let before = self.held.bytes;
        self.rows += batch.num_rows() as u64;
        self.held.push(batch)?;
        self.bytes += (self.held.bytes - before) as u64;
        let refused = self.reserved.try_resize(self.held.bytes).is_err();
        if self.held.bytes >= self.runs.share || (refused && self.held.bytes >= LEAST) {
            self.write_run().await?;
        }
        Ok(())
    }

    /// Puts what is held in order.
    fn finish(mut self) -> Self {
        self.held.sort();
        self
    }

    async fn write_run(&mut self) -> Result<()> {
        let mut held = std::mem::take(&mut self.held);
        held.sort();
        let name = format!("matched-{}.parquet", self.runs.next.fetch_add(1, Ordering::Relaxed));
        let file = RowGroups::create(&self.runs.directory.join(&name), &self.runs.schema, Purpose::Staged)?;
        for (index, rows) in (0..).zip(pieces(held.index.len(), RUN_ROWS)) {
            file.write(index, &held.pick(rows)?).await?;
        }
        let (written, metadata) = file.finish().await?;
        self.written.push(Run(RowFile::new(written.location, written.bytes, metadata).map_err(broken)?));
        self.reserved.free();
        Ok(())
    }
}

/// Writes what all partitions have found. Gives the bytes that went through the disk.
pub async fn write(found: Vec<Found>, writer: &TableWriter, limits: &Limits) -> Result<u64> {
    let (rows, bytes) = found.iter().fold((0, 0), |(rows, bytes), one| (rows + one.rows, bytes + one.bytes));
    let part_rows = part_rows(rows, bytes);
    let spilled: u64 = found.iter().flat_map(|one| &one.written).map(|run| run.0.bytes()).sum();
    if spilled > 0 {
        merge(found, part_rows, writer, limits).await?;
        return Ok(spilled);
    }
    let (mut held, mut reserved) = (Held::default(), Vec::new());
    for one in found {
        held.append(one.held)?;
        reserved.push(one.reserved);
    }
    held.sort();
    held.settle(0..held.index.len())?;
    let (held, writer) = (Arc::new(held), writer.clone());
    let parts = pieces(held.index.len(), part_rows).collect::<Vec<_>>();
    tasks::for_each(limits.threads, parts.len(), move |part| {
        let (held, writer, rows) = (Arc::clone(&held), writer.clone(), parts[part].clone());
        async move { writer.write(part as u64, &held.pick(rows)?).await }
    })
    .await?;
    Ok(0)
}

impl Held {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let number = u32::try_from(self.batches.len()).map_err(broken)?;
        let rows = u32::try_from(batch.num_rows()).map_err(broken)?;
        let (left, right) = first_rows(&batch)?;
        self.index.extend((0..rows).map(|row| {
            let at = row as usize;
            Entry { left: left[at], right: right[at], batch: number, row }
        }));
        self.bytes += bytes_of(&batch) + batch.num_rows() * size_of::<Entry>();
        self.batches.push(batch);
        Ok(())
    }

    fn append(&mut self, other: Self) -> Result<()> {
        let before = u32::try_from(self.batches.len()).map_err(broken)?;
        self.index.extend(other.index.into_iter().map(|entry| Entry { batch: entry.batch + before, ..entry }));
        self.batches.extend(other.batches);
        self.bytes += other.bytes;
        Ok(())
    }

    /// By the rows behind them alone. What was sorted in parts before, or comes nearly as it is read, is sorted fast.
    fn sort(&mut self) {
        self.index.sort();
    }

    /// Rows that come from the same rows go by their values; says whether there are any.
    fn settle(&mut self, range: Range<usize>) -> Result<bool> {
        let (mut start, mut found) = (range.start, false);
        // Many at a time: what tells values apart takes its time to get ready.
        let (mut ties, mut rows) = (Vec::new(), 0);
        while start < range.end {
            let first = self.index[start];
            let same = self.index[start..range.end].iter().take_while(|entry| entry.is_beside(first)).count();
            if same > 1 {
                ties.push(start..start + same);
                rows += same;
            }
            start += same;
            if rows >= BATCH_ROWS || (rows > 0 && start == range.end) {
                self.settle_ties(&ties)?;
                found = true;
                ties.clear();
                rows = 0;
            }
        }
        Ok(found)
    }

    fn settle_ties(&mut self, ties: &[Range<usize>]) -> Result<()> {
        let entries: Vec<Entry> = ties.iter().flat_map(|tie| &self.index[tie.clone()]).copied().collect();
        let batches = self.interleave(&entries)?;
        let fields = batches.first().map(RecordBatch::schema).unwrap_or_else(|| Arc::new(Schema::empty()));
        let fields = fields.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(broken)?;
        let mut values = converter.empty_rows(entries.len(), 0);
        for batch in &batches {
            converter.append(&mut values, batch.columns()).map_err(broken)?;
        }
        let mut first = 0;
        for tie in ties {
            let mut order: Vec<usize> = (first..first + tie.len()).collect();
            order.sort_by(|a, b| values.row(*a).cmp(&values.row(*b)));
            for (place, at) in tie.clone().zip(order) {
                self.index[place] = entries[at];
            }
            first += tie.len();
        }
        Ok(())
    }

    /// Of rows that are in order but for those beside each other: all before those that the next rows may belong beside.
    fn take_closed(&mut self) -> Result<Vec<RecordBatch>> {
        let Some(last) = self.index.last().copied() else { return Ok(Vec::new()) };
        let open = self.index.partition_point(|entry| !entry.is_beside(last));
        if open == 0 {
            return Ok(Vec::new());
        }
        let rest = self.slices(open..self.index.len());
        let closed = if self.settle(0..open)? { self.pick(0..open)? } else { self.slices(0..open) };
        *self = Self::default();
        rest.into_iter().try_for_each(|batch| self.push(batch))?;
        Ok(closed)
    }

    /// Rows by their places as they came.
    fn slices(&self, rows: Range<usize>) -> Vec<RecordBatch> {
        let mut slices = Vec::new();
        let mut first = 0;
        for batch in &self.batches {
            let (start, end) = (rows.start.max(first), rows.end.min(first + batch.num_rows()));
            if start < end {
                slices.push(batch.slice(start - first, end - start));
            }
            first += batch.num_rows();
        }
        slices
    }

    fn into_stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        let pieces = pieces(self.index.len(), BATCH_ROWS).collect::<Vec<_>>();
        let picked = stream::iter(pieces).map(move |rows| self.pick(rows));
        picked.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed()
    }

    /// Rows by their places in the order.
    fn pick(&self, rows: Range<usize>) -> Result<Vec<RecordBatch>> {
        self.interleave(&self.index[rows])
    }

    fn interleave(&self, entries: &[Entry]) -> Result<Vec<RecordBatch>> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let rows = |entries: &[Entry]| {
            let rows: Vec<(usize, usize)> = entries.iter().map(|e| (e.batch as usize, e.row as usize)).collect();
            interleave_record_batch(&batches, &rows)
        };
        entries.chunks(BATCH_ROWS).map(rows).collect::<Result<_, ArrowError>>().map_err(broken)
    }
}

/// The first left and the first right row behind each row.
fn first_rows(batch: &RecordBatch) -> Result<(Vec<i64>, Vec<i64>)> {
    match batch.columns() {
        [.., left, right] => Ok((first_of(left)?, first_of(right)?)),
        _ => Err(Error::defect("matched rows without numbers")),
    }
}

/// The first number of each list of rows, or the number itself; the greatest there is where there is none.
pub fn first_of(column: &ArrayRef) -> Result<Vec<i64>> {
    let none = i64::MAX;
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        return Ok(numbers.iter().map(|number| number.unwrap_or(none)).collect());
    }
    let lists = column.as_list_opt::<i32>();
    let Some((lists, numbers)) = lists.and_then(|l| Some((l, l.values().as_primitive_opt::<Int64Type>()?))) else {
        return Err(Error::defect(format!("numbers of rows of the type {}", column.data_type())));
    };
    let offsets = lists.value_offsets().windows(2);
    let first = |(row, bounds): (usize, &[i32])| match usize::try_from(bounds[0]) {
        Ok(at) if bounds[1] > bounds[0] && lists.is_valid(row) => numbers.value(at),
        _ => none,
    };
    Ok(offsets.enumerate().map(first).collect())
}

/// Merges the runs, and what is held, into parts.
async fn merge(found: Vec<Found>, part_rows: usize, writer: &TableWriter, limits: &Limits) -> Result<()> {
    let Some(runs) = found.first().map(|one| Arc::clone(&one.runs)) else { return Ok(()) };
    let width = runs.schema.fields().len();
    let key = Field::new(format!("{INTERNAL}key"), DataType::Decimal128(38, 0), false);
    let order = PhysicalSortExpr::new_default(Arc::new(Column::new(key.name(), width)));
    let order = LexOrdering::new([order]).ok_or_else(|| Error::defect("matched rows without an order"))?;
    let fields = runs.schema.fields().iter().cloned().chain([Arc::new(key)]);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let (mut streams, mut reserved) = (Vec::new(), Vec::new());
    for one in found {
        reserved.push(one.reserved);
        streams.extend(one.written.into_iter().map(|run| keyed(read(run), &schema)));
        streams.push(keyed(one.held.into_stream(), &schema));
    }
    let failed = |e| query::execution_error(e, limits);
    let mut merged = StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(schema)
        .with_expressions(&order)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_batch_size(BATCH_ROWS)
        .with_reservation(MemoryConsumer::new(WAITING).register(&runs.pool))
        .build()
        .map_err(failed)?;
    let visible: Vec<usize> = (0..width).collect();
    let mut parts = Parts::new(writer, limits.threads, part_rows);
    let mut open = Held::default();
    while let Some(batch) = merged.next().await {
        let batch = batch.and_then(|batch| Ok(batch.project(&visible)?)).map_err(failed)?;
        open.push(batch)?;
        parts.push(open.take_closed()?).await?;
    }
    let rest = 0..open.index.len();
    open.settle(rest.clone())?;
    parts.push(open.pick(rest)?).await?;
    parts.finish().await
}

/// The rows of a run.
fn read(run: Run) -> BoxStream<'static, Result<RecordBatch>> {
    let units = stream::iter(run.0.units(RUN_ROWS as u64));
    let read = units.then(move |unit| {
        let file = run.0.clone();
        async move { file.read_all(&unit).await }
    });
    read.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed()
}

/// Rows with the key that they are merged by as their last column.
fn keyed(rows: BoxStream<'static, Result<RecordBatch>>, schema: &SchemaRef) -> SendableRecordBatchStream {
    let with_key = |batch: &RecordBatch, schema: &SchemaRef| {
        let (left, right) = first_rows(batch)?;
        let both = left.iter().zip(&right).map(|(left, right)| i128::from(*left) << 64 | i128::from(*right));
        let key = Decimal128Array::from_iter_values(both).with_precision_and_scale(38, 0).map_err(broken)?;
        let columns = batch.columns().iter().cloned().chain([Arc::new(key) as ArrayRef]).collect();
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(broken)
    };
    let of = Arc::clone(schema);
    let rows = rows.map(move |batch| batch.and_then(|batch| with_key(&batch, &of)));
    let rows = rows.map_err(|e| DataFusionError::External(Box::new(e)));
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
}

fn broken(e: impl Into<Cause>) -> Error {
    Error::defect_of("the order of matched rows", e)
}

#[cfg(test)]
#[path = "tests/order.rs"]
mod tests;
