//! What an operator may set. Only values: who starts a worker reads them from wherever they are.

use std::path::PathBuf;
use std::time::Duration;

use kalla_engine::Stores;
use kalla_engine::job::Limits;
use kalla_engine::location::Location;

use crate::callback::CallbackSettings;
use crate::process::ProcessSettings;

/// Holds secrets and so has no `Debug`.
#[derive(Clone)]
pub struct Config {
    pub host: String,
    /// 0: any free port.
    pub port: u16,
    /// Where results, uploads and notes are; a local one is an absolute path.
    pub storage: Location,
    /// How buckets are reached.
    pub stores: Stores,
    /// Directories that jobs may read and write, besides a local storage.
    pub file_roots: Vec<PathBuf>,
    /// Whether callbacks and databases at private addresses are refused.
    pub refuse_private: bool,
    /// What every request has to bring, where it is set.
    pub token: Option<String>,
    pub tls: Option<Tls>,
    /// Jobs that run at the same time.
    pub concurrency: usize,
    /// Jobs that wait at most.
    pub queue: usize,
    /// What one job may use.
    pub limits: Limits,
    /// The largest file that is taken.
    pub upload_bytes: u64,
    pub callbacks: CallbackSettings,
    /// How long a worker that is told to stop may take.
    pub grace: Duration,
    /// How long uploads are kept.
    pub retention: Duration,
    /// How long staged rows stay beside the results; zero: not at all.
    pub keep_staged: Duration,
    /// How the process of a job is started.
    pub process: ProcessSettings,
}

/// PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}
