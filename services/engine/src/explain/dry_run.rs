//! A job on a sample: what would match, and where the pairs of rows are lost.

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::kernels::boolean;
use arrow::compute::prep_null_mask_filter;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::execute_stream_partitioned;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::broken;
use super::passes::{Condition, Later, Pass, passes};
use super::sample::{self, Sample};
use super::tables::Tables;
use crate::check::validate;
use crate::error::{Error, Result};
use crate::job::{FileFormat, Job, Limits, ReadOptions, ResultFormat, Source, SourceUri};
use crate::location::Location;
use crate::manifest::{Counts, MultipleMatches};
use crate::names;
use crate::progress::Progress;
use crate::query;
use crate::query::wording;
use crate::reconcile::{reconcile, too_many_rejects};
use crate::results::{Reader, ResultSet, Selection};
use crate::scratch::Scratch;
use crate::stage::Staged;
use crate::tasks::{self, Threads};

/// Example rows of each kind.
const EXAMPLES: u64 = 5;

/// What a job would give, by a sample of its rows.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The condition by whose two sides rows were chosen: rows that meet it are both in the sample or both not. `None` where
    /// every row is in, or where `match_sql` has no such condition: then all rows of the right side are.
    pub key: Option<String>,
    /// Rows of the sources, left and right.
    pub rows: [u64; 2],
    /// Of the sample.
    pub counts: Counts,
    /// Rows of the sample that stand in more than one match, left and right.
    pub multiple: [Option<MultipleMatches>; 2],
    pub funnels: Vec<Funnel>,
    /// Some rows of each result set, without their numbers.
    pub matched: Vec<RecordBatch>,
    pub unmatched_left: Vec<RecordBatch>,
    pub unmatched_right: Vec<RecordBatch>,
}

/// How many pairs of rows of the sample the conditions of a pass let through, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    pub name: Option<String>,
    /// Pairs before any condition.
    pub pairs: u64,
    pub steps: Vec<Step>,
    /// What is asked after that, of more than two rows at a time.
    pub later: Vec<String>,
    /// Whether it pairs rows by the key of the sample. Of a pass that does not, most pairs are not in the sample.
    pub by_key: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub condition: String,
    /// Pairs that meet this condition and all before it.
    pub pairs: u64,
}

/// See [`crate::dry_run`].
pub async fn dry_run(job: &Job, rows: u64) -> Result<DryRun> {
    validate(job)?;
    let scratch = Scratch::new(&job.limits)?;
    let staged = scratch.stage(job).await?;
    if let Some(rejected) = too_many_rejects(job, &staged) {
        return Err(rejected.error(&[]));
    }
    let whole = planned(job, &staged).await?;
    let totals = [staged[0].file.rows(), staged[1].file.rows()];
    let chosen =
        sample::choose(&whole.probe(&job.limits), &passes(&whole.plan, &whole.sides)?, totals, rows.max(1)).await?;
    let sampled = sampled(job, &staged, &chosen, &scratch).await?;
    let part = planned(job, &sampled).await?;
    let mut funnels = Vec::new();
    let counter = Funnels { ctx: &part.ctx, limits: &job.limits };
    for pass in passes(&part.plan, &part.sides)? {
        funnels.push(counter.funnel(&pass, &chosen).await?);
    }
    let job = on_files(job, &sampled, scratch.place("results"));
    let (progress, _) = watch::channel(Progress::default());
    let manifest = reconcile(job.clone(), progress, CancellationToken::new()).await?;
    let reader = Reader::new(job.limits.clone())?;
    let examples = async |set| {
        let table = reader.open(&job.output, &manifest, set).await?;
        // Numbers of rows of the sample tell nobody anything.
        let all = table.schema().fields().iter().map(|field| field.name().clone());
        let columns: Vec<String> = all.filter(|name| !names::RESULT.contains(&name.as_str())).collect();
        let selection = Selection { columns, limit: Some(EXAMPLES), ..Selection::default() };
        table.select(selection).await?.rows().await?.try_collect::<Vec<_>>().await
    };
    Ok(DryRun {
        key: chosen.key.filter(|_| !chosen.whole),
        rows: totals,
        counts: Counts { rejected_left: staged[0].rejected, rejected_right: staged[1].rejected, ..manifest.counts },
        multiple: [manifest.multiple_left, manifest.multiple_right],
        funnels,
        matched: examples(ResultSet::Matched).await?,
        unmatched_left: examples(ResultSet::UnmatchedLeft).await?,
        unmatched_right: examples(ResultSet::UnmatchedRight).await?,
    })
}

/// The sides as files of the chosen rows, the extras as they are.
async fn sampled(job: &Job, staged: &[Staged], chosen: &Sample, scratch: &Scratch) -> Result<Vec<Staged>> {
    let mut sampled = staged.to_vec();
    for (index, (source, rows)) in [&job.left, &job.right].into_iter().zip(&chosen.rows).enumerate() {
        if rows.count_set_bits() < rows.len() {
            let cx = scratch.context(source, staged.len() + index, Threads::new(job.limits.threads));
            sampled[index].file = sample::copy(&staged[index].file, rows, &cx).await?;
        }
    }
    Ok(sampled)
}

