//! Runs and their events. A run and the event that changed it are saved together or not at all.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Run, RunEvent, RunState};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Notice, Page, Store, StoreError, begin, on, one_more, signed, unsigned};
use crate::runs::life::Life;
use crate::runs::queue::{Line, Waiting};

/// A run as it is stored.
pub struct StoredRun {
    pub run_id: Uuid,
    /// The number of its latest event.
    pub version: u64,
    /// Counts what is saved of it, events or not: who saves names the one that he has seen.
    pub revision: u64,
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

type Row = (Uuid, i64, i64, Json<Life>, Json<Run>, Vec<u8>);

impl From<Row> for StoredRun {
    fn from((run_id, version, revision, Json(life), Json(run), sealed): Row) -> Self {
        Self { run_id, version: unsigned(version), revision: unsigned(revision), life, run, sealed }
    }
}

/// What people are told of a change.
pub struct Told<'a> {
    pub run: &'a Run,
    pub event: &'a RunEvent,
    /// Whether those who follow all runs come back to it by a number.
    pub numbered: bool,
}

/// A run to look at.
pub struct Due {
    pub run_id: Uuid,
    /// Whether it waits for a worker.
    pub waits: bool,
}

/// Runs that have not ended.
#[derive(Default)]
pub struct OpenRuns {
    pub states: Vec<(RunState, u64)>,
    /// Those that somebody has to look into.
    pub parked: u64,
    /// Since when the first of those waits that could be sent.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// A request that may be sent again: its key, and what tells whether it is the same.
pub type Once<'a> = (&'a str, &'a [u8]);

impl Store {
    pub async fn run(&self, run_id: Uuid) -> Result<Option<StoredRun>, StoreError> {
        let sql = "SELECT run_id, version, revision, life, body, sealed FROM runs WHERE run_id = $1";
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

    /// Of each recipe that has run: how often it has.
    pub async fn run_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT recipe_id, count(*) FROM runs WHERE recipe_id <> '' GROUP BY recipe_id ORDER BY recipe_id";
        let rows: Vec<(String, i64)> = on!(self, pool => sqlx::query_as(sql).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(recipe_id, runs)| (recipe_id, unsigned(runs))).collect())
    }

