//! A selection as a file that other programs read, encoded while it is read: no more than a part of it is in memory.

mod spreadsheet;
mod xlsx;

use std::fs::File;
use std::io::Read as _;
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::page::{Rows, Selected};
use crate::api::Pending;
use crate::error::{Cause, Error, Result, Violation};
use crate::write::{PART_ROWS, encode_csv};

/// Bytes of a finished file that are handed on together.
const CHUNK: usize = 256 * 1024;

/// Kinds of files that a result is exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Comma-separated text in UTF-8 with a header.
    Csv,
    /// The same, with an apostrophe before text that a spreadsheet would take for a formula.
    SpreadsheetCsv,
    /// Arrow IPC, the streaming format.
    Arrow,
    Parquet,
    /// An Excel workbook of one sheet.
    Xlsx,
}

impl FileKind {
    /// Those that an extension tells.
    const NAMED: [(Self, &'static str); 4] =
        [(Self::Csv, "csv"), (Self::Arrow, "arrows"), (Self::Parquet, "parquet"), (Self::Xlsx, "xlsx")];
}

impl FromStr for FileKind {
    type Err = String;

    /// By the extension of a file.
    fn from_str(extension: &str) -> Result<Self, String> {
        let found = Self::NAMED.iter().find(|(_, name)| extension.eq_ignore_ascii_case(name));
        found.map(|(kind, _)| *kind).ok_or_else(|| {
            let names = Self::NAMED.map(|(_, name)| name).join(", .");
            format!("`.{extension}` is no kind of file that results are written to: use .{names}")
        })
    }
}

impl Selected {
    /// The rows as the bytes of a file.
    pub fn export(&self, kind: FileKind) -> Pending<'_, BoxStream<'static, Result<Bytes>>> {
        Box::pin(self.encode(kind))
    }

    async fn encode(&self, kind: FileKind) -> Result<BoxStream<'static, Result<Bytes>>> {
        if kind == FileKind::Xlsx {
            let passing = self.count().await?.saturating_sub(self.offset());
            let rows = self.limit().map_or(passing, |limit| limit.min(passing));
            xlsx::check(rows, &self.schema())
                .map_err(|message| Error::Invalid(vec![Violation::new("format", message)]))?;
        }
        let encoder = Encoder::new(kind, &self.schema(), self.spill_dir())?;
        Ok(encoded(encoder, self.rows().await?).boxed())
    }
}

fn encoded(encoder: Encoder, rows: Rows) -> impl futures::Stream<Item = Result<Bytes>> + Send {
    futures::stream::try_unfold(State::Encoding(Box::new(encoder), rows), |mut state| async move {
        loop {
            let (bytes, next) = match state {
                State::Encoding(mut encoder, mut rows) => match rows.try_next().await? {
                    Some(batch) => (encoder.write(&batch)?, State::Encoding(encoder, rows)),
                    None => match encoder.finish()? {
                        Finished::Bytes(bytes) => (bytes, State::Ended),
                        Finished::File(file) => (Vec::new(), State::Copying(file)),
                    },
                },
                State::Copying(file) => {
                    let mut bytes = Vec::with_capacity(CHUNK);
                    (&file).take(CHUNK as u64).read_to_end(&mut bytes).map_err(failed)?;
                    let next = if bytes.is_empty() { State::Ended } else { State::Copying(file) };
                    (bytes, next)
                }
                State::Ended => return Ok(None),
            };
            state = next;
            if !bytes.is_empty() {
                return Ok(Some((Bytes::from(bytes), state)));
            }
        }
    })
}

enum State {
    Encoding(Box<Encoder>, Rows),
    /// What could only be written as a whole.
    Copying(File),
    Ended,
}

enum Encoder {
    Csv { header: Option<SchemaRef>, spreadsheet: bool },
    Arrow(StreamWriter<Vec<u8>>),
    Parquet(ArrowWriter<Vec<u8>>),
    Xlsx(Box<xlsx::Sheet>),
}

enum Finished {
    Bytes(Vec<u8>),
    File(File),
}

impl Encoder {
    fn new(kind: FileKind, schema: &SchemaRef, spill_dir: Option<&std::path::Path>) -> Result<Self> {
        Ok(match kind {
            FileKind::Csv | FileKind::SpreadsheetCsv => {
                Self::Csv { header: Some(schema.clone()), spreadsheet: kind == FileKind::SpreadsheetCsv }
            }
            FileKind::Arrow => Self::Arrow(StreamWriter::try_new(Vec::new(), schema).map_err(failed)?),
            FileKind::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(PART_ROWS))
                    .set_created_by(concat!("kalla ", env!("CARGO_PKG_VERSION")).to_owned())
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties));
                Self::Parquet(writer.map_err(failed)?)
            }
            FileKind::Xlsx => Self::Xlsx(Box::new(xlsx::Sheet::new(schema, spill_dir)?)),
        })
    }

    /// What the file has grown by; nothing where it waits for more.
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Csv { header, spreadsheet } => csv(batch, header.take().is_some(), *spreadsheet),
            Self::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Self::Parquet(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.inner_mut()))
            }
            Self::Xlsx(sheet) => sheet.write(batch).map(|()| Vec::new()),
        }
    }

    fn finish(self) -> Result<Finished> {
        Ok(match self {
            Self::Csv { header: None, .. } => Finished::Bytes(Vec::new()),
            Self::Csv { header: Some(schema), spreadsheet } => {
                Finished::Bytes(csv(&RecordBatch::new_empty(schema), true, spreadsheet)?)
            }
            Self::Arrow(mut writer) => {
                writer.finish().map_err(failed)?;
                Finished::Bytes(std::mem::take(writer.get_mut()))
            }
            Self::Parquet(writer) => Finished::Bytes(writer.into_inner().map_err(failed)?),
            Self::Xlsx(sheet) => Finished::File(sheet.finish()?),
        })
    }
}

fn csv(batch: &RecordBatch, header: bool, spreadsheet: bool) -> Result<Vec<u8>> {
    if !spreadsheet {
        return encode_csv(std::slice::from_ref(batch), header);
    }
    encode_csv(&[spreadsheet::defuse(batch).map_err(failed)?], header)
}

fn failed(cause: impl Into<Cause>) -> Error {
    Error::defect_of("exporting", cause)
}
