//! Reads the JSON form of a message. Writing it needs nothing of its own: the messages implement `serde::Serialize`.
//!
//! Where a person wrote the text (REST requests, recipes) [`from_json_strict`] refuses unknown fields, each with the
//! nearest known name. Where another version of Kalla wrote it (job payloads, callbacks) [`from_json_lenient`] reads
//! what it knows and gives the rest, to be told.
//!
//! The messages implement `serde::Deserialize` for any self-describing format; [`check_fields`] checks the names in
//! a text that was not JSON.

mod compare;
mod event;
mod fields;
mod filter_value;
pub(crate) mod object;
mod schema;
pub(crate) mod time;
pub(crate) mod words;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use fields::Findings;
pub use fields::UnknownField;
pub use schema::schemas;
pub use words::HasWords;

/// One thing that is wrong with a text, and where: `sources[1].uri`. The path is empty when it is the text as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub path: String,
    /// What is wrong; never a value that was given, which may be a secret.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for FieldError {}

/// Reads a message and refuses unknown fields. The errors are every unknown field and the first value of a wrong type.
pub fn from_json_strict<T: DeserializeOwned + prost::Name>(text: &str) -> Result<T, Vec<FieldError>> {
    let mut errors = check_fields::<T>(&tree(text).map_err(|error| vec![error])?);
    match typed(text) {
        Ok(message) if errors.is_empty() => return Ok(message),
        Ok(_) => {}
        Err(error) => errors.push(error),
    }
    Err(errors)
}

/// Reads a message and gives with it the unknown fields, which were left out.
pub fn from_json_lenient<T: DeserializeOwned + prost::Name>(text: &str) -> Result<(T, Vec<UnknownField>), FieldError> {
    let findings = Findings::of::<T>(&tree(text)?);
    if let Some(error) = findings.arrays.into_iter().next() {
        return Err(error);
    }
    Ok((typed(text)?, findings.unknown))
}

/// What is wrong with the fields of `tree` as a message `T`: unknown ones, each with the nearest name that there is, and
/// arrays where a message belongs. The types of values are left to `T::deserialize`.
pub fn check_fields<T: prost::Name>(tree: &serde_json::Value) -> Vec<FieldError> {
    let Findings { unknown, arrays } = Findings::of::<T>(tree);
    unknown.into_iter().map(FieldError::from).chain(arrays).collect()
}

fn tree(text: &str) -> Result<serde_json::Value, FieldError> {
    serde_json::from_str(text)
        .map_err(|error| FieldError { path: String::new(), message: format!("this is not JSON: {error}") })
}

/// The error's line and column stand in its message.
fn typed<T: DeserializeOwned>(text: &str) -> Result<T, FieldError> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // What cannot be told is a question mark, and all of it a dot.
        let known = path.split('?').next().unwrap_or_default().trim_matches('.').to_owned();
        FieldError { path: known, message: without_value(&error.into_inner().to_string()) }
    })
}

/// ``invalid type: string "postgres://user:password@…", expected u64`` without the text that was given.
fn without_value(message: &str) -> String {
    match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start + 7 <= end => {
            format!("{}{}", &message[..start + 6], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

/// A value that is left out or null is the zero value.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
