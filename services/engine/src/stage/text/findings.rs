//! What the tasks that parse a file find out about it besides the rows.

use super::clocks::ClockChanges;
use super::column_type::{Class, ColumnType};
use super::encoding::Utf8Evidence;
use super::values;
use crate::stage::{REJECTS_KEPT, Reject};

/// Columns that a text file may have, as many as a table in Postgres: more are most likely values.
pub const MAX_COLUMNS: usize = 1600;
/// Longest raw text that a reject keeps, in bytes.
const RAW_KEPT: usize = 4096;
/// Longest value that a sentence quotes, in characters.
const QUOTED: usize = 40;

/// What the values of a column are together, and the first value of each kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    pub class: Class,
    firsts: [Option<First>; Class::KINDS],
    /// Values that were looked at one by one, and how many of them are a number, date or boolean or look like one.
    values: u64,
    typed: u64,
    pub clocks: ClockChanges,
}

#[derive(Debug, Clone, PartialEq)]
struct First {
    line: u64,
    class: Class,
    value: String,
}

impl Evidence {
    /// Takes one value into account; NULL says nothing. `line` is asked only for the first value of a kind.
    pub fn see(&mut self, class: Class, value: &[u8], line: impl FnOnce() -> u64) {
        if class == Class::Null {
            return;
        }
        self.values += 1;
        self.typed += u64::from(class != Class::Text || looks_like_a_number(value));
        let first = &mut self.firsts[class.kind()];
        if first.is_none() {
            *first = Some(First { line: line(), class, value: shown(value) });
        }
        self.class = self.class.join(class);
    }

    pub fn merge(&mut self, other: Self) {
        self.class = self.class.join(other.class);
        self.values += other.values;
        self.typed += other.typed;
        self.clocks.merge(other.clocks);
        for (mine, theirs) in self.firsts.iter_mut().zip(other.firsts) {
            if let Some(theirs) = theirs
                && mine.as_ref().is_none_or(|mine| theirs.line < mine.line)
            {
                *mine = Some(theirs);
            }
        }
    }

    /// At least half of the values that were looked at are more than words.
    pub fn mostly_typed(&self) -> bool {
        self.values > 0 && self.typed * 2 >= self.values
    }

    /// Why the column is text though values, or all values before, are something else.
    pub fn why_text(&self, before: Class) -> String {
        let mut firsts: Vec<&First> = self.firsts.iter().flatten().collect();
        firsts.sort_by_key(|first| first.line);
        let mut class = before;
        for first in firsts {
            class = class.join(first.class);
            if class == Class::Text {
                return format!("text because of {}", first.describe());
            }
        }
        "text because its numbers need more than 38 digits together".to_owned()
    }
}

impl First {
    fn describe(&self) -> String {
        let Self { line, value, .. } = self;
        let digits = value.strip_prefix('-').unwrap_or(value);
        let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if all_digits && digits.len() > 1 && digits.starts_with('0') {
            format!("leading zeros (`{value}` in line {line})")
        } else if all_digits && self.class == Class::Text {
            format!("a number too long for 64 bits (`{value}` in line {line})")
        } else {
            format!("`{value}` in line {line}")
        }
    }
}

fn looks_like_a_number(value: &[u8]) -> bool {
    let body = value.strip_prefix(b"-").or(value.strip_prefix(b"+")).unwrap_or(value);
    body.iter().any(u8::is_ascii_digit)
        && body.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b',' | b'\'' | b' ' | b'%' | b'e' | b'E' | b'-' | b'+'))
        && values::date(value).is_none()
}

/// A value as sentences show it.
pub fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Rejected rows: all counted, the first ones kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rejects {
    pub kept: Vec<Reject>,
    pub count: u64,
}

impl Rejects {
    /// Rows must come in line order.
    pub fn push(&mut self, line: u64, column: Option<&str>, reason: impl Into<String>, raw: &[u8]) {
        self.count += 1;
        if self.kept.len() < REJECTS_KEPT {
            let mut text = String::from_utf8_lossy(&raw[..raw.len().min(RAW_KEPT)]).into_owned();
            if raw.len() > RAW_KEPT {
                text.push('…');
            }
            let column = column.map(str::to_owned);
            self.kept.push(Reject { line, column, reason: reason.into(), raw: text });
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.kept.extend(other.kept);
        self.kept.sort_by_key(|reject| reject.line);
        self.kept.truncate(REJECTS_KEPT);
    }
}

/// A key of an NDJSON file that was not known before.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    pub name: String,
    /// Line and place in the line of its first appearance.
    pub first: (u64, usize),
    pub evidence: Evidence,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// One for each known column.
    pub columns: Vec<Evidence>,
    pub new_columns: Vec<NewColumn>,
    pub rejects: Rejects,
    pub utf8: Utf8Evidence,
    /// Rows that are neither rejected nor filtered out.
    pub rows: u64,
}

impl Findings {
    pub fn of(columns: usize) -> Self {
        Self { columns: vec![Evidence::default(); columns], ..Self::default() }
    }

    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.columns.iter_mut().zip(other.columns) {
            mine.merge(theirs);
        }
        for new in other.new_columns {
            match self.new_columns.iter_mut().find(|c| c.name == new.name) {
                Some(known) => {
                    known.first = known.first.min(new.first);
                    known.evidence.merge(new.evidence);
                }
                None => self.new_columns.push(new),
            }
        }
        self.rejects.merge(other.rejects);
        self.utf8 = self.utf8.join(other.utf8);
        self.rows += other.rows;
    }
}

/// One column as the present pass reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct TextColumn {
    pub name: String,
    pub by_hand: Option<ColumnType>,
    /// What all values seen in earlier passes are together.
    pub class: Class,
    pub note: Option<String>,
}

impl TextColumn {
    /// `None` while every value was NULL.
    pub fn column_type(&self) -> Option<ColumnType> {
        self.by_hand.or(self.class.column_type())
    }

    /// Takes what a pass found into account; true when the column must be read again with another type.
    pub fn widen(&mut self, evidence: &Evidence) -> bool {
        let before = self.column_type();
        let class = self.class.join(evidence.class);
        if self.by_hand.is_none() && class == Class::Text && self.class != Class::Text {
            let surprised = self.class != Class::Null || evidence.mostly_typed();
            self.note = surprised.then(|| evidence.why_text(self.class));
        }
        if let Some(ColumnType::TimestampIn(zone)) = self.by_hand {
            self.note = evidence.clocks.note(zone);
        }
        self.class = class;
        self.column_type() != before
    }
}
