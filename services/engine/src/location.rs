//! Where files are: a local path or an object in a bucket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;

use crate::stores::Bucket;

/// A local path, `s3://bucket/key` or `gs://bucket/key`; a file or, for outputs, a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Local(PathBuf),
    Object { bucket: Bucket, key: String },
}

impl Location {
    /// This location with `name` appended as one more segment.
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Object { bucket, key } => {
                let key = if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") };
                Self::Object { bucket: bucket.clone(), key }
            }
        }
    }

    pub fn as_local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Object { .. } => None,
        }
    }

    /// The last segment.
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Local(path) => path.file_name()?.to_str(),
            Self::Object { key, .. } => key.rsplit('/').next(),
        }
    }

    /// The lower-case extension of the last segment, if it has one.
    pub fn extension(&self) -> Option<String> {
        self.file_name()?.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase())
    }

    /// The store that holds this location and its path in it.
    pub fn open(&self) -> Result<(Arc<dyn ObjectStore>, ObjectPath), object_store::Error> {
        match self {
            Self::Local(path) => {
                let absolute = std::path::absolute(path)
                    .map_err(|e| object_store::Error::Generic { store: "local", source: Box::new(e) })?;
                Ok((Arc::new(LocalFileSystem::new()), ObjectPath::from_absolute_path(absolute)?))
            }
            Self::Object { bucket, key } => Ok((bucket.open()?, ObjectPath::parse(key)?)),
        }
    }
}

/// What an object store says, in one line and without the body of its answer.
pub fn in_words(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    // Where there are no credentials, the machine's own role is asked for.
    for (asked, variables) in [
        ("/latest/api/token in ", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("/latest/meta-data/iam/security-credentials", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("metadata.google.internal", "GOOGLE_APPLICATION_CREDENTIALS"),
    ] {
        if text.contains(asked) {
            return format!("there are no credentials: set {variables}, or give this machine a role");
        }
    }
    let line = text.lines().next().unwrap_or_default();
    let Some((request, reason)) = line.split_once(" - ").filter(|(request, _)| request.contains("Error performing"))
    else {
        return line.to_owned();
    };
    let tries = request.split(", ").find_map(|part| part.strip_prefix("after ")?.strip_suffix(" retries"));
    let after = tries.map(|n| format!(" after {n} retries")).unwrap_or_default();
    match reason.strip_prefix("Server returned non-2xx status code: ") {
        Some(answer) => {
            let answer = answer.split(": ").next().unwrap_or(answer);
            let why = if answer.starts_with("401") || answer.starts_with("403") {
                ": its credentials may be wrong, or do not allow it"
            } else {
                ""
            };
            format!("the store answers {answer}{after}{why}")
        }
        None => format!("the store cannot be reached{after}"),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Object { bucket, key } => write!(f, "{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn stores_are_quoted_in_one_line() {
        let cases = [
            (
                "Generic S3 error: Error performing HEAD http://h/b/x in 3.1s, after 10 retries, max_retries: 10, \
                 retry_timeout: 60s  - Server returned non-2xx status code: 503 Service Unavailable: <Error/>\nmore",
                "the store answers 503 Service Unavailable after 10 retries",
            ),
            (
                "Generic GCS error: Error performing PUT http://h/b/x in 3ms - Server returned non-2xx status code: 401 Unauthorized: <Error/>",
                "the store answers 401 Unauthorized: its credentials may be wrong, or do not allow it",
            ),
            (
                "Generic S3 error: Error performing GET http://h/b?x - y in 4ms - HTTP error: error sending request",
                "the store cannot be reached",
            ),
            (
                "Error performing PUT http://169.254.169.254/latest/api/token in 3ms - HTTP error",
                "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role",
            ),
            ("No space left on device (os error 28)", "No space left on device (os error 28)"),
        ];
        for (text, words) in cases {
            assert_eq!(in_words(&text), words, "{text}");
        }
    }
}
