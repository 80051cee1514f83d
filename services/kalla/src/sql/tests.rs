#![allow(clippy::unwrap_used)]

use kalla_engine::job::{Alike, ComparedColumn};

use super::*;

fn sql(conditions: &[Condition]) -> String {
    match_sql(&Asked { conditions, ..Asked::default() }, &Columns::default()).sql
}

#[test]
fn a_join_with_every_condition() {
    let conditions = [
        equal("invoice_id=reference_number").unwrap(),
        equal("currency").unwrap(),
        tolerance("amount=paid_amount:0.02").unwrap(),
        tolerance("fee:2%").unwrap(),
        days("invoice_date=payment_date:3").unwrap(),
        similar("name=payee:0.9").unwrap(),
    ];
    let keys = (["invoice_id".to_owned()], ["payment_id".to_owned()]);
    let asked = Asked { conditions: &conditions, left_key: &keys.0, right_key: &keys.1, ..Asked::default() };
    assert_eq!(
        match_sql(&asked, &Columns::default()).sql,
        "\
SELECT
    l.invoice_id,
    r.payment_id,
    r.reference_number,
    l.currency,
    l.amount,
    r.paid_amount,
    l.fee,
    r.fee AS right_fee,
    l.invoice_date,
    r.payment_date,
    l.name,
    r.payee
FROM left_src AS l
JOIN right_src AS r
  ON l.invoice_id = r.reference_number
 AND l.currency = r.currency
 AND tolerance_match(l.amount, r.paid_amount, 0.02)
 AND tolerance_pct(l.fee, r.fee, 2)
 AND date_within(l.invoice_date, r.payment_date, 3)
 AND similarity(normalize_text(l.name), normalize_text(r.payee)) >= 0.9"
    );
}

#[test]
fn names_that_need_quotes() {
    let cases = [
        ("id", "id"),
        ("_row2", "_row2"),
        ("Invoice ID", "\"Invoice ID\""),
        ("Amount", "\"Amount\""),
        ("2nd", "\"2nd\""),
        ("order", "\"order\""),
        ("größe", "\"größe\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("a; DROP TABLE b", "\"a; DROP TABLE b\""),
        ("", "\"\""),
    ];
    for (name, expected) in cases {
        assert_eq!(identifier(name), expected);
    }
    let text = sql(&[equal("\"Invoice ID\"=Reference No.").unwrap()]);
    assert!(text.ends_with("ON l.\"Invoice ID\" = r.\"Reference No.\""), "{text}");
}

#[test]
fn names_in_flags() {
    let pair = |l: &str, r: &str| {
        let pair = Pair { left: l.to_owned(), right: r.to_owned() };
        Some(Condition::Equal { pair, rules: None, nulls: false })
    };
    let cases = [
        ("id", pair("id", "id")),
        (" a = b ", pair("a", "b")),
        ("\"a=b\"=c", pair("a=b", "c")),
        ("a=\"b=c\"", pair("a", "b=c")),
        ("\"say \"\"x\"\"\"=y", pair("say \"x\"", "y")),
        ("a=b=c", pair("a", "b=c")),
        ("a:b", pair("a:b", "a:b")),
        ("=b", None),
        ("a=", None),
        ("", None),
        ("\"a", None),
        ("\"a\"b=c", None),
        ("\"a?\"=\"b~c\"", pair("a?", "b~c")),
    ];
    for (text, expected) in cases {
        assert_eq!(equal(text).ok(), expected, "{text}");
    }
}

