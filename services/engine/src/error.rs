//! Everything that can go wrong, told so that the reader knows what to change.

use std::fmt;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error comes from.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failed job. The `Display` text is one sentence for the person who runs it and never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job cannot be run as it is written; all that is wrong with it, at once.
    #[error("{}", list(.0))]
    Invalid(Vec<Violation>),
    /// The data of a source is not what it should be.
    #[error("source `{alias}`: {place}{reason}")]
    Data { alias: String, place: Place, reason: String },
    /// No such file, object, database or table.
    #[error("source `{alias}`: {what}")]
    NotFound { alias: String, what: String },
    /// The source refuses us: credentials or permissions.
    #[error("source `{alias}`: {what}")]
    Denied { alias: String, what: String },
    /// The source cannot be reached now; the same job may succeed later.
    #[error("source `{alias}`: {what}")]
    Unavailable { alias: String, what: String },
    /// `match_sql` failed while it ran (a cast, a division by zero).
    #[error("match_sql: {0}")]
    Sql(String),
    #[error("match_sql gives more than {limit} rows: join on a key, or raise the cap on matched rows")]
    TooManyMatches { limit: u64 },
    #[error("the job needs more than its memory limit of {limit} bytes even with spilling: {what}")]
    OutOfMemory { limit: u64, what: String },
    #[error("the job did not end within its time limit of {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("cancelled")]
    Cancelled,
    /// There are no such results, or not any more.
    #[error("{0}")]
    Missing(String),
    /// The results cannot be written, or read back.
    #[error("output {path}: {reason}")]
    Output { path: String, reason: String },
    /// A promise of the engine did not hold: a bug of ours. What it comes from is for a log, not for its text.
    #[error("internal error: {what}")]
    Internal { what: String, source: Option<Cause> },
}

/// What kind of error it is: the closed vocabulary of every wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Invalid,
    NotFound,
    Forbidden,
    Exhausted,
    Unavailable,
    Deadline,
    Cancelled,
    Internal,
}

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    User,
    /// A source, a store, or the machine.
    External,
    Internal,
}

/// An error as programs see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    pub code: Code,
    pub fault: Fault,
    /// Whether the same job may succeed later.
    pub retryable: bool,
}

impl Error {
    /// A promise of ours did not hold.
    pub fn defect(what: impl Into<String>) -> Self {
        Self::Internal { what: what.into(), source: None }
    }

    /// As [`Self::defect`], told by something else that failed.
    pub fn defect_of(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Internal { what: what.into(), source: Some(cause.into()) }
    }

    /// What it comes from, the nearest first: for a log, never for an answer.
    pub fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(self);
        std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
    }

    pub fn class(&self) -> Class {
        let (code, fault, retryable) = match self {
            Self::Invalid(_) | Self::Data { .. } | Self::Sql(_) => (Code::Invalid, Fault::User, false),
            Self::NotFound { .. } | Self::Missing(_) => (Code::NotFound, Fault::User, false),
            Self::Denied { .. } => (Code::Forbidden, Fault::User, false),
            Self::Output { reason, .. } if is_full(reason) => (Code::Exhausted, Fault::External, true),
            Self::Unavailable { .. } | Self::Output { .. } => (Code::Unavailable, Fault::External, true),
            Self::TooManyMatches { .. } | Self::OutOfMemory { .. } => (Code::Exhausted, Fault::User, false),
            Self::TimedOut(_) => (Code::Deadline, Fault::User, false),
            Self::Cancelled => (Code::Cancelled, Fault::User, false),
            Self::Internal { .. } => (Code::Internal, Fault::Internal, false),
        };
        Class { code, fault, retryable }
    }
}

/// One thing that is wrong with a job, and where: `sources[1].uri`, `match_sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub message: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Whether a disk has no room left: time mends that, and not soon.
fn is_full(reason: &str) -> bool {
    reason.contains("os error 28") || reason.contains("No space left on device")
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("\n")
}

/// Where in a source: each part only when it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// 1-based line of the file.
    pub line: Option<u64>,
    pub column: Option<String>,
    /// The line with those before and after it, where they can be had.
    pub around: Vec<Line>,
}

/// A line of a file, as it stands there; of a long one the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub number: u64,
    pub text: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        Ok(())
    }
}
