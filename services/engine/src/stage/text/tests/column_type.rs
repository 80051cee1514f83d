#![allow(clippy::unwrap_used)]
use super::*;

fn class(text: &str) -> Class {
    Class::of(text.as_bytes())
}

fn integer(digits: u8) -> Class {
    Class::Integer { digits }
}

fn decimal(digits: u8, scale: u8) -> Class {
    Class::Decimal { digits, scale }
}

#[test]
fn every_spelling_has_one_class() {
    let longest = "1".repeat(38);
    let fraction = format!("0.{longest}");
    let cases = [
        ("", Class::Null),
        ("0", integer(0)),
        ("-0", integer(0)),
        ("7", integer(1)),
        ("-12", integer(2)),
        ("9223372036854775807", integer(19)),
        ("-9223372036854775808", integer(19)),
        ("9223372036854775808", Class::Text),
        ("-9223372036854775809", Class::Text),
        ("99999999999999999999", Class::Text),
        (longest.as_str(), Class::Text),
        ("007", Class::Text),
        ("00", Class::Text),
        ("-01", Class::Text),
        ("+5", Class::Text),
        ("1,000", Class::Text),
        ("1e5", Class::Text),
        (" 1", Class::Text),
        ("1 ", Class::Text),
        ("-", Class::Text),
        ("--1", Class::Text),
        ("0.5", decimal(0, 1)),
        (".5", decimal(0, 1)),
        ("-.50", decimal(0, 2)),
        ("5.", Class::Text),
        (".", Class::Text),
        ("-.", Class::Text),
        ("1.2.3", Class::Text),
        ("00.5", Class::Text),
        ("01.5", Class::Text),
        ("123.45", decimal(3, 2)),
        ("-123.450", decimal(3, 3)),
        ("1.5e3", Class::Text),
        (fraction.as_str(), decimal(0, 38)),
        ("12345678901234567890.12345", decimal(20, 5)),
        ("true", Class::Boolean),
        ("FALSE", Class::Boolean),
        ("True", Class::Boolean),
        ("t", Class::Text),
        ("yes", Class::Text),
        ("truE ", Class::Text),
        ("2024-02-29", Class::Date),
        ("2023-02-29", Class::Text),
        ("1900-02-29", Class::Text),
        ("2000-02-29", Class::Date),
        ("2024-04-31", Class::Text),
        ("2024-13-01", Class::Text),
        ("2024-00-01", Class::Text),
        ("2024-01-00", Class::Text),
        ("0000-01-01", Class::Text),
        ("0001-01-01", Class::Date),
        ("9999-12-31", Class::Date),
        ("2024-1-01", Class::Text),
        ("20240101", integer(8)),
        ("2024-01-01T10:00", Class::Timestamp),
        ("2024-01-01 10:00:59", Class::Timestamp),
        ("2024-01-01 10:00:59.123456", Class::Timestamp),
        ("2024-01-01 10:00:59.123456000", Class::Timestamp),
        ("2024-01-01 10:00:59.1234567", Class::Text),
        ("2024-01-01 10:00:59.", Class::Text),
        ("2024-01-01 24:00", Class::Text),
        ("2024-01-01 10:60", Class::Text),
        ("2024-01-01 10:00:60", Class::Text),
        ("2024-02-30 10:00:00", Class::Text),
        ("2024-01-01 10", Class::Text),
        ("2024-01-01T10:00Z", Class::TimestampUtc),
        ("2024-01-01T10:00:00+02", Class::TimestampUtc),
        ("2024-01-01T10:00:00.5-05:30", Class::TimestampUtc),
        ("2024-01-01T10:00:00 +02:00", Class::Text),
        ("2024-01-01T10:00:00+2", Class::Text),
        ("N/A", Class::Text),
        ("-abc", Class::Text),
        ("١٢", Class::Text),
    ];
    for (text, expected) in cases {
        assert_eq!(class(text), expected, "{text:?}");
    }
}

