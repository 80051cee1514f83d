//! A job from its turn to its last event.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use kalla_engine::job::Job;
use kalla_engine::manifest::Kin;
use kalla_engine::{Error, Manifest, Violation};
use kalla_proto::v1::job_event::Event;
use kalla_proto::v1::{self, order, report};
use tracing::{Instrument as _, Span};

use super::Shared;
use super::entry::Entry;
use super::life::{Input, Outcome, Stop};
use super::registry::Registry;
use crate::budget::Grant;
use crate::payload::Accepted;
use crate::process::{Bounds, Death};
use crate::{outcome, problem};

pub async fn run(shared: Arc<Shared>, entry: Arc<Entry>, accepted: Accepted, grant: Grant) {
    let done = AssertUnwindSafe(execute(&shared, &entry, &accepted, grant)).catch_unwind().await;
    let (input, last) = done.unwrap_or_else(|_| {
        let defect = problem::defect("a panic beside the process of a job");
        (Input::Failed, Event::Error(outcome::failure(defect, entry.stage())))
    });
    // Before anybody is told, so that no death in between leaves it.
    if input == Input::Gone || !entry.is_first {
        clear(&accepted).await;
    }
    {
        let mut registry = shared.lock();
        registry.running -= 1;
        registry.taken -= grant.bytes;
        shared.end(&mut registry, &entry, input, last);
        shared.start_next(&mut registry);
    }
    let job = &accepted.job;
    if input == Input::Completed && job.keep_staged {
        // Again, because the time for which they are kept begins now. The first word is for a worker that dies before.
        if let Err(error) = shared.parts.storage.note_staged(&job.run_id).await {
            tracing::warn!(%error, "staged rows may be swept early");
        }
    }
    if input == Input::Completed
        && let Ok(Some(manifest)) = kalla_engine::committed(&job.output).await
    {
        shared.parts.metrics.worked(&manifest);
    }
}

async fn execute(shared: &Shared, entry: &Entry, accepted: &Accepted, grant: Grant) -> (Input, Event) {
    let job = &accepted.job;
    match earlier(job).await {
        Ok(None) => {}
        Ok(Some(manifest)) => {
            let complete = outcome::complete(&manifest, &job.output, accepted.as_url);
            return (Input::Completed, Event::Complete(complete));
        }
        Err(error) => return (Input::Failed, Event::Error(outcome::error(&error, entry.stage()))),
    }
    let note = async { if job.keep_staged { shared.parts.storage.note_staged(&job.run_id).await } else { Ok(()) } };
    let (done, noted) = tokio::join!(in_a_process(shared, entry, accepted, grant), note);
    if let Err(error) = noted {
        tracing::warn!(%error, "staged rows may be swept late");
    }
    match done {
        Ok(Event::Error(error)) if error.problem.as_ref().is_some_and(|p| p.code() == v1::Code::Cancelled) => {
            (Input::Gone, Event::Error(error))
        }
        Ok(event @ Event::Complete(_)) => (Input::Completed, event),
        Ok(event) => (Input::Failed, event),
        Err(death) => {
            tracing::warn!(?death, "the process of the job ended");
            (Input::Gone, Event::Error(outcome::failure(death.problem(), entry.stage())))
        }
    }
}

/// Removes what processes that were killed have left, here or at another worker. Several runs may write to an output that was chosen, and in a bucket
/// nobody sees which of them go on.
async fn clear(accepted: &Accepted) {
    let output = &accepted.job.output;
    if output.as_local().is_none() && !accepted.payload.output_path.is_empty() {
        return;
    }
    match kalla_engine::drop_attempts(output).await {
        Ok(removed) => tracing::debug!(removed, "what was left behind is removed"),
        Err(error) => tracing::warn!(%error, "what was left behind stays until it is swept"),
    }
}

