//! From the fields of one column to an Arrow array, in buffers that are used again and again.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::ArrowNativeType;
use arrow::error::ArrowError;

use super::column_type::{Class, ColumnType};
use super::fields::{Span, has_doubled_quotes, push_unescaped};
use super::values::{self, POWERS};

/// Allocations that go out with arrays and come back when the arrays are gone: fresh memory costs page faults.
#[derive(Debug, Default)]
pub struct Buffers {
    integers: Recycled<i64>,
    decimals: Recycled<i128>,
    floats: Recycled<f64>,
    days: Recycled<i32>,
    words: Recycled<u64>,
    bytes: Recycled<u8>,
}

#[derive(Debug)]
struct Recycled<T> {
    spare: Vec<Vec<T>>,
    lent: Vec<Buffer>,
}

impl<T> Default for Recycled<T> {
    fn default() -> Self {
        Self { spare: Vec::new(), lent: Vec::new() }
    }
}

impl<T: ArrowNativeType> Recycled<T> {
    fn take(&mut self, capacity: usize) -> Vec<T> {
        let mut values = self.spare.pop().unwrap_or_default();
        values.clear();
        values.reserve(capacity);
        values
    }

    fn lend(&mut self, values: Vec<T>) -> Buffer {
        let buffer = Buffer::from_vec(values);
        self.lent.push(buffer.clone());
        buffer
    }

    /// What is still in use elsewhere is left to its user.
    fn reclaim(&mut self) {
        self.spare.extend(self.lent.drain(..).filter_map(|buffer| buffer.into_vec().ok()));
    }
}

impl Buffers {
    /// To be called when the arrays built so far were dropped.
    pub fn reclaim(&mut self) {
        self.integers.reclaim();
        self.decimals.reclaim();
        self.floats.reclaim();
        self.days.reclaim();
        self.words.reclaim();
        self.bytes.reclaim();
    }

    fn nulls(&mut self, valid: Validity, len: usize) -> Option<NullBuffer> {
        if valid.count == len {
            self.words.spare.push(valid.words);
            return None;
        }
        Some(NullBuffer::new(self.bits(valid.words, len)))
    }

    fn bits(&mut self, words: Vec<u64>, len: usize) -> BooleanBuffer {
        BooleanBuffer::new(self.words.lend(words), 0, len)
    }
}

/// The text that spans point into.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub bytes: &'a [u8],
    /// Set when quoted fields may hold doubled quotes.
    pub quote: Option<u8>,
}

/// Why no array was built.
#[derive(Debug)]
pub enum BuildError {
    /// A field is not of the column's type.
    Misfit,
    Arrow(ArrowError),
}

impl From<ArrowError> for BuildError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

#[derive(Debug, Default)]
struct Validity {
    words: Vec<u64>,
    count: usize,
}

/// How one column is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// `None` while every value was NULL.
    pub column_type: Option<ColumnType>,
    /// Set by hand: the forms of values that only a human can vouch for are read too.
    pub by_hand: bool,
}

