#![allow(clippy::unwrap_used)]
use super::*;
use chrono::{DateTime, Datelike, NaiveDate};
use proptest::prelude::*;

#[test]
fn exponents_are_written_out() {
    let cases = [
        ("12", Some("12")),
        ("1e5", Some("100000")),
        ("1.5E3", Some("1500")),
        ("1.25e1", Some("12.5")),
        ("1e-05", Some("0.00001")),
        ("-2.50e-1", Some("-0.25")),
        ("0e9", Some("0")),
        ("1e38", Some("100000000000000000000000000000000000000")),
        ("1e400", None),
        ("1e-400", None),
        ("1e99999999999", None),
    ];
    for (number, expected) in cases {
        assert_eq!(without_exponent(number).as_deref(), expected, "{number}");
    }
}

#[test]
fn by_hand_more_spellings_are_read() {
    assert_eq!(integer_by_hand(b"007"), Some(7));
    assert_eq!(integer_by_hand(b"-000"), Some(0));
    assert_eq!(integer_by_hand(b"+42"), Some(42));
    assert_eq!(integer_by_hand(b"+-42"), None);
    assert_eq!(integer_by_hand(b"4x"), None);
    assert_eq!(number_by_hand(b"0012.50").unwrap(), number(b"12.50").unwrap());
    assert_eq!(boolean_by_hand(b"Yes"), Some(true));
    assert_eq!(boolean_by_hand(b"0"), Some(false));
    assert_eq!(boolean_by_hand(b"2"), None);
    assert_eq!(float(b"-1.5e3"), Some(-1500.0));
    assert_eq!(float(b"inf"), None);
    assert_eq!(float(b"1e999"), None);
}

#[test]
fn every_day_of_ten_thousand_years() {
    let mut day = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    while day.year() < 10_000 {
        let text = day.format("%Y-%m-%d").to_string();
        let days = i32::try_from((day - epoch).num_days()).unwrap();
        assert_eq!(date(text.as_bytes()), Some(days), "{text}");
        day = day.succ_opt().unwrap();
    }
}

proptest! {
    #[test]
    fn integers_are_what_the_standard_library_reads(text in "-?[0-9]{1,21}") {
        let canonical = !text.trim_start_matches('-').starts_with('0') || text.trim_start_matches('-') == "0";
        prop_assert_eq!(integer(text.as_bytes()), text.parse().ok().filter(|_| canonical));
    }

    #[test]
    fn numbers_keep_their_digits(negative: bool, mantissa in 0u128..10u128.pow(30), scale in 0usize..9) {
        let digits = format!("{mantissa:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if negative { "-" } else { "" };
        let text = if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        let number = number(text.as_bytes()).unwrap();
        prop_assert_eq!(number.mantissa, mantissa);
        prop_assert_eq!(usize::from(number.scale), scale);
        prop_assert_eq!(number.negative, negative);
        prop_assert_eq!(usize::from(number.digits), if whole == "0" { 0 } else { whole.len() });
    }

    #[test]
    fn timestamps_are_what_chrono_reads(seconds in -62_135_596_800i64..253_402_300_799, micros in 0u32..1_000_000, east in -1439i32..1439) {
        let time = DateTime::from_timestamp(seconds, micros * 1000).unwrap();
        prop_assume!((2..9998).contains(&time.year()));
        let expected = time.timestamp_micros();
        let local = timestamp(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string().as_bytes());
        prop_assert_eq!(local, Some(Timestamp { micros: expected, offset: false }));
        let zone = chrono::FixedOffset::east_opt(east * 60).unwrap();
        let zoned = timestamp(time.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string().as_bytes());
        prop_assert_eq!(zoned, Some(Timestamp { micros: expected, offset: true }));
    }

    #[test]
    fn nothing_panics(bytes: Vec<u8>, text in "[-+0-9.eT: Z]{0,40}") {
        for field in [bytes.as_slice(), text.as_bytes()] {
            let _ = (integer(field), number(field), boolean(field), date(field), timestamp(field), float(field));
            let _ = (integer_by_hand(field), number_by_hand(field), boolean_by_hand(field));
        }
        let _ = without_exponent(&text);
    }
}
