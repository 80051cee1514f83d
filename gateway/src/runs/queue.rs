//! Whose turn it is: of the runs that wait, those that are sent to a worker next, as one function of what waits and what is
//! under way.
//!
//! Runs of a recipe go in the order of their creation, those with a higher priority first. Between recipes whose first run
//! has the same priority it is the turn of the one that has the least under way; of several, of the one that has waited
//! longest for a turn.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The runs of a recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// At workers now.
    pub away: usize,
    /// When it last was the recipe's turn.
    pub turn: Option<DateTime<Utc>>,
    /// In the order in which they go.
    pub waiting: Vec<Waiting>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub run_id: Uuid,
    pub priority: i32,
    /// Runs of the recipe that may be under way at the same time. 0: as many as there is room for.
    pub concurrency: usize,
    pub created: DateTime<Utc>,
}

/// The runs that are sent now, in their order: `room` at most.
pub fn next(mut lines: Vec<Line>, room: usize) -> Vec<Uuid> {
    let mut chosen = Vec::new();
    while chosen.len() < room {
        let ready = lines.iter_mut().filter(|line| line.may_go());
        // Whoever was chosen a moment ago had its turn later than whoever was not.
        let Some(line) = ready.min_by_key(|line| line.place()) else { break };
        let first = line.waiting.remove(0);
        line.away += 1;
        line.turn = Some(DateTime::<Utc>::MAX_UTC);
        chosen.push(first.run_id);
    }
    chosen
}

impl Line {
    fn may_go(&self) -> bool {
        self.waiting.first().is_some_and(|first| first.concurrency == 0 || self.away < first.concurrency)
    }

    /// Where the line stands among the others: the least goes first.
    fn place(&self) -> impl Ord + use<> {
        let first = self.waiting.first();
        (
            std::cmp::Reverse(first.map(|first| first.priority)),
            self.away,
            self.turn,
            first.map(|first| (first.created, first.run_id)),
        )
    }
}

#[cfg(test)]
mod tests;
