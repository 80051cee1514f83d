//! Places of files. Whoever makes the [`Stores`] says how buckets are reached, and what may be used; nothing here looks around
//! for it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kalla_spelling::almost_address;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, RetryConfig};

use crate::fence::Fence;
use crate::job::{PostgresTable, SourceUri};
use crate::location::Location;

/// How buckets are reached, and what may be used. A bucket is opened once: its connections and its credentials serve whoever asks next. Clones are
/// the same.
#[derive(Clone, Default)]
pub struct Stores {
    shared: Arc<Shared>,
    /// `None`: everything.
    fence: Option<Arc<Fence>>,
}

#[derive(Default)]
struct Shared {
    s3: Vec<(AmazonS3ConfigKey, String)>,
    gcs: Vec<(GoogleConfigKey, String)>,
    open: Mutex<BTreeMap<(Scheme, String), Arc<dyn ObjectStore>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    S3,
    Gcs,
}

/// One bucket, opened when it is needed first.
#[derive(Clone)]
pub struct Bucket {
    pub scheme: Scheme,
    pub name: String,
    stores: Stores,
}

impl Stores {
    /// From settings under the names that the clouds' own tools give them, `AWS_REGION` or `GOOGLE_SERVICE_ACCOUNT`; what
    /// is no such name is left out.
    pub fn new(settings: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut shared = Shared::default();
        for (name, value) in settings {
            let lower = name.to_ascii_lowercase();
            if let Some(key) = lower.starts_with("aws_").then(|| lower.parse().ok()).flatten() {
                shared.s3.push((key, value));
            } else if let Some(key) = lower.starts_with("google_").then(|| lower.parse().ok()).flatten() {
                shared.gcs.push((key, value));
            }
        }
        Self { shared: Arc::new(shared), fence: None }
    }

    /// The same, but only as far as jobs may reach.
    pub fn within(&self, fence: Fence) -> Self {
        Self { shared: Arc::clone(&self.shared), fence: Some(Arc::new(fence.resolved())) }
    }

    /// What may be used; `None` where everything may.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_deref()
    }

    /// A file, if it may be used; then its links are resolved.
    fn file(&self, path: PathBuf) -> Result<PathBuf, String> {
        match &self.fence {
            Some(fence) => fence.file(&path),
            None => Ok(path),
        }
    }

    /// Where a source is: what [`Self::locate`] reads, or `postgres://…`. The error never holds a password.
    pub fn source(&self, text: &str) -> Result<SourceUri, String> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return self.locate(text).map(SourceUri::File);
        }
        let mut table = PostgresTable::parse(text)?;
        table.root_certificate = table.root_certificate.map(|path| self.file(path)).transpose()?;
        if let Some(fence) = &self.fence {
            table.fence(fence.addresses)?;
        }
        Ok(SourceUri::Postgres(table))
    }

    /// Reads `path`, `file://path`, `s3://bucket/key` or `gs://bucket/key`; the error says what is wrong with the text, or that the
    /// place may not be used, and does not repeat what may be a secret in the wrong place.
    pub fn locate(&self, text: &str) -> Result<Location, String> {
        self.place(text, false)
    }

    /// As [`Self::locate`], for what is to be written.
    pub fn locate_output(&self, text: &str) -> Result<Location, String> {
        self.place(text, true)
    }

    fn place(&self, text: &str, write: bool) -> Result<Location, String> {
        let object = |scheme, rest: &str| {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.contains(['@', ':']) {
                return Err(format!(
                    "{scheme}:// is followed by a bucket and a key, not by credentials: those are settings of the process, as in \
                     {}",
                    if scheme == Scheme::S3 { "AWS_ACCESS_KEY_ID" } else { "GOOGLE_APPLICATION_CREDENTIALS" }
                ));
            }
            if bucket.is_empty() {
                return Err(format!("`{text}` names no bucket"));
            }
            // As it will be asked for: two spellings of one key are one.
            let key = ObjectPath::parse(key).map_err(|e| format!("`{text}`: {e}"))?.to_string();
            let bucket = self.bucket(scheme, bucket);
            if let Some(fence) = &self.fence {
                fence.object(&bucket, &key, write)?;
            }
            Ok(Location::Object { bucket, key })
        };
        match text.split_once("://") {
            Some(("s3", rest)) => object(Scheme::S3, rest),
            Some(("gs", rest)) => object(Scheme::Gcs, rest),
            Some(("file", rest)) if rest.starts_with('/') => self.file(rest.into()).map(Location::Local),
            Some(("file", _)) => Err("a file URL starts with file:/// and an absolute path".to_owned()),
            Some((scheme, _)) => {
                Err(format!("`{scheme}://` is not supported: use a path, file://, s3://, gs:// or postgres://"))
            }
            None if text.is_empty() => Err("the location is empty".to_owned()),
            None if let Some(scheme) = almost_address(text) => Err(format!(
                "two slashes follow `{scheme}:` in an address; a path that is called like that begins with ./"
            )),
            None => self.file(text.into()).map(Location::Local),
        }
    }

    pub fn bucket(&self, scheme: Scheme, name: &str) -> Bucket {
        Bucket { scheme, name: name.to_owned(), stores: self.clone() }
    }
}

