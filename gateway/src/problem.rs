//! What goes wrong in a gateway, as the [`Problem`] that is told. Causes of our own go to the log.

use std::fmt;

use kalla_proto::v1::{Code, Fault, Problem};
use kalla_serving::telemetry::trace;

use crate::keys::KeyError;
use crate::store::StoreError;

/// A problem on its way to whoever asked.
#[derive(Debug)]
pub struct Failure {
    pub problem: Problem,
    /// Another state than the one that was seen.
    pub outdated: bool,
}

impl Failure {
    /// A fault of ours, whose cause only the log tells.
    pub fn defect(cause: impl fmt::Display) -> Self {
        let trace_id = trace::id(&tracing::Span::current());
        tracing::error!(trace_id, %cause, "a defect of Kalla");
        let message = format!("a defect of Kalla: the gateway's log tells the cause under {trace_id}");
        let problem = Problem { trace_id, ..Problem::new(Code::Internal, Fault::Internal, false, message) };
        problem.into()
    }

    /// What was seen is no longer what is there.
    pub fn outdated(message: impl Into<String>) -> Self {
        Self { problem: Problem::refused(Code::Conflict, message), outdated: true }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, outdated: false }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Outdated => Self::outdated("it was changed at the same time: read it again, then change it"),
            StoreError::Nul => Problem::refused(Code::Invalid, "a text of the request holds a NUL character").into(),
            cause if cause.is_passing() => {
                tracing::warn!(%cause, "no database");
                Problem::later(Code::Unavailable, "the database of the gateway cannot be reached: try again later")
                    .into()
            }
            error => Self::defect(error),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::defect(error)
    }
}
