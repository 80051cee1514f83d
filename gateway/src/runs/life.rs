//! The life of a run, as one function of what it does, what happens to it, and the time.
//!
//! [`apply`] decides and touches nothing: its caller saves the next state together with the event, then performs the
//! effects. What a crash cuts short between the two is repeated when the run is next looked at, because every state that
//! is not an end says when that is. When a run that waits is sent is the business of the [queue](super::queue).

use chrono::{DateTime, TimeDelta, Utc};
use kalla_proto::v1::{Code, RunState, Stage};
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::time::now;

/// A worker that has not been heard of for so long is asked what it does; one that is away is looked for so often.
const SILENCE: TimeDelta = TimeDelta::seconds(30);
/// Between two looks at a run that waits for room: there is nothing to be done about it.
const LOOK: TimeDelta = TimeDelta::minutes(5);
/// A question or a stop that was cut short is repeated after so long.
const REPEAT: TimeDelta = TimeDelta::seconds(10);
/// A run that is not sent so long after it might have been is told what it waits for.
const SOON: TimeDelta = TimeDelta::seconds(3);
/// A run whose workers end one after the other is taken on for so long, since someone asked for it last.
const INTERRUPTED: TimeDelta = TimeDelta::days(7);
/// Between tries of what fails in the gateway itself: the first pause, which doubles, and the longest.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// After so many of them a run is parked: somebody has to look into it, and it stays out of the way of others.
const TROUBLES: u32 = 5;

/// As it is stored. What an older version has not written has a value that does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub phase: Phase,
    /// The present try, counted from 1.
    pub attempt: u32,
    /// When it was made or retried. What is counted here counts from then on.
    #[serde(default = "now")]
    pub asked: DateTime<Utc>,
    /// Attempts that failed.
    #[serde(default)]
    pub failures: u32,
    /// Attempts that ended with their worker.
    #[serde(default)]
    pub interruptions: u32,
    /// How often in a row the gateway itself failed to do what the run needs.
    #[serde(default)]
    pub troubles: u32,
    /// The highest number of the attempt's events that was applied.
    pub heard: u64,
    /// Since when no worker has been reached.
    #[serde(default)]
    pub unreached: Option<DateTime<Utc>>,
    /// Someone wants it stopped.
    pub cancel: bool,
    /// From when on it may be sent, while it waits for that.
    #[serde(default)]
    pub ready: Option<DateTime<Utc>>,
    /// When a worker took it last.
    #[serde(default)]
    pub sent: Option<DateTime<Utc>>,
    /// Where its job stands in the stream of a broker.
    #[serde(default)]
    pub place: Option<u64>,
    /// When to look at it again, if nothing happens before; never, once it has ended.
    pub due: Option<DateTime<Utc>>,
    #[serde(default)]
    pub policy: Policy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It waits for a worker.
    Pending,
    /// A worker has taken it.
    Dispatched,
    Staging,
    Matching,
    Writing,
    Completed,
    Failed,
    Cancelled,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A worker has taken this attempt, or a broker has, in this place.
    Taken { attempt: u32, place: Option<u64> },
    /// The worker will never take it.
    Refused { attempt: u32 },
    /// There are workers, and no room at them yet.
    NoRoom { attempt: u32 },
    /// No worker is reached, which is waited out for so long.
    Unreached { attempt: u32, patience: TimeDelta },
    /// A worker tells of the attempt.
    Heard { attempt: u32, seq: u64, news: News },
    /// Asked, the worker still has it.
    Alive { attempt: u32 },
    /// Asked, the worker does not know it.
    Lost { attempt: u32 },
    /// The gateway itself failed to do what it needs.
    Troubled { attempt: u32 },
    /// Someone wants it stopped.
    Cancel,
    /// Someone wants it tried again.
    Retry,
    /// It is due.
    Due,
}

/// What a worker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Progress(Stage),
    Completed,
    /// It failed by such an error; whether that says of itself that it may pass.
    Failed {
        code: Code,
        retryable: bool,
    },
    /// Its worker ended before it did.
    Interrupted,
    Cancelled,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Tell the worker to stop.
    Stop,
    /// Ask the worker where it is.
    Ask,
}

