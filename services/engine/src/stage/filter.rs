//! The filters of a source, for readers that cannot leave them to the source itself: exact, and NULL never passes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, Scalar, StringArray,
};
use arrow::compute::kernels::{boolean, cmp, comparison};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use arrow::error::ArrowError;

use super::text::values::{self, Number, POWERS};
use crate::error::{Error, Result, Violation};
use crate::job::{Filter, FilterOp, FilterValue};
use crate::names::no_such_column;
use crate::type_names::a_value_of;

/// Filters that were checked against a schema: every row must pass all of them.
#[derive(Debug, Clone)]
pub struct BatchFilter {
    tests: Vec<(usize, Test)>,
}

/// What a value must be; NULL is nothing of it, unless it is asked for.
#[derive(Debug, Clone)]
enum Test {
    /// No value can pass.
    Never,
    /// Every value passes.
    Present,
    /// NULL, and no value, passes.
    Absent,
    /// With an array of one value.
    Compare(Op, ArrayRef),
    Like(ArrayRef),
    /// As `Like`, in any case.
    LikeAnyCase(ArrayRef),
    /// Of a list of texts: that one of them is this one.
    Holds(String),
    All(Vec<Test>),
    Any(Vec<Test>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl BatchFilter {
    /// `None` when there is nothing to filter. Errors tell every unknown column, with the nearest name, and every value
    /// that cannot be of its column's type.
    pub fn new(filters: &[Filter], schema: &Schema, alias: &str) -> Result<Option<Self>> {
        let mut tests = Vec::new();
        let mut violations = Vec::new();
        for (i, filter) in filters.iter().enumerate() {
            let test = match schema.index_of(&filter.column) {
                Ok(column) => test(filter, schema.field(column).data_type()).map(|test| (column, test)),
                Err(_) => Err(no_such_column(&filter.column, schema.fields().iter().map(|f| f.name().as_str()))),
            };
            match test {
                Ok(test) => tests.push(test),
                Err(message) => violations.push(Violation::new(format!("{alias}.filters[{i}]"), message)),
            }
        }
        if !violations.is_empty() {
            return Err(Error::Invalid(violations));
        }
        Ok((!tests.is_empty()).then_some(Self { tests }))
    }

    /// The columns that are tested.
    pub fn columns(&self) -> BTreeSet<usize> {
        self.tests.iter().map(|(column, _)| *column).collect()
    }

    /// The same tests, for batches that hold nothing but the columns at `positions`.
    pub fn onto(&self, positions: &BTreeSet<usize>) -> Self {
        let moved = |column: &usize| positions.iter().position(|position| position == column);
        Self { tests: self.tests.iter().filter_map(|(column, test)| Some((moved(column)?, test.clone()))).collect() }
    }

    /// Of each of some sets of rows, whether one of them may pass. `bounds` gives the least and the greatest values of a
    /// column in each set, NULL where they are not known.
    pub fn may_pass(
        &self,
        sets: usize,
        bounds: impl Fn(usize) -> Option<(ArrayRef, ArrayRef)>,
    ) -> Result<Vec<bool>, ArrowError> {
        let mut all = vec![true; sets];
        for (column, test) in &self.tests {
            let Some((least, greatest)) = bounds(*column) else { continue };
            let passes = test.within(&least, &greatest)?;
            all.iter_mut().zip(passes.iter()).for_each(|(all, passes)| *all &= passes.unwrap_or(true));
        }
        Ok(all)
    }

    /// The rows that pass, in their order.
    pub fn apply(&self, batch: RecordBatch) -> Result<RecordBatch> {
        self.mask(&batch)
            .and_then(|mask| match mask {
                Some(mask) => filter_record_batch(&batch, &mask),
                None => Ok(batch),
            })
            .map_err(|e| Error::defect_of("filtering", e))
    }

    /// Which rows pass; `None` when nothing is asked of them.
    pub fn mask(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>, ArrowError> {
        let mut all: Option<BooleanArray> = None;
        for (column, test) in &self.tests {
            let passed = test.apply(batch.column(*column))?;
            all = Some(match all {
                Some(all) => boolean::and_kleene(&all, &passed)?,
                None => passed,
            });
        }
        Ok(all)
    }
}

/// Refuses filters on columns that are not there, where the names are known before the types.
pub fn check_columns<'a>(filters: &[Filter], names: impl Iterator<Item = &'a str> + Clone, alias: &str) -> Result<()> {
    let unknown = filters.iter().enumerate().filter(|(_, filter)| names.clone().all(|name| name != filter.column));
    let violations: Vec<Violation> = unknown
        .map(|(i, f)| Violation::new(format!("{alias}.filters[{i}]"), no_such_column(&f.column, names.clone())))
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}

fn test(filter: &Filter, column_type: &DataType) -> Result<Test, String> {
    let one = || match filter.values.as_slice() {
        [value] => Ok(value),
        values => Err(format!("{:?} needs one value, here are {}", filter.op, values.len()).to_lowercase()),
    };
    let compare = |op, value| compare(&filter.column, op, value, column_type);
    match filter.op {
        FilterOp::Eq => compare(Op::Eq, one()?),
        FilterOp::Neq => compare(Op::Neq, one()?),
        FilterOp::Gt => compare(Op::Gt, one()?),
        FilterOp::Gte => compare(Op::Gte, one()?),
        FilterOp::Lt => compare(Op::Lt, one()?),
        FilterOp::Lte => compare(Op::Lte, one()?),
        FilterOp::In => filter.values.iter().map(|v| compare(Op::Eq, v)).collect::<Result<_, _>>().map(Test::Any),
        FilterOp::Between => match filter.values.as_slice() {
            [low, high] => Ok(Test::All(vec![compare(Op::Gte, low)?, compare(Op::Lte, high)?])),
            values => Err(format!("between needs two values, here are {}", values.len())),
        },
        FilterOp::Like => Ok(Test::Like(text(in_text(filter, one()?, column_type)?, column_type)?)),
        FilterOp::Contains if is_list_of_text(column_type) => match one()? {
            FilterValue::Text(text) => Ok(Test::Holds(text.clone())),
            other => Err(format!("contains needs a text in quotes, and {} is none", shown(other))),
        },
        FilterOp::Contains => {
            let pattern = pattern_of(in_text(filter, one()?, column_type)?);
            Ok(Test::LikeAnyCase(text(&pattern, column_type)?))
        }
        FilterOp::IsNull => match one()? {
            FilterValue::Bool(true) => Ok(Test::Absent),
            FilterValue::Bool(false) => Ok(Test::Present),
            other => Err(format!("is_null takes true or false, and {} is neither", shown(other))),
        },
    }
}

/// The text of a filter that looks into texts.
fn in_text<'a>(filter: &Filter, value: &'a FilterValue, column_type: &DataType) -> Result<&'a str, String> {
    match (value, is_text(column_type)) {
        (FilterValue::Text(text), true) => Ok(text),
        (FilterValue::Text(_), false) => {
            Err(format!("{} needs a column of text, and `{}` is {}", filter.op, filter.column, a_value_of(column_type)))
        }
        (other, _) => Err(format!("{} needs a text in quotes, and {} is none", filter.op, shown(other))),
    }
}

