//! The rows of one selection.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanBufferBuilder, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, SortExpr, ident};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

use super::condition::Condition;
use super::only::{Known, Only};
use super::scan::{Part, Scan};
use super::summary::{self, Summary};
use super::table::{ResultTable, with_row_number};
use super::{OrderBy, Selection};
use crate::api::Pending;
use crate::error::{Error, Result, Violation};
use crate::names::{ROW_NUMBER, no_such_column};
use crate::query;

/// Up to so many sorted rows are fetched by number once it is known which they are: sorting then moves the columns that
/// decide, and nothing else.
const PAGE: u64 = 10_000;

/// Row groups that are fetched before their turn: one is read while another is on its way.
const AHEAD: usize = 2;

/// Batches of rows. What is dropped is read no further.
pub type Rows = BoxStream<'static, Result<RecordBatch>>;

/// Rows of a table that were asked for in terms of its columns.
pub struct Selected {
    table: ResultTable,
    condition: Arc<Condition>,
    /// Positions in the file, in the order wanted.
    columns: Vec<usize>,
    order: Vec<OrderBy>,
    offset: u64,
    limit: Option<u64>,
}

impl Selected {
    /// `only`: the rows that are looked at, where not all are.
    pub(super) fn new(table: ResultTable, selection: Selection, only: Option<(Only, Known)>) -> Result<Self> {
        let schema = Arc::clone(table.schema());
        let mut wrong = Vec::new();
        let mut find = |field: String, name: &str| {
            let found = schema.index_of(name).ok();
            if found.is_none() {
                let names = schema.fields().iter().map(|f| f.name().as_str());
                wrong.push(Violation::new(field, no_such_column(name, names)));
            }
            found
        };
        let mut columns: Vec<usize> = Vec::new();
        for (i, name) in selection.columns.iter().enumerate() {
            columns.extend(find(format!("columns[{i}]"), name));
        }
        let order: Vec<usize> = selection
            .order
            .iter()
            .enumerate()
            .filter_map(|(i, order)| find(format!("order[{i}].column"), &order.column))
            .collect();
        wrong.extend(twice("columns", selection.columns.iter().map(String::as_str)));
        wrong.extend(twice("order", selection.order.iter().map(|order| order.column.as_str())));
        for column in order {
            let field = schema.field(column);
            if !RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
                let message = format!("rows cannot be ordered by `{}`, which is {}", field.name(), field.data_type());
                wrong.push(Violation::new("order", message));
            }
        }
        let condition = Condition::new(&selection.filters, selection.search.as_deref(), &schema);
        let condition = match condition {
            Ok(condition) => Some(condition),
            Err(Error::Invalid(more)) => {
                wrong.extend(more);
                None
            }
            Err(other) => return Err(other),
        };
        match condition {
            Some(condition) if wrong.is_empty() => Ok(Self {
                columns: if selection.columns.is_empty() { (0..schema.fields().len()).collect() } else { columns },
                condition: Arc::new(condition.among(only)),
                order: selection.order,
                offset: selection.offset,
                limit: selection.limit,
                table,
            }),
            _ => Err(Error::Invalid(wrong)),
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    pub(super) fn spill_dir(&self) -> Option<&Path> {
        self.table.shared().means.limits.spill_dir.as_deref()
    }

    pub fn table(&self) -> &ResultTable {
        &self.table
    }

    /// Of the rows.
    pub fn schema(&self) -> SchemaRef {
        let schema = self.table.schema();
        let fields: Vec<_> = self.columns.iter().map(|column| Arc::clone(&schema.fields()[*column])).collect();
        Arc::new(Schema::new(fields))
    }

    /// The number of rows that pass the filters, whatever offset and limit say.
    pub fn count(&self) -> Pending<'_, u64> {
        Box::pin(async { Ok(self.table.counts(&self.condition).await?.iter().sum()) })
    }

