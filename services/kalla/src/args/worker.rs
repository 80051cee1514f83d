//! The arguments of `kalla worker`: each is a variable of the environment as well.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kalla_serving::{Address, PublicUrl};

use super::address::unrepeated;
use super::nats::Nats;
use crate::units;

const EXAMPLES: &str = "\
Examples:
  On a laptop, with results under ./staging:
    kalla worker
  In a fleet, with an S3-compatible store:
    AWS_ENDPOINT_URL=http://minio:9000 AWS_ALLOW_HTTP=true AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… \\
        STAGING_BUCKET=kalla-staging KALLA_WORKER_TOKEN=… kalla worker --host 0.0.0.0
  A job:
    curl --json '{\"run_id\":\"3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10\",\"match_sql\":\"SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id\",
        \"sources\":[{\"alias\":\"a\",\"uri\":\"a.csv\"},{\"alias\":\"b\",\"uri\":\"b.csv\"}]}' http://127.0.0.1:9090/api/jobs

The credentials of stores come from the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
AWS_ALLOW_HTTP, GOOGLE_APPLICATION_CREDENTIALS. docs/reference/worker.md tells everything else.";

/// Run jobs that are sent over HTTP or gRPC: results go to the storage, events to the callback of each job.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Worker {
    #[command(flatten)]
    pub listening: Listening,
    #[command(flatten)]
    pub nats: Nats,
    /// Where the gateway is called back: it may be at a private address, whatever KALLA_PRIVATE_ADDRESSES says
    #[arg(long, env = "KALLA_CALLBACK_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<Address>(), help_heading = "Safety")]
    pub callback_url: Option<Address>,
    /// Data directory of a gateway, which no job may use
    #[arg(long, env = "KALLA_DATA_DIR", value_name = "DIR", default_value = "./kalla-data", help_heading = "Safety")]
    pub data_dir: PathBuf,
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub logs: Logs,
}

