//! A job from its sources to its committed result.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::buffer::BooleanBuffer;
use datafusion::execution::context::SessionContext;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::attempt::Attempt;
use crate::check::validate;
use crate::clock;
use crate::control_totals::control_totals;
use crate::error::{Error, Place, Result};
use crate::job::{Job, Source};
use crate::lineage::{LISTED, Marks, MultipleMatches, Side};
use crate::location::Location;
use crate::manifest::{
    ColumnSum, ControlTotal, Counts, CurrencySum, Differences, Input, Lineage, MANIFEST_VERSION, Manifest, ResultFile,
    Timings,
};
use crate::matching::{self, MatchPlan, PlanTable};
use crate::monitor::Monitor;
use crate::progress::{Phase, Progress};
use crate::query::{self, Joins};
use crate::rejects;
use crate::stack::roomy;
use crate::stage::{self, Reject, StageContext, Staged};
use crate::sums::{ColumnSplit, Split, Sums};
use crate::tasks::{self, Threads};
use crate::unmatched::{unmatched_schema, write_unmatched};
use crate::write::{TableWriter, WrittenFile};

/// How long the tasks of a job that ends early may take to notice it.
const PATIENCE: Duration = Duration::from_millis(300);

/// See [`crate::reconcile`].
pub async fn reconcile(job: Job, progress: watch::Sender<Progress>, cancel: CancellationToken) -> Result<Manifest> {
    validate(&job)?;
    let job = Arc::new(job);
    let attempt = Attempt::begin(&job)?;
    let monitor = Monitor::start(&job, progress);
    let run = Run {
        results: attempt.results(),
        failed: attempt.failed(),
        staging: attempt.staging(),
        job: Arc::clone(&job),
        monitor,
        cancel: cancel.child_token(),
        started: Instant::now(),
    };
    // Dropped on every way out: whatever still reads or writes for this job stops.
    let _stop = run.cancel.clone().drop_guard();
    // A task of its own, so that a panic fails the job and not its caller.
    let mut work = tokio::task::JoinSet::new();
    work.spawn(run.execute());
    let done = tokio::select! {
        Some(done) = work.join_next() => tasks::joined(done).and_then(|r| r),
        () = cancel.cancelled() => Err(Error::Cancelled),
        () = clock::after(job.limits.timeout) => Err(Error::TimedOut(job.limits.timeout.unwrap_or_default())),
    };
    // Tasks end where they yield. One that does not is left to itself: its files are gone below.
    let _ = clock::within(PATIENCE, work.shutdown()).await;
    match done {
        Ok(Done::Complete(result)) => {
            let (names, manifest) = result.manifest(&job, &attempt);
            attempt.commit(&job, names, manifest).await
        }
        Ok(Done::Rejected(rejected)) => {
            let names = rejected.files.iter().filter_map(|f| f.location.file_name());
            let paths: Vec<_> = names.map(|name| attempt.failed_path(name).to_string()).collect();
            attempt.abandon().await?;
            Err(stage::with_lines(rejected.error(&paths), job.sources()).await)
        }
        Err(error) => {
            // An output that cannot be written cannot be cleaned up either: what went wrong first is what matters.
            let _ = attempt.abandon().await;
            Err(stage::with_lines(error, job.sources()).await)
        }
    }
}

/// Work in progress.
struct Run {
    job: Arc<Job>,
    results: Location,
    failed: Location,
    staging: Location,
    monitor: Monitor,
    cancel: CancellationToken,
    started: Instant,
}

enum Done {
    Complete(Box<Complete>),
    Rejected(Rejected),
}

/// What became of the rows, with the files still at their place of work.
struct Accounted {
    lineage: Lineage,
    counts: Counts,
    multiple: [Option<MultipleMatches>; 2],
    sums: Vec<ColumnSum>,
    control_totals: Vec<ControlTotal>,
    differences: Option<Differences>,
    timings: Timings,
    spilled_bytes: u64,
    notes: Vec<String>,
    files: BTreeMap<&'static str, WrittenFile>,
}

/// Everything that the manifest tells.
struct Complete {
    staged: Vec<Staged>,
    rows: Accounted,
}

