//! Leaves an address alone that does not answer: nobody waits for what was found out a moment ago.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use kalla_proto::v1::Problem;

/// After the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// One asks, and the others wait for what it finds.
const TRIAL: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Breaker(Mutex<Option<Silence>>);

struct Silence {
    failures: u32,
    problem: Problem,
    until: Instant,
}

impl Breaker {
    /// Why it is not asked now.
    pub fn check(&self) -> Result<(), Problem> {
        let mut silence = self.silence();
        let Some(Silence { problem, until, .. }) = &mut *silence else { return Ok(()) };
        if *until > Instant::now() {
            return Err(problem.clone());
        }
        *until = Instant::now() + TRIAL;
        Ok(())
    }

    /// Whether it has not answered when it was last asked.
    pub fn is_silent(&self) -> bool {
        self.silence().is_some()
    }

    pub fn answered(&self) {
        *self.silence() = None;
    }

    pub fn silent(&self, problem: &Problem) {
        let mut silence = self.silence();
        let failures = silence.as_ref().map_or(0, |before| before.failures);
        let pause = LONGEST_PAUSE.min(FIRST_PAUSE * (1 << failures.min(5)));
        let until = Instant::now() + pause;
        *silence = Some(Silence { failures: failures.saturating_add(1), problem: problem.clone(), until });
    }

    fn silence(&self) -> MutexGuard<'_, Option<Silence>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use kalla_proto::v1::Code;

    use super::*;

    #[test]
    fn one_asks_for_all() {
        let breaker = Breaker::default();
        assert_eq!(breaker.check(), Ok(()));
        let away = Problem::later(Code::Unavailable, "away");
        breaker.silent(&away);
        assert_eq!(breaker.check(), Err(away.clone()));
        // When the pause is over, one may ask.
        breaker.silence().as_mut().unwrap_or_else(|| panic!("it is silent")).until = Instant::now();
        assert_eq!(breaker.check(), Ok(()));
        assert_eq!(breaker.check(), Err(away));
        breaker.answered();
        assert_eq!(breaker.check(), Ok(()));
    }
}