/// What a worker may be told wherever it runs, also inside `kalla up`.
#[derive(Debug, Args)]
pub struct Settings {
    #[command(flatten)]
    pub storage: Storage,
    #[command(flatten)]
    pub safety: Safety,
    #[command(flatten)]
    pub jobs: Jobs,
    #[command(flatten)]
    pub callbacks: Callbacks,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub struct Listening {
    /// Address to listen on
    #[arg(long, env = "KALLA_HOST", value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port of HTTP, gRPC and Arrow Flight; 0 takes a free one
    #[arg(long, env = "KALLA_WORKER_PORT", value_name = "PORT", default_value_t = 9090)]
    pub port: u16,
    /// Token that every request has to bring, as `Authorization: Bearer …`
    #[arg(long, env = "KALLA_WORKER_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<Secret>,
    #[command(flatten)]
    pub opening: Opening,
    /// Certificate chain for TLS, a PEM file
    #[arg(long, env = "KALLA_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key for TLS, a PEM file
    #[arg(long, env = "KALLA_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// To whom a server opens, gateway or worker.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Listening")]
pub struct Opening {
    /// Who may use it without more ado; to be said when others can reach it and nothing asks who they are
    #[arg(long, env = "KALLA_AUTH", value_enum)]
    pub auth: Option<Auth>,
    /// Where it is reached, such as https://kalla.example.com: under other names than this one and loopback names, nobody is answered
    #[arg(long, env = "KALLA_PUBLIC_URL", value_name = "URL", hide_env_values = true, value_parser = unrepeated::<PublicUrl>())]
    pub public_url: Option<PublicUrl>,
}

impl Opening {
    /// Whether everyone may use it.
    pub fn to_everyone(&self) -> bool {
        self.auth == Some(Auth::None)
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Storage")]
pub struct Storage {
    /// Directory for results and uploads, where there is no bucket [default: ./staging/, or staging in the data directory]
    #[arg(long, env = "STAGING_PATH", value_name = "DIR")]
    pub staging_path: Option<PathBuf>,
    /// Bucket for results and uploads, in S3 or a store that speaks its protocol
    #[arg(long, env = "STAGING_BUCKET", value_name = "NAME", conflicts_with = "gcs_bucket")]
    pub staging_bucket: Option<String>,
    /// Address of the S3-compatible store
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub aws_endpoint_url: Option<String>,
    /// Bucket for results and uploads, in Google Cloud Storage
    #[arg(long, env = "GCS_BUCKET", value_name = "NAME")]
    pub gcs_bucket: Option<String>,
    /// How long uploads are kept, such as 12h or 7d
    #[arg(long, env = "KALLA_RETENTION", value_name = "TIME", default_value = "7d", value_parser = units::duration)]
    pub retention: Duration,
    /// How long the staged rows of a job stay beside its results, such as 12h; 0 keeps none
    #[arg(long, env = "KALLA_KEEP_STAGED", value_name = "TIME", default_value = "1d", value_parser = time_or_nothing)]
    pub keep_staged: Duration,
    /// Directory for what jobs have no memory for; no job reads what is there [default: that of the system for temporary files]
    #[arg(long, env = "KALLA_SPILL_DIR", value_name = "DIR")]
    pub spill_dir: Option<PathBuf>,
    /// What one job may have there at a time [default: no limit]
    #[arg(long, env = "KALLA_SPILL_BYTES", value_name = "SIZE", value_parser = units::bytes)]
    pub spill_bytes: Option<u64>,
    /// What is left of a disk when no new jobs and files are taken any more
    #[arg(long, env = "KALLA_DISK_RESERVE", value_name = "SIZE", default_value = "500MB", value_parser = units::bytes)]
    pub disk_reserve: u64,
    /// Largest file that PUT /api/files takes
    #[arg(long, env = "KALLA_UPLOAD_BYTES", value_name = "SIZE", default_value = "50GB", value_parser = units::bytes)]
    pub upload_bytes: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Safety")]
pub struct Safety {
    /// Directories that jobs may read and write, separated as in PATH
    ///
    /// Links are resolved first. STAGING_PATH is always one of them; what Kalla keeps for itself there and in KALLA_DATA_DIR is not.
    #[arg(long, env = "KALLA_FILE_ROOTS", value_name = "DIRS", value_delimiter = SEPARATOR, default_value = ".")]
    pub file_roots: Vec<PathBuf>,
    /// Buckets, or parts of them, that jobs may read and write, such as s3://bank/in,gs://ledger [default: all may be read, that of the storage alone is written]
    #[arg(long, env = "KALLA_BUCKETS", value_name = "URLS", value_delimiter = ',')]
    pub buckets: Vec<String>,
    /// Whether callbacks and databases may be at private addresses
    ///
    /// Link-local addresses and those of metadata services are refused always. Callbacks to KALLA_CALLBACK_URL may be private
    /// all the same.
    #[arg(long, env = "KALLA_PRIVATE_ADDRESSES", value_enum, default_value_t)]
    pub private_addresses: PrivateAddresses,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Jobs")]
pub struct Jobs {
    /// Memory of all that the worker does at the same time [default: three quarters of what the machine or the container has]
    #[arg(long, env = "KALLA_MEMORY", value_name = "SIZE", value_parser = units::bytes)]
    pub memory: Option<u64>,
    /// Jobs that run at the same time [default: one per core, if there is memory for so many]
    #[arg(long, env = "KALLA_CONCURRENCY", value_name = "N", value_parser = at_least_one)]
    pub concurrency: Option<usize>,
    /// Jobs that may wait; more are refused
    #[arg(long, env = "KALLA_QUEUE", value_name = "N", default_value_t = 100)]
    pub queue: usize,
    /// Memory that one job may use; past it, work goes to disk [default: half of KALLA_MEMORY, shared by all that run]
    #[arg(long, env = "KALLA_JOB_MEMORY", value_name = "SIZE", value_parser = units::bytes)]
    pub job_memory: Option<u64>,
    /// Time that one job may take
    #[arg(long, env = "KALLA_JOB_TIMEOUT", value_name = "TIME", default_value = "6h", value_parser = units::duration)]
    pub job_timeout: Duration,
    /// Rows that the SQL of one job may give
    #[arg(long, env = "KALLA_MAX_MATCHED_ROWS", value_name = "N", default_value = "100_000_000", value_parser = units::count)]
    pub max_matched_rows: u64,
    /// Time to finish when the worker is told to stop; what is not done then is stopped
    #[arg(long, env = "KALLA_SHUTDOWN", value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub shutdown: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Callbacks")]
pub struct Callbacks {
    /// Time that one callback may take
    #[arg(long, env = "KALLA_CALLBACK_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub callback_timeout: Duration,
    /// Time during which the last event of a job is tried again and again; then it waits in the outbox
    #[arg(long, env = "KALLA_CALLBACK_BUDGET", value_name = "TIME", default_value = "5m", value_parser = units::duration)]
    pub callback_budget: Duration,
}

/// Follow one order of a worker, which comes on the standard input.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct Logs {
    /// What to log: error, warn, info, debug or trace, also by part: kalla_worker=debug,info
    #[arg(long, env = "RUST_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: String,
    /// Form of the log, which goes to the standard error
    #[arg(long, env = "KALLA_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everyone who reaches it may use it
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PrivateAddresses {
    #[default]
    Allow,
    Refuse,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Shown to nobody.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

pub fn secret(text: &str) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("it is empty: leave it out, or set it to a token".to_owned());
    }
    Ok(Secret(text.to_owned()))
}

fn time_or_nothing(text: &str) -> Result<Duration, String> {
    if matches!(text.trim(), "0" | "0s") { Ok(Duration::ZERO) } else { units::duration(text) }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number from 1 to 1024")),
    }
}
