//! `sum` and `avg` of integers and decimals, exact or an error: DataFusion's own wrap to the other sign, and take averages of integers
//! as floats. Sums of integers are decimals, which have room; those of other numbers stay DataFusion's.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, UInt64Array};
use arrow::datatypes::{DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, UInt64Type, i256};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::execution::FunctionRegistry as _;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::arithmetic::{Operation, divide_wide, exact, fits};
use crate::type_names::TypeKind;

/// Digits of a decimal of 256 bits that leave room for any sum.
const ROOMY: u8 = DECIMAL256_MAX_PRECISION - 10;
/// In the place of a sum that does not fit, which nothing that is added brings back.
const LOST: i128 = i128::MAX;

pub fn register(ctx: &SessionContext) {
    for (name, of) in [("sum", Of::Sum), ("avg", Of::Average)] {
        if let Ok(inner) = ctx.udaf(name) {
            let signature = Signature::user_defined(Volatility::Immutable);
            ctx.register_udaf(AggregateUDF::new_from_impl(Total { of, inner, signature }));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Sum,
    Average,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    of: Of,
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

/// How a total is told: of values with `from` digits after the point.
#[derive(Debug, Clone, Copy)]
struct Form {
    of: Of,
    from: i8,
    precision: u8,
    scale: i8,
}

impl Form {
    /// The total of some values.
    fn value(self, sum: i256, rows: u64) -> Result<i128> {
        let total = match self.of {
            Of::Sum => sum.to_i128(),
            Of::Average => divide_wide(sum, i256::from(i128::from(rows)), i32::from(self.scale) - i32::from(self.from)),
        };
        match total.filter(|total| fits(*total)) {
            Some(total) => Ok(total),
            None => exec_err!(
                "a {} of {rows} values does not fit 38 digits: CAST them to a DECIMAL with fewer digits after the point",
                if self.of == Of::Sum { "sum" } else { "average" }
            ),
        }
    }

    fn data_type(self) -> DataType {
        DataType::Decimal128(self.precision, self.scale)
    }

    /// What is added, with all its digits.
    fn added(self) -> DataType {
        DataType::Decimal128(38, self.from)
    }

    /// Sums on their way from one task to another.
    fn state(self, sums: Vec<i128>, rows: Vec<u64>) -> Result<Vec<ArrayRef>> {
        let sums = sums.into_iter().zip(&rows).map(|(sum, rows)| (*rows > 0).then_some(sum));
        let sums = sums.collect::<Decimal128Array>().with_precision_and_scale(38, self.from)?;
        Ok(vec![Arc::new(sums), Arc::new(UInt64Array::from(rows))])
    }
}

impl Total {
    /// `None` for what is left to DataFusion.
    fn form(&self, field: &FieldRef, result: &DataType) -> Option<Form> {
        match (field.data_type(), result) {
            (DataType::Decimal128(_, from), DataType::Decimal128(precision, scale)) => {
                Some(Form { of: self.of, from: *from, precision: *precision, scale: *scale })
            }
            _ => None,
        }
    }

    fn form_of(&self, args: &AccumulatorArgs) -> Option<Form> {
        args.expr_fields.first().and_then(|field| self.form(field, args.return_type()))
    }
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [given] = types else { return plan_err!("{} takes one number", self.name()) };
        Ok(vec![match exact(given) {
            Some(DataType::Int64) => DataType::Decimal128(19, 0),
            Some(decimal) => decimal,
            None => match given {
                DataType::Null => DataType::Decimal128(19, 0),
                float if float.is_floating() => DataType::Float64,
                DataType::Decimal256(digits, scale) if *digits > ROOMY => {
                    return plan_err!(
                        "{} of decimals of {digits} digits may not fit: CAST them to DECIMAL({ROOMY},{scale}), or to fewer digits",
                        self.name()
                    );
                }
                DataType::Decimal256(_, _) | DataType::Duration(_) | DataType::Interval(_) => given.clone(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    return plan_err!(
                        "{} takes numbers, not text: CAST it, as in CAST(x AS DECIMAL(38,10))",
                        self.name()
                    );
                }
                other => return plan_err!("{} takes numbers, not {}", self.name(), TypeKind::of(other).plural()),
            },
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.of, types) {
            (Of::Sum, [DataType::Decimal128(precision, scale)]) => {
                Ok(DataType::Decimal128(precision.saturating_add(10).min(38), *scale))
            }
            (Of::Average, [decimal @ DataType::Decimal128(_, _)]) => {
                Operation::Divide.result(decimal, &DataType::Int64)
            }
            _ => self.inner.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.form_of(&args) {
            Some(form) if args.is_distinct => Ok(Box::new(Different { form, rows: HashMap::new() })),
            Some(form) => Ok(Box::new(One { form, sum: i256::ZERO, rows: 0, lost: false })),
            None => self.inner.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if self.form_of(&args).is_some() {
            return self.accumulator(args);
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let form = args.input_fields.first().and_then(|field| self.form(field, args.return_field.data_type()));
        match form {
            Some(form) if args.is_distinct => {
                let value = Field::new_list_field(form.added(), true);
                Ok(vec![Arc::new(Field::new_list(format_state_name(args.name, "different"), value, true))])
            }
            Some(form) => Ok(vec![
                Arc::new(Field::new(format_state_name(args.name, "sum"), form.added(), true)),
                Arc::new(Field::new(format_state_name(args.name, "rows"), DataType::UInt64, true)),
            ]),
            None => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        match self.form_of(&args) {
            Some(_) => !args.is_distinct,
            None => self.inner.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match self.form_of(&args) {
            Some(form) => Ok(Box::new(Groups { form, sums: Vec::new(), rows: Vec::new() })),
            None => self.inner.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The total of all rows, or of a window that moves over them.
#[derive(Debug)]
struct One {
    form: Form,
    sum: i256,
    rows: u64,
    lost: bool,
}

impl One {
    fn add(&mut self, values: &Decimal128Array, sign: i128) {
        for value in values.iter().flatten() {
            // 2^64 values of 38 digits fit.
            self.sum = self.sum.wrapping_add(i256::from_i128(value).wrapping_mul(i256::from_i128(sign)));
        }
    }
}

fn counted(values: &ArrayRef) -> u64 {
    (values.len() - values.null_count()) as u64
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_primitive(), 1);
        self.rows += counted(&values[0]);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_primitive(), -1);
        self.rows = self.rows.saturating_sub(counted(&values[0]));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        self.lost |= sums.iter().flatten().any(|sum| sum == LOST);
        self.add(sums, 1);
        self.rows += states[1].as_primitive::<UInt64Type>().iter().flatten().sum::<u64>();
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = if self.lost { LOST } else { self.sum.to_i128().unwrap_or(LOST) };
        let sum = (self.rows > 0).then_some(sum);
        Ok(vec![ScalarValue::Decimal128(sum, 38, self.form.from), ScalarValue::UInt64(Some(self.rows))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = if self.lost { i256::MAX } else { self.sum };
        let total = if self.rows == 0 { None } else { Some(self.form.value(sum, self.rows)?) };
        Ok(ScalarValue::Decimal128(total, self.form.precision, self.form.scale))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The total of values that differ, each with the number of rows that have it.
#[derive(Debug)]
struct Different {
    form: Form,
    rows: HashMap<i128, u64>,
}

impl Accumulator for Different {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            *self.rows.entry(value).or_default() += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            if let Some(rows) = self.rows.get_mut(&value) {
                *rows -= 1;
                if *rows == 0 {
                    self.rows.remove(&value);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|values| self.update_batch(&[values]))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let scalar = |value: &i128| ScalarValue::Decimal128(Some(*value), 38, self.form.from);
        let values: Vec<ScalarValue> = self.rows.keys().map(scalar).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.form.added()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.rows.keys().fold(i256::ZERO, |sum, value| sum.wrapping_add(i256::from_i128(*value)));
        let total = if self.rows.is_empty() { None } else { Some(self.form.value(sum, self.rows.len() as u64)?) };
        Ok(ScalarValue::Decimal128(total, self.form.precision, self.form.scale))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.capacity() * size_of::<(i128, u64)>()
    }
}

/// The totals of many groups.
#[derive(Debug)]
struct Groups {
    form: Form,
    sums: Vec<i128>,
    /// Values in each.
    rows: Vec<u64>,
}

fn added(sum: i128, value: i128) -> i128 {
    if sum == LOST || value == LOST { LOST } else { sum.checked_add(value).unwrap_or(LOST) }
}

impl Groups {
    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.rows.resize(groups, 0);
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let values = values[0].as_primitive::<Decimal128Type>();
        let taken = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let all = values.null_count() == 0 && filter.is_none();
        for (row, (group, value)) in groups.iter().zip(values.values()).enumerate() {
            if all || (values.is_valid(row) && taken(row)) {
                self.sums[*group] = added(self.sums[*group], *value);
                self.rows[*group] += 1;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.grow(total_groups);
        let (sums, rows) = (states[0].as_primitive::<Decimal128Type>(), states[1].as_primitive::<UInt64Type>());
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| sums.is_valid(*row)) {
            self.sums[*group] = added(self.sums[*group], sums.value(row));
            self.rows[*group] += rows.value(row);
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, rows) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.rows));
        let total = |(sum, rows): (i128, u64)| match rows {
            0 => Ok(None),
            rows => {
                let sum = if sum == LOST { i256::MAX } else { i256::from_i128(sum) };
                self.form.value(sum, rows).map(Some)
            }
        };
        let totals = sums.into_iter().zip(rows).map(total).collect::<Result<Decimal128Array, DataFusionError>>()?;
        Ok(Arc::new(totals.with_data_type(self.form.data_type())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, rows) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.rows));
        self.form.state(sums, rows)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Decimal128Type>();
        let taken = |row: usize| values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        let rows = (0..values.len()).map(|row| u64::from(taken(row))).collect();
        self.form.state(values.values().to_vec(), rows)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.rows.capacity() * size_of::<u64>()
    }
}
