//! How the runs of a recipe wait for their turn, and how often they are tried.

use chrono::TimeDelta;
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Code, RunPolicy, Violation};
use serde::{Deserialize, Serialize};

/// Failures after which a run has failed.
const ATTEMPTS: u32 = 3;
const MOST_ATTEMPTS: u32 = 20;
/// Until a job that failed is tried again the first time.
const PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The same where it wanted more memory or disk than there was: what others hold is not given back at once.
const PAUSE_FOR_ROOM: TimeDelta = TimeDelta::seconds(60);
/// Pauses double until they are as long.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// The longest that someone may ask for.
const DAY: u32 = 24 * 3600;
const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;

/// As it is kept with a run: a later version of its recipe changes nothing about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Those with a higher one go first.
    pub priority: i32,
    /// Runs of the recipe that are under way at the same time, at most. 0: as many as there is room for.
    pub concurrency: u32,
    attempts: u32,
    pause_seconds: u32,
    /// Numbers of codes.
    retry_on: Vec<i32>,
}

impl Policy {
    /// `priority`: in place of the recipe's.
    pub fn new(policy: Option<&RunPolicy>, priority: Option<i32>) -> Self {
        let RunPolicy { priority: usual, concurrency, attempts, pause_seconds, retry_on } =
            policy.cloned().unwrap_or_default();
        Self { priority: priority.unwrap_or(usual), concurrency, attempts, pause_seconds, retry_on }
    }

    /// How long to wait after so many failures, of which the last was this one; `None`: it was one too many.
    pub fn pause(&self, failures: u32, code: Code, retryable: bool) -> Option<TimeDelta> {
        let attempts = if self.attempts == 0 { ATTEMPTS } else { self.attempts };
        let passes = if self.retry_on.is_empty() { retryable } else { self.retry_on.contains(&code.into()) };
        if !passes || failures >= attempts {
            return None;
        }
        let first = match self.pause_seconds {
            0 if code == Code::Exhausted => PAUSE_FOR_ROOM,
            0 => PAUSE,
            seconds => TimeDelta::seconds(seconds.into()),
        };
        let doubled = first * (1 << failures.saturating_sub(1).min(10));
        Some(doubled.min(LONGEST_PAUSE.max(first)))
    }
}

/// What is wrong with a policy.
pub fn check(policy: &RunPolicy) -> Vec<Violation> {
    let mut wrong: Vec<Violation> = wrong_priority(policy.priority).into_iter().collect();
    let mut tell = |field: &str, message: String| wrong.push(Violation::new(field, message));
    if policy.attempts > MOST_ATTEMPTS {
        tell("attempts", format!("{} are more than {MOST_ATTEMPTS}", policy.attempts));
    }
    if policy.pause_seconds > DAY {
        tell("pause_seconds", format!("{} are more than a day, {DAY}", policy.pause_seconds));
    }
    for (index, code) in policy.retry_on.iter().enumerate() {
        let known = Code::try_from(*code).unwrap_or_default();
        if matches!(known, Code::Unspecified | Code::Cancelled) {
            let word = known.word();
            tell(&format!("retry_on[{index}]"), format!("`{word}` is no error after which a run could be tried again"));
        }
    }
    wrong
}

pub fn wrong_priority(priority: i32) -> Option<Violation> {
    let (least, most) = (PRIORITIES.start(), PRIORITIES.end());
    let message = || format!("{priority} is not from {least} to {most}");
    (!PRIORITIES.contains(&priority)).then(|| Violation::new("priority", message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: RunPolicy, code: Code, retryable: bool) -> Vec<i64> {
        let policy = Policy::new(Some(&policy), None);
        (1..).map_while(|failures| policy.pause(failures, code, retryable)).map(|pause| pause.num_seconds()).collect()
    }

    #[test]
    fn pauses_double_and_end() {
        let usual = RunPolicy::default();
        let often = RunPolicy { attempts: 10, ..usual.clone() };
        assert_eq!(pauses(usual.clone(), Code::Unavailable, true), [5, 10]);
        assert_eq!(pauses(usual.clone(), Code::Exhausted, true), [60, 120]);
        assert_eq!(pauses(usual, Code::Invalid, false), [0; 0]);
        assert_eq!(pauses(often.clone(), Code::Unavailable, true), [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(pauses(RunPolicy { pause_seconds: 3600, ..often.clone() }, Code::Deadline, true), [3600; 9]);
        assert_eq!(pauses(RunPolicy { attempts: 1, ..often.clone() }, Code::Unavailable, true), [0; 0]);
        // Codes that are named are tried again whatever they say of themselves, and others are not.
        let named = RunPolicy { retry_on: vec![Code::NotFound.into()], attempts: 2, ..often };
        assert_eq!(pauses(named.clone(), Code::NotFound, false), [5]);
        assert_eq!(pauses(named, Code::Unavailable, true), [0; 0]);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert_eq!(check(&RunPolicy::default()), []);
        let wrong = RunPolicy {
            priority: 101,
            attempts: 21,
            pause_seconds: DAY + 1,
            retry_on: vec![Code::Unavailable.into(), Code::Cancelled.into(), 99],
            ..RunPolicy::default()
        };
        let fields: Vec<String> = check(&wrong).into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["priority", "attempts", "pause_seconds", "retry_on[1]", "retry_on[2]"]);
    }
}
