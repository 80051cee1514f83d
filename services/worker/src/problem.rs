//! Errors as the contract's [`Problem`], and problems as the answers of gRPC.

use kalla_engine::Error;
use kalla_engine::error::{self, Class, Place};
use kalla_proto::v1::{Code, Fault, Problem, SourceLine, SourcePlace, Violation};
use kalla_serving::telemetry::trace;
use prost::Message as _;
use tonic::Status;

const LONGEST_TEXT: usize = 1000;
const LARGEST_DETAILS: usize = 3000;

/// The problem that stands for `error` on every wire.
pub fn of(error: &Error) -> Problem {
    let Class { code, fault, retryable } = error.class();
    let violations = match error {
        Error::Invalid(violations) => violations.iter().map(|v| Violation::new(&v.field, &v.message)).collect(),
        _ => Vec::new(),
    };
    let place = match error {
        Error::Data { alias, place, .. } if *place != Place::default() => Some(Box::new(SourcePlace {
            source: alias.clone(),
            line: place.line,
            column: place.column.clone(),
            around: place.around.iter().map(line).collect(),
        })),
        _ => None,
    };
    Problem { violations, place, ..Problem::new(code_of(code), fault_of(fault), retryable, error.to_string()) }
}

fn line(line: &error::Line) -> SourceLine {
    SourceLine { number: line.number, text: line.text.clone() }
}

fn code_of(code: error::Code) -> Code {
    match code {
        error::Code::Invalid => Code::Invalid,
        error::Code::NotFound => Code::NotFound,
        error::Code::Forbidden => Code::Forbidden,
        error::Code::Exhausted => Code::Exhausted,
        error::Code::Unavailable => Code::Unavailable,
        error::Code::Deadline => Code::Deadline,
        error::Code::Cancelled => Code::Cancelled,
        error::Code::Internal => Code::Internal,
    }
}

fn fault_of(fault: error::Fault) -> Fault {
    match fault {
        error::Fault::User => Fault::User,
        error::Fault::External => Fault::External,
        error::Fault::Internal => Fault::Internal,
    }
}

/// As [`of`], for an answer that leaves the process: the cause of an internal error is logged and not sent.
pub fn told(error: &Error) -> Problem {
    match error {
        Error::Internal { what, .. } => defect(&[vec![what.clone()], error.causes()].concat().join(": ")),
        error => of(error),
    }
}

/// A fault of ours, whose cause only the log tells.
pub fn defect(cause: &str) -> Problem {
    let trace_id = trace::id(&tracing::Span::current());
    tracing::error!(trace_id, cause, "a defect of Kalla");
    let message = format!("a defect of Kalla: the worker's log tells the cause under {trace_id}");
    Problem { trace_id, ..Problem::new(Code::Internal, Fault::Internal, false, message) }
}

/// A gRPC status whose details hold the encoded problem.
pub fn grpc_status(problem: &Problem) -> Status {
    let code = match problem.code() {
        Code::Invalid => tonic::Code::InvalidArgument,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::Forbidden => tonic::Code::PermissionDenied,
        Code::NotFound => tonic::Code::NotFound,
        Code::Conflict => tonic::Code::AlreadyExists,
        Code::Exhausted => tonic::Code::ResourceExhausted,
        Code::Cancelled => tonic::Code::Cancelled,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::Deadline => tonic::Code::DeadlineExceeded,
        Code::Internal | Code::Unspecified => tonic::Code::Internal,
    };
    let problem = short(problem);
    Status::with_details(code, problem.message.clone(), problem.encode_to_vec().into())
}

/// A status travels in headers, of which clients take 8 to 16 KiB: what does not fit is left out, and that is said.
fn short(problem: &Problem) -> Problem {
    let mut short = problem.clone();
    for text in std::iter::once(&mut short.message).chain(short.violations.iter_mut().map(|v| &mut v.message)) {
        if text.len() > LONGEST_TEXT {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.push('…');
        }
    }
    if short.encoded_len() > LARGEST_DETAILS
        && let Some(place) = &mut short.place
    {
        place.around.clear();
    }
    while short.encoded_len() > LARGEST_DETAILS && short.violations.pop().is_some() {}
    let left_out = problem.violations.len() - short.violations.len();
    if left_out > 0 {
        short.violations.push(Violation::new("", format!("{left_out} more are not shown")));
    }
    short
}
