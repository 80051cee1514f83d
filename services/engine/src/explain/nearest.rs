//! The rows of the other side that come nearest to meeting the conditions of a pass.
//!
//! Near is what hardly comes about by chance. Of each condition it is known how many of all rows meet it, and of a sample
//! how far the others are from it; so of a row it can be said which share of all rows is as near as it, condition by
//! condition. The product of the shares, times the number of rows, is how many rows would come so near if conditions had
//! nothing to do with each other. An equal reference weighs much, because no other row has it; an equal currency little.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::Column as Named;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use super::broken;
use super::measure::{Costs, Measure, Outcome};
use super::passes::Pass;
use super::probe::{Probe, first_columns, with_numbers};
use super::survey::{FEW, Survey};
use super::written::is_matched;
use crate::error::{Error, Result};
use crate::job::Limits;
use crate::lineage::{self, Groups, RowsBehind};
use crate::query;
use crate::tasks;

/// How much likelier chance becomes when the row is matched already, with another.
const TAKEN: f64 = 100.0;
/// More rows as near by chance, and a row is not taken for the one that is missed; unless it is one of few, and has the very
/// key, or fails one condition only, and slightly.
const CHANCE: f64 = 0.15;
/// What a condition costs that fails slightly.
const SLIGHT: f64 = 0.3;

/// A row of the other side, or a group of them.
pub struct Near {
    /// How many rows would come as near by chance.
    pub chance: f64,
    /// Whether it is likely to be the row that is missed.
    pub near: bool,
    /// How far it is from meeting all conditions; 0 when it does.
    distance: f64,
    /// Ascending.
    pub rows: Vec<i64>,
    /// One row: of every condition whether it holds, then its operands.
    values: RecordBatch,
}

impl Near {
    /// What became of the conditions.
    pub fn outcomes(&self, measures: &[Measure]) -> Result<Vec<Outcome>> {
        let mut columns = self.values.columns();
        let outcome = |measure: &Measure| {
            let (own, rest) = columns.split_at(1 + measure.operands.len());
            columns = rest;
            measure.outcome(own[0].as_boolean(), &own[1..])
        };
        measures.iter().map(outcome).collect()
    }
}

/// The `most` nearest rows of side `other` (0 or 1) to the rows of the other input that were `found`. `unmatched` has a
/// bit for every row of the side.
pub async fn nearest(
    probe: &Probe<'_>,
    pass: &Pass,
    measures: &[Measure],
    found: &[RecordBatch],
    other: usize,
    unmatched: &BooleanBuffer,
    most: usize,
) -> Result<Vec<Near>> {
    let plan = &pass.inputs[1 - other];
    let traced = lineage::follow(&pass.inputs[other], probe.sides)?;
    let asked = pass.conditions.iter().zip(measures);
    let exprs: Vec<Expr> =
        asked.flat_map(|(condition, m)| [condition.expr.clone()].into_iter().chain(m.operands.clone())).collect();
    let (projection, columns) = with_numbers(&traced, &exprs);
    let pairs = LogicalPlanBuilder::from(as_table(plan, found)?)
        .cross_join(traced.plan.clone())
        .and_then(|pairs| pairs.project(projection))
        .and_then(LogicalPlanBuilder::build)
        .map_err(broken)?;
    let failed = |e| query::execution_error(e, probe.limits);
    let physical = query::physical_plan(probe.ctx, &pairs).await.map_err(failed)?;
    let asked = Arc::new(Asked {
        measures: measures.to_vec(),
        of_one_side: pass.conditions.iter().map(|c| is_of(plan, &c.expr)).collect(),
        numbers: columns[other].clone(),
        groups: Arc::clone(&traced.groups),
        width: exprs.len(),
        unmatched: unmatched.clone(),
        limits: probe.limits.clone(),
        most,
    });
    let mut surveys = JoinSet::new();
    for stream in execute_stream_partitioned(Arc::clone(&physical), probe.ctx.task_ctx()).map_err(failed)? {
        surveys.spawn(Survey::over(Arc::clone(&asked), stream));
    }
    let mut survey = Survey::new(measures.len());
    while let Some(part) = tasks::next_of(&mut surveys).await? {
        survey.merge(part);
    }
    let survey = Arc::new(survey.finish());
    // The metrics of an executed plan are kept in it: what runs again is another.
    let physical = reset_plan_states(physical).map_err(failed)?;
    let mut searches = JoinSet::new();
    for stream in execute_stream_partitioned(physical, probe.ctx.task_ctx()).map_err(failed)? {
        searches.spawn(search(Arc::clone(&asked), Arc::clone(&survey), stream));
    }
    let mut best = Vec::new();
    while let Some(found) = tasks::next_of(&mut searches).await? {
        for near in found {
            insert(&mut best, near, most);
        }
    }
    Ok(best)
}

fn is_of(plan: &LogicalPlan, expr: &Expr) -> bool {
    expr.column_refs().into_iter().all(|column| plan.schema().has_column(column))
}