pub fn is_text(column_type: &DataType) -> bool {
    matches!(column_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_list_of_text(column_type: &DataType) -> bool {
    matches!(column_type, DataType::List(item) if *item.data_type() == DataType::Utf8)
}

/// The pattern of LIKE for every text that holds `part`.
pub fn pattern_of(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn compare(column: &str, op: Op, value: &FilterValue, column_type: &DataType) -> Result<Test, String> {
    let misfit = || format!("`{column}` is {}, and {} is not", a_value_of(column_type), shown(value));
    match (column_type, value) {
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, FilterValue::Text(value)) => {
            Ok(Test::Compare(op, text(value, column_type)?))
        }
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _) => {
            Err(format!("`{column}` is text: put {} in quotes", shown(value)))
        }
        (DataType::Boolean, FilterValue::Bool(value)) => boolean_test(op, *value, &misfit),
        (DataType::Boolean, FilterValue::Text(value)) => {
            boolean_test(op, values::boolean(value.as_bytes()).ok_or_else(misfit)?, &misfit)
        }
        (DataType::Float16 | DataType::Float32 | DataType::Float64, FilterValue::Number(v) | FilterValue::Text(v)) => {
            let number = values::float(v.as_bytes()).ok_or_else(misfit)?;
            cast(Arc::new(Float64Array::from(vec![number])), column_type).map(|v| Test::Compare(op, v))
        }
        (kind, FilterValue::Number(v) | FilterValue::Text(v)) if kind.is_integer() => {
            Bound::of_number(v, 0).ok_or_else(misfit)?.test(op, column_type)
        }
        (DataType::Decimal128(_, scale), FilterValue::Number(v) | FilterValue::Text(v)) if *scale >= 0 => {
            Bound::of_number(v, scale.unsigned_abs()).ok_or_else(misfit)?.test(op, column_type)
        }
        (DataType::Date32, FilterValue::Text(v)) => {
            let days = values::date(v.as_bytes()).ok_or_else(misfit)?;
            Ok(Test::Compare(op, Arc::new(Date32Array::from(vec![days]))))
        }
        (DataType::Timestamp(unit, zone), FilterValue::Text(v)) => {
            let micros = match (values::date(v.as_bytes()), values::timestamp(v.as_bytes())) {
                (Some(days), _) => i128::from(days) * 86_400_000_000,
                // A point in time and a time on some wall cannot be compared.
                (None, Some(t)) if t.offset == zone.is_some() => i128::from(t.micros),
                _ => return Err(misfit()),
            };
            let (floor, exact) = match unit {
                TimeUnit::Second => (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000) == 0),
                TimeUnit::Millisecond => (micros.div_euclid(1_000), micros.rem_euclid(1_000) == 0),
                TimeUnit::Microsecond => (micros, true),
                TimeUnit::Nanosecond => (micros * 1_000, true),
            };
            Bound { floor: Some(floor), exact, negative: floor < 0 }.test(op, column_type)
        }
        (_, FilterValue::Bool(_)) => Err(misfit()),
        (_, FilterValue::Number(v) | FilterValue::Text(v)) => {
            let value = cast(Arc::new(StringArray::from(vec![v.as_str()])), column_type).map_err(|_| misfit())?;
            Ok(Test::Compare(op, value))
        }
    }
}

