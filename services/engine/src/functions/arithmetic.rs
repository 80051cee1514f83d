//! `+`, `-`, `*`, `/` and `%` over integers and decimals, exact or an error: DataFusion's own wrap to the other sign, cut quotients, and
//! divide integers as integers.
//!
//! | | of integers | of decimals, or of both |
//! |---|---|---|
//! | `a + b`, `a - b`, `a * b`, `a % b` | a 64-bit integer | all digits of the result |
//! | `a / b` | as decimals | 16 digits after the point, or as many as `a` has; rounded half away from zero |
//! | `div(a, b)` | a 64-bit integer | no digit after the point; both cut towards zero |
//!
//! A date and an integer, `day + n` and `day - n`, give the date so many days later or earlier: DataFusion takes the days for
//! nanoseconds of a 64-bit span.
//!
//! What does not fit into 64 bits, 38 digits or the calendar is an error that shows the numbers.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray as _, Date32Array, Decimal128Array, Int64Array, PrimitiveArray,
};
use arrow::compute::kernels::arity::{try_binary, unary};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Date32Type, Decimal128Type, DecimalType as _, Int64Type, i256,
};
use arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, binary_expr,
};

use super::computed::Computed;

/// Digits of a decimal.
const DIGITS: u8 = DECIMAL128_MAX_PRECISION;
/// Those of a 64-bit integer.
const INTEGER: u8 = 19;
/// Digits after the point that a quotient has, unless what is divided has more.
const QUOTIENT_SCALE: i8 = 16;

/// Operations of a chain that its name tells.
const NAMED: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Quotient,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Quotient => "div",
        })
    }
}

/// An operation as a function of DataFusion's.
#[derive(Debug)]
pub(crate) struct Arithmetic {
    operation: Operation,
    /// Where it stands in the statement, for errors; the same operation in two places is one.
    place: String,
    signature: Signature,
    /// What it gives where it was planned: asking the expression for its type asks all that it is made of.
    gives: Option<DataType>,
}

impl PartialEq for Arithmetic {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation
    }
}

impl Eq for Arithmetic {}

impl Hash for Arithmetic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operation.hash(state);
    }
}

impl Arithmetic {
    /// `place` is told in errors: `` at line 3, column 8``, or nothing.
    pub(crate) fn udf(operation: Operation, place: String) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self::new(operation, place))
    }

    fn new(operation: Operation, place: String) -> Self {
        Self { operation, place, signature: Signature::user_defined(Volatility::Immutable), gives: None }
    }

    /// The type of an expression that was planned here.
    pub(crate) fn type_of(expr: &Expr) -> Option<&DataType> {
        let Expr::ScalarFunction(call) = expr else { return None };
        call.func.inner().downcast_ref::<Self>()?.gives.as_ref()
    }

    /// The operation over two expressions of these types; `None` where they are neither exact numbers nor a date and its days.
    pub(crate) fn over(
        operation: Operation,
        left: (Expr, &DataType),
        right: (Expr, &DataType),
        place: String,
    ) -> Option<Expr> {
        let exact = |data_type: &DataType| exact(data_type).is_some() || data_type.is_null();
        let known = !left.1.is_null() || !right.1.is_null();
        (known && exact(left.1) && exact(right.1) || operation.moves_a_day(left.1, right.1)).then(|| {
            let mut planned = Self::new(operation, place);
            planned.gives = planned.return_type(&[left.1.clone(), right.1.clone()]).ok();
            ScalarUDF::new_from_impl(planned).call(vec![left.0, right.0])
        })
    }
}

/// The operation that an expression is, and its operands.
fn of(expr: &Expr) -> Option<(Operation, &[Expr])> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let arithmetic = call.func.inner().downcast_ref::<Arithmetic>()?;
    Some((arithmetic.operation, &call.args))
}

/// The expression with what was written in the place of our functions: to be shown.
pub(crate) fn as_operators(expr: &Expr) -> Expr {
    let operator = |expr: Expr| {
        if let Some(written) = Computed::written(&expr) {
            return Ok(Transformed::yes(written));
        }
        let Some((operation, [left, right])) = of(&expr) else { return Ok(Transformed::no(expr)) };
        let operator = match operation {
            Operation::Add => Operator::Plus,
            Operation::Subtract => Operator::Minus,
            Operation::Multiply => Operator::Multiply,
            Operation::Divide => Operator::Divide,
            Operation::Remainder => Operator::Modulo,
            Operation::Quotient => return Ok(Transformed::no(expr)),
        };
        Ok(Transformed::yes(binary_expr(left.clone(), operator, right.clone())))
    };
    expr.clone().transform_up(operator).map_or_else(|_| expr.clone(), |written| written.data)
}

/// The type that an exact number is computed in: 64-bit integers or decimals of 128 bits.
pub(super) fn exact(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, value) => return exact(value),
        DataType::UInt64 => DataType::Decimal128(20, 0),
        integer if integer.is_integer() => DataType::Int64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            DataType::Decimal128(*precision, *scale)
        }
        _ => return None,
    })
}

