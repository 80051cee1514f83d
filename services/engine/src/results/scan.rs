//! Some columns of the rows that pass a condition, in the order of the file, read row group by row group.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::buffer::BooleanBuffer;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowFilter,
    RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use tokio_util::task::AbortOnDropHandle;

use super::condition::Condition;
use super::table::Shared;
use crate::error::{Error, Result};
use crate::location::in_words;
use crate::stage::Chunks;
use crate::tasks;

const BATCH_ROWS: usize = 8192;
/// Column chunks with less between them are fetched together.
const GAP: u64 = 64 * 1024;

pub struct Scan {
    table: Arc<Shared>,
    /// Positions of the columns that are given; the row number comes after them.
    columns: BTreeSet<usize>,
    condition: Arc<Condition>,
}

/// A part of one row group.
#[derive(Debug, Clone, Default)]
pub struct Part {
    pub group: usize,
    /// Rows that are looked at; all of them where it is not said.
    pub selected: Option<BooleanBuffer>,
    /// Of the rows that pass: passed over, and given at most.
    pub offset: usize,
    pub limit: Option<usize>,
}

impl Scan {
    pub fn new(table: Arc<Shared>, columns: BTreeSet<usize>, condition: Arc<Condition>) -> Self {
        Self { table, columns, condition }
    }

    fn groups(&self) -> &[RowGroupMetaData] {
        self.table.file.metadata().row_groups()
    }

    pub fn group_rows(&self) -> Vec<u64> {
        self.groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect()
    }

    /// The row groups that may hold a row that passes.
    pub fn parts(&self) -> Vec<Part> {
        let may = self.may_pass();
        let some = |group: usize| self.looked_at(group).is_none_or(|rows| rows.count_set_bits() > 0);
        let groups = may.into_iter().enumerate().filter(|(group, may)| *may && some(*group));
        groups.map(|(group, _)| Part { group, ..Part::default() }).collect()
    }

    /// By the statistics of the file, which are only there to save work: without them, all.
    fn may_pass(&self) -> Vec<bool> {
        let (schema, groups) = (self.table.file.schema(), self.groups());
        let parquet_schema = self.table.file.metadata().file_metadata().schema_descr();
        let bounds = |column: usize| -> Option<(ArrayRef, ArrayRef)> {
            let name = schema.field(column).name();
            let statistics = StatisticsConverter::try_new(name, schema, parquet_schema).ok()?;
            let least = statistics.row_group_mins(groups).ok()?;
            let greatest = statistics.row_group_maxes(groups).ok()?;
            (least.data_type() == schema.field(column).data_type()).then_some((least, greatest))
        };
        self.condition.may_pass(groups.len(), bounds).unwrap_or_else(|_| vec![true; groups.len()])
    }

    /// Which rows of a group are looked at; `None`: all of them.
    fn looked_at(&self, group: usize) -> Option<BooleanBuffer> {
        let whole = |group: &RowGroupMetaData| usize::try_from(group.num_rows()).unwrap_or(0);
        let start = self.groups()[..group].iter().map(whole).sum();
        self.condition.looked_at(start, whole(&self.groups()[group]))
    }

