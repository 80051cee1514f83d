//! Random small tables and recipes, answered by the engine and by DuckDB: same rows, same lineage, same breaks.
//!
//! `KALLA_DIFFERENTIAL_CASES` says how many cases to run (2000), `KALLA_DIFFERENTIAL_SEED` which is the first (1); a
//! difference is printed with its seed, so that `KALLA_DIFFERENTIAL_SEED=seed KALLA_DIFFERENTIAL_CASES=1` shows it again.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::cast_possible_wrap, clippy::wrong_self_convention, clippy::disallowed_methods)]

mod answer;
mod expression;
mod forms;
mod oracle;
mod postgres;
mod random;
mod recipe;
mod statistics;
mod tables;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kalla_engine::Stores;
use kalla_engine::explain::{Question, Side};
use kalla_engine::job::{Job, Limits, ReadOptions, ResultFormat, Source, SourceUri};
use kalla_engine::location::Location;
use kalla_engine::manifest::Counts;
use kalla_engine::progress::Progress;
use tokio_util::sync::CancellationToken;

use answer::Row;
use oracle::Oracle;
use random::Random;
use recipe::Dialect;
use tables::{COLUMNS, Table};

/// Every so many-th case is tried on a sample, too, and some of its unmatched rows are asked about.
const EXPLAINED: u64 = 5;
/// Differences that are printed; one mistake shows itself in many cases.
const SHOWN: usize = 5;

#[test]
fn agrees_with_duckdb() {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |v| v.parse().unwrap());
    let cases = setting("KALLA_DIFFERENTIAL_CASES", 2000);
    let first = setting("KALLA_DIFFERENTIAL_SEED", 1);
    let oracle = Oracle::start();
    let next = AtomicU64::new(first);
    let matches = AtomicUsize::new(0);
    let with_matches = AtomicUsize::new(0);
    let differences = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        return;
                    }
                    match Case::new(seed).run(&oracle, &runtime) {
                        Ok(rows) => {
                            matches.fetch_add(rows, Ordering::Relaxed);
                            with_matches.fetch_add(usize::from(rows > 0), Ordering::Relaxed);
                        }
                        Err(difference) => differences.lock().unwrap().push((seed, difference)),
                    }
                }
            });
        }
    });
    let mut differences = differences.into_inner().unwrap();
    differences.sort();
    for (_, difference) in differences.iter().take(SHOWN) {
        eprintln!("{difference}");
    }
    let seeds: Vec<u64> = differences.iter().map(|(seed, _)| *seed).collect();
    assert!(seeds.is_empty(), "{} of {cases} cases differ: seeds {seeds:?}", seeds.len());
    let (rows, cases_with_rows) = (matches.into_inner(), with_matches.into_inner());
    eprintln!("{cases} cases agree; {cases_with_rows} of them give rows, {rows} in all");
    // Two engines that both find nothing agree about nothing.
    assert!(cases < 100 || cases_with_rows as u64 > cases / 2, "too few cases give rows");
}

