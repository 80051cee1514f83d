//! Cuts a file into chunks of whole records, numbered in order, and knows the line each starts at.

use memchr::{memchr, memchr_iter, memrchr};

use super::encoding::{TranscodeError, Transcoder};
use super::fields::{FieldIndex, Separators};
use super::origin::{ByteStream, Origin};
use crate::error::{Error, Place, Result};

/// Text per chunk; a chunk becomes one row group.
pub const CHUNK_SIZE: usize = 8 << 20;
/// No record is longer, in bytes of UTF-8.
pub const MAX_RECORD: usize = 64 << 20;

/// Whole records, in UTF-8 as far as the file is valid.
#[derive(Debug, Default)]
pub struct Chunk {
    /// 0, 1, 2, … in file order.
    pub index: u64,
    buffer: Vec<u8>,
    len: usize,
    /// 1-based line of the file that the chunk starts with.
    pub first_line: u64,
    /// Bytes of the file that were read for it.
    pub source_bytes: u64,
}

impl Chunk {
    pub fn of(text: Vec<u8>, first_line: u64) -> Self {
        Self { index: 0, len: text.len(), buffer: text, first_line, source_bytes: 0 }
    }

    pub fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The allocation, for the next chunk.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// Where the last whole record ends and where a quote was opened that is not closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// 0 when there is no whole record.
    pub end: usize,
    pub open_quote: Option<usize>,
}

/// Follows the quoting rules of [`FieldIndex`]: a quote opens a field only as its first byte.
pub fn last_record_end(text: &[u8], separators: Separators) -> Ending {
    let Separators { delimiter, quote, terminator, .. } = separators;
    let (mut end, mut plain, mut at) = (0, 0, 0);
    while let Some(open) = quote.and_then(|q| memchr(q, &text[at..])).map(|i| at + i) {
        let before = text[..open].iter().rev().find(|byte| !separators.is_blank(**byte));
        if before.is_some_and(|byte| *byte != delimiter && *byte != terminator) {
            at = open + 1;
            continue;
        }
        if let Some(i) = memrchr(terminator, &text[plain..open]) {
            end = plain + i + 1;
        }
        match closing_quote(text, open) {
            None => return Ending { end, open_quote: Some(open) },
            Some(close) => plain = close + 1,
        }
        at = plain;
    }
    if let Some(i) = memrchr(terminator, &text[plain..]) {
        end = plain + i + 1;
    }
    Ending { end, open_quote: None }
}

