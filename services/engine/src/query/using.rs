//! RIGHT and FULL JOIN … USING: their key is the one of either side, which DataFusion takes from the left side alone. Rows of the
//! right side without a partner would have none.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr, TableFactor,
    TableWithJoins, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::dialect::MatchSql;
use super::facts::spelled;
use super::statement::normalized;

/// Writes COALESCE for the bare names of such keys; says where that cannot be done.
pub(super) fn coalesce_keys(query: &mut Query) -> Vec<String> {
    let mut joins = Joins { refused: Vec::new() };
    let _ = query.visit(&mut joins);
    joins.refused
}

struct Joins {
    refused: Vec<String>,
}

impl VisitorMut for Joins {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        match keys(select) {
            Ok(keys) if keys.is_empty() => {}
            Ok(keys) => Replace { keys: &keys, depth: 0 }.in_select(select),
            Err(message) => self.refused.push(message),
        }
        ControlFlow::Continue(())
    }

    /// The order stands outside of the SELECT. What the output calls so is sorted by what it is there.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_ref()
            && let Ok(mut keys) = keys(select)
        {
            keys.retain(|key, _| !select.projection.iter().any(|item| name(item).as_ref() == Some(key)));
            let _ = query.order_by.visit(&mut Replace { keys: &keys, depth: 0 });
        }
        ControlFlow::Continue(())
    }
}

/// The bare names of keys that either side may have, and what stands for them.
fn keys(select: &Select) -> Result<BTreeMap<String, Expr>, String> {
    let mut joins = Vec::new();
    select.from.iter().for_each(|from| collect(from, &mut joins));
    let Some((join, side, constraint)) = joins.iter().find_map(|join| either_side(join)) else {
        return Ok(BTreeMap::new());
    };
    let written_out = |column: &str| {
        format!(
            "{side} JOIN … USING: write ON with both columns instead, and COALESCE(left.{column}, right.{column}) AS {column} \
             where the key of either side is wanted"
        )
    };
    let columns = match constraint {
        JoinConstraint::Using(columns) => columns.iter().map(column).collect::<Option<Vec<_>>>().unwrap_or_default(),
        _ => {
            return Err(format!(
                "NATURAL {side} JOIN does not say what it joins: name the columns with {side} JOIN … USING (…)"
            ));
        }
    };
    let first = columns.first().map_or("id", |column| column.value.as_str());
    if select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_))) {
        return Err(format!(
            "SELECT * over {side} JOIN … USING would leave the key empty for rows of the right side: name the columns"
        ));
    }
    // Of several joins the key of one is the left side of another.
    let ([from], [_]) = (select.from.as_slice(), joins.as_slice()) else { return Err(written_out(first)) };
    let (Some(left), Some(right)) = (alias(&from.relation), alias(&join.relation)) else {
        return Err(written_out(first));
    };
    let either = |column: &Ident| {
        let name = spelled(&normalized(column));
        let sql = format!("COALESCE({}.{name}, {}.{name})", spelled(&left), spelled(&right));
        let parsed = Parser::new(&MatchSql).try_with_sql(&sql).and_then(|mut parser| parser.parse_expr());
        parsed.map(|expr| (normalized(column), expr)).map_err(|_| written_out(&column.value))
    };
    columns.into_iter().map(either).collect()
}

/// All joins of a FROM, those in brackets too.
fn collect<'a>(from: &'a TableWithJoins, joins: &mut Vec<&'a Join>) {
    for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            collect(table_with_joins, joins);
        }
    }
    joins.extend(&from.joins);
}

/// A join that gives rows of its right side without a partner, and whose keys are one column.
fn either_side(join: &Join) -> Option<(&Join, &'static str, &JoinConstraint)> {
    let (side, constraint) = match &join.join_operator {
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("RIGHT", constraint),
        JoinOperator::FullOuter(constraint) => ("FULL", constraint),
        _ => return None,
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural).then_some((join, side, constraint))
}

fn alias(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(normalized(&alias.name))
        }
        TableFactor::Table { name, .. } => column(name).map(normalized),
        _ => None,
    }
}

fn column(name: &ObjectName) -> Option<&Ident> {
    name.0.last()?.as_ident()
}

/// What an item of the output is called, where that is one word.
fn name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) | SelectItem::ExprWithAlias { alias: name, .. } => {
            Some(normalized(name))
        }
        _ => None,
    }
}

/// Puts an expression for each bare name of a key, in one SELECT and not in those within it, which have tables of their own.
struct Replace<'a> {
    keys: &'a BTreeMap<String, Expr>,
    depth: usize,
}

impl Replace<'_> {
    fn in_select(&mut self, select: &mut Select) {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = item
                && let Some(expr) = self.keys.get(&normalized(name))
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: name.clone() };
            }
        }
        let _ = select.projection.visit(self);
        let _ = select.selection.visit(self);
        let _ = select.group_by.visit(self);
        let _ = select.having.visit(self);
        let _ = select.qualify.visit(self);
    }
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && let Some(either) = self.keys.get(&normalized(name))
        {
            *expr = either.clone();
        }
        ControlFlow::Continue(())
    }
}
