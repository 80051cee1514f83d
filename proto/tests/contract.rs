//! The bodies that clients speak today, to the letter, and the rules of the JSON form.
#![allow(clippy::unwrap_used)]

use kalla_proto::json::{from_json_lenient, from_json_strict};
use kalla_proto::v1::filter_value::Kind;
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{
    Cell, Code, Complete, Fault, FilterOp, JobEvent, JobPayload, Limits, OutputPaths, Problem, Progress, Recipe, Row,
    SourceType, Stage, Violation,
};
use serde_json::{Value, json};

/// Every key of `expected` stands in `actual` with the same value. Keys of ours may follow.
fn assert_holds(actual: &Value, expected: &Value, path: &str) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            for (key, value) in expected {
                let found = actual.get(key).unwrap_or_else(|| panic!("{path}.{key} is missing"));
                assert_holds(found, value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len(), "{path}");
            for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
                assert_holds(actual, expected, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(actual, expected, "{path}"),
    }
}

/// Reads `text` in both modes, sends it through protobuf, writes it as JSON, and reads it again.
fn round_trip<T>(text: &str) -> (T, Value)
where
    T: serde::Serialize + serde::de::DeserializeOwned + prost::Name + Default + PartialEq + std::fmt::Debug,
{
    let message: T = from_json_strict(text).unwrap();
    assert_eq!(from_json_lenient::<T>(text).unwrap(), (T::decode(message.encode_to_vec().as_slice()).unwrap(), vec![]));
    let written = serde_json::to_string(&message).unwrap();
    assert_eq!(message, from_json_strict::<T>(&written).unwrap(), "{written}");
    let value = serde_json::from_str(&written).unwrap();
    assert_holds(&value, &serde_json::from_str(text).unwrap(), "");
    (message, value)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const JOB: &str = r#"{
  "run_id": "3f0c8a52-8d0e-4f6e-9c1c-0a4f3f6a7b10",
  "callback_url": "http://127.0.0.1:3000/api/worker",
  "match_sql": "SELECT l.invoice_id, r.payment_id, l.amount, r.paid_amount FROM left_src l JOIN right_src r ON l.invoice_id = r.reference_number AND tolerance_match(l.amount, r.paid_amount, 0.02)",
  "sources": [
    {"alias": "left_src",  "uri": "/data/invoices.csv"},
    {"alias": "right_src", "uri": "postgres://user:pass@127.0.0.1:5432/db?table=payments",
     "filters": [{"column": "paid_amount", "op": "gte", "value": 1000}]}
  ],
  "output_path": "/data/results/3f0c8a52-8d0e-4f6e-9c1c-0a4f3f6a7b10",
  "primary_keys": {"left_src": ["invoice_id"], "right_src": ["payment_id"]}
}"#;

#[test]
fn a_job_payload() {
    let (job, written) = round_trip::<JobPayload>(JOB);
    assert_eq!(job.sources.len(), 2);
    let filter = &job.sources[1].filters[0];
    assert_eq!(filter.op(), FilterOp::Gte);
    assert_eq!(filter.value.as_ref().unwrap().kind, Some(Kind::Number("1000".to_owned())));
    assert_eq!(job.primary_keys["right_src"].columns, ["payment_id"]);
    assert_eq!((job.attempt, job.callback_token, job.limits), (0, None, None));
    let ours = ["attempt", "contract_version", "format", "ignored_fields"];
    let expected: Vec<String> = keys(&serde_json::from_str(JOB).unwrap()).into_iter().map(str::to_owned).collect();
    let more: Vec<&str> = keys(&written).into_iter().filter(|key| !expected.iter().any(|known| known == key)).collect();
    assert_eq!(more, ours);
}

#[test]
fn a_job_payload_with_everything_of_ours() {
    let text = r#"{"run_id":"r","callback_url":"","match_sql":"SELECT 1","sources":[{"alias":"a","uri":"a.csv",
        "filters":[{"column":"d","op":"between","value":["2026-01-01","2026-01-31"]},{"column":"n","op":"in","value":[1,-2.50,"x",true]},
                   {"column":"b","op":"eq","value":false},{"column":"t","op":"like","value":"A%"}],
        "options":{"format":"csv","delimiter":";","quote":"","header":false,"encoding":"windows1252","nulls":["N/A"],
                   "types":{"amount":"decimal(18,2)","code":"text"}}}],
        "output_path":"","primary_keys":{},"callback_token":"s3cret","attempt":2,"format":"csv",
        "limits":{"memory_bytes":2000000000,"threads":1,"max_rejected_rows":0,"max_matched_rows":18446744073709551615,"timeout_seconds":60}}"#;
    let (job, _) = round_trip::<JobPayload>(text);
    assert_eq!(job.limits.unwrap().max_matched_rows, Some(u64::MAX));
    assert_eq!(job.sources[0].options.as_ref().unwrap().header, Some(false));
    let debug = format!("{job:?}");
    assert!(!debug.contains("s3cret") && !debug.contains("SELECT"), "{debug}");
}

