//! Functions whose value hangs on the order in which rows come, and what it takes to fix that order.
//!
//! Rows with equal sort keys come in any order, which may change with the number of threads. Further sort keys decide it, as
//! long as the meaning of the function stays: in a RANGE or GROUPS frame, rows with equal keys enter together.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Distinct, Expr, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::wording;

/// Window functions that tell rows with equal keys apart.
const NUMBERING: [&str; 4] = ["row_number", "ntile", "lag", "lead"];
/// Window functions that treat such rows alike, whatever their frame.
const RANKING: [&str; 4] = ["rank", "dense_rank", "percent_rank", "cume_dist"];
/// Functions of a set of rows that tell in which order they came.
const ORDERED: [&str; 5] = ["first_value", "last_value", "nth_value", "array_agg", "string_agg"];
/// Functions that add floats, whose last digits hang on the order.
const ADDING: [&str; 19] = [
    "sum",
    "avg",
    "var",
    "var_pop",
    "var_samp",
    "stddev",
    "stddev_pop",
    "corr",
    "covar_pop",
    "covar_samp",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
];
/// Estimates that hang on the order, and what is exact.
const ESTIMATES: [(&str, &str); 3] = [
    ("approx_median", "median"),
    ("approx_percentile_cont", "percentile_cont"),
    ("approx_percentile_cont_with_weight", "percentile_cont"),
];

/// What further sort keys do for a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Ties {
    /// Nothing: its value is the same in any order.
    Indifferent,
    /// They fix its value, over this frame.
    Broken(WindowFrame),
    /// They would change what it means.
    Open,
}

pub fn window(function: &WindowFunction) -> Ties {
    let (name, params) = (name(function), &function.params);
    let frame = &params.window_frame;
    if RANKING.contains(&name) {
        return Ties::Indifferent;
    }
    if NUMBERING.contains(&name) || frame.units == WindowFrameUnits::Rows {
        return Ties::Broken(frame.clone());
    }
    if !ORDERED.contains(&name) {
        return Ties::Indifferent;
    }
    let from_first = is_unbounded(&frame.start_bound);
    let to_last = is_unbounded(&frame.end_bound);
    let at_row = |bound: &WindowFrameBound| matches!(bound, WindowFrameBound::CurrentRow);
    // Without sort keys all rows are equal, and the frame is all of them.
    let unordered = params.order_by.is_empty();
    let whole =
        (from_first || unordered && at_row(&frame.start_bound)) && (to_last || unordered && at_row(&frame.end_bound));
    // The first of the frame is the first of all, and the last of the frame the last of all.
    let first = name == "first_value" && from_first && at_row(&frame.end_bound);
    let last = name == "last_value" && to_last && at_row(&frame.start_bound);
    if whole || first || last { Ties::Broken(whole_partition()) } else { Ties::Open }
}

fn whole_partition() -> WindowFrame {
    let unbounded = ScalarValue::UInt64(None);
    WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(unbounded.clone()),
        WindowFrameBound::Following(unbounded),
    )
}

fn is_unbounded(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => by.is_null(),
        WindowFrameBound::CurrentRow => false,
    }
}

pub(super) fn name(function: &WindowFunction) -> &str {
    match &function.fun {
        WindowFunctionDefinition::AggregateUDF(f) => f.name(),
        WindowFunctionDefinition::WindowUDF(f) => f.name(),
    }
}

pub fn is_ordered(function: &AggregateFunction) -> bool {
    ORDERED.contains(&function.func.name())
}

/// Why no sort key fixes the value of a window function, and what to write instead.
pub(super) fn refused_window(function: &WindowFunction, place: impl FnOnce(&str) -> String) -> Option<String> {
    let name = name(function);
    (window(function) == Ties::Open).then(|| {
        let place = place(name);
        format!(
            "the value of `{name}`{place} is open where rows have equal ORDER BY keys: give it a frame of ROWS, as in \
             `ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING` for all rows of the partition"
        )
    })
}

/// Why the value of an aggregate would not be the same each time, and what to write instead; `data_type` is its own.
pub(super) fn refused_aggregate(
    function: &AggregateFunction,
    data_type: &DataType,
    place: impl FnOnce(&str) -> String,
) -> Option<String> {
    let name = function.func.name();
    if let Some((_, exact)) = ESTIMATES.iter().find(|(estimate, _)| *estimate == name) {
        return Some(format!("`{name}`{} estimates, and not the same each time: write `{exact}`", place(name)));
    }
    if !ADDING.contains(&name) || !data_type.is_floating() {
        return None;
    }
    let place = place(name);
    let why = format!("`{name}`{place} of floats is not the same each time, because their sum hangs on the order");
    Some(match function.params.args.as_slice() {
        [argument] if ["sum", "avg"].contains(&name) => {
            let exact = match argument {
                Expr::Cast(cast) if cast.field.data_type().is_floating() => &cast.expr,
                other => other,
            };
            format!("{why}: write {name}(CAST({} AS DECIMAL(38,9)))", wording::condition(exact))
        }
        _ => format!("{why}: write it with sums of decimals"),
    })
}

/// Whether a statement asks for its rows in an order: by an ORDER BY of its own, not of a subquery.
pub fn asks_for_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(projection) => asks_for_order(&projection.input),
        LogicalPlan::Limit(limit) => asks_for_order(&limit.input),
        _ => false,
    }
}

/// Whether which rows a plan gives, or what is in them, hangs on the order of its rows anywhere.
pub fn is_order_sensitive(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // Only the visitor fails, and it does not.
    let _: Result<_> = plan.apply_with_subqueries(|node| {
        found |= match node {
            LogicalPlan::Limit(_) | LogicalPlan::Distinct(Distinct::On(_)) => true,
            LogicalPlan::Window(window) => window.window_expr.iter().any(is_sensitive),
            LogicalPlan::Aggregate(aggregate) => aggregate.aggr_expr.iter().any(is_sensitive),
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

fn is_sensitive(expr: &Expr) -> bool {
    let sensitive = expr.exists(|expr| {
        Ok(match expr {
            Expr::WindowFunction(function) => window(function) != Ties::Indifferent,
            Expr::AggregateFunction(function) => is_ordered(function),
            _ => false,
        })
    });
    sensitive.unwrap_or(true)
}
