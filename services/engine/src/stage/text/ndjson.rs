//! One JSON object per line: from a chunk of lines to typed batches.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, RecordBatch};
use serde::Deserialize;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::chunks::Chunk;
use super::column_type::{Class, ColumnType};
use super::columns::{Buffers, BuildError, Target, Text};
use super::csv::Lines;
use super::encoding::Utf8Evidence;
use super::fields::Span;
use super::findings::{Evidence, Findings, MAX_COLUMNS, NewColumn, shown};
use super::read::Pass;
use super::values;
use crate::error::{Error, Place, Result};

const BATCH_ROWS: usize = 8192;

/// Parses the chunks that one task receives.
pub struct NdjsonWorker {
    pass: Arc<Pass>,
    by_name: HashMap<String, usize>,
    /// Of the new columns among the findings.
    new_by_name: HashMap<String, usize>,
    columns: Vec<Values>,
    /// Where each row of the batch starts in the chunk.
    starts: Vec<usize>,
    pub buffers: Buffers,
    pub findings: Findings,
}

/// The values of one column of a batch: texts, strings without quotes and escapes.
#[derive(Default)]
struct Values {
    text: Vec<u8>,
    spans: Vec<Span>,
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Boolean,
    Number,
    String,
    /// An object or an array, kept as it stands.
    Nested,
}

/// One member of an object.
struct Member<'a> {
    key: Cow<'a, str>,
    kind: Kind,
    /// As it stands, strings without quotes and escapes.
    text: Cow<'a, str>,
}

impl NdjsonWorker {
    pub fn new(pass: Arc<Pass>) -> Self {
        Self {
            by_name: pass.columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect(),
            new_by_name: HashMap::new(),
            columns: pass.columns.iter().map(|_| Values::default()).collect(),
            starts: Vec::new(),
            buffers: Buffers::default(),
            findings: Findings::of(pass.columns.len()),
            pass,
        }
    }

