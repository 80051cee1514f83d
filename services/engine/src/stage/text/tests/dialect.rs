#![allow(clippy::unwrap_used)]
use super::*;

fn layout(text: &str) -> Layout {
    Layout::detect(text.as_bytes(), &ReadOptions::default()).unwrap()
}

#[test]
fn dialects_are_recognised() {
    let cases: [(&str, char, char, bool, &[&str]); 18] = [
        ("a,b\n1,2\n", ',', '"', true, &["a", "b"]),
        ("a;b\n1,5;2,5\n", ';', '"', true, &["a", "b"]),
        ("a\tb c\n1\tx, y\n", '\t', '"', true, &["a", "b c"]),
        ("a|b\nx, y|1\nz|2\n", '|', '"', true, &["a", "b"]),
        ("id%title\n0%Cats, dogs\n1%More, of, them\n", '%', '"', true, &["id", "title"]),
        ("id^title\n0^x\n", '^', '"', true, &["id", "title"]),
        ("id,discount%,tax%\n1,5,7\n2,6,8\n", ',', '"', true, &["id", "discount%", "tax%"]),
        ("\"a;b\",\"c\"\n\"1;2\",\"3\"\n", ',', '"', true, &["a;b", "c"]),
        ("a,b\n'tis,so\n", ',', '"', true, &["a", "b"]),
        ("1,2024-01-01\n2,2024-01-02\n", ',', '"', false, &["column_1", "column_2"]),
        ("1,x\n2,y\n", ',', '"', true, &["1", "x"]),
        ("2023,2024\n", ',', '"', true, &["2023", "2024"]),
        ("a\n1\n2\n", ',', '"', true, &["a"]),
        (" id , amount \n1,2\n", ',', '"', true, &["id", "amount"]),
        ("a,,c\n1,2,3\n", ',', '"', true, &["a", "column_2", "c"]),
        ("\n\na,b\n1,2\n", ',', '"', true, &["a", "b"]),
        ("a,b\r1,2\r", ',', '"', true, &["a", "b"]),
        ("\"say \"\"hi\"\"\",b\n1,2\n", ',', '"', true, &["say \"hi\"", "b"]),
    ];
    for (text, delimiter, quote, header, names) in cases {
        let found = layout(text);
        assert_eq!(char::from(found.separators.delimiter), delimiter, "{text:?}");
        assert_eq!(found.separators.quote.map(char::from), Some(quote), "{text:?}");
        assert_eq!(found.header, header, "{text:?}");
        assert_eq!(found.names, names, "{text:?}");
    }
}

#[test]
fn a_header_that_looks_like_the_rows_is_noticed() {
    for (text, like) in [
        ("INV-1\nINV-2\nINV-30\n", true),
        ("1,x\n2,y\n", true),
        ("KD 7,EUR\nKD 18,USD\n", true),
        ("ref\nINV-2\n", false),
        ("name\nmeier\nschulz\n", false),
        ("x1\nINV-2\n", false),
        ("INV-1,amount\nINV-2,7.20\n", false),
        ("INV-1\n", false),
        ("INV-1,\nINV-2,\n", false),
    ] {
        assert_eq!(layout(text).header_like_rows, like, "{text:?}");
    }
    let options = ReadOptions { header: Some(true), ..Default::default() };
    assert!(!Layout::detect(b"INV-1\nINV-2\n", &options).unwrap().header_like_rows);
}

#[test]
fn ragged_rows_do_not_hide_the_delimiter() {
    let text = format!("a,b,c\n{}{}", "1,2,3\n".repeat(6), "1,2\n".repeat(4));
    assert_eq!(layout(&text).names, ["a", "b", "c"]);
    assert_eq!(layout("a,b,c\n1,2\n1,2\n").names, ["a", "b", "c"]);
}

#[test]
fn the_data_starts_after_the_header() {
    let found = layout("\n\"a\nb\",c\n1,2\n");
    assert_eq!((found.skip, found.skip_lines), (9, 3));
    assert_eq!(layout("1,2\n3,4\n").skip, 0);
}

#[test]
fn options_win() {
    let options = ReadOptions { delimiter: Some(b';'), header: Some(false), quote: Some(None), ..Default::default() };
    let found = Layout::detect(b"a,b;\"c\n", &options).unwrap();
    assert_eq!(found.names, ["column_1", "column_2"]);
    assert_eq!(found.separators, Separators { delimiter: b';', quote: None, terminator: b'\n', trim: false });
    let options = ReadOptions { header: Some(true), ..Default::default() };
    assert_eq!(Layout::detect(b"1,2\n3,4\n", &options).unwrap().names, ["1", "2"]);
}

#[test]
fn what_is_wrong_with_a_head() {
    let wrong = |text: &[u8]| Layout::detect(text, &ReadOptions::default()).unwrap_err();
    assert_eq!(wrong(b""), LayoutError::Empty);
    assert_eq!(wrong(b"\n\r\n"), LayoutError::Empty);
    assert_eq!(wrong(b"\"a,b\n1,2\n"), LayoutError::NoRecord);
    let LayoutError::Header(line, reason) = wrong(b"\na,b,a \n") else { panic!() };
    assert_eq!((line, reason.as_str()), (2, "the columns 1 and 3 are both named `a`: rename one"));
    assert!(matches!(wrong(b"\xFC,\n"), LayoutError::Header(1, _)));
}
