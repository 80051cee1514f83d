//! Times in RFC 3339: `2026-03-01T12:00:00.25Z`. Written in UTC, read with any offset.

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use prost_types::Timestamp;
use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(time) = time else { return serializer.serialize_none() };
    let text = to_text(time).ok_or_else(|| ser::Error::custom("the time is not in the years 1 to 9999"))?;
    serializer.serialize_str(&text)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let time = from_text(&text)
        .ok_or_else(|| de::Error::custom("expected a time with its offset, such as 2026-03-01T12:00:00Z"))?;
    Ok(Some(time))
}

fn to_text(time: &Timestamp) -> Option<String> {
    let nanos = u32::try_from(time.nanos).ok()?;
    let time = DateTime::from_timestamp(time.seconds, nanos)?;
    (1..=9999).contains(&time.year()).then(|| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn from_text(text: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    if !(1..=9999).contains(&time.year()) {
        return None;
    }
    // A leap second (23:59:60) has more than a second of nanoseconds here; it is the last instant of its minute.
    let nanos = i32::try_from(time.timestamp_subsec_nanos().min(999_999_999)).ok()?;
    Some(Timestamp { seconds: time.timestamp(), nanos })
}