/// The result of an attempt that got as far as that, and no further.
async fn earlier(job: &Job) -> Result<Option<Manifest>, Error> {
    let Some(manifest) = kalla_engine::committed(&job.output).await? else { return Ok(None) };
    match manifest.kin(&job.run_id, job.payload_sha256.as_deref()) {
        Kin::Same => Ok(Some(manifest)),
        Kin::Other => Ok(None),
        Kin::Contradicting => Err(Error::Invalid(vec![Violation::new("run_id", CONTRADICTION)])),
    }
}

/// Why a run is not taken for another job than before.
pub const CONTRADICTION: &str = "this run is known with another payload: a different job needs a run_id of its own";

/// Gives the last event of the process.
async fn in_a_process(shared: &Shared, entry: &Entry, accepted: &Accepted, grant: Grant) -> Result<Event, Death> {
    let limits = &accepted.job.limits;
    let order = v1::Order {
        order: Some(order::Order::Run(accepted.payload.clone())),
        bounds: Some(shared.parts.intake.bounds(grant)),
    };
    // It may have asked for less.
    let memory = Grant::of(limits.memory.min(grant.memory), grant.threads).bytes;
    let bounds = Bounds { memory, time: limits.timeout };
    let span = tracing::info_span!("process");
    let mut stages = Stages::default();
    stages.enter(&span, v1::Stage::Staging);
    let progress = |report| {
        if let report::Report::Event(v1::JobEvent { event: Some(Event::Progress(progress)), .. }) = report {
            stages.enter(&span, progress.stage());
            entry.progress(progress);
        }
    };
    let follow = shared.parts.processes.follow(order, bounds, &entry.cancel, progress);
    match follow.instrument(span.clone()).await? {
        report::Report::Event(v1::JobEvent { event: Some(event), .. }) => Ok(event),
        other => Err(Death::Crashed(format!("an answer to another question: {other:?}"))),
    }
}

/// The part of a job that runs, as a span that ends with the next one.
#[derive(Default)]
struct Stages(Option<(v1::Stage, Span)>);

impl Stages {
    fn enter(&mut self, process: &Span, stage: v1::Stage) {
        if self.0.as_ref().is_some_and(|(known, _)| *known == stage) {
            return;
        }
        let span = match stage {
            v1::Stage::Unspecified => return,
            v1::Stage::Staging => tracing::info_span!(parent: process, "staging"),
            v1::Stage::Matching => tracing::info_span!(parent: process, "matching"),
            v1::Stage::WritingResults => tracing::info_span!(parent: process, "writing results"),
        };
        self.0 = Some((stage, span));
    }
}

impl Shared {
    /// Leaves word of how a job ended, for those who ask when this worker has forgotten it. A result says so itself.
    pub async fn keep_outcome(&self, last: &v1::JobEvent) {
        if matches!(last.event, Some(Event::Error(_)))
            && let Err(error) = self.parts.storage.note_outcome(last).await
        {
            tracing::warn!(run_id = last.run_id, %error, "how the job ended is not kept");
        }
    }

    /// Tells everybody that the job has ended.
    pub fn end(&self, registry: &mut Registry, entry: &Arc<Entry>, input: Input, last: Event) {
        let stage = entry.stage();
        let tell = |outcome| match outcome {
            Outcome::Completed | Outcome::Failed => last,
            Outcome::Stopped(Stop::Cancelled | Stop::Superseded) => {
                Event::Error(outcome::error(&Error::Cancelled, stage))
            }
            Outcome::Stopped(Stop::ShutDown) => Event::Error(outcome::interrupted(stage)),
        };
        let Some(outcome) = entry.end(input, tell) else { return };
        match entry.status().error {
            Some(error) => tracing::info!(parent: &entry.span(), ?outcome, error = error.error, "ended"),
            None => tracing::info!(parent: &entry.span(), ?outcome, "ended"),
        }
        self.parts.metrics.ended(outcome);
        registry.remember(entry);
        self.changed.notify_waiters();
    }
}
