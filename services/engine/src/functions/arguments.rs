//! What a function's arguments may be, in the words of the person who writes the SQL.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::KeyRules;
use crate::time_zone::TimeZone;
use crate::type_names::TypeKind;

/// What one argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Number,
    /// A number that is not negative.
    Threshold,
    Moment,
    /// A whole number that is not negative.
    Days,
    Text,
    /// Text, or a number without a fraction.
    Key,
    /// A number of characters, as a constant.
    Length,
    /// What keys may differ in, as a constant.
    Rules,
    /// A time zone's name, as a constant.
    Zone,
}

impl Argument {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Threshold => "a number of at least 0",
            Self::Moment => "a date or timestamp",
            Self::Days => "a whole number of days",
            Self::Text => "text",
            Self::Key => "text or an integer",
            Self::Length => "a whole number from 1 to 8",
            Self::Rules => "a text in quotes, such as 'trim,case'",
            Self::Zone => "a time zone in quotes, such as 'Europe/Berlin'",
        }
    }

    /// Whether a value of this type can be the argument.
    pub(crate) fn accepts(self, data_type: &DataType) -> bool {
        match (self, TypeKind::of(data_type)) {
            (_, TypeKind::Null)
            | (Self::Number | Self::Threshold, TypeKind::Number | TypeKind::Float)
            | (Self::Moment, TypeKind::Date | TypeKind::Timestamp)
            | (Self::Text | Self::Key | Self::Rules | Self::Zone, TypeKind::Text) => true,
            (Self::Key, _) if matches!(data_type, DataType::Decimal128(_, 0) | DataType::Decimal256(_, 0)) => true,
            (Self::Key, _) => data_type.is_integer(),
            (Self::Days | Self::Length, _) => data_type.is_integer(),
            _ => false,
        }
    }

    /// The end of the sentence that refuses a value of this type; `None` when it is welcome.
    pub(crate) fn refuses(self, data_type: &DataType) -> Option<String> {
        (!self.accepts(data_type)).then(|| format!("{}; it has to be {}", TypeKind::of(data_type).is_a(), self.what()))
    }

    /// The end of the same sentence about a text that is read once, before there are rows; `constant` is what is written in the SQL.
    pub(crate) fn refuses_constant(self, constant: Option<&ScalarValue>) -> Option<String> {
        let text = constant.and_then(ScalarValue::try_as_str).flatten().unwrap_or_default();
        let reason = match (self, constant) {
            (Self::Rules | Self::Zone | Self::Length, None) => {
                return Some(format!("is no constant; it has to be {}", self.what()));
            }
            (Self::Rules, Some(_)) => text.parse::<KeyRules>().err(),
            (Self::Zone, Some(_)) => text.parse::<TimeZone>().err(),
            (Self::Length, Some(number)) if length(number).is_none() => {
                return Some(format!("is {number}; it has to be {}", self.what()));
            }
            _ => None,
        };
        reason.map(|reason| format!("cannot be read: {reason}"))
    }
}

/// A number of characters, if the constant is one.
pub(super) fn length(constant: &ScalarValue) -> Option<usize> {
    let number: usize = constant.to_string().parse().ok()?;
    (1..=8).contains(&number).then_some(number)
}

/// `argument` when there is only one, else `first argument`, `second argument`, …
pub(crate) fn ordinal(index: usize, of: usize) -> &'static str {
    match (of, index) {
        (1, _) => "argument",
        (_, 0) => "first argument",
        (_, 1) => "second argument",
        (_, 2) => "third argument",
        _ => "fourth argument",
    }
}

pub(crate) fn count(arguments: usize) -> String {
    format!("{arguments} argument{}", if arguments == 1 { "" } else { "s" })
}
