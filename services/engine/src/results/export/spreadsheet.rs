//! Text that a spreadsheet would run, made harmless: whoever opens a file looks at it and starts nothing.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::results::cast;

/// What spreadsheets take for the beginning of a formula, or pass over before they look for one.
const BEGINNINGS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Columns of text and all names, with an apostrophe before what would be a formula.
pub fn defuse(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let column = if is_text(field.data_type()) { harmless(column)? } else { Arc::clone(column) };
        fields.push(Field::new(defused(field.name()), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn harmless(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    if !texts.iter().flatten().any(is_formula) {
        return Ok(Arc::clone(column));
    }
    let defused: StringArray = texts.iter().map(|text| text.map(defused)).collect();
    Ok(Arc::new(defused))
}

fn defused(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// A number with a sign is none.
fn is_formula(text: &str) -> bool {
    let Some(unsigned) = text.strip_prefix(BEGINNINGS) else { return false };
    let is_number = text.starts_with(['+', '-'])
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.replace(['.', ','], "").parse::<f64>().is_ok();
    !is_number
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn formulas_begin_with_what_a_number_does_not() {
        let formulas = [
            "=1+1",
            "=HYPERLINK(\"http://x\")",
            "@SUM(1)",
            "+1+cmd|' /C calc'!A0",
            "-2+3",
            "-",
            "+",
            "-.",
            "-,5",
            "\t=1",
            "\r=1",
            "-12.50 EUR",
            "+49 30 1234",
        ];
        for text in formulas {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["", "1", "-1", "-12.50", "+1,234.56", "-1.234,56", "-.5", "-1e-5", "a=1", " -", "'=1", "Müller"] {
            assert_eq!(defused(text), text);
        }
    }

    #[test]
    fn text_of_every_kind_is_defused_and_nothing_else() {
        let dictionary: DictionaryArray<Int32Type> = ["=1", "a"].into_iter().collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("=name", Arc::new(StringArray::from(vec![Some("=1"), None]))),
            ("view", Arc::new(StringViewArray::from(vec!["@a", "b"]))),
            ("dictionary", Arc::new(dictionary)),
            ("number", Arc::new(Int64Array::from(vec![-1, 2]))),
        ];
        let batch = defuse(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let csv = String::from_utf8(crate::write::encode_csv(&[batch], true).unwrap()).unwrap();
        assert_eq!(csv, "'=name,view,dictionary,number\n'=1,'@a,'=1,-1\n,b,a,2\n");
    }
}