fn boolean_test(op: Op, value: bool, misfit: &dyn Fn() -> String) -> Result<Test, String> {
    match op {
        Op::Eq | Op::Neq => Ok(Test::Compare(op, Arc::new(BooleanArray::from(vec![value])))),
        _ => Err(format!("{} ordered: booleans are compared with eq and neq", misfit())),
    }
}

fn text(value: &str, column_type: &DataType) -> Result<ArrayRef, String> {
    cast(Arc::new(StringArray::from(vec![value])), column_type)
}

fn cast(value: ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&value, to, &options).map_err(|e| e.to_string())
}

/// A number in units of a column's last digit: the largest whole one that is not above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    /// `None` when it does not fit 128 bits.
    floor: Option<i128>,
    exact: bool,
    negative: bool,
}

impl Bound {
    fn of_number(text: &str, scale: u8) -> Option<Self> {
        let plain = values::without_exponent(text)?;
        let Number { negative, mantissa, scale: own, .. } = values::number_by_hand(plain.as_bytes())?;
        let magnitude = i128::try_from(mantissa).ok()?;
        let value = if negative { -magnitude } else { magnitude };
        Some(if own <= scale {
            let floor = value.checked_mul(POWERS[usize::from(scale - own)]);
            Self { floor, exact: true, negative }
        } else {
            let power = POWERS[usize::from(own - scale)];
            Self { floor: Some(value.div_euclid(power)), exact: value.rem_euclid(power) == 0, negative }
        })
    }

    fn test(self, op: Op, column_type: &DataType) -> Result<Test, String> {
        let Some(scalar) = self.floor.and_then(|floor| scalar(floor, column_type)) else {
            // Beyond every value of the type.
            return Ok(match op {
                Op::Neq => Test::Present,
                Op::Gt | Op::Gte if self.negative => Test::Present,
                Op::Lt | Op::Lte if !self.negative => Test::Present,
                _ => Test::Never,
            });
        };
        Ok(match op {
            _ if self.exact => Test::Compare(op, scalar),
            Op::Eq => Test::Never,
            Op::Neq => Test::Present,
            Op::Gt | Op::Gte => Test::Compare(Op::Gt, scalar),
            Op::Lt | Op::Lte => Test::Compare(Op::Lte, scalar),
        })
    }
}