#[test]
fn columns_are_the_join_of_their_values() {
    let utc = Some(ColumnType::TimestampUtc);
    let decimal = |precision, scale| Some(ColumnType::Decimal { precision, scale });
    let cases: [(&[&str], Option<ColumnType>); 19] = [
        (&[], None),
        (&["", ""], None),
        (&["1", "", "2"], Some(ColumnType::Integer)),
        (&["1", "1.5"], decimal(18, 1)),
        (&["1.5", "1.25", "7"], decimal(18, 2)),
        (&["1234567890123456.12"], decimal(18, 2)),
        (&["12345678901234567.12"], decimal(38, 2)),
        (&["1234567890123456789", "0.5"], decimal(38, 1)),
        (&["1234567890123456789012345678901234567.1"], decimal(38, 1)),
        (&["1234567890123456789012345678901234567.1", "0.12"], Some(ColumnType::Text)),
        (&["1", "true"], Some(ColumnType::Text)),
        (&["true", "False"], Some(ColumnType::Boolean)),
        (&["2024-01-01", "2024-01-01 10:00"], Some(ColumnType::Timestamp)),
        (&["2024-01-01 10:00Z"], utc),
        (&["2024-01-01 10:00Z", "2024-01-01 10:00"], Some(ColumnType::Text)),
        (&["2024-01-01 10:00Z", "2024-01-01"], Some(ColumnType::Text)),
        (&["2024-01-01", "20240101"], Some(ColumnType::Text)),
        (&["1", "N/A"], Some(ColumnType::Text)),
        (&["1", "007"], Some(ColumnType::Text)),
    ];
    for (values, expected) in cases {
        let joined = values.iter().fold(Class::Null, |class, v| class.join(self::class(v)));
        assert_eq!(joined.column_type(), expected, "{values:?}");
        let backwards = values.iter().rev().fold(Class::Null, |class, v| self::class(v).join(class));
        assert_eq!(backwards.column_type(), expected, "{values:?} backwards");
    }
}

#[test]
fn join_is_a_lattice() {
    let mut all = vec![Class::Null, Class::Boolean, Class::Date, Class::Timestamp, Class::TimestampUtc, Class::Text];
    for digits in [0, 1, 16, 19, 20, 37, 38] {
        all.push(integer(digits.min(19)));
        for scale in [1, 2, 18, 38] {
            if digits + scale <= 38 {
                all.push(decimal(digits, scale));
            }
        }
    }
    for &a in &all {
        assert_eq!(a.join(a), a);
        for &b in &all {
            assert_eq!(a.join(b), b.join(a), "{a:?} {b:?}");
            assert_eq!(a.join(b).join(b), a.join(b), "{a:?} {b:?}");
            for &c in &all {
                assert_eq!(a.join(b).join(c), a.join(b.join(c)), "{a:?} {b:?} {c:?}");
            }
        }
    }
}

#[test]
fn types_in_words() {
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    let cases = [
        ("integer", ColumnType::Integer, "integer"),
        ("decimal(2)", decimal(18, 2), "decimal(18,2)"),
        ("Decimal(38, 4)", decimal(38, 4), "decimal(38,4)"),
        ("decimal(10,2)", decimal(18, 2), "decimal(18,2)"),
        ("float", ColumnType::Float, "float"),
        (" boolean ", ColumnType::Boolean, "boolean"),
        ("date", ColumnType::Date, "date"),
        ("timestamp", ColumnType::Timestamp, "timestamp"),
        ("timestamptz", ColumnType::TimestampUtc, "timestamptz"),
        ("TEXT", ColumnType::Text, "text"),
    ];
    for (text, expected, shown) in cases {
        assert_eq!(text.parse::<ColumnType>().unwrap(), expected);
        assert_eq!(expected.to_string(), shown);
        assert_eq!(shown.parse::<ColumnType>().unwrap(), expected);
    }
    for wrong in ["", "int", "decimal", "decimal()", "decimal(39,2)", "decimal(0,0)", "decimal(18,19)", "decimal(-1)"] {
        assert!(wrong.parse::<ColumnType>().unwrap_err().contains("is not a type"), "{wrong}");
    }
}