    /// What is in the columns, of the rows that pass the filters, whatever offset and limit say.
    pub fn summary(&self) -> Pending<'_, Summary> {
        Box::pin(self.summarize())
    }

    async fn summarize(&self) -> Result<Summary> {
        let means = &self.table.shared().means;
        let rows = self.count().await?;
        let table = Arc::new(ScanTable::new(&self.table, &self.condition));
        let summarized = summary::summarize(&means.session, table, &self.schema(), rows).await;
        summarized.map_err(|e| self.failed(e))
    }

    pub fn rows(&self) -> Pending<'_, Rows> {
        Box::pin(self.read())
    }

    async fn read(&self) -> Result<Rows> {
        if self.order.is_empty() {
            return self.in_file_order().await;
        }
        match self.limit {
            Some(limit) if limit <= PAGE => self.sorted_page().await,
            _ => self.sorted().await,
        }
    }

    async fn in_file_order(&self) -> Result<Rows> {
        let scan = self.table.scan(self.columns.iter().copied().collect(), &self.condition);
        let parts = if self.offset == 0 && self.limit.is_none() {
            scan.parts()
        } else {
            parts_between(&self.table.counts(&self.condition).await?, self.offset, self.limit)
        };
        Ok(self.shaped(scan.stream(parts, AHEAD)))
    }

    /// All columns through the sort, which spills.
    async fn sorted(&self) -> Result<Rows> {
        let names: BTreeSet<&str> = self.names().chain(self.order.iter().map(|order| order.column.as_str())).collect();
        let sorted = self.sort(names.into_iter().map(ident).collect()).map_err(|e| self.failed(e))?;
        let stream = sorted.execute_stream().await.map_err(|e| self.failed(e))?;
        let limits = self.table.shared().means.limits.clone();
        Ok(self.shaped(stream.map_err(move |e| query_error(e, &limits))))
    }

    /// Which rows, from the columns that decide; then these rows.
    async fn sorted_page(&self) -> Result<Rows> {
        let deciding = self.order.iter().map(|order| ident(&order.column)).collect();
        let sorted = self.sort(deciding).map_err(|e| self.failed(e))?;
        let numbers = sorted.select(vec![ident(ROW_NUMBER)]).map_err(|e| self.failed(e))?;
        let batches = numbers.collect().await.map_err(|e| self.failed(e))?;
        let numbers: Vec<u64> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values())
            .map(|number| number.cast_unsigned())
            .collect();
        let page = self.fetch(&numbers).await?;
        Ok(futures::stream::once(async { Ok(page) }).boxed())
    }

    fn sort(&self, columns: Vec<Expr>) -> Result<DataFrame, DataFusionError> {
        let table = Arc::new(ScanTable::new(&self.table, &self.condition));
        let by = |order: &OrderBy| ident(&order.column).sort(!order.descending, false);
        let keys: Vec<SortExpr> = self.order.iter().map(by).chain([ident(ROW_NUMBER).sort(true, false)]).collect();
        let whole = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        let columns: Vec<Expr> = columns.into_iter().chain([ident(ROW_NUMBER)]).collect();
        let sorted = self.table.shared().means.session.read_table(table)?.select(columns)?.sort(keys)?;
        sorted.limit(whole(self.offset), self.limit.map(whole))
    }

    /// The rows of these numbers, in this order.
    async fn fetch(&self, numbers: &[u64]) -> Result<RecordBatch> {
        let scan = self.table.scan(self.columns.iter().copied().collect(), &Arc::new(Condition::default()));
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        let parts = parts_of(&scan.group_rows(), &sorted);
        let schema = self.schema();
        let batches = scan.gather(parts, self.threads()).await?;
        let batches =
            batches.iter().map(|batch| shape(batch, &schema)).collect::<Result<Vec<_>, _>>().map_err(internal)?;
        let places = numbers.iter().map(|number| sorted.binary_search(number).unwrap_or_default() as u64);
        let places = UInt64Array::from_iter_values(places);
        concat_batches(&schema, &batches).and_then(|all| take_record_batch(&all, &places)).map_err(internal)
    }

    /// The columns wanted, in the order wanted.
    fn shaped(&self, batches: impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static) -> Rows {
        let schema = self.schema();
        batches.map(move |batch| shape(&batch?, &schema).map_err(internal)).boxed()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| self.table.schema().field(*column).name().as_str())
    }

    fn threads(&self) -> usize {
        self.table.shared().means.limits.threads
    }

    fn failed(&self, error: DataFusionError) -> Error {
        query_error(error, &self.table.shared().means.limits)
    }
}

