//! Delimited text: from a chunk of records to typed batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;

use super::chunks::{Chunk, count_lines};
use super::column_type::{Class, ColumnType};
use super::columns::{Buffers, BuildError, Target, Text};
use super::encoding::Utf8Evidence;
use super::fields::{FieldIndex, Row, Separators, Span};
use super::findings::{Findings, shown};
use super::read::Pass;
use crate::error::{Error, Place, Result};

/// Rows per batch, or a few more.
const BATCH_ROWS: usize = 8192;

/// Parses the chunks that one task receives.
pub struct CsvWorker {
    pass: Arc<Pass>,
    separators: Separators,
    index: FieldIndex,
    rows: Vec<Row>,
    spans: Vec<Span>,
    pub buffers: Buffers,
    pub findings: Findings,
}

/// A row that is left out, before its line is known.
struct Refused {
    row: Span,
    column: Option<usize>,
    reason: String,
}

impl CsvWorker {
    pub fn new(pass: Arc<Pass>, separators: Separators) -> Self {
        let findings = Findings::of(pass.columns.len());
        Self {
            index: FieldIndex::new(separators),
            separators,
            rows: Vec::new(),
            spans: Vec::new(),
            buffers: Buffers::default(),
            findings,
            pass,
        }
    }

    /// The batches of a chunk; none once the pass is known to be in vain.
    pub fn process(&mut self, chunk: &Chunk) -> Result<Vec<RecordBatch>> {
        let text = chunk.text();
        let mut lines = Lines::new(chunk, self.separators.terminator);
        if let Some(at) = memchr::memchr(0, text) {
            return Err(self.pass.error(lines.of(at), "this is not a text file: it holds a NUL byte"));
        }
        let utf8 = Utf8Evidence::of(text);
        self.findings.utf8 = self.findings.utf8.join(utf8);
        let invalid = if utf8.invalid { invalid_bytes(text) } else { Vec::new() };
        let mut batches = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let next = self.index.scan(text, at, BATCH_ROWS);
            if next == at {
                return Err(Error::defect("a chunk does not end with a record"));
            }
            let mut refused = Vec::new();
            self.take_rows(text, &invalid, &mut refused);
            self.check_types_by_hand(text, &mut refused);
            self.note(text, refused, &mut lines);
            batches.extend(self.build(text, &mut lines)?);
            at = next;
        }
        Ok(batches)
    }

    /// Leaves in `rows` those that have the right shape.
    fn take_rows(&mut self, text: &[u8], invalid: &[usize], refused: &mut Vec<Refused>) {
        let columns = self.pass.columns.len();
        let index = &self.index;
        self.rows.clear();
        if index.bad_quotes.is_empty() && invalid.is_empty() && index.rows().all(|row| row.fields() == columns) {
            self.rows.extend(index.rows());
            return;
        }
        for row in index.rows() {
            let span = index.row_span(text, row);
            let within = |at: usize| (span.start as usize..span.end as usize).contains(&at);
            let column_at =
                |at: usize| (0..row.fields()).rev().find(|c| index.field_start(row, *c) <= at).filter(|c| *c < columns);
            let first_invalid = invalid[invalid.partition_point(|at| *at < span.start as usize)..].first();
            let first_bad = index.bad_quotes.iter().map(|at| *at as usize).find(|at| within(*at));
            if span.is_empty() && row.fields() == 1 && columns > 1 {
                continue;
            } else if let Some(at) = first_invalid.filter(|at| within(**at)) {
                let reason = format!("byte 0x{:02X} is not valid UTF-8", text[*at]);
                refused.push(Refused { row: span, column: column_at(*at), reason });
            } else if let Some(at) = first_bad {
                let reason = "a closing quote is followed by more text before the delimiter".to_owned();
                refused.push(Refused { row: span, column: column_at(at), reason });
            } else if row.fields() != columns {
                let fields = row.fields();
                let plural = if fields == 1 { "" } else { "s" };
                let reason = format!("{fields} field{plural}, {} has {columns}", self.pass.shape_from);
                refused.push(Refused { row: span, column: None, reason });
            } else {
                self.rows.push(row);
            }
        }
    }

    fn column(&mut self, text: &[u8], column: usize) {
        let pass = &self.pass;
        self.index.column(text, &self.rows, column, pass.columns.len(), &mut self.spans);
        if !pass.nulls.is_empty() {
            for span in &mut self.spans {
                if pass.nulls.iter().any(|null| null.as_bytes() == span.of(text)) {
                    span.end = span.start;
                }
            }
        }
    }

    /// Takes out the rows that do not fit the types that were set by hand.
    fn check_types_by_hand(&mut self, text: &[u8], refused: &mut Vec<Refused>) {
        let pass = Arc::clone(&self.pass);
        for (c, column) in pass.columns.iter().enumerate() {
            let Some(column_type) = column.by_hand else { continue };
            let target = Target { column_type: Some(column_type), by_hand: true };
            self.column(text, c);
            let fits = |span: &Span| span.is_empty() || target.fits(span.of(text));
            if self.spans.iter().all(fits) {
                continue;
            }
            let mut spans = self.spans.iter();
            let index = &self.index;
            self.rows.retain(|row| match spans.next() {
                Some(span) if !fits(span) => {
                    let reason = format!("`{}` is not {}", shown(span.of(text)), column_type.describe());
                    refused.push(Refused { row: index.row_span(text, *row), column: Some(c), reason });
                    false
                }
                _ => true,
            });
        }
    }

    fn note(&mut self, text: &[u8], mut refused: Vec<Refused>, lines: &mut Lines<'_>) {
        refused.sort_by_key(|r| r.row.start);
        for Refused { row, column, reason } in refused {
            let name = column.map(|c| self.pass.columns[c].name.as_str());
            let line = lines.of(row.start as usize);
            self.findings.rejects.push(line, name, reason, row.of(text));
        }
    }

    fn build(&mut self, text: &[u8], lines: &mut Lines<'_>) -> Result<Option<RecordBatch>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let pass = Arc::clone(&self.pass);
        let source = Text { bytes: text, quote: self.separators.quote.filter(|_| self.index.quotes) };
        let mut arrays = Vec::with_capacity(pass.columns.len());
        for (c, column) in pass.columns.iter().enumerate() {
            self.column(text, c);
            if !pass.is_surprised(c) {
                let target = Target { column_type: column.column_type(), by_hand: column.by_hand.is_some() };
                match target.build(source, &self.spans, &mut self.buffers) {
                    Ok((array, class)) => {
                        let evidence = &mut self.findings.columns[c];
                        evidence.class = evidence.class.join(class);
                        if let Some(ColumnType::TimestampIn(zone)) = column.by_hand {
                            for (row, span) in self.rows.iter().zip(&self.spans) {
                                let start = self.index.field_start(*row, 0);
                                evidence.clocks.see(zone, span.of(text), || lines.of(start));
                            }
                        }
                        arrays.push(array);
                        continue;
                    }
                    Err(BuildError::Misfit) => pass.surprise(c),
                    Err(BuildError::Arrow(e)) => return Err(Error::defect_of("building a column", e)),
                }
            }
            let evidence = &mut self.findings.columns[c];
            for (row, span) in self.rows.iter().zip(&self.spans) {
                let field = span.of(text);
                let start = self.index.field_start(*row, 0);
                evidence.see(Class::of(field), field, || lines.of(start));
            }
        }
        if pass.doomed.load(Ordering::Relaxed) || arrays.len() < pass.columns.len() {
            return Ok(None);
        }
        let batch = RecordBatch::try_new(Arc::clone(&pass.schema), arrays);
        batch.map(Some).map_err(|e| Error::defect_of("building a batch", e))
    }
}

/// Positions of bytes that are not UTF-8.
fn invalid_bytes(text: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut positions = Vec::new();
    for chunk in text.utf8_chunks() {
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            positions.push(at);
        }
        at += chunk.invalid().len();
    }
    positions
}

/// Line numbers of positions in a chunk, counted from the last one that was asked for.
pub struct Lines<'a> {
    text: &'a [u8],
    terminator: u8,
    first: u64,
    known: (usize, u64),
}

impl<'a> Lines<'a> {
    pub fn new(chunk: &'a Chunk, terminator: u8) -> Self {
        Self { text: chunk.text(), terminator, first: chunk.first_line, known: (0, chunk.first_line) }
    }

    pub fn of(&mut self, at: usize) -> u64 {
        if at < self.known.0 {
            self.known = (0, self.first);
        }
        let (from, line) = self.known;
        self.known = (at, line + count_lines(&self.text[from..at], self.terminator));
        self.known.1
    }
}

impl Pass {
    pub fn error(&self, line: u64, reason: &str) -> Error {
        let place = Place { line: Some(line), ..Place::default() };
        Error::Data { alias: self.alias.clone(), place, reason: reason.to_owned() }
    }
}
