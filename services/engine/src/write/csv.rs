//! A CSV file written by many tasks, its parts in the order of their index.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tokio::sync::Mutex;

use super::WrittenFile;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::location::Location;

/// The writer; clones share one file.
#[derive(Clone)]
pub struct CsvParts {
    file: Arc<Mutex<Appender>>,
}

struct Appender {
    location: Location,
    schema: SchemaRef,
    sink: Sink,
    waiting: BTreeMap<u64, (Vec<u8>, u64)>,
    next: u64,
    rows: u64,
    header: Option<Vec<u8>>,
}

impl CsvParts {
    pub fn create(location: &Location, schema: &SchemaRef) -> Result<Self> {
        let empty = RecordBatch::new_empty(Arc::clone(schema));
        let appender = Appender {
            location: location.clone(),
            schema: Arc::clone(schema),
            sink: Sink::create(location, true)?,
            waiting: BTreeMap::new(),
            next: 0,
            rows: 0,
            header: Some(encode(&[empty], true)?),
        };
        Ok(Self { file: Arc::new(Mutex::new(appender)) })
    }

    pub async fn write(&self, index: u64, batches: &[RecordBatch]) -> Result<()> {
        let rows = batches.iter().map(|b| b.num_rows() as u64).sum();
        let part = encode(batches, false)?;
        self.file.lock().await.append(index, part, rows).await
    }

    pub async fn finish(self) -> Result<WrittenFile> {
        let mut appender =
            Arc::into_inner(self.file).ok_or_else(|| Error::defect("a CSV writer is still in use"))?.into_inner();
        appender.flush_header().await?;
        let (bytes, sha256) = appender.sink.finish().await?;
        let Appender { location, schema, rows, .. } = appender;
        Ok(WrittenFile { location, schema, rows, bytes, sha256 })
    }
}

impl Appender {
    async fn append(&mut self, index: u64, part: Vec<u8>, rows: u64) -> Result<()> {
        self.flush_header().await?;
        self.waiting.insert(index, (part, rows));
        while let Some((part, rows)) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.rows += rows;
            self.sink.write(&part).await?;
        }
        Ok(())
    }

    async fn flush_header(&mut self) -> Result<()> {
        if let Some(header) = self.header.take() {
            self.sink.write(&header).await?;
        }
        Ok(())
    }
}

/// The lines of `batches`, after those of the header if it is wanted.
pub fn encode(batches: &[RecordBatch], header: bool) -> Result<Vec<u8>> {
    let failed = |e: ArrowError| Error::defect_of("encoding CSV", e);
    let mut writer = arrow::csv::WriterBuilder::new().with_header(header).build(Vec::new());
    for batch in batches {
        writer.write(&flat(batch).map_err(failed)?).map_err(failed)?;
    }
    Ok(writer.into_inner())
}

/// CSV knows no nesting: lists and structs are written as text, `[3, 7]`.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch.schema().fields().iter().any(|f| f.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let text = (0..column.len()).map(|row| column.is_valid(row).then(|| formatter.value(row).to_string()));
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(Arc::new(text.collect::<StringArray>()));
        } else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
