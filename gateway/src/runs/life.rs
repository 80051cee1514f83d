//! The life of a run, as one function of what it does, what happens to it, and the time.
//!
//! [`apply`] decides and touches nothing: its caller saves the next state together with the event, then performs the
//! effects. What a crash cuts short between the two is repeated when the run is next looked at, because every state that
//! is not an end says when that is.

use chrono::{DateTime, TimeDelta, Utc};
use kalla_proto::v1::{RunState, Stage};
use serde::{Deserialize, Serialize};

/// A worker that has not been heard of for so long is asked what it does.
const SILENCE: TimeDelta = TimeDelta::seconds(30);
/// A dispatch or a stop that was cut short is repeated after so long.
const REPEAT: TimeDelta = TimeDelta::seconds(10);
/// Between tries to reach a worker: the first pause, which doubles, and the longest.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);
/// After so many tries in a row, some three hours, no worker is waited for any more.
const TRIES: u32 = 360;
/// A run is attempted so often before it fails, counted anew when someone retries it.
const ATTEMPTS: u32 = 3;
/// Until the next attempt, when the worker said that it may succeed.
const BREATH: TimeDelta = TimeDelta::seconds(5);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub phase: Phase,
    /// The present try, counted from 1.
    pub attempt: u32,
    /// No attempt after this one is made without being asked for.
    pub last_attempt: u32,
    /// The highest number of the attempt's events that was applied.
    pub heard: u64,
    /// How often in a row no worker was reached.
    pub tries: u32,
    /// Someone wants it stopped.
    pub cancel: bool,
    /// When to look at it again, if nothing happens before; never, once it has ended.
    pub due: Option<DateTime<Utc>>,
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
    /// The worker has taken this attempt.
    Taken { attempt: u32 },
    /// The worker will never take it.
    Refused { attempt: u32 },
    /// No worker was reached, or it has no room.
    Unreached { attempt: u32 },
    /// A worker tells of the attempt.
    Heard { attempt: u32, seq: u64, news: News },
    /// Asked, the worker still has it.
    Alive { attempt: u32 },
    /// Asked, the worker does not know it.
    Lost { attempt: u32 },
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
    /// It failed; whether the same may succeed later.
    Failed {
        retryable: bool,
    },
    Cancelled,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the attempt to a worker.
    Dispatch,
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
    fn away(self) -> bool {
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
    /// Of a run that was just made, and what to do about it once it is saved.
    pub fn begin(now: DateTime<Utc>) -> (Self, Effect) {
        let life = Self {
            phase: Phase::Pending,
            attempt: 1,
            last_attempt: ATTEMPTS,
            heard: 0,
            tries: 0,
            cancel: false,
            due: Some(now + REPEAT),
        };
        (life, Effect::Dispatch)
    }

    /// Whether anybody still waits for what a worker does in `attempt`.
    pub fn wants(&self, attempt: u32) -> bool {
        attempt >= self.attempt && !matches!(self.phase, Phase::Failed | Phase::Cancelled)
    }

    fn end(self, phase: Phase) -> Self {
        Self { phase, due: None, ..self }
    }

    /// Another attempt, where there may be one; it begins after `pause`.
    fn again(self, now: DateTime<Utc>, pause: TimeDelta) -> Option<Self> {
        let next = Self { phase: Phase::Pending, attempt: self.attempt + 1, heard: 0, tries: 0, ..self };
        (next.attempt <= next.last_attempt).then_some(Self { due: Some(now + pause), ..next })
    }

    /// How long to wait after so many tries that reached nobody.
    fn pause(tries: u32) -> TimeDelta {
        LONGEST_PAUSE.min(FIRST_PAUSE * (1 << tries.min(5)))
    }
}

