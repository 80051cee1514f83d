//! Rows of a plan by the numbers of the rows behind them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::Column;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt as _;

use super::broken;
use crate::error::Result;
use crate::job::Limits;
use crate::lineage::{self, RowsBehind, Side, SideTables, Trace, Traced};
use crate::query;

/// Rows that are found are as many as this.
const MOST: usize = 1000;

/// Asks plans.
pub struct Probe<'a> {
    pub ctx: &'a SessionContext,
    pub sides: &'a SideTables,
    pub limits: &'a Limits,
}

impl Probe<'_> {
    /// One by one, `exprs` of the rows of `plan` that come from one of the wanted rows, of each side that is asked about
    /// and that the plan can tell of.
    pub async fn rows(
        &self,
        plan: &LogicalPlan,
        exprs: &[Expr],
        wanted: [Option<&[i64]>; 2],
    ) -> Result<Vec<RecordBatch>> {
        let traced = lineage::follow(plan, self.sides)?;
        let mut builder = LogicalPlanBuilder::from(traced.plan.clone());
        for (side, wanted) in Side::BOTH.into_iter().zip(wanted) {
            if let (Some(wanted), [number]) = (wanted, numbers(&traced, side).as_slice())
                && is_plain(&traced, side)
            {
                let list = wanted.iter().map(|row| lit(*row)).collect();
                builder = builder.filter(number.clone().in_list(list, false)).map_err(broken)?;
            }
        }
        let (projection, columns) = with_numbers(&traced, exprs);
        let plan = builder.project(projection).and_then(LogicalPlanBuilder::build).map_err(broken)?;
        let failed = |e| query::execution_error(e, self.limits);
        let physical = query::physical_plan(self.ctx, &plan).await.map_err(failed)?;
        let mut stream = execute_stream(physical, self.ctx.task_ctx()).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            let behind = |side: usize| RowsBehind::new(&batch, &columns[side], &traced.groups, usize::MAX);
            let mut behind = [behind(0)?, behind(1)?];
            for row in 0..batch.num_rows() {
                let mut asked = true;
                for (side, wanted) in wanted.iter().enumerate() {
                    let Some(wanted) = wanted.filter(|_| asked && !columns[side].is_empty()) else { continue };
                    let rows = behind[side].read(row)?;
                    asked = wanted.iter().any(|row| rows.binary_search(row).is_ok());
                }
                if asked {
                    found.push(first_columns(&batch, exprs.len()).slice(row, 1));
                }
            }
            if found.len() >= MOST {
                break;
            }
        }
        Ok(found)
    }
}

/// The first columns of a batch.
pub fn first_columns(batch: &RecordBatch, count: usize) -> RecordBatch {
    let fields: Vec<_> = batch.schema().fields().iter().take(count).cloned().collect();
    let columns = batch.columns().iter().take(count).cloned().collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    // They were a batch before.
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .unwrap_or_else(|_| batch.clone())
}

/// `exprs` and the row numbers behind `traced`; where in the projection those of each side are.
pub fn with_numbers(traced: &Traced, exprs: &[Expr]) -> (Vec<Expr>, [Vec<usize>; 2]) {
    let mut projection: Vec<Expr> =
        exprs.iter().enumerate().map(|(n, expr)| expr.clone().alias(format!("{}{n}", super::OWN))).collect();
    let columns = Side::BOTH.map(|side| {
        let first = projection.len();
        projection.extend(numbers(traced, side));
        (first..projection.len()).collect()
    });
    (projection, columns)
}

/// The row number columns of a side.
fn numbers(traced: &Traced, side: Side) -> Vec<Expr> {
    let column = |index: &usize| Expr::Column(Column::from(traced.plan.schema().qualified_field(*index)));
    match traced.trace(side) {
        Trace::Rows(columns) => columns.iter().map(column).collect(),
        Trace::Lost(_) => Vec::new(),
    }
}

fn is_plain(traced: &Traced, side: Side) -> bool {
    let plain = |index: &usize| *traced.plan.schema().field(*index).data_type() == DataType::Int64;
    matches!(traced.trace(side), Trace::Rows(columns) if columns.iter().all(plain))
}
