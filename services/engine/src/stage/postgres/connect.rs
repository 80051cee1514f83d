//! Connections to one server: TLS as libpq's `sslmode` has it, session settings, cancelling, and errors in words.

use std::io;
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;

use super::tls;
use super::uri::address;
use crate::addresses::Addresses;
use crate::connection::Part;
use crate::error::{Error, Place, Result};
use crate::job::{PostgresTable, TlsMode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server has to take note of a cancelled query before we leave.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How the driver says that the server asks for a password and the address has none.
const PASSWORD_MISSING: &str = "password missing";

/// What makes the text form of values and the order of rows the same in every session, and lets reading take as long as it
/// takes: nothing is left to the settings of the role or the database. What the address itself sets, as options, holds. The JIT costs more than it gives on short range scans.
const SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
     SET bytea_output = 'hex'; SET extra_float_digits = 1; SET xmloption = 'content'; \
     SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; SET jit = off; \
     SET lock_timeout = '30s'; SET client_min_messages = 'error'; \
     SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout', \
     'idle_in_transaction_session_timeout', 'idle_session_timeout') AND source <> 'client'";

/// Opens connections for one source and puts their failures into words.
pub struct Connector {
    alias: String,
    config: Config,
    tls: MakeRustlsConnect,
    addresses: Option<Addresses>,
    pub address: String,
    opened: Mutex<Vec<CancelToken>>,
}

/// One session. Dropping it closes the socket at once, whatever the server is still sending.
pub struct Connection {
    pub client: Client,
    driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Says goodbye, so that the server's log does not speak of a lost client.
    pub async fn close(self) {
        let Self { client, driver } = self;
        drop(client);
        drop(tokio::time::timeout(CLOSE_TIMEOUT, driver).await);
    }
}

impl Connector {
    pub fn new(alias: &str, table: &PostgresTable) -> Result<Self> {
        let mut config = Config::from_str(&table.connection)
            .map_err(|_| Error::defect(format!("source `{alias}`: the connection string was not checked")))?;
        let address = address(&config);
        config.ssl_mode(match table.tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("kalla");
        }
        // A peer that vanished without a word must not hold a job for hours.
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(60));
        let tls = tls::connector(table.tls, table.root_certificate.as_deref())
            .map_err(|what| Error::Denied { alias: alias.to_owned(), what })?;
        Ok(Self { alias: alias.to_owned(), config, tls, addresses: table.addresses, address, opened: Mutex::default() })
    }

    /// A session with our settings.
    pub async fn connect(&self) -> Result<Connection> {
        self.reach().await.map_err(|(_, error)| error)
    }

    /// As [`Self::connect`]; an error comes with the part of the connection that is not right.
    pub async fn reach(&self) -> Result<Connection, (Part, Error)> {
        // The driver's own limit ends with the TCP handshake; a server may accept and then say nothing.
        let limit = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let opening = async {
            let config = self.found().await.map_err(|error| (Part::Server, error))?;
            let connected = config.connect(self.tls.clone()).await;
            let (client, connection) = connected.map_err(|e| (refusing(&e), self.refused(&e)))?;
            // An error of the connection ends every query on it; it is told there.
            let driver = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
            let session = Connection { client, driver };
            session.client.batch_execute(SESSION).await.map_err(|e| (Part::Database, self.failed(&e)))?;
            Ok(session)
        };
        let silent = || self.unavailable(format!("{} did not answer within {} s", self.address, limit.as_secs()));
        let session = tokio::time::timeout(limit, opening).await.map_err(|_| (Part::Server, silent()))??;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(session.client.cancel_token());
        Ok(session)
    }

    /// Where the host is one that is allowed: with the addresses that were looked at, beside the name that TLS has to see.
    async fn found(&self) -> Result<Config> {
        let mut config = self.config.clone();
        let (Some(addresses), [Host::Tcp(host)]) = (self.addresses, self.config.get_hosts()) else { return Ok(config) };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let found = addresses.find(host, port).await;
        let found = found.map_err(|e| self.unavailable(format!("cannot connect to {}: {e}", self.address)))?;
        let found = found.map_err(|what| Error::Denied { alias: self.alias.clone(), what })?;
        for (index, address) in found.iter().enumerate() {
            // Each address wants a name of its own.
            if index > 0 {
                config.host(host.clone());
            }
            config.hostaddr(address.ip());
        }
        Ok(config)
    }

    /// Asks the server to stop whatever our sessions are doing.
    pub async fn cancel(&self) {
        let tokens = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        let requests = tokens.iter().map(|token| token.cancel_query(self.tls.clone()));
        // A request that cannot be delivered changes nothing: the sockets are closed all the same.
        drop(tokio::time::timeout(CANCEL_TIMEOUT, futures::future::join_all(requests)).await);
    }

    /// A query failed.
    pub fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let Some(db) = error.as_db_error() else {
            return self.unavailable(format!("the connection to {} was lost{}", self.address, cause_of(error)));
        };
        let alias = self.alias.clone();
        let what = format!("the server at {} says: {}", self.address, db.message());
        let code = db.code();
        if *code == SqlState::INSUFFICIENT_PRIVILEGE || code.code().starts_with("28") {
            Error::Denied { alias, what: db.message().to_owned() }
        } else if *code == SqlState::INVALID_CATALOG_NAME || *code == SqlState::UNDEFINED_TABLE {
            Error::NotFound { alias, what: db.message().to_owned() }
        } else if *code == SqlState::LOCK_NOT_AVAILABLE {
            Error::Unavailable { alias, what: "the table is locked by another session; try again later".to_owned() }
        } else if ["08", "40", "53", "55", "57", "58"].contains(&&code.code()[..2]) {
            Error::Unavailable { alias, what }
        } else {
            Error::Data { alias, place: Place::default(), reason: what }
        }
    }

    /// A query that was giving rows failed: says how far it came.
    pub fn interrupted(&self, error: &tokio_postgres::Error, rows: u64) -> Error {
        let lost = match error.as_db_error() {
            None => true,
            Some(db) => matches!(
                *db.code(),
                SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::IDLE_SESSION_TIMEOUT
            ),
        };
        match self.failed(error) {
            Error::Unavailable { alias, .. } if lost => Error::Unavailable {
                alias,
                what: format!(
                    "the connection to {} was lost after {rows} rows{}; nothing was kept",
                    self.address,
                    cause_of(error)
                ),
            },
            Error::Unavailable { alias, what } => {
                Error::Unavailable { alias, what: format!("{what} (after {rows} rows; nothing was kept)") }
            }
            other => other,
        }
    }

    /// No session could be opened.
    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        if error.as_db_error().is_some() {
            return self.failed(error);
        }
        let alias = self.alias.clone();
        let address = &self.address;
        let cause = std::error::Error::source(error);
        let Some(io) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) else {
            let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
            return match cause.as_str() {
                PASSWORD_MISSING => {
                    Error::Denied { alias, what: format!("{address} asks for a password: put one into the URI") }
                }
                "server does not support TLS" => Error::Unavailable {
                    alias,
                    what: format!("{address} does not offer TLS: use sslmode=prefer or sslmode=disable"),
                },
                _ => Error::Unavailable { alias, what: format!("cannot connect to {address}: {cause}") },
            };
        };
        if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            let what = match tls {
                rustls::Error::InvalidCertificate(reason) => format!(
                    "the certificate of {address} is not accepted: {reason}; name the authority that signed it with \
                     sslrootcert, or choose another sslmode"
                ),
                other => format!("cannot speak TLS with {address}: {other}"),
            };
            return Error::Denied { alias, what };
        }
        let what = match io.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("cannot connect to {address}: connection refused; is Postgres running there?")
            }
            io::ErrorKind::TimedOut => format!("cannot connect to {address}: no answer in time"),
            _ => format!("cannot connect to {address}: {io}"),
        };
        Error::Unavailable { alias, what }
    }

    pub fn unavailable(&self, what: String) -> Error {
        Error::Unavailable { alias: self.alias.clone(), what }
    }
}

/// Which part of a connection refuses.
fn refusing(error: &tokio_postgres::Error) -> Part {
    let Some(db) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        return if cause.as_deref() == Some(PASSWORD_MISSING) { Part::Login } else { Part::Server };
    };
    let code = db.code();
    if code.code().starts_with("28") {
        Part::Login
    } else if *code == SqlState::INVALID_CATALOG_NAME || *code == SqlState::INSUFFICIENT_PRIVILEGE {
        Part::Database
    } else {
        Part::Server
    }
}

/// ` (reason)`, or nothing when the peer gave none.
fn cause_of(error: &tokio_postgres::Error) -> String {
    let cause = match error.as_db_error() {
        Some(db) => Some(db.message().to_owned()),
        None => std::error::Error::source(error).map(ToString::to_string),
    };
    cause.map(|cause| format!(" ({cause})")).unwrap_or_default()
}
