//! The inside of a process: one order comes in, reports go out, and when nobody listens any more it ends.

use std::io::{self, Read as _};
use std::process::ExitCode;
use std::sync::mpsc;

use kalla_engine::explain::Question;
use kalla_engine::job::Job;
use kalla_engine::progress::{Phase, Progress};
use kalla_engine::{Error, Stores, Violation};
use kalla_proto::v1::{self, job_event::Event, order, report};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{PATIENCE, frame};
use crate::payload::{Accepted, Intake};
use crate::{convert, outcome, problem};

/// What a process that is told to stop, and does not, ends with.
const STOPPED: i32 = 130;

const SAMPLE_ROWS: u32 = 20;
const HEAD_ROWS: u32 = 100;
const MOST_ROWS: u32 = 1000;
const TRIED_ROWS: u64 = 10_000;
const MOST_TRIED: u64 = 1_000_000;

/// Waits for an order on the standard input, follows it and reports on the standard output.
pub fn serve(stores: Stores) -> ExitCode {
    // Where memory runs out the system is to end a job, not the worker. Not every system has this.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let deaf = deaf_to_signals();
    if let Err(error) = &deaf {
        return give_up(error);
    }
    let order = match frame::read::<v1::Order>(&mut io::stdin().lock()) {
        Ok(Some(order)) => order,
        // The worker has ended, and there was nothing to do.
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return give_up(&error),
    };
    let (cancel, done) = stop_with_the_worker();
    let threads = order.bounds.as_ref().and_then(|b| b.limits.as_ref()?.threads).unwrap_or(1);
    let threads = usize::try_from(threads).unwrap_or(1).max(1);
    let runtime = match runtime(threads) {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&error),
    };
    let last = runtime.block_on(follow(order, stores, cancel));
    let told = tell(last);
    // Whatever still runs has nobody to work for.
    runtime.shutdown_background();
    drop(done);
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(&error),
    }
}

/// A service manager may tell every process of a service to stop: the worker decides when its jobs end. As long as the
/// runtime lives, which is as long as the process does, these signals do nothing.
fn deaf_to_signals() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        drop(signal(kind)?);
    }
    Ok(runtime)
}

fn give_up(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!(%error, "the process cannot do its work");
    ExitCode::FAILURE
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("kalla-job").enable_all().build()
}

/// The end of the standard input stops the job, and after some patience the process, on a thread that no work can hold up.
/// Dropping the sender says that the work is done.
fn stop_with_the_worker() -> (CancellationToken, mpsc::Sender<()>) {
    let cancel = CancellationToken::new();
    let stopped = cancel.clone();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        // Nothing more is sent: an error is as good as the end.
        let _ = io::stdin().lock().read(&mut byte);
        stopped.cancel();
        if is_done.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            std::process::exit(STOPPED);
        }
    });
    (cancel, done)
}

fn tell(report: report::Report) -> io::Result<()> {
    frame::write(&mut io::stdout().lock(), &v1::Report { report: Some(report) })
}

async fn follow(order: v1::Order, stores: Stores, cancel: CancellationToken) -> report::Report {
    let intake = Intake::within(order.bounds.unwrap_or_default(), stores);
    let done = match order.order {
        Some(order::Order::Run(payload)) => {
            let span = tracing::info_span!("job", run_id = payload.run_id, attempt = payload.attempt.max(1));
            return report::Report::Event(job(&intake, &payload, cancel).instrument(span).await);
        }
        Some(order::Order::Check(payload)) => check(&intake, payload).await.map(report::Report::Checked),
        Some(order::Order::Foresee(payload)) => foresee(&intake, payload).await.map(report::Report::Checked),
        Some(order::Order::Inspect(request)) => inspect(&intake, request).await.map(report::Report::Inspected),
        Some(order::Order::Preview(request)) => preview(&intake, request).await.map(report::Report::Previewed),
        Some(order::Order::Reach(request)) => reach(&intake, request).await.map(report::Report::Reached),
        Some(order::Order::Explain(request)) => explain(&intake, request).await.map(report::Report::Explained),
        Some(order::Order::DryRun(request)) => dry_run(&intake, request).await.map(report::Report::Tried),
        None => Err(Error::defect("an order that this process does not know")),
    };
    done.unwrap_or_else(|error| report::Report::Refused(problem::told(&error)))
}

/// Runs a job; gives its last event.
async fn job(intake: &Intake, payload: &v1::JobPayload, cancel: CancellationToken) -> v1::JobEvent {
    let mut seq = 0;
    let mut event = |event| {
        seq += 1;
        outcome::event(&payload.run_id, payload.attempt.max(1), seq, event)
    };
    let tell_progress = |now: &Progress| {
        // With nobody there to read, the end of the standard input ends the process.
        let _ = tell(report::Report::Event(event(Event::Progress(outcome::progress(now)))));
    };
    let last = match reconcile(intake, payload, cancel, tell_progress).await {
        Ok(complete) => Event::Complete(complete),
        Err((error, phase)) => Event::Error(outcome::error(&error, outcome::stage(phase))),
    };
    event(last)
}