#[test]
fn keys_that_are_written_differently() {
    for (text, condition) in [
        ("ref=reference~case, zeros", "normalize_key(l.ref, 'case,zeros') = normalize_key(r.reference, 'case,zeros')"),
        ("id~trim", "normalize_key(l.id, 'trim') = normalize_key(r.id, 'trim')"),
        ("branch?", "l.branch IS NOT DISTINCT FROM r.branch"),
        ("a = b ?", "l.a IS NOT DISTINCT FROM r.b"),
        ("a=\"b?\"~case?", "normalize_key(l.a, 'case') IS NOT DISTINCT FROM normalize_key(r.\"b?\", 'case')"),
    ] {
        let text = sql(&[equal(text).unwrap()]);
        assert!(text.ends_with(&format!("ON {condition}")), "{text}");
    }
    // Both are of interest where they may differ.
    assert!(sql(&[equal("id~case").unwrap()]).contains("l.id,\n    r.id AS right_id\n"));
    assert!(!sql(&[equal("id?").unwrap()]).contains("right_id"));
    for (text, told) in [
        ("a~", "write one or more of trim"),
        ("a~cases", "did you mean case?"),
        ("a~trim') = (x", "is nothing that keys may differ in"),
        ("a=b?~case", "`?` comes last"),
        ("a=\"b\"c~case", "write LEFT=RIGHT"),
    ] {
        let message = equal(text).unwrap_err();
        assert!(message.contains(told), "{text}: {message}");
    }
}

#[test]
fn values_in_flags() {
    for (text, good) in [
        ("amount:0.02", true),
        ("amount:.5", true),
        ("amount: 2 %", true),
        ("a=b:1000", true),
        ("amount", false),
        ("amount:", false),
        ("amount:-1", false),
        ("amount:1e3", false),
        ("amount:1.2.3", false),
        ("amount:0) OR (1=1", false),
        ("amount:0.02,2%", true),
        ("amount:0.02, 2% ?", true),
        ("amount:0.02,", false),
    ] {
        assert_eq!(tolerance(text).is_ok(), good, "{text}");
    }
    for (text, good) in [
        ("d:3", true),
        ("d=e:0", true),
        ("d:3.5", false),
        ("d:-3", false),
        ("d", false),
        ("d:1@Europe/Berlin", true),
        ("d:1@Berlin", false),
        ("d:1..3", true),
        ("d:-3..0", true),
        ("d:0..", true),
        ("d:..2", true),
        ("d:..", false),
        ("d:3..1", false),
        ("d:1.5..2", false),
        ("d:1..3@Europe/Berlin", false),
    ] {
        assert_eq!(days(text).is_ok(), good, "{text}");
    }
    for (text, good) in [("n:0.9", true), ("n:1", true), ("n:1.1", false), ("n:90%", false)] {
        assert_eq!(similar(text).is_ok(), good, "{text}");
    }
}

#[test]
fn further_columns_and_clashing_names() {
    let all = Columns { left: vec!["id".into(), "Note".into()], right: vec!["id".into(), "note".into(), "x".into()] };
    let select = [selected("l.*").unwrap(), selected("r.*").unwrap(), selected("r.x").unwrap()];
    let text = match_sql(&Asked { conditions: &[equal("id").unwrap()], select: &select, ..Asked::default() }, &all).sql;
    let expected = "\
SELECT
    l.id,
    l.\"Note\",
    r.id AS right_id,
    r.note AS right_note,
    r.x
FROM left_src AS l";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(selected("left.a b").unwrap(), Selected::Column(Side::Left, "a b".into()));
    for text in ["name", "x.name", "l.", ""] {
        assert!(selected(text).is_err(), "{text}");
    }
}

#[test]
fn a_right_column_called_like_the_renamed_one() {
    let all = Columns { left: vec![], right: vec!["right_id".into(), "id".into()] };
    let conditions = [equal("id").unwrap()];
    let asked = Asked { conditions: &conditions, select: &[Selected::All(Side::Right)], ..Asked::default() };
    let text = match_sql(&asked, &all).sql;
    assert!(text.contains("r.right_id,\n    r.id AS right_right_id\n"), "{text}");
}

