//! Runs: made from recipes, sent to a worker, followed until they end. Nothing changes a run but [`Runs::step`].

mod describe;
mod dispatch;
mod errands;
mod feed;
mod housekeeping;
pub mod life;
pub mod policy;
pub mod queue;
mod standing;
mod sweeper;

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::TimeDelta;
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{
    BrokerStatus, Code, CreateRunRequest, JobEvent, JobPayload, ListRunsResponse, ListStandingsResponse, Problem,
    Recipe, Run, RunEvent, RunState, Stage, Violation,
};
use kalla_serving::telemetry::trace;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::access::Actor;
use crate::catalog::Catalog;
use crate::dispatch::Dispatch;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::problem::Failure;
use crate::recipes::{self, Known};
use crate::store::{Page, RunFilter, Store, StoreError, StoredRun, Told};
use crate::time::{instant, now, timestamp};
use crate::uploads::Uploads;
use describe::{By, Fact};
use errands::Errands;
use life::{Input, Life, News, Phase, apply};
use policy::Policy;

/// Changes that a listener may be behind before it looks for itself what it has missed.
const CHANGES: usize = 1024;
/// Whoever saves at the same time is let through so often.
const RACES: u32 = 50;
/// Events of a run, or runs that changed, that are read at a time.
const EVENTS: u32 = 500;

/// Clones are the same runs.
#[derive(Clone)]
pub struct Runs(Arc<Shared>);

/// What runs are made of.
pub struct Parts {
    pub store: Store,
    pub keys: Keys,
    pub catalog: Catalog,
    pub uploads: Uploads,
    pub dispatch: Dispatch,
    pub metrics: Metrics,
    /// Where workers report.
    pub callback_url: String,
    /// How long a run waits while no worker is reached.
    pub patience: TimeDelta,
}

struct Shared {
    parts: Parts,
    errands: Errands,
    /// A run may have to be sent.
    queued: Notify,
    /// Why no worker was reached when one was last looked for.
    nobody: Mutex<Option<Problem>>,
    changes: broadcast::Sender<Change>,
}

/// What those who follow runs are told: how a run is now.
#[derive(Debug, Clone)]
pub enum Change {
    /// It changed, and this is the number of the change.
    Saved(u64, Arc<Run>),
    /// It has come further, which has no number.
    Further(Arc<Run>),
}

/// A recipe with everything that it reads.
pub struct Plan {
    pub recipe: Recipe,
    /// 0: it came along.
    pub version: u32,
    pub job: recipes::Job,
}

/// What a callback is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Accepted,
    /// Nobody wants this any more.
    Gone,
}

impl Runs {
    pub fn new(parts: Parts) -> Self {
        let (changes, _) = broadcast::channel(CHANGES);
        Self(Arc::new(Shared {
            parts,
            errands: Errands::default(),
            queued: Notify::new(),
            nobody: Mutex::default(),
            changes,
        }))
    }

    /// What a request asks for, with everything that it reads; all that is missing is told.
    pub async fn plan(&self, request: &CreateRunRequest) -> Result<Plan, Failure> {
        let (recipe, version) = self.recipe(request).await?;
        let mut known = Known::default();
        for (_, source) in recipes::sources(&recipe) {
            if let Some(found) = self.0.parts.catalog.find_source(&source.alias).await? {
                known.registered.insert(source.alias.clone(), found);
            }
        }
        for upload_id in request.sources.values().filter_map(|given| given.upload_id.as_ref()) {
            known.uploads.insert(upload_id.clone(), self.0.parts.uploads.stored(upload_id).await?);
        }
        let job = recipes::job(&recipe, &known, &request.sources).map_err(Problem::invalid)?;
        Ok(Plan { recipe, version, job })
    }

