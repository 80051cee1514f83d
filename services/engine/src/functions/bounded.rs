//! Functions of DataFusion that make long values of short ones, and say no where they would fill the memory: what a scalar function
//! gives is counted by nobody before it is there.

use std::sync::Arc;

use arrow::array::{Array, AsArray as _};
use arrow::compute::kernels::arity::unary;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::execution::FunctionRegistry as _;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use super::strict_cast;

/// Bytes that one value may have, and those of a batch together.
const VALUE: u64 = 1 << 20;
const BATCH: u64 = 128 << 20;

/// How long a value gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// `f(text, n)`: n times the text.
    Repeated,
    /// `f(text, n, …)`: n characters.
    Padded,
    /// `f(element, n)`: n elements.
    Elements,
    /// `f(stop)`, `f(start, stop)`, `f(start, stop, step)`: the numbers in between.
    Series,
}

const GROWING: [(&str, Growth); 6] = [
    ("repeat", Growth::Repeated),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("array_repeat", Growth::Elements),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
];

/// Puts a guard before each of them.
pub fn guard(ctx: &SessionContext) {
    for (name, growth) in GROWING {
        if let Ok(inner) = ctx.udf(name) {
            ctx.register_udf(ScalarUDF::new_from_impl(Bounded { inner, growth }));
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl Bounded {
    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let rows = if args.args.iter().all(|v| matches!(v, ColumnarValue::Scalar(_))) { 1 } else { args.number_rows };
        let mut total = 0u64;
        let numbers = |index: usize| args.args.get(index).map(|value| numbers(value, rows)).transpose();
        let (first, second, third) = match self.growth {
            Growth::Series => (numbers(0)?.flatten(), numbers(1)?.flatten(), numbers(2)?.flatten()),
            _ => (None, numbers(1)?.flatten(), None),
        };
        let lengths = match (self.growth, args.args.first()) {
            (Growth::Repeated, Some(text)) => Some(lengths(text, rows)?),
            _ => None,
        };
        for row in 0..rows {
            let at = |of: &Option<Vec<i64>>| of.as_ref().map(|of| of[row]);
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let size = match self.growth {
                Growth::Repeated => lengths.as_ref().map_or(0, |l| l[row]).saturating_mul(at(&second).map_or(0, count)),
                // A character may have four bytes, and an element takes eight and more.
                Growth::Padded => at(&second).map_or(0, count).saturating_mul(4),
                Growth::Elements => at(&second).map_or(0, count).saturating_mul(16),
                Growth::Series => {
                    let (start, stop) = match (at(&first), at(&second)) {
                        (Some(start), Some(stop)) => (start, stop),
                        (Some(stop), None) => (0, stop),
                        _ => (0, 0),
                    };
                    let step = at(&third).unwrap_or(1).unsigned_abs().max(1);
                    (start.abs_diff(stop) / step).saturating_mul(8)
                }
            };
            total = total.saturating_add(size);
            if size > VALUE || total > BATCH {
                return exec_err!(
                    "{} would make values too long to hold: {} bytes of one row, {} of {} rows; {} MiB and {} MiB are allowed",
                    self.name(),
                    size,
                    total,
                    row + 1,
                    VALUE >> 20,
                    BATCH >> 20
                );
            }
        }
        Ok(())
    }
}

/// Whole numbers, 0 for NULL; `None` for what has no whole numbers (ranges of dates).
fn numbers(value: &ColumnarValue, rows: usize) -> Result<Option<Vec<i64>>> {
    if !value.data_type().is_integer() {
        return Ok(None);
    }
    let array = value.to_array(rows)?;
    let array = strict_cast(&array, &DataType::Int64)?;
    let array = array.as_primitive::<Int64Type>();
    Ok(Some((0..rows).map(|row| if array.is_valid(row) { array.value(row) } else { 0 }).collect()))
}

/// 0 for what is less, which a text cannot be padded to.
fn not_negative(length: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    if length.data_type() != DataType::Int64 {
        return Ok(length.clone());
    }
    let lengths = |array: &dyn Array| unary::<_, _, Int64Type>(array.as_primitive::<Int64Type>(), |n| n.max(0));
    Ok(match length {
        ColumnarValue::Array(array) => ColumnarValue::Array(Arc::new(lengths(array))),
        ColumnarValue::Scalar(_) => {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths(&length.to_array(rows.max(1))?), 0)?)
        }
    })
}

/// Of texts, in bytes.
fn lengths(value: &ColumnarValue, rows: usize) -> Result<Vec<u64>> {
    let array = value.to_array(rows)?;
    let array = strict_cast(&array, &DataType::Utf8View)?;
    Ok(array.as_string_view().iter().map(|text| text.map_or(0, |text| text.len() as u64)).collect())
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        if self.growth == Growth::Padded {
            let length = args.args.get(1).map(|length| not_negative(length, args.number_rows)).transpose()?;
            args.args.iter_mut().skip(1).zip(length).for_each(|(given, length)| *given = length);
        }
        self.inner.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