impl Phase {
    pub fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// At a worker, as far as is known.
    pub fn away(self) -> bool {
        matches!(self, Self::Dispatched | Self::Staging | Self::Matching | Self::Writing)
    }
}

impl From<Phase> for RunState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Dispatched => Self::Dispatched,
            Phase::Staging => Self::Staging,
            Phase::Matching => Self::Matching,
            Phase::Writing => Self::Writing,
            Phase::Completed => Self::Completed,
            Phase::Failed => Self::Failed,
            Phase::Cancelled => Self::Cancelled,
        }
    }
}

impl Life {
    /// Of a run that was just made.
    pub fn begin(policy: Policy, now: DateTime<Utc>) -> Self {
        Self {
            phase: Phase::Pending,
            attempt: 1,
            asked: now,
            failures: 0,
            interruptions: 0,
            troubles: 0,
            heard: 0,
            unreached: None,
            cancel: false,
            ready: Some(now),
            due: Some(now + SOON),
            sent: None,
            place: None,
            policy,
        }
    }

    /// Whether anybody still waits for what a worker does in `attempt`.
    pub fn wants(&self, attempt: u32) -> bool {
        attempt >= self.attempt && !matches!(self.phase, Phase::Failed | Phase::Cancelled)
    }

    /// Whether the gateway has failed at it so often that somebody has to look into it.
    pub fn parked(&self) -> bool {
        self.troubles >= TROUBLES && !self.phase.ended()
    }

    fn end(self, phase: Phase) -> Self {
        Self { phase, ready: None, due: None, ..self }
    }

    /// As someone wants it who asks for an end: cancelled, if nobody wants it any more.
    fn given_up(self) -> Self {
        let phase = if self.cancel { Phase::Cancelled } else { Phase::Failed };
        self.end(phase)
    }

    /// Waits for its next attempt, which may be sent from `ready` on.
    fn again(self, ready: DateTime<Utc>) -> Self {
        let due = Some(ready + SOON);
        Self {
            phase: Phase::Pending,
            attempt: self.attempt.saturating_add(1),
            heard: 0,
            ready: Some(ready),
            due,
            ..self
        }
        .reached()
    }

    /// Still, and for room. One that an older version has stored does not say since when it is ready.
    fn waits(self, now: DateTime<Utc>) -> Self {
        let ready = self.ready.unwrap_or(now);
        Self { ready: Some(ready), due: Some(ready.max(now) + LOOK), unreached: None, ..self }
    }

    /// Waits no more.
    fn taken(self, now: DateTime<Utc>) -> Self {
        let sent = if self.phase == Phase::Pending { Some(now) } else { self.sent };
        Self { ready: None, sent, ..self }
    }

    /// Something works: what did not before is forgotten.
    fn reached(self) -> Self {
        Self { unreached: None, troubles: 0, ..self }
    }

    /// Until a worker is asked about it.
    fn patience(&self) -> TimeDelta {
        if self.cancel { REPEAT } else { SILENCE }
    }
}

