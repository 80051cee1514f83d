//! The DataFusion session that a job's match runs in.
//!
//! # What spills (DataFusion 55)
//!
//! | operator | past the memory limit |
//! |---|---|
//! | sort, grouped aggregate, repartition, window over a sort | spills |
//! | sort-merge join | spills: its two sorts, and the rows of one key when they are many |
//! | nested-loop join | spills its build side and reads the probe side again for each part of it |
//! | hash join | fails with `ResourcesExhausted`: build rows and hash table have to fit |
//! | cross join, `NOT IN` with NULLs (always a hash join) | fails: the build side has to fit |
//!
//! A hash join reserves its build rows (8 bytes for a number, 16 for a decimal, 16 and the bytes beyond 12 for a text)
//! and some 30 bytes a row for its table. It then copies the build rows into one batch, which it does not reserve: the
//! true peak is up to twice the rows plus the table, for one partition at a time. More partitions than threads
//! therefore lower the peak, not the speed.
//!
//! DataFusion plans a sort-merge join only when `prefer_hash_join` is off and there are at least two partitions: with
//! one it takes a hash join whatever the setting says. [`Joins::Sorted`] sees to both.
//!
//! A nested-loop join that spills gives wrong rows for LEFT, FULL, LEFT SEMI and LEFT ANTI joins of more than one
//! partition: each partition reports the left rows that *it* found no partner for. [`physical_plan`] plans such a
//! statement for one partition.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::error::{Error, Result};
use crate::functions;
use crate::job::Limits;

/// How rows with equal keys are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// The fastest; the smaller side of every equi-join has to fit into the memory limit.
    Hashed,
    /// By sorting both sides, which spills: for sides that do not fit.
    Sorted,
}

impl Joins {
    /// The right way for a build side of `rows` rows of `row_bytes` bytes, counting only columns that the statement
    /// reads: hashed while the table and two copies of a partition's rows stay within two thirds of the limit.
    pub fn choose(limits: &Limits, rows: u64, row_bytes: u64) -> Self {
        const TABLE_BYTES: u64 = 40;
        let partitions = partitions(limits, Self::Hashed) as u64;
        let kept = rows.saturating_mul(row_bytes.saturating_add(TABLE_BYTES));
        let copied = rows.saturating_mul(row_bytes) / partitions;
        if kept.saturating_add(copied) <= limits.memory / 3 * 2 { Self::Hashed } else { Self::Sorted }
    }
}

/// A session without any table, without access to files, with the functions of [`functions`].
///
/// Operators share `limits.memory` bytes and spill to `limits.spill_dir`.
pub fn session(limits: &Limits, joins: Joins) -> Result<SessionContext> {
    let disk = match &limits.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory), NonZeroUsize::MIN.saturating_add(2));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk).with_max_temp_directory_size(u64::MAX))
        .build_arc()
        .map_err(|e| Error::Output { path: spill_path(limits), reason: e.strip_backtrace() })?;
    let state = SessionStateBuilder::new()
        .with_config(config(limits, joins))
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let ctx = SessionContext::new_with_state(state);
    functions::register(&ctx);
    Ok(ctx)
}

/// All but the pushing of filters into scans of a physical plan: DataFusion 55 finds the columns of such a filter by
/// their names, and so takes `l.a > 5 OR r.id IS NULL` above an outer join for a filter of a right side that has an `a`
/// too. The logical plan has pushed the filters by then.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    PhysicalOptimizer::new().rules.into_iter().filter(|rule| !rule.name().starts_with("FilterPushdown")).collect()
}

fn config(limits: &Limits, joins: Joins) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions(limits, joins))
        .with_batch_size(8192)
        .with_information_schema(false)
        .with_collect_statistics(true);
    let options = config.options_mut();
    // 0.02 in SQL is the decimal 0.02, never the float next to it.
    options.sql_parser.parse_float_as_decimal = true;
    // Errors name line and column.
    options.sql_parser.collect_spans = true;
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.prefer_hash_join = joins == Joins::Hashed;
    // A batch of candidates for a key that half of the rows share would otherwise be as long as the other side.
    options.execution.enforce_batch_size_in_joins = true;
    options.execution.planning_concurrency = limits.threads.max(1);
    // What every sort sets aside for merging, which is all of a small limit otherwise.
    let aside = options.execution.sort_spill_reservation_bytes;
    options.execution.sort_spill_reservation_bytes = aside.min(usize::try_from(limits.memory / 32).unwrap_or(aside));
    config
}

fn partitions(limits: &Limits, joins: Joins) -> usize {
    match joins {
        Joins::Hashed => limits.threads.max(1),
        Joins::Sorted => limits.threads.max(2),
    }
}

fn spill_path(limits: &Limits) -> String {
    limits.spill_dir.as_ref().map_or_else(|| "the temporary directory".to_owned(), |dir| dir.display().to_string())
}

/// The physical plan of `plan`, safe to run under the session's memory limit.
pub async fn physical_plan(
    ctx: &SessionContext,
    plan: &LogicalPlan,
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    let physical = ctx.state().create_physical_plan(plan).await?;
    if !spills_wrongly(&physical)? {
        return Ok(physical);
    }
    let state = ctx.state();
    let config = state.config().clone().with_target_partitions(1);
    SessionStateBuilder::new_from_existing(state).with_config(config).build().create_physical_plan(plan).await
}

/// Whether a nested-loop join of several partitions reports left rows without a partner.
fn spills_wrongly(plan: &Arc<dyn ExecutionPlan>) -> datafusion::common::Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let reports_left = matches!(
                join.join_type(),
                JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
            );
            if reports_left && join.right().output_partitioning().partition_count() > 1 {
                found = true;
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
