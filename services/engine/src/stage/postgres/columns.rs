//! How each Postgres type is asked for, what it becomes in Arrow, and the builders that take its binary form.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow::array::{BooleanBufferBuilder, NullBufferBuilder, TimestampMicrosecondArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::numeric;

/// Digits that a 128-bit decimal holds.
pub const MAX_DIGITS: u8 = 38;
/// Days from 1970-01-01 to 2000-01-01, where Postgres starts to count.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 262000-01-01 in days and microseconds from 1970: calendar libraries end soon after.
/// Postgres goes further, and to `infinity`.
pub const LAST_YEAR: &str = "262000-01-01";
const END_DAYS: i32 = 94_974_007;
const END_MICROS: i64 = 8_205_754_204_800_000_000;

/// One column of the table and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    /// The type as the catalog writes it, without length or precision; the base type of a domain. May stand in SQL.
    pub base_type: String,
    /// The SQL that gives the value, over the quoted column name.
    pub expression: String,
    pub kind: Kind,
    /// Why the column is text although its type is not.
    pub note: Option<String>,
}

/// The binary form that the server sends, and so the Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int2,
    Int4,
    Int8,
    /// The shortest decimal that names the 32-bit float, as a 64-bit one: 0.1 stays 0.1.
    Float4,
    Float8,
    Bool,
    Date,
    Timestamp,
    TimestampUtc,
    /// `fixed` when the declared type sets the scale; otherwise it was found in the data and may have to grow.
    Decimal {
        precision: u8,
        scale: i8,
        fixed: bool,
    },
    Text,
    /// `char(n)`: trailing blanks mean nothing.
    PaddedText,
    Uuid,
}

impl Kind {
    /// The kind of a catalog type by its name, and whether the server must be asked for its text form.
    pub fn of(type_name: &str, built_in: bool, is_enum: bool, type_modifier: i32) -> (Self, Cast) {
        if is_enum {
            return (Self::Text, Cast::None);
        }
        if !built_in {
            return (Self::Text, Cast::Text);
        }
        let kind = match type_name {
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "bool" => Self::Bool,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampUtc,
            "numeric" => Self::numeric(type_modifier),
            "money" => return (Self::numeric(-1), Cast::Numeric),
            "text" | "varchar" | "name" | "json" => Self::Text,
            "bpchar" => Self::PaddedText,
            "uuid" => Self::Uuid,
            _ => return (Self::Text, Cast::Text),
        };
        (kind, Cast::None)
    }

    /// Reads precision and scale out of the type modifier: 16 bits each, the scale in 11 of them, signed.
    fn numeric(type_modifier: i32) -> Self {
        let open = Self::Decimal { precision: MAX_DIGITS, scale: 0, fixed: false };
        if type_modifier < 4 {
            return open;
        }
        let precision = (type_modifier - 4) >> 16;
        let scale = (((type_modifier - 4) & 0x7ff) ^ 1024) - 1024;
        // numeric(3,5) has five digits after the point; numeric(3,-2) has five before it.
        let digits = if scale < 0 { precision - scale } else { precision.max(scale) };
        match (u8::try_from(digits), i8::try_from(scale.max(0))) {
            (Ok(digits), Ok(scale)) if digits <= MAX_DIGITS => {
                Self::Decimal { precision: if digits <= 18 { 18 } else { MAX_DIGITS }, scale, fixed: true }
            }
            _ => open,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Int2 | Self::Int4 | Self::Int8 => DataType::Int64,
            Self::Float4 | Self::Float8 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal { precision, scale, .. } => DataType::Decimal128(precision, scale),
            Self::Text | Self::PaddedText | Self::Uuid => DataType::Utf8,
        }
    }
}

/// What the server has to do to a value before it sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    None,
    Text,
    Numeric,
}

impl TableColumn {
    /// Reads the column as the server writes it, from now on.
    pub fn make_text(&mut self, quoted_name: &str, note: String) {
        self.expression = format!("{quoted_name}::text");
        self.kind = Kind::Text;
        self.note = Some(note);
    }
}

pub fn schema(columns: &[TableColumn]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|c| Field::new(&c.name, c.kind.data_type(), true)).collect::<Vec<_>>()))
}

/// Why a value could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The type chosen for the column cannot hold it: infinity, NaN, more digits.
    DoesNotFit,
    /// Not the binary form of the type.
    Malformed,
}

/// Takes the values of one column, batch after batch.
pub struct Builder {
    kind: Kind,
    values: Values,
    nulls: NullBufferBuilder,
    capacity: usize,
}

enum Values {
    Int2(Vec<i64>),
    Int4(Vec<i64>),
    Int8(Vec<i64>),
    Float4(Vec<f64>),
    Float8(Vec<f64>),
    Bool(BooleanBufferBuilder),
    Date(Vec<i32>),
    Timestamp { micros: Vec<i64>, utc: bool },
    Decimal { unscaled: Vec<i128>, precision: u8, scale: i8 },
    Text(Strings),
    PaddedText(Strings),
    Uuid(Strings),
}

struct Strings {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Strings {
    fn new(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::with_capacity(bytes) }
    }

    fn push(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.bytes.extend_from_slice(value);
        self.close()
    }

    /// Ends the value whose bytes have been appended.
    fn close(&mut self) -> Result<(), Refusal> {
        // A batch is closed long before 2 GiB; one value has at most 1 GiB.
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| Refusal::Malformed)?);
        Ok(())
    }
}

impl Builder {
    pub fn new(kind: Kind, capacity: usize) -> Self {
        let values = Values::new(kind, capacity, capacity * 16);
        Self { kind, values, nulls: NullBufferBuilder::new(capacity), capacity }
    }

