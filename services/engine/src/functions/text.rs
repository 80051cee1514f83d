//! `normalize_text` and `similarity`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, LargeStringArray, StringArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

pub(super) fn normalize(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8 => Arc::new(array.as_string::<i32>().iter().map(|s| s.map(normalized)).collect::<StringArray>()),
        DataType::LargeUtf8 => {
            Arc::new(array.as_string::<i64>().iter().map(|s| s.map(normalized)).collect::<LargeStringArray>())
        }
        DataType::Utf8View => {
            Arc::new(array.as_string_view().iter().map(|s| s.map(normalized)).collect::<StringViewArray>())
        }
        other => return exec_err!("normalize_text: {other} is not text"),
    })
}

/// Lower case, accents off their letters, everything that is neither letter nor digit removed, white space as single
/// blanks, none at the ends: `"  Müller & Söhne, GmbH "` becomes `"muller sohne gmbh"`.
pub(super) fn normalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        push_words(text.chars(), &mut out);
        return out;
    }
    let folded: String = text
        .nfkd()
        // Before `nfc`, which puts marks into their order: one that is left without the sign before it moves to a letter.
        .filter(|&c| c.is_whitespace() || (in_word(c) && !is_accent(c)))
        // Upper case is what makes `ß` equal to `ss` and the two small sigmas equal; of `ẞ` it is so after lower case alone.
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect();
    push_words(folded.chars(), &mut out);
    out
}

fn push_words(chars: impl Iterator<Item = char>, out: &mut String) {
    let mut blank = false;
    for c in chars {
        if c.is_whitespace() {
            blank = !out.is_empty();
        } else if in_word(c) {
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            out.push(c.to_ascii_lowercase());
        }
    }
}

pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Accents of Latin, Greek and Cyrillic letters. The marks of other scripts stand for sounds and stay.
pub(super) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

pub(super) fn similarity(a: &ArrayRef, b: &ArrayRef) -> Result<Float64Array> {
    let (a, b) = (texts(a)?, texts(b)?);
    Ok(a.zip(b).map(|(a, b)| Some(jaro_winkler(a?, b?))).collect())
}

/// Symmetric by construction: which text comes first must not decide about a match.
fn jaro_winkler(a: &str, b: &str) -> f64 {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    strsim::jaro_winkler(first, second)
}

pub(super) fn texts(array: &ArrayRef) -> Result<Box<dyn Iterator<Item = Option<&str>> + '_>> {
    Ok(match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter()),
        DataType::Utf8View => Box::new(array.as_string_view().iter()),
        other => return exec_err!("{other} is not text"),
    })
}
