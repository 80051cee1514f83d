//! The stream of a binary COPY, tuple by tuple, straight into column builders.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::columns::{Builder, Refusal, TableColumn, schema};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the extension.
const HEADER: usize = SIGNATURE.len() + 8;
/// Rows of one batch.
pub const BATCH_ROWS: usize = 8192;
/// A batch of long values is closed sooner, so that it stays small and its offsets fit 32 bits.
const BATCH_BYTES: usize = 32 << 20;

/// Why a stream cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyError {
    /// A value does not fit the type chosen for its column.
    DoesNotFit,
    /// Text that is not UTF-8 (a database in SQL_ASCII holds whatever was put in).
    NotText(String),
    /// Not what the protocol promises.
    Malformed(String),
}

/// Decodes one COPY into batches.
pub struct Decoder {
    schema: SchemaRef,
    builders: Vec<Builder>,
    /// Rows and bytes of the batch that is open.
    rows: usize,
    bytes: usize,
    received: u64,
    batches: Vec<RecordBatch>,
    /// The beginning of a tuple whose end has not come yet. The server sends whole tuples; a proxy need not.
    carry: Vec<u8>,
    started: bool,
    ended: bool,
}

impl Decoder {
    pub fn new(columns: &[TableColumn], expected_rows: usize) -> Self {
        let capacity = expected_rows.clamp(64, BATCH_ROWS);
        Self {
            schema: schema(columns),
            builders: columns.iter().map(|column| Builder::new(column.kind, capacity)).collect(),
            rows: 0,
            bytes: 0,
            received: 0,
            batches: Vec::new(),
            carry: Vec::new(),
            started: false,
            ended: false,
        }
    }

    pub fn push(&mut self, frame: &[u8]) -> Result<(), CopyError> {
        if self.carry.is_empty() {
            let used = self.read(frame)?;
            self.carry.extend_from_slice(&frame[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(frame);
            let used = self.read(&joined)?;
            joined.drain(..used);
            self.carry = joined;
        }
        Ok(())
    }

    /// The batches that are closed by now.
    pub fn take_closed(&mut self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.batches)
    }

    /// Rows decoded so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// All batches that were not taken; the stream must have ended properly.
    pub fn finish(mut self) -> Result<Vec<RecordBatch>, CopyError> {
        if !self.ended {
            return Err(CopyError::Malformed("the stream of rows ended too early".to_owned()));
        }
        if self.rows > 0 {
            self.close_batch()?;
        }
        Ok(self.batches)
    }

    /// Takes all whole tuples and says how many bytes they were.
    fn read(&mut self, data: &[u8]) -> Result<usize, CopyError> {
        let mut at = 0;
        if !self.started {
            let Some(length) = header(data)? else { return Ok(0) };
            at = length;
            self.started = true;
        }
        while !self.ended {
            let rest = &data[at..];
            let Some((fields, values)) = rest.split_first_chunk::<2>() else { break };
            let fields = i16::from_be_bytes(*fields);
            if fields == -1 {
                self.ended = true;
                return Ok(data.len());
            }
            if usize::try_from(fields) != Ok(self.builders.len()) {
                return Err(CopyError::Malformed(format!("a row of {fields} values, not {}", self.builders.len())));
            }
            let Some(length) = self.measure(values) else { break };
            self.append(values)?;
            at += 2 + length;
            self.rows += 1;
            self.received += 1;
            self.bytes += length;
            if self.rows == BATCH_ROWS || self.bytes >= BATCH_BYTES {
                self.close_batch()?;
            }
        }
        Ok(at)
    }

    /// Bytes that the values of a tuple take; `None` when they are not all here.
    #[inline]
    fn measure(&self, values: &[u8]) -> Option<usize> {
        let mut at = 0;
        for _ in 0..self.builders.len() {
            let length = i32::from_be_bytes(*values.get(at..)?.first_chunk::<4>()?);
            at += 4 + usize::try_from(length).unwrap_or(0);
        }
        (at <= values.len()).then_some(at)
    }

    #[inline]
    fn append(&mut self, mut values: &[u8]) -> Result<(), CopyError> {
        for (column, builder) in self.builders.iter_mut().enumerate() {
            let short = || CopyError::Malformed("a row is shorter than it says".to_owned());
            let (length, rest) = values.split_first_chunk::<4>().ok_or_else(short)?;
            let taken = match usize::try_from(i32::from_be_bytes(*length)) {
                Ok(length) => {
                    let (value, rest) = rest.split_at_checked(length).ok_or_else(short)?;
                    values = rest;
                    builder.append(value)
                }
                Err(_) => {
                    values = rest;
                    builder.append_null()
                }
            };
            taken.map_err(|refusal| match refusal {
                Refusal::DoesNotFit => CopyError::DoesNotFit,
                Refusal::Malformed => {
                    let name = self.schema.field(column).name();
                    CopyError::Malformed(format!("column `{name}`: a value is not in the form of its type"))
                }
            })?;
        }
        Ok(())
    }

    fn close_batch(&mut self) -> Result<(), CopyError> {
        let mut arrays = Vec::with_capacity(self.builders.len());
        for (builder, field) in self.builders.iter_mut().zip(self.schema.fields()) {
            let array = builder
                .finish()
                .map_err(|_| CopyError::NotText(format!("column `{}`: a text is not valid UTF-8", field.name())))?;
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), arrays)
            .map_err(|e| CopyError::Malformed(e.to_string()))?;
        self.batches.push(batch);
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

/// The length of the header; `None` when it is not all here.
fn header(data: &[u8]) -> Result<Option<usize>, CopyError> {
    let Some((header, rest)) = data.split_first_chunk::<HEADER>() else { return Ok(None) };
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (flags, extension) = (number(SIGNATURE.len()), number(SIGNATURE.len() + 4));
    if !header.starts_with(SIGNATURE) || flags != 0 {
        return Err(CopyError::Malformed("the server did not send a binary COPY".to_owned()));
    }
    let extension = usize::try_from(extension)
        .map_err(|_| CopyError::Malformed("the header of the binary COPY is broken".to_owned()))?;
    Ok((rest.len() >= extension).then_some(HEADER + extension))
}
