//! Lists taken apart in FROM, as Postgres does it: refused, with the way that works.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, SetExpr, Spanned as _, TableFactor, Visit as _, Visitor};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::facts::at;

/// Functions of Postgres that give the parts of a text as rows.
const SPLITTING: [&str; 2] = ["regexp_split_to_table", "string_to_table"];

/// Why a list cannot be taken apart here: it is one of each row of a table beside it, or is to be numbered.
pub(super) fn refused(factor: &TableFactor) -> Option<String> {
    let mut columns = Columns(None);
    let _ = factor.visit(&mut columns);
    let ordinality = matches!(factor, TableFactor::UNNEST { with_ordinality: true, .. });
    (columns.0.is_some() || ordinality).then(|| {
        format!(
            "unnest in FROM takes no column of another table{} and no WITH ORDINALITY: write it in the SELECT list of a subquery, as in \
             JOIN (SELECT id, unnest(string_to_array(name, ' ')) AS word FROM left_src) w ON …",
            at(columns.0)
        )
    })
}

/// Whether a query is nothing but lists that are taken apart.
pub(super) fn is_all_of(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    select.from.is_empty() && query.to_string().to_lowercase().contains("unnest(")
}

/// What to write for a function that there is elsewhere.
pub(super) fn other_function(expr: &Expr) -> Option<String> {
    let Expr::Function(call) = expr else { return None };
    let name = call.name.to_string().to_lowercase();
    let place = at(Some(call.name.span().start));
    SPLITTING
        .contains(&name.as_str())
        .then(|| format!("there is no function `{name}`{place}: write unnest(string_to_array(text, ' '))"))
}

/// The first column that is mentioned.
struct Columns(Option<Location>);

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            self.0 = Some(expr.span().start);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
