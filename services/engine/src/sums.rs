//! Sums of the numbers of a table: what is at stake, to the last digit, and of each currency by itself.

use std::collections::BTreeMap;

use arrow::array::{Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use crate::amount::Amount;

/// A column with more different values than this is no currency, whatever it is called.
const CURRENCIES: usize = 64;

/// By column: integers and decimals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    columns: BTreeMap<String, ColumnSums>,
    /// What is called a currency is none: it has too many values.
    none: bool,
}

/// One column. A sum is missing where it has more digits than there is room for, some 76.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnSums {
    total: Option<Amount>,
    /// By currency; empty where the table has no column of currencies.
    by: BTreeMap<String, Option<Amount>>,
}

/// A sum in two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    pub part: Amount,
    pub rest: Amount,
}

/// The same of a column, and of each currency in it; rows without one have the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSplit {
    pub column: String,
    /// Missing where there is no room for all digits.
    pub all: Option<Split>,
    pub by_currency: Vec<(String, Split)>,
}

/// Digits after the point of a type that is summed up; integers have none.
pub fn scale(data_type: &DataType) -> Option<i8> {
    let scale = match *data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(scale),
        ref integer if integer.is_integer() => Some(0),
        _ => None,
    };
    scale.filter(|scale| *scale >= 0)
}

impl Sums {
    /// The columns of a schema that [`Sums::add`] looks at.
    pub fn columns(schema: &Schema) -> Vec<usize> {
        let numbers = schema.fields().iter().enumerate().filter(|(_, field)| scale(field.data_type()).is_some());
        numbers.map(|(index, _)| index).chain(currency_column(schema)).collect()
    }

    pub fn add(&mut self, batch: &RecordBatch) {
        let currencies = if self.none { None } else { Currencies::of(batch) };
        if currencies.as_ref().is_some_and(|found| found.names.len() > CURRENCIES) {
            self.give_up();
        }
        let currencies = currencies.filter(|_| !self.none);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let Some(scale) = scale(field.data_type()) else { continue };
            let amount = |sum: &Running| sum.total().map(|units| Amount { units, scale });
            let mut total = [Running::default()];
            add_up(column, |_| 0, &mut total);
            let mut by = BTreeMap::new();
            if let Some(Currencies { names, rows }) = &currencies {
                let mut sums = vec![Running::default(); names.len()];
                add_up(column, |row| rows[row], &mut sums);
                by = names.iter().cloned().zip(sums.iter().map(amount)).collect();
            }
            self.merge_one(field.name(), &ColumnSums { total: amount(&total[0]), by });
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

    fn merge_one(&mut self, name: &str, more: &ColumnSums) {
        let Some(sums) = self.columns.get_mut(name) else {
            let by = if self.none { BTreeMap::new() } else { more.by.clone() };
            self.columns.insert(name.to_owned(), ColumnSums { total: more.total, by });
            return;
        };
        sums.total = sums.total.zip(more.total).and_then(|(a, b)| a.plus(b));
        if self.none {
            return;
        }
        for (currency, sum) in &more.by {
            match sums.by.get_mut(currency) {
                Some(known) => *known = known.zip(*sum).and_then(|(a, b)| a.plus(b)),
                None => drop(sums.by.insert(currency.clone(), *sum)),
            }
        }
        if sums.by.len() > CURRENCIES {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.none = true;
        self.columns.values_mut().for_each(|sums| sums.by.clear());
    }

    /// `part` and what is left of this without it, column by column.
    pub fn split(&self, part: &Self) -> Vec<ColumnSplit> {
        let none = BTreeMap::new();
        let columns = self.columns.iter().map(|(name, sums)| {
            let own = part.columns.get(name);
            let of_part = own.map_or(&none, |own| &own.by);
            let by = sums.by.iter();
            let by = by.map(|(name, sum)| Some((name.clone(), split(*sum, of_part.get(name).copied())?)));
            let by_currency = by.collect::<Option<_>>().filter(|_| !part.none).unwrap_or_default();
            ColumnSplit { column: name.clone(), all: split(sums.total, own.map(|own| own.total)), by_currency }
        });
        columns.collect()
    }
}

/// `part`: nothing where it has no such rows at all.
fn split(total: Option<Amount>, part: Option<Option<Amount>>) -> Option<Split> {
    let total = total?;
    let part = part.unwrap_or(Some(Amount { units: i256::ZERO, ..total }))?;
    Some(Split { part, rest: total.minus(part)? })
}

/// A sum to which is added: in 128 bits as long as these will do.
#[derive(Debug, Clone, Copy, Default)]
struct Running {
    low: i128,
    high: i256,
    lost: bool,
}

impl Running {
    #[inline]
    fn add(&mut self, value: i128) {
        match self.low.checked_add(value) {
            Some(sum) => self.low = sum,
            None => {
                self.carry(i256::from_i128(self.low));
                self.low = value;
            }
        }
    }

    fn carry(&mut self, value: i256) {
        match self.high.checked_add(value) {
            Some(sum) => self.high = sum,
            None => self.lost = true,
        }
    }

    fn total(&self) -> Option<i256> {
        self.high.checked_add(i256::from_i128(self.low)).filter(|_| !self.lost)
    }
}

/// Adds each value of a column of numbers to the sum that `to` names for its row.
fn add_up(column: &ArrayRef, to: impl Fn(usize) -> usize, sums: &mut [Running]) {
    fn each<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        to: impl Fn(usize) -> usize,
        sums: &mut [Running],
        add: impl Fn(&mut Running, T::Native),
    ) {
        let values = column.as_primitive::<T>();
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => values.values().iter().enumerate().for_each(|(row, value)| add(&mut sums[to(row)], *value)),
            Some(nulls) => nulls.valid_indices().for_each(|row| add(&mut sums[to(row)], values.value(row))),
        }
    }
    match column.data_type() {
        DataType::Int8 => each::<Int8Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Int16 => each::<Int16Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Int32 => each::<Int32Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Int64 => each::<Int64Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::UInt8 => each::<UInt8Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::UInt16 => each::<UInt16Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::UInt32 => each::<UInt32Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::UInt64 => each::<UInt64Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Decimal32(..) => each::<Decimal32Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Decimal64(..) => each::<Decimal64Type>(column, to, sums, |sum, value| sum.add(value.into())),
        DataType::Decimal128(..) => each::<Decimal128Type>(column, to, sums, Running::add),
        DataType::Decimal256(..) => each::<Decimal256Type>(column, to, sums, Running::carry),
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Decimal128Array, Decimal256Array, Int64Array, RecordBatch, StringViewArray, UInt8Array,
    };
    use arrow::datatypes::i256;

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

