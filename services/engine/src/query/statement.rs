//! From SQL text to one parsed query that reads the job's own tables and nothing else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, SetOperator,
    SetQuantifier, Spanned, Statement as SqlStatement, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use kalla_spelling::nearest;

use super::dialect::MatchSql;
use super::facts::{Facts, TableInfo, at, spelled, violation};
use super::{clauses, unnest, using};
use crate::error::{Error, Result, Violation};
use crate::names::{self, list};

/// Expressions nested deeper are refused.
const DEPTH: usize = 100;
/// Operators in a row, or branches of UNION, INTERSECT and EXCEPT: each goes one level deeper, without brackets.
const CHAIN: usize = 1000;
/// Tables that a plan may read.
const TABLES: u64 = 500;

/// Functions that give rows and read nothing.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "range", "unnest"];

/// Parses `sql` and finds its aliases; refuses everything but one query over `tables`.
pub(super) fn parse(sql: &str, tables: &[TableInfo]) -> Result<(Statement, Facts)> {
    let tokens = tokens(sql)?;
    let first = one_statement(&tokens)?;
    refuse_reserved(&tokens)?;
    refuse_long_chains(&tokens)?;
    let mut statement = DFParserBuilder::new(sql)
        .with_dialect(&MatchSql)
        .with_recursion_limit(DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|e| invalid(super::errors::parser_message(&e.strip_backtrace())))?
        .pop_front();
    let not_a_query =
        || invalid(format!("`{first}` is not a query: match_sql has to be one SELECT, which may begin with WITH"));
    let Some(Statement::Statement(parsed)) = &mut statement else { return Err(not_a_query()) };
    let SqlStatement::Query(query) = parsed.as_mut() else { return Err(not_a_query()) };

    refuse_huge(query)?;
    let mut facts = Facts { tables: tables.to_vec(), tokens, aliases: BTreeMap::new() };
    let mut names = CteNames::default();
    let _ = query.visit(&mut names);
    let mut reader = Reader { facts: &facts, ctes: &names.0, aliases: BTreeMap::new(), found: Vec::new() };
    let _ = query.visit(&mut reader);
    let Reader { aliases, mut found, .. } = reader;
    found.extend(using::coalesce_keys(query).into_iter().map(violation));
    found.extend(clauses::planned_as_written(query).into_iter().map(violation));
    if !found.is_empty() {
        return Err(Error::Invalid(found));
    }
    facts.aliases = aliases;
    statement.map(|s| (s, facts)).ok_or_else(not_a_query)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::Invalid(vec![violation(message)])
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    let mut tokens = Tokenizer::new(&MatchSql, sql)
        .tokenize_with_location()
        .map_err(|e| invalid(super::errors::parser_message(&e.to_string())))?;
    tokens.retain(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF));
    Ok(tokens)
}

/// The first word of the only statement.
fn one_statement(tokens: &[TokenWithSpan]) -> Result<String> {
    let mut statements = tokens.split(|t| t.token == Token::SemiColon).filter(|s| !s.is_empty());
    let Some(first) = statements.next().and_then(|s| s.first()) else {
        return Err(invalid("the SQL is empty: it has to be one SELECT that joins the two sides"));
    };
    if let Some(second) = statements.next().and_then(|s| s.first()) {
        let place = at(Some(second.span.start));
        return Err(invalid(format!("a second statement starts{place}: match_sql has to be one SELECT")));
    }
    let word = first.token.to_string();
    if !["SELECT", "WITH", "VALUES", "FROM", "("].contains(&word.to_uppercase().as_str()) {
        let place = at(Some(first.span.start));
        return Err(invalid(format!(
            "`{word}`{place} does not start a query: match_sql has to be one SELECT, which may begin with WITH"
        )));
    }
    Ok(word)
}

/// Names that the engine gives to its own columns.
fn refuse_reserved(tokens: &[TokenWithSpan]) -> Result<()> {
    let reserved =
        |t: &&TokenWithSpan| matches!(&t.token, Token::Word(Word { value, .. }) if names::is_internal(value));
    match tokens.iter().find(reserved) {
        Some(t) => Err(invalid(format!(
            "the name `{}`{} is reserved: choose one that does not start with `{}`",
            t.token,
            at(Some(t.span.start)),
            names::INTERNAL
        ))),
        None => Ok(()),
    }
}

/// What one level of brackets holds so far.
#[derive(Default)]
struct Chain {
    operators: usize,
    branches: usize,
}

