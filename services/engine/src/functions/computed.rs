//! What SQL says and DataFusion computes otherwise, as functions that nobody writes: `query::meaning` plans them, and they are shown as
//! what they stand for.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{
    DataType, Decimal128Type, DecimalType as _, Float32Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time64NanosecondType, TimeUnit,
};
use arrow::temporal_conversions::time64ns_to_time;
use chrono::DateTime;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::expr::{Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

use super::arithmetic::divide_wide;
use super::exact::{Amount, amount_at, power_of_ten};
use super::strict_cast;
use crate::type_names::{TypeKind, is_span};

const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 24 * HOUR;

/// What is computed, of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Computed {
    /// The seconds of a span of time, in which a month has 30 days and a day 24 hours: DataFusion takes one day for more than 25 hours.
    Seconds,
    /// A float, time or local timestamp as text, as Postgres spells it.
    Spelled,
    /// A float as the decimal that its shortest text says: 1.005 is 1.01 where two digits are kept. DataFusion takes the float that
    /// is nearest to a hundred times it, which says 1.00.
    Decimal { precision: u8, scale: i8, or_null: bool },
    /// A part of a span, or of a time with the fraction that DataFusion cuts.
    Part(Part),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Part {
    const NAMED: [(Self, &str); 7] = [
        (Self::Day, "day"),
        (Self::Hour, "hour"),
        (Self::Minute, "minute"),
        (Self::Second, "second"),
        (Self::Millisecond, "millisecond"),
        (Self::Microsecond, "microsecond"),
        (Self::Epoch, "epoch"),
    ];

    /// The part of this name, if DataFusion's of a value of this type is another.
    pub(crate) fn of(name: &str, data_type: &DataType) -> Option<Self> {
        let name = name.to_lowercase();
        let (part, _) = Self::NAMED.into_iter().find(|(_, known)| *known == name.trim_end_matches('s'))?;
        let fractions = matches!(part, Self::Second | Self::Millisecond);
        let ours = match data_type {
            DataType::Duration(_) => true,
            DataType::Interval(_) => fractions || part == Self::Epoch,
            DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => fractions,
            _ => false,
        };
        ours.then_some(part)
    }

    fn name(self) -> &'static str {
        Self::NAMED.into_iter().find(|(part, _)| *part == self).map_or("", |(_, name)| name)
    }
}

impl Computed {
    pub(crate) fn call(self, argument: Expr) -> Expr {
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(Function { computed: self, signature }).call(vec![argument])
    }

    /// Whether an expression gives the seconds of a span of time.
    pub(crate) fn counts_seconds(expr: &Expr) -> bool {
        Self::of(expr).is_some_and(|(computed, _)| computed == Self::Seconds)
    }

    /// What an expression computes, and of what.
    fn of(expr: &Expr) -> Option<(Self, &Expr)> {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
        Some((func.inner().downcast_ref::<Function>()?.computed, args.first()?))
    }