#[test]
fn the_callbacks() {
    let run_id = "3f0c8a52-8d0e-4f6e-9c1c-0a4f3f6a7b10".to_owned();
    let event = |event, seq| JobEvent {
        run_id: run_id.clone(),
        event: Some(event),
        attempt: 1,
        seq,
        time: Some(prost_types::Timestamp { seconds: 1_772_366_400, nanos: 250_000_000 }),
        worker: if seq == 3 { "w:9090".to_owned() } else { String::new() },
    };
    let paths = OutputPaths {
        matched: "/out/matched.parquet".into(),
        unmatched_left: "/out/unmatched_left.parquet".into(),
        unmatched_right: "/out/unmatched_right.parquet".into(),
        ..Default::default()
    };
    let sentence = "source `right_src`: table \"payments\" does not exist";
    let cases = [
        (
            event(
                Event::Progress(Progress {
                    stage: Stage::Staging.into(),
                    progress: Some(0.5),
                    source: Some("left_src".into()),
                    ..Default::default()
                }),
                1,
            ),
            r#"{"run_id":"RUN","stage":"staging","progress":0.5,"source":"left_src","attempt":1,"seq":1,"time":"2026-03-01T12:00:00.250Z"}"#.to_owned(),
        ),
        (
            event(
                Event::Progress(Progress {
                    stage: Stage::Matching.into(),
                    progress: Some(0.4),
                    matched_count: Some(8192),
                    total_left: Some(1_000_000),
                    total_right: Some(950_000),
                    ..Default::default()
                }),
                2,
            ),
            r#"{"run_id":"RUN","stage":"matching","progress":0.4,"matched_count":8192,"total_left":1000000,"total_right":950000,"attempt":1,"seq":2,"time":"2026-03-01T12:00:00.250Z"}"#.to_owned(),
        ),
        (
            event(Event::Progress(Progress { stage: Stage::WritingResults.into(), ..Default::default() }), 3),
            r#"{"run_id":"RUN","stage":"writing_results","attempt":1,"seq":3,"time":"2026-03-01T12:00:00.250Z","worker":"w:9090"}"#.to_owned(),
        ),
        (
            event(
                Event::Complete(Complete {
                    matched_count: 4500,
                    unmatched_left_count: 500,
                    unmatched_right_count: 0,
                    output_paths: Some(paths),
                    total_left: u64::MAX,
                    ..Default::default()
                }),
                4,
            ),
            r#"{"run_id":"RUN","matched_count":4500,"unmatched_left_count":500,"unmatched_right_count":0,"output_paths":{"matched":"/out/matched.parquet","unmatched_left":"/out/unmatched_left.parquet","unmatched_right":"/out/unmatched_right.parquet"},"matched_left_count":0,"matched_right_count":0,"total_left":18446744073709551615,"total_right":0,"rejected_left":0,"rejected_right":0,"manifest_path":"","attempt":1,"seq":4,"time":"2026-03-01T12:00:00.250Z"}"#.to_owned(),
        ),
        (
            event(
                Event::Error(kalla_proto::v1::Error {
                    error: sentence.into(),
                    stage: Stage::Staging.into(),
                    problem: Some(Problem { code: Code::NotFound.into(), message: sentence.into(), fault: Fault::User.into(), ..Default::default() }),
                    ..Default::default()
                }),
                5,
            ),
            r#"{"run_id":"RUN","error":SENTENCE,"stage":"staging","problem":{"code":"not_found","message":SENTENCE,"violations":[],"trace_id":"","retryable":false,"fault":"user"},"interrupted":false,"attempt":1,"seq":5,"time":"2026-03-01T12:00:00.250Z"}"#
                .replace("SENTENCE", &json!(sentence).to_string()),
        ),
    ];
    for (event, expected) in cases {
        let expected = expected.replace("RUN", &run_id);
        assert_eq!(serde_json::to_string(&event).unwrap(), expected);
        let (read, _) = round_trip::<JobEvent>(&expected);
        assert_eq!(read, event);
    }
}

