//! The binary as people and programs call it: exit codes, what goes to which stream, and the shape of `--json`.

#![allow(clippy::unwrap_used)]

mod compare;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn kalla(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kalla")).args(args).current_dir(dir).output().unwrap()
}

fn tables(left: &str, right: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("left.csv"), left).unwrap();
    std::fs::write(dir.path().join("right.csv"), right).unwrap();
    dir
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn exit_codes_are_those_of_diff() {
    let cases = [("id\na\nb\n", "ref\nb\na\n", 0), ("id\na\nb\n", "ref\nb\n", 1), ("id\na\n", "ref\n\"open\n", 2)];
    for (left, right, code) in cases {
        let dir = tables(left, right);
        let output = kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "id=ref"]);
        assert_eq!(output.status.code(), Some(code), "{left:?} {}", text(&output.stderr));
        assert_eq!(dir.path().join("kalla-out/manifest.json").exists(), code < 2);
        // Piped: no bars.
        assert_eq!(output.stderr.is_empty(), code < 2);
    }
}

#[test]
fn json_is_the_manifest_or_the_problem() {
    let dir = tables("id,amount\na,1.00\nb,2.00\n", "ref,paid\na,1.02\n");
    let args = ["reconcile", "left.csv", "right.csv", "--on", "id=ref", "--tolerance", "amount=paid:0.02", "--json"];
    let output = kalla(dir.path(), &args);
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest["counts"]["matched_count"], 1);
    assert_eq!(manifest["counts"]["unmatched_left_count"], 1);
    assert_eq!(manifest["files"]["matched"]["rows"], 1);

    let output = kalla(dir.path(), &["reconcile", "left.csv", "missing.csv", "--on", "id=ref", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(body["problem"]["code"], "not_found");
    assert!(text(&output.stderr).contains("missing.csv"));
}

#[test]
fn csv_results_and_a_second_run_into_the_same_directory() {
    let dir = tables("id\na\nb\n", "ref\nb\n");
    let args = ["reconcile", "left.csv", "right.csv", "--on", "id=ref", "--format", "csv"];
    kalla(dir.path(), &args);
    let output = kalla(dir.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(dir.path().join("kalla-out/unmatched_left.csv")).unwrap(), "id,_row\na,0\n");
    let left_over = std::fs::read_dir(dir.path().join("kalla-out")).unwrap().count();
    assert_eq!(left_over, 4, "three result sets and the manifest");
}

#[test]
fn inspect_and_check_tell_columns() {
    let dir = tables("id,amount\n007,1.50\n008,N/A\n", "ref,paid\n007,1\n");
    let output = kalla(dir.path(), &["inspect", "left.csv", "--json"]);
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(body["rows"], 2);
    assert_eq!(body["columns"][0]["type"], "text");
    assert!(body["columns"][1]["note"].as_str().unwrap().contains("`N/A` in line 3"));
    assert_eq!(body["candidate_keys"][0][0], "id");

    std::fs::write(
        dir.path().join("recipe.yaml"),
        "recipe_id: r\nname: R\nmatch_sql: SELECT l.idd FROM left_src l JOIN right_src r ON l.id = r.ref\n\
         sources:\n  left: {alias: l1, type: file, uri: left.csv}\n  right: {alias: r1, type: file, uri: right.csv}\n",
    )
    .unwrap();
    let output = kalla(dir.path(), &["check", "recipe.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `l.id`"), "{}", text(&output.stderr));
}

/// What is wrong with the SQL that flags stand for is told of the flags; nobody has seen its lines.
#[test]
fn flags_are_told_of() {
    let dir = tables("id,amount,day\n1,1.50,2026-01-01\n", "ref,paid,day\n1,x,2026-01-02\n");
    for (flags, told) in [
        (&["--on", "idd=ref"] as &[&str], "--on 'idd=ref': unknown column `l.idd`: did you mean `l.id`?"),
        (&["--on", "id=ref", "--tolerance", "amount=paid:1"], "--tolerance 'amount=paid:1': tolerance_match: "),
        (&["--on", "id=ref", "--days", "day=paid:1..2"], "--days 'day=paid:1..2': "),
        (&["--on", "id=paid"], "--left-type or --right-type"),
        (&["--on", "id=ref", "--left-key", "idd"], "--left-key: `left` has no column `idd`: did you mean `id`?"),
        (&["--on", "id=ref", "--select", "r.nothing"], "--select: unknown column"),
    ] {
        let done = kalla(dir.path(), &[&["reconcile", "left.csv", "right.csv"], flags].concat());
        let message = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{flags:?}");
        assert!(message.contains(told) && !message.contains(" at line "), "{flags:?}\n{message}");
    }
    let done = kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "id=ref", "--days", "day:1.."]);
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
}

