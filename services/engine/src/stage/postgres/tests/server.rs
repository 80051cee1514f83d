//! A database for one test, and what a test does with the engine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;
use crate::job::{Filter, PostgresTable, ReadOptions, Source, SourceUri};
use crate::location::Location;
use crate::progress::Meter;
use crate::stage::postgres::{sample, stage};
use crate::stage::{StageContext, Staged, Threads};
use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A new database, dropped at the end of the test.
pub struct Database {
    pub client: Client,
    pub config: Config,
    pub name: String,
}

impl Database {
    pub async fn create() -> Self {
        Self::create_with("").await
    }

    /// `options` stand at the end of CREATE DATABASE.
    pub async fn create_with(options: &str) -> Self {
        let server = server();
        let name = format!("kalla_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&server).await;
        admin.batch_execute(&format!("CREATE DATABASE {name} {options}")).await.unwrap();
        let mut config = server;
        config.dbname(&name);
        Self { client: connect(&config).await, config, name }
    }

    /// A database with these statements run in it.
    pub async fn with(sql: &str) -> Self {
        let database = Self::create().await;
        database.run(sql).await;
        database
    }

    pub async fn run(&self, sql: &str) {
        if let Err(error) = self.client.batch_execute(sql).await {
            panic!("{error:?} in {sql}");
        }
    }

    /// One column of a query, as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    pub fn address(&self) -> String {
        address(&self.config)
    }

    /// The URI of a table of this database; `table` may carry further parameters.
    pub fn uri(&self, table: &str) -> String {
        self.uri_as(self.config.get_user().unwrap(), table)
    }

    pub fn uri_as(&self, user: &str, table: &str) -> String {
        format!("postgres://{user}@{}/{}?table={table}", self.address(), self.name)
    }

    pub async fn stage(&self, table: &str) -> Rows {
        read(&self.uri(table), &[], 2).await.unwrap()
    }

    pub async fn filtered(&self, table: &str, filters: &[Filter]) -> Result<Rows> {
        read(&self.uri(table), filters, 2).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (server(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let admin = connect(&server).await;
                admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            });
        });
        drop(dropping.join());
    }
}

pub fn address(config: &Config) -> String {
    let host = match &config.get_hosts()[0] {
        tokio_postgres::config::Host::Tcp(host) => host.clone(),
        other => panic!("the tests want a server over TCP, not {other:?}"),
    };
    format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432))
}

fn server() -> Config {
    let uri = std::env::var("KALLA_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    uri.parse().expect("KALLA_TEST_POSTGRES is a postgres:// URI")
}

pub async fn connect(config: &Config) -> Client {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .unwrap_or_else(|e| panic!("these tests need a Postgres server (KALLA_TEST_POSTGRES): {e:?}"));
    tokio::spawn(connection);
    client
}

/// What was staged, as text.
#[derive(Debug)]
pub struct Rows {
    pub names: Vec<String>,
    pub types: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub staged: Staged,
    /// Of the staged file.
    pub bytes: Vec<u8>,
}

impl Rows {
    pub fn column(&self, name: &str) -> Vec<&str> {
        let index = self.names.iter().position(|n| n == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(|row| row[index].as_str()).collect()
    }

    pub fn type_of(&self, name: &str) -> &str {
        &self.types[self.names.iter().position(|n| n == name).unwrap()]
    }

    pub fn note(&self, name: &str) -> Option<&str> {
        self.staged.facts.notes.iter().find(|note| note.column == name).map(|note| note.note.as_str())
    }
}

pub fn source(uri: &str, filters: &[Filter]) -> (Source, PostgresTable) {
    let table = PostgresTable::parse(uri).unwrap();
    let source = Source {
        alias: "bank".to_owned(),
        uri: SourceUri::Postgres(table.clone()),
        filters: filters.to_vec(),
        primary_key: Vec::new(),
        options: ReadOptions::default(),
    };
    (source, table)
}

/// A context whose file is deleted with the directory.
pub fn context(threads: usize) -> (StageContext, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let context = StageContext {
        alias: "bank".to_owned(),
        threads: Threads::new(threads),
        target: Location::Local(directory.path().join("staged.parquet")),
        meter: Meter::default(),
        cancel: tokio_util::sync::CancellationToken::new(),
    };
    (context, directory)
}

pub fn staged_path(context: &StageContext) -> PathBuf {
    context.target.as_local().unwrap().to_owned()
}

/// Stages a table and reads the file back.
pub async fn read(uri: &str, filters: &[Filter], threads: usize) -> Result<Rows> {
    let (source, table) = source(uri, filters);
    let (context, _directory) = context(threads);
    let staged = stage(&source, &table, &context).await?;
    let batches = batches(&staged).await;
    let progress = context.meter.read("bank");
    assert_eq!(progress.rows, staged.file.rows());
    assert_eq!(progress.done, progress.total, "all pages are told");
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows as u64, staged.file.rows());
    Ok(Rows {
        names: staged.schema.fields().iter().map(|f| f.name().clone()).collect(),
        types: staged.schema.fields().iter().map(|f| f.data_type().to_string()).collect(),
        rows: batches.iter().flat_map(cells).collect(),
        bytes: std::fs::read(staged_path(&context)).unwrap(),
        staged,
    })
}

pub async fn batches(staged: &Staged) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for unit in staged.file.units(u64::MAX) {
        batches.extend(staged.file.read_all(&unit).await.unwrap());
    }
    batches
}

/// The first rows as text, with the names of their types.
pub async fn peek(uri: &str, filters: &[Filter], rows: usize) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let (source, table) = source(uri, filters);
    let sample = sample(&source, &table, rows).await?;
    let types = sample.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    Ok((types, sample.batches.iter().flat_map(cells).collect()))
}

fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let columns: Vec<_> =
        batch.columns().iter().map(|column| (column, ArrayFormatter::try_new(column, &options).unwrap())).collect();
    (0..batch.num_rows())
        .map(|row| {
            let cell = |(column, format): &(&arrow::array::ArrayRef, ArrayFormatter)| {
                if column.is_null(row) { "NULL".to_owned() } else { format.value(row).to_string() }
            };
            columns.iter().map(cell).collect()
        })
        .collect()
}
