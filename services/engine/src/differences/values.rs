//! When two values are equal, and when they are near enough.
//!
//! Values of one type are compared as they are, numbers of any types by their value, and a number with a float as floats, as SQL
//! does. A text beside a number, a date or a boolean is read as one, without blanks around it; what cannot be read differs. NULL
//! equals NULL, NaN equals NaN, and 0 equals -0.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DECIMAL256_MAX_PRECISION, DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DFSchema;
use datafusion::execution::context::SessionContext;
use datafusion::physical_expr::PhysicalExpr;

use super::apart::{Apart, furthest};
use crate::error::{Cause, Error, Result};
use crate::job::Alike;
use crate::type_names::{TypeKind, decimal};

/// How the values of two columns are compared.
pub struct Test {
    equality: Equality,
    near: Option<Near>,
}

/// What both are made to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Equality {
    As(DataType),
    /// One is text, and read as the other.
    Read(DataType),
    /// As texts, as they are shown.
    Shown,
}

/// A condition on the columns `l` and `r`.
struct Near {
    condition: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

/// Room for the digits of any decimal of 38 and for as many before the point.
const ROOM: DataType = DataType::Decimal256(DECIMAL256_MAX_PRECISION, 38);

impl Test {
    /// Of columns of these types. The error says what of `alike` does not suit them.
    pub fn new(ctx: &SessionContext, left: &DataType, right: &DataType, alike: &Alike) -> Result<Self, String> {
        let conditions = conditions(left, right, alike)?;
        let near = if conditions.is_empty() { None } else { Some(Near::new(ctx, left, right, &conditions)) };
        Ok(Self { equality: Equality::of(left, right), near: near.transpose().map_err(|e| e.to_string())? })
    }

    /// Of each row whether the two values are equal.
    pub fn equal(&self, left: &ArrayRef, right: &ArrayRef) -> Result<BooleanBuffer> {
        self.equality.equal(left, right).map_err(broken)
    }

    /// Of each row whether two values that are not equal are near enough, none of which is NULL; `None`: no row.
    pub fn near(&self, left: &ArrayRef, right: &ArrayRef) -> Result<Option<BooleanArray>> {
        let Some(near) = &self.near else { return Ok(None) };
        let columns = vec![Arc::clone(left), Arc::clone(right)];
        let batch = RecordBatch::try_new(Arc::clone(&near.schema), columns).map_err(broken)?;
        let values = near.condition.evaluate(&batch).and_then(|value| value.into_array(batch.num_rows()));
        Ok(Some(values.map_err(|e| Error::Sql(e.strip_backtrace()))?.as_boolean().clone()))
    }

    /// How far the two values are apart that are furthest apart; `None` where that means nothing.
    pub fn furthest(&self, left: &ArrayRef, right: &ArrayRef) -> Result<Option<Apart>> {
        let (left, right) = match &self.equality {
            Equality::Shown => return Ok(None),
            Equality::As(to) => (strict(left, to), strict(right, to)),
            Equality::Read(to) => (read(left, to), read(right, to)),
        };
        let apart = furthest(&left.map_err(broken)?, &right.map_err(broken)?).map_err(broken)?;
        Ok(match (&self.equality, apart) {
            (Equality::Read(_), Some(Apart::Number(amount))) => Some(Apart::Number(amount.without_zeros())),
            _ => apart,
        })
    }
}

impl Near {
    fn new(
        ctx: &SessionContext,
        left: &DataType,
        right: &DataType,
        conditions: &[String],
    ) -> datafusion::common::Result<Self> {
        let fields = [("l", left), ("r", right)].map(|(name, of)| Field::new(name, of.clone(), true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec()))?;
        let condition = ctx.parse_sql_expr(&conditions.join(" OR "), &schema)?;
        let condition = ctx.create_physical_expr(condition, &schema)?;
        Ok(Self { condition, schema: Arc::clone(schema.inner()) })
    }
}

/// What `alike` asks of two values that are not equal, in SQL.
fn conditions(left: &DataType, right: &DataType, alike: &Alike) -> Result<Vec<String>, String> {
    let kinds = [left, right].map(TypeKind::of);
    let are = |wanted: &[TypeKind]| kinds.iter().all(|kind| *kind == TypeKind::Null || wanted.contains(kind));
    let suits = |fits: bool, what: &str, wanted: &str| {
        let [a, b] = kinds.map(TypeKind::is_a);
        let found = if a == b { format!("each of them {a}") } else { format!("one {a} and one {b}") };
        if fits { Ok(()) } else { Err(format!("{what} is between {wanted}, and {found}")) }
    };
    let mut all = Vec::new();
    if let Some(most) = &alike.absolute {
        suits(are(&[TypeKind::Number, TypeKind::Float]), "a tolerance", "two numbers")?;
        all.push(format!("tolerance_match(l, r, {most})"));
    }
    if let Some(percent) = &alike.percent {
        suits(are(&[TypeKind::Number, TypeKind::Float]), "a tolerance", "two numbers")?;
        all.push(format!("tolerance_pct(l, r, {percent})"));
    }
    if let Some(days) = alike.days {
        suits(are(&[TypeKind::Date, TypeKind::Timestamp]), "a number of days", "two dates or times")?;
        all.push(format!("date_within(l, r, {days})"));
    }
    if let Some(rules) = &alike.rules {
        suits(are(&[TypeKind::Text]), "what texts may differ in", "two texts")?;
        all.push(format!("normalize_key(l, '{rules}') IS NOT DISTINCT FROM normalize_key(r, '{rules}')"));
    }
    Ok(all)
}

impl Equality {
    fn of(left: &DataType, right: &DataType) -> Self {
        use TypeKind::{Boolean, Date, Float, Null, Number, Text, Time, Timestamp};
        match (TypeKind::of(left), TypeKind::of(right)) {
            (Null, _) => Self::As(right.clone()),
            (_, Null) => Self::As(left.clone()),
            (Text, Text) => Self::As(DataType::Utf8View),
            (Number, Number) => Self::As(common(left, right)),
            (Number | Float, Number | Float) => Self::As(DataType::Float64),
            (Boolean, Boolean) => Self::As(DataType::Boolean),
            (Date, Date) => Self::As(DataType::Date32),
            (Date, Timestamp) if is_local(right) => Self::As(right.clone()),
            (Timestamp, Date) if is_local(left) => Self::As(left.clone()),
            (Timestamp, Timestamp) if is_local(left) == is_local(right) => Self::As(finer(left, right)),
            (Time, Time) => Self::As(DataType::Time64(TimeUnit::Nanosecond)),
            (Text, Number) | (Number, Text) => Self::Read(ROOM),
            (Text, Float) | (Float, Text) => Self::Read(DataType::Float64),
            (Text, Date | Timestamp | Time | Boolean) => Self::Read(right.clone()),
            (Date | Timestamp | Time | Boolean, Text) => Self::Read(left.clone()),
            _ => Self::Shown,
        }
    }

