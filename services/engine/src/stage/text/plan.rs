//! What a pass over a file assumes: first a guess from the head, later what earlier passes found out.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::chunks::{Chunk, Cutting, count_lines, last_record_end};
use super::column_type::ColumnType;
use super::dialect::{Dialect, Layout, LayoutError};
use super::encoding::{EncodingGuess, Transcoder};
use super::fields::Separators;
use super::findings::{Evidence, Findings, MAX_COLUMNS, TextColumn};
use super::ndjson::too_many_keys;
use super::origin::Origin;
use super::read::{Pass, Sizes, Worker};
use crate::error::{Error, Place, Result, Violation};
use crate::job::{FileFormat, ReadOptions};
use crate::names::no_such_column;
use crate::stage::{ColumnNote, InputFacts, NO_VALUES};

#[derive(Debug, Clone)]
pub struct ReadPlan {
    pub encoding: EncodingGuess,
    pub format: Format,
    pub columns: Vec<TextColumn>,
}

#[derive(Debug, Clone)]
pub enum Format {
    Csv(Layout),
    Ndjson,
}

impl ReadPlan {
    /// From the head of the file; gives its whole records too. `settled` is an encoding that is known from before.
    pub async fn of(
        origin: &Origin,
        options: &ReadOptions,
        format: FileFormat,
        settled: Option<EncodingGuess>,
        sizes: Sizes,
    ) -> Result<(Self, Chunk)> {
        let mut limit = sizes.head;
        loop {
            let raw = origin.head(limit).await?;
            let whole = raw.len() < limit;
            let encoding = settled.unwrap_or_else(|| EncodingGuess::of(&raw, options.encoding));
            let text = decode(origin, &raw, encoding, whole)?;
            let made = match format {
                FileFormat::Ndjson => ndjson(origin, &text, whole)?,
                FileFormat::Csv => csv(origin, &text, whole, options)?,
                FileFormat::Parquet => return Err(Error::defect("Parquet is not read as text")),
            };
            match made {
                Some((format, names, chunk)) => {
                    let columns = names.into_iter().map(|name| column(name, options)).collect();
                    let mut plan = Self { encoding, format, columns };
                    plan.classify(&chunk, &origin.alias, options)?;
                    return Ok((plan, chunk));
                }
                None if limit >= sizes.max_record => {
                    let reason = format!("the record that starts here is longer than {} MiB", sizes.max_record >> 20);
                    let place = Place { line: Some(1), ..Place::default() };
                    return Err(Error::Data { alias: origin.alias.clone(), place, reason });
                }
                None => limit = (limit * 4).min(sizes.max_record),
            }
        }
    }

    /// Looks at every value of the head.
    fn classify(&mut self, head: &Chunk, alias: &str, options: &ReadOptions) -> Result<()> {
        let pass = Arc::new(Pass::new(alias, self, options));
        (0..self.columns.len()).for_each(|c| pass.surprise(c));
        let mut worker = Worker::new(self, pass);
        worker.process(head)?;
        self.learn(worker.into_findings(), alias, options).map(|_| ())
    }

    /// Takes what a pass found into account; true when the file must be read again.
    pub fn learn(&mut self, found: Findings, alias: &str, options: &ReadOptions) -> Result<bool> {
        let mut changed = false;
        for (column, evidence) in self.columns.iter_mut().zip(&found.columns) {
            changed |= column.widen(evidence);
        }
        let mut new = found.new_columns;
        new.sort_by_key(|column| column.first);
        for found in new {
            let mut column = column(found.name, options);
            column.widen(&found.evidence);
            self.columns.push(column);
            changed = true;
        }
        // Tasks that stayed below the limit each may pass it together.
        if self.columns.len() > MAX_COLUMNS {
            return Err(too_many_keys(alias, self.columns.iter().take(MAX_COLUMNS + 1).map(|column| &column.name)));
        }
        Ok(changed)
    }

    /// Columns that are set by hand and are not there.
    pub fn check_types(&self, alias: &str, options: &ReadOptions) -> Result<()> {
        let unknown = options.types.keys().filter(|name| self.columns.iter().all(|c| c.name != **name));
        let names = || self.columns.iter().map(|c| c.name.as_str());
        let violations: Vec<Violation> = unknown
            .map(|name| {
                let field = format!("{alias}.options.types.{name}");
                Violation::new(field, no_such_column(name, names()))
            })
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
    }

