//! Integers and decimals as what they are: an integer mantissa and a decimal scale.

use std::borrow::Cow;

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};
use datafusion::common::{Result, exec_datafusion_err, exec_err};

/// A column of exact numbers: each is its mantissa times 10^-scale.
pub(super) struct Exact<'a> {
    pub scale: i32,
    pub mantissas: Mantissas<'a>,
}

pub(super) enum Mantissas<'a> {
    Narrow(Cow<'a, [i128]>),
    Wide(&'a [i256]),
}

impl<'a> Exact<'a> {
    /// `array` has to be of an integer or decimal type.
    pub(super) fn of(array: &'a dyn Array) -> Result<Self> {
        let owned = |values: Vec<i128>| Mantissas::Narrow(Cow::Owned(values));
        let (scale, mantissas) = match array.data_type() {
            DataType::Int8 => (0, owned(widen(array.as_primitive::<Int8Type>()))),
            DataType::Int16 => (0, owned(widen(array.as_primitive::<Int16Type>()))),
            DataType::Int32 => (0, owned(widen(array.as_primitive::<Int32Type>()))),
            DataType::Int64 => (0, owned(widen(array.as_primitive::<Int64Type>()))),
            DataType::UInt8 => (0, owned(widen(array.as_primitive::<UInt8Type>()))),
            DataType::UInt16 => (0, owned(widen(array.as_primitive::<UInt16Type>()))),
            DataType::UInt32 => (0, owned(widen(array.as_primitive::<UInt32Type>()))),
            DataType::UInt64 => (0, owned(widen(array.as_primitive::<UInt64Type>()))),
            DataType::Decimal32(_, scale) => (*scale, owned(widen(array.as_primitive::<Decimal32Type>()))),
            DataType::Decimal64(_, scale) => (*scale, owned(widen(array.as_primitive::<Decimal64Type>()))),
            DataType::Decimal128(_, scale) => {
                (*scale, Mantissas::Narrow(Cow::Borrowed(array.as_primitive::<Decimal128Type>().values())))
            }
            DataType::Decimal256(_, scale) => {
                (*scale, Mantissas::Wide(array.as_primitive::<Decimal256Type>().values()))
            }
            other => return exec_err!("{other} is not an exact number"),
        };
        Ok(Self { scale: i32::from(scale), mantissas })
    }

    /// The number in row `row`.
    pub(super) fn amount(&self, row: usize) -> Amount {
        let mantissa = match &self.mantissas {
            Mantissas::Narrow(values) => i256::from_i128(values[row]),
            Mantissas::Wide(values) => values[row],
        };
        Amount { mantissa, scale: self.scale }
    }
}

fn widen<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &PrimitiveArray<T>) -> Vec<i128> {
    array.values().iter().map(|&v| v.into()).collect()
}

/// One exact number: mantissa times 10^-scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub mantissa: i256,
    pub scale: i32,
}

impl Amount {
    pub(super) fn is_negative(self) -> bool {
        self.mantissa < i256::ZERO
    }

    /// The mantissa at a scale that is at least this amount's own; `None` past 256 bits.
    pub(super) fn at_scale(self, scale: i32) -> Option<i256> {
        self.mantissa.checked_mul(power_of_ten(scale - self.scale)?)
    }

    /// The greatest whole number of 10^-scale units that is not above this amount, which is not negative. It stops at
    /// the greatest of 256 bits, which no difference of two numbers that we can compare exceeds.
    pub(super) fn units_at(self, scale: i32) -> i256 {
        if self.mantissa == i256::ZERO {
            i256::ZERO
        } else if scale >= self.scale {
            self.at_scale(scale).unwrap_or(i256::MAX)
        } else {
            power_of_ten(self.scale - scale).map_or(i256::ZERO, |divisor| self.mantissa.wrapping_div(divisor))
        }
    }

    /// The decimal number that the shortest text of `value` says: 0.02 for the float nearest to 0.02.
    /// Infinity becomes a number above all others; not-a-number is an error.
    pub(super) fn from_float(value: f64) -> Result<Self> {
        if value.is_nan() {
            return exec_err!("not-a-number is no threshold");
        }
        if value.is_infinite() {
            let mantissa = if value > 0.0 { i256::MAX } else { i256::MIN };
            return Ok(Self { mantissa, scale: 0 });
        }
        // `{:e}` writes `-1.25e-3`: at most 17 digits and an exponent of at most 3.
        let text = format!("{value:e}");
        let parsed = text.split_once('e').and_then(|(digits, exponent)| {
            let fraction = digits.split_once('.').map_or(0, |(_, f)| f.len());
            let mantissa = digits.replace('.', "").parse::<i128>().ok()?;
            let scale = i32::try_from(fraction).ok()? - exponent.parse::<i32>().ok()?;
            Some(Self { mantissa: i256::from_i128(mantissa), scale })
        });
        parsed.ok_or_else(|| exec_datafusion_err!("{text} is not a number"))
    }
}

/// 10^exponent; `None` below 10^0 and past 256 bits.
pub(super) fn power_of_ten(exponent: i32) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(exponent).ok()?)
}

/// The number in row `row` of an integer, decimal or float column.
pub(super) fn amount_at(array: &dyn Array, row: usize) -> Result<Amount> {
    match array.data_type() {
        DataType::Float16 => Amount::from_float(f64::from(array.as_primitive::<Float16Type>().value(row))),
        DataType::Float32 => {
            // The shortest text of the float itself: 0.02, not that of the double it widens to.
            let text = array.as_primitive::<Float32Type>().value(row).to_string();
            Amount::from_float(text.parse().map_err(|_| exec_datafusion_err!("{text} is not a number"))?)
        }
        DataType::Float64 => Amount::from_float(array.as_primitive::<Float64Type>().value(row)),
        _ => Ok(Exact::of(array.slice(row, 1).as_ref())?.amount(0)),
    }
}