    /// What stands for this in SQL; `None` for an expression that is none of these.
    pub(crate) fn written(expr: &Expr) -> Option<Expr> {
        let (computed, argument) = Self::of(expr)?;
        let argument = argument.clone();
        Some(match computed {
            Self::Seconds | Self::Spelled => argument,
            Self::Decimal { precision, scale, or_null } => {
                let (argument, data_type) = (Box::new(argument), DataType::Decimal128(precision, scale));
                if or_null {
                    Expr::TryCast(TryCast::new(argument, data_type))
                } else {
                    Expr::Cast(Cast::new(argument, data_type))
                }
            }
            Self::Part(part) => datafusion::functions::datetime::date_part().call(vec![lit(part.name()), argument]),
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    computed: Computed,
    signature: Signature,
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        match self.computed {
            Computed::Seconds => "seconds of a span",
            Computed::Spelled => "spelled",
            Computed::Decimal { .. } => "decimal of a float",
            Computed::Part(_) => "date_part",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.computed {
            Computed::Seconds => DataType::Decimal128(38, 9),
            Computed::Spelled => DataType::Utf8,
            Computed::Decimal { precision, scale, .. } => DataType::Decimal128(precision, scale),
            Computed::Part(Part::Second) => DataType::Decimal128(18, 9),
            Computed::Part(Part::Millisecond) => DataType::Decimal128(18, 6),
            Computed::Part(Part::Epoch) => DataType::Float64,
            Computed::Part(_) => DataType::Int64,
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn evaluate_bounds(&self, _: &[&Interval]) -> Result<Interval> {
        Interval::make_unbounded(&self.return_type(&[])?)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return plan_err!("{} takes one value", self.name()) };
        let constant = matches!(value, ColumnarValue::Scalar(_));
        let array = value.to_array(if constant { 1 } else { args.number_rows })?;
        let array: ArrayRef = match self.computed {
            Computed::Seconds => {
                let seconds = spans(&array, Span::nanoseconds)?.into_iter().collect::<Decimal128Array>();
                Arc::new(seconds.with_precision_and_scale(38, 9)?)
            }
            Computed::Spelled => spelled(&array)?,
            Computed::Decimal { precision, scale, or_null } => decimals(&array, precision, scale, or_null)?,
            Computed::Part(part) => part_of(&array, part)?,
        };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

/// A span of time, as Postgres keeps it.
#[derive(Debug, Clone, Copy)]
struct Span {
    months: i128,
    days: i128,
    nanoseconds: i128,
}

impl Span {
    fn nanoseconds(self) -> i128 {
        (self.months * 30 + self.days) * DAY + self.nanoseconds
    }

    /// In which a year has 365.25 days.
    fn epoch(self) -> i128 {
        let (years, months) = (self.months / 12, self.months % 12);
        years * (365 * DAY + 6 * HOUR) + (months * 30 + self.days) * DAY + self.nanoseconds
    }
}

/// Something of each span in a column of durations, which Postgres counts in days, or of intervals.
fn spans<T>(array: &ArrayRef, of: fn(Span) -> T) -> Result<Vec<Option<T>>> {
    if let DataType::Duration(unit) = array.data_type() {
        let factor = i128::from(nanoseconds(*unit));
        let counts = strict_cast(array, &DataType::Int64)?;
        let counts = counts.as_primitive::<Int64Type>();
        let span = |count: i64| {
            let all = i128::from(count) * factor;
            of(Span { months: 0, days: all / DAY, nanoseconds: all % DAY })
        };
        return Ok(counts.iter().map(|count| count.map(span)).collect());
    }
    let intervals = strict_cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    Ok(intervals
        .iter()
        .map(|span| {
            span.map(|s| of(Span { months: s.months.into(), days: s.days.into(), nanoseconds: s.nanoseconds.into() }))
        })
        .collect())
}

fn nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn part_of(array: &ArrayRef, part: Part) -> Result<ArrayRef> {
    let spans: Vec<Option<Span>> = match array.data_type() {
        span if is_span(span) => spans(array, |span| span)?,
        // Within a minute, which is the same in every zone and unit.
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
            let factor = i128::from(nanoseconds(*unit));
            let counts = match array.data_type() {
                DataType::Time32(_) => strict_cast(&strict_cast(array, &DataType::Int32)?, &DataType::Int64)?,
                _ => strict_cast(array, &DataType::Int64)?,
            };
            let counts = counts.as_primitive::<Int64Type>();
            let within =
                |count: i64| Span { months: 0, days: 0, nanoseconds: (i128::from(count) * factor).rem_euclid(MINUTE) };
            counts.iter().map(|count| count.map(within)).collect()
        }
        other => return exec_err!("{} has no part of that kind", TypeKind::of(other).plural()),
    };
    let decimal = |scale: i8| -> Result<ArrayRef> {
        let values = spans.iter().map(|span| span.map(|span| span.nanoseconds % MINUTE)).collect::<Decimal128Array>();
        Ok(Arc::new(values.with_precision_and_scale(18, scale)?))
    };
    let whole = |of: fn(Span) -> i128| -> Result<ArrayRef> {
        let values = spans.iter().map(|span| span.and_then(|span| i64::try_from(of(span)).ok()));
        Ok(Arc::new(values.collect::<Int64Array>()))
    };
    match part {
        Part::Day => whole(|span| span.days),
        Part::Hour => whole(|span| span.nanoseconds / HOUR),
        Part::Minute => whole(|span| span.nanoseconds % HOUR / MINUTE),
        Part::Microsecond => whole(|span| span.nanoseconds % MINUTE / 1000),
        // The same digits, with the point elsewhere.
        Part::Second => decimal(9),
        Part::Millisecond => decimal(6),
        Part::Epoch => {
            #[expect(clippy::cast_precision_loss, reason = "an epoch is a float, as that of a timestamp is")]
            let seconds = |span: Span| span.epoch() as f64 / SECOND as f64;
            Ok(Arc::new(spans.iter().map(|span| span.map(seconds)).collect::<Float64Array>()))
        }
    }
}

fn decimals(array: &ArrayRef, precision: u8, scale: i8, or_null: bool) -> Result<ArrayRef> {
    let decimal = |row: usize| {
        let mantissa = mantissa(amount_at(array, row).ok()?, scale.into())?;
        Decimal128Type::is_valid_decimal_precision(mantissa, precision).then_some(mantissa)
    };
    let values = (0..array.len()).map(|row| match array.is_valid(row) {
        false => Ok(None),
        true => match decimal(row) {
            None if !or_null => {
                let shown = spelled(&array.slice(row, 1))?;
                let shown = shown.as_string::<i32>().value(0);
                exec_err!(
                    "{shown} does not fit DECIMAL({precision},{scale}): CAST it to one of more digits, or write TRY_CAST, which gives NULL \
                     for it"
                )
            }
            found => Ok(found),
        },
    });
    let values = values.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// The mantissa at a scale, half away from zero.
fn mantissa(amount: Amount, scale: i32) -> Option<i128> {
    if scale >= amount.scale {
        return amount.at_scale(scale)?.to_i128();
    }
    // A unit beyond all numbers: they are less than one half of it.
    power_of_ten(amount.scale - scale).map_or(Some(0), |unit| divide_wide(amount.mantissa, unit, 0))
}

fn spelled(array: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match array.data_type() {
        DataType::Float16 | DataType::Float32 => {
            let floats = strict_cast(array, &DataType::Float32)?;
            let floats = floats.as_primitive::<Float32Type>();
            floats.iter().map(|value| value.map(|v| float(&format!("{v:e}"), 6))).collect()
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            floats.iter().map(|value| value.map(|v| float(&format!("{v:e}"), 15))).collect()
        }
        DataType::Timestamp(unit, _) => {
            let per_second = SECOND / i128::from(nanoseconds(*unit));
            let counts = strict_cast(array, &DataType::Int64)?;
            let text = |count: i64| {
                let (count, fraction) = (i128::from(count), i128::from(nanoseconds(*unit)));
                let nanoseconds = u32::try_from(count.rem_euclid(per_second) * fraction).ok()?;
                let at = DateTime::from_timestamp(i64::try_from(count.div_euclid(per_second)).ok()?, nanoseconds)?;
                Some(short(&at.format("%Y-%m-%d %H:%M:%S%.9f").to_string()))
            };
            counts.as_primitive::<Int64Type>().iter().map(|count| count.and_then(text)).collect()
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let times = strict_cast(array, &DataType::Time64(TimeUnit::Nanosecond))?;
            let times = times.as_primitive::<Time64NanosecondType>();
            let text = |ns: i64| time64ns_to_time(ns).map(|at| short(&at.format("%H:%M:%S%.9f").to_string()));
            times.iter().map(|ns| ns.and_then(text)).collect()
        }
        other => return Err(exec_datafusion_err!("{other} is spelled in one way only")),
    };
    Ok(Arc::new(texts))
}

/// Without zeros at its end that say nothing.
fn short(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1.5e-7` as Postgres writes it, which has an exponent from 10^digits on, and below 10^-4.
fn float(scientific: &str, digits: i32) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return match scientific {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            other => other.to_owned(),
        };
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let figures = mantissa.replace('.', "");
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if whole == 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{figures}");
    }
    if figures.len() <= whole {
        return format!("{sign}{figures}{}", "0".repeat(whole - figures.len()));
    }
    format!("{sign}{}.{}", &figures[..whole], &figures[whole..])
}
