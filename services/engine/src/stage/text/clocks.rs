//! Local times that their zone has twice or never, because its clocks are changed.

use super::findings::shown;
use super::values;
use crate::time_zone::{Occurs, TimeZone};

/// How many there are in a column, and the first of each kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClockChanges {
    twice: Doubtful,
    never: Doubtful,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Doubtful {
    count: u64,
    /// Line and value.
    first: Option<(u64, String)>,
}

impl ClockChanges {
    pub fn see(&mut self, zone: TimeZone, value: &[u8], line: impl FnOnce() -> u64) {
        let Some(local) = values::local_time(value) else { return };
        let doubtful = match zone.instant(local).1 {
            Occurs::Once => return,
            Occurs::Twice => &mut self.twice,
            Occurs::Never => &mut self.never,
        };
        doubtful.count += 1;
        doubtful.first.get_or_insert_with(|| (line(), shown(value)));
    }

    pub fn merge(&mut self, other: Self) {
        for (mine, theirs) in [(&mut self.twice, other.twice), (&mut self.never, other.never)] {
            mine.count += theirs.count;
            mine.first = [mine.first.take(), theirs.first].into_iter().flatten().min();
        }
    }

    /// What was made of them; `None` where there are none.
    pub fn note(&self, zone: TimeZone) -> Option<String> {
        let told = [
            self.twice.told("in an hour that occurs twice, taken as its first"),
            self.never.told("in one that never occurs, taken as if the clocks had not been set forward yet"),
        ];
        let told: Vec<_> = told.into_iter().flatten().collect();
        (!told.is_empty()).then(|| format!("read in {zone}, where clocks change: {}", told.join(", and ")))
    }
}

impl Doubtful {
    fn told(&self, what: &str) -> Option<String> {
        let (line, value) = self.first.as_ref()?;
        Some(format!("{} {what} (`{value}` in line {line})", self.count))
    }
}
