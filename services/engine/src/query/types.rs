//! Refuses what SQL would convert without a word: text compared with numbers, floats with decimals.
//!
//! DataFusion takes `'007' = 7` for true and turns numbers into text in a UNION. A reconciliation must not: which of
//! the two readings is meant is for the author to say, with a CAST or by setting the column's type.
//!
//! Operators are looked at while they are planned, because a wrong one ends planning before there is a plan;
//! everything else is looked at in the finished plan.

mod windows;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::timezone::Tz;
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
use super::{order, wording};
use crate::error::Violation;
use crate::functions::{Argument, Arithmetic, Function, Operation};
use crate::time_zone::TimeZone;
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
        use BinaryOperator::{
            And, Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Or, Plus, Spaceship,
        };
        match expr.op {
            Eq | NotEq | Spaceship => self.compare(&expr.left, &expr.right, true, schema),
            Lt | LtEq | Gt | GtEq => self.compare(&expr.left, &expr.right, false, schema),
            And | Or => {
                self.condition(&expr.left, "AND and OR join conditions", schema);
                self.condition(&expr.right, "AND and OR join conditions", schema);
            }
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
                self.no_windows(node, expr)?;
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

    /// What is asked for as a condition has to be one.
    fn condition(&self, expr: &Expr, what: &str, schema: &DFSchema) {
        let Some(operand) = self.operand(expr, schema) else { return };
        if !matches!(operand.data_type, DataType::Boolean | DataType::Null) {
            self.refuse(describe::no_condition(&operand, what));
        }
    }

    /// Values of which one is taken have to be of one kind.
    fn alternatives<'a>(&self, values: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return };
        values.for_each(|other| self.compare(first, other, false, schema));
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
            Expr::Exists(exists) if is_total(&exists.subquery.subquery) => self.refuse(
                "EXISTS of an aggregate without GROUP BY asks for a row that is always there: write EXISTS (SELECT 1 FROM …), or compare \
                 the aggregate, as in (SELECT count(*) FROM … WHERE …) > 2"
                    .to_owned(),
            ),
            Expr::InSubquery(q) => {
                if is_total(&q.subquery.subquery) {
                    self.refuse(format!(
                        "an aggregate without GROUP BY is one value: write {} = (SELECT …) instead of IN",
                        wording::condition(&q.expr)
                    ));
                }
                self.with_subquery(&q.expr, &q.subquery.subquery, schema);
                if q.negated && !q.subquery.outer_ref_columns.is_empty() {
                    self.refuse(not_exists(&q.expr));
                }
            }
            Expr::SetComparison(q) => self.refuse(format!(
                "`{} {} ANY or ALL (SELECT …)` is not kept where NULLs are in play: write [NOT] EXISTS (SELECT 1 FROM … WHERE …)",
                wording::condition(&q.expr),
                q.op
            )),
            Expr::Case(case) => {
                for (when, _) in &case.when_then_expr {
                    match &case.expr {
                        Some(operand) => self.compare(operand, when, true, schema),
                        None => self.condition(when, "CASE WHEN needs a condition", schema),
                    }
                }
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                self.alternatives(results.chain(case.else_expr.as_deref()), schema);
            }
            Expr::Cast(cast) => {
                self.zone(cast.field.data_type());
                self.clock_of_utc(&cast.expr, cast.field.data_type(), schema);
                self.text_of_instant(&cast.expr, cast.field.data_type(), schema);
                self.whole(&cast.expr, cast.field.data_type(), schema);
            }
            Expr::TryCast(cast) => {
                self.text_of_instant(&cast.expr, cast.field.data_type(), schema);
                self.whole(&cast.expr, cast.field.data_type(), schema);
            }
            Expr::BinaryExpr(b) if b.op == Operator::StringConcat => {
                self.text_of_instant(&b.left, &DataType::Utf8, schema);
                self.text_of_instant(&b.right, &DataType::Utf8, schema);
            }
            Expr::SimilarTo(like) => self.refuse(format!(
                "SIMILAR TO is not kept here: write LIKE, or a regular expression, as in {} ~ '^(A|B)[0-9]*$'",
                wording::condition(&like.expr)
            )),
            Expr::Like(like) => {
                self.pattern(&like.expr, schema);
                self.pattern(&like.pattern, schema);
            }
            Expr::IsTrue(asked)
            | Expr::IsFalse(asked)
            | Expr::IsUnknown(asked)
            | Expr::IsNotTrue(asked)
            | Expr::IsNotFalse(asked)
            | Expr::IsNotUnknown(asked) => self.condition(asked, "IS TRUE and the like ask of conditions", schema),
            Expr::ScalarFunction(call) => self.call(call, schema),
            Expr::WindowFunction(function) => {
                let place = |name: &str| at(self.facts.find_call(name));
                order::refused_window(function, place).into_iter().for_each(|message| self.refuse(message));
                self.range(function, schema);
                self.default(function, schema);
                self.filter(function.params.filter.as_deref(), schema);
            }
            Expr::AggregateFunction(function) => {
                let data_type = expr.get_type(schema).unwrap_or(DataType::Null);
                let place = |name: &str| at(self.facts.find_call(name));
                self.filter(function.params.filter.as_deref(), schema);
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

    /// Whether a float is rounded or cut on the way to an integer is for the author to say.
    fn whole(&self, expr: &Expr, to: &DataType, schema: &DFSchema) {
        let said = matches!(expr, Expr::ScalarFunction(call) if ["round", "trunc", "ceil", "floor"].contains(&call.func.name()));
        let Some(operand) = self.operand(expr, schema).filter(|o| o.kind == TypeKind::Float) else { return };
        if to.is_integer() && !said {
            self.refuse(describe::whole(&operand, to));
        }
    }

    fn zone(&self, data_type: &DataType) {
        if let DataType::Timestamp(_, Some(zone)) = data_type
            && zone.parse::<Tz>().is_err()
            && let Err(message) = zone.parse::<TimeZone>()
        {
            self.refuse(message);
        }
    }

    fn filter(&self, filter: Option<&Expr>, schema: &DFSchema) {
        filter.into_iter().for_each(|filter| self.condition(filter, "FILTER needs a condition", schema));
    }

    /// A cast takes the clock of UTC, whatever the zone that the instant is shown in.
    fn clock_of_utc(&self, expr: &Expr, to: &DataType, schema: &DFSchema) {
        let Some(operand) = self.operand(expr, schema) else { return };
        if let (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None)) = (&operand.data_type, to) {
            self.refuse(describe::clock_of_utc(&operand, zone));
        }
    }

    /// The text of an instant is another in each zone.
    fn text_of_instant(&self, expr: &Expr, to: &DataType, schema: &DFSchema) {
        let is_text = matches!(to, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let Some(operand) = self.operand(expr, schema).filter(|_| is_text) else { return };
        if let DataType::Timestamp(_, Some(zone)) = &operand.data_type {
            self.refuse(describe::text_of_instant(&operand, zone));
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
        let (Some(left), Some(right)) = (self.operand(&expr.left, schema), self.operand(&expr.right, schema)) else {
            return PlannerResult::Original(expr);
        };
        for operand in [&left, &right].into_iter().filter(|operand| operand.kind == TypeKind::Text) {
            self.refuse(describe::needs(operand, &format!("`{}` needs numbers", expr.op), &EXACT));
        }
        let refused = describe::arithmetic(&expr.op.to_string(), &left, &right);
        refused.into_iter().for_each(|message| self.refuse(message));
        let (left, right) = (left.data_type, right.data_type);
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
            self.refuse(describe::needs(&operand, "LIKE needs text", &DataType::Utf8));
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
                self.argument(function, *argument, (index, call.args.len()), expr, schema);
            }
        } else if ["nullif", "greatest", "least"].contains(&name) {
            for (first, second) in call.args.iter().zip(call.args.iter().skip(1)) {
                self.compare(first, second, true, schema);
            }
        } else if FORMS.contains(&name) {
            let form = |form: &Expr| literal(form).and_then(|form| form.try_as_str().flatten().map(str::to_owned));
            let mut forms = call.args.iter().skip(1).filter_map(form);
            if let Some(form) = forms.find(|form| !form.contains('%')) {
                self.refuse(format!(
                    "`{name}`{place} takes a form such as '%Y-%m-%d', in which % stands before each part, and '{form}' has none: \
                     write '%Y' for the year, '%m' for the month, '%d' for the day, '%H:%M:%S' for the time"
                ));
            }
        } else if ["concat", "concat_ws"].contains(&name) {
            call.args.iter().for_each(|part| self.text_of_instant(part, &DataType::Utf8, schema));
        } else if ["coalesce", "nvl", "ifnull", "nvl2"].contains(&name) {
            self.alternatives(call.args.iter().skip(usize::from(name == "nvl2")), schema);
        }
    }

    fn argument(&self, function: Function, argument: Argument, index: (usize, usize), expr: &Expr, schema: &DFSchema) {
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
                let floats = a.data_type().is_floating() && b.data_type().is_decimal()
                    || a.data_type().is_decimal() && b.data_type().is_floating();
                if floats {
                    self.refuse(format!(
                        "column {} of the UNION (`{}`) is a floating-point number in one part and a decimal in another: CAST one of them, \
                         to DOUBLE, say",
                        index + 1,
                        a.name(),
                    ));
                } else if !are_alike(left, right) {
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
        let data_type = Arithmetic::type_of(expr).cloned().or_else(|| expr.get_type(schema).ok())?;
        Some(Operand { expr, kind: TypeKind::of(&data_type), data_type, facts: &self.facts })
    }
}

/// Whether values of both kinds can stand in one column.
fn are_alike(left: TypeKind, right: TypeKind) -> bool {
    use TypeKind::{Date, Float, Null, Number, Other, Timestamp};
    let pair = |a, b| [(a, b), (b, a)].contains(&(left, right));
    left == right
        || [left, right].iter().any(|kind| matches!(kind, Null | Other))
        || pair(Number, Float)
        || pair(Date, Timestamp)
}

/// Whether a subquery gives one row, whatever it reads: DataFusion takes that row away with those that a condition of the query around
/// it leaves out.
fn is_total(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) | LogicalPlan::Filter(_) => {
            plan.inputs().iter().all(|input| is_total(input))
        }
        _ => false,
    }
}

/// Functions that take a form of dates and times.
const FORMS: [&str; 9] = [
    "to_char",
    "date_format",
    "to_date",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_unixtime",
];

fn not_exists(expr: &Expr) -> String {
    let value = wording::condition(expr);
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
