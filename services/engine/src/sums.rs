//! Sums of the decimal columns of a table: what is at stake, to the last digit, and of each currency by itself.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Schema};

/// A column with more different values than this is no currency, whatever it is called.
const CURRENCIES: usize = 64;

/// By column; a column whose sum has more than 38 digits is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    columns: BTreeMap<String, Amount>,
    /// What is called a currency is none: it has too many values.
    none: bool,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Amount {
    total: Option<Sum>,
    /// By currency; empty where the table has no column of currencies.
    by: BTreeMap<String, Option<Sum>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum {
    units: i128,
    scale: i8,
}

/// A sum in two parts, as decimal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub part: String,
    pub rest: String,
}

/// The same of a column, and of each currency in it; rows without one have the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSplit {
    pub column: String,
    pub all: Split,
    pub by_currency: Vec<(String, Split)>,
}

impl Sums {
    pub fn add(&mut self, batch: &RecordBatch) {
        let currencies = if self.none { None } else { Currencies::of(batch) };
        if currencies.as_ref().is_some_and(|found| found.names.len() > CURRENCIES) {
            self.give_up();
        }
        let currencies = currencies.filter(|_| !self.none);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let DataType::Decimal128(_, scale) = *field.data_type() else { continue };
            let values = column.as_primitive::<Decimal128Type>();
            let sum = |units: Option<i128>| units.map(|units| Sum { units, scale });
            let mut amount = Amount {
                total: sum(arrow::compute::sum_checked(values).ok().map(Option::unwrap_or_default)),
                by: BTreeMap::new(),
            };
            if let Some(Currencies { names, rows }) = &currencies {
                let mut units = vec![Some(0_i128); names.len()];
                for (row, currency) in rows.iter().enumerate().filter(|(row, _)| values.is_valid(*row)) {
                    units[*currency] = units[*currency].and_then(|sum| sum.checked_add(values.value(row)));
                }
                amount.by = names.iter().cloned().zip(units.into_iter().map(sum)).collect();
            }
            self.merge_one(field.name(), &amount);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if other.none {
            self.give_up();
        }
        for (name, amount) in &other.columns {
            self.merge_one(name, amount);
        }
    }

    fn merge_one(&mut self, name: &str, more: &Amount) {
        let Some(amount) = self.columns.get_mut(name) else {
            let by = if self.none { BTreeMap::new() } else { more.by.clone() };
            self.columns.insert(name.to_owned(), Amount { total: more.total, by });
            return;
        };
        amount.total = amount.total.zip(more.total).and_then(|(a, b)| a.combine(b, i128::checked_add));
        if self.none {
            return;
        }
        for (currency, sum) in &more.by {
            match amount.by.get_mut(currency) {
                Some(known) => *known = known.zip(*sum).and_then(|(a, b)| a.combine(b, i128::checked_add)),
                None => drop(amount.by.insert(currency.clone(), *sum)),
            }
        }
        if amount.by.len() > CURRENCIES {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.none = true;
        self.columns.values_mut().for_each(|amount| amount.by.clear());
    }

    /// `part` and what is left of this without it, column by column.
    pub fn split(&self, part: &Self) -> Vec<ColumnSplit> {
        let none = BTreeMap::new();
        let columns = self.columns.iter().filter_map(|(name, amount)| {
            let own = part.columns.get(name);
            let all = split(amount.total, own.map(|own| own.total))?;
            let of_part = own.map_or(&none, |own| &own.by);
            let by = amount.by.iter();
            let by = by.map(|(name, sum)| Some((name.clone(), split(*sum, of_part.get(name).copied())?)));
            let by_currency = by.collect::<Option<_>>().filter(|_| !part.none).unwrap_or_default();
            Some(ColumnSplit { column: name.clone(), all, by_currency })
        });
        columns.collect()
    }
}

/// `part`: nothing where it has no such rows at all.
fn split(total: Option<Sum>, part: Option<Option<Sum>>) -> Option<Split> {
    let total = total?;
    let part = part.unwrap_or(Some(Sum { units: 0, scale: total.scale }))?;
    let rest = total.combine(part, i128::checked_sub)?;
    Some(Split { part: part.text(), rest: rest.text() })
}

/// The currencies of a batch, and which of them each row has.
struct Currencies {
    names: Vec<String>,
    rows: Vec<usize>,
}

impl Currencies {
    /// Nothing where no column is one, or several are: which amount has which then cannot be told.
    fn of(batch: &RecordBatch) -> Option<Self> {
        let column = batch.column(currency_column(&batch.schema())?);
        match column.data_type() {
            DataType::Utf8 => Some(Self::collect(column.as_string::<i32>().iter())),
            DataType::LargeUtf8 => Some(Self::collect(column.as_string::<i64>().iter())),
            DataType::Utf8View => Some(Self::collect(column.as_string_view().iter())),
            _ => None,
        }
    }

