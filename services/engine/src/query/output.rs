//! The names of the columns of the result.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use super::facts::{Facts, at, spelled_column, violation};
use super::{describe, wording};
use crate::error::Violation;
use crate::names;

/// Calls what has no name what is written: DataFusion calls `n + 1` `n + Int64(1)`.
pub(super) fn named(plan: LogicalPlan) -> Result<LogicalPlan> {
    let columns = plan.schema().columns();
    let mut taken: BTreeSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut exprs = Vec::with_capacity(columns.len());
    let mut renamed = false;
    for (at, column) in columns.into_iter().enumerate() {
        let name = written(&plan, at).filter(|name| *name != column.name && taken.insert(name.clone()));
        renamed |= name.is_some();
        let passed = Expr::Column(column);
        exprs.push(match name {
            Some(name) => passed.alias(name),
            None => passed,
        });
    }
    if renamed { Projection::try_new(exprs, plan.into()).map(LogicalPlan::Projection) } else { Ok(plan) }
}

/// Where the planner's name of a function OVER a window goes on with the window.
const WINDOW: [&str; 4] = [" PARTITION BY [", " ORDER BY [", " ROWS BETWEEN ", " RANGE BETWEEN "];

/// How the column at this place is written; `None` for one that has a name.
fn written(plan: &LogicalPlan, at: usize) -> Option<String> {
    match plan {
        LogicalPlan::Sort(sort) => written(&sort.input, at),
        LogicalPlan::Limit(limit) => written(&limit.input, at),
        LogicalPlan::Projection(projection) => match projection.expr.get(at)? {
            // Of a table, or of what stands below under a name of the planner's.
            Expr::Column(Column { relation: None, name, .. }) if name.contains('(') => Some(without_window(name)),
            Expr::Alias(alias) if WINDOW.iter().any(|word| alias.name.contains(word)) => {
                Some(without_window(&alias.name))
            }
            Expr::Column(_) | Expr::Alias(_) => None,
            expr => Some(wording::condition(expr)),
        },
        _ => None,
    }
}

fn without_window(name: &str) -> String {
    let window = WINDOW.iter().filter_map(|word| name.find(word)).min();
    wording::plain(&name[..window.unwrap_or(name.len())])
}

/// Columns of a result set are found by their names, so each needs one of its own.
pub(super) fn refused_names(plan: &LogicalPlan, facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<String, Column> = BTreeMap::new();
    for column in plan.schema().columns() {
        if names::RESULT.contains(&column.name.as_str()) {
            let place = at(facts.find(None, &column.name));
            found.push(violation(format!(
                "the column name `{}`{place} is reserved for row numbers: give it another name with AS",
                column.name
            )));
        } else if let Some(first) = seen.get(&column.name) {
            found.push(violation(format!(
                "{} would both be named `{}` in the results: give one of them another name, as in `{} AS {}`",
                describe::both(first, &column),
                column.name,
                spelled_column(&column),
                describe::other_name(&column)
            )));
        } else {
            seen.insert(column.name.clone(), column);
        }
    }
    found
}
