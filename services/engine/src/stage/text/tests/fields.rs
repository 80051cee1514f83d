use super::super::chunks::{Ending, last_record_end};
use super::*;
use proptest::prelude::*;

const COMMAS: Separators = Separators { delimiter: b',', quote: Some(b'"'), terminator: b'\n', trim: false };

/// The rules once more, byte by byte: rows of fields, quoted ones unescaped, and whether a closing quote was followed
/// by something else.
fn plainly(text: &[u8], separators: Separators) -> Vec<(Vec<Vec<u8>>, bool)> {
    let Separators { delimiter, quote, terminator, .. } = separators;
    let (mut rows, mut fields, mut bad) = (Vec::new(), Vec::new(), false);
    let mut at = 0;
    while at < text.len() {
        let mut field = Vec::new();
        if Some(text[at]) == quote {
            at += 1;
            loop {
                if Some(text[at]) == quote && text.get(at + 1).copied() == quote {
                    field.push(text[at]);
                    at += 2;
                } else if Some(text[at]) == quote {
                    at += 1;
                    break;
                } else {
                    field.push(text[at]);
                    at += 1;
                }
            }
            let rest = &text[at..];
            bad |= !(rest[0] == delimiter || rest[0] == terminator || rest.starts_with(b"\r\n"));
        }
        while text[at] != delimiter && text[at] != terminator {
            field.push(text[at]);
            at += 1;
        }
        let ends = text[at] == terminator;
        if ends && terminator == b'\n' && field.last() == Some(&b'\r') && text[at - 1] == b'\r' {
            field.pop();
        }
        fields.push(field);
        at += 1;
        if ends {
            rows.push((std::mem::take(&mut fields), std::mem::take(&mut bad)));
        }
    }
    rows
}

fn indexed(text: &[u8], separators: Separators, rows_at_once: usize) -> Vec<(Vec<Vec<u8>>, bool)> {
    let mut index = FieldIndex::new(separators);
    let (mut at, mut out) = (0, Vec::new());
    while at < text.len() {
        let next = index.scan(text, at, rows_at_once);
        assert!(next > at);
        for row in index.rows() {
            let mut fields = Vec::new();
            let mut spans = Vec::new();
            for column in 0..row.fields() {
                index.column(text, &[row], column, row.fields(), &mut spans);
                let mut field = Vec::new();
                match separators.quote {
                    Some(quote) if has_doubled_quotes(text, spans[0], quote) => {
                        push_unescaped(spans[0].of(text), quote, &mut field);
                    }
                    _ => field.extend_from_slice(spans[0].of(text)),
                }
                fields.push(field);
            }
            let span = index.row_span(text, row);
            let bad = index.bad_quotes.iter().any(|at| (span.start..span.end).contains(at));
            out.push((fields, bad));
        }
        at = next;
    }
    out
}

fn words(rows: Vec<(Vec<Vec<u8>>, bool)>) -> Vec<Vec<String>> {
    rows.into_iter().map(|(r, _)| r.into_iter().map(|f| String::from_utf8_lossy(&f).into_owned()).collect()).collect()
}

#[test]
fn rows_and_fields() {
    let cases: [(&str, &[&[&str]]); 10] = [
        ("a,b\n1,2\n", &[&["a", "b"], &["1", "2"]]),
        ("a,b\r\n1,2\r\n", &[&["a", "b"], &["1", "2"]]),
        ("\"x,y\",\"l\nm\"\n", &[&["x,y", "l\nm"]]),
        ("\"a\"\"b\",\"\"\"\"\n", &[&["a\"b", "\""]]),
        ("5\" pipe,6\"\"\n", &[&["5\" pipe", "6\"\""]]),
        ("\"\",,\n", &[&["", "", ""]]),
        ("\n\nx\n", &[&[""], &[""], &["x"]]),
        ("\"q\"\r\n\"r\"\r\n", &[&["q"], &["r"]]),
        ("a\rb,c\r\n", &[&["a\rb", "c"]]),
        ("\"a\r\nb\",\"\r\"\r\n", &[&["a\r\nb", "\r"]]),
    ];
    for (text, expected) in cases {
        assert_eq!(words(indexed(text.as_bytes(), COMMAS, 1)), expected, "{text:?}");
    }
    let mac = Separators { delimiter: b';', quote: None, terminator: b'\r', trim: false };
    assert_eq!(words(indexed(b"a;b\r\"1;2\r", mac, 10)), [["a", "b"], ["\"1", "2"]]);
}

