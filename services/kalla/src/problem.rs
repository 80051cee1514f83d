//! What went wrong, and what to try next.

use kalla_engine::Error;
use kalla_proto::v1::{Code, Problem};

pub use kalla_worker::problem::of;

/// Arguments that cannot be understood.
pub fn usage(message: &str) -> Problem {
    Problem::refused(Code::Invalid, message)
}

/// What the user of the command line can do about `error`, where that is not in its text.
pub fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Data { place, .. } if place.line.is_some() => Some(
            "`--max-rejects N` sets such rows aside, with line and reason, and goes on; `kalla inspect` shows how the file is read",
        ),
        Error::TooManyMatches { .. } => Some("`--show-sql` prints the join; `--max-matches N` raises the cap"),
        Error::OutOfMemory { .. } => Some("`--memory SIZE` raises the limit"),
        Error::TimedOut(_) => Some("`--timeout TIME` raises the limit"),
        Error::Output { .. } => Some("`--out DIR` and `--spill-dir DIR` choose other places"),
        Error::Internal { .. } => Some("this is a defect of Kalla: please report it with the command and this message"),
        Error::Invalid(_)
        | Error::Data { .. }
        | Error::NotFound { .. }
        | Error::Missing(_)
        | Error::Denied { .. }
        | Error::Unavailable { .. }
        | Error::Sql(_)
        | Error::Cancelled => None,
    }
}
