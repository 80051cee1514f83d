//! `-x` of integers is `0 - x`, which says that it does not fit: DataFusion leaves the least integer what it is. A decimal that is CAST
//! to an integer is rounded: DataFusion cuts it.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan, lit};

use crate::functions::{Arithmetic, Operation, nearest_integer};

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
                Expr::Cast(cast) if cast.field.data_type().is_integer() => rounded(expr, &schema),
                Expr::TryCast(cast) if cast.field.data_type().is_integer() => rounded(expr, &schema),
                _ => Ok(Transformed::no(expr)),
            })?;
            Ok(checked.update_data(|expr| name.restore(expr)))
        })?;
        if checked.transformed { checked.map_data(LogicalPlan::recompute_schema) } else { Ok(checked) }
    })
    .data()
}

/// A cast to an integer.
fn rounded(mut cast: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let operand = match &mut cast {
        Expr::Cast(cast) => &mut cast.expr,
        Expr::TryCast(cast) => &mut cast.expr,
        _ => return Ok(Transformed::no(cast)),
    };
    if !operand.get_type(schema)?.is_decimal() {
        return Ok(Transformed::no(cast));
    }
    **operand = nearest_integer().call(vec![operand.as_ref().clone()]);
    Ok(Transformed::yes(cast))
}