/// An error comes with the part of the job that it happened in.
async fn reconcile(
    intake: &Intake,
    payload: &v1::JobPayload,
    cancel: CancellationToken,
    mut tell_progress: impl FnMut(&Progress),
) -> Result<v1::Complete, (Error, Phase)> {
    let accepted = intake.accept(payload).map_err(|error| (error, Phase::Staging))?;
    let Accepted { job, as_url, .. } = accepted;
    let output = job.output.clone();
    let (sender, mut receiver) = watch::channel(Progress::default());
    let mut work = std::pin::pin!(kalla_engine::reconcile(job, sender, cancel));
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                let manifest = done.map_err(|error| (error, receiver.borrow().phase))?;
                return Ok(outcome::complete(&manifest, &output, as_url));
            }
            Ok(()) = receiver.changed() => tell_progress(&receiver.borrow_and_update()),
        }
    }
}

/// A job that is looked at needs no name.
fn unnamed(intake: &Intake, mut payload: v1::JobPayload) -> Result<Job, Error> {
    if payload.run_id.is_empty() {
        payload.run_id = uuid::Uuid::new_v4().to_string();
    }
    Ok(intake.accept(&payload)?.job)
}

async fn check(intake: &Intake, payload: v1::JobPayload) -> Result<v1::CheckJobResponse, Error> {
    kalla_engine::check(&unnamed(intake, payload)?).await.map(convert::checked)
}

async fn foresee(intake: &Intake, payload: v1::JobPayload) -> Result<v1::CheckJobResponse, Error> {
    kalla_engine::foresee(&unnamed(intake, payload)?).await.map(|()| v1::CheckJobResponse::default())
}

async fn dry_run(intake: &Intake, request: v1::DryRunJobRequest) -> Result<v1::DryRunJobResponse, Error> {
    let job = unnamed(intake, request.job.unwrap_or_default())?;
    let rows = if request.sample_rows == 0 { TRIED_ROWS } else { request.sample_rows.min(MOST_TRIED) };
    convert::tried(kalla_engine::dry_run(&job, rows).await?)
}

async fn inspect(intake: &Intake, request: v1::InspectSourceRequest) -> Result<v1::InspectSourceResponse, Error> {
    let source = intake.source(request.source.as_ref())?;
    let rows = rows_wanted(request.sample_rows, SAMPLE_ROWS);
    let found = kalla_engine::inspect(&source, &intake.limits, rows).await?;
    let sample = convert::rows(&found.sample, rows)?;
    Ok(convert::inspection(found, sample))
}

async fn preview(intake: &Intake, request: v1::PreviewSourceRequest) -> Result<v1::PreviewSourceResponse, Error> {
    let source = intake.source(request.source.as_ref())?;
    let rows = rows_wanted(request.limit, HEAD_ROWS);
    let head = kalla_engine::head(&source, &intake.limits, rows).await?;
    Ok(v1::PreviewSourceResponse {
        columns: convert::columns(&head.columns),
        rows: convert::rows(&head.rows, rows)?,
        total: head.total,
        dialect: Some(convert::dialect(&head.facts)),
    })
}

async fn reach(intake: &Intake, request: v1::TestConnectionRequest) -> Result<v1::TestConnectionResponse, Error> {
    let source = intake.source(request.source.as_ref())?;
    kalla_engine::test_connection(&source).await.map(convert::connection)
}

async fn explain(intake: &Intake, request: v1::ExplainRowRequest) -> Result<v1::ExplainRowResponse, Error> {
    let wrong = |field: &str, message: String| Error::Invalid(vec![Violation::new(field, message)]);
    let path = request.output_path.as_deref().unwrap_or_default();
    let output = intake.stores.locate(path).map_err(|message| wrong("output_path", message))?;
    let manifest = kalla_engine::committed(&output).await?;
    let manifest = manifest.ok_or_else(|| Error::Missing(format!("the results at {output} are gone")))?;
    let side = convert::side(request.side()).ok_or_else(|| wrong("side", "it is missing: left or right".to_owned()))?;
    let question = Question {
        output: &output,
        manifest: &manifest,
        side,
        row: request.row,
        limits: &intake.limits,
        stores: &intake.stores,
    };
    kalla_engine::why(question).await.map(convert::explained)
}

fn rows_wanted(wanted: u32, usual: u32) -> usize {
    let rows = if wanted == 0 { usual } else { wanted.min(MOST_ROWS) };
    usize::try_from(rows).unwrap_or(0)
}