    /// The batches of a chunk; none once the pass is known to be in vain.
    pub fn process(&mut self, chunk: &Chunk) -> Result<Vec<RecordBatch>> {
        let text = chunk.text();
        let mut lines = Lines::new(chunk, b'\n');
        if let Some(at) = memchr::memchr(0, text) {
            return Err(self.pass.error(lines.of(at), "this is not a text file: it holds a NUL byte"));
        }
        self.findings.utf8 = self.findings.utf8.join(Utf8Evidence::of(text));
        let mut batches = Vec::new();
        let mut members = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |i| at + i);
            let line = &text[at..end];
            if !line.iter().all(u8::is_ascii_whitespace) {
                match self.read_line(line, &mut members) {
                    Ok(()) => self.commit(&members, at, &mut lines)?,
                    Err((column, reason)) => {
                        let raw = line.strip_suffix(b"\r").unwrap_or(line);
                        self.findings.rejects.push(lines.of(at), column.as_deref(), reason, raw);
                    }
                }
            }
            at = end + 1;
            if self.starts.len() >= BATCH_ROWS {
                batches.extend(self.build(&mut lines)?);
            }
        }
        batches.extend(self.build(&mut lines)?);
        Ok(batches)
    }

    /// Leaves the members of the object in `members`, or tells the column and why the line is no row.
    fn read_line<'a>(&self, line: &'a [u8], members: &mut Vec<Member<'a>>) -> Result<(), (Option<String>, String)> {
        members.clear();
        let text = std::str::from_utf8(line).map_err(|e| {
            (None, format!("byte 0x{:02X} is not valid UTF-8", line.get(e.valid_up_to()).copied().unwrap_or(0)))
        })?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Object(members).deserialize(&mut reader).and_then(|()| reader.end());
        read.map_err(|e| (None, without_line(&e)))?;
        if members.len() > MAX_COLUMNS {
            return Err((None, format!("an object of {} keys, and at most {MAX_COLUMNS} can be read", members.len())));
        }
        for (i, member) in members.iter().enumerate() {
            if member.key.is_empty() {
                return Err((None, "a key is empty".to_owned()));
            }
            if members[..i].iter().any(|m| m.key == member.key) {
                return Err((Some(member.key.to_string()), format!("the key `{}` appears twice", member.key)));
            }
            let Some(column) = self.find(i, &member.key) else { continue };
            if let Some(column_type) = self.pass.columns[column].by_hand {
                let target = Target { column_type: Some(column_type), by_hand: true };
                if !self.is_null(member) && !target.fits(member.text.as_bytes()) {
                    let value = shown(member.text.as_bytes());
                    return Err((Some(member.key.to_string()), format!("`{value}` is not {}", column_type.describe())));
                }
            }
        }
        Ok(())
    }

    /// The column of a key, which mostly stands where it stood in the rows before.
    fn find(&self, place: usize, key: &str) -> Option<usize> {
        match self.pass.columns.get(place) {
            Some(column) if column.name == key => Some(place),
            _ => self.by_name.get(key).copied(),
        }
    }

    fn is_null(&self, member: &Member<'_>) -> bool {
        member.kind == Kind::Null
            || member.kind == Kind::String
                && (member.text.is_empty() || self.pass.nulls.iter().any(|null| *null == member.text))
    }

    /// Adds a row to the batch.
    fn commit(&mut self, members: &[Member<'_>], start: usize, lines: &mut Lines<'_>) -> Result<()> {
        let row = self.starts.len();
        self.starts.push(start);
        for (i, member) in members.iter().enumerate() {
            let null = self.is_null(member);
            let Some(column) = self.find(i, &member.key) else {
                let kind = if null { Kind::Null } else { member.kind };
                self.see_new(i, member, kind, lines.of(start))?;
                continue;
            };
            if null {
                continue;
            }
            let plain = match self.pass.columns[column].column_type() {
                Some(ColumnType::Integer | ColumnType::Decimal { .. }) if member.kind == Kind::Number => {
                    values::without_exponent(&member.text)
                }
                _ => None,
            };
            self.columns[column].push(row, member.kind, plain.as_deref().unwrap_or(&member.text).as_bytes());
        }
        Ok(())
    }

    fn see_new(&mut self, place: usize, member: &Member<'_>, kind: Kind, line: u64) -> Result<()> {
        self.pass.doomed.store(true, Ordering::Relaxed);
        let new = &mut self.findings.new_columns;
        let at = match self.new_by_name.get(member.key.as_ref()) {
            Some(at) => *at,
            None if self.pass.columns.len() + new.len() == MAX_COLUMNS => {
                let known = self.pass.columns.iter().map(|c| &c.name).chain(new.iter().map(|c| &c.name));
                return Err(too_many_keys(&self.pass.alias, known.chain([&member.key.to_string()])));
            }
            None => {
                let name = member.key.to_string();
                self.new_by_name.insert(name.clone(), new.len());
                new.push(NewColumn { name, first: (line, place), evidence: Evidence::default() });
                new.len() - 1
            }
        };
        new[at].evidence.see(kind.class(member.text.as_bytes()), member.text.as_bytes(), || line);
        Ok(())
    }

    fn build(&mut self, lines: &mut Lines<'_>) -> Result<Option<RecordBatch>> {
        let rows = self.starts.len();
        if rows == 0 {
            return Ok(None);
        }
        let pass = Arc::clone(&self.pass);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(pass.columns.len());
        for (c, column) in pass.columns.iter().enumerate() {
            let values = &mut self.columns[c];
            values.fill(rows);
            let evidence = &mut self.findings.columns[c];
            if !pass.is_surprised(c) {
                let target = Target { column_type: column.column_type(), by_hand: column.by_hand.is_some() };
                let text = Text { bytes: &values.text, quote: None };
                let built = match values.kinds.iter().position(|kind| !kind.suits(target)) {
                    Some(_) => Err(BuildError::Misfit),
                    None => target.build(text, &values.spans, &mut self.buffers),
                };
                match built {
                    Ok((array, class)) => {
                        evidence.class = evidence.class.join(class);
                        if let Some(ColumnType::TimestampIn(zone)) = column.by_hand {
                            for (span, start) in values.spans.iter().zip(&self.starts) {
                                evidence.clocks.see(zone, span.of(&values.text), || lines.of(*start));
                            }
                        }
                        arrays.push(array);
                        continue;
                    }
                    Err(BuildError::Misfit) => pass.surprise(c),
                    Err(BuildError::Arrow(e)) => return Err(Error::defect_of("building a column", e)),
                }
            }
            for ((span, kind), start) in values.spans.iter().zip(&values.kinds).zip(&self.starts) {
                let text = span.of(&values.text);
                evidence.see(kind.class(text), text, || lines.of(*start));
            }
        }
        self.columns.iter_mut().for_each(Values::clear);
        self.starts.clear();
        if pass.doomed.load(Ordering::Relaxed) || arrays.len() < pass.columns.len() {
            return Ok(None);
        }
        let batch = RecordBatch::try_new(Arc::clone(&pass.schema), arrays);
        batch.map(Some).map_err(|e| Error::defect_of("building a batch", e))
    }
}