    pub fn append_null(&mut self) -> Result<(), Refusal> {
        match &mut self.values {
            Values::Int2(v) | Values::Int4(v) | Values::Int8(v) => v.push(0),
            Values::Float4(v) | Values::Float8(v) => v.push(0.0),
            Values::Bool(v) => v.append(false),
            Values::Date(v) => v.push(0),
            Values::Timestamp { micros, .. } => micros.push(0),
            Values::Decimal { unscaled, .. } => unscaled.push(0),
            Values::Text(v) | Values::PaddedText(v) | Values::Uuid(v) => v.close()?,
        }
        self.nulls.append_null();
        Ok(())
    }

    #[inline]
    pub fn append(&mut self, value: &[u8]) -> Result<(), Refusal> {
        match &mut self.values {
            Values::Int2(v) => v.push(i64::from(i16::from_be_bytes(exactly(value)?))),
            Values::Int4(v) => v.push(i64::from(i32::from_be_bytes(exactly(value)?))),
            Values::Int8(v) => v.push(i64::from_be_bytes(exactly(value)?)),
            Values::Float4(v) => v.push(widened(f32::from_be_bytes(exactly(value)?))),
            Values::Float8(v) => v.push(f64::from_be_bytes(exactly(value)?)),
            Values::Bool(v) => v.append(exactly::<1>(value)? != [0]),
            Values::Date(v) => {
                let days = i32::from_be_bytes(exactly(value)?);
                let days = days.checked_add(EPOCH_DAYS).filter(|d| days != i32::MIN && *d < END_DAYS);
                v.push(days.ok_or(Refusal::DoesNotFit)?);
            }
            Values::Timestamp { micros, .. } => {
                let time = i64::from_be_bytes(exactly(value)?);
                let time = time.checked_add(EPOCH_MICROS).filter(|t| time != i64::MIN && *t < END_MICROS);
                micros.push(time.ok_or(Refusal::DoesNotFit)?);
            }
            Values::Decimal { unscaled, precision, scale } => {
                unscaled.push(numeric::unscaled(value, *precision, *scale)?);
            }
            Values::Text(v) => v.push(value)?,
            Values::PaddedText(v) => v.push(without_blanks(value))?,
            Values::Uuid(v) => {
                let id: [u8; 16] = exactly(value)?;
                for (index, byte) in id.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        v.bytes.push(b'-');
                    }
                    v.bytes.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
                v.close()?;
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// The column so far; the builder starts again. Fails on text that is not UTF-8.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        self.nulls = NullBufferBuilder::new(self.capacity);
        let expected = match &self.values {
            Values::Text(v) | Values::PaddedText(v) => v.bytes.len() + v.bytes.len() / 16,
            _ => 0,
        };
        let fresh = Values::new(self.kind, self.capacity, expected);
        Ok(match std::mem::replace(&mut self.values, fresh) {
            Values::Int2(v) | Values::Int4(v) | Values::Int8(v) => Arc::new(Int64Array::new(v.into(), nulls)),
            Values::Float4(v) | Values::Float8(v) => Arc::new(Float64Array::new(v.into(), nulls)),
            Values::Bool(v) => Arc::new(BooleanArray::new(v.build(), nulls)),
            Values::Date(v) => Arc::new(Date32Array::new(v.into(), nulls)),
            Values::Timestamp { micros, utc } => {
                let array = TimestampMicrosecondArray::new(micros.into(), nulls);
                Arc::new(if utc { array.with_timezone("UTC") } else { array })
            }
            Values::Decimal { unscaled, precision, scale } => {
                let array = Decimal128Array::new(unscaled.into(), nulls);
                Arc::new(array.with_precision_and_scale(precision, scale)?)
            }
            Values::Text(v) | Values::PaddedText(v) | Values::Uuid(v) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(v.offsets));
                Arc::new(StringArray::try_new(offsets, v.bytes.into(), nulls)?)
            }
        })
    }
}

impl Values {
    fn new(kind: Kind, rows: usize, bytes: usize) -> Self {
        match kind {
            Kind::Int2 => Self::Int2(Vec::with_capacity(rows)),
            Kind::Int4 => Self::Int4(Vec::with_capacity(rows)),
            Kind::Int8 => Self::Int8(Vec::with_capacity(rows)),
            Kind::Float4 => Self::Float4(Vec::with_capacity(rows)),
            Kind::Float8 => Self::Float8(Vec::with_capacity(rows)),
            Kind::Bool => Self::Bool(BooleanBufferBuilder::new(rows)),
            Kind::Date => Self::Date(Vec::with_capacity(rows)),
            Kind::Timestamp => Self::Timestamp { micros: Vec::with_capacity(rows), utc: false },
            Kind::TimestampUtc => Self::Timestamp { micros: Vec::with_capacity(rows), utc: true },
            Kind::Decimal { precision, scale, .. } => {
                Self::Decimal { unscaled: Vec::with_capacity(rows), precision, scale }
            }
            Kind::Text => Self::Text(Strings::new(rows, bytes)),
            Kind::PaddedText => Self::PaddedText(Strings::new(rows, bytes)),
            Kind::Uuid => Self::Uuid(Strings::new(rows, rows * 36)),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], Refusal> {
    value.try_into().map_err(|_| Refusal::Malformed)
}

fn without_blanks(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &value[..end]
}

/// The 64-bit float with the same shortest decimal: what Postgres itself shows.
fn widened(value: f32) -> f64 {
    if value == value.trunc() || !value.is_finite() {
        return f64::from(value);
    }
    value.to_string().parse().unwrap_or(f64::from(value))
}
