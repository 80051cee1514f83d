//! What the engine tells of a job as the contract's events.

use std::time::SystemTime;

use kalla_engine::location::Location;
use kalla_engine::manifest::MANIFEST;
use kalla_engine::progress::{Phase, Progress};
use kalla_engine::{Error, Manifest};
use kalla_proto::v1;
use kalla_proto::v1::job_event::Event;

use crate::{convert, problem};

/// The seq of every terminal event, whoever sends it: a receiver knows a repeated one by its idempotency key.
pub const TERMINAL_SEQ: u64 = u32::MAX as u64;

pub fn stage(phase: Phase) -> v1::Stage {
    match phase {
        Phase::Staging => v1::Stage::Staging,
        Phase::Matching => v1::Stage::Matching,
        Phase::WritingResults => v1::Stage::WritingResults,
    }
}

/// A source is named while it is the one that still reads; totals are told once they are known for sure.
pub fn progress(now: &Progress) -> v1::Progress {
    let staging = now.phase == Phase::Staging;
    let reading = now.sources.iter().find(|s| !s.finished).or(now.sources.last()).filter(|_| staging);
    let total = |side: usize| now.sources.get(side).filter(|_| !staging).map(|s| s.rows);
    v1::Progress {
        stage: stage(now.phase).into(),
        progress: now.fraction,
        source: reading.map(|s| s.alias.clone()),
        matched_count: (!staging).then_some(now.matched_count),
        total_left: total(0),
        total_right: total(1),
        source_rows: reading.map(|s| s.rows),
        warning: None,
    }
}

/// `as_url`: whether the job gave its output as a `file://` URL, which the paths then are as well.
pub fn complete(manifest: &Manifest, output: &Location, as_url: bool) -> v1::Complete {
    let spell = |path: String| if as_url && path.starts_with('/') { format!("file://{path}") } else { path };
    let path = |set: &str| manifest.files.get(set).map(|file| spell(file.path.clone()));
    let counts = &manifest.counts;
    v1::Complete {
        matched_count: counts.matched_count,
        unmatched_left_count: counts.unmatched_left_count,
        unmatched_right_count: counts.unmatched_right_count,
        output_paths: Some(v1::OutputPaths {
            matched: path("matched").unwrap_or_default(),
            unmatched_left: path("unmatched_left").unwrap_or_default(),
            unmatched_right: path("unmatched_right").unwrap_or_default(),
            rejected_left: path("rejected_left"),
            rejected_right: path("rejected_right"),
        }),
        matched_left_count: counts.matched_left_count,
        matched_right_count: counts.matched_right_count,
        total_left: counts.total_left,
        total_right: counts.total_right,
        rejected_left: counts.rejected_left,
        rejected_right: counts.rejected_right,
        manifest_path: spell(output.join(MANIFEST).to_string()),
        multiple_left: manifest.multiple_left.map(convert::multiple),
        multiple_right: manifest.multiple_right.map(convert::multiple),
        warning: None,
        differing_count: manifest.differences.as_ref().map(|found| found.differing),
        one_sided_columns: manifest
            .differences
            .as_ref()
            .map(|found| (found.only_left.len() + found.only_right.len()) as u64),
        verdict: Some(convert::verdict(manifest.verdict())),
    }
}

pub fn error(error: &Error, at: v1::Stage) -> v1::Error {
    failure(problem::told(error), at)
}

pub fn failure(problem: v1::Problem, at: v1::Stage) -> v1::Error {
    v1::Error {
        error: problem.message.clone(),
        stage: at.into(),
        problem: Some(problem),
        warning: None,
        interrupted: false,
    }
}

/// The worker ends before the job does.
pub fn interrupted(at: v1::Stage) -> v1::Error {
    let message = "the worker was shut down before the job was done: run it again";
    v1::Error { interrupted: true, ..failure(v1::Problem::later(v1::Code::Unavailable, message), at) }
}

pub fn event(run_id: &str, attempt: u32, seq: u64, event: Event) -> v1::JobEvent {
    let time = Some(SystemTime::now().into());
    v1::JobEvent { run_id: run_id.to_owned(), event: Some(event), attempt, seq, time, ..Default::default() }
}

/// The last event of an attempt, which is the same event whoever sends it.
pub fn last(run_id: &str, attempt: u32, what: Event) -> v1::JobEvent {
    event(run_id, attempt, TERMINAL_SEQ, what)
}

pub fn is_terminal(event: &v1::JobEvent) -> bool {
    !matches!(event.event, Some(Event::Progress(_)) | None)
}
