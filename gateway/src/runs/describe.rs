//! What people are told of a run: its resource and its events, as its life goes on.

use chrono::{DateTime, Utc};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Code, Complete, Error, Problem, Progress, Run, RunEvent};

use super::life::{Life, News, Phase};
use super::stage;
use crate::time::timestamp;

/// Who changes a run.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Person(&'a str),
    Gateway,
    /// What it calls itself, if it has said so.
    Worker(&'a str),
}

/// What comes with an input.
#[allow(clippy::large_enum_variant, reason = "a fact is made once, and taken apart at once")]
#[derive(Debug, Clone)]
pub enum Fact {
    None,
    Progress(Progress),
    Complete(Complete),
    Error(Error),
    /// It is made anew: what was said of the attempt before is over.
    Begun,
}

/// The run after `before` became `after`, by what `fact` says.
pub fn next(run: &Run, before: &Life, after: &Life, fact: &Fact, by: By<'_>, now: DateTime<Utc>) -> Run {
    let mut next = run.clone();
    next.set_state(after.phase.into());
    next.attempt = after.attempt;
    next.cancel_requested = after.cancel;
    (next.failures, next.interruptions) = (after.failures, after.interruptions);
    if after != before {
        let later = after.ready.filter(|ready| *ready > now && after.failures > 0);
        next.next_attempt = later.map(timestamp);
    }
    if before.unreached.is_some() && after.unreached.is_none() && after.phase == Phase::Pending {
        next.error = None;
    }
    if after.attempt != before.attempt {
        (next.started, next.ended, next.progress) = (None, None, None);
        next.worker.clear();
    }
    if let By::Worker(name) = by
        && !name.is_empty()
        && after != before
        && after.phase != Phase::Pending
    {
        name.clone_into(&mut next.worker);
    }
    let begins = (before.phase == Phase::Pending || after.attempt != before.attempt)
        && !matches!(after.phase, Phase::Pending | Phase::Failed | Phase::Cancelled);
    if begins {
        next.started = Some(timestamp(now));
        next.error = None;
    }
    if after.phase.ended() && !before.phase.ended() {
        next.ended = Some(timestamp(now));
    }
    match fact {
        // Late news, or news of another attempt, change nothing.
        Fact::Progress(_) | Fact::Complete(_) if after == before => {}
        Fact::Progress(progress) if after.phase.away() => {
            next.progress = Some(progress.clone());
            next.error = None;
        }
        Fact::Complete(complete) if after.phase == Phase::Completed => {
            next.complete = Some(complete.clone());
            (next.progress, next.error) = (None, None);
        }
        Fact::Error(error) if after != before => next.error = Some(error.clone()),
        Fact::Begun => next.error = None,
        Fact::None | Fact::Progress(_) | Fact::Complete(_) | Fact::Error(_) => {}
    }
    next
}

/// The event that says how `run` has become what it is.
pub fn event(run: &Run, fact: &Fact, by: By<'_>, now: DateTime<Utc>) -> RunEvent {
    let (actor, worker) = match by {
        By::Person(name) => (name, ""),
        By::Gateway => ("gateway", ""),
        By::Worker(name) => ("worker", name),
    };
    let mut event = RunEvent {
        seq: run.version,
        time: Some(timestamp(now)),
        actor: actor.to_owned(),
        worker: worker.to_owned(),
        state: run.state,
        attempt: run.attempt,
        cancel_requested: run.cancel_requested,
        ..RunEvent::default()
    };
    match fact {
        Fact::Progress(progress) => event.progress = Some(progress.clone()),
        Fact::Complete(complete) => event.complete = Some(complete.clone()),
        Fact::Error(error) => event.error = Some(error.clone()),
        Fact::None | Fact::Begun => {}
    }
    event
}

/// What an error of a worker means for the run.
pub fn failure(error: &Error) -> News {
    match &error.problem {
        _ if error.interrupted => News::Interrupted,
        Some(problem) if problem.code() == Code::Cancelled => News::Cancelled,
        Some(problem) => News::Failed { code: problem.code(), retryable: problem.retryable },
        None => News::Failed { code: Code::Unspecified, retryable: false },
    }
}

/// A problem that the gateway met with a run.
pub fn met(run: &Run, problem: Problem) -> Fact {
    Fact::Error(Error {
        error: problem.message.clone(),
        stage: stage(run).into(),
        problem: Some(problem),
        warning: None,
        interrupted: false,
    })
}

pub fn log(run: &Run, life: &Life) {
    let (run_id, attempt, state) = (&run.run_id, run.attempt, run.state().word());
    let error = run.error.as_ref().map(|error| error.error.as_str());
    if life.phase.ended() {
        tracing::info!(run_id, attempt, state, error, "ended");
    } else {
        tracing::debug!(run_id, attempt, state, error, "changed");
    }
}