    /// The latest runs of each recipe, `most` of each, the latest first.
    pub async fn latest_runs(&self, state: Option<RunState>, most: u32) -> Result<Vec<Run>, StoreError> {
        // Bodies are read of those alone that are wanted.
        let sql = "SELECT body FROM runs JOIN ( \
                       SELECT run_id AS id, row_number() OVER (PARTITION BY recipe_id ORDER BY created_at DESC, run_id DESC) AS place \
                       FROM runs WHERE recipe_id <> '' AND ($1 = '' OR state = $1)) AS placed ON run_id = id \
                   WHERE place <= $2 ORDER BY recipe_id, place";
        let word = state.map_or("", RunState::word);
        let rows: Vec<(Json<Run>,)> =
            on!(self, pool => sqlx::query_as(sql).bind(word).bind(i64::from(most)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(Json(run),)| run).collect())
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

    pub async fn open_runs(&self, now: DateTime<Utc>) -> Result<OpenRuns, StoreError> {
        let states = "SELECT state, count(*) FROM runs WHERE due_at IS NOT NULL GROUP BY state";
        let parked = "SELECT count(*) FROM runs WHERE parked";
        let (states, (parked,)): (Vec<(String, i64)>, (i64,)) = on!(self, pool => (
            sqlx::query_as(states).fetch_all(pool).await?,
            sqlx::query_as(parked).fetch_one(pool).await?,
        ));
        let known = |(word, count): (String, i64)| Some((RunState::from_word(&word)?, unsigned(count)));
        let states = states.into_iter().filter_map(known).collect();
        Ok(OpenRuns { states, parked: unsigned(parked), waiting_since: self.first_waiting(now).await? })
    }

    /// Since when the first of those runs waits that may be sent now. `None`: there are none.
    pub async fn first_waiting(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT ready_at FROM runs WHERE ready_at <= $1 ORDER BY ready_at LIMIT 1";
        let first: Option<(DateTime<Utc>,)> =
            on!(self, pool => sqlx::query_as(sql).bind(now).fetch_optional(pool).await)?;
        Ok(first.map(|(at,)| at))
    }

    /// Recipes with runs that may be sent now, and `most` of those runs of each.
    pub async fn queue(&self, now: DateTime<Utc>, most: usize) -> Result<Vec<Line>, StoreError> {
        let waiting = "SELECT lane, run_id, priority, concurrency, created_at FROM ( \
                           SELECT lane, run_id, priority, concurrency, created_at, row_number() OVER ( \
                               PARTITION BY lane ORDER BY priority DESC, created_at, run_id) AS place \
                           FROM runs WHERE ready_at <= $1) AS waiting \
                       WHERE place <= $2 ORDER BY lane, place";
        let away = "SELECT lane, count(*) FROM runs WHERE due_at IS NOT NULL AND ready_at IS NULL GROUP BY lane";
        let turns = "SELECT lane, (SELECT max(sent_at) FROM runs WHERE runs.lane = waiting.lane) \
                     FROM (SELECT DISTINCT lane FROM runs WHERE ready_at <= $1) AS waiting";
        type Place = (String, Uuid, i64, i64, DateTime<Utc>);
        type Count = (String, i64);
        type Turn = (String, Option<DateTime<Utc>>);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (waiting, away, turns): (Vec<Place>, Vec<Count>, Vec<Turn>) = on!(self, pool => (
            sqlx::query_as(waiting).bind(now).bind(most).fetch_all(pool).await?,
            sqlx::query_as(away).fetch_all(pool).await?,
            sqlx::query_as(turns).bind(now).fetch_all(pool).await?,
        ));
        let small = |number: i64| usize::try_from(number).unwrap_or(0);
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        for (lane, run_id, priority, concurrency, created) in waiting {
            let priority = i32::try_from(priority).unwrap_or(0);
            let line = lines.entry(lane).or_default();
            line.waiting.push(Waiting { run_id, priority, concurrency: small(concurrency), created });
        }
        for (lane, count) in away {
            lines.entry(lane).or_default().away = small(count);
        }
        for (lane, turn) in turns {
            lines.entry(lane).or_default().turn = turn;
        }
        Ok(lines.into_values().filter(|line| !line.waiting.is_empty()).collect())
    }

    /// Those that could be sent are looked at by `then`.
    pub async fn look_at_waiting(&self, now: DateTime<Utc>, then: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET due_at = $2 WHERE ready_at <= $1 AND due_at > $2";
        on!(self, pool => sqlx::query(sql).bind(now).bind(then).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// A run that cannot be read is out of the way until `then`.
    pub async fn set_aside(&self, run_id: Uuid, then: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET parked = true, due_at = $2, \
                   ready_at = CASE WHEN ready_at IS NULL THEN NULL ELSE $2 END \
                   WHERE run_id = $1 AND due_at IS NOT NULL";
        on!(self, pool => sqlx::query(sql).bind(run_id).bind(then).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// Parked runs are due: whatever was in their way may be gone.
    pub async fn take_up_parked(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET due_at = $1, ready_at = CASE WHEN ready_at IS NULL THEN NULL ELSE $1 END \
                   WHERE parked AND due_at IS NOT NULL";
        on!(self, pool => sqlx::query(sql).bind(now).execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    /// Requests from before `then` are not known again; says how many those were.
    pub async fn forget_requests(&self, then: DateTime<Utc>) -> Result<u64, StoreError> {
        let sql = "DELETE FROM idempotency_keys WHERE created_at < $1";
        Ok(on!(self, pool => sqlx::query(sql).bind(then).execute(pool).await.map(|done| done.rows_affected()))?)
    }

    /// Runs to look at, the longest overdue first.
    pub async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<Due>, StoreError> {
        let sql = "SELECT run_id, state FROM runs WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
        let rows: Vec<(Uuid, String)> =
            on!(self, pool => sqlx::query_as(sql).bind(now).bind(i64::from(limit)).fetch_all(pool).await)?;
        let due = |(run_id, state): (Uuid, String)| Due { run_id, waits: state == RunState::Pending.word() };
        Ok(rows.into_iter().map(due).collect())
    }

    /// The run that a request with this key was answered with, and whether it was the same request.
    pub async fn answered(&self, (key, request): Once<'_>) -> Result<Option<(Uuid, bool)>, StoreError> {
        let earlier: Option<(Uuid, Vec<u8>)> =
            on!(self, pool => sqlx::query_as(ANSWERED).bind(key).fetch_optional(pool).await)?;
        Ok(earlier.map(|(run_id, earlier)| (run_id, earlier == request)))
    }

    /// A new run, whose turn comes with that of `lane`, and its first event. Where a request with the key was answered before: that run, and whether it was the
    /// same request.
    pub async fn create_run(
        &self,
        new: &StoredRun,
        lane: &str,
        event: &RunEvent,
        once: Option<Once<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Option<(Uuid, bool)>, StoreError> {
        let run = "INSERT INTO runs \
                   (run_id, recipe_id, state, version, life, body, sealed, due_at, created_at, changed, \
                   lane, priority, concurrency, ready_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let key = "INSERT INTO idempotency_keys (key, request, run_id, created_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (key) DO NOTHING";
        let notifies = self.notifies(Notice::Saved);
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
                .bind(lane)
                .bind(i64::from(new.life.policy.priority))
                .bind(i64::from(new.life.policy.concurrency))
                .bind(new.life.ready)
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
            if let Some((sql, notice)) = notifies {
                sqlx::query(sql).bind(notice).execute(&mut *change).await?;
            }
            change.commit().await?;
        });
        self.ring(Notice::Saved);
        Ok(None)
    }

    /// Saves what became of a run that was as `seen`. `told`: together with the event that says so; without it, only when the
    /// run is looked at next has changed, which nobody is told of.
    pub async fn save_run(&self, seen: &StoredRun, life: &Life, told: Option<Told<'_>>) -> Result<(), StoreError> {
        let sql = "UPDATE runs SET life = $3, due_at = $4, ready_at = $5, sent_at = $6, parked = $7, \
                   revision = revision + 1, version = $9, state = COALESCE($10, state), \
                   body = COALESCE($11, body), changed = COALESCE($12, changed) \
                   WHERE run_id = $1 AND revision = $2 AND version = $8";
        let notice = match &told {
            Some(told) if told.numbered => Some(Notice::Saved),
            Some(_) => Some(Notice::Further(seen.run_id)),
            None => None,
        };
        on!(self, pool => {
            let mut change = pool.begin_with(begin(self)).await?;
            let changed: Option<(i64,)> = match &told {
                Some(Told { numbered: true, .. }) => Some(sqlx::query_as(NEXT_CHANGE).fetch_one(&mut *change).await?),
                _ => None,
            };
            let run = told.as_ref().map(|told| told.run);
            let query = sqlx::query(sql)
                .bind(seen.run_id)
                .bind(signed(seen.revision))
                .bind(Json(life))
                .bind(life.due)
                .bind(life.ready)
                .bind(life.sent)
                .bind(life.parked())
                .bind(signed(seen.version))
                .bind(signed(run.map_or(seen.version, |run| run.version)))
                .bind(run.map(|run| run.state().word()))
                .bind(run.map(Json))
                .bind(changed.map(|(number,)| number));
            if query.execute(&mut *change).await?.rows_affected() != 1 {
                return Err(StoreError::Outdated);
            }
            if let Some(Told { event, .. }) = told {
                sqlx::query(EVENT)
                    .bind(seen.run_id)
                    .bind(signed(event.seq))
                    .bind(Json(event))
                    .execute(&mut *change)
                    .await?;
            }
            if let Some((sql, notice)) = notice.and_then(|notice| self.notifies(notice)) {
                sqlx::query(sql).bind(notice).execute(&mut *change).await?;
            }
            change.commit().await?;
        });
        if let Some(notice) = notice {
            self.ring(notice);
        }
        Ok(())
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
