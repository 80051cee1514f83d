//! Control totals: by how much the sums of matched rows differ between columns of the two sides that belong together. Rows may
//! match and their amounts still not add up: where a row serves several others, where a tolerance lets cents through, where
//! nothing compares the amounts.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use arrow::datatypes::Schema;

use crate::amount::Amount;
use crate::lineage::{Compared, Comparisons, Within};
use crate::manifest::{ColumnSum, ControlTotal};

/// Of columns that the conditions compare, and of decimals of one name that no condition mentions. `matches` is the number of
/// pairs, each of which may use up its tolerance. Whole numbers that have to be equal are taken for amounts where nothing else is
/// one and an equality before them brings the rows together; otherwise for keys, which are last.
pub fn control_totals(
    comparisons: &Comparisons,
    schemas: [&Schema; 2],
    sums: &[ColumnSum],
    matches: u64,
) -> Vec<ControlTotal> {
    let sum = |side: &str, column: &str| sums.iter().find(|sum| sum.side == side && sum.column == column);
    let mut pairs = pairs(comparisons, schemas);
    pairs.retain(|pair| sum("left", &pair.left).is_some() && sum("right", &pair.right).is_some());
    let amounts = pairs.iter().any(|pair| !pair.whole);
    let whole = |c: &Compared| pairs.iter().any(|pair| pair.whole && (&pair.left, &pair.right) == (&c.left, &c.right));
    let mut keys = comparisons.compared.iter().any(|c| c.within == Within::Equal && !whole(c));
    let mut totals = Vec::new();
    for pair in &pairs {
        let key = pair.whole && (amounts || !keys);
        keys |= pair.whole;
        let within = if key { &[Within::Open][..] } else { &pair.within };
        if let (Some(left), Some(right)) = (sum("left", &pair.left), sum("right", &pair.right)) {
            let told = of_pair(left, right, within, matches).into_iter();
            totals.extend(told.map(|total| ControlTotal { key, compared: pair.compared, ..total }));
        }
    }
    totals.sort_by_key(|total| total.key);
    if matches == 0 { Vec::new() } else { totals }
}

struct Pair {
    left: String,
    right: String,
    within: Vec<Within>,
    /// Whether they are whole numbers that have to be equal.
    whole: bool,
    compared: bool,
}

fn pairs(comparisons: &Comparisons, [left, right]: [&Schema; 2]) -> Vec<Pair> {
    let is_integer =
        |schema: &Schema, name: &str| schema.field_with_name(name).is_ok_and(|f| f.data_type().is_integer());
    let mut pairs: Vec<Pair> = Vec::new();
    for Compared { left: a, right: b, within } in &comparisons.compared {
        let whole = *within == Within::Equal && is_integer(left, a) && is_integer(right, b);
        match pairs.iter_mut().find(|pair| pair.left == *a && pair.right == *b) {
            Some(pair) => {
                pair.within.push(within.clone());
                pair.whole &= whole;
            }
            None => pairs.push(Pair {
                left: a.clone(),
                right: b.clone(),
                within: vec![within.clone()],
                whole,
                compared: true,
            }),
        }
    }
    for pair in &mut pairs {
        if comparisons.otherwise.contains(&(pair.left.clone(), pair.right.clone())) {
            pair.within.push(Within::Open);
        }
    }
    for field in left.fields() {
        let name = field.name();
        let mentioned = comparisons.mentioned.iter().any(|columns| columns.contains(name));
        if !mentioned && !is_integer(left, name) && !is_integer(right, name) {
            let within = vec![Within::Equal];
            pairs.push(Pair { left: name.clone(), right: name.clone(), within, whole: false, compared: false });
        }
    }
    pairs
}

