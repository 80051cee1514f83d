//! What workers say, as it is taken in. What they quote of data may hold anything, and not every database keeps it.

use std::borrow::Cow;

const NUL: &str = r"\u0000";
const REPLACEMENT: &str = r"\ufffd";

/// A JSON text, with another character in place of each NUL.
pub fn without_nul(json: &str) -> Cow<'_, str> {
    if !json.contains(NUL) {
        return json.into();
    }
    let (mut clean, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find(NUL) {
        let (before, found) = rest.split_at(at);
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        clean.push_str(before);
        // Behind an odd number of them it is a backslash, and text that looks like this.
        clean.push_str(if backslashes % 2 == 0 { REPLACEMENT } else { NUL });
        rest = &found[NUL.len()..];
    }
    clean.push_str(rest);
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_and_nothing_else() {
        for (text, clean) in [
            (r#"{"a":"x"}"#, r#"{"a":"x"}"#),
            (r#"{"a":"x\u0000y\u0000"}"#, r#"{"a":"x\ufffdy\ufffd"}"#),
            (r#"{"a":"x\\u0000y"}"#, r#"{"a":"x\\u0000y"}"#),
            (r#"{"a":"x\\\u0000y"}"#, r#"{"a":"x\\\ufffdy"}"#),
        ] {
            assert_eq!(without_nul(text), clean);
        }
    }
}
