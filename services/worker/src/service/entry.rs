//! One job of a worker: what is known of it, and who may change that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use kalla_proto::v1;
use kalla_proto::v1::job_event::Event;
use kalla_serving::telemetry::trace;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::Origin;
use super::life::{self, Effect, Input, Outcome, State};
use crate::callback::Target;
use crate::outcome::{self, TERMINAL_SEQ};
use crate::payload::Accepted;

/// What became of the last word on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The callback took the terminal event, or nobody wants it.
    Reported,
    /// It is in the outbox.
    Unreported,
    /// Nothing is told: a later attempt has taken its place, or another worker has it.
    Superseded,
}

/// A picture of a job.
#[derive(Debug, Clone)]
pub struct View {
    pub state: State,
    pub status: v1::JobStatus,
    /// The latest.
    pub event: Option<v1::JobEvent>,
    pub settled: Option<Settled>,
    /// Whether its end is written down, or is not to be: whoever kept the job for that may let go of it.
    pub kept: bool,
}

impl View {
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    fn apply(&mut self, input: Input) -> Option<Effect> {
        let (state, effect) = life::apply(self.state, input);
        self.state = state;
        self.status.state = v1::JobState::from(state).into();
        effect
    }
}

/// Events of a worker come behind all that those before it have told of the attempt: room for four a second, for a month.
fn first_seq(workers: u32) -> u64 {
    (u64::from(workers.saturating_sub(1)) << 24) + 1
}

/// What stays of a job for as long as it is known.
pub struct Entry {
    run_id: String,
    pub attempt: u32,
    /// Tells whether another payload of the run asks for the same.
    pub fingerprint: [u8; 32],
    /// `None` when nobody wants to be called back.
    pub target: Option<Target>,
    /// Whether the broker keeps it, which gives it to another worker if this one ends.
    pub queued: bool,
    /// Whether no worker has had the run before.
    pub is_first: bool,
    /// Ends its process.
    pub cancel: CancellationToken,
    /// What is logged of it, and a part of its trace. It ends when nothing more is to be told.
    span: Mutex<Span>,
    pub view: watch::Sender<View>,
    /// Whether it is written down that it was accepted: until then nobody is told so. `false`: it has ended long ago.
    pub kept: OnceCell<Result<bool, v1::Problem>>,
    /// Stand in every event.
    warning: Option<String>,
    worker: Arc<str>,
    seq: AtomicU64,
}

impl Entry {
    pub fn new(accepted: &Accepted, origin: Origin, worker: &Arc<str>) -> Self {
        let run_id = accepted.job.run_id.clone();
        let span = tracing::info_span!(parent: None, "job", otel.kind = "consumer", run_id, attempt = accepted.attempt);
        trace::go_on(&span, accepted.payload.traceparent());
        let state = State::Queued;
        let status = v1::JobStatus {
            run_id: run_id.clone(),
            state: v1::JobState::from(state).into(),
            attempt: accepted.attempt,
            accepted: Some(SystemTime::now().into()),
            ..Default::default()
        };
        let view = watch::Sender::new(View { state, status, event: None, settled: None, kept: false });
        Self {
            run_id,
            attempt: accepted.attempt,
            fingerprint: accepted.fingerprint,
            target: accepted.target.clone(),
            queued: origin == Origin::Queued,
            is_first: accepted.attempt <= 1 && origin.workers() <= 1,
            cancel: CancellationToken::new(),
            span: Mutex::new(span),
            view,
            kept: OnceCell::new(),
            warning: accepted.warning.clone(),
            worker: Arc::clone(worker),
            seq: AtomicU64::new(first_seq(origin.workers())),
        }
    }

    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    pub fn span(&self) -> Span {
        self.span.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    pub fn status(&self) -> v1::JobStatus {
        self.view.borrow().status.clone()
    }

    pub fn ended(&self) -> bool {
        self.view.borrow().ended()
    }

    pub fn runs(&self) -> bool {
        matches!(self.view.borrow().state, State::Running | State::Stopping(_))
    }

    /// Whether it is this job's turn indeed.
    pub fn begin(&self) -> bool {
        let mut begins = false;
        self.view.send_modify(|view| {
            begins = view.apply(Input::Turn) == Some(Effect::Start);
            view.status.started = Some(SystemTime::now().into());
        });
        begins
    }

    /// Stops a job that runs; the first reason counts.
    pub fn interrupt(&self, why: life::Stop) {
        let mut effect = None;
        self.view.send_modify(|view| effect = view.apply(Input::Stop(why)));
        if effect == Some(Effect::Interrupt) {
            self.cancel.cancel();
        }
    }

    pub fn progress(&self, progress: v1::Progress) {
        let progress = v1::Progress { warning: self.warning.clone(), ..progress };
        let seq = self.seq.fetch_add(1, Ordering::Relaxed).min(TERMINAL_SEQ - 1);
        let event = self.event(seq, Event::Progress(progress.clone()));
        self.view.send_modify(|view| {
            view.status.progress = Some(progress);
            view.event = Some(event);
        });
    }

    /// The part of the job that runs, or ran last.
    pub fn stage(&self) -> v1::Stage {
        self.view.borrow().status.progress.as_ref().map_or(v1::Stage::Staging, v1::Progress::stage)
    }

    /// Ends the job with the last word that `tell` has for its outcome; `None` when it had ended before.
    pub fn end(&self, input: Input, tell: impl FnOnce(Outcome) -> Event) -> Option<Outcome> {
        let mut ended = None;
        self.view.send_modify(|view| {
            let Some(Effect::Tell(outcome)) = view.apply(input) else { return };
            ended = Some(outcome);
            let mut last = tell(outcome);
            match &mut last {
                Event::Complete(complete) => complete.warning.clone_from(&self.warning),
                Event::Error(error) => error.warning.clone_from(&self.warning),
                Event::Progress(_) => {}
            }
            let event = self.event(TERMINAL_SEQ, last);
            view.status.ended = event.time;
            match &event.event {
                Some(Event::Complete(complete)) => view.status.complete = Some(complete.clone()),
                Some(Event::Error(error)) => view.status.error = Some(error.clone()),
                Some(Event::Progress(_)) | None => {}
            }
            view.event = Some(event);
        });
        ended
    }

    /// Whether it goes back to the broker, and nobody is told.
    pub fn given_back(&self) -> bool {
        self.queued && self.view.borrow().state == State::Ended(Outcome::Stopped(life::Stop::ShutDown))
    }

    pub fn let_go(&self) {
        self.view.send_modify(|view| view.kept = true);
    }

    pub fn settle(&self, settled: Settled) {
        self.view.send_modify(|view| {
            view.settled = Some(settled);
            view.status.reported = settled == Settled::Reported;
        });
        *self.span.lock().unwrap_or_else(|e| e.into_inner()) = Span::none();
    }

    fn event(&self, seq: u64, event: Event) -> v1::JobEvent {
        let event = outcome::event(self.run_id(), self.attempt, seq, event);
        v1::JobEvent { worker: self.worker.to_string(), ..event }
    }
}