impl Bucket {
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let shared = &self.stores.shared;
        let mut open = shared.open.lock().unwrap_or_else(|e| e.into_inner());
        let key = (self.scheme, self.name.clone());
        if let Some(store) = open.get(&key) {
            return Ok(Arc::clone(store));
        }
        let store: Arc<dyn ObjectStore> = match self.scheme {
            Scheme::S3 => {
                let settings = shared.s3.iter().cloned();
                let builder =
                    settings.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
                Arc::new(builder.with_bucket_name(&self.name).with_retry(retries()).build()?)
            }
            Scheme::Gcs => {
                let settings = shared.gcs.iter().cloned();
                let builder = settings
                    .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| builder.with_config(key, value));
                Arc::new(builder.with_bucket_name(&self.name).with_retry(retries()).build()?)
            }
        };
        open.insert(key, Arc::clone(&store));
        Ok(store)
    }
}

/// Ten tries within some seconds: enough for a store that is busy, and one that is away is told soon.
fn retries() -> RetryConfig {
    RetryConfig { retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
        })
    }
}

/// As the start of a URL.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.name)
    }
}

/// Without the settings, which hold secrets.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores")
    }
}

/// Two names of the same bucket are equal, however it is reached.
impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        (self.scheme, &self.name) == (other.scheme, &other.name)
    }
}

impl Eq for Bucket {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_known_by_their_names() {
        let settings = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_NONSENSE", "x"),
            ("GOOGLE_SERVICE_ACCOUNT", "x.json"),
            ("PATH", "/bin"),
            ("REGION", "nowhere"),
        ];
        let stores = Stores::new(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = stores.shared.s3.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(stores.shared.gcs.len(), 1);
    }

    #[test]
    fn places_are_read_and_written_alike() {
        let stores = Stores::default();
        for text in ["a/b.csv", "/a/b.csv", "s3://bucket/a/b.csv", "gs://bucket/a"] {
            assert_eq!(stores.locate(text).unwrap().to_string(), text);
        }
        assert_eq!(stores.locate("file:///a/b").unwrap().to_string(), "/a/b");
        for text in ["", "s3://", "gs:///key", "file://host/x", "ftp://x/y"] {
            assert!(stores.locate(text).is_err(), "{text}");
        }
        for text in ["C:x.csv", "a:b/c.csv", "./s3:/x", "postgres.csv", "2026-01-01T10:00.csv", "a@b.csv"] {
            assert_eq!(stores.locate(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn credentials_in_addresses_are_refused_and_not_repeated() {
        let stores = Stores::default();
        for text in [
            "s3://KEY:secret@bucket/x",
            "s3://secret@bucket",
            "gs://u:secret@b/x",
            "s3:/KEY:secret@bucket/x",
            "postgres:/u:secret@h/db",
            "PostgreSQL:u:secret@h/db",
            "postgresql+psycopg://u:secret@h/db",
            "https://u:secret@h/x.csv",
            "file://u:secret@h/x",
        ] {
            let message = stores.locate(text).unwrap_err();
            assert!(!message.contains("secret"), "{text}: {message}");
        }
    }
}
