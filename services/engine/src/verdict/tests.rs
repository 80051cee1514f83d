#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use super::Agreement::{self, Agree, Differ, Doubtful, Empty};
use crate::manifest::Manifest;

/// Of `ledger` and `bank`: rows, and how many of them are open and match more than once.
fn manifest(rows: [u64; 2], open: [u64; 2], multiple: [u64; 2], more: Value) -> Manifest {
    let input = |alias: &str| json!({ "alias": alias, "uri": "", "rows": 0, "rejected": 0, "facts": { "format": "csv" }, "columns": [] });
    let several = |rows: u64| match rows {
        0 => Value::Null,
        rows => json!({ "rows": rows, "matches": rows * 2, "most": 2, "row": 0 }),
    };
    let mut manifest = json!({
        "run_id": "", "engine_version": "", "created": "", "left": input("ledger"), "right": input("bank"), "extras": [],
        "match_sql": "", "match_sql_sha256": "", "lineage": { "left": "rows", "right": "rows" },
        "counts": {
            "matched_count": 0, "matched_left_count": rows[0] - open[0], "matched_right_count": rows[1] - open[1],
            "unmatched_left_count": open[0], "unmatched_right_count": open[1], "total_left": rows[0],
            "total_right": rows[1], "rejected_left": 0, "rejected_right": 0,
        },
        "multiple_left": several(multiple[0]), "multiple_right": several(multiple[1]), "sums": [],
        "timings_ms": { "staging": 0, "matching": 0, "writing_results": 0, "total": 0 }, "spilled_bytes": 0, "files": {},
    });
    for (name, value) in more.as_object().unwrap() {
        match manifest[name].as_object_mut().filter(|_| name == "counts") {
            Some(counts) => counts.extend(value.as_object().unwrap().clone()),
            None => manifest[name] = value.clone(),
        }
    }
    serde_json::from_value(manifest).unwrap()
}

fn total(sums: [&str; 2], difference: &str, allowed: &str, compared: bool) -> Value {
    json!({
        "left": "amount", "right": "credit", "matched_left": sums[0], "matched_right": sums[1],
        "difference": difference, "allowed": allowed, "compared": compared,
    })
}

fn sum(side: &str, column: &str, unmatched: &str, by_currency: &[[&str; 2]]) -> Value {
    let own =
        |[currency, unmatched]: &[&str; 2]| json!({ "currency": currency, "matched": "0", "unmatched": unmatched });
    let by_currency: Vec<Value> = by_currency.iter().map(own).collect();
    json!({ "side": side, "column": column, "matched": "0", "unmatched": unmatched, "by_currency": by_currency })
}

fn differences(differing: u64, only_left: &[&str]) -> Value {
    let column = json!({
        "left": "a", "right": "a", "left_type": "", "right_type": "", "left_output": "a", "right_output": "a", "equal": 0,
        "within": 0, "different": differing, "missing_left": 0, "missing_right": 0,
    });
    json!({ "matches": 9, "differing": differing, "columns": [column], "only_left": only_left })
}

