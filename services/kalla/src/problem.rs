//! Errors of the engine as the contract's [`Problem`], and what to try next.

use kalla_engine::Error;
use kalla_proto::v1::{Code, Fault, Problem, Violation};

/// The problem that stands for `error` on every wire.
pub fn of(error: &Error) -> Problem {
    let (code, fault, retryable) = match error {
        Error::Invalid(_) | Error::Data { .. } | Error::Sql(_) => (Code::Invalid, Fault::User, false),
        Error::NotFound { .. } => (Code::NotFound, Fault::User, false),
        Error::Denied { .. } => (Code::Forbidden, Fault::User, false),
        Error::Unavailable { .. } => (Code::Unavailable, Fault::External, true),
        Error::TooManyMatches { .. } | Error::OutOfMemory { .. } => (Code::Exhausted, Fault::User, false),
        Error::TimedOut(_) => (Code::Deadline, Fault::User, false),
        Error::Cancelled => (Code::Cancelled, Fault::User, false),
        Error::Output { .. } => (Code::Unavailable, Fault::External, true),
        Error::Internal(_) => (Code::Internal, Fault::Internal, false),
    };
    let violations = match error {
        Error::Invalid(violations) => {
            violations.iter().map(|v| Violation { field: v.field.clone(), message: v.message.clone() }).collect()
        }
        _ => Vec::new(),
    };
    problem(code, fault, retryable, error.to_string(), violations)
}

/// Arguments that cannot be understood.
pub fn usage(message: &str) -> Problem {
    problem(Code::Invalid, Fault::User, false, message.to_owned(), Vec::new())
}

fn problem(code: Code, fault: Fault, retryable: bool, message: String, violations: Vec<Violation>) -> Problem {
    Problem { code: code.into(), message, violations, trace_id: String::new(), retryable, fault: fault.into() }
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
        Error::Output { .. } => Some("`--out DIR` chooses another place"),
        Error::Internal(_) => Some("this is a defect of Kalla: please report it with the command and this message"),
        Error::Invalid(_)
        | Error::Data { .. }
        | Error::NotFound { .. }
        | Error::Denied { .. }
        | Error::Unavailable { .. }
        | Error::Sql(_)
        | Error::Cancelled => None,
    }
}
