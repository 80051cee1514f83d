//! `-x` of integers is `0 - x`, which says that it does not fit: DataFusion leaves the least integer what it is.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan, lit};

use crate::functions::{Arithmetic, Operation};

pub(super) fn checked(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let checked = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let checked = expr.transform_up(|expr| match &expr {
                Expr::Negative(operand) if operand.get_type(&schema)?.is_integer() => {
                    let (zero, operand) =
                        ((lit(0_i64), &DataType::Int64), (operand.as_ref().clone(), &DataType::Int64));
                    let subtracted = Arithmetic::over(Operation::Subtract, zero, operand, String::new());
                    Ok(subtracted.map_or_else(|| Transformed::no(expr), Transformed::yes))
                }
                _ => Ok(Transformed::no(expr)),
            })?;
            Ok(checked.update_data(|expr| name.restore(expr)))
        })?;
        if checked.transformed { checked.map_data(LogicalPlan::recompute_schema) } else { Ok(checked) }
    })
    .data()
}
