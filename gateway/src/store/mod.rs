//! The state of a gateway: Postgres, or an embedded SQLite. Every statement is written once, in SQL that both speak.

mod lease;
mod notices;
mod recipes;
mod runs;
mod sources;
mod uploads;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use kalla_serving::private;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr as _};

pub use lease::Held;
use notices::Bell;
pub use notices::Notice;
pub use recipes::StoredRecipe;
pub use runs::{Due, OpenRuns, RunFilter, StoredRun, Told};
pub use sources::StoredSource;
pub use uploads::StoredUpload;

/// The file of SQLite in the data directory.
const FILE: &str = "kalla.db";
/// For what is asked and saved; where gateways tell each other of changes, one more listens.
const CONNECTIONS: u32 = 8;
/// How long a request waits for a connection, or for others to finish writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Number, name, SQL. What is there is never changed: databases know the checksum of what they have run.
type Migrations = [(i64, &'static str, &'static str); 5];
const POSTGRES: Migrations = [
    (1, "state", include_str!("../../../migrations/postgres/0001_state.sql")),
    (2, "changes", include_str!("../../../migrations/postgres/0002_changes.sql")),
    (3, "key", include_str!("../../../migrations/postgres/0003_key.sql")),
    (4, "queue", include_str!("../../../migrations/postgres/0004_queue.sql")),
    (5, "leases", include_str!("../../../migrations/postgres/0005_leases.sql")),
];
const SQLITE: Migrations = [
    (1, "state", include_str!("../../../migrations/sqlite/0001_state.sql")),
    (2, "changes", include_str!("../../../migrations/sqlite/0002_changes.sql")),
    (3, "key", include_str!("../../../migrations/sqlite/0003_key.sql")),
    (4, "queue", include_str!("../../../migrations/sqlite/0004_queue.sql")),
    (5, "leases", include_str!("../../../migrations/sqlite/0005_leases.sql")),
];

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database cannot be used: {0}")]
    Database(sqlx::Error),
    #[error("the schema of the database: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    #[error("{path}: {reason}")]
    Directory { path: String, reason: std::io::Error },
    #[error("the database at {place} cannot be used: {reason}; DATABASE_URL says where it is")]
    Unreached { place: String, reason: String },
    #[error("DATABASE_URL is no address of a Postgres database: postgres://user:password@host:5432/database")]
    Address,
    /// Postgres keeps no NUL in texts.
    #[error("a text holds a NUL character")]
    Nul,
    /// Someone else saved first.
    #[error("it was changed at the same time")]
    Outdated,
}

/// Classes of errors that pass by themselves, as Postgres numbers them: lost connections, nothing left of something, a server that
/// goes down or comes up, and transactions that stood in each other's way.
const PASSING: [&str; 4] = ["08", "53", "57P", "40"];

impl StoreError {
    /// Whether the database is away for a while.
    pub fn is_passing(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => true,
            sqlx::Error::Database(told) => {
                told.code().is_some_and(|code| PASSING.iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }
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

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    pub used: u32,
    pub idle: u32,
}

/// Clones share the connections.
#[derive(Debug, Clone)]
pub enum Store {
    Postgres(PgPool),
    Sqlite(SqlitePool, Bell),
}

/// Writes `$body` once for both databases; `$pool` is the one that is there.
macro_rules! on {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            $crate::store::Store::Postgres($pool) => $body,
            $crate::store::Store::Sqlite($pool, ..) => $body,
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
                let options = options.application_name("kalla");
                knock(&options).await?;
                let pool = PgPoolOptions::new().max_connections(CONNECTIONS + 1).acquire_timeout(PATIENCE);
                Self::Postgres(pool.connect_with(options).await?)
            }
            Place::Directory(path) => Self::Sqlite(open_file(path).await?, Bell::default()),
        };
        let migrations = match &store {
            Self::Postgres(_) => POSTGRES,
            Self::Sqlite(..) => SQLITE,
        };
        let mut migrator = Migrator::with_migrations(
            migrations
                .into_iter()
                .map(|(version, name, sql)| {
                    Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
                })
                .collect(),
        );
        // A later version was here, and left what this one needs.
        migrator.set_ignore_missing(true);
        on!(&store, pool => migrator.run(pool).await)?;
        Ok(store)
    }

    /// Which database it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(..) => "sqlite",
        }
    }

    pub fn connections(&self) -> Connections {
        let (all, idle) = on!(self, pool => (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)));
        Connections { used: all.saturating_sub(idle), idle }
    }

    /// Whether the database answers.
    pub async fn reachable(&self) -> Result<(), StoreError> {
        on!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// What was sealed when the database was used for the first time: `sealed`, where this is it.
    pub async fn key_check(&self, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let keep = "INSERT INTO key_check (one, sealed) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
        let kept = "SELECT sealed FROM key_check";
        let (kept,): (Vec<u8>,) = on!(self, pool => {
            sqlx::query(keep).bind(sealed).execute(pool).await?;
            sqlx::query_as(kept).fetch_one(pool).await?
        });
        Ok(kept)
    }

    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}

/// Finds out at once why a server cannot be used: a pool goes on trying, and then says only that time is up.
async fn knock(options: &PgConnectOptions) -> Result<(), StoreError> {
    let unreached = |reason: String| {
        let place = format!("{}:{}", options.get_host(), options.get_port());
        StoreError::Unreached { place, reason }
    };
    let connection = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await;
    let connection = connection.map_err(|_| unreached(format!("no answer within {} s", PATIENCE.as_secs())))?;
    let connection = connection.map_err(|error| match error {
        sqlx::Error::Database(error) => unreached(error.message().to_owned()),
        sqlx::Error::Io(error) => unreached(error.to_string()),
        error => unreached(error.to_string()),
    })?;
    Ok(connection.close().await?)
}

/// One writer at a time; it is chosen before it reads what it is about to change.
fn begin(store: &Store) -> &'static str {
    match store {
        Store::Postgres(_) => "BEGIN",
        Store::Sqlite(..) => "BEGIN IMMEDIATE",
    }
}

async fn open_file(directory: &Path) -> Result<SqlitePool, StoreError> {
    let failed = |reason| StoreError::Directory { path: directory.display().to_string(), reason };
    private::directory(directory).map_err(failed)?;
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
