//! `tolerance_match` and `tolerance_pct`.
//!
//! Integers and decimals of any precision and scale are compared exactly, in 128 bits where that suffices and in 256
//! where not. A float stands for the decimal that its shortest text says, so 0.02 is 0.02, as a threshold and as an amount.
//! The percentage is of the greater of `abs(a)` and `abs(b)`, so that neither side is the measure of the other.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Float64Type, i256};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::ColumnarValue;

use super::exact::{Amount, Exact, Mantissas, amount_at, power_of_ten};
use super::strict_cast;
use crate::type_names::TypeKind;

/// `abs(a - b) <= threshold`.
pub(super) fn absolute(
    a: &ColumnarValue,
    b: &ColumnarValue,
    threshold: &ColumnarValue,
    rows: usize,
) -> Result<BooleanArray> {
    let function = "tolerance_match";
    let (left, right) = (a.to_array(rows)?, b.to_array(rows)?);
    if is_float(&left) || is_float(&right) {
        let near = |a: f64, b: f64, t: f64| ((a - b).abs(), t);
        let exact = |a, b, t: Amount| measure(a, b).map(|(difference, _, scale)| difference <= t.units_at(scale));
        return floats(function, &left, &right, threshold, rows, near, exact);
    }
    let (x, y) = (Exact::of(&left)?, Exact::of(&right)?);
    match threshold {
        ColumnarValue::Scalar(scalar) => {
            if scalar.is_null() {
                return Ok(BooleanArray::new_null(rows));
            }
            let threshold = amount_at(&scalar.to_array()?, 0)?;
            refuse_negative(function, threshold)?;
            let nulls = NullBuffer::union(left.nulls(), right.nulls());
            within(&x, &y, threshold, nulls, rows)
        }
        ColumnarValue::Array(thresholds) => {
            let nulls = NullBuffer::union_many([left.nulls(), right.nulls(), thresholds.nulls()]);
            each(rows, nulls, |row| {
                let threshold = amount_at(thresholds, row)?;
                refuse_negative(function, threshold)?;
                let (difference, _, scale) = measure(x.amount(row), y.amount(row)).ok_or_else(|| too_long(function))?;
                Ok(difference <= threshold.units_at(scale))
            })
        }
    }
}

/// One threshold for all rows: what runs for every pair of candidates that a join finds.
fn within(x: &Exact, y: &Exact, threshold: Amount, nulls: Option<NullBuffer>, rows: usize) -> Result<BooleanArray> {
    if let (Mantissas::Narrow(a), Mantissas::Narrow(b)) = (&x.mantissas, &y.mantissas) {
        let scale = x.scale.max(y.scale);
        let units = threshold.units_at(scale);
        let narrow_units = units.to_i128().map_or(u128::MAX, i128::unsigned_abs);
        if x.scale == y.scale && (units.to_i128().is_some() || units == i256::MAX) {
            let (a, b) = (&a[..rows], &b[..rows]);
            // The distance of two 128-bit numbers always fits 128 bits without a sign.
            let values = BooleanBuffer::collect_bool(rows, |i| a[i].abs_diff(b[i]) <= narrow_units);
            return Ok(BooleanArray::new(values, nulls));
        }
        let factor = |own: i32| power_of_ten(scale - own).and_then(i256::to_i128);
        if let (Some(by_a), Some(by_b), Some(_)) = (factor(x.scale), factor(y.scale), units.to_i128()) {
            return each(rows, nulls, |i| match (a[i].checked_mul(by_a), b[i].checked_mul(by_b)) {
                (Some(a), Some(b)) => Ok(a.abs_diff(b) <= narrow_units),
                _ => wide_within(x.amount(i), y.amount(i), threshold),
            });
        }
    }
    each(rows, nulls, |i| wide_within(x.amount(i), y.amount(i), threshold))
}

fn wide_within(a: Amount, b: Amount, threshold: Amount) -> Result<bool> {
    let (difference, _, scale) = measure(a, b).ok_or_else(|| too_long("tolerance_match"))?;
    Ok(difference <= threshold.units_at(scale))
}

/// `abs(a - b) <= percent/100 * greatest(abs(a), abs(b))`.
pub(super) fn relative(
    a: &ColumnarValue,
    b: &ColumnarValue,
    percent: &ColumnarValue,
    rows: usize,
) -> Result<BooleanArray> {
    let function = "tolerance_pct";
    let (left, right) = (a.to_array(rows)?, b.to_array(rows)?);
    if is_float(&left) || is_float(&right) {
        let near = |a: f64, b: f64, p: f64| ((a - b).abs(), p / 100.0 * a.abs().max(b.abs()));
        let exact = |a, b, p| measure(a, b).and_then(|(difference, greater, _)| share(difference, greater, p));
        return floats(function, &left, &right, percent, rows, near, exact);
    }
    let (x, y) = (Exact::of(&left)?, Exact::of(&right)?);
    let (percents, constant) = match percent {
        ColumnarValue::Array(percents) => (ArrayRef::clone(percents), None),
        ColumnarValue::Scalar(scalar) if scalar.is_null() => return Ok(BooleanArray::new_null(rows)),
        ColumnarValue::Scalar(scalar) => {
            let amount = amount_at(&scalar.to_array()?, 0)?;
            refuse_negative(function, amount)?;
            (scalar.to_array()?, Some(amount))
        }
    };
    let nulls =
        NullBuffer::union_many([left.nulls(), right.nulls(), if constant.is_some() { None } else { percents.nulls() }]);
    each(rows, nulls, |row| {
        let percent = match constant {
            Some(percent) => percent,
            None => amount_at(&percents, row)?,
        };
        refuse_negative(function, percent)?;
        let (difference, greater, _) = measure(x.amount(row), y.amount(row)).ok_or_else(|| too_long(function))?;
        share(difference, greater, percent).ok_or_else(|| too_long(function))
    })
}

