//! What one can wait for, boxed. The machine code of a future is generated where it is polled: without the box every crate
//! that waits for one of these would generate the engine once more.

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::explain::{DryRun, Question, Why};
use crate::job::{Job, Limits, Source};
use crate::location::Location;
use crate::manifest::{Column, Input, Manifest};
use crate::progress::Progress;
use crate::stack::roomy;
use crate::stores::Stores;
use crate::{CheckReport, Connection, Head, Inspection};

pub type Pending<'a, T> = BoxFuture<'a, Result<T>>;

/// Stages the sources of `job`, matches them, and commits the result sets and the manifest to `job.output`.
///
/// Publishes on `progress` about ten times a second. A failed, cancelled or late job leaves nothing behind but the
/// rows that were rejected while reading.
pub fn reconcile(job: Job, progress: watch::Sender<Progress>, cancel: CancellationToken) -> Pending<'static, Manifest> {
    Box::pin(crate::reconcile::reconcile(job, progress, cancel))
}

/// Plans `match_sql` against the schemas of the sources; [`crate::Error::Invalid`] lists what is wrong.
///
/// The types of a text file are taken from its head. Only when the job would be refused with those is the whole file
/// read, because a later row can still make a column text.
pub fn check(job: &Job) -> Pending<'_, CheckReport> {
    Box::pin(roomy(crate::check::check(job)))
}

/// As [`check`], by the heads of the sources alone: [`crate::Error::Invalid`] lists what no later row can make right. Sources
/// that cannot be read are not told.
pub fn foresee(job: &Job) -> Pending<'_, ()> {
    Box::pin(roomy(crate::check::foresee(job)))
}

/// The columns of a source, their types as far as its head tells.
pub fn head_columns(source: &Source) -> Pending<'_, Vec<Column>> {
    Box::pin(crate::check::head_columns(source))
}

/// Reads all of `source` and profiles it; `sample_rows` rows come along.
pub fn inspect<'a>(source: &'a Source, limits: &'a Limits, sample_rows: usize) -> Pending<'a, Inspection> {
    Box::pin(async move {
        match crate::inspect::inspect(source, limits, sample_rows).await {
            Err(error) => Err(crate::stage::with_lines(error, std::iter::once(source)).await),
            done => done,
        }
    })
}

/// The first `rows` rows of a source. Without filters its beginning is enough; with filters all of it is read.
pub fn head<'a>(source: &'a Source, limits: &'a Limits, rows: usize) -> Pending<'a, Head> {
    Box::pin(crate::inspect::head(source, limits, rows))
}

/// Tries to read one row of `source`, without its filters.
pub fn test_connection(source: &Source) -> Pending<'_, Connection> {
    Box::pin(crate::connection::test_connection(source))
}

/// What stands between an unmatched row and its match: for each way to a match the nearest rows of the other side, and of
/// every condition whether it holds and by how much it fails. Reads the staged rows of the run, which must have been kept.
///
/// Plans `match_sql`: in a service it belongs into a process of its own, like a job.
pub fn why(question: Question<'_>) -> Pending<'_, Why> {
    Box::pin(roomy(crate::explain::why(question)))
}

/// Rows of a source of a run, by their numbers and in that order, as the run read them. They must have been kept, or lie in
/// a Parquet file that is still the same.
pub fn source_rows<'a>(
    output: &'a Location,
    input: &'a Input,
    numbers: &'a [u64],
    stores: &'a Stores,
) -> Pending<'a, Vec<RecordBatch>> {
    Box::pin(crate::explain::source_rows(output, input, numbers, stores))
}

/// Runs the job on about `rows` rows of its larger side and on those of the other that belong to them; says what would match,
/// and of the pairs of rows how many each condition of `match_sql` lets through. Nothing is written to `job.output`.
///
/// The sources are read as a whole. Plans `match_sql`: in a service it belongs into a process of its own, like a job.
pub fn dry_run(job: &Job, rows: u64) -> Pending<'_, DryRun> {
    Box::pin(roomy(crate::explain::dry_run(job, rows)))
}

/// The manifest of the run whose result is at `output`; `None` while there is no result.
pub fn committed(output: &Location) -> Pending<'_, Option<Manifest>> {
    Box::pin(crate::attempt::committed(output))
}

/// Removes the staged rows that were kept beside the result at `output`. Rows that are gone already are as good.
pub fn drop_staged(output: &Location) -> Pending<'_, ()> {
    Box::pin(crate::attempt::drop_staged(output))
}

/// Removes attempts from one output, but for that of its result: on a disk those that were given up, in a bucket all, which is for those who know
/// that no other run has its output there. An attempt of the same run that goes on finds out in the end that it was too late.
pub fn drop_attempts(output: &Location) -> Pending<'_, usize> {
    Box::pin(crate::sweep::drop_attempts(output))
}

/// Removes attempts that were given up from the outputs directly below `root`, in a bucket those that nobody has written
/// to for `age`; says how many. Files that a manifest names are never touched.
pub fn sweep_attempts(root: &Location, age: std::time::Duration) -> Pending<'_, usize> {
    Box::pin(crate::sweep::sweep_attempts(root, age))
}