#[test]
fn a_callback_without_the_fields_of_ours_is_read() {
    let (event, _) = round_trip::<JobEvent>(r#"{"run_id":"r","error":"no","stage":"staging"}"#);
    assert_eq!((event.attempt, event.seq, event.time), (0, 0, None));
    assert!(matches!(event.event, Some(Event::Error(error)) if error.problem.is_none()));
}

#[test]
fn an_event_that_tells_nothing_is_refused() {
    for text in [r#"{"run_id":"r"}"#, r#"{"run_id":"r","error":null}"#, r#"{"stage":5.5}"#, "[]", "null"] {
        assert!(from_json_lenient::<JobEvent>(text).is_err(), "{text}");
    }
}

#[test]
fn a_recipe() {
    let text = r#"{"recipe_id":"invoice-payment-match","name":"Invoices against payments","description":"…",
 "match_sql":"SELECT … FROM invoices i JOIN payments p ON …","match_description":"in plain words",
 "sources":{"left":{"alias":"invoices","type":"postgres","uri":"postgres://…?table=invoices","primary_key":["invoice_id"]},
            "right":{"alias":"payments","type":"file","schema":["payment_id","reference_number","amount"],"primary_key":["payment_id"]}}}"#;
    let (recipe, written) = round_trip::<Recipe>(text);
    let sources = recipe.sources.unwrap();
    assert_eq!(sources.left.unwrap().r#type(), SourceType::Postgres);
    assert_eq!(sources.right.unwrap().uri, None);
    assert!(written["sources"]["right"].get("uri").is_none());
    assert_eq!(written["sources"]["extras"], json!([]));
}

#[test]
fn a_problem() {
    let text = r#"{"code":"invalid","message":"…","violations":[{"field":"sources[1].uri","message":"…"}],"trace_id":"…","retryable":false,"fault":"user"}"#;
    let (problem, _) = round_trip::<Problem>(text);
    assert_eq!(serde_json::to_string(&problem).unwrap(), text, "to the letter, order included");
    assert_eq!(problem.violations, [Violation { field: "sources[1].uri".into(), message: "…".into() }]);
    assert_eq!(Problem::CONTENT_TYPE, "application/problem+json");
}

#[test]
fn zero_values_are_present_and_unset_ones_absent() {
    let written = serde_json::to_value(JobPayload::default()).unwrap();
    let expected = json!({"run_id":"","callback_url":"","match_sql":"","sources":[],"output_path":"","primary_keys":{},
        "attempt":0,"format":"unspecified","contract_version":0,"ignored_fields":[]});
    assert_eq!(written, expected);
    assert_eq!(serde_json::to_value(Limits::default()).unwrap(), json!({}));
    let (limits, _) = round_trip::<Limits>(r#"{"memory_bytes":0}"#);
    assert_eq!(limits.memory_bytes, Some(0));
}

#[test]
fn left_out_and_null_are_the_zero_value() {
    for text in [
        "{}",
        r#"{"run_id":null,"sources":null,"primary_keys":null,"attempt":null,"format":null,"limits":null,"callback_token":null}"#,
    ] {
        assert_eq!(from_json_strict::<JobPayload>(text).unwrap(), JobPayload::default(), "{text}");
    }
}

#[test]
fn every_word_of_every_enum() {
    let stages = ["unspecified", "staging", "matching", "writing_results"];
    let codes = [
        "unspecified",
        "invalid",
        "not_found",
        "conflict",
        "unauthenticated",
        "forbidden",
        "exhausted",
        "unavailable",
        "deadline",
        "cancelled",
        "internal",
    ];
    let operators = ["unspecified", "eq", "neq", "gt", "gte", "lt", "lte", "between", "in", "like"];
    for word in stages {
        round_trip::<Progress>(&json!({ "stage": word }).to_string());
    }
    for word in codes {
        round_trip::<Problem>(&json!({ "code": word }).to_string());
    }
    for word in operators {
        round_trip::<kalla_proto::v1::Filter>(&json!({ "op": word }).to_string());
    }
    for word in ["unspecified", "utf8", "utf16le", "utf16be", "windows1252"] {
        round_trip::<kalla_proto::v1::ReadOptions>(&json!({ "encoding": word }).to_string());
    }
    for word in ["unspecified", "file", "postgres", "s3", "gcs"] {
        round_trip::<kalla_proto::v1::RecipeSource>(&json!({ "type": word }).to_string());
    }
    round_trip::<Progress>(r#"{"stage":77}"#);
}

#[test]
fn times_are_rfc_3339() {
    let read = |time: &str| from_json_strict::<JobEvent>(&json!({"stage":"staging","time":time}).to_string());
    for (text, written) in [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T13:30:00.000001+01:30", "2026-03-01T12:00:00.000001Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
    ] {
        let event = read(text).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap()["time"], written);
    }
    for text in ["2026-03-01", "2026-03-01T12:00:00", "1772366400", "", "9999-12-31T23:59:59-01:00"] {
        let errors = read(text).unwrap_err();
        assert!(errors[0].message.contains("expected a time with its offset"), "{text}: {errors:?}");
    }
    let mut event = read("2026-03-01T12:00:00Z").unwrap();
    event.time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    assert!(serde_json::to_string(&event).is_err());
}

/// Cells are texts, so that no digit is lost, and NULL is null.
#[test]
fn a_row_is_an_array_of_texts_and_nulls() {
    let cell = |value: Option<&str>| Cell { value: value.map(str::to_owned) };
    let row = Row { cells: vec![cell(Some("1.50")), cell(None), cell(Some(""))] };
    let json = serde_json::to_string(&row).unwrap();
    assert_eq!(json, r#"["1.50",null,""]"#);
    assert_eq!(serde_json::from_str::<Row>(&json).unwrap(), row);
}
