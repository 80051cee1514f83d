//! Refuses what SQL would convert without a word: text compared with numbers, floats with decimals.
//!
//! DataFusion takes `'007' = 7` for true and turns numbers into text in a UNION. A reconciliation must not: which of
//! the two readings is meant is for the author to say, with a CAST or by setting the column's type.
//!
//! Operators are looked at while they are planned, because a wrong one ends planning before there is a plan;
//! everything else is looked at in the finished plan.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Volatility};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::describe::{self, Operand};
use super::facts::{Facts, at, violation};
use super::order;
use crate::error::Violation;
use crate::functions::{Argument, Arithmetic, Function, Operation, as_operators};
use crate::type_names::{EXACT, TypeKind};

/// Collects what is wrong while a statement is planned.
pub(super) struct TypeChecks {
    facts: Arc<Facts>,
    found: Mutex<Vec<Violation>>,
}

impl std::fmt::Debug for TypeChecks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypeChecks")
    }
}

impl ExprPlanner for TypeChecks {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus, Spaceship};
        match expr.op {
            Eq | NotEq | Spaceship => self.compare(&expr.left, &expr.right, true, schema),
            Lt | LtEq | Gt | GtEq => self.compare(&expr.left, &expr.right, false, schema),
            Plus => return Ok(self.arithmetic(Operation::Add, expr, schema)),
            Minus => return Ok(self.arithmetic(Operation::Subtract, expr, schema)),
            Multiply => return Ok(self.arithmetic(Operation::Multiply, expr, schema)),
            Divide => return Ok(self.arithmetic(Operation::Divide, expr, schema)),
            Modulo => return Ok(self.arithmetic(Operation::Remainder, expr, schema)),
            _ => {}
        }
        Ok(PlannerResult::Original(expr))
    }
}

impl TypeChecks {
    pub(super) fn new(facts: Arc<Facts>) -> Self {
        Self { facts, found: Mutex::new(Vec::new()) }
    }

    pub(super) fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn refuse(&self, message: String) {
        let violation = violation(message);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.contains(&violation) {
            found.push(violation);
        }
    }