impl Run {
    async fn execute(self) -> Result<Done> {
        let job = &self.job;
        let staged = self.stage().await?;
        let rejected = too_many_rejects(job, &staged);
        let directory = if rejected.is_some() { &self.failed } else { &self.results };
        if let Some(path) = directory.as_local() {
            std::fs::create_dir_all(path)
                .map_err(|e| Error::Output { path: directory.to_string(), reason: e.to_string() })?;
        }
        let mut files = BTreeMap::new();
        for (name, staged) in ["rejected_left", "rejected_right"].into_iter().zip(&staged) {
            if let Some(file) = rejects::write(directory, name, &staged.rejects, job.format).await? {
                files.insert(name, file);
            }
        }
        if let Some(mut rejected) = rejected {
            rejected.files = files.into_values().collect();
            return Ok(Done::Rejected(rejected));
        }
        let staging = millis(self.started);
        let done = self.account(&staged, files, staging).await;
        // Also after an error: rows of another version, or none at all, explain it better than itself.
        for (source, staged) in job.sources().zip(&staged) {
            stage::check_unchanged(source, staged).await?;
            if matches!(done, Err(Error::Internal { .. })) {
                staged.file.check().await?;
            }
        }
        let rows = done?;
        Ok(Done::Complete(Box::new(Complete { staged, rows })))
    }

    /// Matches the staged rows and writes every one of them to its place.
    async fn account(
        &self,
        staged: &[Staged],
        mut files: BTreeMap<&'static str, WrittenFile>,
        staging: f64,
    ) -> Result<Accounted> {
        let started = Instant::now();
        self.monitor.enter(Phase::Matching);
        let (plan, matched) = self.match_rows(staged).await?;
        let matching = millis(started);

        let started = Instant::now();
        self.monitor.enter(Phase::WritingResults);
        let (unmatched_left, unmatched_right) = tokio::try_join!(
            self.unmatched("unmatched_left", &staged[0], matched.marks.unmatched(Side::Left)),
            self.unmatched("unmatched_right", &staged[1], matched.marks.unmatched(Side::Right)),
        )?;
        let counts = counts(staged, &matched.marks, &unmatched_left.0, &unmatched_right.0)?;
        let (sums, unsummed) =
            sums(&self.job, staged, [&unmatched_left.1, &unmatched_right.1], self.job.limits.threads).await?;
        files.insert("matched", matched.file);
        files.insert("unmatched_left", unmatched_left.0);
        files.insert("unmatched_right", unmatched_right.0);
        let timings = Timings { staging, matching, writing_results: millis(started), total: millis(self.started) };
        let spilled_bytes = matched.spilled_bytes;
        let lineage = Lineage { left: plan.mode(Side::Left), right: plan.mode(Side::Right) };
        let schemas = [staged[0].schema.as_ref(), staged[1].schema.as_ref()];
        let mut control_totals = control_totals(&plan.comparisons, schemas, &sums, counts.matched_count);
        for total in &mut control_totals {
            let outputs = plan.output(Side::Left, &total.left).zip(plan.output(Side::Right, &total.right));
            total.outputs = outputs.map(|(left, right)| [left, right]);
        }
        let names = [self.job.left.alias.as_str(), self.job.right.alias.as_str()];
        let multiple = Side::BOTH.map(|side| matched.marks.multiple(side));
        let told = multiple.iter().zip(names).filter_map(|(found, name)| Some(found.as_ref()?.note(name))).collect();
        let off = control_totals.iter().filter(|total| total.is_off()).map(|total| total.note(names));
        let notes = [matched.notes, told, unsummed, off.collect()].concat();
        Ok(Accounted {
            lineage,
            counts,
            multiple,
            sums,
            control_totals,
            differences: matched.differences,
            timings,
            spilled_bytes,
            notes,
            files,
        })
    }

    /// All sources at once, left, right and extras in this order.
    async fn stage(&self) -> Result<Vec<Staged>> {
        let sources: Vec<Source> = self.job.sources().cloned().collect();
        let threads = Threads::new(self.job.limits.threads);
        let contexts = sources.iter().enumerate().map(|(index, source)| StageContext {
            alias: source.alias.clone(),
            threads: threads.clone(),
            target: self.staging.join(&format!("{index}.parquet")),
            meter: self.monitor.meter(index),
            cancel: self.cancel.clone(),
        });
        let mut readers = tokio::task::JoinSet::new();
        for (index, (source, cx)) in sources.clone().into_iter().zip(contexts).enumerate() {
            readers.spawn(async move { stage::stage(&source, &cx).await.map(|staged| (index, staged)) });
        }
        let mut staged: BTreeMap<usize, Staged> = BTreeMap::new();
        while let Some((index, one)) = tasks::next_of(&mut readers).await? {
            staged.insert(index, one);
        }
        Ok(staged.into_values().collect())
    }

