//! What is refused when JSON is read, where, and with which words; and that no digit of a number is lost.
#![allow(clippy::unwrap_used)]

use kalla_proto::json::{FieldError, check_fields, from_json_lenient, from_json_strict};
use kalla_proto::v1::filter_value::Kind;
use kalla_proto::v1::{Filter, FilterValue, JobEvent, JobPayload, Recipe};
use proptest::prelude::*;
use serde_json::json;

fn errors(text: &str) -> Vec<String> {
    from_json_strict::<JobPayload>(text).unwrap_err().iter().map(FieldError::to_string).collect()
}

#[test]
fn unknown_fields_are_refused_by_name() {
    let text = r#"{"run_id":"r","match_sq":"","sources":[{"alias":"a"},{"url":"b","options":{"delimeter":";"}}],
        "limits":{"wholly_different":1},"primary_keys":{"any":["name"]}}"#;
    assert_eq!(
        errors(text),
        [
            "limits.wholly_different: there is no such field: known are memory_bytes, threads, max_rejected_rows, max_matched_rows, timeout_seconds",
            "match_sq: there is no such field: did you mean `match_sql`?",
            "sources[1].options.delimeter: there is no such field: did you mean `delimiter`?",
            "sources[1].url: there is no such field: did you mean `uri`?",
        ]
    );
    let (job, ignored) = from_json_lenient::<JobPayload>(text).unwrap();
    assert_eq!(job.run_id, "r");
    let meant: Vec<_> = ignored.iter().map(|field| field.meant.as_deref()).collect();
    assert_eq!(meant, [None, Some("match_sql"), Some("delimiter"), Some("uri")]);
    let ignored: Vec<_> = ignored.into_iter().map(|field| field.path).collect();
    assert_eq!(ignored, ["limits.wholly_different", "match_sq", "sources[1].options.delimeter", "sources[1].url"]);
}

#[test]
fn unknown_fields_of_an_event_are_those_of_no_part_of_it() {
    let text = r#"{"run_id":"r","stage":"staging","error":"e","matched_count":1,"speed":2,"problem":{"code":"invalid","hint":"h"}}"#;
    let (_, ignored) = from_json_lenient::<JobEvent>(text).unwrap();
    let ignored: Vec<_> = ignored.into_iter().map(|field| field.path).collect();
    assert_eq!(ignored, ["matched_count", "problem.hint", "speed"]);
    assert_eq!(from_json_strict::<JobEvent>(text).unwrap_err().len(), 3);
}

