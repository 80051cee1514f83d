//! Files that the engine writes: Parquet and CSV tables whose parts are encoded in parallel and appended in order.

mod csv;
mod parts;
mod row_groups;
mod sink;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

pub use csv::encode as encode_csv;
pub use parts::{BATCH_ROWS, Parts, bytes_of, part_rows, pieces};
pub use row_groups::{Purpose, RowGroups};
pub use sink::Sink;

use crate::error::Result;
use crate::job::ResultFormat;
use crate::location::Location;
use csv::CsvParts;

/// Rows of one part: large enough to compress well, small enough that many fit in memory.
pub const PART_ROWS: usize = 128 * 1024;

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
            ResultFormat::Parquet => Self::Parquet(RowGroups::create(&location, schema, Purpose::Result)?),
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