    /// Looks at every expression of `plan`, which is not optimised yet.
    pub(super) fn check(&self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::Union(union) = node {
                self.union(&union.inputs);
            }
            if let LogicalPlan::Join(join) = node {
                let schema = merge_schema(&[&join.left, &join.right]);
                join.on.iter().for_each(|(left, right)| self.compare(left, right, true, &schema));
            }
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| {
                self.lists_of_rows(node, expr)?;
                expr.apply(|expr| {
                    self.expression(expr, &schema);
                    Ok(TreeNodeRecursion::Continue)
                })
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    /// `IN (SELECT …)` answers true or false where the standard says NULL: the same for rows that are chosen, unless something is
    /// made of the answer.
    fn lists_of_rows(&self, node: &LogicalPlan, expr: &Expr) -> Result<()> {
        if !matches!(node, LogicalPlan::Filter(_)) {
            return self.no_list_within(expr);
        }
        for condition in split_conjunction(expr) {
            // NOT IN is planned with its NULLs where it is a condition by itself.
            if !matches!(condition, Expr::InSubquery(_)) {
                self.list_or_not(condition)?;
            }
        }
        Ok(())
    }

    /// One of several conditions that are enough.
    fn list_or_not(&self, condition: &Expr) -> Result<()> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or | Operator::And, right }) => {
                self.list_or_not(left)?;
                self.list_or_not(right)
            }
            Expr::InSubquery(list) if !list.negated => Ok(()),
            other => self.no_list_within(other),
        }
    }

    fn no_list_within(&self, expr: &Expr) -> Result<()> {
        expr.apply(|expr| {
            if let Expr::InSubquery(list) = expr {
                self.refuse(not_exists(&list.expr));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn expression(&self, expr: &Expr, schema: &DFSchema) {
        match expr {
            Expr::BinaryExpr(b) if matches!(b.op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) => {
                self.compare(&b.left, &b.right, true, schema);
            }
            Expr::Between(b) => {
                self.compare(&b.expr, &b.low, false, schema);
                self.compare(&b.expr, &b.high, false, schema);
            }
            Expr::InList(list) => list.list.iter().for_each(|item| self.compare(&list.expr, item, true, schema)),
            Expr::InSubquery(q) => {
                self.with_subquery(&q.expr, &q.subquery.subquery, schema);
                if q.negated && !q.subquery.outer_ref_columns.is_empty() {
                    self.refuse(not_exists(&q.expr));
                }
            }
            Expr::SetComparison(q) => self.refuse(format!(
                "`{} {} ANY or ALL (SELECT …)` is not kept where NULLs are in play: write [NOT] EXISTS (SELECT 1 FROM … WHERE …)",
                as_operators(&q.expr).human_display(),
                q.op
            )),
            Expr::Case(case) => {
                if let Some(operand) = &case.expr {
                    case.when_then_expr.iter().for_each(|(when, _)| self.compare(operand, when, true, schema));
                }
            }
            Expr::Cast(cast) => self.clock_of_utc(&cast.expr, cast.field.data_type(), schema),
            Expr::Like(like) | Expr::SimilarTo(like) => self.pattern(&like.expr, schema),
            Expr::ScalarFunction(call) => self.call(call, schema),
            Expr::WindowFunction(function) => {
                let place = |name: &str| at(self.facts.find_call(name));
                order::refused_window(function, place).into_iter().for_each(|message| self.refuse(message));
            }
            Expr::AggregateFunction(function) => {
                let data_type = expr.get_type(schema).unwrap_or(DataType::Null);
                let place = |name: &str| at(self.facts.find_call(name));
                let refused = order::refused_aggregate(function, &data_type, place);
                refused.into_iter().for_each(|message| self.refuse(message));
            }
            _ => {}
        }
    }

    /// `equality`: the operator asks for equal values, not for their order.
    fn compare(&self, left: &Expr, right: &Expr, equality: bool, schema: &DFSchema) {
        let (Some(left), Some(right)) = (self.operand(left, schema), self.operand(right, schema)) else { return };
        if let Some(message) = describe::comparison(&left, &right, equality) {
            self.refuse(message);
        }
    }

    /// A cast takes the clock of UTC, whatever the zone that the instant is shown in.
    fn clock_of_utc(&self, expr: &Expr, to: &DataType, schema: &DFSchema) {
        let Some(operand) = self.operand(expr, schema) else { return };
        if let (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None)) = (&operand.data_type, to) {
            self.refuse(describe::clock_of_utc(&operand, zone));
        }
    }

    fn with_subquery(&self, expr: &Expr, subquery: &LogicalPlan, schema: &DFSchema) {
        let Some(column) = subquery.schema().columns().into_iter().next() else { return };
        let left = self.operand(expr, schema);
        let column = Expr::Column(column);
        let right = self.operand(&column, subquery.schema());
        if let (Some(left), Some(right)) = (left, right)
            && let Some(message) = describe::comparison(&left, &right, true)
        {
            self.refuse(message);
        }
    }

    /// Of exact numbers ours; of floats, dates and intervals DataFusion's.
    fn arithmetic(&self, operation: Operation, expr: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
        for side in [&expr.left, &expr.right] {
            if let Some(operand) = self.operand(side, schema).filter(|s| s.kind == TypeKind::Text) {
                self.refuse(describe::needs(&operand, &format!("`{}` needs numbers", expr.op), EXACT));
            }
        }
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return PlannerResult::Original(expr);
        };
        let columns = [&expr.left, &expr.right].into_iter().flat_map(Expr::column_refs);
        let places = columns.filter_map(|column| self.facts.position(column));
        let place = at(places.min_by_key(|place| (place.line, place.column)));
        match Arithmetic::over(operation, (expr.left.clone(), &left), (expr.right.clone(), &right), place) {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        }
    }

    fn pattern(&self, expr: &Expr, schema: &DFSchema) {
        let accepted = [TypeKind::Text, TypeKind::Null, TypeKind::Other];
        if let Some(operand) = self.operand(expr, schema).filter(|s| !accepted.contains(&s.kind)) {
            self.refuse(describe::needs(&operand, "LIKE needs text", "VARCHAR"));
        }
    }

    fn call(&self, call: &ScalarFunction, schema: &DFSchema) {
        let name = call.func.name();
        let place = at(self.facts.find_call(name));
        if call.func.signature().volatility == Volatility::Volatile {
            self.refuse(format!("`{name}`{place} gives another answer each time: a match must not depend on it"));
        }
        if let Some(function) = Function::named(name) {
            let expected = function.arguments();
            for (index, (argument, expr)) in expected.iter().zip(&call.args).enumerate() {
                self.argument(function, *argument, index, expr, schema);
            }
        } else if ["nullif", "greatest", "least"].contains(&name) {
            for (first, second) in call.args.iter().zip(call.args.iter().skip(1)) {
                self.compare(first, second, true, schema);
            }
        }
    }

    fn argument(&self, function: Function, argument: Argument, index: usize, expr: &Expr, schema: &DFSchema) {
        let Some(operand) = self.operand(expr, schema) else { return };
        if let Some(message) = describe::argument(function, argument, index, &operand) {
            self.refuse(message);
        }
    }

    fn union(&self, inputs: &[Arc<LogicalPlan>]) {
        let Some((first, rest)) = inputs.split_first() else { return };
        for other in rest {
            for (index, (a, b)) in first.schema().fields().iter().zip(other.schema().fields()).enumerate() {
                let (left, right) = (TypeKind::of(a.data_type()), TypeKind::of(b.data_type()));
                let known = ![left, right].iter().any(|k| matches!(k, TypeKind::Null | TypeKind::Other));
                if known && left != right && [left, right].contains(&TypeKind::Text) {
                    self.refuse(format!(
                        "column {} of the UNION (`{}`) {} in one part and {} in another: CAST one of them",
                        index + 1,
                        a.name(),
                        left.is_a(),
                        right.is_a()
                    ));
                }
            }
        }
    }

    /// `None` for an expression without a type, which DataFusion itself refuses.
    fn operand<'a>(&'a self, expr: &'a Expr, schema: &DFSchema) -> Option<Operand<'a>> {
        let data_type = expr.get_type(schema).ok()?;
        Some(Operand { expr, kind: TypeKind::of(&data_type), data_type, facts: &self.facts })
    }
}

fn not_exists(expr: &Expr) -> String {
    let value = expr.human_display();
    format!(
        "`{value} [NOT] IN (SELECT …)` is neither true nor false where a NULL is in play, which is not kept here: write [NOT] EXISTS \
         (SELECT 1 FROM … WHERE … = {value}), with the conditions of the subquery"
    )
}

/// The value of a literal, negated ones included.
pub(super) fn literal(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Negative(inner) => literal(inner)?.arithmetic_negate().ok(),
        _ => None,
    }
}

/// Whether the text of a literal says exactly one value of `target`.
pub(super) fn says(text: &str, target: &DataType) -> bool {
    let scale = match target {
        DataType::Decimal32(_, s)
        | DataType::Decimal64(_, s)
        | DataType::Decimal128(_, s)
        | DataType::Decimal256(_, s) => usize::try_from(*s).unwrap_or(0),
        _ => usize::MAX,
    };
    // A cast to a decimal would round the digits that do not fit.
    let fraction = text.split_once('.').map_or(0, |(_, digits)| digits.trim_end_matches('0').len());
    fraction <= scale && ScalarValue::from(text).cast_to(target).is_ok_and(|value| !value.is_null())
}
