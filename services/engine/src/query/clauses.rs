//! The SQL standard, written as DataFusion plans it: LIKE … ESCAPE, FETCH FIRST, columns of one name below UNION, and casts.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, Ident, LimitClause, Query, SelectItem, SetExpr, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::casts;
use super::statement::normalized;

/// Writes these anew; says which cannot be kept.
pub(super) fn planned_as_written(query: &mut Query) -> Vec<String> {
    let mut clauses = Clauses { refused: Vec::new() };
    let _ = query.visit(&mut clauses);
    clauses.refused
}

struct Clauses {
    refused: Vec<String>,
}

impl VisitorMut for Clauses {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::SetOperation { right, .. } = query.body.as_mut() {
            told_apart(right);
        }
        if let Some(fetch) = query.fetch.take() {
            match limit(fetch, query.limit_clause.take()) {
                Some(clause) => query.limit_clause = Some(clause),
                None => self.refused.push(
                    "FETCH FIRST takes a number of rows here, without WITH TIES or PERCENT: rank() OVER (ORDER BY …) <= 3 in a subquery keeps \
                     rows that are level"
                        .to_owned(),
                ),
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.refused.extend(casts::written_out(expr).err());
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expr
            && let Some(sign) = escape_char.take()
        {
            match (escaped_by(&sign), pattern.as_mut()) {
                (Some('\\'), _) => {}
                (Some(sign), Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. })) => {
                    *text = with_backslashes(text, sign);
                }
                _ => self.refused.push(format!(
                    "LIKE … ESCAPE {sign} takes one character, and a pattern that is written out: '50\\%' has the sign % itself"
                )),
            }
        }
        ControlFlow::Continue(())
    }
}

fn escaped_by(sign: &ValueWithSpan) -> Option<char> {
    let Value::SingleQuotedString(text) = &sign.value else { return None };
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// A pattern whose signs are escaped by a backslash.
fn with_backslashes(pattern: &str, sign: char) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == sign { chars.next() } else { None };
        match escaped {
            Some(itself) => written.extend(['\\', itself]),
            None if c == '\\' => written.push_str("\\\\"),
            None => written.push(c),
        }
    }
    written
}

/// `None` for what no LIMIT says.
fn limit(fetch: Fetch, clause: Option<LimitClause>) -> Option<LimitClause> {
    let Fetch { with_ties: false, percent: false, quantity } = fetch else { return None };
    let rows = quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
    match clause {
        None => Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() }),
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) => {
            Some(LimitClause::LimitOffset { limit: Some(rows), offset, limit_by })
        }
        Some(_) => None,
    }
}

/// Columns are named by the first SELECT: those of a later one may have one name, as in UNION SELECT l.id, r.id, which DataFusion takes
/// for one column.
fn told_apart(branch: &mut SetExpr) {
    match branch {
        SetExpr::SetOperation { left, right, .. } => {
            told_apart(left);
            told_apart(right);
        }
        SetExpr::Query(query) => told_apart(&mut query.body),
        SetExpr::Select(select) => {
            let mut seen = BTreeSet::new();
            for item in &mut select.projection {
                let SelectItem::UnnamedExpr(expr) = item else { continue };
                let name = match expr {
                    Expr::Identifier(name) => normalized(name),
                    Expr::CompoundIdentifier(parts) => parts.last().map(normalized).unwrap_or_default(),
                    _ => continue,
                };
                if !seen.insert(name.clone()) {
                    let other = (2..).map(|n| format!("{name}_{n}")).find(|other| seen.insert(other.clone()));
                    let alias = Ident::with_quote('"', other.unwrap_or(name));
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
            }
        }
        _ => {}
    }
}