/// What the run does next, and what has to be done. Whatever comes too late changes nothing.
pub fn apply(life: &Life, input: Input, now: DateTime<Utc>) -> (Life, Option<Effect>) {
    let same = || (life.clone(), None);
    if life.phase.ended() {
        return match input {
            Input::Retry if life.phase != Phase::Completed => (retried(life.clone(), now), None),
            _ => same(),
        };
    }
    let life = life.clone();
    match input {
        Input::Taken { attempt, place } if attempt == life.attempt && life.phase == Phase::Pending => {
            (Life { phase: Phase::Dispatched, place, due: Some(now + SILENCE), ..life.taken(now) }.reached(), None)
        }
        Input::Refused { attempt } if attempt == life.attempt && life.phase == Phase::Pending => {
            (life.end(Phase::Failed), None)
        }
        Input::NoRoom { attempt } if attempt == life.attempt && life.phase == Phase::Pending => (life.waits(now), None),
        Input::Unreached { attempt, patience } if attempt == life.attempt => (unreached(life, patience, now), None),
        Input::Heard { attempt, seq, news } => (heard(life, attempt, seq, news, now), None),
        Input::Alive { attempt } if attempt == life.attempt && life.phase.away() => {
            (Life { due: Some(now + life.patience()), ..life }.reached(), None)
        }
        Input::Lost { attempt } if attempt == life.attempt && life.phase.away() => (interrupted(life, now), None),
        Input::Troubled { attempt } if attempt == life.attempt => (troubled(life, now), None),
        // A job that is on its way all the same is told that nobody wants it, when it reports.
        Input::Cancel if life.phase == Phase::Pending => {
            (Life { cancel: true, ..life }.end(Phase::Cancelled), Some(Effect::Stop))
        }
        Input::Cancel => (Life { cancel: true, due: Some(now + REPEAT), ..life }, Some(Effect::Stop)),
        Input::Due if life.phase == Phase::Pending => (life.waits(now), None),
        Input::Due => {
            let effect = if life.cancel { Effect::Stop } else { Effect::Ask };
            (Life { due: Some(now + REPEAT), ..life }, Some(effect))
        }
        Input::Taken { .. }
        | Input::Refused { .. }
        | Input::NoRoom { .. }
        | Input::Unreached { .. }
        | Input::Alive { .. }
        | Input::Lost { .. }
        | Input::Troubled { .. }
        | Input::Retry => (life, None),
    }
}

fn heard(life: Life, attempt: u32, seq: u64, news: News, now: DateTime<Utc>) -> Life {
    // Where the broker has given it to another worker, since the one before is gone, that one counts on.
    let taken_over = attempt.saturating_sub(life.attempt);
    let late = attempt < life.attempt || (taken_over > 0 && !life.phase.away());
    if late || (taken_over == 0 && seq <= life.heard) {
        return life;
    }
    let interruptions = life.interruptions.saturating_add(taken_over);
    let life = Life { attempt, interruptions, heard: seq, ..life.taken(now) }.reached();
    match news {
        News::Progress(stage) => {
            let phase = match stage {
                Stage::Unspecified => Phase::Dispatched,
                Stage::Staging => Phase::Staging,
                Stage::Matching => Phase::Matching,
                Stage::WritingResults => Phase::Writing,
            };
            Life { phase, due: Some(now + life.patience()), ..life }
        }
        // Also when it was to be stopped: what is committed is there.
        News::Completed => life.end(Phase::Completed),
        News::Cancelled => life.end(Phase::Cancelled),
        News::Interrupted => interrupted(life, now),
        News::Failed { code, retryable } => {
            let life = Life { failures: life.failures + 1, ..life };
            match life.policy.pause(life.failures, code, retryable).filter(|_| !life.cancel) {
                Some(pause) => life.again(now + pause),
                None => life.given_up(),
            }
        }
    }
}

fn unreached(life: Life, patience: TimeDelta, now: DateTime<Utc>) -> Life {
    let since = life.unreached.unwrap_or(now);
    let life = match life.phase {
        Phase::Pending => Life { due: Some(now + SILENCE), ..life.waits(now) },
        _ => Life { due: Some(now + REPEAT), ..life },
    };
    let life = Life { unreached: Some(since), ..life };
    if now - since >= patience { life.given_up() } else { life }
}

/// That is no fault of the run, which goes on at once, unless it has gone on like this for ever.
fn interrupted(life: Life, now: DateTime<Utc>) -> Life {
    if life.cancel {
        return life.end(Phase::Cancelled);
    }
    let life = Life { interruptions: life.interruptions + 1, ..life };
    if now - life.asked >= INTERRUPTED { life.end(Phase::Failed) } else { life.again(now) }
}

fn troubled(life: Life, now: DateTime<Utc>) -> Life {
    let pause = LONGEST_PAUSE.min(FIRST_PAUSE * (1 << life.troubles.min(10)));
    let troubles = life.troubles.saturating_add(1);
    let pause = if troubles >= TROUBLES { LONGEST_PAUSE } else { pause };
    let next = Some(now + pause);
    Life { troubles, ready: life.ready.and(next), due: next, ..life }
}

fn retried(life: Life, now: DateTime<Utc>) -> Life {
    Life { attempt: life.attempt.saturating_add(1), ..Life::begin(life.policy, now) }
}

#[cfg(test)]
mod tests;
