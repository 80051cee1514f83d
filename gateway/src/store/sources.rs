//! Registered sources.

use chrono::{DateTime, Utc};
use kalla_proto::v1::RegisteredSource;
use sqlx::types::Json;

use super::{Store, StoreError, begin, on, signed, unsigned};

/// A source and, sealed, where it is.
pub struct StoredSource {
    /// Without credentials.
    pub source: RegisteredSource,
    pub sealed: Vec<u8>,
}

type Row = (Json<RegisteredSource>, Vec<u8>);

impl From<Row> for StoredSource {
    fn from((Json(source), sealed): Row) -> Self {
        Self { source, sealed }
    }
}

impl Store {
    pub async fn source(&self, alias: &str) -> Result<Option<StoredSource>, StoreError> {
        let sql = "SELECT body, sealed FROM sources WHERE alias = $1";
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql).bind(alias).fetch_optional(pool).await)?;
        Ok(row.map(StoredSource::from))
    }

    /// At most `limit`, in the order of their aliases, behind `after`.
    pub async fn sources(&self, after: &str, limit: u32) -> Result<Vec<StoredSource>, StoreError> {
        let sql = "SELECT body, sealed FROM sources WHERE alias > $1 ORDER BY alias LIMIT $2";
        let rows: Vec<Row> =
            on!(self, pool => sqlx::query_as(sql).bind(after).bind(i64::from(limit)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(StoredSource::from).collect())
    }

    /// Saves what replaces version `seen`; 0: there is none.
    pub async fn save_source(
        &self,
        stored: &StoredSource,
        seen: u64,
        created: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (source, sealed) = (&stored.source, &stored.sealed);
        let sql = if seen == 0 {
            "INSERT INTO sources (alias, version, body, sealed, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (alias) DO NOTHING"
        } else {
            "UPDATE sources SET version = $2, body = $3, sealed = $4, created_at = $5, updated_at = $6 \
             WHERE alias = $1 AND version = $7"
        };
        let changed = on!(self, pool => {
            let query = sqlx::query(sql)
                .bind(&source.alias)
                .bind(i64::from(source.version))
                .bind(Json(source))
                .bind(sealed)
                .bind(created)
                .bind(now);
            let query = if seen == 0 { query } else { query.bind(signed(seen)) };
            query.execute(pool).await.map(|done| done.rows_affected())
        })?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Outdated) }
    }

    /// Whether it was there; `seen`: the version that is to be removed.
    pub async fn delete_source(&self, alias: &str, seen: Option<u64>) -> Result<bool, StoreError> {
        on!(self, pool => {
            let mut change = pool.begin_with(begin(self)).await?;
            let found: Option<(i64,)> =
                sqlx::query_as("SELECT version FROM sources WHERE alias = $1").bind(alias).fetch_optional(&mut *change).await?;
            if let (Some((version,)), Some(seen)) = (found, seen)
                && unsigned(version) != seen
            {
                return Err(StoreError::Outdated);
            }
            sqlx::query("DELETE FROM sources WHERE alias = $1").bind(alias).execute(&mut *change).await?;
            change.commit().await?;
            Ok(found.is_some())
        })
    }
}