    /// Makes a run and sends it on its way. The same request with the same key again gives the same run.
    pub async fn create(&self, request: CreateRunRequest, key: Option<&str>, actor: &Actor) -> Result<Run, Failure> {
        let fingerprint = Sha256::digest(request.encode_to_vec()).to_vec();
        let once = key.map(|key| (key, fingerprint.as_slice()));
        // What was answered is answered again, whatever has become of the recipe since.
        if let Some(once) = once
            && let Some(answered) = self.0.parts.store.answered(once).await?
        {
            return self.again(answered).await;
        }
        let wrong: Vec<Violation> = request.priority.and_then(policy::wrong_priority).into_iter().collect();
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong).into());
        }
        let Plan { recipe, version, job } = self.plan(&request).await?;
        let now = now();
        let run_id = Uuid::new_v4();
        let traceparent = Some(trace::traceparent(&tracing::Span::current())).filter(|text| !text.is_empty());
        let payload = JobPayload { run_id: run_id.to_string(), traceparent, ..job.payload };
        let life = Life::begin(Policy::new(recipe.policy.as_ref(), request.priority), now);
        let name = if recipe.name.is_empty() { sides(&recipe) } else { recipe.name.clone() };
        let run = Run {
            run_id: run_id.to_string(),
            recipe_id: if version > 0 { recipe.recipe_id.clone() } else { String::new() },
            recipe_version: version,
            name,
            state: RunState::Pending.into(),
            attempt: life.attempt,
            sources: job.sources,
            match_sql: recipe.match_sql.clone(),
            created: Some(timestamp(now)),
            priority: life.policy.priority,
            version: 1,
            ..Run::default()
        };
        let sealed = self.0.parts.keys.seal(&place(run_id), &payload.encode_to_vec())?;
        let event = describe::event(&run, &Fact::None, By::Person(actor.name()), now);
        let new = StoredRun { run_id, version: 1, revision: 0, life, run, sealed };
        if let Some(answered) = self.0.parts.store.create_run(&new, &recipe.recipe_id, &event, once, now).await? {
            return self.again(answered).await;
        }
        tracing::info!(%run_id, recipe = new.run.recipe_id, "created");
        self.0.parts.metrics.created();
        Ok(new.run)
    }

    /// The run of a request that was answered before.
    async fn again(&self, (run_id, same): (Uuid, bool)) -> Result<Run, Failure> {
        if same {
            return self.get(&run_id.to_string()).await;
        }
        let message = "Idempotency-Key: another request was sent with this key: take a new one";
        Err(Problem::refused(Code::Conflict, message).into())
    }

    pub async fn get(&self, run_id: &str) -> Result<Run, Failure> {
        Ok(self.stored(id(run_id)?).await?.run)
    }

    /// The latest first, and where the next page begins.
    pub async fn list(&self, filter: RunFilter) -> Result<ListRunsResponse, Failure> {
        let Page { items: runs, more } = self.0.parts.store.runs(&filter).await?;
        let next_cursor = runs.last().filter(|_| more).map(|last| last.run_id.clone());
        Ok(ListRunsResponse { runs, next_cursor })
    }

    pub async fn standings(&self) -> Result<ListStandingsResponse, Failure> {
        Ok(standing::standings(&self.0.parts.store).await?)
    }

    /// What a cursor of [`Runs::list`] stands for.
    pub async fn behind(&self, cursor: &str) -> Result<RunFilter, Failure> {
        let run_id = id(cursor)?;
        let run = self.stored(run_id).await?.run;
        let created = run.created.and_then(instant);
        Ok(RunFilter { before: created.map(|at| (at, run_id)), ..RunFilter::default() })
    }

    /// Events of a run behind number `after`.
    pub async fn events(&self, run_id: Uuid, after: u64) -> Result<Vec<RunEvent>, Failure> {
        Ok(self.0.parts.store.run_events(run_id, after, EVENTS).await?)
    }

    /// Runs that changed behind number `after`, each as it is now, with the number of its latest change.
    pub async fn changed(&self, after: u64) -> Result<Vec<(u64, Run)>, Failure> {
        Ok(self.0.parts.store.changed_runs(after, EVENTS).await?)
    }

    /// The number of the latest change of any run.
    pub async fn latest_change(&self) -> Result<u64, Failure> {
        Ok(self.0.parts.store.latest_change().await?)
    }

    /// Runs as they change.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// The broker that jobs go through, if they do.
    pub async fn broker(&self) -> Option<BrokerStatus> {
        self.0.parts.dispatch.broker().await
    }

    /// Runs about which a worker is asked, or is to be.
    pub fn errands(&self) -> usize {
        self.0.errands.count()
    }

    /// Stops a run; one that was stopped before stays as it is.
    pub async fn cancel(&self, run_id: &str, actor: &Actor) -> Result<Run, Failure> {
        let run = self.step(id(run_id)?, Input::Cancel, Fact::None, By::Person(actor.name())).await?;
        match run.state() {
            RunState::Completed | RunState::Failed => {
                let message = format!("run {run_id} has ended already: there is nothing to stop");
                Err(Problem::refused(Code::Conflict, message).into())
            }
            _ => Ok(run),
        }
    }

    /// Tries a run again that failed or was stopped: the same recipe, the same sources.
    pub async fn retry(&self, run_id: &str, actor: &Actor) -> Result<Run, Failure> {
        let id = id(run_id)?;
        let before = self.stored(id).await?.life.phase;
        if !matches!(before, Phase::Failed | Phase::Cancelled) {
            let message = match before {
                Phase::Completed => format!("run {run_id} has completed: make a new run of its recipe instead"),
                _ => format!("run {run_id} has not ended: cancel it first"),
            };
            return Err(Problem::refused(Code::Conflict, message).into());
        }
        self.step(id, Input::Retry, Fact::Begun, By::Person(actor.name())).await
    }

    /// What a worker reports, if `token` is that of the run.
    pub async fn heard(&self, event: JobEvent, token: &str) -> Result<Heard, Failure> {
        if !self.0.parts.keys.is_token(&event.run_id, token) {
            let message = "send `Authorization: Bearer …` with the token of the run";
            return Err(Problem::refused(Code::Unauthenticated, message).into());
        }
        let run_id = id(&event.run_id)?;
        let attempt = event.attempt.max(1);
        let (news, fact) = match event.event {
            Some(Event::Progress(progress)) => (News::Progress(progress.stage()), Fact::Progress(progress)),
            Some(Event::Complete(complete)) => (News::Completed, Fact::Complete(complete)),
            Some(Event::Error(error)) => (describe::failure(&error), Fact::Error(error)),
            None => {
                let wrong = vec![Violation::new("", "an event has a `stage`, `output_paths` or an `error`")];
                return Err(Problem::invalid(wrong).into());
            }
        };
        let wanted = self.stored(run_id).await?.life.wants(attempt);
        // Of a run that is over, the last word is taken, so that nobody sends it again and again.
        if !wanted && matches!(news, News::Progress(_)) {
            return Ok(Heard::Gone);
        }
        let input = Input::Heard { attempt, seq: event.seq.max(1), news };
        self.step(run_id, input, fact, By::Worker(&event.worker)).await?;
        Ok(Heard::Accepted)
    }

    /// The only way in which a run changes: the next state and its event are saved together, then the effect begins.
    async fn step(&self, run_id: Uuid, input: Input, fact: Fact, by: By<'_>) -> Result<Run, Failure> {
        for _ in 0..RACES {
            let now = now();
            let stored = self.stored(run_id).await?;
            let (life, effect) = apply(&stored.life, input, now);
            let ended = stored.life.phase.ended();
            let mut run = describe::next(&stored.run, &stored.life, &life, &fact, by, now);
            let saved = if run == stored.run {
                if life == stored.life && effect.is_none() {
                    return Ok(run);
                }
                self.0.parts.store.save_run(&stored, &life, None).await
            } else {
                run.version = stored.version + 1;
                let event = describe::event(&run, &fact, by, now);
                // What only comes further changes nothing that others wait for.
                let further = matches!(fact, Fact::Progress(_)) && life.phase == stored.life.phase;
                let told = Told { run: &run, event: &event, numbered: !further };
                let saved = self.0.parts.store.save_run(&stored, &life, Some(told)).await;
                if saved.is_ok() {
                    describe::log(&run, &life);
                    if life.phase.ended() && !ended {
                        self.0.parts.metrics.ended(run.state());
                    }
                }
                saved
            };
            match saved {
                Ok(()) => {
                    if let Some(effect) = effect {
                        self.perform(run_id, effect);
                    }
                    return Ok(run);
                }
                Err(StoreError::Outdated) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        let message = format!("run {run_id} changes all the time: try again");
        Err(Problem::later(Code::Unavailable, message).into())
    }

    async fn stored(&self, run_id: Uuid) -> Result<StoredRun, Failure> {
        let run = self.0.parts.store.run(run_id).await?;
        run.ok_or_else(|| Problem::refused(Code::NotFound, format!("there is no run {run_id}")).into())
    }

    fn tell(&self, change: Change) {
        // Nobody listens: nobody is told.
        let _ = self.0.changes.send(change);
    }

    /// Why no worker is reached.
    fn nobody(&self) -> MutexGuard<'_, Option<Problem>> {
        self.0.nobody.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn unreached(&self, attempt: u32) -> Input {
        Input::Unreached { attempt, patience: self.0.parts.patience }
    }

    /// The recipe of a request, with its credentials, and its version; 0: it came along.
    async fn recipe(&self, request: &CreateRunRequest) -> Result<(Recipe, u32), Failure> {
        let wrong = |field: &str, message: &str| Problem::invalid(vec![Violation::new(field, message)]);
        match (&request.recipe, request.recipe_id.is_empty()) {
            (Some(_), false) => {
                Err(wrong("recipe", "give either a recipe or the recipe_id of one that is saved").into())
            }
            (None, true) => Err(wrong("recipe_id", "it is missing: which recipe is to be run?").into()),
            (None, false) => {
                let version = Some(request.recipe_version).filter(|version| *version > 0);
                let recipe = self.0.parts.catalog.whole_recipe(&request.recipe_id, version).await?;
                let version = recipe.version.unwrap_or(1);
                Ok((recipe, version))
            }
            (Some(recipe), true) => {
                let mut recipe = recipe.clone();
                if recipe.recipe_id.is_empty() {
                    "inline".clone_into(&mut recipe.recipe_id);
                }
                let wrong = recipes::check(&recipe, "recipe");
                if wrong.is_empty() { Ok((recipe, 0)) } else { Err(Problem::invalid(wrong).into()) }
            }
        }
    }
}

/// What a sealed payload belongs to.
fn place(run_id: Uuid) -> String {
    format!("run/{run_id}")
}

/// What a recipe without a name is called.
fn sides(recipe: &Recipe) -> String {
    let aliases: Vec<&str> = recipes::sources(recipe).take(2).map(|(_, source)| source.alias.as_str()).collect();
    aliases.join(" against ")
}

/// A run_id as people write it.
pub fn id(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| Problem::refused(Code::NotFound, format!("there is no run `{text}`")).into())
}

/// The stage that a run was last seen in.
fn stage(run: &Run) -> Stage {
    run.progress.as_ref().map(kalla_proto::v1::Progress::stage).unwrap_or_default()
}
