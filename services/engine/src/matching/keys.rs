//! The fallback where row numbers cannot pass: rows of a side count as matched when their primary key stands in the output.

use std::sync::Arc;

use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, DataFusionError};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, ident};
use futures::StreamExt as _;

use crate::lineage::{Marks, ROW_NUMBER, Side};

/// Marks the rows of `side` whose `keys` equal those of an output row. `present` are the columns that an output row
/// must have for its sides to have met: the keys of every side that is followed by key.
pub async fn mark_by_keys(
    ctx: &SessionContext,
    output: &LogicalPlan,
    rows: Arc<dyn TableProvider>,
    side: Side,
    keys: &[String],
    present: &[String],
    marks: &mut Marks,
) -> Result<(), DataFusionError> {
    let theirs = |key: &String| format!("__kalla_key_{key}");
    let wanted: Vec<Expr> =
        keys.iter().map(|k| column(output, k).map(|c| c.alias(theirs(k)))).collect::<Result<_, _>>()?;
    let mut met = LogicalPlanBuilder::from(output.clone());
    for name in present {
        met = met.filter(column(output, name)?.is_not_null())?;
    }
    let met = DataFrame::new(ctx.state(), met.project(wanted)?.build()?);

    let needed: Vec<Expr> = [ident(ROW_NUMBER)].into_iter().chain(keys.iter().map(ident)).collect();
    let on: Vec<Expr> = keys.iter().map(|k| ident(k).eq(ident(theirs(k)))).collect();
    let found = ctx.read_table(rows)?.select(needed)?.join_on(met, JoinType::LeftSemi, on)?;
    let mut stream = found.select(vec![ident(ROW_NUMBER)])?.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        for row in batch?.column(0).as_primitive::<Int64Type>().values() {
            marks.set(side, *row).map_err(|e| DataFusionError::External(Box::new(e)))?;
        }
    }
    Ok(())
}

fn column(plan: &LogicalPlan, name: &str) -> Result<Expr, DataFusionError> {
    let index = plan.schema().fields().iter().position(|f| f.name() == name);
    let index = index.ok_or_else(|| DataFusionError::Plan(format!("no output column `{name}`")))?;
    Ok(Expr::Column(Column::from(plan.schema().qualified_field(index))))
}
