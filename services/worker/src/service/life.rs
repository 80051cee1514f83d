//! The life of a job, as one function of what it does and what happens to it.

use kalla_proto::v1::JobState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Running,
    /// It runs and is to end before it is done.
    Stopping(Stop),
    Ended(Outcome),
}

/// Why a job is to end before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    /// A later attempt takes its place.
    Superseded,
    /// The worker ends.
    ShutDown,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Failed,
    Stopped(Stop),
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// There is room for it.
    Turn,
    Stop(Stop),
    Completed,
    /// It found its own end.
    Failed,
    /// Its process ended without saying so, or because it was told to.
    Gone,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Start,
    Interrupt,
    /// The last word on the job.
    Tell(Outcome),
}

/// What the job does next, and what has to be done. Whatever comes too late changes nothing.
pub fn apply(state: State, input: Input) -> (State, Option<Effect>) {
    let ended = |outcome| (State::Ended(outcome), Some(Effect::Tell(outcome)));
    match (state, input) {
        (State::Queued, Input::Turn) => (State::Running, Some(Effect::Start)),
        (State::Queued, Input::Stop(why)) => ended(Outcome::Stopped(why)),
        (State::Running, Input::Stop(why)) => (State::Stopping(why), Some(Effect::Interrupt)),
        // A result that is committed is there, whoever wanted it stopped.
        (State::Running | State::Stopping(_), Input::Completed) => ended(Outcome::Completed),
        (State::Running | State::Stopping(_), Input::Failed) | (State::Running, Input::Gone) => ended(Outcome::Failed),
        (State::Stopping(why), Input::Gone) => ended(Outcome::Stopped(why)),
        (State::Queued, Input::Completed | Input::Failed | Input::Gone)
        | (State::Running | State::Stopping(_), Input::Turn)
        | (State::Stopping(_), Input::Stop(_))
        | (State::Ended(_), _) => (state, None),
    }
}

/// The word for it on every wire.
impl From<State> for JobState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running | State::Stopping(_) => Self::Running,
            State::Ended(Outcome::Completed) => Self::Completed,
            State::Ended(Outcome::Failed | Outcome::Stopped(Stop::ShutDown)) => Self::Failed,
            State::Ended(Outcome::Stopped(Stop::Cancelled | Stop::Superseded)) => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOPS: [Stop; 3] = [Stop::Cancelled, Stop::Superseded, Stop::ShutDown];

    fn spell(state: State) -> String {
        match state {
            State::Queued => "queued".to_owned(),
            State::Running => "running".to_owned(),
            State::Stopping(why) => format!("stopping {why:?}"),
            State::Ended(Outcome::Stopped(why)) => format!("ended {why:?}"),
            State::Ended(outcome) => format!("ended {outcome:?}"),
        }
    }

    /// Every state against every input; what is not in the table changes nothing.
    #[test]
    fn the_whole_life() {
        let table = "\
queued + Turn -> running, Start
queued + Stop(Cancelled) -> ended Cancelled, Tell(Stopped(Cancelled))
queued + Stop(Superseded) -> ended Superseded, Tell(Stopped(Superseded))
queued + Stop(ShutDown) -> ended ShutDown, Tell(Stopped(ShutDown))
running + Stop(Cancelled) -> stopping Cancelled, Interrupt
running + Stop(Superseded) -> stopping Superseded, Interrupt
running + Stop(ShutDown) -> stopping ShutDown, Interrupt
running + Completed -> ended Completed, Tell(Completed)
running + Failed -> ended Failed, Tell(Failed)
running + Gone -> ended Failed, Tell(Failed)
stopping Cancelled + Completed -> ended Completed, Tell(Completed)
stopping Cancelled + Failed -> ended Failed, Tell(Failed)
stopping Cancelled + Gone -> ended Cancelled, Tell(Stopped(Cancelled))
stopping Superseded + Completed -> ended Completed, Tell(Completed)
stopping Superseded + Failed -> ended Failed, Tell(Failed)
stopping Superseded + Gone -> ended Superseded, Tell(Stopped(Superseded))
stopping ShutDown + Completed -> ended Completed, Tell(Completed)
stopping ShutDown + Failed -> ended Failed, Tell(Failed)
stopping ShutDown + Gone -> ended ShutDown, Tell(Stopped(ShutDown))
";
        let outcomes = [Outcome::Completed, Outcome::Failed].into_iter().chain(STOPS.map(Outcome::Stopped));
        let states = [State::Queued, State::Running].into_iter().chain(STOPS.map(State::Stopping));
        let inputs: Vec<Input> = [Input::Turn]
            .into_iter()
            .chain(STOPS.map(Input::Stop))
            .chain([Input::Completed, Input::Failed, Input::Gone])
            .collect();
        let mut found = String::new();
        for state in states.chain(outcomes.map(State::Ended)) {
            for input in &inputs {
                match apply(state, *input) {
                    (next, Some(effect)) => {
                        found += &format!("{} + {input:?} -> {}, {effect:?}\n", spell(state), spell(next));
                    }
                    (next, None) => assert_eq!(next, state, "{input:?}"),
                }
            }
        }
        assert_eq!(found, table, "{found}");
    }
}
