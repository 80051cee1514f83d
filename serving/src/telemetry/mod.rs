//! What is seen of a process from outside: lines on the standard error, and traces to where the standard variables `OTEL_*` say.

mod gate;
mod otlp;
mod request;
pub mod trace;

pub use request::{Asked, Peer};

use std::fmt::Debug;
use std::time::Duration;

use gate::Gate;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::field::Field;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// What is not sent by then when a process ends is not sent.
const LAST: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG: {0}: write a level, such as `info`, or `kalla_worker=debug,info`")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    #[error("traces: {0}")]
    Traces(String),
}

/// What a variable of the environment is set to.
pub type Set = fn(&str) -> Option<String>;

/// Ends with the process.
pub struct Telemetry {
    traces: SdkTracerProvider,
}

/// Lines, for the whole process.
pub fn lines(level: &str, json: bool) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(level)?;
    Ok(tracing_subscriber::registry().with(filter).with(writer(json)).try_init()?)
}

/// Lines and traces, for the whole process, which calls itself `service` where `OTEL_SERVICE_NAME` says nothing else. Each request has
/// a trace, whether anybody collects them or not: its id is in the lines. To be called where a runtime is.
pub fn init(service: &str, level: &str, json: bool, set: Set) -> Result<Telemetry, TelemetryError> {
    let traces = otlp::traces(service, set)?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer("kalla"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let gate = Gate(EnvFilter::builder().parse(level)?);
    tracing_subscriber::registry().with(gate).with(spans).with(writer(json)).try_init()?;
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what is not sent yet.
    pub async fn finish(self) {
        let sent = tokio::task::spawn_blocking(move || self.traces.shutdown_with_timeout(LAST)).await;
        if let Ok(Err(error)) = sent {
            tracing::debug!(%error, "the last traces are not sent");
        }
    }
}

/// One field of a line. What only traces want to know is left out.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?} "),
        name if name.starts_with("otel.") => Ok(()),
        name => write!(writer, "{name}={value:?} "),
    }
}

fn writer<S>(json: bool) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        use std::io::IsTerminal as _;
        lines.with_ansi(std::io::stderr().is_terminal()).fmt_fields(debug_fn(field)).boxed()
    }
}
