//! Is a job right? Planned against the real schemas, without running it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::job::{Job, Source};
use crate::lineage::Side;
use crate::manifest::{Column, Lineage, columns};
use crate::matching::{self, PlanTable};
use crate::names::ROW_NUMBER;
use crate::query::{self, Joins};
use crate::scratch::Scratch;
use crate::stack::with_room;
use crate::stage::{self, ColumnNote, Sample, Staged};

/// What a job that is right would read and give.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// Left, right, then the extras.
    pub sources: Vec<CheckedSource>,
    /// The columns of the matched result set.
    pub output: Vec<Column>,
    pub lineage: Lineage,
    /// What is otherwise than one would think, a sentence each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CheckedSource {
    pub alias: String,
    /// Without credentials.
    pub uri: String,
    pub columns: Vec<Column>,
}

/// Everything that is wrong with the job and can be seen without reading its sources, at once.
pub fn validate(job: &Job) -> Result<()> {
    let mut wrong = job.violations();
    let aliases = job.sources().map(|s| s.alias.as_str());
    match with_room(|| query::check_statement(&job.match_sql, aliases)) {
        Err(Error::Invalid(found)) => wrong.extend(found),
        other => other?,
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

/// See [`crate::check`].
pub async fn check(job: &Job) -> Result<CheckReport> {
    validate(job)?;
    let samples = futures::future::try_join_all(job.sources().map(|source| stage::sample(source, SAMPLE_ROWS))).await?;
    let found: Vec<Found> = samples.iter().map(Found::from).collect();
    match plan(job, &found).await {
        Err(Error::Invalid(_)) if samples.iter().any(is_partial) => plan(job, &read_all(job).await?).await,
        result => result,
    }
}

/// See [`crate::foresee`].
pub async fn foresee(job: &Job) -> Result<()> {
    validate(job)?;
    let samples = futures::future::try_join_all(job.sources().map(|source| stage::sample(source, SAMPLE_ROWS))).await;
    // Whether they can be read is for the job to tell, which tries again and longer.
    let Ok(samples) = samples else { return Ok(()) };
    let found: Vec<Found> = samples.iter().map(Found::from).collect();
    let Err(Error::Invalid(mut wrong)) = plan(job, &found).await else { return Ok(()) };
    if samples.iter().any(is_partial) {
        // A later row may change their types: what is wrong whatever these are is wrong for certain.
        let open: Vec<Found> = samples.iter().map(|s| if is_partial(s) { Found::open(s) } else { s.into() }).collect();
        let Err(Error::Invalid(again)) = plan(job, &open).await else { return Ok(()) };
        wrong.retain(|violation| again.contains(violation));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

const SAMPLE_ROWS: usize = 1000;

/// See [`crate::head_columns`].
pub async fn head_columns(source: &Source) -> Result<Vec<Column>> {
    let sample = stage::sample(source, SAMPLE_ROWS).await?;
    Ok(columns(&sample.schema, &sample.facts.notes))
}

/// Whether the types may still change in the part of the source that the sample has not seen.
fn is_partial(sample: &Sample) -> bool {
    matches!(sample.facts.format.as_str(), "csv" | "ndjson") && sample.facts.bytes.is_none_or(|bytes| bytes > 1 << 20)
}

/// The columns of a source, and what is odd about them.
struct Found {
    schema: SchemaRef,
    notes: Vec<ColumnNote>,
}

impl From<&Sample> for Found {
    fn from(sample: &Sample) -> Self {
        Self { schema: Arc::clone(&sample.schema), notes: sample.facts.notes.clone() }
    }
}

impl Found {
    /// With columns that suit whatever they are compared with.
    fn open(sample: &Sample) -> Self {
        let open = |field: &Arc<Field>| Field::new(field.name(), DataType::Null, true);
        let fields: Vec<Field> = sample.schema.fields().iter().map(open).collect();
        Self { schema: Arc::new(Schema::new(fields)), notes: sample.facts.notes.clone() }
    }
}

async fn read_all(job: &Job) -> Result<Vec<Found>> {
    let scratch = Scratch::new(&job.limits)?;
    let found = |s: Staged| Found { schema: s.schema, notes: s.facts.notes };
    Ok(scratch.stage(job).await?.into_iter().map(found).collect())
}

async fn plan(job: &Job, found: &[Found]) -> Result<CheckReport> {
    let ctx = query::session(&job.limits, Joins::Hashed)?;
    let tables: Vec<PlanTable> = found.iter().map(empty_table).collect();
    let plan = matching::plan(&ctx, job, &tables).await?;
    let sources = job.sources().zip(found).map(|(source, found)| CheckedSource {
        alias: source.alias.clone(),
        uri: source.uri.to_string(),
        columns: columns(&found.schema, &found.notes),
    });
    Ok(CheckReport {
        sources: sources.collect(),
        output: columns(&plan.schema(), &[]),
        lineage: Lineage { left: plan.mode(Side::Left), right: plan.mode(Side::Right) },
        notes: plan.notes(),
    })
}

fn empty_table(found: &Found) -> PlanTable {
    let row = Arc::new(Field::new(ROW_NUMBER, DataType::Int64, false));
    let schema = matching::untyped(&found.schema, &found.notes);
    let numbered: Vec<_> = schema.fields().iter().cloned().chain([row]).collect();
    let empty = |schema: SchemaRef| Arc::new(EmptyTable::new(schema)) as Arc<dyn TableProvider>;
    PlanTable {
        schema: Arc::clone(&schema),
        notes: found.notes.clone(),
        plain: empty(schema),
        numbered: empty(Arc::new(Schema::new(numbered))),
    }
}