#[test]
fn blanks_around_fields() {
    let trimmed = Separators { trim: true, ..COMMAS };
    let cases: [(&str, &[&[&str]]); 7] = [
        ("a , b\t,  c\r\n", &[&["a", "b", "c"]]),
        ("1, \"x, y\" ,3\n", &[&["1", "x, y", "3"]]),
        ("1, \"l\nm\"\t\r\n 2 ,n\n", &[&["1", "l\nm"], &["2", "n"]]),
        ("\" a \", \"b\"\"c\"\n", &[&[" a ", "b\"c"]]),
        ("  ,\t,\n", &[&["", "", ""]]),
        (" a b , 5\" \n", &[&["a b", "5\""]]),
        ("x\n \n", &[&["x"], &[""]]),
    ];
    for (text, expected) in cases {
        assert_eq!(words(indexed(text.as_bytes(), trimmed, 1)), expected, "{text:?}");
        let rows: Vec<bool> = indexed(text.as_bytes(), trimmed, 10).into_iter().map(|(_, bad)| bad).collect();
        assert!(rows.iter().all(|bad| !bad), "{text:?}");
        // The cutter sees the same records.
        assert_eq!(last_record_end(text.as_bytes(), trimmed), Ending { end: text.len(), open_quote: None }, "{text:?}");
    }
    let tabs = Separators { delimiter: b'\t', ..trimmed };
    assert_eq!(words(indexed(b"a \t\t b\n", tabs, 1)), [["a", "", "b"]]);
    let text = "a, \"open\n";
    assert_eq!(last_record_end(text.as_bytes(), trimmed), Ending { end: 0, open_quote: Some(3) });
    assert_eq!(last_record_end(text.as_bytes(), COMMAS), Ending { end: text.len(), open_quote: None });
}

#[test]
fn text_after_a_closing_quote_is_bad() {
    let text = b"\"a\"x,b\n\"c\",d\n\"e\" ,f\n";
    let bad: Vec<bool> = indexed(text, COMMAS, 10).into_iter().map(|(_, bad)| bad).collect();
    assert_eq!(bad, [true, false, true]);
}

/// Fields with everything that matters in them, each record closed.
fn record() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        "[a-c]{0,3}",
        "[a-c\"]{0,4}".prop_map(|s| s.trim_start_matches('"').to_owned()),
        "[a-c,\n\r\"]{0,6}".prop_map(|s| format!("\"{}\"", s.replace('"', "\"\""))),
        "[a-c,\n\"]{0,6}".prop_map(|s| format!("\"{}\"x", s.replace('"', "\"\""))),
        "[a-z ]{0,90}",
    ];
    (proptest::collection::vec(field, 1..6), prop_oneof!["\n", "\r\n"])
        .prop_map(|(fields, end)| fields.join(",") + &end)
}

proptest! {
    #[test]
    fn blocks_change_nothing(records in proptest::collection::vec(record(), 1..40), rows in 1usize..20) {
        let text = records.concat();
        let expected = plainly(text.as_bytes(), COMMAS);
        let found = indexed(text.as_bytes(), COMMAS, rows);
        prop_assert_eq!(found.iter().map(|r| r.1).collect::<Vec<_>>(), expected.iter().map(|r| r.1).collect::<Vec<_>>());
        for (found, expected) in found.iter().zip(&expected).filter(|(row, _)| !row.1) {
            prop_assert_eq!(&found.0, &expected.0);
        }
    }

    #[test]
    fn the_cutter_follows_the_same_rules(records in proptest::collection::vec(record(), 1..20), cut in 0usize..400) {
        let text = records.concat();
        let head = &text.as_bytes()[..cut.min(text.len())];
        let mut index = FieldIndex::new(COMMAS);
        let whole = index.scan(head, 0, usize::MAX);
        // At the very end a closing quote cannot be told from the first of two.
        let end = last_record_end(head, COMMAS);
        prop_assert_eq!(end.end, whole);
    }
}
