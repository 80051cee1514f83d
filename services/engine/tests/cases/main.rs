//! Small reconciliations with known answers, and the laws that hold for all of them.

#![allow(clippy::unwrap_used)]

mod attempts;
mod beside;
mod dry_run;
mod inspected;
mod keys;
mod laws;
mod matching;
mod meaning;
mod paths;
mod peers;
mod refused;
mod runaway;
mod totals;
mod values;
mod why;
mod wording;

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use kalla_engine::error::{Error, Result};
use kalla_engine::job::{Job, Limits, ReadOptions, ResultFormat, Source, SourceUri};
use kalla_engine::location::Location;
use kalla_engine::manifest::Manifest;
use kalla_engine::progress::Progress;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_util::sync::CancellationToken;

/// The tables of a job, written to a directory of its own.
pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub job: Job,
}

/// What came out: pairs of rows by number, and the rows without a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub pairs: BTreeSet<(Vec<i64>, Vec<i64>)>,
    pub left: Vec<i64>,
    pub right: Vec<i64>,
}

impl Fixture {
    /// `extras` are further tables by name.
    pub fn new(left: &[u8], right: &[u8], sql: &str, extras: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let table = |alias: &str, bytes: &[u8]| {
            let path = dir.path().join(format!("{alias}.csv"));
            std::fs::write(&path, bytes).unwrap();
            source(alias, &path)
        };
        let job = Job {
            run_id: "case".to_owned(),
            attempt: 1,
            payload_sha256: None,
            left: table("l", left),
            right: table("r", right),
            extras: extras.iter().map(|(alias, text)| table(alias, text.as_bytes())).collect(),
            match_sql: sql.to_owned(),
            compare: None,
            output: Location::Local(dir.path().join("out")),
            keep_staged: false,
            sync: false,
            format: ResultFormat::Parquet,
            limits: Limits { threads: 2, ..Limits::default() },
        };
        Self { dir, job }
    }

    pub async fn run(&self) -> Result<(Manifest, Answer)> {
        let (progress, _) = tokio::sync::watch::channel(Progress::default());
        let manifest = kalla_engine::reconcile(self.job.clone(), progress, CancellationToken::new()).await?;
        let answer = Answer::read(self.job.output.as_local().unwrap());
        let counts = manifest.counts;
        assert_eq!(counts.matched_left_count + counts.unmatched_left_count, counts.total_left);
        assert_eq!(counts.matched_right_count + counts.unmatched_right_count, counts.total_right);
        assert_eq!(counts.unmatched_left_count, answer.left.len() as u64);
        assert_eq!(counts.unmatched_right_count, answer.right.len() as u64);
        if self.job.format == ResultFormat::Parquet {
            values::compare(&self.job, &manifest);
        }
        Ok((manifest, answer))
    }

    /// The error that it fails with, after which nothing is left behind.
    pub async fn refused(&self) -> Error {
        let error = self.run().await.map(|(_, answer)| answer).unwrap_err();
        let output = self.job.output.as_local().unwrap();
        assert!(!output.exists() || std::fs::read_dir(output).unwrap().all(|f| is_rejects(&f.unwrap().path())));
        error
    }
}

fn is_rejects(path: &Path) -> bool {
    path.file_name().unwrap() == "failed"
}

pub fn source(alias: &str, path: &Path) -> Source {
    Source {
        alias: alias.to_owned(),
        uri: SourceUri::File(Location::Local(path.to_path_buf())),
        filters: Vec::new(),
        primary_key: Vec::new(),
        options: ReadOptions::default(),
    }
}

impl Answer {
    fn read(output: &Path) -> Self {
        let mut pairs = BTreeSet::new();
        for batch in batches(&output.join("matched.parquet")) {
            let (left, right) =
                (batch.column_by_name("_left_row").unwrap(), batch.column_by_name("_right_row").unwrap());
            pairs.extend((0..batch.num_rows()).map(|row| (numbers(left, row), numbers(right, row))));
        }
        let unmatched = |side: &str| {
            let rows = |batch: &RecordBatch| {
                batch.column_by_name("_row").unwrap().as_primitive::<Int64Type>().values().to_vec()
            };
            batches(&output.join(format!("unmatched_{side}.parquet"))).iter().flat_map(rows).collect()
        };
        Self { pairs, left: unmatched("left"), right: unmatched("right") }
    }
}

/// The rows of a Parquet file as text, sorted; NULL is empty.
pub fn shown(path: &Path) -> Vec<String> {
    let mut rows: Vec<String> = in_order(path).iter().map(|row| row.join("|")).collect();
    rows.sort();
    rows
}

/// The rows of a Parquet file as they stand in it.
pub fn in_order(path: &Path) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches(path) {
        rows.extend(rows_of(&batch));
    }
    rows
}

/// The cells of each row as text; NULL is empty.
fn rows_of(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    let cells = |row: usize| columns.iter().map(|c| c.value(row).to_string()).collect();
    (0..batch.num_rows()).map(cells).collect()
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(|b| b.unwrap()).collect()
}

fn numbers(column: &ArrayRef, row: usize) -> Vec<i64> {
    if column.is_null(row) {
        return Vec::new();
    }
    match column.as_list_opt::<i32>() {
        Some(lists) => lists.value(row).as_primitive::<Int64Type>().values().to_vec(),
        None => vec![column.as_primitive::<Int64Type>().value(row)],
    }
}
