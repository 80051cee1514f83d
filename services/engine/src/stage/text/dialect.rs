//! Finds out how the fields of a delimited file are told apart and what its columns are called.

use serde::{Deserialize, Serialize};

use super::chunks::count_lines;
use super::column_type::Class;
use super::encoding::Encoding;
use super::fields::{FieldIndex, Row, Separators, Span, has_doubled_quotes, push_unescaped};
use super::findings::MAX_COLUMNS;
use crate::job::ReadOptions;

/// How the fields of a text file are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    pub delimiter: char,
    pub quote: Option<char>,
    pub header: bool,
    pub encoding: Encoding,
}

/// What the head of a file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub separators: Separators,
    pub header: bool,
    /// Whether what was taken for a header looks like the rows below it.
    pub header_like_rows: bool,
    pub names: Vec<String>,
    /// Bytes and lines before the first record of data.
    pub skip: usize,
    pub skip_lines: u64,
}

/// What is wrong with the head of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayoutError {
    Empty,
    /// No record ends in the head.
    NoRecord,
    /// A sentence about the header, and its line.
    Header(u64, String),
}

const COMMON: [u8; 4] = [b',', b';', b'\t', b'|'];
const RARE: [u8; 2] = [b'%', b'^'];
/// Rows that are looked at.
const ROWS: usize = 1000;

impl Layout {
    /// From the head of a file in UTF-8, which may end within a record; a whole file ends with a line end.
    pub fn detect(head: &[u8], options: &ReadOptions) -> Result<Self, LayoutError> {
        let terminator = if head.contains(&b'\n') || !head.contains(&b'\r') { b'\n' } else { b'\r' };
        if head.iter().all(|b| matches!(b, b'\n' | b'\r')) {
            return Err(LayoutError::Empty);
        }
        let separators = separators(head, options, terminator);
        let rows = Rows::of(head, separators);
        let Some(first) = rows.rows.first().copied() else { return Err(LayoutError::NoRecord) };
        if first.fields() > MAX_COLUMNS {
            let line = 1 + count_lines(&head[..rows.index.field_start(first, 0)], terminator);
            let reason = format!(
                "{} fields, and at most {MAX_COLUMNS} columns can be read: check the delimiter, or leave columns out",
                first.fields()
            );
            return Err(LayoutError::Header(line, reason));
        }
        let header = options.header.unwrap_or_else(|| !rows.first_is_data());
        let header_like_rows = header && options.header.is_none() && rows.first_looks_like_the_rest();
        let end = rows.index.field_start(first, first.fields());
        let names =
            if header { rows.names(first)? } else { (1..=first.fields()).map(|n| format!("column_{n}")).collect() };
        let skip = if header { end } else { 0 };
        Ok(Self {
            separators,
            header,
            header_like_rows,
            names,
            skip,
            skip_lines: count_lines(&head[..skip], terminator),
        })
    }
}

/// The indexed rows of a head, blank lines left out.
struct Rows<'a> {
    text: &'a [u8],
    index: FieldIndex,
    rows: Vec<Row>,
}

impl<'a> Rows<'a> {
    fn of(text: &'a [u8], separators: Separators) -> Self {
        let mut index = FieldIndex::new(separators);
        index.scan(text, 0, ROWS);
        let rows = index.rows().filter(|row| !index.row_span(text, *row).is_empty()).collect();
        Self { text, index, rows }
    }

    /// Share of the rows that have as many fields as the first, in twentieths, and that number.
    fn score(&self) -> Option<(usize, usize)> {
        let (first, rest) = self.rows.split_first()?;
        let same = rest.iter().filter(|row| row.fields() == first.fields()).count();
        let share = (same * 20).checked_div(rest.len()).unwrap_or(20);
        (first.fields() > 1).then_some((share, first.fields()))
    }

    fn fields(&self, row: Row) -> Vec<Span> {
        let mut fields = Vec::new();
        let mut one = Vec::new();
        for column in 0..row.fields() {
            self.index.column(self.text, &[row], column, row.fields(), &mut one);
            fields.append(&mut one);
        }
        fields
    }

    /// The first row holds values of the very types that the rows below have.
    fn first_is_data(&self) -> bool {
        let Some((first, rest)) = self.rows.split_first() else { return false };
        let mut below = vec![Class::Null; first.fields()];
        for row in rest.iter().filter(|row| row.fields() == first.fields()) {
            for (class, field) in below.iter_mut().zip(self.fields(*row)) {
                *class = class.join(Class::of(field.of(self.text)));
            }
        }
        self.fields(*first).iter().zip(below).all(|(field, below)| {
            let class = Class::of(field.of(self.text));
            !matches!(class, Class::Null | Class::Text) && class.kind() == below.kind()
        })
    }

