//! A trace across processes: whoever goes on with what another one began takes up its trace, as the header `traceparent` of W3C names it.

use axum::http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub const TRACEPARENT: &str = "traceparent";

/// Makes a span part of the trace that `traceparent` names. What names none changes nothing.
pub fn go_on(span: &Span, traceparent: &str) {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &One(traceparent));
    if context.span().span_context().is_valid() {
        // A span that nobody collects is in no trace.
        let _ = span.set_parent(context);
    }
}

/// The same, of a request.
pub fn go_on_with(span: &Span, headers: &HeaderMap) {
    if let Some(text) = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()) {
        go_on(span, text);
    }
}

/// What whoever goes on with this span is told. Empty: it is in no trace.
pub fn traceparent(span: &Span) -> String {
    let mut told = Told::default();
    TraceContextPropagator::new().inject_context(&span.context(), &mut told);
    told.0
}

/// The same, as the value of a header.
pub fn header(span: &Span) -> Option<HeaderValue> {
    HeaderValue::from_str(&traceparent(span)).ok().filter(|value| !value.is_empty())
}

/// The id of the trace that a span is in. A new one, where it is in none: by that a line of the log is found again.
pub fn id(span: &Span) -> String {
    let context = span.context();
    let context = context.span().span_context().clone();
    if context.is_valid() { context.trace_id().to_string() } else { uuid::Uuid::new_v4().simple().to_string() }
}

struct One<'a>(&'a str);

impl Extractor for One<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[derive(Default)]
struct Told(String);

impl Injector for Told {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_span_goes_on_with_a_trace_and_names_it() {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::with_default(subscriber, || {
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
            let span = tracing::info_span!("one");
            go_on(&span, &format!("00-{trace}-00f067aa0ba902b7-01"));
            assert_eq!(id(&span), trace);
            assert!(traceparent(&span).starts_with(&format!("00-{trace}-")), "{}", traceparent(&span));
            for nothing in ["", "00-0-0-01", "what?"] {
                let span = tracing::info_span!("another");
                go_on(&span, nothing);
                assert_eq!(id(&span).len(), 32);
                assert_ne!(id(&span), trace);
            }
        });
        let nowhere = Span::none();
        assert_eq!((traceparent(&nowhere), header(&nowhere)), (String::new(), None));
        assert_eq!(id(&nowhere).len(), 32);
    }
}
