//! `date_within`.
//!
//! A date is its midnight, a timestamp is taken to the nanosecond, one without a zone as if it were in UTC. With a zone, days of the
//! calendar are counted: those that an instant has there, and those of local times and dates.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use super::strict_cast;
use crate::time_zone::TimeZone;

const NANOSECONDS_PER_DAY: i128 = 86_400_000_000_000;

/// `abs(a - b) <= days * 24 h`; of the days that they have in `zone`, where there is one.
pub(super) fn within(
    a: &ColumnarValue,
    b: &ColumnarValue,
    days: &ColumnarValue,
    zone: Option<TimeZone>,
    rows: usize,
) -> Result<BooleanArray> {
    let (mut left, mut right, days) = (a.to_array(rows)?, b.to_array(rows)?, days.to_array(rows)?);
    if let Some(zone) = zone {
        let zone = zone.to_string();
        (left, right) = (calendar_days(&left, &zone)?, calendar_days(&right, &zone)?);
    }
    let days = days.as_primitive::<Int64Type>();
    let nulls = NullBuffer::union_many([left.nulls(), right.nulls(), days.nulls()]);
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    if let Some(row) = (0..rows).find(|&row| valid(row) && days.value(row) < 0) {
        return exec_err!("date_within: the number of days is {}; it has to be 0 or more", days.value(row));
    }
    let values = if let (DataType::Date32, DataType::Date32) = (left.data_type(), right.data_type()) {
        let (a, b) = (left.as_primitive::<Date32Type>().values(), right.as_primitive::<Date32Type>().values());
        BooleanBuffer::collect_bool(rows, |i| i64::from(a[i].abs_diff(b[i])) <= days.value(i))
    } else {
        let (a, b) = (nanoseconds(&left)?, nanoseconds(&right)?);
        BooleanBuffer::collect_bool(rows, |i| (a[i] - b[i]).abs() <= i128::from(days.value(i)) * NANOSECONDS_PER_DAY)
    };
    Ok(BooleanArray::new(values, nulls))
}

/// The date of each value; of an instant that in `zone`.
pub fn calendar_days(array: &ArrayRef, zone: &str) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let there = DataType::Timestamp(*unit, Some(zone.into()));
            strict_cast(&strict_cast(array, &there)?, &DataType::Date32)?
        }
        DataType::Timestamp(..) | DataType::Date64 => strict_cast(array, &DataType::Date32)?,
        _ => Arc::clone(array),
    })
}

/// Nanoseconds since 1970; 64 bits times the greatest factor stay far below 128 bits.
fn nanoseconds(array: &ArrayRef) -> Result<Vec<i128>> {
    Ok(match array.data_type() {
        DataType::Date32 => times(array.as_primitive::<Date32Type>(), NANOSECONDS_PER_DAY),
        DataType::Date64 => times(array.as_primitive::<Date64Type>(), 1_000_000),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => times(array.as_primitive::<TimestampSecondType>(), 1_000_000_000),
            TimeUnit::Millisecond => times(array.as_primitive::<TimestampMillisecondType>(), 1_000_000),
            TimeUnit::Microsecond => times(array.as_primitive::<TimestampMicrosecondType>(), 1_000),
            TimeUnit::Nanosecond => times(array.as_primitive::<TimestampNanosecondType>(), 1),
        },
        other => return exec_err!("date_within: {other} is neither a date nor a timestamp"),
    })
}

fn times<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &PrimitiveArray<T>, factor: i128) -> Vec<i128> {
    array.values().iter().map(|&v| v.into() * factor).collect()
}
