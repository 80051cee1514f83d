//! What is in a source: its dialect, its columns with their types and contents, and what could serve as its key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{approx_distinct, count, count_distinct, max, min};
use datafusion::logical_expr::{Expr, ident, lit};
use serde::Serialize;

use crate::error::Result;
use crate::job::{Limits, Source};
use crate::manifest::{Column, columns};
use crate::matching::StagedTable;
use crate::query::{self, Joins};
use crate::scratch::Scratch;
use crate::stage::{self, ColumnNote, InputFacts, Reject};
use crate::tasks::Threads;
use crate::type_names::type_name;

/// A source, looked at from its first to its last row.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    pub alias: String,
    /// Without credentials.
    pub uri: String,
    pub rows: u64,
    pub rejected: u64,
    pub facts: InputFacts,
    pub columns: Vec<ColumnProfile>,
    /// Sets of columns without NULLs whose values name every row, the shortest first.
    pub candidate_keys: Vec<Vec<String>>,
    /// The first rejected rows.
    pub rejects: Vec<Reject>,
    #[serde(skip)]
    pub sample: Vec<RecordBatch>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ColumnProfile {
    pub name: String,
    #[serde(rename = "type")]
    pub data_type: String,
    pub nulls: u64,
    pub distinct: u64,
    /// Whether `distinct` was counted, or estimated to a few percent.
    pub distinct_exact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Why a column that looks like something else is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Distinct values are counted up to this many rows and estimated above, save where a key is in sight.
const EXACT_ROWS: u64 = 1_000_000;
/// Pairs of columns that are tried as a key when no column is one alone.
const PAIRS_TRIED: usize = 10;
const REJECTS_SHOWN: usize = 10;

/// See [`crate::inspect`].
pub async fn inspect(source: &Source, limits: &Limits, sample_rows: usize) -> Result<Inspection> {
    let scratch = Scratch::new(limits)?;
    let staged = stage::stage(source, &scratch.context(source, 0, Threads::new(limits.threads))).await?;
    let failed = |e| query::execution_error(e, limits);
    let ctx = query::session(limits, Joins::Hashed)?;
    let table = Arc::new(StagedTable::new(&ctx, &staged.file, false).map_err(failed)?);
    let rows = staged.file.rows();
    let schema = Arc::clone(staged.file.schema());
    let profiler = Profiler { ctx: &ctx, table, schema, rows, notes: &staged.facts.notes };
    let columns = profiler.columns().await.map_err(failed)?;
    let candidate_keys = profiler.keys(&columns).await.map_err(failed)?;
    let sample = profiler.all().and_then(|t| t.limit(0, Some(sample_rows))).map_err(failed)?.collect().await;
    Ok(Inspection {
        alias: source.alias.clone(),
        uri: source.uri.to_string(),
        rows,
        rejected: staged.rejected,
        facts: staged.facts,
        columns,
        candidate_keys,
        rejects: staged.rejects.into_iter().take(REJECTS_SHOWN).collect(),
        sample: sample.map_err(failed)?,
    })
}

/// The first rows of a source that pass its filters.
#[derive(Debug)]
pub struct Head {
    /// Types of a text file are those of its head, unless all of it was read.
    pub columns: Vec<Column>,
    pub rows: Vec<RecordBatch>,
    /// Rows in all, where all of them were read.
    pub total: Option<u64>,
    pub facts: InputFacts,
}

/// See [`crate::head`].
pub async fn head(source: &Source, limits: &Limits, rows: usize) -> Result<Head> {
    if source.filters.is_empty() {
        let sample = stage::sample(source, rows).await?;
        let columns = columns(&sample.schema, &sample.facts.notes);
        return Ok(Head { columns, rows: sample.batches, total: None, facts: sample.facts });
    }
    let scratch = Scratch::new(limits)?;
    let staged = stage::stage(source, &scratch.context(source, 0, Threads::new(limits.threads))).await?;
    let failed = |e| query::execution_error(e, limits);
    let ctx = query::session(limits, Joins::Hashed)?;
    let table = Arc::new(StagedTable::new(&ctx, &staged.file, false).map_err(failed)?);
    let first = ctx.read_table(table).and_then(|all| all.limit(0, Some(rows))).map_err(failed)?;
    Ok(Head {
        columns: columns(staged.file.schema(), &staged.facts.notes),
        rows: first.collect().await.map_err(failed)?,
        total: Some(staged.file.rows()),
        facts: staged.facts,
    })
}

/// Looks into a table, column by column.
pub struct Profiler<'a> {
    pub ctx: &'a SessionContext,
    pub table: Arc<dyn TableProvider>,
    /// The columns of the table that are looked into.
    pub schema: SchemaRef,
    pub rows: u64,
    pub notes: &'a [ColumnNote],
}

type Query<T> = Result<T, DataFusionError>;