/// The same job over files that have been staged.
fn on_files(job: &Job, staged: &[Staged], output: Location) -> Job {
    let source = |source: &Source, staged: &Staged| Source {
        alias: source.alias.clone(),
        uri: SourceUri::File(staged.file.location().clone()),
        filters: Vec::new(),
        primary_key: source.primary_key.clone(),
        options: ReadOptions { format: Some(FileFormat::Parquet), ..ReadOptions::default() },
    };
    let mut sources = job.sources().zip(staged).map(|(one, staged)| source(one, staged));
    let (left, right) = (sources.next(), sources.next());
    Job {
        left: left.unwrap_or_else(|| job.left.clone()),
        right: right.unwrap_or_else(|| job.right.clone()),
        extras: sources.collect(),
        output,
        format: ResultFormat::Parquet,
        keep_staged: false,
        ..job.clone()
    }
}

/// The tables of a job over some files.
async fn planned(job: &Job, staged: &[Staged]) -> Result<Tables> {
    let sources = job.sources().zip(staged);
    let files: Vec<_> =
        sources.map(|(source, s)| (source.alias.as_str(), s.file.clone(), s.facts.notes.clone())).collect();
    Tables::plan(&job.match_sql, &files, &job.limits).await
}

/// Counts pairs of rows.
struct Funnels<'a> {
    ctx: &'a SessionContext,
    limits: &'a Limits,
}

impl Funnels<'_> {
    /// Counts the pairs of a pass; the key of the sample first, because it leaves few.
    async fn funnel(&self, pass: &Pass, chosen: &Sample) -> Result<Funnel> {
        let key = chosen.key.as_deref();
        let mut equal = Vec::new();
        let mut others = Vec::new();
        let mut by_key = key.is_none() || chosen.whole;
        for condition in &pass.conditions {
            if key == Some(wording::condition(&condition.expr).as_str()) {
                by_key = true;
                equal.insert(0, condition);
            } else if sample::equality(pass, &condition.expr).map_err(broken)?.is_some() {
                equal.push(condition);
            } else {
                others.push(condition);
            }
        }
        let ordered: Vec<&Condition> = equal.into_iter().chain(others).collect();
        let mut rows = [0; 2];
        for (rows, input) in rows.iter_mut().zip(&pass.inputs) {
            *rows = self.count(input.clone(), &[]).await?[0];
        }
        let pairs = rows[0].saturating_mul(rows[1]);
        let mut counts = Vec::new();
        if let Some((first, rest)) = ordered.split_first() {
            let [left, right] = pass.inputs.clone();
            let joined = LogicalPlanBuilder::from(left)
                .join_on(right, JoinType::Inner, [first.expr.clone()])
                .and_then(LogicalPlanBuilder::build)
                .map_err(broken)?;
            let rest: Vec<Expr> = rest.iter().map(|condition| condition.expr.clone()).collect();
            counts = self.count(joined, &rest).await?;
        }
        let steps = ordered.iter().zip(counts);
        Ok(Funnel {
            name: pass.name.clone(),
            pairs,
            steps: steps.map(|(c, pairs)| Step { condition: wording::condition(&c.written), pairs }).collect(),
            later: pass.later.iter().map(Later::text).collect(),
            by_key,
        })
    }

    /// The rows of a plan, then those that meet the first condition, those that meet the first two, …
    async fn count(&self, plan: LogicalPlan, conditions: &[Expr]) -> Result<Vec<u64>> {
        let failed = |e| query::execution_error(e, self.limits);
        // A column at least: what has none has no rows either for some operators.
        let columns = [lit(true)].into_iter().chain(conditions.iter().cloned());
        let columns = columns.enumerate().map(|(n, expr)| expr.alias(format!("{}{n}", super::OWN)));
        let plan = LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build);
        let physical = query::physical_plan(self.ctx, &plan.map_err(broken)?).await.map_err(failed)?;
        let mut parts = JoinSet::new();
        for stream in execute_stream_partitioned(physical, self.ctx.task_ctx()).map_err(failed)? {
            parts.spawn(count(stream, conditions.len() + 1, self.limits.clone()));
        }
        let mut counts = vec![0; conditions.len() + 1];
        while let Some(part) = tasks::next_of(&mut parts).await? {
            counts.iter_mut().zip(part).for_each(|(count, more)| *count += more);
        }
        Ok(counts)
    }
}

async fn count(mut rows: SendableRecordBatchStream, columns: usize, limits: Limits) -> Result<Vec<u64>> {
    let mut counts = vec![0; columns];
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|e| query::execution_error(e, &limits))?;
        let mut passing: Option<BooleanArray> = None;
        for (column, count) in batch.columns().iter().zip(&mut counts) {
            let holds = column.as_boolean();
            let holds = if holds.null_count() > 0 { prep_null_mask_filter(holds) } else { holds.clone() };
            let both = match passing {
                Some(before) => boolean::and(&before, &holds).map_err(|e| Error::defect_of("counting", e))?,
                None => holds,
            };
            *count += both.true_count() as u64;
            passing = Some(both);
        }
        tokio::task::yield_now().await;
    }
    Ok(counts)
}
