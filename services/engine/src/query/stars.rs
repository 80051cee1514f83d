//! Columns of one name that `*` gives: the second of them is named by its side, because columns of results are found by their
//! names. `SELECT l.*, r.*` over two files that both have a `currency` gives `currency` and `right_currency`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::Column;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Cte, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    Statement as SqlStatement, VisitMut, VisitorMut, WildcardAdditionalOptions, With,
};
use futures::FutureExt as _;

use super::facts::{Facts, spelled, spelled_column};
use super::statement::normalized;

/// Writes out the stars that give two columns of one name; says which columns have got another one. What cannot be planned
/// stays as it is.
pub(super) fn named_apart(statement: &mut Statement, facts: &Facts, state: &SessionState) -> Vec<String> {
    let Statement::Statement(parsed) = statement else { return Vec::new() };
    let SqlStatement::Query(query) = parsed.as_mut() else { return Vec::new() };
    let mut stars = Stars { facts, state, scopes: Vec::new(), conditions: Vec::new(), notes: Vec::new() };
    let _ = query.visit(&mut stars);
    stars.notes
}

struct Stars<'a> {
    facts: &'a Facts,
    state: &'a SessionState,
    /// Of the queries around the present place, outermost first.
    scopes: Vec<Scope>,
    /// Queries of which only the rows matter, by their place in memory.
    conditions: Vec<*const Query>,
    notes: Vec<String>,
}

/// One query.
struct Scope {
    /// Its CTEs that have been read, which those that follow may use.
    known: Vec<Cte>,
    /// Those that have not, by the place of their query in memory.
    ahead: Vec<(*const Query, Cte)>,
    /// Whether its columns stay as they are written.
    left_alone: bool,
}

impl VisitorMut for Stars<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Exists { subquery, .. } = expr {
            self.conditions.push(std::ptr::from_ref(subquery.as_ref()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let with = query.with.as_ref();
        let recursive = with.is_some_and(|with| with.recursive);
        let condition = self.conditions.contains(&std::ptr::from_ref(query));
        let ahead = with.iter().flat_map(|with| &with.cte_tables);
        let ahead = ahead.map(|cte| (std::ptr::from_ref(cte.query.as_ref()), cte.clone())).collect();
        // It may refer to CTEs of a query that is left alone, and these are not planned.
        let refers = self.scopes.last().is_some_and(|scope| scope.left_alone && !scope.known.is_empty());
        self.scopes.push(Scope { known: Vec::new(), ahead, left_alone: recursive || condition || refers });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        if let Some(scope) = self.scopes.last_mut()
            && let Some(at) = scope.ahead.iter().position(|(cte, _)| *cte == std::ptr::from_ref(query))
        {
            let (_, cte) = scope.ahead.swap_remove(at);
            scope.known.push(Cte { query: Box::new(query.clone()), ..cte });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let alone = self.scopes.last().is_none_or(|scope| scope.left_alone);
        let single = matches!(select.from.as_slice(), [from] if from.joins.is_empty());
        if !alone
            && !single
            && select.projection.iter().any(is_star)
            && let Some((items, note)) = self.written_out(select)
        {
            select.projection = items;
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        ControlFlow::Continue(())
    }
}

fn is_star(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

impl Stars<'_> {
    /// The items of a SELECT without stars, and what is to be said of them; `None` where each column has a name of its own.
    fn written_out(&self, select: &Select) -> Option<(Vec<SelectItem>, String)> {
        let (mut items, mut named) = (Vec::new(), Vec::new());
        let (mut columns, mut repeated) = (Vec::new(), false);
        let mut taken: BTreeSet<String> = select.projection.iter().filter_map(written_name).collect();
        for item in &select.projection {
            if !is_star(item) {
                columns.extend(written_column(item));
                items.push(item.clone());
                continue;
            }
            for column in self.columns(select, item)? {
                if columns.contains(&column) {
                    repeated = true;
                    continue;
                }
                let mut name = column.name.clone();
                while !taken.insert(name.clone()) {
                    name = format!("{}_{name}", self.side(&column));
                }
                let reference = reference(&column);
                items.push(if name == column.name {
                    SelectItem::UnnamedExpr(reference)
                } else {
                    named.push(format!("`{}` is `{}`", spelled_column(&column), spelled(&name)));
                    SelectItem::ExprWithAlias { expr: reference, alias: Ident::with_quote('"', &name) }
                });
                columns.push(column);
            }
        }
        if named.is_empty() {
            return repeated.then(|| (items, "columns that are named and in a `*` besides are given once".to_owned()));
        }
        let named = named.join(", ");
        Some((items, format!("where two columns that `*` gives have one name, the second has another: {named}")))
    }

    /// What a star stands for.
    fn columns(&self, select: &Select, star: &SelectItem) -> Option<Vec<Column>> {
        if !matches!(star, SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) if is_plain(options))
        {
            return None;
        }
        let from = Select {
            projection: vec![star.clone()],
            distinct: None,
            selection: None,
            group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
            having: None,
            named_window: Vec::new(),
            qualify: None,
            ..select.clone()
        };
        let known: Vec<Cte> = self.scopes.iter().flat_map(|scope| scope.known.clone()).collect();
        let with = With { with_token: AttachedToken::empty(), recursive: false, cte_tables: known };
        let query = Query {
            with: (!with.cte_tables.is_empty()).then_some(with),
            body: Box::new(SetExpr::Select(Box::new(from))),
            order_by: None,
            limit_clause: None,
            fetch: None,
            locks: Vec::new(),
            for_clause: None,
            settings: None,
            format_clause: None,
            pipe_operators: Vec::new(),
        };
        let statement = Statement::Statement(Box::new(SqlStatement::Query(Box::new(query))));
        // The tables are in memory: there is nothing to wait for.
        let plan = self.state.statement_to_plan(statement).now_or_never()?.ok()?;
        Some(plan.schema().columns())
    }

    fn side(&self, column: &Column) -> String {
        let Some(relation) = &column.relation else { return "other".to_owned() };
        match self.facts.aliases.get(relation.table()).copied().flatten() {
            Some(0) => "left".to_owned(),
            Some(1) => "right".to_owned(),
            _ => relation.table().to_owned(),
        }
    }
}

/// Whether a star gives its columns as they are.
fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions { opt_ilike, opt_replace, opt_rename, opt_alias, .. } = options;
    opt_ilike.is_none() && opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none()
}

/// What an item that is no star is called.
fn written_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normalized(alias)),
        _ => written_column(item).map(|column| column.name),
    }
}

/// The column that an item is.
fn written_column(item: &SelectItem) -> Option<Column> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(Column::new_unqualified(normalized(name))),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
            [table, name] => Some(Column::new(Some(normalized(table)), normalized(name))),
            _ => None,
        },
        _ => None,
    }
}

fn reference(column: &Column) -> Expr {
    let quoted = |name: &str| Ident::with_quote('"', name);
    match &column.relation {
        Some(relation) => Expr::CompoundIdentifier(vec![quoted(relation.table()), quoted(&column.name)]),
        None => Expr::Identifier(quoted(&column.name)),
    }
}