/// Rows that match more than once, fields with blanks around them, and the second column of one name.
#[test]
fn what_matches_more_than_once_is_said() {
    let dir = tables("id, amount\n7, 50\n7, 50\n7, 50\n", "id, amount\n 7, 50 \n7, 50\n");
    let trimmed = ["--left-options", "trim=yes", "--right-options", "trim=yes"];
    let sql = ["--sql", "SELECT l.*, r.* FROM left_src l JOIN right_src r ON l.id = r.id AND l.amount = r.amount"];
    let files = ["reconcile", "left.csv", "right.csv"];
    let done = kalla(dir.path(), &[&files[..], &sql, &trimmed].concat());
    let report = text(&done.stdout);
    for words in [
        "! every row of left and right matches, 3 rows against 2, but matched rows are 50 apart in amount; 3 rows of left match more than \
         once; 2 rows of right match more than once",
        "`r.amount` is `right_amount`",
        "3 rows of `left` match more than once: they stand in 6 matches, one of them in 2 (row 0, counted from 0)",
        "2 rows of `right` match more than once: they stand in 6 matches, one of them in 3",
        "matched rows sum up to 150 in `left.amount` and to 100 in `right.amount`: 50 apart",
    ] {
        assert!(report.contains(words), "{words}\n{report}");
    }
    let done = kalla(dir.path(), &[&files[..], &sql, &trimmed, &["--json"]].concat());
    let manifest: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(manifest["multiple_left"], serde_json::json!({"rows": 3, "matches": 6, "most": 2, "row": 0}));
    let tried = kalla(dir.path(), &[&files[..], &sql, &trimmed, &["--dry-run"]].concat());
    assert!(text(&tried.stdout).contains("2 rows of `right` match more than once"), "{}", text(&tried.stdout));
}

#[test]
fn results_are_looked_into() {
    let left = "id,amount,name,day\n01,5.00,Acme,2026-01-01\n02,1234567890123456.78,\"Ünal, Ltd\",2026-02-01\n03,,acme 2,2026-03-01\n04,7.50,,1850-01-01\n05,1.00,x,2026-01-05\n";
    let dir = tables(left, "ref\n05\n");
    for format in ["parquet", "csv"] {
        let done =
            kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "id=ref", "-q", "--format", format]);
        assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
        for (flags, total, rows) in [
            (&["--columns", "id"] as &[&str], 4, &["01", "02", "03", "04"] as &[&str]),
            (&["--where", "amount>=5", "--order", "amount:desc", "--columns", "id"], 3, &["02", "04", "01"]),
            (&["--where", "name contains ACME", "--where", "amount is not null", "--columns", "id"], 1, &["01"]),
            (&["--q", "ünal", "--columns", "id"], 1, &["02"]),
            (&["--order", "name", "--offset", "1", "--limit", "2", "--columns", "id"], 4, &["03", "02"]),
            (&["--where", "day<2026-01-01", "--columns", "id"], 1, &["04"]),
        ] {
            let done = kalla(dir.path(), &[&["results", "kalla-out", "left", "--json"], flags].concat());
            let page: Value = serde_json::from_slice(&done.stdout).unwrap();
            let ids: Vec<&str> = page["rows"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
            assert_eq!((page["total"].as_u64().unwrap(), ids.as_slice()), (total, rows), "{format} {flags:?}");
        }
    }
    let shown = kalla(dir.path(), &["results", "kalla-out", "left", "--where", "amount>5"]);
    assert!(text(&shown.stdout).starts_with("unmatched_left  2 of 4 rows\n"), "{}", text(&shown.stdout));
    let summary = kalla(dir.path(), &["results", "kalla-out", "left", "--summary", "--json"]);
    let summary: Value = serde_json::from_slice(&summary.stdout).unwrap();
    assert_eq!((&summary["rows"], &summary["columns"][1]["nulls"]), (&Value::from(4), &Value::from(1)));
    assert_eq!(summary["columns"][1]["max"], "1234567890123456.78");

    let wrong = kalla(dir.path(), &["results", "kalla-out", "left", "--order", "amout", "--where", "idd=1"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("did you mean `amount`?"), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains("did you mean `id`?"), "{}", text(&wrong.stderr));
    for args in [
        &["results", "nowhere"] as &[&str],
        &["results", "kalla-out", "rejected-left"],
        &["results", "kalla-out", "--out", "x.doc"],
        &["results", "kalla-out", "--spreadsheet"],
        &["results", "kalla-out", "--out", "x.xlsx", "--spreadsheet"],
    ] {
        assert_eq!(kalla(dir.path(), args).status.code(), Some(2), "{args:?}");
    }
}

