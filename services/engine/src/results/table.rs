//! One result set: its file, opened once, and what has been learnt of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::RowNumber;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::condition::Condition;
use super::only::{Known, Matches, Only};
use super::page::Selected;
use super::scan::Scan;
use super::{Means, ResultSet, Selection};
use crate::api::Pending;
use crate::error::{Error, Result};
use crate::job::{FileFormat, Limits, ReadOptions, Source, SourceUri};
use crate::location::Location;
use crate::manifest::{Manifest, ResultFile};
use crate::names::ROW_NUMBER;
use crate::scratch::Scratch;
use crate::stage::text::{ColumnType, Encoding};
use crate::stage::{self, RowFile};
use crate::tasks::Threads;

/// Conditions whose counts are remembered.
const COUNTED: usize = 16;

/// A result set that can be read. Clones are the same.
#[derive(Clone)]
pub struct ResultTable(Arc<Shared>);

pub(super) struct Shared {
    pub means: Arc<Means>,
    location: Location,
    sha256: String,
    bytes: u64,
    /// The file, or what was made of it where it is no Parquet.
    pub file: RowFile,
    /// Held open where it is on a disk: another result may take its place, and what was opened is read on.
    pub local: Option<Arc<File>>,
    /// Gives the row number as the last column.
    pub numbered: ArrowReaderMetadata,
    /// Rows of each row group that pass a condition, by its text.
    counts: Mutex<Vec<(String, Arc<Vec<u64>>)>>,
    /// Which matches are those that are asked for.
    matches: Matches,
    known: Mutex<Vec<(Only, Known)>>,
    _scratch: Option<Scratch>,
}

impl ResultTable {
    pub(super) async fn open(
        means: &Arc<Means>,
        set: ResultSet,
        location: Location,
        entry: &ResultFile,
        manifest: &Manifest,
    ) -> Result<Self> {
        let failed = |error: Error| unreadable(&location, error);
        let (file, scratch) = match location.extension().as_deref() {
            Some("csv") => stage_text(&means.limits, set, &location, entry).await.map_err(failed)?,
            _ => (stage::parquet::open(set.name(), &location).await.map_err(failed)?.0, None),
        };
        let local = file.location().as_local().map(File::open).transpose();
        let local = local.map_err(|e| Error::Output { path: location.to_string(), reason: e.to_string() })?;
        let number = Field::new(ROW_NUMBER, DataType::Int64, false).with_extension_type(RowNumber);
        let numbered = ArrowReaderOptions::new()
            .with_virtual_columns(vec![FieldRef::from(number)])
            .and_then(|options| ArrowReaderMetadata::try_new(Arc::clone(file.metadata()), options))
            .map_err(|e| Error::Output { path: location.to_string(), reason: e.to_string() })?;
        Ok(Self(Arc::new(Shared {
            means: Arc::clone(means),
            sha256: entry.sha256.clone(),
            bytes: entry.bytes,
            location,
            file,
            local: local.map(Arc::new),
            numbered,
            counts: Mutex::default(),
            matches: Matches::new(set, manifest),
            known: Mutex::default(),
            _scratch: scratch,
        })))
    }

    pub fn location(&self) -> &Location {
        &self.0.location
    }

    pub fn schema(&self) -> &SchemaRef {
        self.0.file.schema()
    }

    /// Without any filter.
    pub fn rows(&self) -> u64 {
        self.0.file.rows()
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    pub(super) fn sha256(&self) -> &str {
        &self.0.sha256
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The rows that `selection` wants; all that is wrong with it is told at once.
    pub fn select(&self, selection: Selection) -> Pending<'_, Selected> {
        Box::pin(async move {
            let only = match selection.only {
                Some(only) => Some((only, self.known(only).await?)),
                None => None,
            };
            Selected::new(self.clone(), selection, only)
        })
    }

    /// Found out once.
    async fn known(&self, only: Only) -> Result<Known> {
        let known = |known: &Vec<(Only, Known)>| known.iter().find(|(of, _)| *of == only).map(|(_, rows)| rows.clone());
        if let Some(rows) = known(&self.0.known.lock().unwrap_or_else(|e| e.into_inner())) {
            return Ok(rows);
        }
        let rows = self.0.matches.find(self, only).await?;
        self.0.known.lock().unwrap_or_else(|e| e.into_inner()).push((only, rows.clone()));
        Ok(rows)
    }

    /// A scan of some columns, by their positions.
    pub(super) fn scan(&self, columns: BTreeSet<usize>, condition: &Arc<Condition>) -> Arc<Scan> {
        Arc::new(Scan::new(Arc::clone(&self.0), columns, Arc::clone(condition)))
    }

    /// Rows of each row group that pass; counted once for each condition.
    pub(super) async fn counts(&self, condition: &Arc<Condition>) -> Result<Arc<Vec<u64>>> {
        let scan = self.scan(BTreeSet::new(), condition);
        if condition.is_empty() {
            return Ok(Arc::new(scan.group_rows()));
        }
        let key = format!("{condition:?}");
        let known = |counts: &Vec<(String, Arc<Vec<u64>>)>| {
            counts.iter().find(|(known, _)| *known == key).map(|(_, counts)| Arc::clone(counts))
        };
        if let Some(counts) = known(&self.0.counts.lock().unwrap_or_else(|e| e.into_inner())) {
            return Ok(counts);
        }
        let counted = Arc::new(scan.count(self.0.means.limits.threads).await?);
        let mut counts = self.0.counts.lock().unwrap_or_else(|e| e.into_inner());
        if counts.len() >= COUNTED {
            counts.remove(0);
        }
        counts.push((key, Arc::clone(&counted)));
        Ok(counted)
    }
}

/// The columns of the file, then the row number.
pub(super) fn with_row_number(schema: &Schema) -> SchemaRef {
    let number = Arc::new(Field::new(ROW_NUMBER, DataType::Int64, false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([number]).collect::<Vec<_>>()))
}

/// Text has no row groups and no types: read as the types that were written, once.
async fn stage_text(
    limits: &Limits,
    set: ResultSet,
    location: &Location,
    entry: &ResultFile,
) -> Result<(RowFile, Option<Scratch>)> {
    let types = entry.columns.iter().map(|column| {
        let written = column.data_type.parse::<ColumnType>();
        (column.name.clone(), written.unwrap_or(ColumnType::Text))
    });
    let source = Source {
        alias: set.name().to_owned(),
        uri: SourceUri::File(location.clone()),
        filters: Vec::new(),
        primary_key: Vec::new(),
        options: ReadOptions {
            format: Some(FileFormat::Csv),
            delimiter: Some(b','),
            quote: Some(Some(b'"')),
            header: Some(true),
            encoding: Some(Encoding::Utf8),
            nulls: Vec::new(),
            trim: false,
            types: types.collect::<BTreeMap<_, _>>(),
        },
    };
    let scratch = Scratch::new(limits)?;
    let staged = stage::stage(&source, &scratch.context(&source, 0, Threads::new(limits.threads))).await?;
    if let Some(reject) = staged.rejects.first() {
        let reason = format!("line {}: {}", reject.line, reject.reason);
        return Err(Error::Output { path: location.to_string(), reason });
    }
    Ok((staged.file, Some(scratch)))
}

/// A result is no source.
fn unreadable(location: &Location, error: Error) -> Error {
    let path = location.to_string();
    match error {
        Error::NotFound { .. } => Error::Missing(format!("{path} is gone: run the job again")),
        Error::Denied { what, .. } | Error::Unavailable { what, .. } => Error::Output { path, reason: what },
        Error::Data { reason, .. } => Error::Output { path, reason },
        other => other,
    }
}
