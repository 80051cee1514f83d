//! Logs: lines on the standard error.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG: {0}: write a level, such as `info`, or `kalla_worker=debug,info`")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// For the whole process.
pub fn init(level: &str, json: bool) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(level)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        use std::io::IsTerminal as _;
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    Ok(tracing_subscriber::registry().with(filter).with(lines).try_init()?)
}

/// A new id to find the cause of a problem in the logs by.
pub fn trace_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
