//! From a source to a typed Parquet file whose row order is the source's own order.
//!
//! Every reader cuts its source into pieces that are numbered in source order, turns pieces into batches on the threads
//! that all sources of the job share, and hands them to a [`StageWriter`], which puts them back in order. A row's number is
//! its position in the staged file, so it depends on the source alone.

pub mod filter;
pub mod parquet;
pub mod postgres;
mod row_file;
pub mod text;

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Place, Result, Violation};
use crate::job::{FileFormat, Source, SourceUri};
use crate::location::{Location, in_words};
use crate::progress::Meter;
use crate::sums::Sums;
use crate::write::{Purpose, RowGroups};

pub use crate::tasks::Threads;
pub use row_file::{Chunks, RowFile, Unit};

/// Rejected rows that are kept, however many are allowed: enough to show what is wrong, not enough to fill the memory.
pub const REJECTS_KEPT: usize = 10_000;

/// What a reader needs besides its source.
#[derive(Clone)]
pub struct StageContext {
    pub alias: String,
    /// Shared by all sources of a job.
    pub threads: Threads,
    /// Where the staged file goes.
    pub target: Location,
    pub meter: Meter,
    pub cancel: CancellationToken,
}

impl StageContext {
    /// Starts the staged file (again, when a type had to be widened).
    pub fn create(&self, schema: &SchemaRef) -> Result<StageWriter> {
        self.meter.restart();
        let groups = RowGroups::create(&self.target, schema, Purpose::Staged)?;
        Ok(StageWriter { groups, sums: Arc::default() })
    }

    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Receives the pieces of one source; clones share one file.
#[derive(Clone)]
pub struct StageWriter {
    groups: RowGroups,
    sums: Arc<Mutex<Sums>>,
}

impl StageWriter {
    /// Piece `index` (0, 1, 2, … in source order, none left out, any order of calls). Encodes on the calling thread.
    /// A piece should hold some 50,000 to 200,000 rows in batches of 8,192: it becomes one row group.
    pub async fn write(&self, index: u64, batches: &[RecordBatch]) -> Result<()> {
        let mut sums = Sums::default();
        batches.iter().for_each(|b| sums.add(b));
        self.sums.lock().unwrap_or_else(|e| e.into_inner()).merge(&sums);
        self.groups.write(index, batches).await
    }

    pub async fn finish(self) -> Result<RowFile> {
        let (file, metadata) = self.groups.finish().await?;
        let rows = RowFile::new(file.location, file.bytes, metadata);
        let sums = std::mem::take(&mut *self.sums.lock().unwrap_or_else(|e| e.into_inner()));
        Ok(rows.map_err(|e| Error::defect_of("staged file", e))?.with_sums(sums))
    }
}

/// A source that has been read.
#[derive(Debug, Clone)]
pub struct Staged {
    pub schema: SchemaRef,
    pub file: RowFile,
    /// The first [`REJECTS_KEPT`] in line order.
    pub rejects: Vec<Reject>,
    pub rejected: u64,
    pub facts: InputFacts,
}

/// A row that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// 1-based line of the file where the row starts.
    pub line: u64,
    pub column: Option<String>,
    pub reason: String,
    /// The row as it stands in the file.
    pub raw: String,
}

/// What was found out about a source while reading it; part of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputFacts {
    pub format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// ETag of an object, size and modification time of a file, snapshot of a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<text::Dialect>,
    /// Why a column that looks like something else was left as text: ``text because of `N/A` in line 812``.
    #[serde(skip)]
    pub notes: Vec<ColumnNote>,
}

/// The note of a column of a text file that has no type, because it has no value: it is kept as text, and compared with anything.
pub const NO_VALUES: &str = "without any value";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnNote {
    pub column: String,
    pub note: String,
}

/// The batches that inspection and previews look at.
#[derive(Debug, Clone)]
pub struct Sample {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    pub facts: InputFacts,
}

