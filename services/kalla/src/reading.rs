//! How a source is read: `--left-options`, `--left-type` and `--left-where` as the engine's values.

use kalla_engine::job::{FileFormat, Filter, FilterOp, FilterValue, ReadOptions};

use crate::sql;

/// Reads `name=value,name=value` lists and `COLUMN=TYPE` pairs; all that is wrong with them at once.
pub fn options(lists: &[String], types: &[String]) -> Result<ReadOptions, Vec<String>> {
    let mut options = ReadOptions::default();
    let mut wrong = Vec::new();
    for list in lists {
        let mut rest = list.as_str();
        while !rest.trim().is_empty() {
            let (item, next) = first_item(rest);
            rest = next;
            if let Err(message) = set(&mut options, item) {
                wrong.push(message);
            }
        }
    }
    for text in types {
        match column_type(text) {
            Ok((column, parsed)) => drop(options.types.insert(column, parsed)),
            Err(message) => wrong.push(message),
        }
    }
    if wrong.is_empty() { Ok(options) } else { Err(wrong) }
}

/// Up to the next comma; a comma right after the `=` is the value itself.
fn first_item(list: &str) -> (&str, &str) {
    let value = list.find('=').map_or(0, |at| at + 1);
    let from = if list[value..].starts_with(',') { value + 1 } else { 0 };
    match list[from..].find(',') {
        Some(comma) => (&list[..from + comma], &list[from + comma + 1..]),
        None => (list, ""),
    }
}

fn set(options: &mut ReadOptions, item: &str) -> Result<(), String> {
    let (name, value) =
        item.split_once('=').ok_or_else(|| format!("`{item}`: write NAME=VALUE, such as delimiter=; or header=no"))?;
    match name.trim() {
        "format" => match value.trim().to_ascii_lowercase().as_str() {
            "csv" => options.format = Some(FileFormat::Csv),
            "tsv" => {
                options.format = Some(FileFormat::Csv);
                options.delimiter = Some(b'\t');
            }
            "parquet" => options.format = Some(FileFormat::Parquet),
            "ndjson" | "jsonl" => options.format = Some(FileFormat::Ndjson),
            _ => return Err(format!("format=`{value}`: csv, tsv, ndjson and parquet are known")),
        },
        "delimiter" => {
            options.delimiter = Some(match value {
                "tab" | "\\t" => b'\t',
                "comma" => b',',
                "semicolon" => b';',
                "pipe" => b'|',
                "space" => b' ',
                other => one_byte("delimiter", other)?,
            });
        }
        "quote" => options.quote = Some(if value == "none" { None } else { Some(one_byte("quote", value)?) }),
        "header" => options.header = Some(yes_or_no("header", value)?),
        "trim" => options.trim = yes_or_no("trim", value)?,
        "encoding" => options.encoding = Some(value.trim().parse().map_err(|e| format!("encoding=`{value}`: {e}"))?),
        "nulls" => options.nulls.extend(value.split('|').map(str::to_owned)),
        name => {
            return Err(format!(
                "there is no option `{name}`: format, delimiter, quote, header, trim, encoding and nulls are known"
            ));
        }
    }
    Ok(())
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, String> {
    match value.trim() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{name}=`{value}`: write yes or no")),
    }
}

fn one_byte(name: &str, value: &str) -> Result<u8, String> {
    match value.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(format!("{name}=`{value}`: one ASCII character is wanted")),
    }
}

fn column_type(text: &str) -> Result<(String, kalla_engine::job::ColumnType), String> {
    let (column, rest) = sql::name(text, "=")?;
    let value = rest.strip_prefix('=').ok_or_else(|| format!("`{text}`: write COLUMN=TYPE"))?.trim();
    Ok((column, value.parse().map_err(|e| format!("`{text}`: {e}"))?))
}

