//! The command line against a running gateway.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::client::{Client, check_counts};
use crate::process::Served;

fn kalla(dir: &Path, url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
    command.args(arguments).current_dir(dir).env("KALLA_URL", url).output().unwrap()
}

fn said(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    format!("{out}{err}")
}

const RECIPE: &str = "\
recipe_id: invoice-payment
name: Invoices against payments
match_sql: |
  SELECT i.id, p.paid
  FROM invoices i JOIN payments p ON i.id = p.id
sources:
  left: {alias: invoices, type: file}
  right:
    alias: payments
    type: file
    schema: [id, paid]
    filters: [{column: paid, op: gte, value: 0.1}, {column: id, op: neq, value: '7'}]
";

#[tokio::test]
async fn a_recipe_goes_from_a_file_to_a_run_and_back() {
    let (_kept, dir) = crate::temporary();
    let served = Served::start(&dir, &["up", "--port", "0"], &[]);
    let run = |arguments: &[&str]| kalla(&dir, &served.url, arguments);
    std::fs::write(dir.join("recipe.yaml"), RECIPE).unwrap();

    let pushed = said(&run(&["recipes", "push", "recipe.yaml"]), 0);
    assert_eq!(pushed, "invoice-payment is at version 1\n");
    // What is pulled is what was pushed: pushing it again changes nothing.
    let pulled = said(&run(&["recipes", "pull", "invoice-payment"]), 0);
    assert!(pulled.contains("match_sql: |\n  SELECT i.id, p.paid\n") && pulled.contains("value: 0.1\n"), "{pulled}");
    std::fs::write(dir.join("pulled.yaml"), &pulled).unwrap();
    std::fs::write(dir.join("pulled.json"), said(&run(&["recipes", "pull", "invoice-payment", "--json"]), 0)).unwrap();
    let again = said(&run(&["recipes", "push", "pulled.yaml", "pulled.json"]), 0);
    assert_eq!(again, "invoice-payment is at version 1\n".repeat(2));
    let listed = said(&run(&["recipes", "list"]), 0);
    assert!(listed.lines().nth(1).unwrap().starts_with("invoice-payment"), "{listed}");

    let waited = said(&run(&["run", "invoice-payment", "--left", "a.csv", "--right", "b.csv", "--wait"]), 1);
    assert!(waited.contains("invoices and payments differ: "), "{waited}");
    let json = said(&run(&["run", "recipe.yaml", "--left", "a.csv", "--right", "b.csv", "--wait", "--json"]), 1);
    let done: Value = serde_json::from_str(&json).unwrap();
    check_counts(&done);
    let id = said(&run(&["run", "invoice-payment", "--left", "a.csv", "--right", "b.csv"]), 0);
    check_counts(&Client::new(&served.url).ended(id.trim()).await);
    let listed = said(&run(&["runs", "--state", "completed"]), 0);
    assert!(listed.contains(id.trim()) && listed.lines().count() == 4, "{listed}");

    assert!(said(&run(&["run", "nothing", "--wait"]), 2).contains("no recipe `nothing`"));
    let wrong = said(&run(&["run", "invoice-payment", "--left", "a.csv", "--right", "a.csv", "--wait"]), 2);
    assert!(
        wrong.contains("a.csv has no column `paid`: was `amount`") || wrong.contains("has no column `paid`: it has"),
        "{wrong}"
    );
    assert!(said(&run(&["run", "invoice-payment", "--left", "none.csv"]), 2).contains("none.csv"));
    assert!(said(&run(&["runs", "--state", "asleep"]), 2).contains("asleep"));
    let away = said(&kalla(&dir, "http://127.0.0.1:1", &["runs"]), 2);
    assert!(away.contains("kalla up"), "{away}");
}

/// The example ends with what its README says, and a second start finds it.
#[test]
fn the_example_runs_once() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let shown = kalla(dir.path(), "", &["up", "--demo=once", "--port", "0", "--data-dir", "here"]);
        let shown = said(&shown, 0);
        assert!(
            shown.contains("differ: 270 of 2,991 rows of invoices are open (275,260.39 EUR")
                && shown.contains("2,635 matches"),
            "{shown}"
        );
    }
    let results = std::fs::read_dir(dir.path().join("here/staging/results")).unwrap();
    assert_eq!(results.count(), 1);
}
