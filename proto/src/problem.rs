//! Problems that are made in one way wherever they are made.

use crate::json::FieldError;
use crate::v1::{Code, Fault, Problem, Violation};

impl Problem {
    /// The media type of a problem as the body of an HTTP answer (RFC 9457).
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    pub fn new(code: Code, fault: Fault, retryable: bool, message: impl Into<String>) -> Self {
        Self { code: code.into(), fault: fault.into(), retryable, message: message.into(), ..Self::default() }
    }

    /// An error of the caller that time does not mend.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Fault::User, false, message)
    }

    /// The same request may succeed later.
    pub fn later(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Fault::External, true, message)
    }

    /// Everything that is wrong with a request, at once.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let line = |v: &Violation| {
            if v.field.is_empty() { v.message.clone() } else { format!("{}: {}", v.field, v.message) }
        };
        let message = violations.iter().map(line).collect::<Vec<_>>().join("\n");
        Self { violations, ..Self::refused(Code::Invalid, message) }
    }

    /// A text that is not the message that it should be.
    pub fn unreadable(errors: &[FieldError]) -> Self {
        Self::invalid(errors.iter().map(|e| Violation::new(&e.path, &e.message)).collect())
    }

    /// The status line of an HTTP answer.
    pub fn http_status(&self) -> u16 {
        match self.code() {
            Code::Invalid => 400,
            Code::Unauthenticated => 401,
            Code::Forbidden => 403,
            Code::NotFound => 404,
            Code::Conflict => 409,
            Code::Exhausted => 429,
            Code::Cancelled => 499,
            Code::Unavailable => 503,
            Code::Deadline => 504,
            Code::Internal | Code::Unspecified => 500,
        }
    }
}

impl Violation {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