const SYMBOLS: &[(&str, FilterOp)] = &[
    ("!=", FilterOp::Neq),
    ("<>", FilterOp::Neq),
    (">=", FilterOp::Gte),
    ("<=", FilterOp::Lte),
    ("==", FilterOp::Eq),
    ("=", FilterOp::Eq),
    (">", FilterOp::Gt),
    ("<", FilterOp::Lt),
];

const WORDS: &[(&str, FilterOp)] = &[
    (" in ", FilterOp::In),
    (" between ", FilterOp::Between),
    (" like ", FilterOp::Like),
    (" contains ", FilterOp::Contains),
];

/// Reads `amount>=1000`, `status in open,late`, `day between 2026-01-01 and 2026-01-31`, `name like 'A%'`,
/// `name contains acme`, `paid is null`, `paid is not null`.
pub fn filter(text: &str) -> Result<Filter, String> {
    for (words, null) in [(" is not null", false), (" is null", true)] {
        let lower = text.trim_end().to_ascii_lowercase();
        if let Some(column) = lower.strip_suffix(words).and_then(|column| text.get(..column.len())) {
            let (column, _) = sql::name(column, "")?;
            return Ok(Filter { column, op: FilterOp::IsNull, values: vec![FilterValue::Bool(null)] });
        }
    }
    let wrong = || format!("`{text}`: write it like amount>=1000, status in open,late or name like 'A%'");
    let (column, rest) = if text.trim_start().starts_with('"') {
        let (column, rest) = sql::name(text, "")?;
        (column, format!(" {rest}"))
    } else {
        let at = operator_at(text).ok_or_else(wrong)?;
        (text[..at].trim().to_owned(), text[at..].to_owned())
    };
    let (op, value) = operator(&rest).ok_or_else(wrong)?;
    if column.is_empty() || value.is_empty() {
        return Err(wrong());
    }
    let values = match op {
        FilterOp::In => {
            items(value.trim_start_matches('(').trim_end_matches(')'), ",").iter().map(|v| one(v)).collect()
        }
        FilterOp::Between => match items(value, " and ").as_slice() {
            [low, high] => vec![one(low), one(high)],
            _ => return Err(format!("`{text}`: write COLUMN between LOW and HIGH")),
        },
        FilterOp::Like | FilterOp::Contains => {
            vec![FilterValue::Text(unquoted(value).unwrap_or_else(|| value.to_owned()))]
        }
        _ => vec![one(value)],
    };
    Ok(Filter { column, op, values })
}

fn operator_at(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let symbol = text.find(['=', '<', '>', '!']);
    let word = WORDS.iter().filter_map(|(word, _)| lower.find(word)).min();
    [symbol, word].into_iter().flatten().min()
}

fn operator(rest: &str) -> Option<(FilterOp, &str)> {
    let lower = rest.to_ascii_lowercase();
    if let Some((word, op)) = WORDS.iter().find(|(word, _)| lower.starts_with(word)) {
        return Some((*op, rest[word.len()..].trim()));
    }
    let rest = rest.trim();
    SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)).map(|(symbol, op)| (*op, rest[symbol.len()..].trim()))
}

/// Cuts at `separator`, in any case and outside single quotes.
fn items<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let lower = text.to_ascii_lowercase();
    let (mut items, mut from, mut quoted) = (Vec::new(), 0, false);
    for (i, byte) in text.bytes().enumerate() {
        quoted ^= byte == b'\'';
        if !quoted && i >= from && lower.as_bytes()[i..].starts_with(separator.as_bytes()) {
            items.push(text[from..i].trim());
            from = i + separator.len();
        }
    }
    items.push(text[from..].trim());
    items
}

/// In single quotes: a text. Otherwise what it looks like; digits that start with a zero are a code, so a text.
fn one(text: &str) -> FilterValue {
    if let Some(inner) = unquoted(text) {
        return FilterValue::Text(inner);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0')) {
        return FilterValue::Number(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "true" => FilterValue::Bool(true),
        "false" => FilterValue::Bool(false),
        _ => FilterValue::Text(text.to_owned()),
    }
}

fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.replace("''", "'"))
}

#[cfg(test)]
mod tests;
