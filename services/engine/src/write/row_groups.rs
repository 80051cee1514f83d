//! A Parquet file written by many tasks: each encodes whole row groups on its own thread, and the finished
//! row groups are appended in the order of their index. The file is therefore the same whatever the number of tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use tokio::sync::Mutex;

use super::WrittenFile;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::location::Location;

/// What a file is for, which decides how it is encoded: what is read once and soon, or what people keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Cheap to write and to read back; no hash.
    Staged,
    /// For other tools: statistics for their filters, and a hash for the manifest.
    Result,
}

/// The writer; clones share one file.
#[derive(Clone)]
pub struct RowGroups {
    schema: SchemaRef,
    encoder: Arc<ArrowRowGroupWriterFactory>,
    file: Arc<Mutex<Appender>>,
}

struct Appender {
    location: Location,
    schema: SchemaRef,
    writer: SerializedFileWriter<Vec<u8>>,
    sink: Sink,
    /// Row groups that came before their turn.
    waiting: BTreeMap<u64, Vec<ArrowColumnChunk>>,
    next: u64,
    rows: u64,
}

impl RowGroups {
    pub fn create(location: &Location, schema: &SchemaRef, purpose: Purpose) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_compression(match purpose {
                // ADR 6: compressing costs more than it saves on what is read once, and soon.
                Purpose::Staged => Compression::UNCOMPRESSED,
                Purpose::Result => Compression::LZ4_RAW,
            })
            .set_dictionary_enabled(false)
            .set_created_by(concat!("kalla ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_statistics_enabled(match purpose {
                Purpose::Staged => EnabledStatistics::None,
                Purpose::Result => EnabledStatistics::Chunk,
            })
            .build();
        let parquet_schema = ArrowSchemaConverter::new().convert(schema).map_err(internal)?;
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let writer = SerializedFileWriter::new(Vec::new(), parquet_schema.root_schema_ptr(), Arc::new(properties))
            .map_err(internal)?;
        let encoder = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(schema));
        let appender = Appender {
            location: location.clone(),
            schema: Arc::clone(schema),
            writer,
            sink: Sink::create(location, purpose == Purpose::Result)?,
            waiting: BTreeMap::new(),
            next: 0,
            rows: 0,
        };
        Ok(Self { schema: Arc::clone(schema), encoder: Arc::new(encoder), file: Arc::new(Mutex::new(appender)) })
    }

    /// Encodes `batches` as row group `index` on the calling thread. Indexes are 0, 1, 2, … with none left out, in any
    /// order of calls; a group without rows takes its place in the order and no space in the file.
    pub async fn write(&self, index: u64, batches: &[RecordBatch]) -> Result<()> {
        let chunks = self.encode(batches).map_err(internal)?;
        self.file.lock().await.append(index, chunks).await
    }

    fn encode(&self, batches: &[RecordBatch]) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
        if batches.iter().all(|b| b.num_rows() == 0) {
            return Ok(Vec::new());
        }
        let mut columns = self.encoder.create_column_writers(0)?;
        for batch in batches {
            let mut writers = columns.iter_mut();
            for (field, array) in self.schema.fields().iter().zip(batch.columns()) {
                for leaf in compute_leaves(field, array)? {
                    writers
                        .next()
                        .ok_or_else(|| ParquetError::General("more leaves than columns".to_owned()))?
                        .write(&leaf)?;
                }
            }
        }
        columns.into_iter().map(|c| c.close()).collect()
    }

    /// Writes the footer. Every index below the highest must have been written.
    pub async fn finish(self) -> Result<(WrittenFile, Arc<ParquetMetaData>)> {
        let appender =
            Arc::into_inner(self.file).ok_or_else(|| Error::defect("a row group writer is still in use"))?.into_inner();
        appender.finish().await
    }
}

impl Appender {
    async fn append(&mut self, index: u64, chunks: Vec<ArrowColumnChunk>) -> Result<()> {
        self.waiting.insert(index, chunks);
        while let Some(chunks) = self.waiting.remove(&self.next) {
            self.next += 1;
            if let Some(first) = chunks.first() {
                self.rows += first.close().rows_written;
                let mut group = self.writer.next_row_group().map_err(internal)?;
                for chunk in chunks {
                    chunk.append_to_row_group(&mut group).map_err(internal)?;
                }
                group.close().map_err(internal)?;
                self.drain().await?;
            }
        }
        Ok(())
    }

    /// Hands what is encoded to the sink and keeps the buffer for the next row group.
    async fn drain(&mut self) -> Result<()> {
        self.writer.flush().map_err(|e| Error::defect_of("encoding Parquet", e))?;
        let buffer = self.writer.inner_mut();
        self.sink.write(buffer).await?;
        buffer.clear();
        Ok(())
    }

    async fn finish(mut self) -> Result<(WrittenFile, Arc<ParquetMetaData>)> {
        if let Some(index) = self.waiting.keys().next() {
            return Err(Error::defect(format!("row group {} is missing before {index}", self.next)));
        }
        let metadata = self.writer.finish().map_err(internal)?;
        self.drain().await?;
        let (bytes, sha256) = self.sink.finish().await?;
        let file = WrittenFile { location: self.location, schema: self.schema, rows: self.rows, bytes, sha256 };
        Ok((file, Arc::new(metadata)))
    }
}

fn internal(error: ParquetError) -> Error {
    Error::defect_of("encoding Parquet", error)
}