/// Amounts are numbers, what a double cannot hold is text, and so are ids.
#[test]
fn results_are_exported() {
    let left = "id,amount,name,day\n01,5.00,Acme,2026-01-01\n02,1234567890123456.78,\"Ünal, Ltd\",1850-01-01\n03,,acme 2,2026-03-01\n";
    let dir = tables(left, "ref\n05\n");
    kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "id=ref", "-q"]);
    for name in ["x.csv", "x.parquet", "x.arrows", "x.xlsx"] {
        let done = kalla(dir.path(), &["results", "kalla-out", "left", "--order", "id:desc", "--out", name]);
        assert_eq!(done.status.code(), Some(0), "{name}: {}", text(&done.stderr));
    }
    assert_eq!(
        std::fs::read_to_string(dir.path().join("x.csv")).unwrap(),
        "id,amount,name,day,_row\n03,,acme 2,2026-03-01,2\n02,1234567890123456.78,\"Ünal, Ltd\",1850-01-01,1\n01,5.00,Acme,2026-01-01,0\n"
    );
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exports.py");
    let done = Command::new(python).arg(script).current_dir(dir.path()).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
}

#[test]
fn a_spreadsheet_runs_nothing() {
    let left = "id,=note,amount\n1,\"=HYPERLINK(\"\"http://x\"\")\",-5.00\n2,-7,6.00\n";
    let dir = tables(left, "ref\n9\n");
    kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "id=ref", "-q"]);
    let exported = |flags: &[&str]| {
        kalla(dir.path(), &[&["results", "kalla-out", "left", "--out", "x.csv"], flags].concat());
        std::fs::read_to_string(dir.path().join("x.csv")).unwrap()
    };
    let plain = "id,=note,amount,_row\n1,\"=HYPERLINK(\"\"http://x\"\")\",-5.00,0\n2,-7,6.00,1\n";
    assert_eq!(exported(&[]), plain);
    assert_eq!(exported(&["--spreadsheet"]), plain.replace("=HYPERLINK", "'=HYPERLINK").replace("=note", "'=note"));
}

#[test]
fn a_dry_run_writes_nothing_and_says_where_pairs_are_lost() {
    let left = "id,ref,amount\n1,A-1,10.00\n2,B-7,99.50\n3,C-3,55.00\n";
    let dir = tables(left, "ref,paid\nA-1,10.00\nB-7,99.00\nC-3,55.00\n");
    let job = ["reconcile", "left.csv", "right.csv", "--on", "ref", "--tolerance", "amount=paid:0.02"];
    let shown = kalla(dir.path(), &[&job[..], &["--dry-run"]].concat());
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    for line in
        ["9  all pairs", "3  l.ref = r.ref", "2  tolerance_match(l.amount, r.paid, 0.02)", "Every row was tried."]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let json = kalla(dir.path(), &[&job[..], &["--dry-run=2", "--json"]].concat());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["key"], &json["rows_left"]), (&Value::from("l.ref = r.ref"), &Value::from(3)));
    assert!(!dir.path().join("kalla-out").exists());
}

