//! Expressions that DataFusion computes otherwise than SQL says, in words that it computes rightly:
//!
//! | written | DataFusion's | planned as |
//! |---|---|---|
//! | `-x` of integers | leaves the least integer what it is | `0 - x`, which says that it does not fit |
//! | a decimal CAST to an integer | cuts | `round(x)` before it |
//! | a decimal CAST to fewer digits, compared | compares all its digits | `round(x, digits)` before it |
//! | a float CAST to a decimal | takes digits of the binary number | the decimal of its shortest text |
//! | a float against a decimal | a decimal of 15 digits after the point | floats |
//! | timestamps and floats as text | `2024-01-01T10:00:00`, `1.0` | spelled as in Postgres |
//! | spans of time compared | months, then days, then the rest | their seconds |
//! | a day and an INTERVAL of hours | leaves the hours out | a timestamp |
//! | EXTRACT of seconds, and of a difference | cuts, and counts all hours | the parts that Postgres gives |
//! | `$1` in what regexp_replace puts in | a group | itself |
//! | `median` of exact numbers | cuts half of the last digit | a digit more |

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::string::replace;
use datafusion::logical_expr::expr::{AggregateFunction, Between, Case, InList, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable as _, LogicalPlan, Operator, lit};

use crate::functions::{Arithmetic, Computed, Operation, Part, round};
use crate::type_names::is_span;

/// The plan that means what it says.
pub(super) fn kept(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let kept = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let kept = expr.transform_up(|expr| expression(expr, &schema))?;
            Ok(kept.update_data(|expr| name.restore(expr)))
        })?;
        changed.set(changed.get() || kept.transformed);
        // A type may be another now, for everything above.
        if changed.get() { kept.map_data(LogicalPlan::recompute_schema) } else { Ok(kept) }
    })
    .data()
}

fn expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    // What has none is told by the analyzer.
    let of = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
    match expr {
        Expr::Negative(operand) if of(&operand).is_integer() => {
            let (zero, operand) = ((lit(0_i64), &DataType::Int64), (*operand, &DataType::Int64));
            let subtracted = Arithmetic::over(Operation::Subtract, zero, operand.clone(), String::new());
            Ok(subtracted.map_or_else(|| Transformed::no(Expr::Negative(Box::new(operand.0))), Transformed::yes))
        }
        Expr::Cast(Cast { expr, field }) => {
            let again = |operand: Expr| Expr::Cast(Cast::new_from_field(Box::new(operand), Arc::clone(&field)));
            let from = of(&expr);
            Ok(converted(*expr, &from, field.data_type(), false, again))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let again = |operand: Expr| Expr::TryCast(TryCast::new_from_field(Box::new(operand), Arc::clone(&field)));
            let from = of(&expr);
            Ok(converted(*expr, &from, field.data_type(), true, again))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let change = match op {
                Operator::StringConcat => spelled,
                Operator::Plus | Operator::Minus => moved,
                _ if op.supports_propagation() => comparable,
                _ => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            };
            let types = [of(&left), of(&right)];
            let operands = change(vec![*left, *right], &types);
            Ok(operands.update_data(|operands| rebuilt(operands, |left, right| BinaryExpr { left, op, right })))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let types = [of(&expr), of(&low), of(&high)];
            let mut parts = comparable(vec![*expr, *low, *high], &types);
            let (high, low) = (parts.data.pop(), parts.data.pop());
            let boxed = |expr: Option<Expr>| Box::new(expr.unwrap_or_else(null));
            let between = Between { expr: boxed(parts.data.pop()), negated, low: boxed(low), high: boxed(high) };
            Ok(Transformed::new_transformed(Expr::Between(between), parts.transformed))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let all: Vec<Expr> = std::iter::once(*expr).chain(list).collect();
            let types = all.iter().map(of).collect::<Vec<_>>();
            let mut all = comparable(all, &types);
            let expr = Box::new(all.data.remove(0));
            let list = Expr::InList(InList { expr, list: all.data, negated });
            Ok(Transformed::new_transformed(list, all.transformed))
        }
        Expr::Case(case) => Ok(chosen(case, of)),
        Expr::WindowFunction(mut window) => {
            let keys = window.params.order_by.iter_mut().filter(|key| is_span(&of(&key.expr)));
            let spans =
                keys.map(|key| key.expr = Computed::Seconds.call(std::mem::replace(&mut key.expr, null()))).count();
            Ok(Transformed::new_transformed(Expr::WindowFunction(window), spans > 0))
        }
        Expr::ScalarFunction(call) => Ok(called(call, of)),
        Expr::AggregateFunction(call) if call.func.name() == "median" => Ok(median(call, of)),
        other => Ok(Transformed::no(other)),
    }
}