    fn equal(&self, left: &ArrayRef, right: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
        let same = match self {
            Self::As(to) => same(&strict(left, to)?, &strict(right, to)?)?,
            Self::Read(to) => same(&read(left, to)?, &read(right, to)?)?,
            Self::Shown => cmp::not_distinct(&shown(left)?, &shown(right)?)?.values().clone(),
        };
        // What cannot be read is NULL by now, and was a value.
        let Self::Read(_) = self else { return Ok(same) };
        let valid = |column: &ArrayRef| {
            column.nulls().map_or_else(|| BooleanBuffer::new_set(column.len()), |nulls| nulls.inner().clone())
        };
        Ok(&same & &!&(&valid(left) ^ &valid(right)))
    }
}

/// Two columns of one type.
fn same(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
    let (Some(a), Some(b)) = (left.as_primitive_opt::<Float64Type>(), right.as_primitive_opt::<Float64Type>()) else {
        return Ok(cmp::not_distinct(left, right)?.values().clone());
    };
    Ok(BooleanBuffer::collect_bool(a.len(), |row| match (a.is_valid(row), b.is_valid(row)) {
        (true, true) => a.value(row) == b.value(row) || a.value(row).is_nan() && b.value(row).is_nan(),
        (one, other) => one == other,
    }))
}

/// A type that holds any number of both exactly, if there is one.
fn common(left: &DataType, right: &DataType) -> DataType {
    if left == right {
        return left.clone();
    }
    let digits = |of: &DataType| match decimal(of) {
        Some((precision, scale)) => (i16::from(precision) - i16::from(scale), i16::from(scale.max(0))),
        None => (20, 0),
    };
    let ((a, a_scale), (b, b_scale)) = (digits(left), digits(right));
    let scale = a_scale.max(b_scale);
    let precision = u8::try_from(a.max(b) + scale).unwrap_or(u8::MAX);
    let scale = i8::try_from(scale).unwrap_or(i8::MAX);
    match precision {
        ..=38 => DataType::Decimal128(precision, scale),
        _ => DataType::Decimal256(precision.min(DECIMAL256_MAX_PRECISION), scale),
    }
}

fn is_local(timestamp: &DataType) -> bool {
    matches!(timestamp, DataType::Timestamp(_, None))
}

fn finer(left: &DataType, right: &DataType) -> DataType {
    let unit = |of: &DataType| match of {
        DataType::Timestamp(unit, _) => *unit,
        _ => TimeUnit::Nanosecond,
    };
    let zone = match left {
        DataType::Timestamp(_, Some(_)) => Some("UTC".into()),
        _ => None,
    };
    DataType::Timestamp(unit(left).max(unit(right)), zone)
}

/// In another type that has room for all of its values.
pub fn strict(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })
}

/// Texts as values of another type, NULL where they are none; other columns as they are.
fn read(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if TypeKind::of(column.data_type()) != TypeKind::Text {
        return strict(column, to);
    }
    let texts = strict(column, &DataType::Utf8)?;
    let trimmed: StringArray = texts.as_string::<i32>().iter().map(|text| text.map(str::trim)).collect();
    cast_with_options(&trimmed, to, &CastOptions::default())
}

pub fn shown(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let formatter = ArrayFormatter::try_new(column, &FormatOptions::default())?;
    let text = (0..column.len()).map(|row| column.is_valid(row).then(|| formatter.value(row).to_string()));
    Ok(text.collect())
}

pub fn broken(e: impl Into<Cause>) -> Error {
    Error::defect_of("comparing columns", e)
}

#[cfg(test)]
#[path = "tests/values.rs"]
mod tests;
