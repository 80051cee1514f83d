//! Some rows of both sides that belong together: those whose key falls into a share of all keys, so that rows which match
//! are either both in the sample or both not.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array as _, ArrayRef, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Operator, cast};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt as _;

use super::broken;
use super::passes::Pass;
use super::probe::{Probe, with_numbers};
use crate::error::{Error, Result};
use crate::lineage::{self, RowsBehind};
use crate::query;
use crate::query::wording;
use crate::stage::{RowFile, StageContext};

/// Rows that are read together.
const UNIT_ROWS: u64 = 128 * 1024;
/// Pairs that a sample may make where no key keeps them apart.
const MOST_PAIRS: u64 = 100_000_000;
/// A key that tells as few rows apart as this, next to the best, is none.
const TELLING: f64 = 0.5;

/// Which rows are in the sample, left and right.
pub struct Sample {
    /// The condition whose two sides are the key; `None` where there is none, and all rows of the right side are in.
    pub key: Option<String>,
    /// Whether every row is in, because there are few.
    pub whole: bool,
    pub rows: [BooleanBuffer; 2],
}

/// An equality between something of the left and something of the right side.
struct Key {
    text: String,
    /// Passes that want it.
    passes: usize,
    /// Of the two inputs of the first pass that does.
    inputs: [LogicalPlan; 2],
    /// In one type, so that equal values have equal hashes.
    sides: [Expr; 2],
}

/// Chooses about `wanted` rows of the larger side, and of the other what belongs to them. `rows` is how many there are.
pub async fn choose(probe: &Probe<'_>, passes: &[Pass], rows: [u64; 2], wanted: u64) -> Result<Sample> {
    let counts = rows.map(|rows| usize::try_from(rows).map_err(|_| Error::defect(format!("{rows} rows are too many"))));
    let [left, right] = counts;
    let counts = [left?, right?];
    let whole = rows[0].max(rows[1]) <= wanted;
    let key = best_key(probe, keys(passes)?).await?;
    if whole {
        let key = key.map(|key| key.text);
        return Ok(Sample { key, whole, rows: counts.map(BooleanBuffer::new_set) });
    }
    let Some(key) = key else {
        // Each row of the left side meets all of the right side.
        let few = wanted.min((MOST_PAIRS / rows[1].max(1)).max(1));
        let left = by_number(counts[0], share(few, rows[0]));
        return Ok(Sample { key: None, whole, rows: [left, BooleanBuffer::new_set(counts[1])] });
    };
    let share = share(wanted, rows[0].max(rows[1]));
    let chosen = [of_key(probe, &key, 0, counts[0], share).await?, of_key(probe, &key, 1, counts[1], share).await?];
    Ok(Sample { key: Some(key.text), whole, rows: chosen })
}

/// The key that tells most rows apart. One alone is not asked how many.
async fn best_key(probe: &Probe<'_>, mut keys: Vec<Key>) -> Result<Option<Key>> {
    if keys.len() < 2 {
        return Ok(keys.pop());
    }
    let mut best: Option<(Key, f64)> = None;
    for key in keys {
        let mut distinct = [Distinct::default(), Distinct::default()];
        for (side, distinct) in distinct.iter_mut().enumerate() {
            each_hash(probe, &key, side, |hash, _| distinct.add(hash)).await?;
        }
        let tells = distinct[0].estimate().min(distinct[1].estimate());
        if best.as_ref().is_none_or(|(other, known)| better((&key, tells), (other, *known))) {
            best = Some((key, tells));
        }
    }
    Ok(best.map(|(key, _)| key))
}

/// The rows of a side whose key falls into the share.
async fn of_key(probe: &Probe<'_>, key: &Key, side: usize, rows: usize, share: u64) -> Result<BooleanBuffer> {
    let none = || {
        let mut bits = BooleanBufferBuilder::new(rows);
        bits.append_n(rows, false);
        bits
    };
    let (mut with_key, mut chosen) = (none(), none());
    each_hash(probe, key, side, |hash, numbers| {
        for row in numbers.iter().filter_map(|row| usize::try_from(*row).ok()).filter(|row| *row < rows) {
            with_key.set_bit(row, true);
            if hash <= share {
                chosen.set_bit(row, true);
            }
        }
    })
    .await?;
    // Rows without a key match by nothing, and are as often in the sample as others.
    let rest = &!&with_key.finish() & &by_number(rows, share);
    Ok(&chosen.finish() | &rest)
}

/// About how many different hashes there are, from the least of them.
#[derive(Default)]
struct Distinct(BTreeSet<u64>);

impl Distinct {
    const KEPT: usize = 4096;

