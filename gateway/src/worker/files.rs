//! Files that runs will read: they stream through the gateway into the storage of the worker.

use futures::Stream;
use kalla_proto::json::from_json_lenient;
use kalla_proto::v1::{Problem, StoredFile};
use reqwest::{Body, Method};

use super::Worker;
use crate::problem::Failure;

impl Worker {
    /// Stores a file as a whole or not at all.
    pub async fn store<S, E>(&self, id: &str, bytes: S) -> Result<StoredFile, Failure>
    where
        S: Stream<Item = Result<axum::body::Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let request =
            self.with_token(self.files.put(format!("{}/api/files/{id}", self.url))).body(Body::wrap_stream(bytes));
        let response = request.send().await.map_err(|error| self.silent(&error))?;
        if !response.status().is_success() {
            return Err(self.told(response).await.into());
        }
        let text = response.text().await.map_err(|error| self.silent(&error))?;
        let (stored, _) = from_json_lenient::<StoredFile>(&text).map_err(|error| Problem::unreadable(&[error]))?;
        Ok(stored)
    }

    /// One that is gone already is as good.
    pub async fn forget(&self, id: &str) {
        if let Err(error) = self.request(Method::DELETE, &format!("/api/files/{id}")).send().await {
            tracing::debug!(id, %error, "an upload stays until the worker sweeps it");
        }
    }
}