/// Rows, those that are open, those that match more than once, what else there is, and what is told.
type Case = ([u64; 2], [u64; 2], [u64; 2], Value, Agreement, &'static str);

#[test]
fn one_sentence() {
    let even = || total(["1200.00", "1200.00"], "0.00", "0.08", true);
    let near = || total(["1.00", "1.04"], "-0.04", "0.08", true);
    let off = || total(["18044134.25", "18169086.91"], "-124952.66", "5246.1000", true);
    let unasked = || total(["1.00", "1.09"], "-0.09", "0", false);
    let none = json!({});
    let cases: [Case; 17] = [
        ([4, 4], [0, 0], [0, 0], none.clone(), Agree, "ledger and bank agree: every row matches, 4 rows on each side"),
        ([1, 1], [0, 0], [0, 0], none.clone(), Agree, "ledger and bank agree: every row matches, 1 row on each side"),
        (
            [4, 3],
            [0, 0],
            [0, 0],
            none.clone(),
            Agree,
            "ledger and bank agree: every row matches, 4 rows against 3, some of them together",
        ),
        (
            [4, 4],
            [0, 0],
            [0, 0],
            json!({ "control_totals": [near()] }),
            Agree,
            "ledger and bank agree: every row matches, 4 rows on each side; amount sums up to 1.00 and credit to 1.04",
        ),
        (
            [4, 4],
            [0, 0],
            [0, 0],
            json!({ "differences": differences(0, &[]) }),
            Agree,
            "ledger and bank agree: every row matches, 4 rows on each side; 1 column compared without a difference",
        ),
        // Rows that match more than once are legitimate where the amounts prove it.
        (
            [4, 3],
            [0, 0],
            [0, 1],
            json!({ "control_totals": [even()] }),
            Agree,
            "ledger and bank agree: every row matches, 4 rows against 3; 1 row of bank matches more than once; amount and \
             credit sum up to 1,200.00",
        ),
        (
            [4, 3],
            [0, 0],
            [0, 1],
            none.clone(),
            Doubtful,
            "every row of ledger and bank matches, 4 rows against 3, but 1 row of bank matches more than once",
        ),
        (
            [4, 4],
            [0, 0],
            [0, 0],
            json!({ "control_totals": [unasked()] }),
            Doubtful,
            "every row of ledger and bank matches, 4 rows on each side, but matched rows are 0.09 apart in amount and credit, \
             which nothing compares",
        ),
        (
            [9, 11],
            [0, 0],
            [2, 0],
            json!({ "control_totals": [off()] }),
            Doubtful,
            "every row of ledger and bank matches, 9 rows against 11, but matched rows are 124,952.66 apart in amount and \
             credit, 5,246.10 allowed; 2 rows of ledger match more than once",
        ),
        // Columns that are compared value by value are told of once.
        (
            [3, 3],
            [0, 0],
            [0, 0],
            json!({
                "differences": differences(2, &[]),
                "control_totals": [{
                    "left": "a", "right": "a", "matched_left": "1", "matched_right": "2", "difference": "-1", "allowed": "0",
                }],
            }),
            Differ,
            "ledger and bank differ: every row matches; 2 matches with other values",
        ),
        // What is wrong comes before what is open.
        (
            [2000, 1934],
            [202, 125],
            [11, 0],
            json!({
                "control_totals": [off()],
                "sums": [sum("left", "amount", "125360.12", &[]), sum("right", "credit", "0.00", &[])],
            }),
            Differ,
            "ledger and bank differ: matched rows are 124,952.66 apart in amount and credit, 5,246.10 allowed; 11 rows of \
             ledger match more than once; 202 of 2,000 rows of ledger are open (125,360.12); 125 of 1,934 rows of bank are \
             open (0.00)",
        ),
        (
            [3, 3],
            [1, 2],
            [0, 0],
            json!({
                "control_totals": [even()],
                "sums": [
                    sum("left", "amount", "7.00", &[["EUR", "7.00"], ["USD", "0.00"]]),
                    sum("right", "credit", "9.00", &[["EUR", "1.00"], ["USD", "2.00"], ["", "3.00"], ["SEK", "3.00"]]),
                ],
            }),
            Differ,
            "ledger and bank differ: 1 of 3 rows of ledger is open (7.00 EUR); 2 of 3 rows of bank are open (1.00 EUR, 2.00 \
             USD, 3.00 without a currency and 1 other currency)",
        ),
        (
            [3, 3],
            [0, 0],
            [0, 0],
            json!({ "counts": { "rejected_left": 2 } }),
            Differ,
            "ledger and bank differ: 2 rows of ledger could not be read",
        ),
        (
            [3, 3],
            [0, 0],
            [0, 0],
            json!({ "differences": differences(2, &["note"]) }),
            Differ,
            "ledger and bank differ: every row matches; 2 matches with other values; 1 column of one side only",
        ),
        ([0, 0], [0, 0], [0, 0], none.clone(), Empty, "ledger and bank have no rows: there is nothing to compare"),
        (
            [0, 0],
            [0, 0],
            [0, 0],
            json!({ "differences": differences(0, &["note"]) }),
            Differ,
            "ledger and bank differ: 1 column of one side only",
        ),
        ([2, 0], [2, 0], [0, 0], none, Differ, "ledger and bank differ: 2 of 2 rows of ledger are open"),
    ];
    for (rows, open, multiple, more, agreement, sentence) in cases {
        let verdict = manifest(rows, open, multiple, more).verdict();
        assert_eq!((verdict.agreement, verdict.sentence.as_str()), (agreement, sentence));
        assert!(verdict.findings.iter().all(|finding| verdict.sentence.contains(&finding.text)), "{verdict:?}");
    }
}

#[test]
fn what_contradicts_the_job_is_wrong() {
    let off = total(["1.00", "2.00"], "-1.00", "0", true);
    let wrong = |more: Value| {
        let found = manifest([9, 9], [1, 0], [2, 0], more).verdict().findings;
        found.into_iter().map(|finding| finding.wrong).collect::<Vec<_>>()
    };
    assert_eq!(wrong(json!({})), [false, false]);
    assert_eq!(wrong(json!({ "control_totals": [off] })), [true, true, false]);
    assert_eq!(wrong(json!({ "differences": differences(1, &[]) })), [true, false, false]);
}

#[test]
fn of_many_totals_some_are_told() {
    let totals: Vec<Value> = (1..=5).map(|n| total(["0", &n.to_string()], &format!("-{n}"), "0", true)).collect();
    let verdict = manifest([1, 1], [0, 0], [0, 0], json!({ "control_totals": totals })).verdict();
    assert_eq!(verdict.findings.len(), 5);
    assert!(
        verdict.sentence.ends_with("matched rows are 3 apart in amount and credit; 2 other totals are apart"),
        "{verdict:?}"
    );
}