    /// Stops where there are too many.
    fn collect<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut found = Self { names: Vec::new(), rows: Vec::new() };
        let mut last = 0;
        for value in values {
            let value = value.unwrap_or_default();
            // Most rows have that of the row before.
            if found.names.get(last).is_none_or(|name| name != value) {
                last = found.names.iter().position(|name| name == value).unwrap_or_else(|| {
                    found.names.push(value.to_owned());
                    found.names.len() - 1
                });
            }
            found.rows.push(last);
            if found.names.len() > CURRENCIES {
                break;
            }
        }
        found
    }
}

/// The one column of texts that is called a currency.
fn currency_column(schema: &Schema) -> Option<usize> {
    let is = |name: &str| {
        let name = name.to_lowercase();
        name.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "currency" | "ccy" | "curr"))
            || name.ends_with("currency")
    };
    let mut found =
        schema.fields().iter().enumerate().filter(|(_, field)| field.data_type().is_string() && is(field.name()));
    let (index, _) = found.next()?;
    found.next().is_none().then_some(index)
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

    use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringViewArray};

    use super::{CURRENCIES, Split, Sums};

    fn decimals(units: &[i128]) -> ArrayRef {
        Arc::new(Decimal128Array::from(units.to_vec()).with_precision_and_scale(38, 2).unwrap())
    }

    fn sums(units: &[i128]) -> Sums {
        let mut sums = Sums::default();
        sums.add(&RecordBatch::try_from_iter([("amount", decimals(units))]).unwrap());
        sums
    }

    fn of(currencies: &[(&str, &[Option<&str>])], units: &[i128]) -> Sums {
        let texts = currencies.iter().map(|(name, values)| {
            let array: ArrayRef = Arc::new(StringViewArray::from(values.to_vec()));
            (*name, array)
        });
        let mut sums = Sums::default();
        let columns = texts.chain([("amount", decimals(units))]);
        sums.add(&RecordBatch::try_from_iter_with_nullable(columns.map(|(n, a)| (n, a, true))).unwrap());
        sums
    }

    fn parts(split: &Split) -> (&str, &str) {
        (&split.part, &split.rest)
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
            let split = sums(all).split(&sums(part));
            assert_eq!((split[0].column.as_str(), parts(&split[0].all)), ("amount", (in_part, rest)));
            assert!(split[0].by_currency.is_empty());
        }
    }

    #[test]
    fn a_sum_past_38_digits_is_left_out() {
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999;
        let mut both = sums(&[most]);
        both.merge(&sums(&[i128::MAX - 1]));
        assert_eq!(both.split(&sums(&[])), vec![]);
    }

    #[test]
    fn currencies_are_summed_by_themselves() {
        let (eur, usd) = (Some("EUR"), Some("USD"));
        let mut all = of(&[("currency", &[eur, usd, eur, None])], &[100, 200, 300, 50]);
        all.merge(&of(&[("currency", &[Some("SEK")])], &[7]));
        let open = of(&[("currency", &[usd, None])], &[200, 50]);
        let split = all.split(&open);
        let by: Vec<_> = split[0].by_currency.iter().map(|(name, split)| (name.as_str(), parts(split))).collect();
        assert_eq!(
            by,
            [("", ("0.50", "0.00")), ("EUR", ("0.00", "4.00")), ("SEK", ("0.00", "0.07")), ("USD", ("2.00", "0.00"))]
        );
        assert_eq!(parts(&split[0].all), ("2.50", "4.07"));
    }

    #[test]
    fn which_column_is_a_currency_goes_by_its_name() {
        let eur: &[Option<&str>] = &[Some("EUR")];
        for (names, known) in [
            (vec!["currency"], true),
            (vec!["Invoice Currency"], true),
            (vec!["invoiceCurrency"], true),
            (vec!["ccy_code"], true),
            (vec!["current"], false),
            // Two of them: which amount has which?
            (vec!["currency", "fee_currency"], false),
        ] {
            let columns: Vec<_> = names.iter().map(|name| (*name, eur)).collect();
            let split = of(&columns, &[100]).split(&Sums::default());
            assert_eq!(!split[0].by_currency.is_empty(), known, "{names:?}");
        }
    }

    #[test]
    fn what_has_too_many_values_is_no_currency() {
        let names: Vec<String> = (0..=CURRENCIES).map(|n| n.to_string()).collect();
        let values: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let at_once = of(&[("currency", &values)], &vec![1; values.len()]);
        let mut one_by_one = Sums::default();
        for value in &values {
            one_by_one.merge(&of(&[("currency", &[*value])], &[1]));
        }
        one_by_one.merge(&of(&[("currency", &[Some("late")])], &[1]));
        for (sums, total) in [(at_once, "0.65"), (one_by_one, "0.66")] {
            let split = sums.split(&of(&[("currency", &[Some("0")])], &[0]));
            assert_eq!((parts(&split[0].all), split[0].by_currency.len()), (("0.00", total), 0));
        }
    }
}