/// Results are of one kind, and what is compared with each WHEN is as elsewhere.
fn chosen(case: Case, of: impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
    let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
    let floats = mixed(&results.map(&of).collect::<Vec<_>>());
    let spans = case.expr.as_deref().is_some_and(|expr| is_span(&of(expr)));
    if !floats && !spans {
        return Transformed::no(Expr::Case(case));
    }
    let compared = |expr: Box<Expr>| match spans && is_span(&of(&expr)) {
        true => Box::new(Computed::Seconds.call(*expr)),
        false => expr,
    };
    let result = |expr: Box<Expr>| {
        let data_type = of(&expr);
        if floats { Box::new(as_float(*expr, &data_type)) } else { expr }
    };
    let branches = case.when_then_expr.into_iter().map(|(when, then)| (compared(when), result(then)));
    let when_then_expr = branches.collect();
    let (expr, else_expr) = (case.expr.map(compared), case.else_expr.map(result));
    Transformed::yes(Expr::Case(Case { expr, when_then_expr, else_expr }))
}

fn rebuilt(mut operands: Vec<Expr>, build: impl Fn(Box<Expr>, Box<Expr>) -> BinaryExpr) -> Expr {
    let right = operands.pop().unwrap_or_else(null);
    let left = operands.pop().unwrap_or_else(null);
    Expr::BinaryExpr(build(Box::new(left), Box::new(right)))
}

fn null() -> Expr {
    lit(ScalarValue::Null)
}

/// A CAST, written `again` over what it takes.
fn converted(
    operand: Expr,
    from: &DataType,
    to: &DataType,
    or_null: bool,
    again: impl FnOnce(Expr) -> Expr,
) -> Transformed<Expr> {
    match to {
        DataType::Decimal128(precision, scale) if from.is_floating() => {
            Transformed::yes(Computed::Decimal { precision: *precision, scale: *scale, or_null }.call(operand))
        }
        integer if integer.is_integer() && from.is_decimal() => Transformed::yes(again(round().call(vec![operand]))),
        DataType::Decimal128(_, fewer) if matches!(from, DataType::Decimal128(_, digits) if digits > fewer) => {
            Transformed::yes(again(round().call(vec![operand, lit(i64::from(*fewer))])))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_spelled(from) => {
            Transformed::yes(again(Computed::Spelled.call(operand)))
        }
        _ => Transformed::no(again(operand)),
    }
}

/// Whether DataFusion writes values of a type otherwise than Postgres.
fn is_spelled(data_type: &DataType) -> bool {
    data_type.is_floating()
        || matches!(data_type, DataType::Timestamp(_, None) | DataType::Time32(_) | DataType::Time64(_))
}

fn spelled(exprs: Vec<Expr>, types: &[DataType]) -> Transformed<Vec<Expr>> {
    let transformed = types.iter().any(is_spelled);
    let spell = |(expr, data_type): (Expr, &DataType)| {
        if is_spelled(data_type) { Computed::Spelled.call(expr) } else { expr }
    };
    Transformed::new_transformed(exprs.into_iter().zip(types).map(spell).collect(), transformed)
}

/// Floats among decimals.
fn mixed(types: &[DataType]) -> bool {
    types.iter().any(DataType::is_floating) && types.iter().any(DataType::is_decimal)
}

fn as_float(expr: Expr, data_type: &DataType) -> Expr {
    if !data_type.is_decimal() {
        return expr;
    }
    match &expr {
        Expr::Literal(value, _) => value.cast_to(&DataType::Float64).map_or_else(|_| cast(expr.clone()), lit),
        _ => cast(expr),
    }
}

fn cast(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
}

/// Values that are compared with each other.
fn comparable(exprs: Vec<Expr>, types: &[DataType]) -> Transformed<Vec<Expr>> {
    let spans = types.iter().any(is_span);
    let change = |(expr, data_type): (Expr, &DataType)| {
        if spans && is_span(data_type) { Computed::Seconds.call(expr) } else { as_float(expr, data_type) }
    };
    if spans || mixed(types) {
        Transformed::yes(exprs.into_iter().zip(types).map(change).collect())
    } else {
        Transformed::no(exprs)
    }
}

/// A day that a span moves by less than days is a time.
fn moved(exprs: Vec<Expr>, types: &[DataType]) -> Transformed<Vec<Expr>> {
    let hours = exprs.iter().zip(types).any(|(expr, data_type)| is_span(data_type) && !is_of_days(expr));
    if !hours || !types.contains(&DataType::Date32) {
        return Transformed::no(exprs);
    }
    let time = |(expr, data_type): (Expr, &DataType)| match data_type {
        DataType::Date32 => Expr::Cast(Cast::new(Box::new(expr), DataType::Timestamp(TimeUnit::Microsecond, None))),
        _ => expr,
    };
    Transformed::yes(exprs.into_iter().zip(types).map(time).collect())
}

/// An INTERVAL that is written as whole days and months.
fn is_of_days(expr: &Expr) -> bool {
    let day = 24 * 60 * 60 * 1_000_000_000;
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Interval(IntervalUnit::MonthDayNano)) {
            Ok(ScalarValue::IntervalMonthDayNano(Some(span))) => span.nanoseconds % day == 0,
            _ => value.is_null(),
        },
        Expr::Negative(inner) => is_of_days(inner),
        Expr::BinaryExpr(sum) => is_of_days(&sum.left) && is_of_days(&sum.right),
        _ => false,
    }
}

