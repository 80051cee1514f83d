//! Which spans and events there are at all. Lines follow the level that the operator has set; requests, jobs and the like are
//! spans at any level, so that each has a trace.
//!
//! One gate before all layers and no filter of each: with those, `enabled!` in a library would swallow the next event of its thread.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::{EnvFilter, Layer};

pub struct Gate(pub EnvFilter);

/// A span of ours that tells what is done for whom.
fn is_traced(of: &Metadata<'_>) -> bool {
    of.is_span() && *of.level() <= Level::INFO && of.target().starts_with("kalla")
}

impl<S: Subscriber> Layer<S> for Gate {
    fn register_callsite(&self, of: &'static Metadata<'static>) -> Interest {
        let interest = Layer::<S>::register_callsite(&self.0, of);
        if is_traced(of) { Interest::always() } else { interest }
    }

    fn enabled(&self, of: &Metadata<'_>, context: Context<'_, S>) -> bool {
        Layer::<S>::enabled(&self.0, of, context) || is_traced(of)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&self.0).map(|level| level.max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_new_span(&self.0, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Layer::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Layer::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Layer::<S>::on_close(&self.0, id, context);
    }
}
