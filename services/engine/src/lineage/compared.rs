//! Which columns of the two sides a statement compares with each other, and how near their values have to be.

use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{JoinType, Result, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, LogicalPlan, Operator};

use super::{Side, SideTables};
use crate::functions::Function;

/// What the conditions of a statement say of columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparisons {
    /// In the order of the plan; two columns stand here as often as conditions compare them.
    pub compared: Vec<Compared>,
    /// Columns, left and right, that some condition brings together in another way: how near they have to be is not known.
    pub otherwise: BTreeSet<(String, String)>,
    /// Columns that stand in any condition, left and right.
    pub mentioned: [BTreeSet<String>; 2],
}

/// A column of each side, or the sum of it over groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub left: String,
    pub right: String,
    pub within: Within,
}

/// How far apart two values may be. A number is given as it reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Within {
    Equal,
    Absolute(String),
    Percent(String),
    /// It hangs on the row.
    Open,
}

pub(super) fn comparisons(plan: &LogicalPlan, tables: &SideTables) -> Result<Comparisons> {
    let mut found = Comparisons::default();
    plan.apply_with_subqueries(|node| {
        let origin = |expr: &Expr| node.inputs().into_iter().find_map(|input| of_expression(expr, input, tables));
        for condition in conditions(node) {
            let own = columns(&condition, node, tables);
            let pairs = own[0].iter().flat_map(|left| own[1].iter().map(|right| (left.clone(), right.clone())));
            let compared = comparison(&condition);
            if compared.is_none() {
                found.otherwise.extend(pairs);
            }
            for (all, own) in found.mentioned.iter_mut().zip(own) {
                all.extend(own);
            }
            let Some((a, b, within)) = compared else { continue };
            if let (Some((Side::Left, left)), Some((Side::Right, right)))
            | (Some((Side::Right, right)), Some((Side::Left, left))) = (origin(a), origin(b))
            {
                found.compared.push(Compared { left, right, within });
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Columns, left and right, of which each alone makes a side of an equality that holds for every match: `l.id = r.ref`, and
/// `lower(l.id) = lower(r.ref)`. What only some branches of a UNION ask for holds for some matches.
pub(super) fn equated(plan: &LogicalPlan, tables: &SideTables) -> BTreeSet<(String, String)> {
    let mut inputs = plan.inputs().into_iter().map(|input| equated(input, tables));
    match plan {
        LogicalPlan::Union(_) => {
            return inputs.reduce(|all, branch| &all & &branch).unwrap_or_default();
        }
        LogicalPlan::Join(join) if matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftMark) => {
            return inputs.next().unwrap_or_default();
        }
        LogicalPlan::Join(join) if matches!(join.join_type, JoinType::RightAnti | JoinType::RightMark) => {
            return inputs.next_back().unwrap_or_default();
        }
        _ => {}
    }
    let mut all: BTreeSet<(String, String)> = inputs.flatten().collect();
    for condition in conditions(plan) {
        let [left, right] = columns(&condition, plan, tables);
        let alone = left.len() == 1 && right.len() == 1;
        if alone && matches!(comparison(&condition), Some((_, _, Within::Equal))) {
            all.extend(left.into_iter().zip(right));
        }
    }
    all
}

/// The columns of the sides that stand in a condition of a node.
fn columns(condition: &Expr, node: &LogicalPlan, tables: &SideTables) -> [BTreeSet<String>; 2] {
    let mut found = <[BTreeSet<String>; 2]>::default();
    for column in condition.column_refs() {
        let column = Expr::Column(column.clone());
        match node.inputs().into_iter().find_map(|input| of_expression(&column, input, tables)) {
            Some((Side::Left, name)) => drop(found[0].insert(name)),
            Some((Side::Right, name)) => drop(found[1].insert(name)),
            None => {}
        }
    }
    found
}

/// The column of a side that each output column is, or is the sum of.
pub(super) fn sources(plan: &LogicalPlan, tables: &SideTables) -> Vec<Option<(Side, String)>> {
    (0..plan.schema().fields().len()).map(|at| of_column(at, plan, tables)).collect()
}

/// What a node asks of rows, all of which holds.
fn conditions(node: &LogicalPlan) -> Vec<Expr> {
    match node {
        LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate).into_iter().cloned().collect(),
        LogicalPlan::Join(join) => {
            let equal = |(a, b): &(Expr, Expr)| {
                Expr::BinaryExpr(BinaryExpr::new(Box::new(a.clone()), Operator::Eq, Box::new(b.clone())))
            };
            join.on.iter().map(equal).chain(join.filter.iter().flat_map(split_conjunction).cloned()).collect()
        }
        _ => Vec::new(),
    }
}

fn comparison(condition: &Expr) -> Option<(&Expr, &Expr, Within)> {
    match condition {
        Expr::BinaryExpr(equality) if matches!(equality.op, Operator::Eq | Operator::IsNotDistinctFrom) => {
            Some((&equality.left, &equality.right, Within::Equal))
        }
        Expr::ScalarFunction(call) => match (Function::named(call.func.name())?, call.args.as_slice()) {
            (Function::ToleranceMatch, [a, b, threshold]) => Some((a, b, constant(threshold, Within::Absolute))),
            (Function::TolerancePct, [a, b, percent]) => Some((a, b, constant(percent, Within::Percent))),
            _ => None,
        },
        _ => None,
    }
}

fn constant(expr: &Expr, within: fn(String) -> Within) -> Within {
    match expr {
        Expr::Literal(value, _) if !value.is_null() => match value.cast_to(&arrow::datatypes::DataType::Utf8) {
            Ok(ScalarValue::Utf8(Some(text))) => within(text),
            _ => Within::Open,
        },
        _ => Within::Open,
    }
}

/// The column of a side that an expression over the rows of `input` is, or is the sum of.
fn of_expression(expr: &Expr, input: &LogicalPlan, tables: &SideTables) -> Option<(Side, String)> {
    match expr {
        Expr::Column(column) => of_column(input.schema().maybe_index_of_column(column)?, input, tables),
        Expr::Alias(alias) => of_expression(&alias.expr, input, tables),
        Expr::AggregateFunction(call) if call.func.name() == "sum" => match &call.params {
            params if params.distinct || params.filter.is_some() => None,
            params => of_expression(params.args.first()?, input, tables),
        },
        _ => None,
    }
}

/// The same of the column at this place of a plan.
fn of_column(at: usize, plan: &LogicalPlan, tables: &SideTables) -> Option<(Side, String)> {
    match plan {
        LogicalPlan::TableScan(scan) => Some((tables.side(&scan.table_name)?, plan.schema().field(at).name().clone())),
        LogicalPlan::SubqueryAlias(node) => of_column(at, &node.input, tables),
        LogicalPlan::Filter(node) => of_column(at, &node.input, tables),
        LogicalPlan::Sort(node) => of_column(at, &node.input, tables),
        LogicalPlan::Limit(node) => of_column(at, &node.input, tables),
        LogicalPlan::Distinct(Distinct::All(input)) => of_column(at, input, tables),
        LogicalPlan::Distinct(Distinct::On(on)) => of_expression(on.select_expr.get(at)?, &on.input, tables),
        LogicalPlan::Projection(node) => of_expression(node.expr.get(at)?, &node.input, tables),
        LogicalPlan::Window(node) if at < node.input.schema().fields().len() => of_column(at, &node.input, tables),
        LogicalPlan::Aggregate(node) => {
            let keys = plan.schema().fields().len().checked_sub(node.aggr_expr.len())?;
            match at.checked_sub(keys) {
                Some(at) => of_expression(node.aggr_expr.get(at)?, &node.input, tables),
                None if node.group_expr.len() == keys => of_expression(node.group_expr.get(at)?, &node.input, tables),
                None => None,
            }
        }
        LogicalPlan::Join(join) => {
            let width = join.left.schema().fields().len();
            match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => of_column(at, &join.right, tables),
                _ if at < width => of_column(at, &join.left, tables),
                _ => of_column(at - width, &join.right, tables),
            }
        }
        LogicalPlan::Union(union) => {
            let mut branches = union.inputs.iter().map(|input| of_column(at, input, tables));
            let first = branches.next()??;
            branches.all(|branch| branch.as_ref() == Some(&first)).then_some(first)
        }
        _ => None,
    }
}