    /// Joins by hashing where the smaller side fits into memory, and by sorting, which spills, where it does not.
    async fn match_rows(&self, staged: &[Staged]) -> Result<(Arc<MatchPlan>, MatchedRows)> {
        let hashed = self.plan(staged, Joins::Hashed).await?;
        let why = if matching::fits(&hashed.1, staged, &self.job.limits) {
            match self.run_match(&hashed.0, &hashed.1, staged).await {
                Err(Error::OutOfMemory { .. }) => "hashing them took more than the memory limit",
                done => return done.map(|matched| (hashed.1, matched)),
            }
        } else {
            "the smaller side does not fit into the memory limit"
        };
        let sorted = self.plan(staged, Joins::Sorted).await?;
        let mut matched = self.run_match(&sorted.0, &sorted.1, staged).await?;
        matched.notes.push(format!("rows were brought together by sorting, because {why}"));
        Ok((sorted.1, matched))
    }

    async fn plan(&self, staged: &[Staged], joins: Joins) -> Result<(SessionContext, Arc<MatchPlan>)> {
        let ctx = query::session(&self.job.limits, joins)?;
        let tables = staged
            .iter()
            .map(|s| PlanTable::staged(&ctx, &s.file, s.facts.notes.clone()))
            .collect::<Result<Vec<_>>>()?;
        let plan = roomy(matching::plan(&ctx, &self.job, &tables)).await?;
        Ok((ctx, Arc::new(plan)))
    }

    async fn run_match(&self, ctx: &SessionContext, plan: &Arc<MatchPlan>, staged: &[Staged]) -> Result<MatchedRows> {
        let writer = TableWriter::create(&self.results, "matched", &plan.schema(), self.job.format)?;
        let rows = (staged[0].file.rows(), staged[1].file.rows());
        self.monitor.matched().store(0, Ordering::Relaxed);
        let matched = matching::run(ctx, plan, rows, &writer, &self.staging, self.monitor.matched()).await?;
        let cut = format!(
            "some output rows come from more than {LISTED} rows of a side: all of them count as matched, and the first {LISTED} \
             are listed"
        );
        let file = writer.finish().await?;
        let alone = file.rows.saturating_sub(matched.marks.met());
        let listed = format!(
            "{alone} output rows list a row without a partner, as outer joins do: they are not counted as matches"
        );
        let totals = plan.notes();
        let own = [
            matched.marks.is_cut().then_some(cut),
            // Totals are such rows too, and told by themselves.
            (alone > 0 && totals.is_empty()).then_some(listed),
        ];
        Ok(MatchedRows {
            file,
            notes: own.into_iter().flatten().chain(totals).collect(),
            marks: matched.marks,
            differences: matched.differences,
            spilled_bytes: matched.spilled_bytes,
        })
    }

    async fn unmatched(&self, name: &'static str, staged: &Staged, rows: BooleanBuffer) -> Result<(WrittenFile, Sums)> {
        let writer = TableWriter::create(&self.results, name, &unmatched_schema(&staged.schema), self.job.format)?;
        let unmatched = write_unmatched(&staged.file, rows, &writer, self.job.limits.threads).await?;
        Ok((writer.finish().await?, unmatched))
    }
}

struct MatchedRows {
    file: WrittenFile,
    marks: Marks,
    differences: Option<Differences>,
    spilled_bytes: u64,
    notes: Vec<String>,
}

/// Of both sides, given those of their unmatched rows; and a sentence about each column that has none.
async fn sums(
    job: &Job,
    staged: &[Staged],
    unmatched: [&Sums; 2],
    threads: usize,
) -> Result<(Vec<ColumnSum>, Vec<String>)> {
    let (mut sums, mut missing) = (Vec::new(), Vec::new());
    for ((side, source), (staged, unmatched)) in
        Side::BOTH.into_iter().zip(job.sources()).zip(staged.iter().zip(unmatched))
    {
        for ColumnSplit { column, all, by_currency } in staged.file.sums(threads).await?.split(unmatched) {
            let Some(Split { part, rest }) = all else {
                missing.push(format!("`{}.{column}` sums up to more digits than there is room for", source.alias));
                continue;
            };
            let of_currency = |(currency, Split { part, rest }): (String, Split)| CurrencySum {
                currency,
                matched: rest.to_string(),
                unmatched: part.to_string(),
            };
            sums.push(ColumnSum {
                side: side.as_str().to_owned(),
                column,
                matched: rest.to_string(),
                unmatched: part.to_string(),
                by_currency: by_currency.into_iter().map(of_currency).collect(),
            });
        }
    }
    Ok((sums, missing))
}

