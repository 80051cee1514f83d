//! Row numbers as the last sort keys, wherever SQL leaves the order of rows open.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, ExprSchema as _, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Sort, SortExpr, Window, WindowFunctionDefinition};

/// Window functions whose value hangs on the order of rows with equal keys. Others treat such rows alike, and further
/// keys would change what they mean.
const NUMBERING: [&str; 4] = ["row_number", "ntile", "lag", "lead"];

/// Sort keys of the plain row numbers among `columns`.
pub(super) fn tie_breakers(schema: &DFSchema, columns: &[Column]) -> Vec<SortExpr> {
    let plain = |column: &&Column| schema.field_from_column(column).is_ok_and(|f| *f.data_type() == DataType::Int64);
    columns.iter().filter(plain).map(|column| Expr::Column(column.clone()).sort(true, false)).collect()
}

/// The input of a LIMIT in an order that leaves no choice which rows come first.
pub(super) fn ordered(input: Arc<LogicalPlan>, ties: Vec<SortExpr>) -> Arc<LogicalPlan> {
    if ties.is_empty() || is_ordered(&input) {
        return input;
    }
    Arc::new(LogicalPlan::Sort(Sort { expr: ties, input, fetch: None }))
}

fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) | LogicalPlan::Distinct(datafusion::logical_expr::Distinct::On(_)) => true,
        LogicalPlan::Projection(p) => is_ordered(&p.input),
        LogicalPlan::SubqueryAlias(a) => is_ordered(&a.input),
        LogicalPlan::Limit(l) => is_ordered(&l.input),
        _ => false,
    }
}

/// A window node whose numbering functions break ties. They keep their names, and go below the other functions because
/// all functions of one node must have the same sort keys.
pub(super) fn window(window: &Window, input: Arc<LogicalPlan>, ties: &[SortExpr]) -> Result<LogicalPlan> {
    let (mut numbering, mut others) = (Vec::new(), Vec::new());
    for expr in &window.window_expr {
        match with_ties(expr, ties) {
            Some(expr) => numbering.push(expr),
            None => others.push(expr.clone()),
        }
    }
    let mut plan = input;
    for exprs in [numbering, others] {
        if !exprs.is_empty() {
            plan = Arc::new(LogicalPlan::Window(Window::try_new(exprs, plan)?));
        }
    }
    Ok(Arc::unwrap_or_clone(plan))
}

fn with_ties(expr: &Expr, ties: &[SortExpr]) -> Option<Expr> {
    let (function, name) = match expr {
        Expr::Alias(alias) => (alias.expr.as_ref(), alias.name.clone()),
        function => (function, function.schema_name().to_string()),
    };
    let Expr::WindowFunction(function) = function else { return None };
    let numbering = matches!(&function.fun, WindowFunctionDefinition::WindowUDF(f) if NUMBERING.contains(&f.name()));
    if ties.is_empty() || !numbering {
        return None;
    }
    let mut function = function.clone();
    function.params.order_by.extend_from_slice(ties);
    Some(Expr::WindowFunction(function).alias(name))
}