    pub fn schema(&self) -> SchemaRef {
        let field = |c: &TextColumn| Field::new(&c.name, c.column_type().unwrap_or(ColumnType::Text).arrow(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    pub fn separators(&self) -> Separators {
        match &self.format {
            Format::Csv(layout) => layout.separators,
            Format::Ndjson => Separators { delimiter: b',', quote: None, terminator: b'\n', trim: false },
        }
    }

    pub fn cutting(&self, sizes: Sizes) -> Cutting {
        let (skip, skip_lines) = match &self.format {
            Format::Csv(layout) => (layout.skip, layout.skip_lines),
            Format::Ndjson => (0, 0),
        };
        Cutting {
            separators: self.separators(),
            skip,
            skip_lines,
            chunk_size: sizes.chunk,
            max_record: sizes.max_record,
            names: self.columns.iter().map(|c| c.name.clone()).collect(),
        }
    }

    pub fn facts(&self, origin: &Origin) -> InputFacts {
        let (format, dialect) = match &self.format {
            Format::Ndjson => ("ndjson", None),
            Format::Csv(layout) => {
                let dialect = Dialect {
                    delimiter: char::from(layout.separators.delimiter),
                    quote: layout.separators.quote.map(char::from),
                    header: layout.header,
                    encoding: self.encoding.encoding,
                };
                ("csv", Some(dialect))
            }
        };
        let note = |c: &TextColumn| {
            let note = c.note.clone().or_else(|| c.column_type().is_none().then(|| NO_VALUES.to_owned()));
            note.map(|note| ColumnNote { column: c.name.clone(), note })
        };
        let like_rows = matches!(&self.format, Format::Csv(layout) if layout.header_like_rows);
        let header = self.columns.first().filter(|_| like_rows).map(|column| ColumnNote {
            column: column.name.clone(),
            note: "named by the first line, which looks like the rows below: with header=no it is one of them"
                .to_owned(),
        });
        InputFacts {
            format: format.to_owned(),
            bytes: Some(origin.bytes),
            fingerprint: Some(origin.fingerprint.clone()),
            dialect,
            notes: header.into_iter().chain(self.columns.iter().filter_map(note)).collect(),
        }
    }
}

fn column(name: String, options: &ReadOptions) -> TextColumn {
    let by_hand = options.types.get(&name).copied();
    TextColumn { name, by_hand, class: Evidence::default().class, note: None }
}

/// The head in UTF-8, with a line end after the last record of the file.
fn decode(origin: &Origin, raw: &[u8], guess: EncodingGuess, whole: bool) -> Result<Vec<u8>> {
    if let Some(kind) = binary_kind(raw) {
        return Err(origin.data_error(format!("this is not a text file: it looks like {kind}")));
    }
    let body = &raw[guess.skip..];
    let mut text = match Transcoder::new(EncodingGuess { settled: true, ..guess }) {
        None => body.to_vec(),
        Some(mut transcoder) => {
            let mut text = vec![0; body.len() * 3 + 32];
            let (len, failed) = match transcoder.decode(body, whole, &mut text) {
                Ok(len) => (len, false),
                Err((len, _)) => (len, true),
            };
            text.truncate(len);
            if failed {
                let line = 1 + count_lines(&text, b'\n');
                let reason = format!("the bytes here are not valid {}: set the encoding by hand", guess.encoding);
                let place = Place { line: Some(line), ..Place::default() };
                return Err(Error::Data { alias: origin.alias.clone(), place, reason });
            }
            text
        }
    };
    if let Some(at) = memchr::memchr(0, &text) {
        let place = Place { line: Some(1 + count_lines(&text[..at], b'\n')), ..Place::default() };
        let reason = "this is not a text file: it holds a NUL byte".to_owned();
        return Err(Error::Data { alias: origin.alias.clone(), place, reason });
    }
    if whole && !matches!(text.last(), None | Some(b'\n' | b'\r')) {
        text.push(if text.contains(&b'\r') && !text.contains(&b'\n') { b'\r' } else { b'\n' });
    }
    Ok(text)
}

/// What a file that is no text most likely is.
fn binary_kind(head: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 8] = [
        (b"PAR1", "a Parquet file"),
        (b"PK\x03\x04", "a ZIP archive or an Excel workbook (.xlsx): save it as CSV"),
        (b"\xD0\xCF\x11\xE0", "an Excel workbook (.xls): save it as CSV"),
        (b"\x1F\x8B", "a gzip file: unpack it first"),
        (b"BZh", "a bzip2 file: unpack it first"),
        (b"\x28\xB5\x2F\xFD", "a Zstandard file: unpack it first"),
        (b"%PDF-", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
    ];
    KINDS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind)
}

type Made = Option<(Format, Vec<String>, Chunk)>;

/// `None` when the head holds no whole record.
fn csv(origin: &Origin, text: &[u8], whole: bool, options: &ReadOptions) -> Result<Made> {
    let layout = match Layout::detect(text, options) {
        Ok(layout) => layout,
        Err(LayoutError::Empty | LayoutError::NoRecord) if !whole => return Ok(None),
        Err(LayoutError::Empty) => return Err(origin.data_error("the file is empty: it has not even a header")),
        Err(LayoutError::NoRecord) => {
            let place = Place { line: Some(1), ..Place::default() };
            let reason = "a quote that opens a field of the first record is never closed".to_owned();
            return Err(Error::Data { alias: origin.alias.clone(), place, reason });
        }
        Err(LayoutError::Header(line, reason)) => {
            let place = Place { line: Some(line), ..Place::default() };
            return Err(Error::Data { alias: origin.alias.clone(), place, reason });
        }
    };
    let end = last_record_end(text, layout.separators).end.max(layout.skip);
    let chunk = Chunk::of(text[layout.skip..end].to_vec(), 1 + layout.skip_lines);
    let names = layout.names.clone();
    Ok(Some((Format::Csv(layout), names, chunk)))
}

fn ndjson(origin: &Origin, text: &[u8], whole: bool) -> Result<Made> {
    let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let first = text[blank..].split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii();
    if first.is_empty() && !whole {
        return Ok(None);
    } else if first.is_empty() {
        return Err(origin.data_error("the file is empty: it holds no object"));
    } else if first[0] == b'[' || first == b"{" {
        let place = Place { line: Some(1 + count_lines(&text[..blank], b'\n')), ..Place::default() };
        let found = if first[0] == b'[' { "an array" } else { "an object over several lines" };
        let reason = format!("NDJSON has one whole object per line, here is {found}: write one object per line");
        return Err(Error::Data { alias: origin.alias.clone(), place, reason });
    }
    let end = match memchr::memrchr(b'\n', text) {
        Some(at) => at + 1,
        None if whole => text.len(),
        None => return Ok(None),
    };
    Ok(Some((Format::Ndjson, Vec::new(), Chunk::of(text[..end].to_vec(), 1))))
}
