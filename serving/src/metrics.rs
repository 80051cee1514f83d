//! What `/metrics` of both have in common.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::header::{CONTENT_TYPE, HeaderName};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Goes with what [`text`] gives.
pub const OPEN_METRICS: (HeaderName, &str) =
    (CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8");

pub type Label = [(&'static str, &'static str); 1];

/// A number that is left out where it is not known.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<Option<i64>>>);

impl Known {
    pub fn set(&self, number: Option<impl TryInto<i64>>) {
        *self.number() = number.map(signed);
    }

    fn number(&self) -> MutexGuard<'_, Option<i64>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl EncodeMetric for Known {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        (*self.number()).map_or(Ok(()), |number| encoder.encode_gauge(&number))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.number().is_none()
    }
}

/// With the version, which is that of all of Kalla.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("kalla");
    registry.register("build", "What is running", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

/// In the text form of OpenMetrics.
pub fn text(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

pub fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// What a text of metrics has, by the names that queries use: tests hold the references against it.
pub fn names(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).map(|(name, kind)| match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    })
}
