//! `kalla worker`: from arguments to a worker that runs until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use console::style;
use kalla_engine::job::Limits;
use kalla_engine::location::Location;
use kalla_engine::stores::{Bucket, Scheme};
use kalla_engine::{Addresses, Error, Fence, Stores, Violation};
use kalla_serving::telemetry::{self, Telemetry, TelemetryError};
use kalla_serving::{Address, Tls};
use kalla_worker::budget::{Budget, Wanted};
use kalla_worker::callback::CallbackSettings;
use kalla_worker::config::Config;
use kalla_worker::process::{ProcessSettings, child};
use kalla_worker::{Running, StartError};

use crate::args;
use crate::args::worker::{Listening, LogFormat, Logs, PrivateAddresses, Settings, Worker};
use crate::output::{self, AGREED, FAILED};
use crate::{machine, signals};

/// Where a worker by itself keeps its results.
const STAGING: &str = "./staging/";
/// Where the system does not say how much there is.
const MEMORY: u64 = 8 << 30;
/// Events of a run are at least so far apart.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

pub async fn run(args: Worker, stores: Stores) -> Result<u8, Error> {
    let telemetry = match observe("kalla-worker", &args.logs) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(&error),
    };
    let Worker { listening, nats, callback_url, data_dir, settings, logs } = args;
    let staging = Path::new(STAGING);
    let own = Own { callback_url, broker: nats.settings(), inside: false, data_dir: &data_dir, staging };
    let running = match start(listening, own, settings, &logs, stores).await? {
        Ok(running) => running,
        Err(error) => return complain(&error),
    };
    until_told(running.stop()).await;
    telemetry.finish().await;
    Ok(AGREED)
}

/// What belongs to Kalla itself around a worker.
pub struct Own<'a> {
    /// Where callbacks may be private in any case.
    pub callback_url: Option<Address>,
    /// Where jobs come from, if not to the port alone.
    pub broker: Option<kalla_broker::Settings>,
    /// Whether it is part of this process, which alone is to reach it.
    pub inside: bool,
    /// Closed to jobs.
    pub data_dir: &'a Path,
    /// Where results go, if nobody says otherwise.
    pub staging: &'a Path,
}

pub async fn start(
    listening: Listening,
    own: Own<'_>,
    settings: Settings,
    logs: &Logs,
    stores: Stores,
) -> Result<Result<Running, StartError>, Error> {
    Ok(kalla_worker::start(config(listening, own, settings, logs, stores)?).await)
}

/// One job in a process of its own, as [`kalla_worker::process`] starts it.
pub fn job(logs: &Logs, stores: Stores) -> ExitCode {
    if telemetry::lines(&logs.log, logs.log_format == LogFormat::Json).is_err() {
        // The worker has the same settings and has told what is wrong with them.
        return ExitCode::from(FAILED);
    }
    child::serve(stores)
}

/// What is seen of this process from outside; `service` is its name in traces.
pub fn observe(service: &str, logs: &Logs) -> Result<Telemetry, TelemetryError> {
    telemetry::init(service, &logs.log, logs.log_format == LogFormat::Json, args::variable)
}

/// Waits for a signal and then for `stop`; the second signal ends the process at once.
pub async fn until_told(stop: impl Future<Output = ()>) {
    if signals::interrupt().await.is_err() {
        // Then nothing but a kill can end this process, and it may as well run on.
        std::future::pending::<()>().await;
    }
    tokio::select! {
        () = stop => {}
        Ok(()) = signals::interrupt() => std::process::exit(signals::INTERRUPTED),
    }
}

pub fn complain(error: &dyn std::fmt::Display) -> Result<u8, Error> {
    output::complain(&format!("{} {error}\n", style("error:").red().bold().for_stderr()));
    Ok(FAILED)
}

