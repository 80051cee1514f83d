//! Expressions as people read them.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::unparser::expr_to_sql;

use super::facts::spelled;
use crate::functions::as_operators;

/// An expression in the words of SQL; of a subquery only what it reads.
pub fn condition(expr: &Expr) -> String {
    match expr {
        Expr::Exists(exists) => {
            let not = if exists.negated { "NOT " } else { "" };
            format!("{not}EXISTS (SELECT … {})", reads(&exists.subquery.subquery))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let not = if *negated { "NOT " } else { "" };
            format!("{} {not}IN (SELECT … {})", condition(expr), reads(&subquery.subquery))
        }
        Expr::Not(inner) if has_subquery(inner) => match inner.as_ref() {
            Expr::Exists(exists) if !exists.negated => format!("NOT {}", condition(inner)),
            _ => format!("NOT ({})", condition(inner)),
        },
        Expr::ScalarSubquery(subquery) => format!("(SELECT … {})", reads(&subquery.subquery)),
        Expr::BinaryExpr(binary) if has_subquery(expr) => {
            format!("{} {} {}", condition(&binary.left), binary.op, condition(&binary.right))
        }
        Expr::Cast(cast) => match cast.field.data_type() {
            DataType::Timestamp(_, Some(zone)) => format!("{} AT TIME ZONE '{zone}'", condition(&cast.expr)),
            _ => unparsed(expr),
        },
        Expr::Column(column) => match &column.relation {
            Some(relation) => format!("{}.{}", relation.table(), plain(&column.name)),
            None => plain(&column.name),
        },
        other => unparsed(other),
    }
}

fn unparsed(expr: &Expr) -> String {
    match expr_to_sql(&as_operators(expr)) {
        Ok(sql) => without_parentheses(&plain(&sql.to_string())).to_owned(),
        Err(_) => expr.human_display().to_string(),
    }
}

/// Whether what an expression is rests on rows of a subquery.
pub fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|e| {
        Ok(matches!(e, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_)))
    })
    .unwrap_or(true)
}

pub fn conjunction(exprs: &[Expr]) -> String {
    exprs.iter().map(condition).collect::<Vec<_>>().join(" AND ")
}

/// The planner's names of aggregates and windows hold its own words for numbers, and stand in quotes: `"count(Int64(1))"`.
pub(super) fn plain(text: &str) -> String {
    let mut text = text.replace("count(Int64(1))", "count(*)");
    while let Some(start) = text.find("Int64(") {
        let number = start + "Int64(".len();
        let Some(length) = text[number..].find(')') else { break };
        text = format!("{}{}{}", &text[..start], &text[number..number + length], &text[number + length + 1..]);
    }
    let parts: Vec<&str> = text.split('"').collect();
    let mut plain = String::with_capacity(text.len());
    for (n, part) in parts.iter().enumerate() {
        // Every second part was in quotes, which it needs less often than the planner thinks.
        let quoted = n % 2 == 1 && n + 1 < parts.len() && !part.contains('(');
        plain.push_str(&if quoted { spelled(part) } else { (*part).to_owned() });
    }
    plain
}

/// Without the pair that stands around the whole.
fn without_parentheses(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let mut depth = 0_i32;
    for c in inner.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return text;
        }
    }
    inner
}

/// `FROM exact`.
fn reads(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            inner @ (LogicalPlan::SubqueryAlias(_) | LogicalPlan::TableScan(_)) => reads(inner),
            _ => format!("FROM {}", alias.alias.table()),
        },
        LogicalPlan::TableScan(scan) => format!("FROM {}", scan.table_name.table()),
        other => other.inputs().first().map_or_else(String::new, |input| reads(input)),
    }
}