    /// The rows of each row group that pass.
    pub async fn count(self: &Arc<Self>, threads: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; self.groups().len()];
        let counted = self.parts().into_iter().map(|part| {
            let (scan, group) = (Arc::clone(self), part.group);
            spawned(async move {
                let batches = scan.read(part).await?;
                Ok((group, batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>()))
            })
        });
        let mut counted = futures::stream::iter(counted).buffer_unordered(threads.max(1));
        while let Some((group, rows)) = counted.try_next().await? {
            counts[group] = rows;
        }
        Ok(counts)
    }

    /// The rows of `parts`, in their order. However slowly they are taken, no more waits in memory than a batch and, as it stands
    /// in the file, what `ahead` row groups need. What is dropped is read no further.
    pub fn stream(
        self: Arc<Self>,
        parts: Vec<Part>,
        ahead: usize,
    ) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
        let fetched = parts.into_iter().map(move |part| {
            let scan = Arc::clone(&self);
            spawned(async move { Ok((scan.fetch(part.group).await?, scan, part)) })
        });
        let batches = |fetched: Result<(Chunks, Arc<Self>, Part)>| {
            let (chunks, scan, part) = fetched?;
            let reader = scan.reader(chunks, &part).map_err(|e| scan.broken(&e))?;
            Ok(futures::stream::iter(reader.map(move |batch| batch.map_err(|e| scan.broken(&e)))))
        };
        futures::stream::iter(fetched).buffered(ahead.max(1)).map(batches).try_flatten()
    }

    /// The same all at once, by so many threads.
    pub async fn gather(self: Arc<Self>, parts: Vec<Part>, threads: usize) -> Result<Vec<RecordBatch>> {
        let reads = parts.into_iter().map(|part| {
            let scan = Arc::clone(&self);
            spawned(async move { scan.read(part).await })
        });
        futures::stream::iter(reads).buffered(threads.max(1)).try_concat().await
    }

    async fn read(self: &Arc<Self>, part: Part) -> Result<Vec<RecordBatch>> {
        let chunks = self.fetch(part.group).await?;
        let scan = Arc::clone(self);
        let decode = move || Ok::<_, ParquetError>(scan.reader(chunks, &part)?.collect::<Result<Vec<_>, _>>()?);
        let decoded = tokio::task::spawn_blocking(decode).await;
        tasks::joined(decoded)?.map_err(|e| self.broken(&e))
    }

    /// The bytes of the columns of a row group that are needed.
    async fn fetch(&self, group: usize) -> Result<Chunks> {
        let columns: BTreeSet<usize> = self.columns.union(&self.condition.columns()).copied().collect();
        let schema = self.table.file.metadata().file_metadata().schema_descr();
        let group = &self.groups()[group];
        let wanted =
            group.columns().iter().enumerate().filter(|(leaf, _)| columns.contains(&schema.get_column_root_idx(*leaf)));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (_, column) in wanted {
            let (start, length) = column.byte_range();
            match ranges.last_mut() {
                Some(last) if start >= last.start && start <= last.end + GAP => last.end = last.end.max(start + length),
                _ => ranges.push(start..start + length),
            }
        }
        let location = self.table.file.location();
        match &self.table.local {
            Some(file) => {
                let file = Arc::clone(file);
                let read = tokio::task::spawn_blocking(move || Chunks::read_local(&file, &ranges)).await;
                tasks::joined(read)?.map_err(|e| self.broken(&e))
            }
            None => Chunks::fetch(location, &ranges).await.map_err(|e| self.broken(&in_words(&e))),
        }
    }

    fn reader(&self, chunks: Chunks, part: &Part) -> Result<ParquetRecordBatchReader, ParquetError> {
        let schema = self.table.file.metadata().file_metadata().schema_descr();
        let roots = |columns: &BTreeSet<usize>| ProjectionMask::roots(schema, columns.iter().copied());
        let predicates = self.condition.steps().into_iter().map(|step| {
            let columns = roots(&step.columns);
            let width = step.columns.len();
            // Virtual columns come along with every projection.
            let mask = move |batch: RecordBatch| step.mask(&batch.project(&(0..width).collect::<Vec<_>>())?);
            Box::new(ArrowPredicateFn::new(columns, mask)) as Box<dyn ArrowPredicate>
        });
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, self.table.numbered.clone())
            .with_row_groups(vec![part.group])
            .with_projection(roots(&self.columns))
            .with_batch_size(BATCH_ROWS)
            .with_row_filter(RowFilter::new(predicates.collect()))
            .with_offset(part.offset);
        let selected = match (&part.selected, self.looked_at(part.group)) {
            (Some(selected), Some(looked_at)) => Some(selected & &looked_at),
            (selected, looked_at) => selected.clone().or(looked_at),
        };
        if let Some(selected) = selected {
            builder = builder.with_row_selection(RowSelection::from_boolean_buffer(selected));
        }
        if let Some(limit) = part.limit {
            builder = builder.with_limit(limit);
        }
        builder.build()
    }

    fn broken(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::Output { path: self.table.file.location().to_string(), reason: format!("it cannot be read: {cause}") }
    }
}

/// On a task of its own, which ends when nobody waits for it any more.
async fn spawned<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tasks::joined(AbortOnDropHandle::new(tokio::spawn(work)).await)?
}
