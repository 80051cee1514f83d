//! Groups in the rewritten plan; totals, which come from no rows; groups beside rows of their own side, which are statistics.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{Column, ExprSchema as _, Result, ScalarValue};
use datafusion::functions_aggregate::array_agg::array_agg;
use datafusion::functions_aggregate::grouping::grouping_udaf;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, Projection, lit, when};

use super::node::{Node, column, is_row};
use super::rewrite::Rewriter;
use super::{Side, ties};

impl Rewriter<'_> {
    /// The same rows, which come from none of the sides' any more.
    pub(super) fn alone(&mut self, node: Node) -> Result<Node> {
        self.totals = true;
        let of_side =
            |column: &Column| node.left.columns.iter().chain(&node.right.columns).any(|name| *name == column.name);
        let mut exprs = Vec::new();
        for column in node.plan.schema().columns() {
            exprs.push(if of_side(&column) {
                let none = ScalarValue::try_from(node.plan.schema().field_from_column(&column)?.data_type())?;
                Expr::Literal(none, None).alias(&column.name)
            } else {
                Expr::Column(column)
            });
        }
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::clone(&node.plan))?);
        Ok(node.with(plan))
    }

    /// What is joined stands behind a row together, but where a row of a side is there, groups of that side are a statistic
    /// beside it: what they are made of is no part of the match. Where they always are, nothing collects them any more.
    pub(super) fn rows_before_groups(&mut self, mut node: Node) -> Result<Node> {
        let schema = Arc::clone(node.plan.schema());
        let mut alone = HashMap::new();
        for (side, reach) in [(Side::Left, &mut node.left), (Side::Right, &mut node.right)] {
            let columns = reach.columns.iter().map(|name| column(&schema, name)).collect::<Result<Vec<_>>>()?;
            let (rows, groups): (Vec<_>, Vec<_>) = columns.into_iter().partition(|column| is_row(&schema, column));
            let always = rows.iter().any(|row| schema.field_from_column(row).is_ok_and(|f| !f.is_nullable()));
            let missing = rows.iter().cloned().map(|row| Expr::Column(row).is_null()).reduce(Expr::and);
            let Some(missing) = missing.filter(|_| !groups.is_empty()) else { continue };
            reach.columns = rows.into_iter().map(|row| row.name).collect();
            for group in groups.into_iter().filter(|_| !always) {
                let name = self.name(side.as_str());
                reach.columns.push(name.clone());
                alone.insert(group.clone(), when(missing.clone(), Expr::Column(group)).end()?.alias(name));
            }
        }
        if alone.is_empty() {
            return Ok(node);
        }
        let exprs = schema.columns().into_iter().map(|c| alone.remove(&c).unwrap_or(Expr::Column(c))).collect();
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::clone(&node.plan))?);
        Ok(node.with(plan))
    }

    /// A group comes from all its rows: it goes up as one number, so that what is joined with it does not repeat them. A total over
    /// rows of both sides says nothing of any one of them: it comes from none.
    pub(super) fn aggregate(&mut self, input: &LogicalPlan, group: Vec<Expr>, aggregates: &[Expr]) -> Result<Node> {
        let mut node = self.rewrite(input)?;
        let ties = node.ties()?;
        let mut aggregates: Vec<_> = aggregates.iter().map(|expr| ties::aggregate(expr, &ties)).collect();
        let both = !node.left.columns.is_empty() && !node.right.columns.is_empty();
        let total = both && has_total(&group);
        self.totals |= total;
        let mut numbers = HashMap::new();
        for (side, reach) in [(Side::Left, &mut node.left), (Side::Right, &mut node.right)] {
            for name in &mut reach.columns {
                let rows = Expr::Column(column(node.plan.schema(), name)?);
                let lists = self.name(side.as_str());
                aggregates.push(array_agg(rows).alias(&lists));
                *name = self.name(side.as_str());
                numbers.insert(lists, name.clone());
            }
        }
        node.order.clear();
        let mut level = None;
        if matches!(group[..], [Expr::GroupingSet(_)]) && (self.ordering || total) {
            let exprs: Vec<Expr> = grouping_set_to_exprlist(&group)?.into_iter().cloned().collect();
            let all = (0..exprs.len()).fold(0_i64, |bits, _| bits << 1 | 1);
            let name = self.name("order");
            aggregates.push(grouping_udaf().call(exprs).alias(&name));
            level = Some((name, all));
        }
        let aggregated = aggregates.len();
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(&node.plan), group, aggregates)?);
        // What a row has that is a total.
        let is_total = match &level {
            Some((name, all)) => {
                let level = column(plan.schema(), name)?;
                let all = ScalarValue::from(*all).cast_to(plan.schema().field_from_column(&level)?.data_type())?;
                Expr::Column(level).eq(Expr::Literal(all, None))
            }
            None => lit(true),
        };
        let number = |lists: Column| {
            let number = self.tables.groups.number(Expr::Column(lists));
            if total { when(is_total.clone().is_not_true(), number).end() } else { Ok(number) }
        };
        // Which grouping set a row is of is a column that only the aggregate itself may be asked for.
        let is_own = |column: &Column| column.name != Aggregate::INTERNAL_GROUPING_ID;
        let mut keys = plan.schema().columns();
        keys.truncate(keys.len() - aggregated);
        keys.retain(is_own);
        let mut columns = Vec::new();
        for column in plan.schema().columns().into_iter().filter(is_own) {
            columns.push(match numbers.get(&column.name) {
                Some(name) => number(column)?.alias(name),
                None => Expr::Column(column),
            });
        }
        // A total has the values of a group of NULLs.
        node.order.extend(level.map(|(name, _)| name));
        let numbered = Projection::try_new(columns, Arc::new(plan))?;
        self.ordered_by(node.with(LogicalPlan::Projection(numbered)), keys)
    }
}

/// Whether one of the groups is all rows.
fn has_total(group: &[Expr]) -> bool {
    match group {
        [] => true,
        [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => true,
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}
