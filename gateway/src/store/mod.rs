//! The state of a gateway: Postgres, or an embedded SQLite. Every statement is written once, in SQL that both speak.

mod recipes;
mod runs;
mod sources;
mod uploads;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use recipes::StoredRecipe;
pub use runs::{RunFilter, StoredRun};
pub use sources::StoredSource;
pub use uploads::StoredUpload;

/// The file of SQLite in the data directory.
const FILE: &str = "kalla.db";
const CONNECTIONS: u32 = 8;
/// How long a request waits for a connection, or for others to finish writing.
const PATIENCE: Duration = Duration::from_secs(10);

const POSTGRES: [(i64, &str, &str); 1] = [(1, "state", include_str!("../../../migrations/postgres/0001_state.sql"))];
const SQLITE: [(i64, &str, &str); 1] = [(1, "state", include_str!("../../../migrations/sqlite/0001_state.sql"))];

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database cannot be used: {0}")]
    Database(sqlx::Error),
    #[error("the schema of the database: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    #[error("{path}: {reason}")]
    Directory { path: String, reason: std::io::Error },
    #[error("DATABASE_URL is no address of a Postgres database: postgres://user:password@host:5432/database")]
    Address,
    /// Postgres keeps no NUL in texts.
    #[error("a text holds a NUL character")]
    Nul,
    /// Someone else saved first.
    #[error("it was changed at the same time")]
    Outdated,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            // In a text, and in JSON.
            Some("22021" | "22P05") => Self::Nul,
            _ => Self::Database(error),
        }
    }
}

/// Where the state is.
#[derive(Debug, Clone)]
pub enum Place {
    Postgres(String),
    /// A directory; it is made where it is missing.
    Directory(PathBuf),
}

/// Clones share the connections.
#[derive(Debug, Clone)]
pub enum Store {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// Writes `$body` once for both databases; `$pool` is the one that is there.
macro_rules! on {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            $crate::store::Store::Postgres($pool) => $body,
            $crate::store::Store::Sqlite($pool) => $body,
        }
    };
}
use on;

impl Store {
    /// Opens the database, makes its schema what this version needs, and finds out whether it can be used.
    pub async fn open(place: &Place) -> Result<Self, StoreError> {
        let store = match place {
            Place::Postgres(url) => {
                let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Address)?;
                let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
                Self::Postgres(pool.connect_with(options.application_name("kalla")).await?)
            }
            Place::Directory(path) => Self::Sqlite(open_file(path).await?),
        };
        let migrations = match &store {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(_) => SQLITE,
        };
        let migrator = Migrator::with_migrations(
            migrations
                .into_iter()
                .map(|(version, name, sql)| {
                    Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
                })
                .collect(),
        );
        on!(&store, pool => migrator.run(pool).await)?;
        Ok(store)
    }

    /// Whether the database answers.
    pub async fn reachable(&self) -> Result<(), StoreError> {
        on!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

/// One writer at a time; it is chosen before it reads what it is about to change.
fn begin(store: &Store) -> &'static str {
    match store {
        Store::Postgres(_) => "BEGIN",
        Store::Sqlite(_) => "BEGIN IMMEDIATE",
    }
}

async fn open_file(directory: &Path) -> Result<SqlitePool, StoreError> {
    let failed = |reason| StoreError::Directory { path: directory.display().to_string(), reason };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let options = SqliteConnectOptions::new()
        .filename(directory.join(FILE))
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What was answered survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    Ok(SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE).connect_with(options).await?)
}

/// A page of a list.
pub struct Page<T> {
    pub items: Vec<T>,
    /// Whether there is more behind it.
    pub more: bool,
}

impl<T> Page<T> {
    fn new(mut items: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

/// So many rows tell whether there are more than `limit`.
fn one_more(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// Numbers of the databases are signed; ours are small.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
