//! Time zones by their names: `Europe/Berlin`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _};
use kalla_spelling::nearest;

/// One of the IANA database. UTC offsets are none: whoever has summer time would be wrong half of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeZone(chrono_tz::Tz);

/// How often a zone has a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    Once,
    /// Clocks are set back.
    Twice,
    /// Clocks are set forward.
    Never,
}

/// Clocks were never set forward by more than a day.
const LONGEST_GAP: i64 = 25;

impl TimeZone {
    /// Microseconds since 1970 in UTC, of a local time in microseconds. Of two instants the first; a time that never occurs is what a
    /// clock shows that was not set forward.
    pub fn instant(self, local: i64) -> (i64, Occurs) {
        let Some(at) = DateTime::from_timestamp_micros(local).map(|at| at.naive_utc()) else {
            return (local, Occurs::Once);
        };
        let offset =
            |at: NaiveDateTime| self.0.offset_from_local_datetime(&at).map(|offset| offset.fix().local_minus_utc());
        let (offset, occurs) = match offset(at) {
            chrono::LocalResult::Single(offset) => (offset, Occurs::Once),
            chrono::LocalResult::Ambiguous(first, _) => (first, Occurs::Twice),
            chrono::LocalResult::None => {
                let before = (1..=LONGEST_GAP).find_map(|hours| offset(at - TimeDelta::hours(hours)).latest());
                (before.unwrap_or(0), Occurs::Never)
            }
        };
        (local - i64::from(offset) * 1_000_000, occurs)
    }
}

impl FromStr for TimeZone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim();
        name.parse().map(Self).map_err(|_| {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let hint = nearest(name, names).map_or_else(
                || "zones are called like Europe/Berlin or UTC".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            format!("`{name}` is not a time zone: {hint}")
        })
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::DateTime;

    use super::{Occurs, TimeZone};

    #[test]
    fn local_times_become_instants() {
        for (zone, local, instant, occurs) in [
            ("Europe/Berlin", "2024-07-01T12:00:00Z", "2024-07-01T10:00:00Z", Occurs::Once),
            ("Europe/Berlin", "2024-12-01T12:00:00.000001Z", "2024-12-01T11:00:00.000001Z", Occurs::Once),
            ("Europe/Berlin", "2024-10-27T01:59:59Z", "2024-10-26T23:59:59Z", Occurs::Once),
            ("Europe/Berlin", "2024-10-27T02:30:00Z", "2024-10-27T00:30:00Z", Occurs::Twice),
            ("Europe/Berlin", "2024-10-27T03:00:00Z", "2024-10-27T02:00:00Z", Occurs::Once),
            ("Europe/Berlin", "2024-03-31T02:30:00Z", "2024-03-31T01:30:00Z", Occurs::Never),
            ("Europe/Berlin", "2024-03-31T03:00:00Z", "2024-03-31T01:00:00Z", Occurs::Once),
            // The day on which the date line was moved.
            ("Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T22:00:00Z", Occurs::Never),
            ("UTC", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", Occurs::Once),
        ] {
            let micros = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
            let found = zone.parse::<TimeZone>().unwrap().instant(micros(local));
            assert_eq!(found, (micros(instant), occurs), "{local} in {zone}");
        }
    }

    #[test]
    fn zones_are_known_by_name() {
        assert_eq!(" Europe/Berlin ".parse::<TimeZone>().unwrap().to_string(), "Europe/Berlin");
        for (text, told) in [
            ("europe/berlin", "did you mean Europe/Berlin?"),
            ("Europe/Berln", "did you mean Europe/Berlin?"),
            ("+02:00", "zones are called like Europe/Berlin or UTC"),
            ("", "zones are called like Europe/Berlin or UTC"),
        ] {
            let message = text.parse::<TimeZone>().unwrap_err();
            assert!(message.ends_with(told), "{message}");
        }
    }
}
