//! Parquet sources. The file already is what staging makes of others, so it is used where it lies; only a source with
//! filters is copied.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::async_reader::MetadataFetch;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use super::filter::BatchFilter;
use super::{InputFacts, RowFile, Sample, StageContext, Staged, damaged};
use crate::error::{Error, Place, Result};
use crate::job::Source;
use crate::location::Location;
use crate::tasks;

/// Rows that are filtered together.
const UNIT_ROWS: u64 = 128 * 1024;
const CUT: &str = "is not a whole Parquet file";

pub async fn stage(source: &Source, location: &Location, cx: &StageContext) -> Result<Staged> {
    let (file, facts) = open(&source.alias, location).await?;
    cx.meter.expect(file.rows());
    let file = match BatchFilter::new(&source.filters, file.schema(), &source.alias)? {
        None => {
            cx.meter.add(file.rows(), file.rows());
            file
        }
        Some(filter) => copy(file, filter, cx).await?,
    };
    Ok(Staged { schema: Arc::clone(file.schema()), file, rejects: Vec::new(), rejected: 0, facts })
}

/// Fails when the file is no longer the one that was opened, or cannot be had any more: it is read until a job ends.
pub async fn check_unchanged(alias: &str, location: &Location, facts: &InputFacts) -> Result<()> {
    let failed = |e: object_store::Error| super::store_error(alias, location, &e);
    let (store, path) = location.open().map_err(failed)?;
    let head = store.head(&path).await.map_err(failed)?;
    if facts.fingerprint.as_ref() == Some(&super::fingerprint(&head)) {
        return Ok(());
    }
    let reason = format!("{location} changed while it was read: run the job again");
    Err(Error::Data { alias: alias.to_owned(), place: Place::default(), reason })
}

/// The first rows, before any filter.
pub async fn sample(source: &Source, location: &Location, rows: usize) -> Result<Sample> {
    let (file, facts) = open(&source.alias, location).await?;
    let batches = match file.units(rows.max(1) as u64).first() {
        Some(head) => file.read_all(head).await?,
        None => Vec::new(),
    };
    Ok(Sample { schema: Arc::clone(file.schema()), batches, facts })
}

/// The file, of which only the footer is read.
pub async fn open(alias: &str, location: &Location) -> Result<(RowFile, InputFacts)> {
    let failed = |e: object_store::Error| super::store_error(alias, location, &e);
    let (store, path) = location.open().map_err(failed)?;
    let head = store.head(&path).await.map_err(failed)?;
    if head.size < 12 {
        return Err(damaged(alias, location, CUT, &ParquetError::EOF(format!("it has {} bytes", head.size))));
    }
    let magic = store.get_range(&path, 0..4).await.map_err(failed)?;
    if magic.as_ref() != b"PAR1" {
        let reason = format!("{location} is not a Parquet file; if it is text, set its format to csv or ndjson");
        return Err(Error::Data { alias: alias.to_owned(), place: Place::default(), reason });
    }
    let metadata = ParquetMetaDataReader::new()
        .load_and_finish(Footer { store, path }, head.size)
        .await
        .map_err(|e| damaged(alias, location, CUT, &e))?;
    let file =
        RowFile::new(location.clone(), head.size, Arc::new(metadata)).map_err(|e| damaged(alias, location, CUT, &e))?;
    let file = file.of_source(alias);
    let facts = InputFacts {
        format: "parquet".to_owned(),
        bytes: Some(head.size),
        fingerprint: Some(super::fingerprint(&head)),
        ..InputFacts::default()
    };
    Ok((file, facts))
}

/// Fetches the parts of a file that describe it.
struct Footer {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
}

impl MetadataFetch for Footer {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { self.store.get_range(&self.path, range).await.map_err(|e| ParquetError::External(Box::new(e))) }
            .boxed()
    }
}

async fn copy(file: RowFile, filter: BatchFilter, cx: &StageContext) -> Result<RowFile> {
    let writer = cx.create(file.schema())?;
    let units = Arc::new(file.units(UNIT_ROWS));
    let (filter, count) = (Arc::new(filter), units.len());
    let (target, context) = (writer.clone(), cx.clone());
    tasks::for_each(cx.threads.count(), count, move |index| {
        let (file, filter, units) = (file.clone(), Arc::clone(&filter), Arc::clone(&units));
        let (writer, cx) = (target.clone(), context.clone());
        async move {
            let _turn = cx.threads.turn().await;
            cx.check_cancelled()?;
            let unit = &units[index];
            let batches = file.read_all(unit).await?;
            let kept = batches.into_iter().map(|b| filter.apply(b)).collect::<Result<Vec<_>>>()?;
            cx.meter.add(kept.iter().map(|b| b.num_rows() as u64).sum(), unit.rows.end - unit.rows.start);
            writer.write(index as u64, &kept).await
        }
    })
    .await?;
    writer.finish().await
}
