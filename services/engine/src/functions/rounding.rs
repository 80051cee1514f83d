//! `round`, `trunc`, `ceil` and `floor`, which keep decimals exact and have the same type wherever they are planned: DataFusion's own
//! give another one once their arguments are folded, and then match nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Decimal128Array, Float64Array, Int64Array, new_null_array};
use arrow::compute::kernels::arity::{try_unary, unary};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::arithmetic::{exact, fits};

pub fn register(ctx: &SessionContext) {
    for to in [To::Nearest, To::Zero, To::Above, To::Below] {
        ctx.register_udf(to.function());
    }
}

/// `round`, for whoever plans a call of it.
pub fn round() -> ScalarUDF {
    To::Nearest.function()
}

/// Which of the neighbours is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum To {
    /// Half away from zero.
    Nearest,
    Zero,
    Above,
    Below,
}

impl To {
    fn function(self) -> ScalarUDF {
        let aliases = self.aliases().iter().map(|alias| (*alias).to_owned()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        ScalarUDF::new_from_impl(Rounding { to: self, aliases, signature })
    }

    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Nearest | Self::Below => &[],
            Self::Zero => &["truncate"],
            Self::Above => &["ceiling"],
        }
    }

    /// `value / unit`, whole.
    fn units(self, value: i128, unit: i128) -> i128 {
        let (quotient, rest) = (value / unit, value % unit);
        let step = match self {
            Self::Nearest if rest.abs() >= unit - rest.abs() => value.signum(),
            Self::Above if rest > 0 => 1,
            Self::Below if rest < 0 => -1,
            _ => 0,
        };
        quotient + step
    }

    fn float(self, value: f64) -> f64 {
        match self {
            Self::Nearest => value.round(),
            Self::Zero => value.trunc(),
            Self::Above => value.ceil(),
            Self::Below => value.floor(),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounding {
    to: To,
    aliases: Vec<String>,
    signature: Signature,
}

impl Rounding {
    /// Digits after the point that are kept; negative: those before it that are not.
    fn digits(&self, given: Option<&Option<&ScalarValue>>) -> Result<i32> {
        let Some(given) = given else { return Ok(0) };
        match given {
            Some(ScalarValue::Int64(Some(digits))) if (-38..=38).contains(digits) => {
                Ok(i32::try_from(*digits).unwrap_or_default())
            }
            _ => plan_err!(
                "how many digits {} keeps is written as a number from -38 to 38, because the type of its result depends on it",
                self.name()
            ),
        }
    }
}

impl ScalarUDFImpl for Rounding {
    fn name(&self) -> &str {
        match self.to {
            To::Nearest => "round",
            To::Zero => "trunc",
            To::Above => "ceil",
            To::Below => "floor",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let takes_digits = matches!(self.to, To::Nearest | To::Zero);
        let (number, digits) = match types {
            [number] => (number, None),
            [number, digits] if takes_digits => (number, Some(digits)),
            _ => {
                return plan_err!(
                    "{} takes a number{}",
                    self.name(),
                    if takes_digits { ", and how many digits" } else { "" }
                );
            }
        };
        let number = match (exact(number), number) {
            (Some(exact), _) => exact,
            (None, DataType::Null) => DataType::Null,
            (None, float) if float.is_floating() => DataType::Float64,
            (None, other) => return plan_err!("{} takes a number, not {other}", self.name()),
        };
        match digits {
            None => Ok(vec![number]),
            Some(digits) if digits.is_integer() => Ok(vec![number, DataType::Int64]),
            Some(other) => plan_err!("{} takes a whole number of digits, not {other}", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{} has a type for each number of digits", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let digits = self.digits(args.scalar_arguments.get(1))?;
        let data_type = match args.arg_fields.first().map(|field| field.data_type()) {
            Some(number) => match (exact(number), number) {
                (Some(DataType::Decimal128(precision, scale)), _) => rounded(precision, scale, digits),
                (Some(integer), _) => integer,
                (None, DataType::Null) => DataType::Null,
                (None, _) => DataType::Float64,
            },
            None => return plan_err!("{} takes a number", self.name()),
        };
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    /// As of what is rounded: all that its type holds.
    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        let number = inputs.first().map_or(DataType::Float64, |input| input.data_type());
        Interval::make_unbounded(&number)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let digits = match args.args.get(1) {
            Some(ColumnarValue::Scalar(digits)) => self.digits(Some(&Some(digits)))?,
            Some(ColumnarValue::Array(_)) => self.digits(Some(&None))?,
            None => 0,
        };
        let constant = matches!(args.args.first(), Some(ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let Some(number) = args.args.first() else { return plan_err!("{} takes a number", self.name()) };
        let number = number.to_array(rows)?;
        let array: ArrayRef = match (number.data_type(), args.return_type()) {
            (DataType::Int64, _) => Arc::new(self.integers(number.as_primitive(), digits)?),
            (DataType::Decimal128(_, from), DataType::Decimal128(precision, scale)) => {
                let rounded = self.decimals(number.as_primitive(), *from, digits)?;
                Arc::new(rounded.with_precision_and_scale(*precision, *scale)?)
            }
            (DataType::Float64, _) => {
                let factor = 10_f64.powi(digits);
                let round = |value: f64| {
                    if digits == 0 { self.to.float(value) } else { self.to.float(value * factor) / factor }
                };
                Arc::new(unary::<_, _, Float64Type>(number.as_primitive::<Float64Type>(), round)) as Arc<Float64Array>
            }
            (DataType::Null, data_type) => new_null_array(data_type, rows),
            (other, _) => return Err(exec_datafusion_err!("{} takes a number, not {other}", self.name())),
        };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

impl Rounding {
    fn integers(&self, values: &Int64Array, digits: i32) -> Result<Int64Array> {
        let Some(unit) = unit(-digits).filter(|unit| *unit > 1) else { return Ok(values.clone()) };
        let round =
            |value: i64| i64::try_from(self.to.units(value.into(), unit) * unit).map_err(|_| self.too_large(value));
        Ok(try_unary::<_, _, Int64Type>(values, round)?)
    }

    fn decimals(&self, values: &Decimal128Array, scale: i8, digits: i32) -> Result<Decimal128Array> {
        let dropped = i32::from(scale) - digits;
        if dropped <= 0 {
            return Ok(values.clone());
        }
        // What is rounded before the point gets its zeros back.
        let zeros = unit((-digits).max(0)).unwrap_or(1);
        let round = |value: i128| {
            // A unit beyond all numbers: they are less than one half of it, or less than one.
            let units = unit(dropped)
                .map_or_else(|| self.to.units(value.signum(), i128::MAX / 2), |unit| self.to.units(value, unit));
            units.checked_mul(zeros).filter(|value| fits(*value)).ok_or_else(|| self.too_large(value))
        };
        Ok(try_unary::<_, _, Decimal128Type>(values, round)?)
    }

    fn too_large(&self, value: impl std::fmt::Display) -> ArrowError {
        ArrowError::ComputeError(format!("{}: {value} has no such neighbour that fits", self.name()))
    }
}

/// 10^digits, where there is one.
fn unit(digits: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(digits).ok()?)
}

/// The type of a decimal of which so many digits after the point are kept; it may become one digit longer.
fn rounded(precision: u8, scale: i8, digits: i32) -> DataType {
    if digits >= i32::from(scale) {
        return DataType::Decimal128(precision, scale);
    }
    let kept = i8::try_from(digits.max(0)).unwrap_or(0);
    let precision = i16::from(precision) - i16::from(scale) + i16::from(kept) + 1;
    DataType::Decimal128(u8::try_from(precision.clamp(1, 38)).unwrap_or(38), kept)
}