impl Target {
    /// Builds the column; an empty span is NULL. The class is what the values are together.
    pub fn build(self, text: Text<'_>, spans: &[Span], buffers: &mut Buffers) -> Result<(ArrayRef, Class), BuildError> {
        let by_hand = self.by_hand;
        match self.column_type {
            None => match spans.iter().position(|s| !s.is_empty()) {
                Some(_) => Err(BuildError::Misfit),
                None => Ok((Arc::new(StringArray::new_null(spans.len())), Class::Null)),
            },
            Some(ColumnType::Integer) => integers(text, spans, buffers, by_hand),
            Some(ColumnType::Decimal { precision, scale }) => {
                decimals(text, spans, buffers, Decimals::new(precision, scale, by_hand))
            }
            Some(ColumnType::Float) => {
                let mut out = buffers.floats.take(spans.len());
                let valid = each(text, spans, &mut buffers.words, &mut out, values::float)?;
                let class = class_unless_null(&valid, Class::Text);
                let nulls = buffers.nulls(valid, spans.len());
                let values = ScalarBuffer::new(buffers.floats.lend(out), 0, spans.len());
                Ok((Arc::new(Float64Array::try_new(values, nulls)?), class))
            }
            Some(ColumnType::Boolean) => booleans(text, spans, buffers, by_hand),
            Some(ColumnType::Date) => {
                let mut out = buffers.days.take(spans.len());
                let valid = each(text, spans, &mut buffers.words, &mut out, values::date)?;
                let class = class_unless_null(&valid, Class::Date);
                let nulls = buffers.nulls(valid, spans.len());
                let values = ScalarBuffer::new(buffers.days.lend(out), 0, spans.len());
                Ok((Arc::new(Date32Array::try_new(values, nulls)?), class))
            }
            Some(ColumnType::Timestamp) => {
                let mut out = buffers.integers.take(spans.len());
                let valid = each(text, spans, &mut buffers.words, &mut out, values::local_time)?;
                let class = class_unless_null(&valid, Class::Timestamp);
                let nulls = buffers.nulls(valid, spans.len());
                let values = ScalarBuffer::new(buffers.integers.lend(out), 0, spans.len());
                Ok((Arc::new(TimestampMicrosecondArray::try_new(values, nulls)?), class))
            }
            Some(ColumnType::TimestampUtc) => instants(text, spans, buffers, values::utc_time),
            Some(ColumnType::TimestampIn(zone)) => instants(text, spans, buffers, |field| values::time_in(zone, field)),
            Some(ColumnType::Text) => strings(text, spans, buffers),
        }
    }

    /// Whether one field, not empty, can be built.
    pub fn fits(self, field: &[u8]) -> bool {
        let by_hand = self.by_hand;
        match self.column_type {
            None => false,
            Some(ColumnType::Integer) => integer(field, by_hand).is_some(),
            Some(ColumnType::Decimal { precision, scale }) => {
                Decimals::new(precision, scale, by_hand).parse(field).is_some()
            }
            Some(ColumnType::Float) => values::float(field).is_some(),
            Some(ColumnType::Boolean) => boolean(field, by_hand).is_some(),
            Some(ColumnType::Date) => values::date(field).is_some(),
            Some(ColumnType::Timestamp) => values::local_time(field).is_some(),
            Some(ColumnType::TimestampUtc) => values::utc_time(field).is_some(),
            Some(ColumnType::TimestampIn(zone)) => values::time_in(zone, field).is_some(),
            Some(ColumnType::Text) => true,
        }
    }
}

fn class_unless_null(valid: &Validity, class: Class) -> Class {
    if valid.count == 0 { Class::Null } else { class }
}

/// Parses every field into `out`; empty fields leave a default value and a cleared bit.
#[inline]
fn each<T: Default>(
    text: Text<'_>,
    spans: &[Span],
    words: &mut Recycled<u64>,
    out: &mut Vec<T>,
    mut parse: impl FnMut(&[u8]) -> Option<T>,
) -> Result<Validity, BuildError> {
    let mut valid = Validity { words: words.take(spans.len().div_ceil(64)), count: 0 };
    for spans in spans.chunks(64) {
        let mut word = 0u64;
        for (bit, span) in spans.iter().enumerate() {
            let field = span.of(text.bytes);
            if field.is_empty() {
                out.push(T::default());
            } else if let Some(value) = parse(field) {
                word |= 1 << bit;
                out.push(value);
            } else {
                return Err(BuildError::Misfit);
            }
        }
        valid.count += word.count_ones() as usize;
        valid.words.push(word);
    }
    Ok(valid)
}

#[inline]
fn integer(field: &[u8], by_hand: bool) -> Option<i64> {
    if by_hand { values::integer_by_hand(field) } else { values::integer(field) }
}

#[inline]
fn boolean(field: &[u8], by_hand: bool) -> Option<bool> {
    if by_hand { values::boolean_by_hand(field) } else { values::boolean(field) }
}