    fn parts(split: &Split) -> (String, String) {
        (split.part.to_string(), split.rest.to_string())
    }

    fn texts(part: &str, rest: &str) -> (String, String) {
        (part.to_owned(), rest.to_owned())
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
            assert_eq!((split[0].column.as_str(), parts(&split[0].all.unwrap())), ("amount", texts(in_part, rest)));
            assert!(split[0].by_currency.is_empty());
        }
    }

    #[test]
    fn sums_have_room_beyond_38_digits() {
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999;
        let mut both = sums(&[most, most]);
        both.merge(&sums(&[most]));
        let split = both.split(&sums(&[most]));
        let expected = texts("999999999999999999999999999999999999.99", "1999999999999999999999999999999999999.98");
        assert_eq!(parts(&split[0].all.unwrap()), expected);
    }

    #[test]
    fn integers_are_summed_and_what_finds_no_room_is_missing() {
        let wide = Decimal256Array::from(vec![i256::MAX, i256::MAX]).with_precision_and_scale(76, 2).unwrap();
        let columns: [(&str, ArrayRef); 3] = [
            ("n", Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MAX)]))),
            ("small", Arc::new(UInt8Array::from(vec![200, 100, 0]))),
            ("wide", Arc::new(Decimal256Array::from(vec![wide.value(0), wide.value(1), i256::ZERO]))),
        ];
        let mut sums = Sums::default();
        sums.add(&RecordBatch::try_from_iter(columns).unwrap());
        let split = sums.split(&Sums::default());
        let rest: Vec<_> = split.iter().map(|column| column.all.map(|all| all.rest.to_string())).collect();
        assert_eq!(rest, [Some("18446744073709551614".to_owned()), Some("300".to_owned()), None]);
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
            [
                ("", texts("0.50", "0.00")),
                ("EUR", texts("0.00", "4.00")),
                ("SEK", texts("0.00", "0.07")),
                ("USD", texts("2.00", "0.00"))
            ]
        );
        assert_eq!(parts(&split[0].all.unwrap()), texts("2.50", "4.07"));
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
            assert_eq!((parts(&split[0].all.unwrap()), split[0].by_currency.len()), (texts("0.00", total), 0));
        }
    }
}