    fn add(&mut self, hash: u64) {
        if self.0.len() < Self::KEPT || self.0.last().is_some_and(|last| hash < *last) {
            self.0.insert(hash);
            if self.0.len() > Self::KEPT {
                self.0.pop_last();
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn estimate(&self) -> f64 {
        match self.0.last() {
            Some(last) if self.0.len() == Self::KEPT => Self::KEPT as f64 / (*last as f64 / u64::MAX as f64),
            _ => self.0.len() as f64,
        }
    }
}

/// The greatest hash of a sample of `wanted` in `rows`.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
fn share(wanted: u64, rows: u64) -> u64 {
    (wanted as f64 / rows.max(1) as f64 * u64::MAX as f64) as u64
}

fn by_number(rows: usize, share: u64) -> BooleanBuffer {
    // The finaliser of SplitMix64: numbers that follow each other have nothing in common after it.
    let mixed = |row: usize| {
        let mut z = (row as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    BooleanBuffer::collect_bool(rows, |row| mixed(row) <= share)
}

/// The one that tells more rows apart; of two that do so about alike the one that more passes want.
fn better((key, own): (&Key, f64), (other, known): (&Key, f64)) -> bool {
    if own < TELLING * known || known < TELLING * own {
        return own > known;
    }
    key.passes > other.passes
}

/// The equalities of all passes, each once.
fn keys(passes: &[Pass]) -> Result<Vec<Key>> {
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    let mut order = Vec::new();
    for pass in passes {
        for condition in &pass.conditions {
            let text = wording::condition(&condition.expr);
            if let Some(key) = keys.get_mut(&text) {
                key.passes += 1;
                continue;
            }
            if let Some(sides) = equality(pass, &condition.expr).map_err(broken)? {
                order.push(text.clone());
                keys.insert(text.clone(), Key { text, passes: 1, inputs: pass.inputs.clone(), sides });
            }
        }
    }
    Ok(order.iter().filter_map(|text| keys.remove(text)).collect())
}

/// The two sides of a condition, left and right, if it wants something of one to equal something of the other.
pub fn equality(pass: &Pass, expr: &Expr) -> datafusion::common::Result<Option<[Expr; 2]>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return Ok(None) };
    let is_of = |expr: &Expr, side: usize| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.into_iter().all(|column| pass.inputs[side].schema().has_column(column))
    };
    let sides = if is_of(left, 0) && is_of(right, 1) {
        [left, right]
    } else if is_of(left, 1) && is_of(right, 0) {
        [right, left]
    } else {
        return Ok(None);
    };
    let types = [sides[0].get_type(pass.inputs[0].schema())?, sides[1].get_type(pass.inputs[1].schema())?];
    let Some(common) = comparison_coercion(&types[0], &types[1]) else { return Ok(None) };
    Ok(Some(sides.map(|side| cast(side.as_ref().clone(), common.clone()))))
}

/// Gives the hash of every key of a side that is not NULL, and the numbers of the rows behind it.
async fn each_hash(probe: &Probe<'_>, key: &Key, side: usize, mut take: impl FnMut(u64, &[i64])) -> Result<()> {
    let traced = lineage::follow(&key.inputs[side], probe.sides)?;
    let (projection, columns) = with_numbers(&traced, std::slice::from_ref(&key.sides[side]));
    let plan = LogicalPlanBuilder::from(traced.plan.clone()).project(projection);
    let plan = plan.and_then(LogicalPlanBuilder::build).map_err(broken)?;
    let failed = |e| query::execution_error(e, probe.limits);
    let physical = query::physical_plan(probe.ctx, &plan).await.map_err(failed)?;
    let mut stream = execute_stream(physical, probe.ctx.task_ctx()).map_err(failed)?;
    let state = QualityRandomState::with_seed(0);
    let mut hashes = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(failed)?;
        let mut behind = RowsBehind::new(&batch, &columns[side], &traced.groups, usize::MAX)?;
        let values: &ArrayRef = batch.column(0);
        hashes.clear();
        hashes.resize(batch.num_rows(), 0);
        create_hashes([values], &state, &mut hashes).map_err(broken)?;
        for (row, hash) in hashes.iter().enumerate().filter(|(row, _)| values.is_valid(*row)) {
            take(*hash, behind.read(row)?);
        }
    }
    Ok(())
}

/// Copies the rows that are set in `rows` to a file of their own.
pub async fn copy(file: &RowFile, rows: &BooleanBuffer, cx: &StageContext) -> Result<RowFile> {
    let writer = cx.create(file.schema())?;
    for (index, unit) in (0..).zip(file.units(UNIT_ROWS)) {
        cx.check_cancelled()?;
        let selected = unit.part_of(rows)?;
        let batches = if selected.count_set_bits() == 0 { Vec::new() } else { file.read(&unit, selected).await? };
        writer.write(index, &batches).await?;
    }
    writer.finish().await
}
