//! What a column of a text file holds: the join, over a lattice, of what each of its values is.

use std::fmt;
use std::str::FromStr;

use super::values;
use crate::time_zone::TimeZone;
use crate::type_names::{a_value_of, type_name};
use arrow::datatypes::{DataType, TimeUnit};

/// The type of a column. Decided from every value of the column, or set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    Integer,
    /// All digits kept; `precision` is 18 or 38.
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// Never inferred: only set by hand.
    Float,
    Boolean,
    Date,
    Timestamp,
    /// A timestamp with an offset or `Z`, kept in UTC.
    TimestampUtc,
    /// A local time of this zone, kept in UTC. Never inferred: only set by hand.
    TimestampIn(TimeZone),
    Text,
}

impl ColumnType {
    pub fn arrow(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampUtc | Self::TimestampIn(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Text => DataType::Utf8,
        }
    }

    /// For sentences: "`abc` is not an integer".
    pub fn describe(self) -> String {
        match self {
            Self::TimestampIn(_) => "a timestamp (YYYY-MM-DD HH:MM:SS)".to_owned(),
            _ => a_value_of(&self.arrow()),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&type_name(&self.arrow()))?;
        if let Self::TimestampIn(zone) = self { write!(f, "@{zone}") } else { Ok(()) }
    }
}

impl FromStr for ColumnType {
    type Err = String;

    /// Reads the words of `Display`; `decimal(2)` stands for 18 digits, 2 of them after the point, and a precision
    /// is raised to 18 or 38.
    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim().to_ascii_lowercase();
        Ok(match word.as_str() {
            "integer" => Self::Integer,
            "float" => Self::Float,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            // The second is how contracts before called it.
            "timestamptz" | "timestamp_utc" => Self::TimestampUtc,
            "text" => Self::Text,
            _ => match text.trim().split_once('@') {
                Some((word, zone)) if word.trim_end().eq_ignore_ascii_case("timestamptz") => {
                    Self::TimestampIn(zone.parse()?)
                }
                _ => return decimal(&word).ok_or_else(|| unknown(text)),
            },
        })
    }
}

fn decimal(word: &str) -> Option<ColumnType> {
    let inner = word.strip_prefix("decimal")?.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = match inner.split_once(',') {
        Some((precision, scale)) => (precision.trim().parse::<u8>().ok()?, scale),
        None => (18, inner),
    };
    let scale = scale.trim().parse::<u8>().ok()?;
    let precision = match precision {
        1..=18 => 18,
        19..=38 => 38,
        _ => return None,
    };
    let scale = i8::try_from(scale).ok().filter(|_| scale <= precision)?;
    Some(ColumnType::Decimal { precision, scale })
}

fn unknown(text: &str) -> String {
    format!(
        "`{text}` is not a type: use integer, decimal(SCALE), decimal(PRECISION,SCALE) of at most 38 digits, float, \
         boolean, date, timestamp, timestamptz, timestamptz@ZONE for local times, such as timestamptz@Europe/Berlin, or text"
    )
}

/// What one value is, or all values of a column are together. [`Class::join`] is associative, commutative and
/// idempotent: a column's class does not depend on the order in which its values are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    #[default]
    Null,
    Integer {
        digits: u8,
    },
    /// `digits` before the point.
    Decimal {
        digits: u8,
        scale: u8,
    },
    Boolean,
    Date,
    Timestamp,
    TimestampUtc,
    Text,
}

impl Class {
    /// Number of kinds of classes, leaving digits aside.
    pub const KINDS: usize = 8;

    /// What a field of a delimited file is. The empty field is NULL.
    pub fn of(field: &[u8]) -> Self {
        match field.first() {
            None => Self::Null,
            Some(b'0'..=b'9' | b'-' | b'.') => Self::of_number(field).unwrap_or_else(|| Self::of_time(field)),
            Some(b't' | b'T' | b'f' | b'F') if values::boolean(field).is_some() => Self::Boolean,
            Some(_) => Self::Text,
        }
    }

    pub fn of_number(field: &[u8]) -> Option<Self> {
        let number = values::number(field)?;
        Some(match number.scale {
            0 if number.as_i64().is_none() => Self::Text,
            0 => Self::Integer { digits: number.digits },
            scale => Self::Decimal { digits: number.digits, scale },
        })
    }

    /// Date, timestamp or text.
    pub fn of_time(field: &[u8]) -> Self {
        if values::date(field).is_some() {
            return Self::Date;
        }
        match values::timestamp(field) {
            Some(t) if t.offset => Self::TimestampUtc,
            Some(_) => Self::Timestamp,
            None => Self::Text,
        }
    }

    pub fn join(self, other: Self) -> Self {
        use Class::{Date, Decimal, Integer, Null, Text, Timestamp};
        match (self, other) {
            (Null, class) | (class, Null) => class,
            (Integer { digits: a }, Integer { digits: b }) => Integer { digits: a.max(b) },
            (Decimal { digits: a, scale }, Integer { digits: b })
            | (Integer { digits: a }, Decimal { digits: b, scale }) => Self::decimal(a.max(b), scale),
            (Decimal { digits: a, scale: s }, Decimal { digits: b, scale: t }) => Self::decimal(a.max(b), s.max(t)),
            (Date, Timestamp) | (Timestamp, Date) => Timestamp,
            (a, b) if a == b => a,
            _ => Text,
        }
    }

    fn decimal(digits: u8, scale: u8) -> Self {
        if digits + scale <= 38 { Self::Decimal { digits, scale } } else { Self::Text }
    }

    /// `None` while all values are NULL.
    pub fn column_type(self) -> Option<ColumnType> {
        Some(match self {
            Self::Null => return None,
            Self::Integer { .. } => ColumnType::Integer,
            Self::Decimal { digits, scale } => ColumnType::Decimal {
                precision: if digits + scale <= 18 { 18 } else { 38 },
                scale: i8::try_from(scale).unwrap_or(i8::MAX),
            },
            Self::Boolean => ColumnType::Boolean,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
            Self::TimestampUtc => ColumnType::TimestampUtc,
            Self::Text => ColumnType::Text,
        })
    }

    pub fn kind(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Integer { .. } => 1,
            Self::Decimal { .. } => 2,
            Self::Boolean => 3,
            Self::Date => 4,
            Self::Timestamp => 5,
            Self::TimestampUtc => 6,
            Self::Text => 7,
        }
    }
}

#[cfg(test)]
#[path = "tests/column_type.rs"]
mod tests;
