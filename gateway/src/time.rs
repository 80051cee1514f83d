//! The time, as the state keeps it and as the contract tells it.

use std::time::SystemTime;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use prost_types::Timestamp;

/// As exactly as both databases keep it.
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
}

pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    SystemTime::from(at).into()
}

pub fn instant(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    SystemTime::try_from(timestamp).ok().map(DateTime::from)
}
