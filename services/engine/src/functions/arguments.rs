//! What a function's arguments may be, in the words of the person who writes the SQL.

use arrow::datatypes::DataType;

/// The families of types between which SQL must not convert silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeKind {
    Text,
    /// Integers and decimals.
    Number,
    Float,
    Date,
    Timestamp,
    Time,
    Boolean,
    /// The literal NULL.
    Null,
    /// Everything else: left to DataFusion.
    Other,
}

impl TypeKind {
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            number if number.is_numeric() => Self::Number,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, _) => Self::Timestamp,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Boolean => Self::Boolean,
            DataType::Null => Self::Null,
            _ => Self::Other,
        }
    }

    /// `is text`, `is a number`: how a sentence goes on after a column's name.
    pub(crate) fn is_a(self) -> &'static str {
        match self {
            Self::Text => "is text",
            Self::Number => "is a number",
            Self::Float => "is a floating-point number",
            Self::Date => "is a date",
            Self::Timestamp => "is a timestamp",
            Self::Time => "is a time of day",
            Self::Boolean => "is a boolean",
            Self::Null => "is NULL",
            Self::Other => "is of another type",
        }
    }
}

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