fn config(
    listening: Listening,
    own: Own<'_>,
    settings: Settings,
    logs: &Logs,
    stores: Stores,
) -> Result<Config, Error> {
    let Settings { storage, safety, jobs, callbacks } = settings;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let wanted = Wanted {
        memory: memory(jobs.memory)?,
        threads: cores,
        concurrency: jobs.concurrency,
        job_memory: jobs.job_memory,
    };
    let budget = Budget::new(wanted).map_err(too_much)?;
    let alone = budget.jobs.most();
    let root = match (storage.staging_bucket, storage.gcs_bucket) {
        (Some(bucket), _) => bucket_root(stores.bucket(Scheme::S3, &bucket)),
        (None, Some(bucket)) => bucket_root(stores.bucket(Scheme::Gcs, &bucket)),
        (None, None) => Location::Local(absolute(storage.staging_path.as_deref().unwrap_or(own.staging))?),
    };
    let fence = Fence {
        directories: safety.file_roots.iter().map(|root| absolute(root)).collect::<Result<_, _>>()?,
        any_bucket: safety.buckets.is_empty(),
        buckets: buckets(&safety.buckets, &stores)?,
        closed: vec![Location::Local(absolute(own.data_dir)?)],
        addresses: Addresses { refuse_private: safety.private_addresses == PrivateAddresses::Refuse },
    };
    Ok(Config {
        host: listening.host,
        port: listening.port,
        machine: machine::name(),
        storage: root,
        stores,
        fence,
        callback_url: own.callback_url,
        broker: own.broker,
        inside: own.inside,
        token: listening.token.map(|secret| secret.0),
        open: listening.opening.to_everyone(),
        public_url: listening.opening.public_url,
        tls: listening.tls_cert.zip(listening.tls_key).map(|(certificate, key)| Tls { certificate, key }),
        budget,
        queue: jobs.queue,
        limits: Limits {
            memory: alone.memory,
            threads: alone.threads,
            max_matched: jobs.max_matched_rows,
            timeout: Some(jobs.job_timeout),
            ..Limits::default()
        },
        upload_bytes: storage.upload_bytes,
        callbacks: CallbackSettings {
            timeout: callbacks.callback_timeout,
            budget: callbacks.callback_budget,
            progress_interval: PROGRESS_INTERVAL,
        },
        grace: jobs.shutdown,
        reserve: storage.disk_reserve,
        retention: storage.retention,
        keep_staged: storage.keep_staged,
        process: ProcessSettings {
            program: own_binary(),
            arguments: arguments(logs),
            spill_dir: storage.spill_dir.as_deref().map(absolute).transpose()?,
            spill_bytes: storage.spill_bytes,
        },
    })
}

/// What is said, or else a part of what is found: others live here too.
fn memory(said: Option<u64>) -> Result<u64, Error> {
    let least = Budget::least();
    if let Some(said) = said {
        let few = || too_much(format!("{said} bytes are less than the {} MiB that a worker needs", least >> 20));
        return if said < least { Err(few()) } else { Ok(said) };
    }
    let found = machine::memory().unwrap_or(MEMORY) / 4 * 3;
    if found < least {
        tracing::warn!(found, least, "there may be too little memory for what a worker does at the same time");
    }
    Ok(found)
}

fn too_much(message: String) -> Error {
    Error::Invalid(vec![Violation::new("KALLA_MEMORY", message)])
}

/// Through the kernel where it offers that, so that an upgrade on the disk changes nothing for a worker that runs.
fn own_binary() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { link } else { crate::program() }
}

/// The flags of [`Logs`].
fn arguments(logs: &Logs) -> Vec<String> {
    let format = match logs.log_format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    vec![format!("--log={}", logs.log), format!("--log-format={format}")]
}

/// What KALLA_BUCKETS names.
fn buckets(texts: &[String], stores: &Stores) -> Result<Vec<Location>, Error> {
    let read = |text: &String| match stores.locate(text.trim()) {
        Ok(place @ Location::Object { .. }) => Ok(place),
        Ok(Location::Local(_)) => Err("it names buckets: s3://bucket, or s3://bucket/key for a part of one".to_owned()),
        Err(message) => Err(message),
    };
    let wrong = |message| Error::Invalid(vec![Violation::new("KALLA_BUCKETS", message)]);
    texts.iter().map(read).collect::<Result<_, _>>().map_err(wrong)
}

fn bucket_root(bucket: Bucket) -> Location {
    Location::Object { bucket, key: String::new() }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let failed = |e: std::io::Error| Error::Output { path: path.display().to_string(), reason: e.to_string() };
    // Through its components, so that a `.` in it goes.
    Ok(std::path::absolute(path).map_err(failed)?.components().collect())
}