fn twice<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Option<Violation> {
    let mut seen = BTreeSet::new();
    let again = names.into_iter().find(|name| !seen.insert(*name))?;
    Some(Violation::new(field, format!("`{again}` is named twice")))
}

fn shape(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let find = |name: &String| {
        let column = batch.column_by_name(name).map(Arc::clone);
        column.ok_or_else(|| ArrowError::SchemaError(format!("`{name}` was not read")))
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().map(|f| find(f.name())).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The parts of the row groups that hold the rows from `offset` on, of those that pass: `counts` of each group.
fn parts_between(counts: &[u64], offset: u64, limit: Option<u64>) -> Vec<Part> {
    let end = limit.map_or(u64::MAX, |limit| offset.saturating_add(limit));
    let mut parts = Vec::new();
    let mut start = 0;
    for (group, &rows) in counts.iter().enumerate() {
        let (from, to) = (offset.max(start), end.min(start + rows));
        if from < to {
            // Rows of one group are counted in the machine's word.
            let whole = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
            parts.push(Part { group, offset: whole(from - start), limit: Some(whole(to - from)), selected: None });
        }
        start += rows;
    }
    parts
}

/// The parts that hold the rows of these numbers, which are sorted.
fn parts_of(group_rows: &[u64], numbers: &[u64]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut start, mut rest) = (0, numbers);
    for (group, &rows) in group_rows.iter().enumerate() {
        let (mine, later) = rest.split_at(rest.partition_point(|number| *number < start + rows));
        if !mine.is_empty() {
            let mut selected = BooleanBufferBuilder::new(0);
            selected.append_n(usize::try_from(rows).unwrap_or(usize::MAX), false);
            mine.iter()
                .for_each(|number| selected.set_bit(usize::try_from(number - start).unwrap_or(usize::MAX), true));
            parts.push(Part { group, selected: Some(selected.finish()), ..Part::default() });
        }
        (start, rest) = (start + rows, later);
    }
    parts
}

fn internal(error: ArrowError) -> Error {
    Error::defect_of("rows of a result", error)
}

/// An error of ours comes back as it was.
fn query_error(error: DataFusionError, limits: &crate::job::Limits) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => query::execution_error(DataFusionError::External(other), limits),
        },
        other => query::execution_error(other, limits),
    }
}

/// The rows that pass a condition as a table of the query engine; its last column is the row number.
struct ScanTable {
    table: ResultTable,
    condition: Arc<Condition>,
    schema: SchemaRef,
}

impl ScanTable {
    fn new(table: &ResultTable, condition: &Arc<Condition>) -> Self {
        Self { table: table.clone(), condition: Arc::clone(condition), schema: with_row_number(table.schema()) }
    }
}

impl fmt::Debug for ScanTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanTable({})", self.table.location())
    }
}

#[async_trait]
impl TableProvider for ScanTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let all = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let schema = Arc::new(self.schema.project(wanted)?);
        let number = self.schema.fields().len() - 1;
        let columns = wanted.iter().copied().filter(|column| *column != number).collect();
        let scan = self.table.scan(columns, &self.condition);
        let parts = scan.parts();
        let share = parts.len().div_ceil(self.table.shared().means.limits.threads.max(1)).max(1);
        let partitions = parts.chunks(share).map(|parts| {
            let (scan, schema) = (Arc::clone(&scan), Arc::clone(&schema));
            Arc::new(Partition { scan, schema, parts: parts.to_vec() }) as Arc<dyn PartitionStream>
        });
        let mut partitions: Vec<_> = partitions.collect();
        if partitions.is_empty() {
            partitions.push(Arc::new(Partition { scan, schema: Arc::clone(&schema), parts: Vec::new() }));
        }
        Ok(Arc::new(StreamingTableExec::try_new(schema, partitions, None, Vec::new(), false, None)?))
    }
}

struct Partition {
    scan: Arc<Scan>,
    schema: SchemaRef,
    parts: Vec<Part>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} row groups", self.parts.len())
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let external = |e: Error| DataFusionError::External(Box::new(e));
        let batches = Arc::clone(&self.scan).stream(self.parts.clone(), 1).map(move |batch| {
            let batch = batch.map_err(external)?;
            let positions = schema.fields().iter().map(|f| batch.schema().index_of(f.name()));
            Ok(batch.project(&positions.collect::<Result<Vec<_>, _>>()?)?)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