#[test]
fn compared_columns_stand_side_by_side() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let all =
        Columns { left: names(&["id", "a", "at", "amount", "x"]), right: names(&["ref", "at", "paid", "a", "id"]) };
    let column = |left: &str, right: &str| ComparedColumn {
        left: left.to_owned(),
        right: right.to_owned(),
        alike: Alike::default(),
    };
    let compare = Compare {
        columns: vec![column("amount", "paid")],
        others: Some(Alike::default()),
        except: vec!["at".to_owned()],
    };
    let conditions = [equal("id=ref~case").unwrap(), equal("a?").unwrap()];
    let mut asked = Asked { conditions: &conditions, numbered: true, compare: Some(&compare), ..Asked::default() };
    let expected = "\
SELECT
    l.id,
    r.ref,
    l.a,
    l.amount,
    r.paid,
    r.id AS right_id
FROM (SELECT *, row_number() OVER (PARTITION BY normalize_key(id, 'case'), a) AS _number FROM left_src) AS l
JOIN (SELECT *, row_number() OVER (PARTITION BY normalize_key(ref, 'case'), a) AS _number FROM right_src) AS r
  ON normalize_key(l.id, 'case') = normalize_key(r.ref, 'case')
 AND l.a IS NOT DISTINCT FROM r.a
 AND l._number = r._number";
    let written = match_sql(&asked, &all);
    assert_eq!((written.sql.as_str(), written.flags.len()), (expected, 12));
    // What has one name on both sides only where all are compared.
    let few = Compare { others: None, ..compare.clone() };
    asked.compare = Some(&few);
    assert!(!match_sql(&asked, &all).sql.contains("right_id"));
}

#[test]
fn bounds_and_nulls() {
    for (condition, expected) in [
        (tolerance("a=b:0.02,2%"), "(tolerance_match(l.a, r.b, 0.02) OR tolerance_pct(l.a, r.b, 2))"),
        (tolerance("a:0.01?"), "(tolerance_match(l.a, r.a, 0.01) OR (l.a IS NULL AND r.a IS NULL))"),
        (days("due=booked:1..3"), "r.booked >= l.due + INTERVAL '1 days' AND r.booked <= l.due + INTERVAL '3 days'"),
        (days("due=booked:0.."), "r.booked >= l.due + INTERVAL '0 days'"),
        (days("due=booked:..-1"), "r.booked <= l.due + INTERVAL '-1 days'"),
    ] {
        let text = sql(&[condition.unwrap()]);
        assert!(text.ends_with(&format!("ON {expected}")), "{text}");
    }
}

/// Conditions are told as they were given.
#[test]
fn messages_name_flags() {
    for flag in [
        "--on 'a=b~trim,case?'",
        "--on 'id'",
        "--tolerance 'a=b:0.02,2%?'",
        "--days 'a:1..3'",
        "--days 'a:..0'",
        "--days 'a=b:3@Europe/Berlin'",
        "--similar 'a=b:0.9'",
    ] {
        let (name, text) = flag.split_once(' ').unwrap();
        let text = text.trim_matches('\'');
        let condition = match name {
            "--on" => equal(text),
            "--tolerance" => tolerance(text),
            "--days" => days(text),
            _ => similar(text),
        };
        assert_eq!(condition.unwrap().to_string(), flag);
    }
    let keys = ["k".to_owned()];
    let conditions = [equal("id=ref").unwrap(), tolerance("amount:2%").unwrap()];
    let select = [selected("l.note").unwrap()];
    let asked = Asked { conditions: &conditions, left_key: &keys, select: &select, ..Asked::default() };
    let written = match_sql(&asked, &Columns::default());
    for (line, flag) in [
        (2, Some("--left-key")),
        (3, Some("--on 'id=ref'")),
        (6, Some("--tolerance 'amount:2%'")),
        (7, Some("--select")),
        (8, None),
        (10, Some("--on 'id=ref'")),
        (11, Some("--tolerance 'amount:2%'")),
        (12, None),
    ] {
        let message = format!("`x` at line {line}, column 12, is text, and `y` at line 99, column 1 is not");
        let told = flag.map(|flag| (flag, "`x`, is text, and `y` is not".to_owned()));
        assert_eq!(written.flag(&message), told, "{}", written.sql);
    }
    assert_eq!(written.flag("the parser fails at line one"), None);
}