impl Values {
    fn push(&mut self, row: usize, kind: Kind, text: &[u8]) {
        self.fill(row);
        let start = self.end();
        self.text.extend_from_slice(text);
        self.spans.push(Span { start, end: self.end() });
        self.kinds.push(kind);
    }

    /// NULL for the rows up to `rows` that have no value.
    fn fill(&mut self, rows: usize) {
        let end = self.end();
        self.spans.resize(rows, Span { start: end, end });
        self.kinds.resize(rows, Kind::Null);
    }

    #[expect(clippy::cast_possible_truncation, reason = "a batch is smaller than its chunk, which is far below 4 GiB")]
    fn end(&self) -> u32 {
        self.text.len() as u32
    }

    fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.kinds.clear();
    }
}

impl Kind {
    fn of(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => Self::String,
            Some(b'{' | b'[') => Self::Nested,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    /// A string is never a number, however it looks: its writer meant it so.
    fn class(self, text: &[u8]) -> Class {
        match self {
            Self::Null => Class::Null,
            Self::Boolean => Class::Boolean,
            Self::String => Class::of_time(text),
            Self::Nested => Class::Text,
            Self::Number => {
                let plain = std::str::from_utf8(text).ok().and_then(values::without_exponent);
                plain.and_then(|plain| Class::of_number(plain.as_bytes())).unwrap_or(Class::Text)
            }
        }
    }

    fn suits(self, target: Target) -> bool {
        match (self, target.column_type) {
            (Self::Null, _) | (_, Some(ColumnType::Text)) => true,
            _ if target.by_hand => true,
            (Self::Number, Some(ColumnType::Integer | ColumnType::Decimal { .. })) => true,
            (Self::Boolean, Some(ColumnType::Boolean)) => true,
            (Self::String, Some(ColumnType::Date | ColumnType::Timestamp | ColumnType::TimestampUtc)) => true,
            _ => false,
        }
    }
}

/// A file is refused whose objects have more keys than a table may have columns.
pub fn too_many_keys<'a>(alias: &str, names: impl Iterator<Item = &'a String>) -> Error {
    let names: Vec<_> = names.map(String::as_str).collect();
    let last: Vec<_> = names.iter().rev().take(3).rev().map(|name| format!("`{}`", shown(name.as_bytes()))).collect();
    let reason = format!(
        "the objects have more than {MAX_COLUMNS} different keys, the last of them {}: where keys are data, write them as \
         values, as in {{\"key\": …, \"value\": …}}",
        last.join(", ")
    );
    Error::Data { alias: alias.to_owned(), place: Place::default(), reason }
}

/// The parser counts lines within the one line that it sees; what remains is its column.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let sentence = text.rsplit_once(" at line ").map_or(text.as_str(), |(sentence, _)| sentence);
    format!("not a JSON object: {sentence} at character {}", error.column())
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads an object without copying what needs no copy.
struct Object<'v, 'a>(&'v mut Vec<Member<'a>>);

impl<'a> DeserializeSeed<'a> for Object<'_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), raw)) = map.next_entry::<Key<'a>, &'a RawValue>()? {
            let kind = Kind::of(raw.get());
            let text = match kind {
                Kind::String => {
                    let mut reader = serde_json::Deserializer::from_str(raw.get());
                    let Key(text) = Key::deserialize(&mut reader).map_err(serde::de::Error::custom)?;
                    text
                }
                _ => Cow::Borrowed(raw.get()),
            };
            self.0.push(Member { key, kind, text });
        }
        Ok(())
    }
}