fn called(mut call: ScalarFunction, of: impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
    let arguments = |call: &ScalarFunction| call.args.iter().map(&of).collect::<Vec<_>>();
    match call.func.name() {
        "date_part" => {
            let [name, of_what] = call.args.as_slice() else { return Transformed::no(Expr::ScalarFunction(call)) };
            let part = match name {
                Expr::Literal(name, _) => name.try_as_str().flatten().map(str::to_owned),
                _ => None,
            };
            let data_type = of(of_what);
            match part.and_then(|name| Part::of(&name, &data_type)) {
                Some(part) => Transformed::yes(Computed::Part(part).call(of_what.clone())),
                None => Transformed::no(Expr::ScalarFunction(call)),
            }
        }
        "concat" | "concat_ws" => {
            let types = arguments(&call);
            let args = spelled(std::mem::take(&mut call.args), &types);
            args.update_data(|args| Expr::ScalarFunction(ScalarFunction { args, ..call }))
        }
        "coalesce" | "nvl" | "ifnull" | "nvl2" | "nullif" | "greatest" | "least" => {
            let types = arguments(&call);
            if !mixed(&types) {
                return Transformed::no(Expr::ScalarFunction(call));
            }
            call.args = call.args.into_iter().zip(&types).map(|(arg, data_type)| as_float(arg, data_type)).collect();
            Transformed::yes(Expr::ScalarFunction(call))
        }
        "regexp_replace" if call.args.len() >= 3 => {
            let text = match &call.args[2] {
                Expr::Literal(text, _) => text.try_as_str().flatten().map(str::to_owned),
                _ => None,
            };
            call.args[2] = match text {
                Some(text) if !text.contains(['$', '&']) => return Transformed::no(Expr::ScalarFunction(call)),
                Some(text) => lit(text.replace('$', "$$").replace("\\&", "\\0")),
                None => replace().call(vec![call.args[2].clone(), lit("$"), lit("$$")]),
            };
            Transformed::yes(Expr::ScalarFunction(call))
        }
        _ => Transformed::no(Expr::ScalarFunction(call)),
    }
}

/// Half of an odd number of units has one digit more.
fn median(mut call: AggregateFunction, of: impl Fn(&Expr) -> DataType) -> Transformed<Expr> {
    let [value] = call.params.args.as_mut_slice() else {
        return Transformed::no(Expr::AggregateFunction(call));
    };
    let finer = match of(value) {
        DataType::Decimal128(precision, scale) if scale < 37 => {
            DataType::Decimal128((precision + 1).min(37), scale + 1)
        }
        integer if integer.is_integer() => DataType::Decimal128(20, 1),
        _ => return Transformed::no(Expr::AggregateFunction(call)),
    };
    *value = Expr::Cast(Cast::new(Box::new(value.clone()), finer));
    Transformed::yes(Expr::AggregateFunction(call))
}