/// Conservation: every row that was read is matched or unmatched, on both sides, and the files say the same.
fn counts(
    staged: &[Staged],
    marks: &Marks,
    unmatched_left: &WrittenFile,
    unmatched_right: &WrittenFile,
) -> Result<Counts> {
    let counts = Counts {
        matched_count: marks.met(),
        matched_left_count: marks.count(Side::Left),
        matched_right_count: marks.count(Side::Right),
        unmatched_left_count: unmatched_left.rows,
        unmatched_right_count: unmatched_right.rows,
        total_left: staged[0].file.rows(),
        total_right: staged[1].file.rows(),
        rejected_left: staged[0].rejected,
        rejected_right: staged[1].rejected,
    };
    let left = counts.matched_left_count + counts.unmatched_left_count;
    let right = counts.matched_right_count + counts.unmatched_right_count;
    if left != counts.total_left || right != counts.total_right {
        return Err(Error::defect(format!("rows are not conserved: {counts:?}")));
    }
    Ok(counts)
}

/// More rows were rejected than the job allows.
pub struct Rejected {
    alias: String,
    /// Of all sources.
    rows: u64,
    /// The first of the first source that has one.
    first: Reject,
    /// That hold them.
    files: Vec<WrittenFile>,
}

impl Rejected {
    /// `paths` are those of the files that are left.
    pub fn error(self, paths: &[String]) -> Error {
        let Self { alias, rows, first, .. } = self;
        let more = match (rows, paths) {
            (..=1, _) => String::new(),
            (_, []) => format!(" ({rows} rows were rejected in all)"),
            (_, paths) => format!(" ({rows} rows were rejected in all: {})", paths.join(", ")),
        };
        let place = Place { line: Some(first.line), column: first.column, ..Place::default() };
        Error::Data { alias, place, reason: format!("{}{more}", first.reason) }
    }
}

pub fn too_many_rejects(job: &Job, staged: &[Staged]) -> Option<Rejected> {
    let rejected: u64 = staged.iter().map(|s| s.rejected).sum();
    if rejected <= job.limits.max_rejected {
        return None;
    }
    let (source, staged) = job.sources().zip(staged).find(|(_, staged)| staged.rejected > 0)?;
    let first = staged.rejects.first()?.clone();
    Some(Rejected { alias: source.alias.clone(), rows: rejected, first, files: Vec::new() })
}

impl Complete {
    /// The names of the files to commit, and the manifest that tells where they will be.
    fn manifest(self, job: &Job, attempt: &Attempt) -> (Vec<String>, Manifest) {
        let mut inputs = job.sources().zip(&self.staged).map(|(s, staged)| {
            let kept = attempt.kept_path(staged.file.location()).filter(|_| job.keep_staged);
            Input::new(&s.alias, s.uri.to_string(), staged, kept.map(|location| location.to_string()))
        });
        let (left, right) = (inputs.next(), inputs.next());
        let extras = inputs.collect();
        let Accounted {
            lineage,
            counts,
            multiple: [multiple_left, multiple_right],
            sums,
            control_totals,
            differences,
            timings,
            spilled_bytes,
            notes,
            files,
        } = self.rows;
        let names = file_names(&files);
        let files = files.iter().zip(&names).map(|((set, file), name)| {
            ((*set).to_owned(), ResultFile::new(file, attempt.committed_path(name).to_string()))
        });
        let manifest = Manifest {
            manifest_version: MANIFEST_VERSION,
            run_id: job.run_id.clone(),
            attempt: job.attempt,
            payload_sha256: job.payload_sha256.clone(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            created: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            left: left.unwrap_or_default(),
            right: right.unwrap_or_default(),
            extras,
            match_sql: job.match_sql.clone(),
            match_sql_sha256: hex::encode(Sha256::digest(&job.match_sql)),
            lineage,
            counts,
            multiple_left,
            multiple_right,
            sums,
            control_totals,
            differences,
            timings_ms: timings,
            spilled_bytes,
            notes,
            files: files.collect(),
        };
        (names, manifest)
    }
}

fn file_names(files: &BTreeMap<&'static str, WrittenFile>) -> Vec<String> {
    files.values().filter_map(|f| f.location.file_name().map(str::to_owned)).collect()
}

fn millis(since: Instant) -> f64 {
    // Microseconds are all that a reader wants.
    (since.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
