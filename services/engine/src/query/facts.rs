//! What is known about a statement and its tables, for messages that name places, tables and evidence.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use crate::error::Violation;
use crate::stage::ColumnNote;

/// A table that `match_sql` may read.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its name in the SQL.
    pub alias: String,
    pub schema: SchemaRef,
    /// Why columns have the type that they have: ``text because of `N/A` in line 812``.
    pub notes: Vec<ColumnNote>,
}

/// Further names of the first two tables.
pub(super) const SIDES: [&str; 2] = ["left_src", "right_src"];

pub(super) struct Facts {
    pub tables: Vec<TableInfo>,
    /// The statement without white space and comments.
    pub tokens: Vec<TokenWithSpan>,
    /// Names that the statement gives to tables, and which table it is; `None` for those that mean several things.
    pub aliases: BTreeMap<String, Option<usize>>,
}

impl Facts {
    /// Index of the table called `name`.
    pub(super) fn table(&self, name: &str) -> Option<usize> {
        let side = SIDES.iter().position(|side| *side == name).filter(|&side| side < self.tables.len());
        self.tables.iter().position(|t| t.alias == name).or(side)
    }

    /// Every name that a table can be called by, in a stable order.
    pub(super) fn table_names(&self) -> Vec<&str> {
        self.tables.iter().map(|t| t.alias.as_str()).chain(SIDES.into_iter().take(self.tables.len())).collect()
    }

    /// The table that a column with this qualifier is read from, when it is read from a table directly.
    pub(super) fn source(&self, qualifier: &str) -> Option<&TableInfo> {
        self.aliases.get(qualifier).copied().flatten().and_then(|index| self.tables.get(index))
    }

    /// Source and evidence of a column.
    pub(super) fn origin(&self, column: &Column) -> Option<(&TableInfo, Option<&str>)> {
        let table = self.source(column.relation.as_ref()?.table())?;
        table.schema.field_with_name(&column.name).ok()?;
        let note = table.notes.iter().find(|n| n.column == column.name).map(|n| n.note.as_str());
        Some((table, note))
    }

    /// Where a column stands in the statement: its own span, or else the first place that spells it.
    pub(super) fn position(&self, column: &Column) -> Option<Location> {
        let own = column.spans().first().map(|s| Location::new(s.start.line, s.start.column));
        own.or_else(|| self.find(column.relation.as_ref().map(|r| r.table()), &column.name))
            .or_else(|| self.find(None, &column.name))
    }

    /// The first place of `qualifier.name`, or of `name` alone.
    pub(super) fn find(&self, qualifier: Option<&str>, name: &str) -> Option<Location> {
        let at = |index: usize| self.tokens.get(index).map(|t| &t.token);
        let mut places = (0..self.tokens.len()).filter(|&index| match qualifier {
            Some(qualifier) => {
                at(index).is_some_and(|t| is_word(t, qualifier))
                    && at(index + 1) == Some(&Token::Period)
                    && at(index + 2).is_some_and(|t| is_word(t, name))
            }
            None => at(index).is_some_and(|t| is_word(t, name)) && at(index + 1) != Some(&Token::LParen),
        });
        places.next().map(|index| self.tokens[index].span.start)
    }
}

impl Facts {
    /// Whether `name` stands in the statement in double quotes.
    pub(super) fn is_quoted(&self, name: &str) -> bool {
        self.tokens.iter().any(|token| match &token.token {
            Token::Word(word) => word.quote_style.is_some() && word.value == name,
            _ => false,
        })
    }

    /// The first call of the function `name`.
    pub(super) fn find_call(&self, name: &str) -> Option<Location> {
        let calls = self.tokens.windows(2).find(|pair| is_word(&pair[0].token, name) && pair[1].token == Token::LParen);
        calls.map(|pair| pair[0].span.start)
    }
}

fn is_word(token: &Token, name: &str) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_some() => word.value == name,
        Token::Word(word) => word.value.to_lowercase() == name,
        _ => false,
    }
}

/// ` at line 3, column 12`, or nothing.
pub(super) fn at(place: Option<Location>) -> String {
    place.filter(|p| p.line > 0).map_or_else(String::new, |p| format!(" at line {}, column {}", p.line, p.column))
}

/// A name as it has to be written in SQL: in double quotes unless it is plain lower case.
pub fn spelled(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// `i.amount`, with quotes where SQL needs them.
pub(super) fn spelled_column(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{}.{}", spelled(relation.table()), spelled(&column.name)),
        None => spelled(&column.name),
    }
}

pub(super) fn violation(message: impl Into<String>) -> Violation {
    Violation::new("match_sql", message)
}
