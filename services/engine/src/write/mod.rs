//! Files that the engine writes: Parquet and CSV tables whose parts are encoded in parallel and appended in order.

mod csv;
mod row_groups;
mod sink;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::SchemaRef;

pub use csv::encode as encode_csv;
pub use row_groups::{Encoding, RowGroups};
pub use sink::Sink;

use crate::error::Result;
use crate::job::ResultFormat;
use crate::location::Location;
use csv::CsvParts;

/// Rows of one part: large enough to compress well, small enough that many fit in memory.
pub const PART_ROWS: usize = 128 * 1024;
/// Bytes of the rows of one part, before they are encoded.
pub const PART_BYTES: usize = 32 << 20;

/// Bytes of the values in a batch, whatever else is in the buffers that it shares, and however rows are cut into batches.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(values).sum()
}

fn values(column: &ArrayRef) -> usize {
    if let Some(width) = column.data_type().primitive_width() {
        return column.len() * width;
    }
    if let Some(texts) = column.as_string_view_opt() {
        return texts.lengths().map(|length| length as usize).sum();
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return length(texts.offsets()).1;
    }
    if let Some(lists) = column.as_list_opt::<i32>() {
        let (start, count) = length(lists.offsets());
        return values(&lists.values().slice(start, count));
    }
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// Where the values of an array begin, and how many there are.
fn length(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    let bound = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    let start = bound(offsets.first());
    (start, bound(offsets.last()) - start)
}

/// A finished file.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    pub location: Location,
    pub schema: SchemaRef,
    pub rows: u64,
    pub bytes: u64,
    /// Hex; of result files only.
    pub sha256: Option<String>,
}

/// A result set on its way to its file; clones share the file.
#[derive(Clone)]
pub enum TableWriter {
    Parquet(RowGroups),
    Csv(CsvParts),
}

impl TableWriter {
    /// `directory/name.parquet` or `.csv`.
    pub fn create(directory: &Location, name: &str, schema: &SchemaRef, format: ResultFormat) -> Result<Self> {
        let location = directory.join(&file_name(name, format));
        Ok(match format {
            ResultFormat::Parquet => Self::Parquet(RowGroups::create(&location, schema, Encoding::Result)?),
            ResultFormat::Csv => Self::Csv(CsvParts::create(&location, schema)?),
        })
    }

    /// Part `index` (0, 1, 2, … none left out, any order of calls); encodes on the calling thread.
    pub async fn write(&self, index: u64, batches: &[RecordBatch]) -> Result<()> {
        match self {
            Self::Parquet(groups) => groups.write(index, batches).await,
            Self::Csv(parts) => parts.write(index, batches).await,
        }
    }

    pub async fn finish(self) -> Result<WrittenFile> {
        match self {
            Self::Parquet(groups) => Ok(groups.finish().await?.0),
            Self::Csv(parts) => parts.finish().await,
        }
    }
}

pub fn file_name(name: &str, format: ResultFormat) -> String {
    match format {
        ResultFormat::Parquet => format!("{name}.parquet"),
        ResultFormat::Csv => format!("{name}.csv"),
    }
}