#[test]
fn the_names_of_the_wire_types_are_not_json_names() {
    for text in [r#"{"runId":"r"}"#, r#"{"primary_keys":{"a":{"columns":["b"]}}}"#] {
        assert!(from_json_strict::<JobPayload>(text).is_err(), "{text}");
    }
    assert!(from_json_strict::<JobEvent>(r#"{"run_id":"r","progress":{"stage":"staging"}}"#).is_err());
}

#[test]
fn wrong_types_are_told_with_their_place() {
    for (text, path, part) in [
        (r#"{"sources":[{"alias":"a"},{"alias":"b","uri":5}]}"#, "sources[1].uri", "integer `5`, expected a string"),
        (r#"{"sources":{}}"#, "sources", "expected a sequence"),
        (r#"{"attempt":-1}"#, "attempt", "integer `-1`, expected u32"),
        (r#"{"attempt":4294967296}"#, "attempt", "expected u32"),
        (r#"{"attempt":1.5}"#, "attempt", "floating point `1.5`"),
        (r#"{"limits":{"memory_bytes":18446744073709551616}}"#, "limits.memory_bytes", "expected u64"),
        (r#"{"limits":{"memory_bytes":"2GB"}}"#, "limits.memory_bytes", "invalid type: string, expected u64"),
        (
            r#"{"format":"parqet"}"#,
            "format",
            "`parqet` is not known here: did you mean `parquet`? It is one of parquet, csv",
        ),
        (r#"{"format":"p@ss"}"#, "format", "this is no word that is known here: it is one of parquet, csv"),
        (r#"{"primary_keys":{"a":"id"}}"#, "primary_keys.a", "expected a sequence"),
        (r#"{"primary_keys":{"a":["id"],"a":["other"]}}"#, "primary_keys", "`a` stands twice"),
        (r#"{"run_id":"a","run_id":"b"}"#, "", "duplicate field `run_id`"),
        (r#"{"sources":[{"filters":[{"value":{}}]}]}"#, "sources[0].filters[0].value", "expected a string, a number"),
        (r#"{"sources":[{"filters":[{"value":[1,[2]]}]}]}"#, "sources[0].filters[0].value", "array within an array"),
        (
            r#"{"sources":[{"filters":[{"value":[1,null]}]}]}"#,
            "sources[0].filters[0].value",
            "expected a string, a number",
        ),
        (r#"{"run_id":"a""#, "", "this is not JSON"),
        (r#"{"run_id":"a"} {}"#, "", "this is not JSON: trailing characters"),
        ("", "", "this is not JSON"),
        ("[]", "", "expected an object"),
        (r#"{"sources":[["a","b.csv"]]}"#, "sources[0]", "expected an object"),
        (r#"{"limits":[1]}"#, "limits", "expected an object"),
        ("5", "", "expected struct JobPayload"),
    ] {
        let errors = from_json_strict::<JobPayload>(text).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].path, path, "{text}: {errors:?}");
        assert!(errors[0].message.contains(part), "{text}: {errors:?}");
    }
}

#[test]
fn an_error_never_repeats_a_text_that_may_be_a_secret() {
    for text in [
        r#"{"sources":"postgres://user:hunter2@db/x"}"#,
        r#"{"attempt":"hunter2"}"#,
        r#"{"format":"hunter2"}"#,
        r#"{"sources":["hunter2\", expected"]}"#,
        r#"{"limits":{"threads":"say \"hunter2\", expected"}}"#,
    ] {
        let message = errors(text).join("\n");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

fn value(json: &str) -> Result<Kind, String> {
    let text = format!(r#"{{"column":"c","op":"eq","value":{json}}}"#);
    let filter = from_json_strict::<Filter>(&text).map_err(|errors| errors[0].to_string())?;
    Ok(filter.value.unwrap().kind.unwrap())
}

#[test]
fn numbers_of_filters_keep_their_digits() {
    for (written, digits) in [
        ("1000", "1000"),
        ("-0.02", "-0.02"),
        ("1000.50", "1000.50"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551616", "18446744073709551616"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("1234567890123.4500001", "1234567890123.4500001"),
        ("1e3", "1000"),
        ("1.25E+3", "1250"),
        ("-1.25e-3", "-0.00125"),
        ("120e-1", "12"),
        ("0e5", "0"),
    ] {
        assert_eq!(value(written).unwrap(), Kind::Number(digits.to_owned()), "{written}");
        let back = FilterValue { kind: Some(Kind::Number(digits.to_owned())) };
        assert_eq!(serde_json::to_string(&back).unwrap(), digits);
    }
    let many_digits = "9".repeat(200);
    for refused in ["1e300", "1e-99999999999999999999", "1e-400", &many_digits] {
        assert!(value(refused).unwrap_err().contains("more digits than any column"), "{refused}");
    }
    assert!(value("1e400").unwrap_err().contains("number out of range"));
    for wrong in ["NaN", "", "x", "1e", "\"1\"", "[1]", "-", "--1"] {
        let number = FilterValue { kind: Some(Kind::Number(wrong.to_owned())) };
        assert!(serde_json::to_string(&number).is_err(), "{wrong}");
    }
}

#[test]
fn text_of_filters_is_unescaped() {
    assert_eq!(value(r#""0012 \u00e9 \"x\"""#).unwrap(), Kind::Text("0012 é \"x\"".to_owned()));
    assert_eq!(value("true").unwrap(), Kind::Boolean(true));
    assert!(matches!(value("[]").unwrap(), Kind::List(list) if list.values.is_empty()));
}

proptest! {
    #[test]
    fn any_plain_decimal_survives(digits in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?") {
        prop_assert_eq!(value(&digits).unwrap(), Kind::Number(digits.clone()));
        let back = FilterValue { kind: Some(Kind::Number(digits.clone())) };
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), digits);
    }

    /// The exponent moves the point and does nothing else.
    #[test]
    fn an_exponent_is_only_another_spelling(whole in 0_u32..1_000_000, places in 0_usize..20) {
        let Kind::Number(shifted) = value(&format!("{whole}e-{places}")).unwrap() else { panic!("not a number") };
        let Kind::Number(again) = value(&format!("{shifted}e{places}")).unwrap() else { panic!("not a number") };
        prop_assert_eq!(again, whole.to_string());
    }
}

const YAML: &str = r#"
recipe_id: invoice-payment-match
name: Invoices against payments
match_sql: |
  SELECT i.invoice_id, p.payment_id
  FROM invoices i JOIN payments p ON i.invoice_id = p.reference_number
sources:
  left:
    alias: invoices
    type: file
    primary_key: [invoice_id]
    filters:
      - {column: amount, op: gte, value: 1000.25}
      - {column: code, op: in, value: ["0012", 12, true]}
      - {column: posted, op: between, value: [2026-01-01, 2026-01-31]}
    options: {delimiter: ";", header: true, types: {amount: "decimal(18,2)"}}
  right: {alias: payments, type: postgres, uri: "postgres://db/x?table=payments"}
"#;

#[test]
fn a_recipe_in_yaml_is_the_recipe_in_json() {
    let json = json!({
        "recipe_id": "invoice-payment-match", "name": "Invoices against payments",
        "match_sql": "SELECT i.invoice_id, p.payment_id\nFROM invoices i JOIN payments p ON i.invoice_id = p.reference_number\n",
        "sources": {
            "left": {"alias": "invoices", "type": "file", "primary_key": ["invoice_id"], "filters": [
                {"column": "amount", "op": "gte", "value": 1000.25},
                {"column": "code", "op": "in", "value": ["0012", 12, true]},
                {"column": "posted", "op": "between", "value": ["2026-01-01", "2026-01-31"]}],
                "options": {"delimiter": ";", "header": true, "types": {"amount": "decimal(18,2)"}}},
            "right": {"alias": "payments", "type": "postgres", "uri": "postgres://db/x?table=payments"}}
    });
    let expected: Recipe = from_json_strict(&json.to_string()).unwrap();
    assert_eq!(serde_saphyr::from_str::<Recipe>(YAML).unwrap(), expected);
    // By way of a tree, too.
    assert_eq!(serde_json::from_value::<Recipe>(json).unwrap(), expected);
}

#[test]
fn unknown_fields_of_yaml_are_found_in_its_tree() {
    let tree: serde_json::Value = serde_saphyr::from_str(&YAML.replace("primary_key", "primary_keys")).unwrap();
    let found: Vec<String> = check_fields::<Recipe>(&tree).iter().map(FieldError::to_string).collect();
    assert_eq!(found, ["sources.left.primary_keys: there is no such field: did you mean `primary_key`?"]);
}

#[test]
fn a_number_that_yaml_would_round_is_refused() {
    for (number, accepted) in [
        ("1000.5", true),
        ("-12345678901234.5", true),
        ("1234567890123456.75", false),
        ("123456789012345678901", false),
    ] {
        let read = serde_saphyr::from_str::<Filter>(&format!("{{column: c, op: eq, value: {number}}}"));
        assert_eq!(read.is_ok(), accepted, "{number}: {read:?}");
        if let Err(error) = read {
            assert!(error.to_string().contains("write it as a string"), "{error}");
        }
    }
}