/// Parser and planner recurse along a chain of operators, which can be as long as the text.
fn refuse_long_chains(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Chain::default()];
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket => levels.push(Chain::default()),
            Token::RParen | Token::RBracket if levels.len() > 1 => drop(levels.pop()),
            _ => {}
        }
        let Some(chain) = levels.last_mut() else { break };
        match &token.token {
            Token::Comma => chain.operators = 0,
            Token::Word(word) => match word.keyword {
                Keyword::AND
                | Keyword::OR
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::AT
                | Keyword::COLLATE => chain.operators += 1,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => chain.branches += 1,
                Keyword::SELECT
                | Keyword::FROM
                | Keyword::WHERE
                | Keyword::ON
                | Keyword::HAVING
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE => chain.operators = 0,
                _ => {}
            },
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Period => {}
            Token::LParen | Token::LBracket | Token::RParen | Token::RBracket => {}
            _ => chain.operators += 1,
        }
        if chain.operators.max(chain.branches) > CHAIN {
            let place = at(Some(token.span.start));
            let (what, instead) = if chain.branches > CHAIN {
                (
                    "SELECTs are put together with UNION, INTERSECT or EXCEPT",
                    "put the values into a source of their own",
                )
            } else {
                (
                    "operators stand in a row",
                    "write a list of values as `IN (…)`, or put them into a source and JOIN it",
                )
            };
            return Err(invalid(format!("more than {CHAIN} {what}{place}: {instead}")));
        }
    }
    Ok(())
}

/// Every mention of a CTE is planned anew, so that a few lines of SQL can ask for millions of tables.
fn refuse_huge(query: &Query) -> Result<()> {
    let mut weight = Weight { open: vec![0], ..Weight::default() };
    let _ = query.visit(&mut weight);
    match weight.open.last() {
        Some(tables) if *tables > TABLES => Err(invalid(format!(
            "more than {TABLES} tables are read, because every mention of a CTE reads its tables anew: read fewer, and mention \
             CTEs that build on each other once"
        ))),
        _ => Ok(()),
    }
}

/// Counts the tables that a query reads once its CTEs are planned.
#[derive(Default)]
struct Weight {
    /// Of the queries around the present place, outermost first, and before them of the statement.
    open: Vec<u64>,
    /// CTEs of these queries with their tables.
    scopes: Vec<BTreeMap<String, u64>>,
    /// CTEs that are being read, by the place of their query in memory.
    ctes: Vec<(*const Query, String)>,
}

impl Visitor for Weight {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| (std::ptr::from_ref(cte.query.as_ref()), normalized(&cte.alias.name))));
        self.open.push(0);
        self.scopes.push(BTreeMap::new());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = self.open.pop().unwrap_or(0);
        self.scopes.pop();
        let name = self.ctes.iter().position(|(cte, _)| *cte == std::ptr::from_ref(query));
        match (name, self.scopes.last_mut(), self.open.last_mut()) {
            (Some(at), Some(scope), _) => drop(scope.insert(self.ctes.swap_remove(at).1, tables)),
            (None, _, Some(around)) => *around = around.saturating_add(tables),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [part] => part.as_ident().map(normalized),
            _ => None,
        };
        let cte = name.and_then(|name| self.scopes.iter().rev().find_map(|scope| scope.get(&name)));
        let tables = cte.copied().unwrap_or(1);
        if let Some(around) = self.open.last_mut() {
            *around = around.saturating_add(tables);
        }
        ControlFlow::Continue(())
    }
}

/// Lower case unless quoted, as DataFusion reads names.
pub(super) fn normalized(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

/// Names without a table before them.
#[derive(Default)]
struct Names(Vec<Ident>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr {
            self.0.push(name.clone());
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct CteNames(BTreeSet<String>);

impl Visitor for CteNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.0.insert(normalized(&cte.alias.name));
        }
        ControlFlow::Continue(())
    }
}

/// Walks the whole statement once.
struct Reader<'a> {
    facts: &'a Facts,
    ctes: &'a BTreeSet<String>,
    aliases: BTreeMap<String, Option<usize>>,
    found: Vec<Violation>,
}

