//! What an operator may set. Only values: who starts a gateway reads them from wherever they are.

use std::path::PathBuf;
use std::time::Duration;

use kalla_serving::{Address, PublicUrl};

use crate::store::Place;

/// Holds secrets and so has no `Debug`.
pub struct Config {
    pub database: Place,
    pub key: Key,
    /// One that is there in any case. Without a broker there has to be one.
    pub worker_url: Option<Address>,
    /// What the worker wants to be shown.
    pub worker_token: Option<String>,
    /// How long a run waits while the worker is not reached.
    pub worker_patience: Duration,
    /// Where workers report.
    pub callback_url: Address,
    /// The broker that jobs go through, if they do.
    pub broker: Option<kalla_broker::Settings>,
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
