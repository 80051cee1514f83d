//! The columns of a UNION are its own. DataFusion leaves those of the branches under the names of their tables and, where UNIONs are
//! inside of each other, refers to them by the bare name: a condition on `k` above the UNION is then one on whatever is called `k`
//! below it, and is asked of the wrong side of a join.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};

/// The plan whose branches of UNIONs call their columns as the UNION does, without a table.
pub(super) fn named(plan: LogicalPlan) -> Result<LogicalPlan> {
    let renamed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Union(Union { inputs, schema }) = node else { return Ok(Transformed::no(node)) };
        let inputs = inputs.into_iter().map(|input| branch(input, &schema)).collect::<Result<_>>()?;
        Ok(Transformed::yes(LogicalPlan::Union(Union { inputs, schema })))
    });
    renamed.data()
}

fn branch(input: Arc<LogicalPlan>, union: &DFSchema) -> Result<Arc<LogicalPlan>> {
    let columns = input.schema().columns();
    if columns.iter().all(|column| column.relation.is_none()) {
        return Ok(input);
    }
    let named = columns.into_iter().zip(union.fields()).map(|(column, field)| Expr::Column(column).alias(field.name()));
    Projection::try_new(named.collect(), input).map(|branch| Arc::new(LogicalPlan::Projection(branch)))
}
