//! What a function's arguments may be, in the words of the person who writes the SQL.

use arrow::datatypes::DataType;

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
}

impl Argument {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Threshold => "a number of at least 0",
            Self::Moment => "a date or timestamp",
            Self::Days => "a whole number of days",
            Self::Text => "text",
        }
    }

    /// Whether a value of this type can be the argument.
    pub(crate) fn accepts(self, data_type: &DataType) -> bool {
        match (self, TypeKind::of(data_type)) {
            (_, TypeKind::Null)
            | (Self::Number | Self::Threshold, TypeKind::Number | TypeKind::Float)
            | (Self::Moment, TypeKind::Date | TypeKind::Timestamp)
            | (Self::Text, TypeKind::Text) => true,
            (Self::Days, _) => data_type.is_integer(),
            _ => false,
        }
    }

    /// The end of the sentence that refuses a value of this type; `None` when it is welcome.
    pub(crate) fn refuses(self, data_type: &DataType) -> Option<String> {
        (!self.accepts(data_type)).then(|| format!("{}; it has to be {}", TypeKind::of(data_type).is_a(), self.what()))
    }
}

/// `argument` when there is only one, else `first argument`, `second argument`, …
pub(crate) fn ordinal(index: usize, of: usize) -> &'static str {
    match (of, index) {
        (1, _) => "argument",
        (_, 0) => "first argument",
        (_, 1) => "second argument",
        _ => "third argument",
    }
}

pub(crate) fn count(arguments: usize) -> String {
    format!("{arguments} argument{}", if arguments == 1 { "" } else { "s" })
}
