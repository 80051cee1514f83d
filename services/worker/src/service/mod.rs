//! The only way to run a job. Every door calls this, and what it promises holds through each of them: a run is executed
//! once per attempt, a full queue refuses, and the last word on a job is told or kept.

mod entry;
mod life;
mod look;
mod queued;
mod recover;
mod registry;
mod report;
mod run;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use futures::Stream;
use kalla_engine::Error;
use kalla_engine::job::Job;
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{self, Code, Problem};
use tokio::sync::Notify;
use tracing::Instrument as _;

use entry::Entry;
use life::Input;
pub use life::{Outcome, Stop};
use look::Looks;
pub use queued::Left;
use registry::{Registry, Waiting};
use run::CONTRADICTION;

use crate::budget::Budget;
use crate::callback::Courier;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::outcome;
use crate::payload::{Accepted, Intake};
use crate::problem;
use crate::process::Processes;
use crate::storage::{Noted, Storage};

/// Clones are the same service.
#[derive(Clone)]
pub struct JobService(Arc<Shared>);

/// Where a job comes from, and who keeps it meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Someone sent it here. It is kept in the inbox.
    Sent,
    /// A worker that is gone has left it in the inbox; so many have had it, this one among them.
    Left { workers: u32 },
    /// The broker, which keeps it.
    Queued,
}

impl Origin {
    fn workers(self) -> u32 {
        match self {
            Self::Left { workers } => workers,
            Self::Sent | Self::Queued => 1,
        }
    }
}