fn instants(
    text: Text<'_>,
    spans: &[Span],
    buffers: &mut Buffers,
    parse: impl FnMut(&[u8]) -> Option<i64>,
) -> Result<(ArrayRef, Class), BuildError> {
    let mut out = buffers.integers.take(spans.len());
    let valid = each(text, spans, &mut buffers.words, &mut out, parse)?;
    let class = class_unless_null(&valid, Class::TimestampUtc);
    let nulls = buffers.nulls(valid, spans.len());
    let values = ScalarBuffer::new(buffers.integers.lend(out), 0, spans.len());
    Ok((Arc::new(TimestampMicrosecondArray::try_new(values, nulls)?.with_timezone("UTC")), class))
}

fn integers(
    text: Text<'_>,
    spans: &[Span],
    buffers: &mut Buffers,
    by_hand: bool,
) -> Result<(ArrayRef, Class), BuildError> {
    let mut out = buffers.integers.take(spans.len());
    let valid = if by_hand {
        each(text, spans, &mut buffers.words, &mut out, values::integer_by_hand)?
    } else {
        each(text, spans, &mut buffers.words, &mut out, values::integer)?
    };
    let largest = out.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
    let class = class_unless_null(&valid, Class::Integer { digits: digits(u128::from(largest)) });
    let nulls = buffers.nulls(valid, spans.len());
    let values = ScalarBuffer::new(buffers.integers.lend(out), 0, spans.len());
    Ok((Arc::new(Int64Array::try_new(values, nulls)?), class))
}

fn digits(value: u128) -> u8 {
    value.checked_ilog10().map_or(0, |log| u8::try_from(log + 1).unwrap_or(u8::MAX))
}

/// A decimal column's shape.
#[derive(Clone, Copy)]
struct Decimals {
    precision: u8,
    signed_scale: i8,
    scale: u8,
    by_hand: bool,
}

impl Decimals {
    fn new(precision: u8, scale: i8, by_hand: bool) -> Self {
        Self { precision, signed_scale: scale, scale: scale.unsigned_abs(), by_hand }
    }

    #[inline]
    fn parse(self, field: &[u8]) -> Option<i128> {
        let mut number = if self.by_hand { values::number_by_hand(field)? } else { values::number(field)? };
        if self.by_hand {
            // Zeros past the scale change nothing.
            while number.scale > self.scale && number.mantissa.is_multiple_of(10) {
                number.mantissa /= 10;
                number.scale -= 1;
            }
        } else if number.scale == 0 && number.digits > 18 {
            // An integer past 64 bits is text wherever it stands.
            number.as_i64()?;
        }
        if number.scale > self.scale || number.digits + self.scale > self.precision {
            return None;
        }
        let magnitude = if self.precision <= 18 {
            // At most 18 digits, so 64 bits hold every step.
            let mantissa = u64::try_from(number.mantissa).ok()?;
            let power = u64::try_from(POWERS[usize::from(self.scale - number.scale)]).ok()?;
            i128::from(mantissa.wrapping_mul(power))
        } else {
            i128::try_from(number.mantissa).ok()?.checked_mul(POWERS[usize::from(self.scale - number.scale)])?
        };
        Some(if number.negative { -magnitude } else { magnitude })
    }
}

fn decimals(
    text: Text<'_>,
    spans: &[Span],
    buffers: &mut Buffers,
    shape: Decimals,
) -> Result<(ArrayRef, Class), BuildError> {
    let mut out = buffers.decimals.take(spans.len());
    let mut largest = 0u128;
    let valid = each(text, spans, &mut buffers.words, &mut out, |field| {
        let value = shape.parse(field)?;
        largest = largest.max(value.unsigned_abs());
        Some(value)
    })?;
    let whole = digits(largest / POWERS[usize::from(shape.scale)].unsigned_abs());
    let class = class_unless_null(&valid, Class::Decimal { digits: whole, scale: shape.scale });
    let nulls = buffers.nulls(valid, spans.len());
    let values = ScalarBuffer::new(buffers.decimals.lend(out), 0, spans.len());
    let array = Decimal128Array::try_new(values, nulls)?;
    Ok((Arc::new(array.with_precision_and_scale(shape.precision, shape.signed_scale)?), class))
}

