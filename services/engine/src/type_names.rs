//! What types are called: in the contract and in reports, in sentences, and in SQL.

use arrow::datatypes::DataType;

/// `integer`, `decimal(18,2)`, `timestamp`, …; Arrow's own name for what has no everyday one.
pub fn type_name(data_type: &DataType) -> String {
    if let Some((precision, scale)) = decimal(data_type) {
        return format!("decimal({precision},{scale})");
    }
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "integer".to_owned(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "unsigned integer".to_owned(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".to_owned(),
        other => other.to_string(),
    }
}

/// What a value of the type looks like, with its article: "`abc` is not an integer of at most 64 bits".
pub fn a_value_of(data_type: &DataType) -> String {
    if let Some((precision, scale)) = decimal(data_type) {
        return format!("a decimal of at most {precision} digits, {scale} of them after the point");
    }
    match data_type {
        DataType::Int64 => "an integer of at most 64 bits".to_owned(),
        integer if integer.is_integer() => "an integer".to_owned(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "a number".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Boolean => "a boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "a date (YYYY-MM-DD)".to_owned(),
        DataType::Timestamp(_, None) => "a timestamp without offset (YYYY-MM-DD HH:MM:SS)".to_owned(),
        DataType::Timestamp(_, Some(_)) => "a timestamp with an offset (YYYY-MM-DDTHH:MM:SSZ)".to_owned(),
        other => format!("of type {other}"),
    }
}

/// The type's name in SQL.
pub fn sql_type(data_type: &DataType) -> String {
    if let Some((precision, scale)) = decimal(data_type) {
        return format!("DECIMAL({precision},{scale})");
    }
    let name = match TypeKind::of(data_type) {
        _ if data_type.is_integer() => "BIGINT",
        TypeKind::Text => "VARCHAR",
        TypeKind::Float => "DOUBLE",
        TypeKind::Date => "DATE",
        TypeKind::Timestamp if matches!(data_type, DataType::Timestamp(_, Some(_))) => "TIMESTAMPTZ",
        TypeKind::Timestamp => "TIMESTAMP",
        TypeKind::Time => "TIME",
        TypeKind::Boolean => "BOOLEAN",
        TypeKind::Number | TypeKind::Null | TypeKind::Other => return sql_type(&EXACT),
    };
    name.to_owned()
}

/// Precision and scale.
pub fn decimal(data_type: &DataType) -> Option<(u8, i8)> {
    match *data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Some((precision, scale)),
        _ => None,
    }
}

/// A decimal for values whose digits nobody has counted: a cast rounds what does not fit, without a word.
pub const EXACT: DataType = DataType::Decimal128(38, 10);

/// Whether values are spans of time: intervals, and what lies between two timestamps.
pub fn is_span(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// The families of types between which SQL must not convert silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
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
    pub fn of(data_type: &DataType) -> Self {
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
    pub fn is_a(self) -> &'static str {
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

    pub fn plural(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number | Self::Float => "numbers",
            Self::Date => "dates",
            Self::Timestamp => "timestamps",
            Self::Time => "times",
            Self::Boolean => "booleans",
            Self::Null | Self::Other => "values",
        }
    }
}