/// What the run does next, and what has to be done. Whatever comes too late changes nothing.
pub fn apply(life: &Life, input: Input, now: DateTime<Utc>) -> (Life, Option<Effect>) {
    let same = || (life.clone(), None);
    if life.phase.ended() {
        return match input {
            Input::Retry if life.phase != Phase::Completed => retried(life.clone(), now),
            _ => same(),
        };
    }
    let life = life.clone();
    match input {
        Input::Taken { attempt } if attempt == life.attempt && life.phase == Phase::Pending => {
            (Life { phase: Phase::Dispatched, tries: 0, due: Some(now + SILENCE), ..life }, None)
        }
        Input::Refused { attempt } if attempt == life.attempt && life.phase == Phase::Pending => {
            (life.end(Phase::Failed), None)
        }
        Input::Unreached { attempt } if attempt == life.attempt => (unreached(life, now), None),
        Input::Heard { attempt, seq, news } => heard(life, attempt, seq, news, now),
        Input::Alive { attempt } if attempt == life.attempt && life.phase.away() => {
            let due = now + if life.cancel { REPEAT } else { SILENCE };
            (Life { tries: 0, due: Some(due), ..life }, None)
        }
        Input::Lost { attempt } if attempt == life.attempt && life.phase.away() => lost(life, now),
        // A job that is on its way all the same is told that nobody wants it, when it reports.
        Input::Cancel if life.phase == Phase::Pending => {
            (Life { cancel: true, ..life }.end(Phase::Cancelled), Some(Effect::Stop))
        }
        Input::Cancel => (Life { cancel: true, due: Some(now + REPEAT), ..life }, Some(Effect::Stop)),
        Input::Due if life.phase == Phase::Pending => {
            (Life { due: Some(now + REPEAT), ..life }, Some(Effect::Dispatch))
        }
        Input::Due if life.cancel => (Life { due: Some(now + REPEAT), ..life }, Some(Effect::Stop)),
        Input::Due => (Life { due: Some(now + REPEAT), ..life }, Some(Effect::Ask)),
        Input::Taken { .. }
        | Input::Refused { .. }
        | Input::Unreached { .. }
        | Input::Alive { .. }
        | Input::Lost { .. }
        | Input::Retry => (life, None),
    }
}

fn heard(life: Life, attempt: u32, seq: u64, news: News, now: DateTime<Utc>) -> (Life, Option<Effect>) {
    if attempt != life.attempt || seq <= life.heard {
        return (life, None);
    }
    let life = Life { heard: seq, tries: 0, ..life };
    match news {
        News::Progress(stage) => {
            let phase = match stage {
                Stage::Unspecified => Phase::Dispatched,
                Stage::Staging => Phase::Staging,
                Stage::Matching => Phase::Matching,
                Stage::WritingResults => Phase::Writing,
            };
            let due = now + if life.cancel { REPEAT } else { SILENCE };
            (Life { phase, due: Some(due), ..life }, None)
        }
        // Also when it was to be stopped: what is committed is there.
        News::Completed => (life.end(Phase::Completed), None),
        News::Cancelled => (life.end(Phase::Cancelled), None),
        News::Failed { retryable: true } if !life.cancel => {
            let next = life.clone().again(now, BREATH);
            (next.unwrap_or_else(|| life.end(Phase::Failed)), None)
        }
        News::Failed { .. } => {
            let phase = if life.cancel { Phase::Cancelled } else { Phase::Failed };
            (life.end(phase), None)
        }
    }
}

fn unreached(life: Life, now: DateTime<Utc>) -> Life {
    let tries = life.tries + 1;
    if tries >= TRIES {
        let phase = if life.cancel { Phase::Cancelled } else { Phase::Failed };
        return Life { tries, ..life }.end(phase);
    }
    Life { tries, due: Some(now + Life::pause(life.tries)), ..life }
}

fn lost(life: Life, now: DateTime<Utc>) -> (Life, Option<Effect>) {
    if life.cancel {
        return (life.end(Phase::Cancelled), None);
    }
    match life.clone().again(now, REPEAT) {
        Some(next) => (next, Some(Effect::Dispatch)),
        None => (life.end(Phase::Failed), None),
    }
}

fn retried(life: Life, now: DateTime<Utc>) -> (Life, Option<Effect>) {
    let attempt = life.attempt + 1;
    let next = Life {
        phase: Phase::Pending,
        attempt,
        last_attempt: attempt + ATTEMPTS - 1,
        heard: 0,
        tries: 0,
        cancel: false,
        due: Some(now + REPEAT),
    };
    (next, Some(Effect::Dispatch))
}

#[cfg(test)]
mod tests;