    /// Each field of the first row is made as those below are, as `INV-1` and `INV-27`, and not of letters alone.
    fn first_looks_like_the_rest(&self) -> bool {
        let Some((first, rest)) = self.rows.split_first() else { return false };
        let made = |field: &Span| match Class::of(field.of(self.text)) {
            Class::Null => None,
            Class::Text => Some((Class::Text.kind(), pattern(field.of(self.text)))),
            class => Some((class.kind(), Vec::new())),
        };
        let first: Vec<_> = self.fields(*first).iter().map(made).collect();
        let mut compared = vec![false; first.len()];
        for row in rest.iter().filter(|row| row.fields() == first.len()) {
            for ((first, field), compared) in first.iter().zip(self.fields(*row)).zip(&mut compared) {
                let below = made(&field);
                if below.is_some() && below != *first {
                    return false;
                }
                *compared |= below.is_some();
            }
        }
        let with_digits =
            first.iter().flatten().any(|(kind, text)| *kind != Class::Text.kind() || text.contains(&b'9'));
        with_digits && compared.iter().all(|compared| *compared)
    }

    fn names(&self, row: Row) -> Result<Vec<String>, LayoutError> {
        let line = 1 + count_lines(&self.text[..self.index.field_start(row, 0)], self.index.separators().terminator);
        let mut names: Vec<String> = Vec::new();
        for (i, field) in self.fields(row).into_iter().enumerate() {
            let name = std::str::from_utf8(field.of(self.text)).map_err(|_| {
                LayoutError::Header(line, format!("the name of column {} is not valid in the file's encoding", i + 1))
            })?;
            let mut unescaped = Vec::new();
            let name = match self.index.separators().quote {
                Some(quote) if has_doubled_quotes(self.text, field, quote) => {
                    push_unescaped(name.as_bytes(), quote, &mut unescaped);
                    String::from_utf8_lossy(&unescaped).trim().to_owned()
                }
                _ => name.trim().to_owned(),
            };
            let name = if name.is_empty() { format!("column_{}", i + 1) } else { name };
            if let Some(other) = names.iter().position(|known| *known == name) {
                let reason = format!("the columns {} and {} are both named `{name}`: rename one", other + 1, i + 1);
                return Err(LayoutError::Header(line, reason));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// A text with each run of digits as `9`, of letters as `a` and of blanks as one.
fn pattern(text: &[u8]) -> Vec<u8> {
    let mut pattern: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'0'..=b'9' => b'9',
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => b'a',
            other => *other,
        })
        .collect();
    pattern.dedup_by(|a, b| a == b && matches!(a, b'9' | b'a' | b' '));
    pattern
}

fn separators(head: &[u8], options: &ReadOptions, terminator: u8) -> Separators {
    let quotes: &[Option<u8>] = match options.quote {
        Some(quote) => &[quote],
        None => &[Some(b'"'), Some(b'\'')],
    };
    let best = |quote: Option<u8>| {
        let score = |delimiter: &u8| {
            let separators = Separators { delimiter: *delimiter, quote, terminator, trim: options.trim };
            Rows::of(head, separators).score().map(|score| (score, separators))
        };
        let best = |candidates: &[u8]| candidates.iter().rev().filter_map(score).max_by_key(|(score, _)| *score);
        let one_column =
            Separators { delimiter: options.delimiter.unwrap_or(b','), quote, terminator, trim: options.trim };
        match options.delimiter {
            Some(delimiter) => (score(&delimiter).map_or((0, 0), |(score, _)| score), one_column),
            None => {
                let common = best(&COMMON);
                let rare = best(&RARE).filter(|((share, _), _)| *share >= 18);
                let sure = common.filter(|((share, _), _)| *share >= 10);
                sure.or(rare).or(common).unwrap_or(((0, 0), one_column))
            }
        }
    };
    let (score, separators) = best(quotes[0]);
    match quotes.get(1).map(|quote| best(*quote)) {
        // A delimiter within quotes makes more fields of a row, not better ones.
        Some((other, single)) if other.0 >= score.0 && !quoted(head, separators) && quoted(head, single) => single,
        _ => separators,
    }
}

/// Whether the quote is evidently used: some fields begin with it, and all that do end with it.
fn quoted(head: &[u8], separators: Separators) -> bool {
    let rows = Rows::of(head, separators);
    let Some(quote) = separators.quote else { return false };
    let starts =
        |row: &Row| (0..row.fields()).filter(|c| head.get(rows.index.field_start(*row, *c)) == Some(&quote)).count();
    let count: usize = rows.rows.iter().map(starts).sum();
    count >= 2 && rows.index.bad_quotes.is_empty()
}

#[cfg(test)]
#[path = "tests/dialect.rs"]
mod tests;
