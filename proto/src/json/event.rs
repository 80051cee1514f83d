//! The flat JSON of an event: the fields of what happened stand between `run_id` and `attempt`.

use prost_types::Timestamp;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::v1::JobEvent;
use crate::v1::job_event::Event;

impl Serialize for JobEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The order of the contract, in which the fields of a message with a oneof are not generated.
        #[derive(Serialize)]
        struct Flat<'a> {
            run_id: &'a str,
            #[serde(flatten)]
            event: Option<Body<'a>>,
            attempt: u32,
            seq: u64,
            #[serde(with = "super::time", skip_serializing_if = "Option::is_none")]
            time: &'a Option<Timestamp>,
            #[serde(skip_serializing_if = "str::is_empty")]
            worker: &'a str,
        }
        let Self { run_id, event, attempt, seq, time, worker } = self;
        let event = event.as_ref().map(Body);
        Flat { run_id, event, attempt: *attempt, seq: *seq, time, worker }.serialize(serializer)
    }
}

struct Body<'a>(&'a Event);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Event::Progress(progress) => progress.serialize(serializer),
            Event::Complete(complete) => complete.serialize(serializer),
            Event::Error(error) => error.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JobEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let event = match kind(&fields) {
            Some("progress") => Event::Progress(part(&fields)?),
            Some("complete") => Event::Complete(part(&fields)?),
            Some("error") => Event::Error(part(&fields)?),
            _ => return Err(de::Error::custom("an event has a `stage`, `output_paths` or an `error`")),
        };
        Ok(Self {
            run_id: field(&fields, "run_id")?,
            event: Some(event),
            attempt: field(&fields, "attempt")?,
            seq: field(&fields, "seq")?,
            time: field::<Time, _>(&fields, "time")?.0,
            worker: field(&fields, "worker")?,
        })
    }
}

/// Which event a body tells, by the field that every event of the kind has: the name of its field in `JobEvent`.
pub(super) fn kind(fields: &Map<String, Value>) -> Option<&'static str> {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    [("error", "error"), ("output_paths", "complete"), ("stage", "progress")]
        .into_iter()
        .find_map(|(field, kind)| has(field).then_some(kind))
}

fn part<T: DeserializeOwned, E: de::Error>(fields: &Map<String, Value>) -> Result<T, E> {
    serde_json::from_value(Value::Object(fields.clone())).map_err(E::custom)
}

fn field<T: DeserializeOwned + Default, E: de::Error>(fields: &Map<String, Value>, name: &str) -> Result<T, E> {
    let Some(value) = fields.get(name).filter(|value| !value.is_null()) else { return Ok(T::default()) };
    T::deserialize(value).map_err(|error| E::custom(format!("{name}: {error}")))
}

#[derive(Default, Deserialize)]
struct Time(#[serde(with = "super::time")] Option<Timestamp>);