fn closing_quote(text: &[u8], open: usize) -> Option<usize> {
    let quote = text[open];
    let mut from = open + 1;
    loop {
        let at = from + memchr(quote, text.get(from..)?)?;
        if text.get(at + 1) != Some(&quote) {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Counts the lines that end in `text`.
pub fn count_lines(text: &[u8], terminator: u8) -> u64 {
    memchr_iter(terminator, text).count() as u64
}

/// How a file is to be cut.
#[derive(Debug, Clone)]
pub struct Cutting {
    pub separators: Separators,
    /// Bytes of text before the first record of data, and the lines in them.
    pub skip: usize,
    pub skip_lines: u64,
    pub chunk_size: usize,
    pub max_record: usize,
    /// Names of the columns, for errors.
    pub names: Vec<String>,
}

/// Reads one file once.
pub struct ChunkReader {
    origin: Origin,
    stream: ByteStream,
    transcoder: Option<Transcoder>,
    raw: Vec<u8>,
    cutting: Cutting,
    /// The beginning of a record whose end was not read yet.
    carry: Vec<u8>,
    next_index: u64,
    line: u64,
    skip: usize,
    ended: bool,
    source_bytes: u64,
    /// Bytes of the file that are still to come.
    unread: u64,
}

/// Why there is no next chunk.
#[derive(Debug)]
pub enum ReadError {
    Failed(Error),
    /// The file is UTF-8, though its head did not look so.
    IsUtf8,
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl ChunkReader {
    /// `mark` bytes at the beginning of the file are no text.
    pub async fn open(origin: &Origin, transcoder: Option<Transcoder>, mark: usize, cutting: Cutting) -> Result<Self> {
        let mut stream = origin.stream()?;
        stream.read(vec![0; mark], 0, mark).await?;
        Ok(Self {
            origin: origin.clone(),
            stream,
            transcoder,
            raw: Vec::new(),
            carry: Vec::new(),
            next_index: 0,
            line: 1 + cutting.skip_lines,
            skip: cutting.skip,
            cutting,
            ended: false,
            source_bytes: mark as u64,
            unread: origin.bytes.saturating_sub(mark as u64),
        })
    }

    /// The next chunk in `buffer`, which keeps its allocation; `None` at the end of the file.
    pub async fn next(&mut self, mut buffer: Vec<u8>) -> Result<Option<Chunk>, ReadError> {
        let mut len = self.carry.len();
        // A character of one byte becomes three in UTF-8 at most. The rest makes sure that the end is noticed.
        let rest = usize::try_from(self.unread.saturating_mul(3)).unwrap_or(usize::MAX).saturating_add(32);
        let mut target = len.max((self.skip + self.cutting.chunk_size).min(len.saturating_add(rest)));
        grow(&mut buffer, target + 1);
        buffer[..len].copy_from_slice(&self.carry);
        self.carry.clear();
        loop {
            while len < target && !self.ended {
                (buffer, len) = self.fill(buffer, len, target).await?;
            }
            if self.skip > 0 {
                buffer.copy_within(self.skip.min(len)..len, 0);
                len -= self.skip.min(len);
                self.skip = 0;
            }
            let Ending { end, open_quote } = last_record_end(&buffer[..len], self.cutting.separators);
            if self.ended {
                if let Some(at) = open_quote {
                    return Err(self.unclosed(&buffer[..len], end, at, "is never closed").into());
                }
                return Ok(self.last(buffer, len));
            }
            if end > 0 {
                self.carry.extend_from_slice(&buffer[end..len]);
                return Ok(Some(self.chunk(buffer, end)));
            }
            if len > self.cutting.max_record {
                let error = match open_quote {
                    Some(at) => {
                        let what = format!("is not closed within {} MiB", self.cutting.max_record >> 20);
                        self.unclosed(&buffer[..len], end, at, &what)
                    }
                    None => self.error(
                        self.line,
                        None,
                        format!("the record that starts here is longer than {} MiB", self.cutting.max_record >> 20),
                    ),
                };
                return Err(error.into());
            }
            target = (len * 2).max(self.cutting.chunk_size);
            grow(&mut buffer, target + 1);
        }
    }

    fn last(&mut self, mut buffer: Vec<u8>, mut len: usize) -> Option<Chunk> {
        if len == 0 {
            return None;
        }
        let terminator = self.cutting.separators.terminator;
        if buffer[len - 1] != terminator {
            grow(&mut buffer, len + 1);
            buffer[len] = terminator;
            len += 1;
        }
        Some(self.chunk(buffer, len))
    }

    fn chunk(&mut self, buffer: Vec<u8>, len: usize) -> Chunk {
        let chunk = Chunk {
            index: self.next_index,
            len,
            first_line: self.line,
            source_bytes: std::mem::take(&mut self.source_bytes),
            buffer,
        };
        self.next_index += 1;
        self.line += count_lines(chunk.text(), self.cutting.separators.terminator);
        chunk
    }

    /// Reads text up to `target` or thereabouts.
    async fn fill(&mut self, mut buffer: Vec<u8>, len: usize, target: usize) -> Result<(Vec<u8>, usize), ReadError> {
        let Some(mut transcoder) = self.transcoder.take() else {
            let want = target - len;
            let (buffer, read) = self.stream.read(buffer, len, want).await?;
            self.count(read, want);
            return Ok((buffer, len + read));
        };
        let want = ((target - len) / 2).max(16);
        let mut raw = std::mem::take(&mut self.raw);
        grow(&mut raw, want);
        let (raw, read) = self.stream.read(raw, 0, want).await?;
        self.count(read, want);
        grow(&mut buffer, len + read * 3 + 32);
        let decoded = transcoder.decode(&raw[..read], self.ended, &mut buffer[len..]);
        self.raw = raw;
        self.transcoder = Some(transcoder);
        match decoded {
            Ok(written) => Ok((buffer, len + written)),
            Err((_, TranscodeError::IsUtf8)) => Err(ReadError::IsUtf8),
            Err((written, TranscodeError::Malformed)) => {
                let lines = count_lines(&buffer[self.skip.min(len)..len + written], self.cutting.separators.terminator);
                let reason = "the bytes here are not valid in the file's encoding: set the encoding by hand";
                Err(self.error(self.line + lines, None, reason.to_owned()).into())
            }
        }
    }

    fn count(&mut self, read: usize, want: usize) {
        self.ended = read < want;
        self.source_bytes += read as u64;
        self.unread = self.unread.saturating_sub(read as u64);
    }

    /// `record` is where the record with the quote starts.
    fn unclosed(&self, text: &[u8], record: usize, quote: usize, what: &str) -> Error {
        let separators = self.cutting.separators;
        let mut before = text[record..quote].to_vec();
        before.push(separators.terminator);
        let mut index = FieldIndex::new(separators);
        index.scan(&before, 0, 1);
        let column = index.rows().next().and_then(|row| self.cutting.names.get(row.fields() - 1)).cloned();
        let line = self.line + count_lines(&text[..quote], separators.terminator);
        self.error(line, column, format!("the quote that opens a field here {what}"))
    }

    fn error(&self, line: u64, column: Option<String>, reason: String) -> Error {
        Error::Data {
            alias: self.origin.alias.clone(),
            place: Place { line: Some(line), column, ..Place::default() },
            reason,
        }
    }
}

fn grow(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}
