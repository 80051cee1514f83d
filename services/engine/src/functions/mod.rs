//! The functions of `match_sql` beyond those of DataFusion.
//!
//! | function | gives |
//! |---|---|
//! | `tolerance_match(a, b, threshold)` | `abs(a - b) <= threshold`, exact for decimals and integers |
//! | `tolerance_pct(a, b, percent)` | `abs(a - b) <= percent/100 * greatest(abs(a), abs(b))`, exact likewise; 2 means 2% |
//! | `date_within(a, b, days)` | `a` and `b` are at most `days` times 24 hours apart |
//! | `date_within(a, b, days, zone)` | `a` and `b` are at most `days` days of the calendar apart, instants by the clock of `zone` |
//! | `normalize_key(k, rules)` | `k`, text or integer, without what the rules let keys differ in |
//! | `normalize_text(s)` | `s` without case, accents, punctuation and surplus blanks |
//! | `similarity(a, b)` | Jaro-Winkler similarity of two texts, 0 to 1 |
//! | `token_overlap(a, b)` | words that both have, of those of the text that has fewer, 0 to 1 |
//! | `token_jaccard(a, b)` | words that both have, of all, 0 to 1 |
//! | `qgram_jaccard(a, b, q)` | pieces of `q` characters that both have, of all, 0 to 1 |
//! | `soundex(s)`, `dmetaphone(s)`, `dmetaphone_alt(s)` | codes of how a name sounds |
//! | `div(a, b)` | the whole part of a quotient |
//!
//! `round`, `trunc`, `ceil`, `floor`, `sum`, `avg` and the operators `+ - * / %` are ours as well, for integers and decimals: exact, or
//! an error.
//!
//! All of them give NULL when an argument is NULL, and swapping `a` and `b` never changes an answer.

mod arguments;
mod arithmetic;
mod bounded;
mod computed;
mod dates;
mod exact;
mod key;
mod phonetic;
mod rounding;
mod text;
mod tolerance;
mod totals;
mod words;

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

pub(crate) use arguments::{Argument, ordinal};
pub(crate) use arithmetic::{Arithmetic, Operation, as_operators};
pub(crate) use computed::{Computed, Part};
pub(crate) use dates::calendar_days;
pub use key::KeyRules;
pub(crate) use rounding::round;
pub(crate) use tolerance::difference;

/// Makes the functions of this module known to `ctx`. Those of DataFusion that may fill the memory get a guard, and those that round,
/// wrap or change their type in silence are replaced.
pub fn register(ctx: &SessionContext) {
    bounded::guard(ctx);
    rounding::register(ctx);
    totals::register(ctx);
    ctx.register_udf(Arithmetic::udf(Operation::Quotient, String::new()));
    for function in Function::ALL {
        ctx.register_udf(ScalarUDF::new_from_impl(MatchFunction {
            function,
            signature: Signature::user_defined(Volatility::Immutable),
        }));
    }
}

/// One of our functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    ToleranceMatch,
    TolerancePct,
    DateWithin,
    NormalizeText,
    NormalizeKey,
    Similarity,
    TokenOverlap,
    TokenJaccard,
    QgramJaccard,
    Soundex,
    Metaphone,
    MetaphoneAlternate,
}