impl Reader<'_> {
    fn refuse(&mut self, message: String) {
        let violation = violation(message);
        if !self.found.contains(&violation) {
            self.found.push(violation);
        }
    }

    fn name(&mut self, alias: String, table: Option<usize>) {
        self.aliases.entry(alias).and_modify(|known| *known = known.filter(|k| Some(*k) == table)).or_insert(table);
    }

    fn table(&mut self, name: &ObjectName, alias: Option<String>) {
        let place = at(Some(name.span().start));
        let idents: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let [ident] = idents.as_slice() else {
            let tables = list(&self.facts.table_names());
            self.refuse(format!("unknown table `{name}`{place}: the tables are {tables}, each by its bare name"));
            return;
        };
        let wanted = normalized(ident);
        if self.ctes.contains(&wanted) {
            self.name(alias.unwrap_or(wanted), None);
            return;
        }
        match self.facts.table(&wanted) {
            Some(index) if ident.quote_style != Some('\'') => self.name(alias.unwrap_or(wanted), Some(index)),
            _ => self.unknown_table(ident, &wanted, &place),
        }
    }

    fn unknown_table(&mut self, ident: &Ident, wanted: &str, place: &str) {
        let tables = list(&self.facts.table_names());
        let is_path = ident.quote_style == Some('\'') || wanted.contains(['/', '.', '\\', ':', '*']);
        let message = if is_path {
            format!("{ident}{place} is no table: match_sql reads only {tables}; add the file as a source of the job")
        } else {
            let names = self.facts.table_names().into_iter().chain(self.ctes.iter().map(String::as_str));
            match nearest(wanted, names) {
                Some(name) => format!(
                    "unknown table `{}`{place}: did you mean `{}`? The tables are {tables}",
                    ident.value,
                    spelled(name)
                ),
                None => format!("unknown table `{}`{place}: the tables are {tables}", ident.value),
            }
        };
        self.refuse(message);
    }

    fn unnested(&mut self, factor: &TableFactor) {
        unnest::refused(factor).into_iter().for_each(|message| self.refuse(message));
    }

    fn table_function(&mut self, name: &str, place: Location) {
        if !TABLE_FUNCTIONS.contains(&name.to_lowercase().as_str()) {
            let allowed = list(&TABLE_FUNCTIONS);
            self.refuse(format!("the table function `{name}`{} is not allowed: there are {allowed}", at(Some(place))));
        }
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.body(&query.body);
        self.order(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let Some(into) = &select.into {
            self.refuse(format!("SELECT INTO `{}` would write a table: match_sql only reads", into.name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::UNNEST { .. } => self.unnested(factor),
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                self.table_function(&name.to_string(), name.span().start);
                if name.to_string().eq_ignore_ascii_case("unnest") {
                    self.unnested(factor);
                }
            }
            TableFactor::Derived { lateral: true, subquery, .. } if unnest::is_all_of(subquery) => {
                self.unnested(factor);
            }
            TableFactor::Table { name, alias, version, sample, partitions, with_hints, json_path, .. } => {
                // DataFusion reads over these without a word.
                if version.is_some()
                    || sample.is_some()
                    || json_path.is_some()
                    || !partitions.is_empty()
                    || !with_hints.is_empty()
                {
                    let place = at(Some(name.span().start));
                    self.refuse(format!("`{factor}`{place}: tables are read whole; use WHERE instead"));
                }
                self.table(name, alias.as_ref().map(|a| normalized(&a.name)));
            }
            TableFactor::Derived { lateral: true, subquery, .. }
                if subquery.order_by.is_some() || subquery.limit_clause.is_some() || subquery.fetch.is_some() => self.refuse(
                "LATERAL with ORDER BY or LIMIT is not supported: number the rows with row_number() OVER (PARTITION BY … ORDER BY …) in a WITH clause, and \
                 join those that have the number 1"
                    .to_owned(),
            ),
            TableFactor::Derived { alias: Some(alias), .. } => self.name(normalized(&alias.name), None),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = expr
            && ident.quote_style.is_none()
            && ident.value.starts_with('@')
        {
            self.refuse(format!("`{ident}`{} is a variable: there are none", at(Some(ident.span.start))));
        }
        unnest::other_function(expr).into_iter().for_each(|message| self.refuse(message));
        if let Expr::BinaryOp { op: BinaryOperator::BitwiseXor, left, .. } = expr {
            let place = at(Some(left.span().end));
            self.refuse(format!(
                "`^`{place} is a power in some databases and an exclusive or in others: write power(a, b)"
            ));
        }
        ControlFlow::Continue(())
    }
}

impl Reader<'_> {
    /// A name within an expression of ORDER BY is that of a column read, which DataFusion takes for the column given of that name.
    fn order(&mut self, query: &Query) {
        let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &query.order_by) else { return };
        let OrderByKind::Expressions(keys) = &order.kind else { return };
        let given = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((normalized(alias), expr)),
            _ => None,
        });
        let given: BTreeMap<String, &Expr> = given.collect();
        let mut names = Names::default();
        let within = keys.iter().filter(|key| !matches!(key.expr, Expr::Identifier(_)));
        within.for_each(|key| {
            let _ = key.expr.visit(&mut names);
        });
        for ident in names.0 {
            let name = normalized(&ident);
            let read = self.facts.tables.iter().any(|table| table.schema.field_with_name(&name).is_ok());
            let itself = |expr: &&Expr| matches!(expr, Expr::Identifier(column) if normalized(column) == name);
            if read && given.get(&name).is_some_and(|expr| !itself(expr)) {
                let place = at(Some(ident.span.start));
                self.refuse(format!(
                    "`{ident}`{place} is a column that is read and one that is given: write the expression that is meant, or a name that \
                     only one of them has"
                ));
            }
        }
    }

    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Insert(s) | SetExpr::Update(s) | SetExpr::Delete(s) | SetExpr::Merge(s) => {
                let text = s.to_string();
                let verb = text.split_whitespace().next().unwrap_or_default();
                self.refuse(format!("`{verb}`{} changes data: match_sql only reads", at(Some(s.span().start))));
            }
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                if *set_quantifier == SetQuantifier::All && *op != SetOperator::Union {
                    self.refuse(format!(
                        "{op} ALL would count repeated rows wrongly: number them with row_number() OVER (PARTITION BY … ORDER BY …) on \
                         both sides and join on that number as well, or write {op} without ALL"
                    ));
                }
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }
}
