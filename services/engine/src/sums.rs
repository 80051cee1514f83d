//! Sums of the decimal columns of a table: what is at stake, to the last digit.

use std::collections::BTreeMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};

/// By column; a column whose sum has more than 38 digits is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, Option<Sum>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum {
    units: i128,
    scale: i8,
}

impl Sums {
    pub fn add(&mut self, batch: &RecordBatch) {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if let DataType::Decimal128(_, scale) = *field.data_type() {
                let values = column.as_primitive::<Decimal128Type>();
                let sum = arrow::compute::sum_checked(values).ok().map(|s| Sum { units: s.unwrap_or(0), scale });
                self.merge_one(field.name(), sum);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (name, sum) in &other.0 {
            self.merge_one(name, *sum);
        }
    }

    fn merge_one(&mut self, name: &str, sum: Option<Sum>) {
        match self.0.get_mut(name) {
            Some(entry) => *entry = entry.zip(sum).and_then(|(a, b)| a.combine(b, i128::checked_add)),
            None => {
                self.0.insert(name.to_owned(), sum);
            }
        }
    }

    /// This sum and this minus `part`, column by column, as decimal text.
    pub fn split(&self, part: &Self) -> Vec<(String, String, String)> {
        let columns = self.0.iter().filter_map(|(name, total)| {
            let total = (*total)?;
            let part = part.0.get(name).copied().unwrap_or(Some(Sum { units: 0, scale: total.scale }))?;
            let rest = total.combine(part, i128::checked_sub)?;
            Some((name.clone(), part.text(), rest.text()))
        });
        columns.collect()
    }
}

impl Sum {
    fn combine(self, other: Self, op: fn(i128, i128) -> Option<i128>) -> Option<Self> {
        (self.scale == other.scale).then(|| op(self.units, other.units)).flatten().map(|units| Self { units, ..self })
    }

    fn text(self) -> String {
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.units < 0 { "-" } else { "" };
        if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::Sums;

    fn sums(units: &[i128]) -> Sums {
        let array = Decimal128Array::from(units.to_vec()).with_precision_and_scale(38, 2).unwrap();
        let schema = Schema::new(vec![Field::new("amount", DataType::Decimal128(38, 2), true)]);
        let mut sums = Sums::default();
        sums.add(&RecordBatch::try_new(Arc::new(schema), vec![Arc::new(array)]).unwrap());
        sums
    }

    #[test]
    fn splits_to_the_last_digit() {
        let cases: [(&[i128], &[i128], &str, &str); 4] = [
            (&[1, 2, 3], &[1], "0.01", "0.05"),
            (&[-105, 5], &[5], "0.05", "-1.05"),
            (&[], &[], "0.00", "0.00"),
            (&[99_999_999_999_999_999], &[1], "0.01", "999999999999999.98"),
        ];
        for (all, part, in_part, rest) in cases {
            assert_eq!(sums(all).split(&sums(part)), vec![("amount".to_owned(), in_part.to_owned(), rest.to_owned())]);
        }
    }

    #[test]
    fn a_sum_past_38_digits_is_left_out() {
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999;
        let mut both = sums(&[most]);
        both.merge(&sums(&[i128::MAX - 1]));
        assert_eq!(both.split(&sums(&[])), vec![]);
    }
}
