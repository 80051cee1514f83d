//! Subqueries that refer to the query around them, written so that DataFusion 55 takes them right.
//!
//! It makes joins of them, to which it moves the conditions that refer outside. There it knows the columns of the subquery by their
//! names alone: in `EXISTS (SELECT 1 FROM r x JOIN l y ON … WHERE x.id = r.id AND y.id = l.id)` both would be one `id`. And it moves
//! conditions of ON as it does those of WHERE. Conditions of inner joins are that, and are planned so; those of outer joins are refused.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

use super::facts::violation;
use super::wording;
use crate::error::Violation;
use crate::names::ASKED;

/// The plan whose inner joins have no such condition: it chooses among the pairs that the join gives.
pub(super) fn above_joins(plan: LogicalPlan) -> Result<LogicalPlan> {
    let lifted = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(mut join) = node else { return Ok(Transformed::no(node)) };
        let (JoinType::Inner, Some(filter)) = (join.join_type, &join.filter) else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        let of_pairs = |condition: &Expr| wording::has_subquery(condition) || condition.contains_outer();
        let (lifted, kept): (Vec<_>, Vec<_>) = split_conjunction_owned(filter.clone()).into_iter().partition(of_pairs);
        let Some(lifted) = conjunction(lifted) else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
        join.filter = conjunction(kept);
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(lifted, Arc::new(LogicalPlan::Join(join)))?)))
    });
    lifted.data()
}

/// What is wrong with conditions of outer joins.
pub(super) fn refused(plan: &LogicalPlan) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node
            && let Some(filter) = &join.filter
        {
            let conditions = split_conjunction(filter).into_iter().filter(|condition| refers(condition));
            let told = conditions.map(|condition| {
                let text = wording::condition(condition);
                violation(if condition.contains_outer() {
                    format!(
                        "`{text}` in ON of an outer join refers to the query around the subquery, which is not kept here: join the table \
                         that it refers to within the subquery as well, as in FROM r x CROSS JOIN l m LEFT JOIN … ON … = m.k WHERE \
                         m.id = l.id AND …"
                    )
                } else {
                    format!(
                        "`{text}` in ON of an outer join is not kept here: write a condition of one side into that side, as in LEFT JOIN \
                         (SELECT * FROM r WHERE EXISTS (…)) r ON …, and find pairs first, as in WITH p AS (SELECT l.id, r.id AS right_id \
                         FROM l JOIN r ON … WHERE EXISTS (…)) SELECT … FROM l LEFT JOIN p ON p.id = l.id"
                    )
                })
            });
            found.extend(told);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether a condition asks whether rows are there, or refers to a query around.
fn refers(condition: &Expr) -> bool {
    let asks = |expr: &Expr| match expr {
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::OuterReferenceColumn(..) => true,
        Expr::ScalarSubquery(subquery) => !subquery.outer_ref_columns.is_empty(),
        _ => false,
    };
    condition.exists(|expr| Ok(asks(expr))).unwrap_or(true)
}

/// The plan in whose subqueries no two columns that such conditions read have one name.
pub(super) fn named_apart(plan: LogicalPlan) -> Result<LogicalPlan> {
    let named = Cell::new(0);
    let apart = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Subquery(subquery) = node else { return Ok(Transformed::no(node)) };
        let shared = shared_names(&subquery.subquery);
        if shared.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Subquery(subquery)));
        }
        let plan = renamed(Arc::unwrap_or_clone(Arc::clone(&subquery.subquery)), &shared, &named)?;
        Ok(Transformed::yes(LogicalPlan::Subquery(subquery.with_plan(Arc::new(plan)))))
    });
    apart.data()
}

/// Names that stand for several columns: of conditions that refer outside, and of what is selected from their rows.
fn shared_names(plan: &LogicalPlan) -> BTreeSet<String> {
    let mut names = Names::default();
    names.read(plan);
    names.shared
}

#[derive(Default)]
struct Names {
    /// With the number of the WHERE: in that of another SELECT a column of this name is another.
    asked: Vec<(usize, Column)>,
    wheres: usize,
    /// Of the SELECTs around.
    given: Vec<Column>,
    shared: BTreeSet<String>,
}

impl Names {
    fn read(&mut self, node: &LogicalPlan) {
        let around = self.given.len();
        match node {
            LogicalPlan::Subquery(_) => return,
            LogicalPlan::Projection(projection) => self.given.extend(projection.schema.columns()),
            LogicalPlan::Filter(filter) => {
                self.wheres += 1;
                let outside = split_conjunction(&filter.predicate).into_iter().filter(|expr| expr.contains_outer());
                for column in outside.flat_map(Expr::column_refs) {
                    let same = |other: &Column| other.name == column.name;
                    let another =
                        |(place, other): &(usize, Column)| same(other) && (*place, other) != (self.wheres, column);
                    if self.asked.iter().any(another) || self.given.iter().any(|other| same(other) && other != column) {
                        self.shared.insert(column.name.clone());
                    }
                    self.asked.push((self.wheres, column.clone()));
                }
            }
            _ => {}
        }
        node.inputs().into_iter().for_each(|input| self.read(input));
        self.given.truncate(around);
    }
}

/// The plan whose conditions that refer outside read columns of these names by a name of their own.
fn renamed(plan: LogicalPlan, shared: &BTreeSet<String>, named: &Cell<usize>) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    let renamed = plan.transform_up(|node| {
        let LogicalPlan::Filter(filter) = node else {
            return if changed.get() {
                node.recompute_schema().map(Transformed::yes)
            } else {
                Ok(Transformed::no(node))
            };
        };
        let mut columns: Vec<Expr> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
        let given = columns.len();
        let mut conditions = Vec::new();
        for condition in split_conjunction_owned(filter.predicate.clone()) {
            if !condition.contains_outer() {
                conditions.push(condition);
                continue;
            }
            let condition = condition.transform_up(|expr| match expr {
                Expr::Column(column) if shared.contains(&column.name) => {
                    let name = format!("{ASKED}{}", named.replace(named.get() + 1));
                    columns.push(Expr::Column(column).alias(&name));
                    Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
                }
                other => Ok(Transformed::no(other)),
            })?;
            conditions.push(condition.data);
        }
        if columns.len() == given {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        }
        changed.set(true);
        let input = LogicalPlan::Projection(Projection::try_new(columns, filter.input)?);
        let predicate = conjunction(conditions).unwrap_or(filter.predicate);
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?)))
    });
    renamed.data()
}
