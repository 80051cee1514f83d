//! Further sort keys wherever SQL leaves the order of rows open.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Sort, SortExpr, Window};

use crate::query::order::{self, Ties};

/// The input of a LIMIT in an order that leaves no choice which rows come first.
pub(super) fn ordered(input: Arc<LogicalPlan>, ties: Vec<SortExpr>) -> Arc<LogicalPlan> {
    if ties.is_empty() || is_ordered(&input) {
        return input;
    }
    Arc::new(LogicalPlan::Sort(Sort { expr: ties, input, fetch: None }))
}

fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) | LogicalPlan::Distinct(Distinct::On(_)) => true,
        LogicalPlan::Projection(p) => is_ordered(&p.input),
        LogicalPlan::SubqueryAlias(a) => is_ordered(&a.input),
        LogicalPlan::Limit(l) => is_ordered(&l.input),
        _ => false,
    }
}

/// A window node whose functions break ties where they must. They keep their names, and go below the other functions because
/// all functions of one node must have the same sort keys.
pub(super) fn window(window: &Window, input: Arc<LogicalPlan>, ties: &[SortExpr]) -> Result<LogicalPlan> {
    let (mut broken, mut others) = (Vec::new(), Vec::new());
    for expr in &window.window_expr {
        match window_with_ties(expr, ties) {
            Some(expr) => broken.push(expr),
            None => others.push(expr.clone()),
        }
    }
    let mut plan = input;
    for exprs in [broken, others] {
        if !exprs.is_empty() {
            plan = Arc::new(LogicalPlan::Window(Window::try_new(exprs, plan)?));
        }
    }
    Ok(Arc::unwrap_or_clone(plan))
}

fn window_with_ties(expr: &Expr, ties: &[SortExpr]) -> Option<Expr> {
    let (function, name) = named(expr);
    let Expr::WindowFunction(function) = function else { return None };
    let Ties::Broken(frame) = order::window(function) else { return None };
    if ties.is_empty() {
        return None;
    }
    let mut function = function.clone();
    function.params.window_frame = frame;
    function.params.order_by.extend_from_slice(ties);
    Some(Expr::WindowFunction(function).alias(name))
}

/// An aggregate that takes its rows in an order without ties, under the same name.
pub(super) fn aggregate(expr: &Expr, ties: &[SortExpr]) -> Expr {
    let (function, name) = named(expr);
    let Expr::AggregateFunction(function) = function else { return expr.clone() };
    if ties.is_empty() || !order::is_ordered(function) {
        return expr.clone();
    }
    let mut function = function.clone();
    let params = &mut function.params;
    match params.args.first() {
        // Equal values are one, so that the value itself is all that there is to sort by.
        Some(value) if params.distinct && params.order_by.is_empty() => {
            params.order_by.push(value.clone().sort(true, false));
        }
        _ if params.distinct => return expr.clone(),
        _ => params.order_by.extend_from_slice(ties),
    }
    Expr::AggregateFunction(function).alias(name)
}

/// The function in a column of a window or an aggregate, and the column's name.
fn named(expr: &Expr) -> (&Expr, String) {
    match expr {
        Expr::Alias(alias) => (alias.expr.as_ref(), alias.name.clone()),
        function => (function, function.schema_name().to_string()),
    }
}
