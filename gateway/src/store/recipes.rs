//! Recipes and their versions.

use chrono::{DateTime, Utc};
use kalla_proto::v1::Recipe;
use sqlx::types::Json;

use super::{Page, Store, StoreError, begin, on, one_more, signed, unsigned};

/// A version of a recipe and, sealed, where its sources are.
pub struct StoredRecipe {
    /// Without credentials.
    pub recipe: Recipe,
    pub sealed: Vec<u8>,
}

type Row = (Json<Recipe>, Vec<u8>);

impl From<Row> for StoredRecipe {
    fn from((Json(recipe), sealed): Row) -> Self {
        Self { recipe, sealed }
    }
}

impl Store {
    /// A version of it, also of one that was deleted; its latest, if it was not.
    pub async fn recipe(&self, recipe_id: &str, version: Option<u32>) -> Result<Option<StoredRecipe>, StoreError> {
        let row: Option<Row> = match version {
            Some(version) => {
                let sql = "SELECT body, sealed FROM recipe_versions WHERE recipe_id = $1 AND version = $2";
                on!(self, pool => {
                    sqlx::query_as(sql).bind(recipe_id).bind(i64::from(version)).fetch_optional(pool).await
                })?
            }
            None => {
                let sql = "SELECT v.body, v.sealed FROM recipes r \
                           JOIN recipe_versions v ON v.recipe_id = r.recipe_id AND v.version = r.version \
                           WHERE r.recipe_id = $1 AND NOT r.deleted";
                on!(self, pool => sqlx::query_as(sql).bind(recipe_id).fetch_optional(pool).await)?
            }
        };
        Ok(row.map(StoredRecipe::from))
    }

    /// The latest version of each, in the order of their ids, behind `after`.
    pub async fn recipes(&self, after: &str, limit: u32) -> Result<Page<Recipe>, StoreError> {
        let sql = "SELECT v.body FROM recipes r \
                   JOIN recipe_versions v ON v.recipe_id = r.recipe_id AND v.version = r.version \
                   WHERE r.recipe_id > $1 AND NOT r.deleted ORDER BY r.recipe_id LIMIT $2";
        let rows: Vec<(Json<Recipe>,)> = on!(self, pool => {
            sqlx::query_as(sql).bind(after).bind(one_more(limit)).fetch_all(pool).await
        })?;
        Ok(Page::new(rows.into_iter().map(|(Json(recipe),)| recipe).collect(), limit))
    }

    /// All versions of a recipe, the latest first.
    pub async fn recipe_versions(&self, recipe_id: &str) -> Result<Vec<Recipe>, StoreError> {
        let sql = "SELECT body FROM recipe_versions WHERE recipe_id = $1 ORDER BY version DESC";
        let rows: Vec<(Json<Recipe>,)> = on!(self, pool => sqlx::query_as(sql).bind(recipe_id).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(Json(recipe),)| recipe).collect())
    }

    /// The number of the latest version, whether the recipe was deleted, and when it was first saved.
    pub async fn recipe_head(&self, recipe_id: &str) -> Result<Option<(u64, bool, DateTime<Utc>)>, StoreError> {
        let sql = "SELECT version, deleted, created_at FROM recipes WHERE recipe_id = $1";
        let row: Option<(i64, bool, DateTime<Utc>)> =
            on!(self, pool => sqlx::query_as(sql).bind(recipe_id).fetch_optional(pool).await)?;
        Ok(row.map(|(version, deleted, created)| (unsigned(version), deleted, created)))
    }

    /// Adds the version that follows `seen`; 0: there is none.
    pub async fn save_recipe(&self, stored: &StoredRecipe, seen: u64, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (recipe, sealed) = (&stored.recipe, &stored.sealed);
        let head = if seen == 0 {
            "INSERT INTO recipes (recipe_id, version, deleted, created_at) VALUES ($1, $2, FALSE, $3) \
             ON CONFLICT (recipe_id) DO NOTHING"
        } else {
            "UPDATE recipes SET version = $2, deleted = FALSE WHERE recipe_id = $1 AND version = $3"
        };
        let version = "INSERT INTO recipe_versions (recipe_id, version, body, sealed, created_at) \
                       VALUES ($1, $2, $3, $4, $5)";
        on!(self, pool => {
            let mut change = pool.begin_with(begin(self)).await?;
            let query = sqlx::query(head).bind(&recipe.recipe_id).bind(signed(seen + 1));
            let query = if seen == 0 { query.bind(now) } else { query.bind(signed(seen)) };
            if query.execute(&mut *change).await?.rows_affected() != 1 {
                return Err(StoreError::Outdated);
            }
            let query = sqlx::query(version)
                .bind(&recipe.recipe_id)
                .bind(signed(seen + 1))
                .bind(Json(recipe))
                .bind(sealed)
                .bind(now);
            query.execute(&mut *change).await?;
            change.commit().await?;
            Ok(())
        })
    }

    /// Its versions stay, for the runs that used them.
    pub async fn delete_recipe(&self, recipe_id: &str, seen: u64) -> Result<(), StoreError> {
        let sql = "UPDATE recipes SET deleted = TRUE WHERE recipe_id = $1 AND version = $2";
        let changed = on!(self, pool => {
            sqlx::query(sql).bind(recipe_id).bind(signed(seen)).execute(pool).await.map(|done| done.rows_affected())
        })?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Outdated) }
    }
}
