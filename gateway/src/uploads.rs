//! Files from browsers and programs, on their way to the worker, and what is known of them afterwards.

use futures::Stream;
use kalla_proto::v1::{Code, LoadScopedRequest, PreviewSourceResponse, Problem, Source, Upload};
use uuid::Uuid;

use crate::problem::Failure;
use crate::store::{Store, StoredUpload};
use crate::time::{now, timestamp};
use crate::worker::Fleet;

/// Clones are the same uploads.
#[derive(Clone)]
pub struct Uploads {
    store: Store,
    fleet: Fleet,
}

impl Uploads {
    pub fn new(store: Store, fleet: Fleet) -> Self {
        Self { store, fleet }
    }

    /// Streams a file to the worker; one that holds no table is refused, and not kept. One that cannot be looked into now is
    /// kept without its columns, which are found out as soon as somebody asks for them.
    pub async fn take<S, E>(&self, name: &str, bytes: S) -> Result<Upload, Failure>
    where
        S: Stream<Item = Result<axum::body::Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let upload_id = Uuid::new_v4();
        let id = file_id(upload_id, name);
        let file = self.fleet.store(&id, bytes).await?;
        let columns = match self.fleet.preview(source(&file.uri), 1).await {
            Ok(head) => head.columns,
            Err(problem) if problem.code() == Code::Invalid => {
                self.fleet.forget(&id).await;
                return Err(problem.into());
            }
            Err(problem) => {
                tracing::warn!(%upload_id, problem = problem.message, "an upload is not looked into yet");
                Vec::new()
            }
        };
        let now = now();
        let upload = Upload {
            upload_id: upload_id.to_string(),
            name: name.to_owned(),
            bytes: file.bytes,
            sha256: file.sha256,
            columns,
            created: Some(timestamp(now)),
        };
        self.store.save_upload(upload_id, &StoredUpload { upload: upload.clone(), uri: file.uri }, now).await?;
        Ok(upload)
    }

    pub async fn get(&self, upload_id: &str) -> Result<Upload, Failure> {
        Ok(self.stored(upload_id).await?.upload)
    }

    pub async fn preview(&self, upload_id: &str, scope: LoadScopedRequest) -> Result<PreviewSourceResponse, Failure> {
        let stored = self.find(upload_id).await?;
        let source = Source { filters: scope.filters, options: scope.options, ..source(&stored.uri) };
        Ok(self.fleet.preview(source, scope.limit).await?)
    }

    async fn find(&self, upload_id: &str) -> Result<StoredUpload, Failure> {
        let missing = || Problem::refused(Code::NotFound, format!("there is no upload `{upload_id}`"));
        let id = Uuid::try_parse(upload_id).map_err(|_| missing())?;
        Ok(self.store.upload(id).await?.ok_or_else(missing)?)
    }

    /// With its columns, whenever they were found out.
    pub async fn stored(&self, upload_id: &str) -> Result<StoredUpload, Failure> {
        let mut stored = self.find(upload_id).await?;
        if stored.upload.columns.is_empty() {
            stored.upload.columns = self.fleet.preview(source(&stored.uri), 1).await?.columns;
            self.store.describe_upload(&stored.upload).await?;
        }
        Ok(stored)
    }
}

fn source(uri: &str) -> Source {
    Source { uri: uri.to_owned(), ..Source::default() }
}

/// What the worker calls it: the ending tells it what kind of file it is.
fn file_id(upload_id: Uuid, name: &str) -> String {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let plain = !ending.is_empty() && ending.len() <= 16 && ending.chars().all(|c| c.is_ascii_alphanumeric());
    if plain { format!("{upload_id}.{}", ending.to_lowercase()) } else { upload_id.to_string() }
}
