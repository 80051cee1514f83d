//! Runs and their events. A run and the event that changed it are saved together or not at all.

use chrono::{DateTime, Utc};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Run, RunEvent, RunState};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Page, Store, StoreError, begin, on, one_more, signed, unsigned};
use crate::runs::life::Life;

/// A run as it is stored.
pub struct StoredRun {
    pub run_id: Uuid,
    pub version: u64,
    pub life: Life,
    /// Without credentials.
    pub run: Run,
    /// What a worker is told.
    pub sealed: Vec<u8>,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Empty: of any recipe.
    pub recipe_id: String,
    /// `None`: in any state.
    pub state: Option<RunState>,
    /// Only those older than this one.
    pub before: Option<(DateTime<Utc>, Uuid)>,
    pub limit: u32,
}

type Row = (Uuid, i64, Json<Life>, Json<Run>, Vec<u8>);

impl From<Row> for StoredRun {
    fn from((run_id, version, Json(life), Json(run), sealed): Row) -> Self {
        Self { run_id, version: unsigned(version), life, run, sealed }
    }
}

/// A request that may be sent again: its key, and what tells whether it is the same.
pub type Once<'a> = (&'a str, &'a [u8]);

impl Store {
    pub async fn run(&self, run_id: Uuid) -> Result<Option<StoredRun>, StoreError> {
        let sql = "SELECT run_id, version, life, body, sealed FROM runs WHERE run_id = $1";
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql).bind(run_id).fetch_optional(pool).await)?;
        Ok(row.map(StoredRun::from))
    }

    /// The latest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Page<Run>, StoreError> {
        let sql = "SELECT body FROM runs \
                   WHERE ($1 = '' OR recipe_id = $1) AND ($2 = '' OR state = $2) \
                   AND ($5 OR created_at < $3 OR (created_at = $3 AND run_id < $4)) \
                   ORDER BY created_at DESC, run_id DESC LIMIT $6";
        let (at, id) = filter.before.unwrap_or_default();
        let rows: Vec<(Json<Run>,)> = on!(self, pool => {
            sqlx::query_as(sql)
                .bind(&filter.recipe_id)
                .bind(filter.state.map_or("", RunState::word))
                .bind(at)
                .bind(id)
                .bind(filter.before.is_none())
                .bind(one_more(filter.limit))
                .fetch_all(pool)
                .await
        })?;
        Ok(Page::new(rows.into_iter().map(|(Json(run),)| run).collect(), filter.limit))
    }

    /// Runs that changed behind number `after`, in the order in which they changed last; each as it is now.
    pub async fn changed_runs(&self, after: u64, limit: u32) -> Result<Vec<(u64, Run)>, StoreError> {
        let sql = "SELECT changed, body FROM runs WHERE changed > $1 ORDER BY changed LIMIT $2";
        let rows: Vec<(i64, Json<Run>)> = on!(self, pool => {
            sqlx::query_as(sql).bind(signed(after)).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(|(changed, Json(run))| (unsigned(changed), run)).collect())
    }

    /// The number of the latest change of any run.
    pub async fn latest_change(&self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM counters WHERE name = 'changes'";
        let (latest,): (i64,) = on!(self, pool => sqlx::query_as(sql).fetch_one(pool).await)?;
        Ok(unsigned(latest))
    }

    /// How many runs that have not ended are in which state.
    pub async fn open_runs(&self) -> Result<Vec<(RunState, u64)>, StoreError> {
        let sql = "SELECT state, count(*) FROM runs WHERE due_at IS NOT NULL GROUP BY state";
        let rows: Vec<(String, i64)> = on!(self, pool => sqlx::query_as(sql).fetch_all(pool).await)?;
        let known = |(word, count): (String, i64)| Some((RunState::from_word(&word)?, unsigned(count)));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Requests from before `then` are not known again; says how many those were.
    pub async fn forget_requests(&self, then: DateTime<Utc>) -> Result<u64, StoreError> {
        let sql = "DELETE FROM idempotency_keys WHERE created_at < $1";
        Ok(on!(self, pool => sqlx::query(sql).bind(then).execute(pool).await.map(|done| done.rows_affected()))?)
    }

    /// Runs to look at, the longest overdue first.
    pub async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        let sql = "SELECT run_id FROM runs WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
        let rows: Vec<(Uuid,)> =
            on!(self, pool => sqlx::query_as(sql).bind(now).bind(i64::from(limit)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The run that a request with this key was answered with, and whether it was the same request.
    pub async fn answered(&self, (key, request): Once<'_>) -> Result<Option<(Uuid, bool)>, StoreError> {
        let earlier: Option<(Uuid, Vec<u8>)> =
            on!(self, pool => sqlx::query_as(ANSWERED).bind(key).fetch_optional(pool).await)?;
        Ok(earlier.map(|(run_id, earlier)| (run_id, earlier == request)))
    }

    /// A new run and its first event. Where a request with the key was answered before: that run, and whether it was the
    /// same request.
    pub async fn create_run(
        &self,
        new: &StoredRun,
        event: &RunEvent,
        once: Option<Once<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Option<(Uuid, bool)>, StoreError> {
        let run = "INSERT INTO runs \
                   (run_id, recipe_id, state, version, life, body, sealed, due_at, created_at, changed) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let key = "INSERT INTO idempotency_keys (key, request, run_id, created_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (key) DO NOTHING";
        on!(self, pool => {
            let mut change = pool.begin_with(begin(self)).await?;
            let (changed,): (i64,) = sqlx::query_as(NEXT_CHANGE).fetch_one(&mut *change).await?;
            sqlx::query(run)
                .bind(new.run_id)
                .bind(&new.run.recipe_id)
                .bind(new.run.state().word())
                .bind(signed(new.version))
                .bind(Json(&new.life))
                .bind(Json(&new.run))
                .bind(&new.sealed)
                .bind(new.life.due)
                .bind(now)
                .bind(changed)
                .execute(&mut *change)
                .await?;
            if let Some((name, request)) = once {
                let query = sqlx::query(key).bind(name).bind(request).bind(new.run_id).bind(now);
                if query.execute(&mut *change).await?.rows_affected() == 0 {
                    let earlier: (Uuid, Vec<u8>) = sqlx::query_as(ANSWERED).bind(name).fetch_one(&mut *change).await?;
                    change.rollback().await?;
                    return Ok(Some((earlier.0, earlier.1 == request)));
                }
            }
            sqlx::query(EVENT)
                .bind(new.run_id)
                .bind(signed(event.seq))
                .bind(Json(event))
                .execute(&mut *change)
                .await?;
            change.commit().await?;
            Ok(None)
        })
    }

    /// Saves what became of version `seen` of a run, together with the event that changed it.
    pub async fn save_run(&self, next: &StoredRun, seen: u64, event: &RunEvent) -> Result<(), StoreError> {
        let run = "UPDATE runs SET state = $2, version = $3, life = $4, body = $5, due_at = $6, changed = $8 \
                   WHERE run_id = $1 AND version = $7";
        on!(self, pool => {
            let mut change = pool.begin_with(begin(self)).await?;
            let (changed,): (i64,) = sqlx::query_as(NEXT_CHANGE).fetch_one(&mut *change).await?;
            let query = sqlx::query(run)
                .bind(next.run_id)
                .bind(next.run.state().word())
                .bind(signed(next.version))
                .bind(Json(&next.life))
                .bind(Json(&next.run))
                .bind(next.life.due)
                .bind(signed(seen))
                .bind(changed);
            if query.execute(&mut *change).await?.rows_affected() != 1 {
                return Err(StoreError::Outdated);
            }
            sqlx::query(EVENT)
                .bind(next.run_id)
                .bind(signed(event.seq))
                .bind(Json(event))
                .execute(&mut *change)
                .await?;
            change.commit().await?;
            Ok(())
        })
    }

    /// Saves when a run is looked at next: nothing that anybody is told of.
    pub async fn save_life(&self, run_id: Uuid, seen: u64, life: &Life) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET life = $2, due_at = $3 WHERE run_id = $1 AND version = $4";
        let changed = on!(self, pool => {
            sqlx::query(sql)
                .bind(run_id)
                .bind(Json(life))
                .bind(life.due)
                .bind(signed(seen))
                .execute(pool)
                .await
                .map(|done| done.rows_affected())
        })?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Outdated) }
    }

    /// Events of a run behind number `after`, in their order.
    pub async fn run_events(&self, run_id: Uuid, after: u64, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        let sql = "SELECT body FROM run_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let rows: Vec<(Json<RunEvent>,)> = on!(self, pool => {
            sqlx::query_as(sql).bind(run_id).bind(signed(after)).bind(i64::from(limit)).fetch_all(pool).await
        })?;
        Ok(rows.into_iter().map(|(Json(event),)| event).collect())
    }
}

/// The number of a change. Whoever takes it is the only one to change runs until all of it is saved.
const NEXT_CHANGE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'changes' RETURNING value";
/// What a request with a key was answered with.
const ANSWERED: &str = "SELECT run_id, request FROM idempotency_keys WHERE key = $1";
const EVENT: &str = "INSERT INTO run_events (run_id, seq, body) VALUES ($1, $2, $3)";