/// Digits in all, and after the point.
fn digits(data_type: &DataType) -> (u8, i8) {
    match data_type {
        DataType::Decimal128(precision, scale) => (*precision, *scale),
        _ => (INTEGER, 0),
    }
}

impl Operation {
    /// Whether it takes a date to another one.
    fn moves_a_day(self, left: &DataType, right: &DataType) -> bool {
        match (self, left, right) {
            (Self::Add | Self::Subtract, DataType::Date32, days) | (Self::Add, days, DataType::Date32) => {
                days.is_integer()
            }
            _ => false,
        }
    }

    /// The type of the result, of types that [`exact`] gives.
    pub(super) fn result(self, left: &DataType, right: &DataType) -> Result<DataType> {
        let integers = left.is_integer() && right.is_integer();
        if integers && self != Self::Divide {
            return Ok(DataType::Int64);
        }
        let ((p1, s1), (p2, s2)) = (digits(left), digits(right));
        let before = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
        let scale = s1.max(s2);
        let (before, scale) = match self {
            Self::Add | Self::Subtract => (before(p1, s1).max(before(p2, s2)) + 1, scale),
            Self::Remainder => (before(p1, s1).max(before(p2, s2)), scale),
            Self::Multiply => {
                let scale = s1.saturating_add(s2);
                if scale > DIGITS.cast_signed() {
                    return plan_err!(
                        "a product of numbers with {s1} and {s2} digits after the point has more than {DIGITS}: CAST one of them to \
                         a DECIMAL with fewer"
                    );
                }
                (before(p1, s1) + before(p2, s2), scale)
            }
            // As many before the point as there is room for: numbers are shorter than their types.
            Self::Divide => (i16::from(DIGITS), s1.max(QUOTIENT_SCALE)),
            Self::Quotient => (i16::from(DIGITS), 0),
        };
        let precision = (before + i16::from(scale)).clamp(1, i16::from(DIGITS));
        Ok(DataType::Decimal128(u8::try_from(precision).unwrap_or(DIGITS), scale))
    }

    fn integers(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Remainder => Some(a.wrapping_rem(b)),
            Self::Divide | Self::Quotient => a.checked_div(b),
        }
    }

    /// `a` and `b` have `s1` and `s2` digits after the point, the result has `scale`.
    fn decimals(self, (a, s1): (i128, i8), (b, s2): (i128, i8), scale: i8) -> Option<i128> {
        let result = match self {
            Self::Add => up(a, scale - s1)?.checked_add(up(b, scale - s2)?),
            Self::Subtract => up(a, scale - s1)?.checked_sub(up(b, scale - s2)?),
            Self::Multiply => a.checked_mul(b),
            Self::Remainder => Some(up(a, scale - s1)?.wrapping_rem(up(b, scale - s2)?)),
            Self::Divide => divide(a, b, i32::from(scale) + i32::from(s2) - i32::from(s1)),
            Self::Quotient => {
                let common = s1.max(s2);
                up(a, common - s1)?.checked_div(up(b, common - s2)?)
            }
        };
        result.filter(|result| fits(*result))
    }
}

/// Whether a mantissa has at most 38 digits.
pub(super) fn fits(mantissa: i128) -> bool {
    Decimal128Type::is_valid_decimal_precision(mantissa, DIGITS)
}

/// With more digits after the point.
fn up(mantissa: i128, digits: i8) -> Option<i128> {
    mantissa.checked_mul(10_i128.checked_pow(u32::try_from(digits).ok()?)?)
}

/// `a * 10^digits / b`, rounded half away from zero.
pub(super) fn divide(a: i128, b: i128, digits: i32) -> Option<i128> {
    divide_wide(i256::from_i128(a), i256::from_i128(b), digits)
}