#[test]
fn why_a_row_matches_nothing_is_told() {
    let left = "id,ref,amount\n1,A-1,10.00\n2,B-7,99.50\n3,C-3,55.00\n";
    let dir = tables(left, "ref,paid\nA-1,10.00\nB-7,99.00\nC-3,55.00\n");
    let job = ["reconcile", "left.csv", "right.csv", "--on", "ref", "--tolerance", "amount=paid:0.02", "-q"];
    for format in ["parquet", "csv"] {
        kalla(dir.path(), &[&job[..], &["--keep-staged", "--format", format]].concat());
        let shown = kalla(dir.path(), &["why", "kalla-out", "left", "1"]);
        let expected = "\
left row 1
  id  ref  amount
  2   B-7  99.50

→ right row 1 meets every condition but one: `tolerance_match(l.amount, r.paid, 0.02)`: 99.50 and 99.00 are 0.50 apart, 0.02 allowed

right row 1
  ref  paid
  B-7  99.00
  the join
    ✓ l.ref = r.ref
    ✗ tolerance_match(l.amount, r.paid, 0.02)
      99.50 and 99.00 are 0.50 apart, 0.02 allowed
";
        assert_eq!(text(&shown.stdout), expected, "{}", text(&shown.stderr));
    }
    let json = kalla(dir.path(), &["why", "kalla-out", "right", "1", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let outcome = &json["passes"][0]["candidates"][0]["outcomes"][1];
    assert_eq!((&outcome["holds"], &outcome["apart"]), (&Value::from(false), &Value::from("0.50")));
    assert_eq!(json["row"][1], "99.00");

    let matched = kalla(dir.path(), &["why", "kalla-out", "left", "0"]);
    assert_eq!(matched.status.code(), Some(2));
    assert!(text(&matched.stderr).contains("left row 0 is matched, with right row 0"), "{}", text(&matched.stderr));
    kalla(dir.path(), &job);
    let gone = kalla(dir.path(), &["why", "kalla-out", "left", "1"]);
    assert!(text(&gone.stderr).contains("--keep-staged"), "{}", text(&gone.stderr));
}

/// A join that yields to nobody: some minutes of comparing texts on all threads.
const ENDLESS: [&str; 7] = [
    "reconcile",
    "left.csv",
    "right.csv",
    "--sql",
    "SELECT l.id, r.ref FROM left_src l JOIN right_src r ON similarity(l.id, r.ref) > 2",
    "--threads",
    "2",
];

fn endless() -> (tempfile::TempDir, tempfile::TempDir, Command) {
    let rows = |name: &str| (0..60_000).map(|n| format!("{name} of a customer {n}\n")).collect::<String>();
    let dir = tables(&format!("id\n{}", rows("invoice")), &format!("ref\n{}", rows("payment")));
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
    command.args(ENDLESS).current_dir(dir.path()).env("TMPDIR", temporary.path());
    (dir, temporary, command)
}

fn names(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_time_limit_ends_whatever_the_plan_does() {
    let (dir, temporary, mut command) = endless();
    let started = Instant::now();
    let output = command.args(["--timeout", "2s"]).output().unwrap();
    let took = started.elapsed();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("time limit of 2 s"), "{}", text(&output.stderr));
    // The limit, the patience, and what a busy machine needs.
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(names(dir.path()), ["left.csv", "right.csv"]);
    assert_eq!(names(temporary.path()), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_whatever_the_plan_does() {
    for signal in ["-INT", "-TERM"] {
        let (dir, temporary, mut command) = endless();
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // Both sides are staged, and the join has begun.
        let out = dir.path().join("kalla-out");
        let matching = || {
            out.read_dir().is_ok_and(|mut all| {
                all.any(|entry| entry.is_ok_and(|entry| entry.path().join("matched.parquet").exists()))
            })
        };
        let begun = Instant::now();
        while !matching() {
            assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
            std::thread::yield_now();
        }
        let started = Instant::now();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let took = started.elapsed();
        assert!(took < Duration::from_secs(4), "{signal}: {took:?}");
        assert!(text(&output.stderr).contains("cancelled"), "{signal}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{signal}");
        assert_eq!(names(dir.path()), ["left.csv", "right.csv"], "{signal}");
        assert_eq!(names(temporary.path()), Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn help_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let output = kalla(dir.path(), &["reconcile", "--help"]);
    let help = text(&output.stdout);
    for word in ["--on", "--tolerance", "--days", "--sql", "--recipe", "--memory", "--format", "Exit status"] {
        assert!(help.contains(word), "{word}");
    }
    assert_eq!(output.status.code(), Some(0));
}
