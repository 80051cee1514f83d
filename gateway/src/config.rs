//! What an operator may set. Only values: who starts a gateway reads them from wherever they are.

use std::path::PathBuf;

use crate::store::Place;

/// Holds secrets and so has no `Debug`.
pub struct Config {
    pub host: String,
    /// 0: any free port.
    pub port: u16,
    pub database: Place,
    pub key: Key,
    pub worker_url: String,
    /// What the worker wants to be shown.
    pub worker_token: Option<String>,
    /// Where workers report. `None`: at the address that the gateway listens on.
    pub callback_url: Option<String>,
    /// Whether everyone who reaches the gateway may use it, on whatever address it listens.
    pub open: bool,
}

/// The key of the installation.
pub enum Key {
    /// 64 hex digits.
    Text(String),
    /// A file that holds them; it is made where it is missing.
    File(PathBuf),
}