fn booleans(
    text: Text<'_>,
    spans: &[Span],
    buffers: &mut Buffers,
    by_hand: bool,
) -> Result<(ArrayRef, Class), BuildError> {
    let mut bits = buffers.words.take(spans.len().div_ceil(64));
    bits.resize(spans.len().div_ceil(64), 0);
    let mut row = 0usize;
    let mut unused = Vec::new();
    // Rows are counted here because a NULL is not parsed.
    let mut rows = spans.iter().enumerate().filter(|(_, s)| !s.is_empty()).map(|(i, _)| i);
    let valid = each(text, spans, &mut buffers.words, &mut unused, |field| {
        let value = boolean(field, by_hand)?;
        row = rows.next().unwrap_or(row);
        bits[row / 64] |= u64::from(value) << (row % 64);
        Some(())
    })?;
    let class = class_unless_null(&valid, Class::Boolean);
    let nulls = buffers.nulls(valid, spans.len());
    let values = buffers.bits(bits, spans.len());
    if let Some(nulls) = &nulls {
        debug_assert_eq!(nulls.len(), values.len());
    }
    Ok((Arc::new(BooleanArray::new(values, nulls)), class))
}

/// Bytes that are copied at once: most fields need one copy, whose length the compiler knows.
const COPY: usize = 32;

fn strings(text: Text<'_>, spans: &[Span], buffers: &mut Buffers) -> Result<(ArrayRef, Class), BuildError> {
    let total: usize = spans.iter().map(|s| (s.end - s.start) as usize).sum();
    let mut values = buffers.bytes.spare.pop().unwrap_or_default();
    if values.len() < total + COPY {
        values.resize(total + COPY, 0);
    }
    let mut offsets = buffers.days.take(spans.len() + 1);
    offsets.push(0);
    let mut valid = Validity { words: buffers.words.take(spans.len().div_ceil(64)), count: 0 };
    let mut at = 0usize;
    let escapes = text.quote.is_some_and(|q| spans.iter().any(|s| has_doubled_quotes(text.bytes, *s, q)));
    for spans in spans.chunks(64) {
        let mut word = 0u64;
        for (bit, span) in spans.iter().enumerate() {
            let (start, len) = (span.start as usize, (span.end - span.start) as usize);
            word |= u64::from(len > 0) << bit;
            match (text.quote, text.bytes.get(start..start + COPY)) {
                (Some(quote), _) if escapes && has_doubled_quotes(text.bytes, *span, quote) => {
                    let mut field = Vec::with_capacity(len);
                    push_unescaped(span.of(text.bytes), quote, &mut field);
                    values[at..at + field.len()].copy_from_slice(&field);
                    at += field.len();
                }
                (_, Some(wide)) if len <= COPY => {
                    values[at..at + COPY].copy_from_slice(wide);
                    at += len;
                }
                _ => {
                    values[at..at + len].copy_from_slice(span.of(text.bytes));
                    at += len;
                }
            }
            offsets.push(offset(at));
        }
        valid.count += word.count_ones() as usize;
        valid.words.push(word);
    }
    values.truncate(at);
    let class = class_unless_null(&valid, Class::Text);
    let nulls = buffers.nulls(valid, spans.len());
    let offsets = ScalarBuffer::new(buffers.days.lend(offsets), 0, spans.len() + 1);
    let array = StringArray::try_new(OffsetBuffer::new(offsets), buffers.bytes.lend(values), nulls)?;
    Ok((Arc::new(array), class))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "chunks are far smaller than 2 GiB")]
fn offset(at: usize) -> i32 {
    at as i32
}