/// One for each currency, where both sides tell several.
fn of_pair(left: &ColumnSum, right: &ColumnSum, within: &[Within], matches: u64) -> Vec<ControlTotal> {
    let total = |currency: Option<&str>, a: &str, b: &str| {
        let (a, b) = (Amount::parse(a)?, Amount::parse(b)?);
        Some(ControlTotal {
            left: left.column.clone(),
            right: right.column.clone(),
            currency: currency.map(str::to_owned),
            matched_left: a.to_string(),
            matched_right: b.to_string(),
            difference: a.minus(b)?.to_string(),
            allowed: allowed(within, a, b, matches).map(|allowed| allowed.to_string()),
            key: false,
            compared: false,
            tolerances: within.iter().filter_map(tolerance).collect(),
            outputs: None,
        })
    };
    let names: BTreeSet<&str> =
        left.by_currency.iter().chain(&right.by_currency).map(|own| own.currency.as_str()).collect();
    if names.len() < 2 {
        return total(None, &left.matched, &right.matched).into_iter().collect();
    }
    // Of a side that does not tell them apart, nothing can be said.
    if left.by_currency.is_empty() || right.by_currency.is_empty() {
        return Vec::new();
    }
    let of = |sum: &ColumnSum, name: &str| {
        sum.by_currency.iter().find(|own| own.currency == name).map_or("0", |own| own.matched.as_str()).to_owned()
    };
    names.into_iter().filter_map(|name| total(Some(name), &of(left, name), &of(right, name))).collect()
}

fn tolerance(within: &Within) -> Option<String> {
    match within {
        Within::Absolute(threshold) => Some(threshold.clone()),
        Within::Percent(percent) => Some(format!("{percent}%")),
        Within::Equal | Within::Open => None,
    }
}

/// What the conditions say of one match, where that is known of all of them.
pub fn within(total: &ControlTotal) -> Vec<Within> {
    let read = |text: &String| match text.strip_suffix('%') {
        Some(percent) => Within::Percent(percent.to_owned()),
        None => Within::Absolute(text.clone()),
    };
    total.tolerances.iter().map(read).collect()
}

/// The most that any of the conditions lets all matches differ by together; `None` where one of them does not say.
pub fn allowed(within: &[Within], left: Amount, right: Amount, matches: u64) -> Option<Amount> {
    let one = |within: &Within| match within {
        Within::Equal => Some(Amount::whole(0)),
        Within::Absolute(threshold) => Amount::parse(threshold)?.times(Amount::whole(matches)),
        Within::Percent(percent) => {
            let (left, right) = (left.abs(), right.abs());
            let greater = if left.compare(right)? == Ordering::Less { right } else { left };
            Amount::parse(percent)?.percent()?.times(greater)
        }
        Within::Open => None,
    };
    let mut most = Amount::whole(0);
    for within in within {
        let own = one(within)?;
        if own.compare(most)? == Ordering::Greater {
            most = own;
        }
    }
    Some(most)
}

impl ControlTotal {
    /// Whether the sums are further apart than the conditions explain.
    pub fn is_off(&self) -> bool {
        let parsed = Amount::parse(&self.difference).zip(self.allowed.as_deref().and_then(Amount::parse));
        parsed.and_then(|(apart, allowed)| apart.abs().compare(allowed)) == Some(Ordering::Greater)
    }

    /// How far the sums are apart, without a sign.
    pub fn apart(&self) -> &str {
        self.difference.trim_start_matches('-')
    }

