//! What an operator may set. Only values: who starts a gateway reads them from wherever they are.

use std::path::PathBuf;

use kalla_serving::{Address, PublicUrl};

use crate::store::Place;

/// Holds secrets and so has no `Debug`.
pub struct Config {
    pub database: Place,
    pub key: Key,
    pub worker_url: Address,
    /// What the worker wants to be shown.
    pub worker_token: Option<String>,
    /// Where workers report.
    pub callback_url: Address,
    /// Where people reach it, if not on this machine alone.
    pub public_url: Option<PublicUrl>,
}

/// The key of the installation.
pub enum Key {
    /// 64 hex digits.
    Text(String),
    /// A file that holds them; it is made where it is missing.
    File(PathBuf),
}