/// What a worker has to do.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub queued: usize,
    pub running: usize,
    /// For those that run.
    pub places: usize,
    /// How long the first of the queue has waited.
    pub waiting: Duration,
    /// Of each kind its name, its places, and those that are taken.
    pub looks: [(&'static str, usize, usize); 3],
}

/// What a service is made of.
pub struct Parts {
    /// What the worker calls itself, and where programs reach it.
    pub name: Arc<str>,
    pub url: String,
    pub intake: Intake,
    pub storage: Storage,
    pub processes: Processes,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub courier: Courier,
    pub metrics: Metrics,
    /// What runs at the same time, and the memory of each.
    pub budget: Budget,
    /// Jobs that wait at most.
    pub queue: usize,
}

struct Shared {
    parts: Parts,
    registry: Mutex<Registry>,
    /// Something ended or was settled.
    changed: Notify,
    looks: Looks,
}

impl JobService {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            looks: Looks::new(&parts.budget),
            parts,
            registry: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Accepts a job, or says why not. The same job again is accepted again and runs once. What is accepted is written down
    /// before anybody is told so.
    pub async fn submit(&self, payload: v1::JobPayload) -> Result<(), Problem> {
        let service = self.clone();
        // A task of its own: whoever leaves before the answer leaves no job behind that is known and never begun.
        let admitted = tokio::spawn(async move { service.admit(&payload, Origin::Sent).await });
        let admitted = admitted.await;
        admitted.unwrap_or_else(|error| Err(problem::defect(&format!("accepting a job: {error}")))).map(drop)
    }

    /// `None`: it has ended long ago.
    async fn admit(&self, payload: &v1::JobPayload, origin: Origin) -> Result<Option<Arc<Entry>>, Problem> {
        let accepted = self.0.parts.intake.accept(payload).map_err(|error| {
            self.0.parts.metrics.refused("invalid");
            problem::told(&error)
        })?;
        let (entry, new) = self.place(&accepted, origin)?;
        let keep = async || {
            // What was accepted once stays accepted.
            if origin.workers() == 1 && matches!(self.0.parts.storage.note(&payload.run_id).await, Ok(None)) {
                self.foresee(payload).await.inspect_err(|_| self.0.parts.metrics.refused("invalid"))?;
            }
            self.0.keep(&accepted.job, payload, origin).await
        };
        let kept = entry.kept.get_or_init(keep).await.clone();
        if !new {
            return kept.map(|open| open.then_some(entry));
        }
        let mut registry = self.0.lock();
        if kept != Ok(true) {
            registry.leave(&entry);
            registry.forget(&entry);
            return kept.map(|_| None);
        }
        match &accepted.warning {
            Some(warning) => tracing::warn!(parent: &entry.span(), warning, "accepted"),
            None => tracing::info!(parent: &entry.span(), "accepted"),
        }
        registry.arrive(Waiting { entry: Arc::clone(&entry), accepted });
        self.0.start_next(&mut registry);
        drop(registry);
        let span = entry.span();
        tokio::spawn(report::report(Arc::clone(&self.0), Arc::clone(&entry)).instrument(span));
        Ok(Some(entry))
    }

    /// Makes a place for the job, or finds the one that it has; says whether it is new.
    fn place(&self, accepted: &Accepted, origin: Origin) -> Result<(Arc<Entry>, bool), Problem> {
        let metrics = &self.0.parts.metrics;
        // Asked before the registry is locked: a disk may take its time.
        let room = self.0.parts.storage.has_room();
        let mut registry = self.0.lock();
        if registry.closing {
            metrics.refused("closing");
            return Err(Problem::later(Code::Unavailable, "this worker is shutting down: send the job to another one"));
        }
        let known = registry.get(&accepted.job.run_id).cloned();
        if known.is_none() {
            room.inspect_err(|_| metrics.refused("disk"))?;
        }
        if let Some(known) = &known {
            if known.fingerprint != accepted.fingerprint {
                return Err(self.0.conflict());
            }
            if accepted.attempt <= known.attempt {
                return Ok((Arc::clone(known), false));
            }
        }
        // Those that arrive are looked at for a while, and have their places meanwhile.
        let waiting = registry.queue.len() + registry.arriving.len();
        if registry.running + waiting >= self.0.parts.budget.jobs.places + self.0.parts.queue {
            metrics.refused("full");
            return Err(Problem::later(Code::Exhausted, format!("{waiting} jobs wait already: try again later")));
        }
        if let Some(known) = known {
            self.0.stop(&mut registry, &known, Stop::Superseded);
        }
        let entry = Arc::new(Entry::new(accepted, origin, &self.0.parts.name));
        registry.insert(&entry);
        Ok((entry, true))
    }

    /// Where a job is: one of this worker, or any whose results are in the storage.
    pub async fn get(&self, run_id: &str) -> Result<v1::JobStatus, Problem> {
        if let Some(entry) = self.0.lock().get(run_id) {
            return Ok(entry.status());
        }
        self.stored(run_id).await?.ok_or_else(|| no_such_job(run_id))
    }

    /// What this worker is, and how busy.
    pub fn status(&self) -> v1::WorkerStatus {
        let parts = &self.0.parts;
        let bounds = parts.intake.bounds(parts.budget.jobs.most());
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let registry = self.0.lock();
        v1::WorkerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running: count(registry.running),
            waiting: count(registry.queue.len()),
            concurrency: count(parts.budget.jobs.places),
            queue: count(parts.queue),
            limits: bounds.limits,
            storage: parts.storage.root().to_string(),
            file_roots: bounds.file_roots,
            keeps_staged: bounds.keep_staged,
            closing: registry.closing,
            name: parts.name.to_string(),
            url: parts.url.clone(),
            jobs: registry.running_jobs(),
        }
    }

    /// What it has to do at the moment.
    pub fn load(&self) -> Load {
        let registry = self.0.lock();
        let accepted = registry.queue.front().and_then(|first| first.entry.status().accepted);
        let since = accepted.and_then(|time| SystemTime::try_from(time).ok());
        Load {
            queued: registry.queue.len(),
            running: registry.running,
            places: self.0.parts.budget.jobs.places,
            waiting: since.and_then(|since| since.elapsed().ok()).unwrap_or_default(),
            looks: self.0.looks.load(),
        }
    }

    /// What happens to a job, its present state first, until it has ended.
    pub fn watch(&self, run_id: &str) -> Result<impl Stream<Item = v1::JobEvent> + Send + use<>, Problem> {
        let view = self.0.lock().get(run_id).map(|entry| entry.view.subscribe());
        let view = view.ok_or_else(|| no_such_job(run_id))?;
        Ok(futures::stream::unfold((view, None, false), |(mut view, last, over)| async move {
            if over {
                return None;
            }
            loop {
                let event = view.borrow_and_update().event.clone();
                if let Some(event) = event.filter(|event| Some(event.seq) != last) {
                    let (seq, over) = (event.seq, outcome::is_terminal(&event));
                    return Some((event, (view, Some(seq), over)));
                }
                view.changed().await.ok()?;
            }
        }))
    }

    /// Stops a job; one that has ended stays as it is.
    pub async fn cancel(&self, run_id: &str) -> Result<v1::JobStatus, Problem> {
        let entry = {
            let mut registry = self.0.lock();
            let entry = registry.get(run_id).cloned();
            if let Some(entry) = &entry
                && !entry.ended()
            {
                self.0.stop(&mut registry, entry, Stop::Cancelled);
                self.0.start_next(&mut registry);
            }
            entry
        };
        match entry {
            Some(entry) => Ok(entry.status()),
            None => self.get(run_id).await,
        }
    }

    /// Takes no more jobs and gives back those that wait; lets those that run end, stops what is not done when four fifths of
    /// `grace` are over, and gives callbacks the rest. What is not delivered then is in the outbox.
    pub async fn shutdown(&self, grace: Duration) {
        let began = Instant::now();
        {
            let mut registry = self.0.lock();
            registry.closing = true;
            let waiting = registry.waiting();
            tracing::info!(grace_seconds = grace.as_secs(), given_back = waiting.len(), "stopping");
            waiting.iter().for_each(|entry| self.0.stop(&mut registry, entry, Stop::ShutDown));
        }
        if !self.wait(grace.mul_f64(0.8), Entry::ended).await {
            let mut registry = self.0.lock();
            let late: Vec<_> = registry.all().filter(|entry| !entry.ended()).cloned().collect();
            tracing::warn!(jobs = late.len(), "stopped before they were done");
            late.iter().for_each(|entry| self.0.stop(&mut registry, entry, Stop::ShutDown));
        }
        let settled = |entry: &Entry| entry.view.borrow().settled.is_some();
        if !self.wait(grace.saturating_sub(began.elapsed()), settled).await {
            tracing::warn!("some callbacks are not delivered; their events are in the outbox");
        }
    }

    /// Whether `done` holds of every job within `limit`.
    async fn wait(&self, limit: Duration, done: impl Fn(&Entry) -> bool) -> bool {
        let all_done = async {
            loop {
                let changed = self.0.changed.notified();
                if self.0.lock().all().all(|entry| done(entry)) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, all_done).await.is_ok()
    }

    /// What the storage knows of a run that this worker does not.
    async fn stored(&self, run_id: &str) -> Result<Option<v1::JobStatus>, Problem> {
        let parts = &self.0.parts;
        let told = |error| problem::told(&error);
        let Some(note) = parts.storage.note(run_id).await.map_err(told)? else { return Ok(None) };
        let status = |state: v1::JobState| v1::JobStatus {
            run_id: run_id.to_owned(),
            state: state.into(),
            ..Default::default()
        };
        if let Some(v1::JobEvent { event: Some(Event::Error(error)), time, .. }) = note.outcome {
            let cancelled = error.problem.as_ref().is_some_and(|problem| problem.code() == Code::Cancelled);
            let state = if cancelled { v1::JobState::Cancelled } else { v1::JobState::Failed };
            return Ok(Some(v1::JobStatus { attempt: note.attempt, error: Some(error), ended: time, ..status(state) }));
        }
        let output = parts.storage.output(&note).map_err(told)?;
        if let Some(manifest) = kalla_engine::committed(&output).await.map_err(told)?
            && manifest.run_id == run_id
        {
            let complete = Some(outcome::complete(&manifest, &output, false));
            return Ok(Some(v1::JobStatus { complete, ..status(v1::JobState::Completed) }));
        }
        // Its worker is another one, or dead: then this one, or the next that looks, takes it on.
        let waits = parts.inbox.holds(run_id, note.attempt).await.map_err(told)?;
        Ok(waits.then(|| v1::JobStatus { attempt: note.attempt, ..status(v1::JobState::Queued) }))
    }
}

impl Shared {
    /// Writes down that a job is accepted, by which it is found from now on, and taken on if this worker dies.
    /// `false`: it has ended already, and nothing is to be done.
    async fn keep(&self, job: &Job, payload: &v1::JobPayload, origin: Origin) -> Result<bool, Problem> {
        let told = |error| problem::told(&error);
        match self.parts.storage.note_run(job).await.map_err(told)? {
            Noted::Contradicting => Err(self.conflict()),
            Noted::Ended => Ok(false),
            Noted::Open if origin == Origin::Queued => Ok(true),
            Noted::Open => self.parts.inbox.keep(payload, origin.workers()).await.map_err(told).map(|()| true),
        }
    }

    fn conflict(&self) -> Problem {
        self.parts.metrics.refused("conflict");
        Problem::refused(Code::Conflict, format!("run_id: {CONTRADICTION}"))
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// One that waits has nobody to notice and ends here.
    fn stop(&self, registry: &mut Registry, entry: &Arc<Entry>, why: Stop) {
        if registry.leave(entry) {
            let last = outcome::error(&Error::Cancelled, entry.stage());
            self.end(registry, entry, Input::Stop(why), Event::Error(last));
        } else {
            entry.interrupt(why);
        }
    }

    /// Begins as many jobs as there is room for. Each gets its share of threads and memory as things are now.
    fn start_next(self: &Arc<Self>, registry: &mut Registry) {
        while let Some(grant) = self.parts.budget.jobs.next(registry.running, registry.taken)
            && let Some(Waiting { entry, accepted }) = registry.queue.pop_front()
        {
            if !entry.begin() {
                continue;
            }
            registry.running += 1;
            registry.taken += grant.bytes;
            let span = entry.span();
            tokio::spawn(run::run(Arc::clone(self), entry, accepted, grant).instrument(span));
        }
    }
}

fn no_such_job(run_id: &str) -> Problem {
    Problem::refused(Code::NotFound, format!("this worker knows no job of run `{run_id}`"))
}
