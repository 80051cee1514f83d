//! Recipe files: YAML or JSON in the shape of the contract, and their sources as the engine's values.

use std::io::Read as _;

use kalla_engine::job::{FileFormat, Filter, FilterOp, FilterValue, ReadOptions};
use kalla_engine::stage::text::Encoding;
use kalla_engine::{Error, Violation};
use kalla_proto::json::{check_fields, from_json_strict};
use kalla_proto::v1;

pub use kalla_proto::v1::{Recipe, RecipeSource};

/// Reads the recipe at `path`. Unknown fields are errors, so that a misspelt one is not silently without effect.
pub fn load(path: &str) -> Result<Recipe, Error> {
    let at = |field: &str| if field.is_empty() { format!("recipe {path}") } else { format!("recipe {path}: {field}") };
    let wrong = |message: String| Error::Invalid(vec![Violation::new(at(""), message)]);
    let text = read_text(path).map_err(|e| wrong(e.to_string()))?;
    let read = if text.trim_start().starts_with('{') {
        from_json_strict(&text)
    } else {
        // Read twice, as names and as values: a number that passes through JSON's values may lose digits.
        let names = serde_saphyr::from_str(&text).map_err(|e| wrong(first_line(&e.to_string())))?;
        let unknown = check_fields::<Recipe>(&names);
        let recipe = serde_saphyr::from_str(&text).map_err(|e| wrong(first_line(&e.to_string())));
        if unknown.is_empty() { Ok(recipe?) } else { Err(unknown) }
    };
    read.map_err(|errors| Error::Invalid(errors.into_iter().map(|e| Violation::new(at(&e.path), e.message)).collect()))
}

/// A file as text; `-` is the standard input.
pub fn read_text(path: &str) -> std::io::Result<String> {
    if path != "-" {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// The filters of a recipe's source; what is wrong with each as `(index, message)`.
pub fn filters(source: &RecipeSource) -> Result<Vec<Filter>, Vec<(usize, String)>> {
    let read: Vec<_> = source.filters.iter().map(filter).collect();
    let wrong: Vec<_> =
        read.iter().enumerate().filter_map(|(i, r)| r.as_ref().err().map(|message| (i, message.clone()))).collect();
    if wrong.is_empty() { Ok(read.into_iter().flatten().collect()) } else { Err(wrong) }
}

fn filter(filter: &v1::Filter) -> Result<Filter, String> {
    use v1::FilterOp as Wire;
    let op = match filter.op() {
        Wire::Unspecified => return Err("`op` is missing".to_owned()),
        Wire::Eq => FilterOp::Eq,
        Wire::Neq => FilterOp::Neq,
        Wire::Gt => FilterOp::Gt,
        Wire::Gte => FilterOp::Gte,
        Wire::Lt => FilterOp::Lt,
        Wire::Lte => FilterOp::Lte,
        Wire::Between => FilterOp::Between,
        Wire::In => FilterOp::In,
        Wire::Like => FilterOp::Like,
    };
    let missing = || "`value` is missing".to_owned();
    let values = match filter.value.as_ref().and_then(|v| v.kind.as_ref()).ok_or_else(missing)? {
        v1::filter_value::Kind::List(list) => list
            .values
            .iter()
            .map(|v| v.kind.as_ref().and_then(scalar).ok_or_else(missing))
            .collect::<Result<_, _>>()?,
        kind => scalar(kind).into_iter().collect(),
    };
    Ok(Filter { column: filter.column.clone(), op, values })
}

fn scalar(kind: &v1::filter_value::Kind) -> Option<FilterValue> {
    match kind {
        v1::filter_value::Kind::Text(text) => Some(FilterValue::Text(text.clone())),
        v1::filter_value::Kind::Number(digits) => Some(FilterValue::Number(digits.clone())),
        v1::filter_value::Kind::Boolean(value) => Some(FilterValue::Bool(*value)),
        v1::filter_value::Kind::List(_) => None,
    }
}

/// The reading options of a recipe's source; everything that is wrong with them.
pub fn options(source: &RecipeSource) -> Result<ReadOptions, Vec<String>> {
    let Some(wire) = &source.options else { return Ok(ReadOptions::default()) };
    let mut wrong = Vec::new();
    let mut byte = |name: &str, text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => {
            wrong.push(format!("{name} `{text}`: one ASCII character is wanted"));
            None
        }
    };
    let mut options = ReadOptions {
        format: match wire.format() {
            v1::FileFormat::Unspecified => None,
            v1::FileFormat::Csv => Some(FileFormat::Csv),
            v1::FileFormat::Parquet => Some(FileFormat::Parquet),
            v1::FileFormat::Ndjson => Some(FileFormat::Ndjson),
        },
        delimiter: wire.delimiter.as_deref().and_then(|text| byte("delimiter", text)),
        quote: wire.quote.as_deref().map(|text| if text.is_empty() { None } else { byte("quote", text) }),
        header: wire.header,
        encoding: match wire.encoding() {
            v1::Encoding::Unspecified => None,
            v1::Encoding::Utf8 => Some(Encoding::Utf8),
            v1::Encoding::Utf16le => Some(Encoding::Utf16Le),
            v1::Encoding::Utf16be => Some(Encoding::Utf16Be),
            v1::Encoding::Windows1252 => Some(Encoding::Windows1252),
        },
        nulls: wire.nulls.clone(),
        types: Default::default(),
    };
    for (column, text) in &wire.types {
        match text.parse() {
            Ok(parsed) => drop(options.types.insert(column.clone(), parsed)),
            Err(e) => wrong.push(format!("type of `{column}`: {e}")),
        }
    }
    if wrong.is_empty() { Ok(options) } else { Err(wrong) }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