    /// As a sentence.
    pub fn note(&self, [left, right]: [&str; 2]) -> String {
        let Self { left: a, right: b, matched_left, matched_right, .. } = self;
        let currency = match self.currency.as_deref() {
            None => String::new(),
            Some("") => " without a currency".to_owned(),
            Some(name) => format!(" {name}"),
        };
        let allowed = match self.allowed.as_deref().and_then(Amount::parse).filter(|allowed| !allowed.is_zero()) {
            Some(allowed) => format!(", more than the {allowed} that the conditions allow"),
            None => String::new(),
        };
        format!(
            "matched rows sum up to {matched_left}{currency} in `{left}.{a}` and to {matched_right}{currency} in `{right}.{b}`: {} \
             apart{allowed}",
            self.apart()
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};

    use super::control_totals;
    use crate::lineage::{Compared, Comparisons, Within};
    use crate::manifest::{ColumnSum, CurrencySum};

    fn sum(side: &str, column: &str, matched: &str, by: &[(&str, &str)]) -> ColumnSum {
        let by = by.iter().map(|(currency, matched)| CurrencySum {
            currency: (*currency).to_owned(),
            matched: (*matched).to_owned(),
            unmatched: "0.00".to_owned(),
        });
        ColumnSum {
            side: side.to_owned(),
            column: column.to_owned(),
            matched: matched.to_owned(),
            unmatched: "0.00".to_owned(),
            by_currency: by.collect(),
        }
    }

    fn totals(
        left: (&str, DataType, &str),
        right: (&str, DataType, &str),
        within: Option<Within>,
        matches: u64,
    ) -> Vec<(String, String, Option<String>, bool)> {
        let schema = |name: &str, data_type: &DataType| Schema::new(vec![Field::new(name, data_type.clone(), true)]);
        let schemas = [schema(left.0, &left.1), schema(right.0, &right.1)];
        let compared = within.map(|within| Compared { left: left.0.to_owned(), right: right.0.to_owned(), within });
        let comparisons = Comparisons {
            mentioned: if compared.is_some() {
                [[left.0.to_owned()].into(), [right.0.to_owned()].into()]
            } else {
                Default::default()
            },
            compared: compared.into_iter().collect(),
            ..Comparisons::default()
        };
        let sums = [sum("left", left.0, left.2, &[]), sum("right", right.0, right.2, &[])];
        let found = control_totals(&comparisons, [&schemas[0], &schemas[1]], &sums, matches);
        found.into_iter().map(|t| (t.left.clone(), t.difference.clone(), t.allowed.clone(), t.is_off())).collect()
    }

    #[test]
    fn what_conditions_allow_is_explained() {
        let (money, number) = (DataType::Decimal128(18, 2), DataType::Int64);
        let absolute = |text: &str| Some(Within::Absolute(text.to_owned()));
        let percent = |text: &str| Some(Within::Percent(text.to_owned()));
        for (data_type, right, left_sum, right_sum, within, matches, expected) in [
            (&money, "paid", "100.00", "100.00", Some(Within::Equal), 4, Some(("0.00", Some("0"), false))),
            (&money, "paid", "100.00", "90.00", Some(Within::Equal), 4, Some(("10.00", Some("0"), true))),
            (&money, "paid", "100.00", "100.08", absolute("0.02"), 4, Some(("-0.08", Some("0.08"), false))),
            (&money, "paid", "100.00", "100.09", absolute("0.02"), 4, Some(("-0.09", Some("0.08"), true))),
            (&money, "paid", "98.00", "100.00", percent("2"), 4, Some(("-2.00", Some("2.0000"), false))),
            (&money, "paid", "97.99", "100.00", percent("2"), 4, Some(("-2.01", Some("2.0000"), true))),
            (&money, "paid", "1.00", "2.00", Some(Within::Open), 1, Some(("-1.00", None, false))),
            // A key: it is summed up, and nothing is said of it.
            (&number, "n", "10", "20", Some(Within::Equal), 1, Some(("-10", None, false))),
            (&number, "n", "10", "20", absolute("1"), 1, Some(("-10", Some("1"), true))),
            // Of one name, and nothing compares them.
            (&money, "amount", "1.00", "2.00", None, 1, Some(("-1.00", Some("0"), true))),
            (&money, "other", "1.00", "2.00", None, 1, None),
            (&number, "amount", "1", "2", None, 1, None),
            // Nothing is matched.
            (&money, "paid", "0.00", "0.00", Some(Within::Equal), 0, None),
        ] {
            let left = ("amount", data_type.clone(), left_sum);
            let found = totals(left, (right, data_type.clone(), right_sum), within.clone(), matches);
            let expected = expected.map(|(difference, allowed, off): (&str, Option<&str>, bool)| {
                ("amount".to_owned(), difference.to_owned(), allowed.map(str::to_owned), off)
            });
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{right} {within:?} {left_sum} {right_sum}");
        }
    }

    #[test]
    fn amounts_of_several_currencies_are_not_added_up() {
        let schema = Schema::new(vec![Field::new("amount", DataType::Decimal128(18, 2), true)]);
        let of = |left: &[(&str, &str)], right: &[(&str, &str)]| {
            let sums = [sum("left", "amount", "9.00", left), sum("right", "amount", "9.50", right)];
            let found = control_totals(&Comparisons::default(), [&schema, &schema], &sums, 2);
            found.into_iter().map(|t| (t.currency.unwrap_or_default(), t.difference)).collect::<Vec<_>>()
        };
        let texts =
            |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        let eur = [("EUR", "9.00")];
        assert_eq!(of(&eur, &eur), texts(&[("", "-0.50")]));
        let both = [("EUR", "4.00"), ("USD", "5.00")];
        assert_eq!(
            of(&both, &[("EUR", "4.00"), ("SEK", "5.50")]),
            texts(&[("EUR", "0.00"), ("SEK", "-5.50"), ("USD", "5.00")])
        );
        assert_eq!(of(&both, &[]), vec![]);
    }
}