/// The rows that were found, as a plan with the columns of the one that they were found in.
fn as_table(plan: &LogicalPlan, found: &[RecordBatch]) -> Result<LogicalPlan> {
    let wrong = |e: arrow::error::ArrowError| Error::defect_of("explaining", e);
    let name = |n: usize| format!("{}{n}", super::OWN);
    let fields = plan.schema().fields().iter().enumerate();
    let fields: Vec<Field> = fields.map(|(n, field)| Field::new(name(n), field.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batches: Vec<RecordBatch> = found
        .iter()
        .map(|found| RecordBatch::try_new(Arc::clone(&schema), found.columns().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    let batch = concat_batches(&schema, &batches).map_err(wrong)?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(broken)?;
    let columns = plan.schema().columns().into_iter().enumerate().map(|(n, column)| {
        Expr::Column(Named::from_qualified_name(format!("{}.{}", super::OWN, name(n))))
            .alias_qualified(column.relation, column.name)
    });
    LogicalPlanBuilder::scan(super::OWN, provider_as_source(Arc::new(table)), None)
        .and_then(|scan| scan.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(broken)
}

/// What is asked of the pairs.
pub struct Asked {
    pub measures: Vec<Measure>,
    /// Whether a condition is about the row that is asked about alone.
    of_one_side: Vec<bool>,
    /// Positions of the row numbers.
    pub numbers: Vec<usize>,
    pub groups: Arc<Groups>,
    /// Columns of the conditions.
    width: usize,
    pub unmatched: BooleanBuffer,
    pub limits: Limits,
    most: usize,
}

/// A condition in a batch: where it holds, and its operands.
pub struct Column<'a> {
    pub holds: &'a BooleanArray,
    operands: &'a [ArrayRef],
    costs: Option<Costs<'a>>,
}

impl<'a> Column<'a> {
    pub fn holds(&self, row: usize) -> bool {
        self.holds.is_valid(row) && self.holds.value(row)
    }

    /// What the row costs, in which the condition does not hold.
    pub fn cost(&mut self, measure: &'a Measure, row: usize) -> Result<f64> {
        let costs = match &mut self.costs {
            Some(costs) => costs,
            none => none.insert(measure.costs(self.operands)?),
        };
        Ok(costs.at(row))
    }
}

impl Asked {
    pub fn columns<'a>(&self, batch: &'a RecordBatch) -> Vec<Column<'a>> {
        let mut rest = batch.columns();
        let column = |measure: &Measure| {
            let (own, others) = rest.split_at(1 + measure.operands.len());
            rest = others;
            Column { holds: own[0].as_boolean(), operands: &own[1..], costs: None }
        };
        self.measures.iter().map(column).collect()
    }

    fn is_taken(&self, rows: &[i64]) -> bool {
        rows.iter().any(|row| is_matched(&self.unmatched, *row))
    }
}

/// Looks for the nearest rows in one partition of the pairs.
async fn search(asked: Arc<Asked>, survey: Arc<Survey>, mut pairs: SendableRecordBatchStream) -> Result<Vec<Near>> {
    let mut best = Vec::new();
    while let Some(batch) = pairs.next().await {
        let batch = batch.map_err(|e| query::execution_error(e, &asked.limits))?;
        look(&asked, &survey, &batch, &mut best)?;
        tokio::task::yield_now().await;
    }
    Ok(best)
}

fn look(asked: &Asked, survey: &Survey, batch: &RecordBatch, best: &mut Vec<Near>) -> Result<()> {
    let mut behind = RowsBehind::new(batch, &asked.numbers, &asked.groups, usize::MAX)?;
    let mut columns = asked.columns(batch);
    let holding: Vec<f64> = (0..columns.len()).map(|condition| survey.holding(condition)).collect();
    // What no row goes below, whatever else it does.
    let least: f64 = holding.iter().sum();
    for row in 0..batch.num_rows() {
        let rows = behind.read(row)?;
        if rows.is_empty() {
            // What an outer join below has filled up.
            continue;
        }
        let fails = columns.iter().any(|column| !column.holds(row));
        let taken = if fails && asked.is_taken(rows) { TAKEN } else { 1.0 };
        let worst = best.get(asked.most - 1).map_or(f64::INFINITY, |near: &Near| near.chance);
        let (mut share, mut distance) = (least, 0.0);
        let (mut has_key, mut slightly, mut failed) = (false, true, 0);
        let mut near = survey.chance(share) * taken <= worst;
        for (index, (column, measure)) in columns.iter_mut().zip(&asked.measures).enumerate() {
            if !near {
                break;
            }
            if column.holds(row) {
                has_key |= measure.is_equality() && survey.is_key(index);
            } else {
                let cost = column.cost(measure, row)?;
                // What is the same for every row says nothing about this one.
                if !asked.of_one_side[index] {
                    failed += 1;
                    slightly &= cost <= SLIGHT;
                }
                share += survey.as_near(index, cost) - holding[index];
                distance += cost;
                near = survey.chance(share) * taken <= worst;
            }
        }
        if near {
            let values = first_columns(batch, asked.width).slice(row, 1);
            let chance = survey.chance(share) * taken;
            let near = chance <= CHANCE || (chance <= FEW && (has_key || (slightly && failed == 1)));
            insert(best, Near { chance, near, distance, rows: rows.to_vec(), values }, asked.most);
        }
    }
    Ok(())
}

/// Keeps the `most` nearest, each row or group once; of equally near ones the first in its source.
fn insert(best: &mut Vec<Near>, near: Near, most: usize) {
    let order = |a: &Near, b: &Near| a.chance.total_cmp(&b.chance).then_with(|| a.distance.total_cmp(&b.distance));
    if let Some(same) = best.iter().position(|other| other.rows == near.rows) {
        if order(&best[same], &near).is_le() {
            return;
        }
        best.remove(same);
    }
    let at = best.partition_point(|other| order(other, &near).then_with(|| other.rows.cmp(&near.rows)).is_lt());
    if at < most {
        best.insert(at, near);
        best.truncate(most);
    }
}