/// Reads all of `source`.
pub async fn stage(source: &Source, cx: &StageContext) -> Result<Staged> {
    match &source.uri {
        SourceUri::Postgres(table) => {
            refuse_types(source)?;
            postgres::stage(source, table, cx).await
        }
        SourceUri::File(location) => match file_format(source, location) {
            FileFormat::Parquet => {
                refuse_types(source)?;
                parquet::stage(source, location, cx).await
            }
            format => text::stage(source, location, format, cx).await,
        },
    }
}

/// Fails when a source that is read where it lies is not what it was when it was staged.
pub async fn check_unchanged(source: &Source, staged: &Staged) -> Result<()> {
    match &source.uri {
        SourceUri::File(location) if file_format(source, location) == FileFormat::Parquet => {
            parquet::check_unchanged(&source.alias, location, &staged.facts).await
        }
        _ => Ok(()),
    }
}

/// Reads the head of `source`: up to `rows` rows, types as far as they tell.
pub async fn sample(source: &Source, rows: usize) -> Result<Sample> {
    match &source.uri {
        SourceUri::Postgres(table) => {
            refuse_types(source)?;
            postgres::sample(source, table, rows).await
        }
        SourceUri::File(location) => match file_format(source, location) {
            FileFormat::Parquet => {
                refuse_types(source)?;
                parquet::sample(source, location, rows).await
            }
            format => text::sample(source, location, format, rows).await,
        },
    }
}

/// The error with the lines around the one that it is about, for whoever has to mend it.
pub async fn with_lines<'a>(mut error: Error, mut sources: impl Iterator<Item = &'a Source>) -> Error {
    if let Error::Data { alias, place: Place { line: Some(line), around, .. }, .. } = &mut error
        && let Some(source) = sources.find(|source| source.alias == *alias)
        && let SourceUri::File(location) = &source.uri
    {
        *around = text::around(alias, location, &source.options, *line).await;
    }
    error
}

/// Refuses types that are given for columns which have some of their own.
fn refuse_types(source: &Source) -> Result<()> {
    let Source { alias, options, .. } = source;
    let refused = options.types.keys().map(|column| {
        let message = format!("`{alias}` has types of its own: CAST `{column}` in match_sql");
        Violation::new(format!("{alias}.options.types.{column}"), message)
    });
    let refused: Vec<_> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(Error::Invalid(refused)) }
}

/// As set by hand, else by extension; what has no telling extension is CSV, which finds out if it is not.
fn file_format(source: &Source, location: &Location) -> FileFormat {
    source.options.format.unwrap_or_else(|| match location.extension().as_deref() {
        Some("parquet" | "pq" | "parq") => FileFormat::Parquet,
        Some("ndjson" | "jsonl" | "json") => FileFormat::Ndjson,
        _ => FileFormat::Csv,
    })
}

/// What tells one version of a file from another.
pub fn fingerprint(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => format!("etag {}", tag.trim_matches('"')),
        None => format!("{} bytes, modified {}", meta.size, meta.last_modified.to_rfc3339()),
    }
}

/// A file that is not what it should be, told with its location.
fn damaged(alias: &str, location: &Location, what: &str, cause: &dyn std::fmt::Display) -> Error {
    let cause = cause.to_string();
    let reason = format!("{location} {what}: {}", cause.lines().next().unwrap_or_default());
    Error::Data { alias: alias.to_owned(), place: Place::default(), reason }
}

/// A file that cannot be had, told with its location.
pub fn store_error(alias: &str, location: &Location, error: &object_store::Error) -> Error {
    use object_store::Error as Store;
    let alias = alias.to_owned();
    let kind = if location.as_local().is_some() { "file" } else { "object" };
    match error {
        Store::NotFound { .. } => Error::NotFound { alias, what: format!("there is no {kind} {location}") },
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => Error::Denied {
            alias,
            what: format!("access to {location} is denied: check its permissions and your credentials"),
        },
        Store::Generic { source, .. } if location.as_local().is_some() => {
            Error::Denied { alias, what: format!("{location} cannot be read: {source}") }
        }
        other => Error::Unavailable { alias, what: format!("{location} cannot be read now: {}", in_words(other)) },
    }
}