/// `difference * 100 <= percent * greater`; `None` when neither side can be told in 256 bits.
fn share(difference: i256, greater: i256, percent: Amount) -> Option<bool> {
    if difference == i256::ZERO {
        return Some(true);
    }
    // percent = mantissa * 10^-scale, so both sides times 10^scale are whole numbers.
    let (more, less) = if percent.scale + 2 >= 0 { (percent.scale + 2, 0) } else { (0, -(percent.scale + 2)) };
    let left = power_of_ten(more).and_then(|factor| difference.checked_mul(factor));
    let right = power_of_ten(less)
        .and_then(|factor| percent.mantissa.checked_mul(factor))
        .and_then(|factor| greater.checked_mul(factor));
    match (left, right) {
        (Some(left), Some(right)) => Some(left <= right),
        (None, Some(_)) => Some(false),
        (Some(_), None) => Some(true),
        (None, None) => None,
    }
}

/// The distance of two amounts and the greater of their absolute values, both in units of 10^-scale, and the scale.
fn measure(a: Amount, b: Amount) -> Option<(i256, i256, i32)> {
    let scale = a.scale.max(b.scale);
    let (a, b) = (a.at_scale(scale)?, b.at_scale(scale)?);
    let difference = a.checked_sub(b)?;
    Some((magnitude(difference)?, magnitude(a)?.max(magnitude(b)?), scale))
}

/// How far apart the first values of two columns of numbers are, as text, with all digits where both are exact; `None` for
/// what cannot be told.
pub(crate) fn difference(a: &ArrayRef, b: &ArrayRef) -> Option<String> {
    if is_float(a) || is_float(b) {
        let float = |array: &ArrayRef| strict_cast(array, &DataType::Float64).ok();
        let (a, b) = (float(a)?, float(b)?);
        return Some(
            (a.as_primitive::<Float64Type>().value(0) - b.as_primitive::<Float64Type>().value(0)).abs().to_string(),
        );
    }
    let (difference, _, scale) = measure(amount_at(a, 0).ok()?, amount_at(b, 0).ok()?)?;
    let digits = difference.to_string();
    let Ok(fraction @ 1..) = usize::try_from(scale) else { return Some(digits) };
    let padded = format!("{digits:0>width$}", width = fraction + 1);
    let (whole, rest) = padded.split_at(padded.len() - fraction);
    Some(format!("{whole}.{rest}"))
}

fn magnitude(value: i256) -> Option<i256> {
    if value < i256::ZERO { value.checked_neg() } else { Some(value) }
}

/// Asks `holds` for every row that has no NULL: what stands under a NULL is no number and must not fail.
fn each(rows: usize, nulls: Option<NullBuffer>, mut holds: impl FnMut(usize) -> Result<bool>) -> Result<BooleanArray> {
    let mut failure = None;
    let values = BooleanBuffer::collect_bool(rows, |row| {
        if failure.is_some() || nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return false;
        }
        holds(row).unwrap_or_else(|error| {
            failure = Some(error);
            false
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(BooleanArray::new(values, nulls)),
    }
}

fn floats(
    function: &str,
    left: &ArrayRef,
    right: &ArrayRef,
    threshold: &ColumnarValue,
    rows: usize,
    near: impl Fn(f64, f64, f64) -> (f64, f64),
    exact: impl Fn(Amount, Amount, Amount) -> Option<bool>,
) -> Result<BooleanArray> {
    // How far floats may be off here, as a share of the greatest of them.
    let narrow = [left, right].iter().any(|array| matches!(array.data_type(), DataType::Float16 | DataType::Float32));
    let rounded = if narrow { 1e-3 } else { 1e-14 };
    let thresholds = threshold.to_array(rows)?;
    let (own_left, own_right) = (left, right);
    let to_floats = |array: &ArrayRef| strict_cast(array, &DataType::Float64);
    let (left, right, threshold) = (to_floats(left)?, to_floats(right)?, to_floats(&thresholds)?);
    let nulls = NullBuffer::union_many([left.nulls(), right.nulls(), threshold.nulls()]);
    let (a, b) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
    let t = threshold.as_primitive::<Float64Type>();
    each(rows, nulls, |row| {
        let (a, b, t) = (a.value(row), b.value(row), t.value(row));
        if t < 0.0 || t.is_nan() {
            return exec_err!("{function}: the {} is {t}; it has to be 0 or more", threshold_name(function));
        }
        // Two infinities are equal though their difference is not a number.
        if a == b {
            return Ok(true);
        }
        let (distance, allowed) = near(a, b, t);
        let holds = distance <= allowed;
        // What rounding cannot have decided is decided.
        if !distance.is_finite() || (distance - allowed).abs() > (a.abs() + b.abs() + allowed) * rounded {
            return Ok(holds);
        }
        let amount = |array: &ArrayRef| amount_at(array, row);
        Ok(exact(amount(own_left)?, amount(own_right)?, amount(&thresholds)?).unwrap_or(holds))
    })
}

fn is_float(array: &ArrayRef) -> bool {
    TypeKind::of(array.data_type()) == TypeKind::Float
}

fn refuse_negative(function: &str, threshold: Amount) -> Result<()> {
    if threshold.is_negative() {
        return exec_err!("{function}: the {} is negative; it has to be 0 or more", threshold_name(function));
    }
    Ok(())
}

fn threshold_name(function: &str) -> &'static str {
    if function == "tolerance_pct" { "percentage" } else { "threshold" }
}

fn too_long(function: &str) -> datafusion::common::DataFusionError {
    exec_datafusion_err!(
        "{function}: two numbers of more than 76 digits together cannot be compared; CAST them to fewer digits"
    )
}