/// One value of the column's type, `None` when the type does not reach so far.
fn scalar(value: i128, column_type: &DataType) -> Option<ArrayRef> {
    match column_type {
        DataType::Decimal128(precision, scale) => {
            let limit = POWERS.get(usize::from(*precision))?;
            let array = Decimal128Array::from(vec![value]);
            (value.abs() < *limit)
                .then(|| array.with_precision_and_scale(*precision, *scale).ok())?
                .map(|a| Arc::new(a) as _)
        }
        DataType::UInt64 => {
            cast(Arc::new(arrow::array::UInt64Array::from(vec![u64::try_from(value).ok()?])), column_type).ok()
        }
        _ => cast(Arc::new(Int64Array::from(vec![i64::try_from(value).ok()?])), column_type).ok(),
    }
}

impl Test {
    fn apply(&self, column: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::Never => Ok(BooleanArray::from(vec![false; column.len()])),
            Self::Present => boolean::is_not_null(column),
            Self::Absent => boolean::is_null(column),
            Self::Compare(op, value) => {
                let value = Scalar::new(Arc::clone(value));
                match op {
                    Op::Eq => cmp::eq(column, &value),
                    Op::Neq => cmp::neq(column, &value),
                    Op::Gt => cmp::gt(column, &value),
                    Op::Gte => cmp::gt_eq(column, &value),
                    Op::Lt => cmp::lt(column, &value),
                    Op::Lte => cmp::lt_eq(column, &value),
                }
            }
            Self::Like(pattern) => comparison::like(column, &Scalar::new(Arc::clone(pattern))),
            Self::LikeAnyCase(pattern) => comparison::ilike(column, &Scalar::new(Arc::clone(pattern))),
            Self::Holds(text) => {
                let holds = |list: ArrayRef| list.as_string::<i32>().iter().any(|item| item == Some(text));
                Ok(column.as_list::<i32>().iter().map(|list| list.map(holds)).collect())
            }
            Self::All(tests) => {
                let start = BooleanArray::from(vec![true; column.len()]);
                tests.iter().try_fold(start, |all, test| boolean::and_kleene(&all, &test.apply(column)?))
            }
            Self::Any(tests) => {
                let start = BooleanArray::from(vec![false; column.len()]);
                tests.iter().try_fold(start, |any, test| boolean::or_kleene(&any, &test.apply(column)?))
            }
        }
    }
}

impl Test {
    /// Whether a value from `least` to `greatest` can pass, for each pair of them; NULL where that is not known.
    fn within(&self, least: &ArrayRef, greatest: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::Never => Ok(BooleanArray::from(vec![false; least.len()])),
            // Statistics leave NaN out, which is greater than every number.
            Self::Compare(..) if least.data_type().is_floating() => Ok(BooleanArray::new_null(least.len())),
            Self::Compare(op, value) => {
                let value = Scalar::new(Arc::clone(value));
                match op {
                    Op::Eq => boolean::and_kleene(&cmp::lt_eq(least, &value)?, &cmp::gt_eq(greatest, &value)?),
                    Op::Neq => Ok(BooleanArray::new_null(least.len())),
                    Op::Gt => cmp::gt(greatest, &value),
                    Op::Gte => cmp::gt_eq(greatest, &value),
                    Op::Lt => cmp::lt(least, &value),
                    Op::Lte => cmp::lt_eq(least, &value),
                }
            }
            Self::All(tests) => {
                let start = BooleanArray::from(vec![true; least.len()]);
                tests.iter().try_fold(start, |all, test| boolean::and_kleene(&all, &test.within(least, greatest)?))
            }
            Self::Any(tests) => {
                let start = BooleanArray::from(vec![false; least.len()]);
                tests.iter().try_fold(start, |any, test| boolean::or_kleene(&any, &test.within(least, greatest)?))
            }
            Self::Present | Self::Absent | Self::Like(_) | Self::LikeAnyCase(_) | Self::Holds(_) => {
                Ok(BooleanArray::new_null(least.len()))
            }
        }
    }
}

fn shown(value: &FilterValue) -> String {
    match value {
        FilterValue::Text(text) => format!("`{text}`"),
        FilterValue::Number(digits) => format!("`{digits}`"),
        FilterValue::Bool(value) => format!("`{value}`"),
    }
}
