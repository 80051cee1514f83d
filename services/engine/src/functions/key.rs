//! `normalize_key`: the same key where two systems write it differently.

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use kalla_spelling::nearest;
use unicode_normalization::UnicodeNormalization;

use super::strict_cast;
use super::text::{in_word, is_accent};

/// What two keys may differ in. In whatever order they are written, the rules apply in that of the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// Accents of letters.
    accents: bool,
    /// Upper and lower case.
    case: bool,
    /// All that is neither letter, digit nor blank; blanks in a row count as one.
    punctuation: bool,
    /// Blanks anywhere.
    blanks: bool,
    /// Blanks at both ends.
    trim: bool,
    /// Zeros before the first other letter or digit; what is nothing but zeros is one zero.
    zeros: bool,
}

impl KeyRules {
    const WORDS: [&str; 6] = ["trim", "case", "zeros", "punctuation", "accents", "blanks"];

    /// `None` where nothing is left of `key`: what says nothing is equal to nothing.
    fn apply(self, key: &str) -> Option<String> {
        let mut text = if self.accents && !key.is_ascii() {
            key.nfd().filter(|&c| !is_accent(c)).nfc().collect()
        } else {
            key.to_owned()
        };
        if self.case {
            // Upper case is what makes `ß` equal to `ss`; of `ẞ` it is so after lower case alone.
            text = match text.is_ascii() {
                true => text.to_ascii_lowercase(),
                false => text.to_lowercase().to_uppercase().to_lowercase(),
            };
        }
        if self.punctuation {
            text.retain(|c| in_word(c) || is_blank(c));
            text = text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        }
        if self.blanks {
            text.retain(|c| !is_blank(c));
        }
        let mut rest = text.as_str();
        if self.trim {
            rest = rest.trim_matches(is_blank);
        }
        if self.zeros {
            let digits = rest.trim_start_matches('0');
            // A zero stays before the point of `0.5`, and where there is nothing else.
            let keep = digits.len() < rest.len() && !digits.starts_with(char::is_alphanumeric);
            rest = &rest[rest.len() - digits.len() - usize::from(keep)..];
        }
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

/// White space, and what takes no room at all.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

impl FromStr for KeyRules {
    type Err = String;

    /// Reads `trim,case,zeros`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for word in text.split(',').map(str::trim) {
            match word {
                "trim" => rules.trim = true,
                "case" => rules.case = true,
                "zeros" => rules.zeros = true,
                "punctuation" => rules.punctuation = true,
                "accents" => rules.accents = true,
                "blanks" => rules.blanks = true,
                _ => {
                    let hint =
                        nearest(word, Self::WORDS).map_or_else(String::new, |near| format!("; did you mean {near}?"));
                    return Err(format!(
                        "`{word}` is nothing that keys may differ in: write one or more of {}{hint}",
                        Self::WORDS.join(", ")
                    ));
                }
            }
        }
        Ok(rules)
    }
}

/// Of text, or of integers, which are written as digits.
pub(super) fn normalize(array: &ArrayRef, rules: KeyRules) -> Result<ArrayRef> {
    let texts = strict_cast(array, &DataType::Utf8View)?;
    let mut out = StringViewBuilder::with_capacity(array.len());
    texts.as_string_view().iter().for_each(|key| out.append_option(key.and_then(|key| rules.apply(key))));
    Ok(Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::KeyRules;

    #[test]
    fn keys_that_are_written_differently() {
        for (rules, key, expected) in [
            ("trim", " \u{a0}AB 1\t\u{feff}", Some("AB 1")),
            ("trim", " \u{a0} ", None),
            ("case", "Straße 7", Some("strasse 7")),
            ("case", "STRAẞE 7", Some("strasse 7")),
            ("case", "STRASSE 7", Some("strasse 7")),
            ("case", " a", Some(" a")),
            ("zeros", "000042", Some("42")),
            ("zeros", "0000", Some("0")),
            ("zeros", "0", Some("0")),
            ("zeros", "00A7", Some("A7")),
            ("zeros", "00.50", Some("0.50")),
            ("zeros", "00-12", Some("0-12")),
            ("zeros", "1000", Some("1000")),
            // As it stands: the blank comes first.
            ("zeros", " 07", Some(" 07")),
            ("zeros, trim", " 07", Some("7")),
            ("punctuation", "RE-2024/17.", Some("RE202417")),
            ("punctuation", "(RE)  2024 - 17", Some("RE 2024 17")),
            ("punctuation", "---", None),
            ("blanks", "DE12 3456\u{a0}7890 ", Some("DE1234567890")),
            ("accents", "Müller Ångström", Some("Muller Angstrom")),
            ("accents", "Mu\u{308}ller", Some("Muller")),
            ("trim,case,zeros,punctuation,accents,blanks", " 00-Ré 7 ", Some("re7")),
            ("case", "", None),
        ] {
            assert_eq!(rules.parse::<KeyRules>().unwrap().apply(key).as_deref(), expected, "{rules} {key:?}");
        }
    }

    #[test]
    fn rules_are_words() {
        for wrong in ["", "trim,", "Trim", "spaces"] {
            let message = wrong.parse::<KeyRules>().unwrap_err();
            assert!(message.contains("trim, case, zeros, punctuation, accents, blanks"), "{message}");
        }
        assert!("zero".parse::<KeyRules>().unwrap_err().ends_with("did you mean zeros?"));
    }
}
