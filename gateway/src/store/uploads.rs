//! Files that runs may read.

use chrono::{DateTime, Utc};
use kalla_proto::v1::Upload;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Store, StoreError, on};

/// An upload, and where the worker has it.
pub struct StoredUpload {
    pub upload: Upload,
    pub uri: String,
}

impl Store {
    pub async fn upload(&self, upload_id: Uuid) -> Result<Option<StoredUpload>, StoreError> {
        let sql = "SELECT body, uri FROM uploads WHERE upload_id = $1";
        let row: Option<(Json<Upload>, String)> =
            on!(self, pool => sqlx::query_as(sql).bind(upload_id).fetch_optional(pool).await)?;
        Ok(row.map(|(Json(upload), uri)| StoredUpload { upload, uri }))
    }

    pub async fn save_upload(
        &self,
        upload_id: Uuid,
        stored: &StoredUpload,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO uploads (upload_id, body, uri, created_at) VALUES ($1, $2, $3, $4)";
        on!(self, pool => {
            let query = sqlx::query(sql).bind(upload_id).bind(Json(&stored.upload)).bind(&stored.uri).bind(now);
            query.execute(pool).await.map(|_| ())
        })?;
        Ok(())
    }

    /// What has been found out about an upload since it was saved.
    pub async fn describe_upload(&self, upload: &Upload) -> Result<(), StoreError> {
        let Ok(upload_id) = Uuid::try_parse(&upload.upload_id) else { return Ok(()) };
        let sql = "UPDATE uploads SET body = $2 WHERE upload_id = $1";
        on!(self, pool => sqlx::query(sql).bind(upload_id).bind(Json(upload)).execute(pool).await.map(|_| ()))?;
        Ok(())
    }
}
