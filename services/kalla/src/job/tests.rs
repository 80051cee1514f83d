#![allow(clippy::unwrap_used)]

use clap::Parser as _;
use kalla_engine::job::{FilterOp, FilterValue};

use super::*;
use crate::args::{Cli, Command};

fn draft(line: &[&str]) -> Result<Draft, Vec<String>> {
    let cli = Cli::try_parse_from([&["kalla"], line].concat()).unwrap();
    let draft = match &cli.command {
        Command::Reconcile(args) => reconcile(args, &Stores::default()),
        Command::Check(args) => check(args, &Stores::default()),
        _ => panic!("no draft"),
    };
    draft.map_err(|error| match error {
        Error::Invalid(violations) => violations.into_iter().map(|v| format!("{}: {}", v.field, v.message)).collect(),
        other => panic!("{other}"),
    })
}

fn recipe(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recipe.yaml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

const RECIPE: &str = "
recipe_id: r
match_sql: SELECT b.id, l.id AS l FROM bank b JOIN ledger l ON b.id = l.id
sources:
  left:
    alias: bank
    type: file
    schema: [id, amount]
    primary_key: [id]
    filters: [{column: amount, op: gte, value: 10.50}]
    options: {delimiter: ';', types: {id: text}}
  right: {alias: ledger, type: postgres, uri: 'postgres://me@db/x?table=ledger', primary_key: [id]}
";

#[test]
fn flags_become_a_job() {
    let line = [
        "reconcile",
        "in/Invoices 2026.csv",
        "s3://bucket/pay.parquet",
        "--on",
        "id=ref",
        "--left-key",
        "id",
        "--format",
        "csv",
        "--max-rejects",
        "7",
        "--left-where",
        "amount>=10",
        "--right-type",
        "ref=text",
        "--extra",
        "fx=rates.csv",
    ];
    let job = draft(&line).unwrap().job;
    assert_eq!((job.left.alias.as_str(), job.right.alias.as_str()), ("invoices_2026", "pay"));
    assert_eq!(job.left.primary_key, ["id"]);
    assert_eq!(job.left.filters.len(), 1);
    assert_eq!(job.right.options.types.len(), 1);
    assert_eq!(job.extras[0].alias, "fx");
    assert_eq!((job.format, job.limits.max_rejected), (ResultFormat::Csv, 7));
    assert!(job.match_sql.contains("ON l.id = r.ref"), "{}", job.match_sql);
}

#[test]
fn help_tells_the_limits_that_hold() {
    let limits = draft(&["reconcile", "a.csv", "b.csv", "--on", "id"]).unwrap().job.limits;
    assert_eq!((limits.memory, limits.max_rejected, limits.max_matched), (4 << 30, 0, 100_000_000));
}

#[test]
fn aliases_are_identifiers_and_differ() {
    for (left, right, expected) in [
        ("a/orders.csv", "b/orders.csv", ("orders_left", "orders_right")),
        ("right_src.csv", "left_src.csv", ("left_src", "right_src")),
        ("2026-01.csv", "Größe.csv", ("_2026_01", "gr__e")),
        ("postgres://me@db/x?table=Orders", "gs://b/dir/x.y.csv", ("orders", "x_y")),
    ] {
        let job = draft(&["reconcile", left, right, "--on", "id"]).unwrap().job;
        assert_eq!((job.left.alias.as_str(), job.right.alias.as_str()), expected);
    }
}

#[test]
fn sources_of_a_recipe_and_of_the_command_line() {
    let (_dir, path) = recipe(RECIPE);
    let job = draft(&["reconcile", "--recipe", &path, "jan.csv", "--left-where", "id!=x"]).unwrap().job;
    assert_eq!(job.left.uri, SourceUri::File(Location::Local("jan.csv".into())));
    assert_eq!((job.left.alias.as_str(), job.right.alias.as_str()), ("bank", "ledger"));
    assert!(matches!(job.right.uri, SourceUri::Postgres(_)));
    assert_eq!(job.left.options.delimiter, Some(b';'));
    assert_eq!(job.left.filters[0].op, FilterOp::Gte);
    assert!(matches!(&job.left.filters[0].values[..], [FilterValue::Number(n)] if n.starts_with("10.5")));
    assert_eq!(job.left.filters[1].op, FilterOp::Neq);

    let both = draft(&["check", &path, "jan.csv", "ledger.csv"]).unwrap();
    assert_eq!(both.job.right.uri, SourceUri::File(Location::Local("ledger.csv".into())));
    assert_eq!(both.declared[0], ["id", "amount"]);

    let none = draft(&["reconcile", "--recipe", &path]).unwrap_err();
    assert!(none[0].contains("leaves one source open"), "{none:?}");
}

#[test]
fn all_that_is_wrong_at_once() {
    let line =
        ["reconcile", "ftp://x/y", "b.csv", "--left-options", "colour=red", "--right-where", "x", "--extra", "fx"];
    let wrong = draft(&line).unwrap_err();
    for part in
        ["--left-options: there is no option", "--right-where: `x`", "left source: ", "--extra: `fx`", "--on: say"]
    {
        assert!(wrong.iter().any(|w| w.starts_with(part)), "{part}: {wrong:?}");
    }
    assert_eq!(wrong.len(), 5, "{wrong:?}");
}

#[test]
fn recipes_that_cannot_be_read() {
    for (text, part) in [
        ("match_sql: [", "recipe"),
        ("recipe_id: r\nmatch_sq: SELECT 1\nsources: {}", "match_sq"),
        (&RECIPE.replace("op: gte", "op: above"), "`above` is not known here: it is one of eq, neq"),
        (&RECIPE.replace("primary_key: [id]", "primary_key: 5"), "recipe.yaml"),
    ] {
        let (_dir, path) = recipe(text);
        let wrong = draft(&["check", &path, "a.csv"]).unwrap_err();
        assert!(wrong.iter().any(|w| w.contains(part)), "{part}: {wrong:?}");
    }
    assert!(draft(&["check", "/no/such/recipe.yaml"]).unwrap_err()[0].contains("recipe.yaml"));
}

#[test]
fn sql_from_a_file() {
    let (_dir, path) = recipe("SELECT 1 -- here");
    let job = draft(&["reconcile", "a.csv", "b.csv", "--sql", &format!("@{path}")]).unwrap().job;
    assert_eq!(job.match_sql, "SELECT 1 -- here");
    assert!(draft(&["reconcile", "a.csv", "b.csv", "--sql", "@/no/such.sql"]).unwrap_err()[0].starts_with("--sql: "));
}
