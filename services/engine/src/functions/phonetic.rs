//! `soundex`, `dmetaphone` and `dmetaphone_alt`: codes of how a name sounds in English.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use datafusion::common::Result;
use rphonetic::{DoubleMetaphone, Encoder as _, Soundex};

use super::text::{normalized, texts};

/// Which code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// American Soundex: a letter and three digits.
    Soundex,
    /// The likeliest of Double Metaphone, at most four letters.
    Metaphone,
    /// The other one, which is often the same.
    Alternate,
}

pub(super) fn codes(array: &ArrayRef, code: Code) -> Result<ArrayRef> {
    let codes = texts(array)?.map(|text| text.map(|text| of(text, code)));
    Ok(Arc::new(codes.collect::<StringArray>()))
}

/// The codes know the letters A to Z: accents come off, and whatever is no such letter is left out.
fn of(text: &str, code: Code) -> String {
    let letters: String = normalized(text).chars().filter(char::is_ascii_lowercase).collect();
    match code {
        Code::Soundex => Soundex::default().encode(&letters),
        Code::Metaphone => DoubleMetaphone::default().encode(&letters),
        Code::Alternate => DoubleMetaphone::default().encode_alternate(&letters),
    }
}