impl Profiler<'_> {
    pub fn all(&self) -> Query<DataFrame> {
        self.ctx.read_table(Arc::clone(&self.table))
    }

    async fn one_row(&self, aggregates: Vec<Expr>) -> Query<RecordBatch> {
        let aliased = aggregates.into_iter().enumerate().map(|(i, e)| e.alias(format!("v{i}"))).collect();
        let batches = self.all()?.aggregate(vec![], aliased)?.collect().await?;
        Ok(batches
            .into_iter()
            .find(|b| b.num_rows() > 0)
            .unwrap_or_else(|| RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()))))
    }

    async fn columns(&self) -> Query<Vec<ColumnProfile>> {
        let mut profiles = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            profiles.push(self.column(field).await?.0);
        }
        Ok(profiles)
    }

    /// What is in a column, and its least and its greatest value as arrays of one.
    pub async fn column(&self, field: &Field) -> Query<(ColumnProfile, Option<[ArrayRef; 2]>)> {
        let column = || ident(field.name());
        let countable = !field.data_type().is_nested();
        let (few, sketched) = (self.rows <= EXACT_ROWS, has_sketch(field.data_type()));
        let mut wanted = vec![count(column())];
        if countable {
            wanted.extend([min(column()), max(column())]);
        }
        let distinct = match (few, sketched) {
            _ if !countable => None,
            (true, _) => Some(count_distinct(column())),
            (false, true) => Some(approx_distinct(column())),
            (false, false) => None,
        };
        // A set of all values need not fit into the memory limit: then they are grouped.
        let (row, counted) = match self.one_row(wanted.iter().cloned().chain(distinct).collect()).await {
            Err(error) if few && is_out_of_memory(&error) => (self.one_row(wanted).await?, false),
            row => (row?, few),
        };
        let filled = number(&row, 0);
        let nulls = self.rows - filled;
        let (distinct, distinct_exact) = match number(&row, 3) {
            _ if !countable => (filled, false),
            exact if counted => (exact, true),
            estimate if !few && sketched && (nulls > 0 || estimate < self.rows / 10 * 9) => (estimate, false),
            _ => (self.distinct(&[field.name()]).await?, true),
        };
        let profile = ColumnProfile {
            name: field.name().clone(),
            data_type: type_name(field.data_type()),
            nulls,
            distinct,
            distinct_exact,
            min: countable.then(|| text(&row, 1)).flatten(),
            max: countable.then(|| text(&row, 2)).flatten(),
            note: self.notes.iter().find(|n| n.column == *field.name()).map(|n| n.note.clone()),
        };
        let bounds = (countable && filled > 0).then(|| [Arc::clone(row.column(1)), Arc::clone(row.column(2))]);
        Ok((profile, bounds))
    }

    /// How many different values some columns have, where none of them is NULL. By grouping, which spills: a set of them need not
    /// fit into the memory limit.
    async fn distinct(&self, columns: &[&str]) -> Query<u64> {
        let filled = columns.iter().map(|column| ident(*column).is_not_null()).reduce(Expr::and);
        let groups = columns.iter().map(|column| ident(*column)).collect();
        let groups = self.all()?.filter(filled.unwrap_or_else(|| lit(true)))?.aggregate(groups, vec![])?;
        let counted = groups.aggregate(vec![], vec![count(lit(1)).alias("v0")])?.collect().await?;
        Ok(counted.first().map_or(0, |batch| number(batch, 0)))
    }

    async fn keys(&self, columns: &[ColumnProfile]) -> Query<Vec<Vec<String>>> {
        if self.rows == 0 {
            return Ok(Vec::new());
        }
        let is_key = |c: &&ColumnProfile| c.nulls == 0 && c.distinct_exact && c.distinct == self.rows;
        let single: Vec<_> = columns.iter().filter(is_key).map(|c| vec![c.name.clone()]).collect();
        if !single.is_empty() {
            return Ok(single);
        }
        let mut full: Vec<&ColumnProfile> = columns.iter().filter(|c| c.nulls == 0 && c.distinct > 1).collect();
        full.sort_by_key(|c| std::cmp::Reverse(c.distinct));
        let pairs = full.iter().enumerate().flat_map(|(i, a)| full[i + 1..].iter().map(move |b| (a, b)));
        let likely = pairs.filter(|(a, b)| a.distinct.saturating_mul(b.distinct) >= self.rows).take(PAIRS_TRIED);
        let likely: Vec<_> = likely.collect();
        let mut keys = Vec::new();
        for (a, b) in likely {
            if self.distinct(&[&a.name, &b.name]).await? == self.rows {
                keys.push(vec![a.name.clone(), b.name.clone()]);
            }
        }
        Ok(keys)
    }
}

fn is_out_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// Whether DataFusion can estimate the distinct values of a type.
fn has_sketch(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32 | DataType::Timestamp(_, _)
        )
}

fn number(row: &RecordBatch, column: usize) -> u64 {
    let Some(array) = row.columns().get(column) else { return 0 };
    match array.data_type() {
        DataType::UInt64 => array.as_primitive::<arrow::datatypes::UInt64Type>().values().first().copied().unwrap_or(0),
        DataType::Int64 => {
            array.as_primitive::<Int64Type>().values().first().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

fn text(row: &RecordBatch, column: usize) -> Option<String> {
    let array = row.columns().get(column).filter(|a| !a.is_empty() && a.is_valid(0))?;
    let options = FormatOptions::default();
    Some(ArrayFormatter::try_new(array, &options).ok()?.value(0).to_string())
}