pub(super) fn divide_wide(a: i256, b: i256, digits: i32) -> Option<i128> {
    let a = a.checked_mul(super::exact::power_of_ten(digits)?)?;
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let away = if (a < i256::ZERO) == (b < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    let half = rest.wrapping_abs().checked_mul(i256::from_i128(2))? >= b.wrapping_abs();
    if half { quotient.checked_add(away)? } else { quotient }.to_i128()
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "+",
            Operation::Subtract => "-",
            Operation::Multiply => "*",
            Operation::Divide => "/",
            Operation::Remainder => "%",
            Operation::Quotient => "div",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else { return plan_err!("{} takes two numbers", self.name()) };
        if self.operation.moves_a_day(left, right) {
            let coerced =
                |data_type: &DataType| if data_type.is_integer() { DataType::Int64 } else { DataType::Date32 };
            return Ok(vec![coerced(left), coerced(right)]);
        }
        let coerced = |data_type: &DataType| match exact(data_type) {
            Some(exact) => Ok(exact),
            None if data_type.is_null() => Ok(DataType::Int64),
            None => plan_err!("{} takes integers and decimals, not {data_type}", self.name()),
        };
        Ok(vec![coerced(left)?, coerced(right)?])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match self.coerce_types(types)?.as_slice() {
            [DataType::Date32, _] | [_, DataType::Date32] => Ok(DataType::Date32),
            [left, right] => self.operation.result(left, right),
            _ => plan_err!("{} takes two numbers", self.name()),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    /// All that the type holds: without a type, what is made of the result would have none.
    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        let types: Vec<DataType> = inputs.iter().map(|input| input.data_type()).collect();
        Interval::make_unbounded(&self.return_type(&types)?)
    }

    /// As the operator is written, so that columns and conditions are called so.
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.written(args, ToString::to_string))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.written(args, |arg| arg.schema_name().to_string()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return plan_err!("{} takes two numbers", self.name()) };
        let array = match args.return_type() {
            DataType::Date32 if left.data_type() == &DataType::Date32 => {
                self.days(left.as_primitive(), right.as_primitive())?
            }
            DataType::Date32 => self.days(right.as_primitive(), left.as_primitive())?,
            DataType::Int64 => self.integers(left.as_primitive(), right.as_primitive())?,
            DataType::Decimal128(precision, scale) => self.decimals(left, right, *precision, *scale)?,
            other => return Err(exec_datafusion_err!("{} does not give {other}", self.name())),
        };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

impl Arithmetic {
    /// A chain goes down along its left sides, and can be long, where a name is asked for at each step: its beginning is left out.
    fn written(&self, args: &[Expr], name: fn(&Expr) -> String) -> String {
        let (mut operation, mut args) = (self.operation, args);
        let mut parts = Vec::new();
        while let [left, right] = args {
            if operation == Operation::Quotient {
                parts.push(format!("div({}, {})", name(left), name(right)));
                break;
            }
            parts.push(format!(" {operation} {}", name(right)));
            match of(left) {
                Some(_) if parts.len() >= NAMED => {
                    parts.push("…".to_owned());
                    break;
                }
                Some((below, operands)) if below != Operation::Quotient => (operation, args) = (below, operands),
                _ => {
                    parts.push(name(left));
                    break;
                }
            }
        }
        parts.reverse();
        parts.concat()
    }

    fn integers(&self, left: &Int64Array, right: &Int64Array) -> Result<ArrayRef> {
        let result: Int64Array = try_binary(left, right, |a, b| {
            if b == 0 && self.divides() {
                return Err(self.by_zero());
            }
            self.operation.integers(a, b).ok_or_else(|| {
                let advice = "CAST one of them to DECIMAL(38,0)";
                ArrowError::ComputeError(format!(
                    "{a} {} {b}{} does not fit 64 bits: {advice}",
                    self.operation, self.place
                ))
            })
        })?;
        Ok(Arc::new(result))
    }

    fn days(&self, dates: &Date32Array, days: &Int64Array) -> Result<ArrayRef> {
        let result: Date32Array = try_binary(dates, days, |date, days| {
            let moved = self.operation.integers(date.into(), days).and_then(|moved| i32::try_from(moved).ok());
            // Beyond the calendar nothing has a name.
            moved.filter(|moved| Date32Type::to_naive_date_opt(*moved).is_some()).ok_or_else(|| {
                let date =
                    Date32Type::to_naive_date_opt(date).map_or_else(|| date.to_string(), |date| date.to_string());
                ArrowError::ComputeError(format!(
                    "{date} {} {days}{} is no date: the number of days is too large",
                    self.operation, self.place
                ))
            })
        })?;
        Ok(Arc::new(result))
    }

    fn decimals(&self, left: &ArrayRef, right: &ArrayRef, precision: u8, scale: i8) -> Result<ArrayRef> {
        let ((_, s1), (_, s2)) = (digits(left.data_type()), digits(right.data_type()));
        let (left, right) = (mantissas(left), mantissas(right));
        let result: Decimal128Array = try_binary(&left, &right, |a, b| {
            if b == 0 && self.divides() {
                return Err(self.by_zero());
            }
            self.operation.decimals((a, s1), (b, s2), scale).ok_or_else(|| {
                let shown = |mantissa, scale| Decimal128Type::format_decimal(mantissa, DIGITS, scale);
                ArrowError::ComputeError(format!(
                    "{} {} {}{} does not fit {DIGITS} digits, {scale} of them after the point: CAST them to DECIMALs with fewer \
                     digits after the point",
                    shown(a, s1),
                    self.operation,
                    shown(b, s2),
                    self.place
                ))
            })
        })?;
        Ok(Arc::new(result.with_precision_and_scale(precision, scale)?))
    }

    fn divides(&self) -> bool {
        matches!(self.operation, Operation::Divide | Operation::Remainder | Operation::Quotient)
    }

    fn by_zero(&self) -> ArrowError {
        ArrowError::ComputeError(format!("a division by zero{}: guard it with NULLIF(divisor, 0)", self.place))
    }
}

/// Of integers and decimals.
pub(super) fn mantissas(array: &ArrayRef) -> Decimal128Array {
    fn widened<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &PrimitiveArray<T>) -> Decimal128Array {
        unary(array, Into::into)
    }
    match array.data_type() {
        DataType::Int64 => widened(array.as_primitive::<Int64Type>()),
        _ => array.as_primitive::<Decimal128Type>().clone(),
    }
}
