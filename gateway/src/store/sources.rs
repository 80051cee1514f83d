//! Registered sources.

use chrono::{DateTime, Utc};
use kalla_proto::v1::RegisteredSource;
use sqlx::types::Json;

use super::{Page, Store, StoreError, on, one_more, signed};

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

    /// In the order of their aliases, behind `after`.
    pub async fn sources(&self, after: &str, limit: u32) -> Result<Page<RegisteredSource>, StoreError> {
        let sql = "SELECT body FROM sources WHERE alias > $1 ORDER BY alias LIMIT $2";
        let rows: Vec<(Json<RegisteredSource>,)> = on!(self, pool => {
            sqlx::query_as(sql).bind(after).bind(one_more(limit)).fetch_all(pool).await
        })?;
        Ok(Page::new(rows.into_iter().map(|(Json(source),)| source).collect(), limit))
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

    pub async fn delete_source(&self, alias: &str, seen: u64) -> Result<(), StoreError> {
        let sql = "DELETE FROM sources WHERE alias = $1 AND version = $2";
        let changed = on!(self, pool => {
            sqlx::query(sql).bind(alias).bind(signed(seen)).execute(pool).await.map(|done| done.rows_affected())
        })?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Outdated) }
    }
}