struct Case {
    seed: u64,
    left: Table,
    right: Table,
    left_csv: String,
    right_csv: String,
    match_sql: String,
    oracle_sql: String,
    threads: usize,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (left, right) = (Table::random(&mut random), Table::random(&mut random));
        let (left_csv, right_csv) = (left.csv(&mut random), right.csv(&mut random));
        let threads = random.below(4) + 1;
        let match_sql = recipe::write(random.clone(), Dialect::Kalla);
        let oracle_sql = recipe::write(random, Dialect::Oracle);
        Self { seed, left, right, left_csv, right_csv, match_sql, oracle_sql, threads }
    }

    /// The number of matched rows, or a description of what differs.
    fn run(&self, oracle: &Oracle, runtime: &tokio::runtime::Runtime) -> Result<usize, String> {
        let wanted =
            oracle.ask(&self.left, &self.right, &self.oracle_sql).map_err(|e| self.story("the oracle fails", &e))?;
        let directory = tempfile::tempdir().unwrap();
        let job = self.job(directory.path());
        let (tried, limits, output) = (job.clone(), job.limits.clone(), job.output.clone());
        let (progress, _) = tokio::sync::watch::channel(Progress::default());
        let manifest = runtime
            .block_on(kalla_engine::reconcile(job, progress, CancellationToken::new()))
            .map_err(|e| self.story("the engine fails", &e.to_string()))?;
        let out = directory.path().join("out");
        let found = answer::matched(&out);
        self.compare(&wanted, &found, &manifest.counts)?;
        for (side, table, rows) in [
            ("left", &self.left, matched_rows(&wanted, |r| &r.left)),
            ("right", &self.right, matched_rows(&wanted, |r| &r.right)),
        ] {
            self.compare_rest(side, table, &rows, &answer::unmatched(&out, side))?;
        }
        if self.seed.is_multiple_of(EXPLAINED) {
            let story = |what: &str, error: kalla_engine::Error| self.story(what, &error.to_string());
            let dry_run = runtime.block_on(kalla_engine::dry_run(&tried, 10_000));
            let counts = dry_run.map_err(|e| story("a dry run fails", e))?.counts;
            if counts != manifest.counts {
                return Err(self.story("a dry run counts otherwise", &format!("{counts:?}\n{:?}", manifest.counts)));
            }
            for (side, name) in [(Side::Left, "left"), (Side::Right, "right")] {
                for (row, _) in answer::unmatched(&out, name).into_iter().take(3) {
                    let (row, stores) = (row.cast_unsigned(), Stores::default());
                    let question =
                        Question { output: &output, manifest: &manifest, side, row, limits: &limits, stores: &stores };
                    let why = runtime.block_on(kalla_engine::why(question));
                    why.map_err(|e| story(&format!("why not {name} row {row}"), e))?;
                }
            }
        }
        Ok(found.len())
    }

    fn job(&self, directory: &std::path::Path) -> Job {
        let source = |alias: &str, csv: &str| {
            let path = directory.join(format!("{alias}.csv"));
            std::fs::write(&path, csv).unwrap();
            Source {
                alias: alias.to_owned(),
                uri: SourceUri::File(Location::Local(path)),
                filters: Vec::new(),
                primary_key: Vec::new(),
                options: ReadOptions {
                    delimiter: Some(b','),
                    quote: Some(Some(b'"')),
                    header: Some(true),
                    types: Table::types(),
                    ..ReadOptions::default()
                },
            }
        };
        Job {
            run_id: format!("case-{}", self.seed),
            attempt: 1,
            payload_sha256: None,
            left: source("left_src", &self.left_csv),
            right: source("right_src", &self.right_csv),
            extras: Vec::new(),
            match_sql: self.match_sql.clone(),
            compare: None,
            output: Location::Local(directory.join("out")),
            keep_staged: true,
            sync: false,
            format: ResultFormat::Parquet,
            limits: Limits { threads: self.threads, ..Limits::default() },
        }
    }

    /// Same output rows, each from the same source rows; and counts that say so and leave no row out.
    fn compare(&self, wanted: &[Row], found: &[Row], counts: &Counts) -> Result<(), String> {
        let sorted = |rows: &[Row]| {
            let mut rows = rows.to_vec();
            rows.sort();
            rows
        };
        if sorted(wanted) != sorted(found) {
            return Err(self.story("other rows", &both(&sorted(wanted), &sorted(found))));
        }
        let left = matched_rows(wanted, |r| &r.left).len() as u64;
        let right = matched_rows(wanted, |r| &r.right).len() as u64;
        let (all_left, all_right) = (self.left.rows.len() as u64, self.right.rows.len() as u64);
        let expected = Counts {
            matched_count: wanted.iter().filter(|r| !r.left.is_empty() && !r.right.is_empty()).count() as u64,
            matched_left_count: left,
            matched_right_count: right,
            unmatched_left_count: all_left - left,
            unmatched_right_count: all_right - right,
            total_left: all_left,
            total_right: all_right,
            rejected_left: 0,
            rejected_right: 0,
        };
        if *counts != expected {
            return Err(self.story("other counts", &format!("wanted {expected:?}\nfound  {counts:?}")));
        }
        Ok(())
    }

    /// Every row of a side that is not matched, in the order of the source, as it was in the source.
    fn compare_rest(
        &self,
        side: &str,
        table: &Table,
        matched: &BTreeSet<i64>,
        found: &[(i64, Vec<Option<String>>)],
    ) -> Result<(), String> {
        let numbered = table.rows.iter().zip(0_i64..).filter(|(_, number)| !matched.contains(number));
        let wanted: Vec<(i64, Vec<Option<String>>)> = numbered.map(|(row, number)| (number, shown(row))).collect();
        if wanted != found {
            return Err(self.story(&format!("other unmatched rows ({side})"), &both(&wanted, found)));
        }
        Ok(())
    }

    /// All that is needed to look into a difference.
    fn story(&self, what: &str, details: &str) -> String {
        let mut text = format!("\n=== seed {}: {what}\n{details}\n", self.seed);
        for (name, table) in [("left_src", &self.left), ("right_src", &self.right)] {
            writeln!(text, "--- {name}: {}", COLUMNS.map(|c| c.name).join(" | ")).unwrap();
            for (number, row) in table.rows.iter().enumerate() {
                let fields: Vec<String> =
                    row.iter().map(|v| v.as_ref().map_or("NULL".to_owned(), |v| format!("{v:?}"))).collect();
                writeln!(text, "{number}: {}", fields.join(" | ")).unwrap();
            }
        }
        let threads = self.threads;
        write!(
            text,
            "--- match_sql, {threads} threads\n{}\n--- the oracle's SQL\n{}\n",
            self.match_sql, self.oracle_sql
        )
        .unwrap();
        text
    }
}

/// The rows of one side that are matched: those in an output row together with a row of the other side.
fn matched_rows(rows: &[Row], side: impl Fn(&Row) -> &Vec<i64>) -> BTreeSet<i64> {
    rows.iter().filter(|r| !r.left.is_empty() && !r.right.is_empty()).flat_map(|r| side(r).clone()).collect()
}

/// A source row in the form of an answer.
fn shown(row: &[Option<String>]) -> Vec<Option<String>> {
    let kind = |sql: &str| match sql {
        "VARCHAR" => 't',
        "DATE" => 'd',
        _ => 'n',
    };
    let text = |sql: &str, v: &str| if kind(sql) == 'n' { answer::number(v) } else { v.to_owned() };
    row.iter()
        .zip(&COLUMNS)
        .map(|(value, c)| value.as_ref().map(|v| format!("{}:{}", kind(c.sql), text(c.sql, v))))
        .collect()
}

/// What only one of the two has.
fn both<T: PartialEq + std::fmt::Debug>(wanted: &[T], found: &[T]) -> String {
    let list = |rows: &[T], others: &[T]| {
        let lines: Vec<String> =
            rows.iter().filter(|row| !others.contains(row)).map(|row| format!("  {row:?}")).collect();
        if lines.is_empty() {
            "  nothing (how often or in which order rows come differs)".to_owned()
        } else {
            lines.join("\n")
        }
    };
    format!(
        "wanted {} rows, found {}\nonly wanted:\n{}\nonly found:\n{}",
        wanted.len(),
        found.len(),
        list(wanted, found),
        list(found, wanted)
    )
}
