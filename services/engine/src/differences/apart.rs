//! How far two values are apart: numbers, dates and times.

use std::cmp::Ordering;
use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray as _, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL256_MAX_PRECISION, DataType, Date32Type, Decimal256Type, Float64Type, Int64Type,
    TimeUnit, i256,
};
use arrow::error::ArrowError;

use super::values::strict;
use crate::amount::Amount;
use crate::type_names::{TypeKind, decimal};

const NANOS_A_DAY: i128 = 86_400_000_000_000;

/// A distance; distances of one column are of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Apart {
    Number(Amount),
    Float(f64),
    Nanoseconds(i128),
}

impl Apart {
    pub fn greater(self, other: Self) -> Self {
        let order = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.compare(b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Nanoseconds(a), Self::Nanoseconds(b)) => Some(a.cmp(&b)),
            _ => None,
        };
        if order == Some(Ordering::Less) { other } else { self }
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(amount) => amount.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Nanoseconds(nanos) => {
                let (days, rest) = (nanos / NANOS_A_DAY, nanos % NANOS_A_DAY);
                let (seconds, fraction) = (rest / 1_000_000_000, rest % 1_000_000_000);
                let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
                let fraction = format!("{fraction:09}");
                let clock = format!("{clock}.{}", fraction.trim_end_matches('0'));
                let clock = clock.trim_end_matches('.');
                let unit = if days == 1 { "day" } else { "days" };
                match (days, rest) {
                    (0, 1..) => f.write_str(clock),
                    (_, 0) => write!(f, "{days} {unit}"),
                    _ => write!(f, "{days} {unit} {clock}"),
                }
            }
        }
    }
}

/// The greatest distance of two columns of one type, of the rows in which both have a value.
pub fn furthest(left: &ArrayRef, right: &ArrayRef) -> Result<Option<Apart>, ArrowError> {
    Ok(match TypeKind::of(left.data_type()) {
        TypeKind::Number => {
            let scale = decimal(left.data_type()).map_or(0, |(_, scale)| scale.max(0));
            let room = DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale);
            let (left, right) = (strict(left, &room)?, strict(right, &room)?);
            // Two numbers of 76 digits have room for their difference.
            let apart = |(a, b): (i256, i256)| a.wrapping_sub(b).wrapping_abs();
            let greatest = both::<Decimal256Type>(&left, &right).map(apart).max();
            greatest.map(|units| Apart::Number(Amount { units, scale }))
        }
        TypeKind::Float => {
            let (left, right) = (strict(left, &DataType::Float64)?, strict(right, &DataType::Float64)?);
            let apart = both::<Float64Type>(&left, &right).map(|(a, b)| (a - b).abs()).filter(|apart| !apart.is_nan());
            apart.reduce(f64::max).map(Apart::Float)
        }
        TypeKind::Date => {
            let (left, right) = (strict(left, &DataType::Date32)?, strict(right, &DataType::Date32)?);
            let days = both::<Date32Type>(&left, &right).map(|(a, b)| i128::from(a.abs_diff(b))).max();
            days.map(|days| Apart::Nanoseconds(days * NANOS_A_DAY))
        }
        TypeKind::Timestamp => {
            let nanos = match left.data_type() {
                DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
                DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
                DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
                _ => 1,
            };
            let (left, right) = (strict(left, &DataType::Int64)?, strict(right, &DataType::Int64)?);
            let units = both::<Int64Type>(&left, &right).map(|(a, b)| i128::from(a.abs_diff(b))).max();
            units.map(|units| Apart::Nanoseconds(units * nanos))
        }
        _ => None,
    })
}

fn both<'a, T: ArrowPrimitiveType>(
    left: &'a ArrayRef,
    right: &'a ArrayRef,
) -> impl Iterator<Item = (T::Native, T::Native)> + 'a {
    let values = |column: &'a ArrayRef| column.as_primitive_opt::<T>().into_iter().flat_map(PrimitiveArray::iter);
    values(left).zip(values(right)).filter_map(|(a, b)| a.zip(b))
}

#[cfg(test)]
mod tests {
    use super::{Apart, NANOS_A_DAY};

    #[test]
    fn spans_of_time_read_as_days_and_hours() {
        for (nanos, text) in [
            (NANOS_A_DAY, "1 day"),
            (3 * NANOS_A_DAY, "3 days"),
            (NANOS_A_DAY + 7_530_000_000_000, "1 day 02:05:30"),
            (1_500_000_000, "00:00:01.5"),
            (20, "00:00:00.00000002"),
        ] {
            assert_eq!(Apart::Nanoseconds(nanos).to_string(), text);
        }
    }
}