impl Function {
    pub(crate) const ALL: [Self; 12] = [
        Self::ToleranceMatch,
        Self::TolerancePct,
        Self::DateWithin,
        Self::NormalizeText,
        Self::NormalizeKey,
        Self::Similarity,
        Self::TokenOverlap,
        Self::TokenJaccard,
        Self::QgramJaccard,
        Self::Soundex,
        Self::Metaphone,
        Self::MetaphoneAlternate,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ToleranceMatch => "tolerance_match",
            Self::TolerancePct => "tolerance_pct",
            Self::DateWithin => "date_within",
            Self::NormalizeText => "normalize_text",
            Self::NormalizeKey => "normalize_key",
            Self::Similarity => "similarity",
            Self::TokenOverlap => "token_overlap",
            Self::TokenJaccard => "token_jaccard",
            Self::QgramJaccard => "qgram_jaccard",
            Self::Soundex => "soundex",
            Self::Metaphone => "dmetaphone",
            Self::MetaphoneAlternate => "dmetaphone_alt",
        }
    }

    /// What each argument has to be.
    pub(crate) fn arguments(self) -> &'static [Argument] {
        use Argument::{Days, Key, Length, Moment, Number, Rules, Text, Threshold, Zone};
        match self {
            Self::ToleranceMatch | Self::TolerancePct => &[Number, Number, Threshold],
            Self::DateWithin => &[Moment, Moment, Days, Zone],
            Self::NormalizeText | Self::Soundex | Self::Metaphone | Self::MetaphoneAlternate => &[Text],
            Self::NormalizeKey => &[Key, Rules],
            Self::Similarity | Self::TokenOverlap | Self::TokenJaccard => &[Text, Text],
            Self::QgramJaccard => &[Text, Text, Length],
        }
    }

    /// How many of them there have to be.
    fn required(self) -> usize {
        match self {
            Self::DateWithin => 3,
            _ => self.arguments().len(),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MatchFunction {
    function: Function,
    signature: Signature,
}

impl ScalarUDFImpl for MatchFunction {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Counts the arguments and takes dictionaries apart. Types that do not suit are let through here, where nothing is
    /// known about the columns: the checks of `query` refuse them with the column's name and the evidence, and
    /// evaluation refuses them for everybody else.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let expected = self.function.arguments();
        if !(self.function.required()..=expected.len()).contains(&types.len()) {
            let names = expected.iter().map(|a| a.what()).collect::<Vec<_>>().join(", ");
            return plan_err!(
                "{} takes {} ({names}), not {}",
                self.name(),
                arguments::count(expected.len()),
                types.len()
            );
        }
        Ok(types
            .iter()
            .zip(expected)
            .map(|(given, argument)| match given {
                DataType::Dictionary(_, value) => value.as_ref().clone(),
                integer if matches!(argument, Argument::Days | Argument::Length) && integer.is_integer() => {
                    DataType::Int64
                }
                other => other.clone(),
            })
            .collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.function {
            Function::ToleranceMatch | Function::TolerancePct | Function::DateWithin => DataType::Boolean,
            Function::NormalizeKey => DataType::Utf8View,
            Function::Similarity | Function::TokenOverlap | Function::TokenJaccard | Function::QgramJaccard => {
                DataType::Float64
            }
            Function::Soundex | Function::Metaphone | Function::MetaphoneAlternate => DataType::Utf8,
            Function::NormalizeText => match types.first() {
                Some(DataType::LargeUtf8) => DataType::LargeUtf8,
                Some(DataType::Utf8View) => DataType::Utf8View,
                _ => DataType::Utf8,
            },
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let expected = self.function.arguments();
        for (index, (value, argument)) in args.args.iter().zip(expected).enumerate() {
            let constant = match value {
                ColumnarValue::Scalar(value) => Some(value),
                ColumnarValue::Array(_) => None,
            };
            if let Some(reason) = argument.refuses(&value.data_type()).or_else(|| argument.refuses_constant(constant)) {
                let place = ordinal(index, args.args.len());
                return Err(exec_datafusion_err!("{}: the {place} {reason}", self.name()));
            }
        }
        if args.args.iter().any(|v| v.data_type().is_null()) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_type())?));
        }
        let constant = args.args.iter().all(|v| matches!(v, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let array: ArrayRef = match (self.function, args.args.as_slice()) {
            (Function::ToleranceMatch, [a, b, t]) => Arc::new(tolerance::absolute(a, b, t, rows)?),
            (Function::TolerancePct, [a, b, p]) => Arc::new(tolerance::relative(a, b, p, rows)?),
            (Function::DateWithin, [a, b, days]) => Arc::new(dates::within(a, b, days, None, rows)?),
            (Function::DateWithin, [a, b, days, zone]) => Arc::new(dates::within(a, b, days, Some(read(zone)?), rows)?),
            (Function::NormalizeText, [s]) => text::normalize(&s.to_array(rows)?)?,
            (Function::NormalizeKey, [key, rules]) => key::normalize(&key.to_array(rows)?, read(rules)?)?,
            (Function::Similarity, [a, b]) => Arc::new(text::similarity(&a.to_array(rows)?, &b.to_array(rows)?)?),
            (Function::TokenOverlap, [a, b]) => {
                Arc::new(words::of_words(&a.to_array(rows)?, &b.to_array(rows)?, words::Of::Smaller)?)
            }
            (Function::TokenJaccard, [a, b]) => {
                Arc::new(words::of_words(&a.to_array(rows)?, &b.to_array(rows)?, words::Of::Both)?)
            }
            (Function::QgramJaccard, [a, b, q]) => {
                let length = match q {
                    ColumnarValue::Scalar(number) => arguments::length(number),
                    ColumnarValue::Array(_) => None,
                };
                Arc::new(words::of_pieces(&a.to_array(rows)?, &b.to_array(rows)?, length.unwrap_or(1))?)
            }
            (Function::Soundex, [s]) => phonetic::codes(&s.to_array(rows)?, phonetic::Code::Soundex)?,
            (Function::Metaphone, [s]) => phonetic::codes(&s.to_array(rows)?, phonetic::Code::Metaphone)?,
            (Function::MetaphoneAlternate, [s]) => phonetic::codes(&s.to_array(rows)?, phonetic::Code::Alternate)?,
            (function, given) => {
                return Err(exec_datafusion_err!("{} cannot take {} arguments", function.name(), given.len()));
            }
        };
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
        } else {
            ColumnarValue::Array(array)
        })
    }
}

/// A value that does not fit is an error.
fn strict_cast(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// A constant text as what it says.
fn read<T: FromStr<Err = String>>(argument: &ColumnarValue) -> Result<T> {
    let text = match argument {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten().unwrap_or_default(),
        ColumnarValue::Array(_) => "",
    };
    text.parse().map_err(|reason| exec_datafusion_err!("{reason}"))
}

#[cfg(test)]
mod tests;
