//! Filters as SQL conditions. COPY takes no bound parameters, so each value is bound once to a query whose answer is
//! the value as a quoted literal, and only that answer is put into the condition, with a cast to the column's type.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::catalog::{Relation, quoted};
use super::columns::{Kind, TableColumn};
use super::connect::Connector;
use crate::error::{Error, Result, Violation};
use crate::job::{Filter, FilterOp, FilterValue};
use crate::names::no_such_column;

/// The conditions of all filters joined with AND, or `None` without filters. Says everything that is wrong at once.
pub async fn conditions(
    client: &Client,
    connector: &Connector,
    alias: &str,
    relation: &Relation,
    columns: &[TableColumn],
    filters: &[Filter],
) -> Result<Option<String>> {
    let mut violations = Vec::new();
    let mut conditions = Vec::new();
    for (index, filter) in filters.iter().enumerate() {
        let condition = match columns.iter().find(|column| column.name == filter.column) {
            Some(column) => condition(client, connector, relation, column, filter).await?,
            None => Err(no_such_column(&filter.column, columns.iter().map(|column| column.name.as_str()))),
        };
        match condition {
            Ok(condition) => conditions.push(condition),
            Err(message) => violations.push(Violation::new(format!("{alias}.filters[{index}]"), message)),
        }
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    Ok((!conditions.is_empty()).then(|| conditions.join(" AND ")))
}

/// One condition, tried on the server; the inner error is what the author of the filter has to change.
async fn condition(
    client: &Client,
    connector: &Connector,
    relation: &Relation,
    column: &TableColumn,
    filter: &Filter,
) -> Result<Result<String, String>> {
    if let Err(message) = well_formed(column, filter) {
        return Ok(Err(message));
    }
    let texts: Vec<String> = filter.values.iter().map(text_of).collect();
    let literals = literals(client, connector, column, filter.op, &texts).await?;
    let sql = comparison(column, filter.op, &literals);
    // Casts are carried out here, before any row is read, inside a savepoint that keeps the transaction alive.
    let casts = if literals.is_empty() { "1".to_owned() } else { literals.join(", ") };
    let trial = format!("SAVEPOINT trial; SELECT {casts}; SELECT 1 FROM {} WHERE {sql} LIMIT 0", relation.quoted());
    let trial = client.batch_execute(&trial).await;
    let undo = client.batch_execute("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial");
    match trial {
        Ok(()) => undo.await.map_err(|e| connector.failed(&e)).map(|()| Ok(sql)),
        Err(error) => match error.as_db_error() {
            Some(db) if db.code().code().starts_with("22") => {
                undo.await.map_err(|e| connector.failed(&e))?;
                Ok(Err(format!("column `{}`: {}", column.name, db.message())))
            }
            Some(db) if [SqlState::UNDEFINED_FUNCTION, SqlState::DATATYPE_MISMATCH].contains(db.code()) => {
                undo.await.map_err(|e| connector.failed(&e))?;
                Ok(Err(format!("column `{}` of type {} cannot be compared like this", column.name, column.base_type)))
            }
            _ => Err(connector.failed(&error)),
        },
    }
}

/// Each text as the server quotes it, with its cast.
async fn literals(
    client: &Client,
    connector: &Connector,
    column: &TableColumn,
    op: FilterOp,
    texts: &[String],
) -> Result<Vec<String>> {
    let sql = "SELECT quote_literal(text) FROM unnest($1) WITH ORDINALITY AS value(text, place) ORDER BY place";
    let rows = client.query_typed(sql, &[(&texts as &(dyn ToSql + Sync), Type::TEXT_ARRAY)]).await;
    let rows = rows.map_err(|e| connector.failed(&e))?;
    let quoted: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let quoted = quoted.map_err(|e| connector.failed(&e))?;
    Ok(quoted.iter().zip(texts).map(|(literal, text)| format!("{literal}::{}", cast(column, op, text))).collect())
}

/// What can be said without the server.
fn well_formed(column: &TableColumn, filter: &Filter) -> Result<(), String> {
    let name = &column.name;
    let wanted = match filter.op {
        FilterOp::In => None,
        FilterOp::Between => Some(2),
        _ => Some(1),
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != filter.values.len()) {
        return Err(format!("column `{name}`: {wanted} value(s) expected, {} given", filter.values.len()));
    }
    if filter.op == FilterOp::IsNull {
        let is_bool = matches!(filter.values.as_slice(), [FilterValue::Bool(_)]);
        return if is_bool { Ok(()) } else { Err(format!("column `{name}`: is_null takes true or false")) };
    }
    let in_text = matches!(filter.op, FilterOp::Like | FilterOp::Contains);
    // A number compared with text would be compared letter by letter, and 10 would come before 9.
    let is_text = matches!(column.kind, Kind::Text | Kind::PaddedText | Kind::Uuid);
    for value in &filter.values {
        match value {
            FilterValue::Text(text) if text.contains('\0') => {
                return Err(format!("column `{name}`: no text in Postgres holds a NUL character"));
            }
            FilterValue::Text(text) if filter.op == FilterOp::Like && ends_in_escape(text) => {
                return Err(format!("column `{name}`: the pattern ends with a backslash that escapes nothing"));
            }
            FilterValue::Number(number) if is_text || column.kind == Kind::Bool || in_text => {
                return Err(format!("column `{name}` is {}: write the value as text, \"{number}\"", column.base_type));
            }
            FilterValue::Bool(value) if column.kind != Kind::Bool || in_text => {
                return Err(format!("column `{name}` is {}, not boolean: {value} is no value of it", column.base_type));
            }
            _ => {}
        }
    }
    Ok(())
}

fn ends_in_escape(pattern: &str) -> bool {
    pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn text_of(value: &FilterValue) -> String {
    match value {
        FilterValue::Text(text) | FilterValue::Number(text) => text.clone(),
        FilterValue::Bool(value) => value.to_string(),
    }
}

/// The type that a literal is read as: the column's, without a length or precision that would cut or round it.
fn cast(column: &TableColumn, op: FilterOp, text: &str) -> String {
    match column.kind {
        _ if matches!(op, FilterOp::Like | FilterOp::Contains) => "text".to_owned(),
        _ if op == FilterOp::IsNull => "boolean".to_owned(),
        Kind::Int2 | Kind::Int4 | Kind::Int8 if text.trim().parse::<i64>().is_err() => "numeric".to_owned(),
        Kind::Int2 | Kind::Int4 | Kind::Int8 => "int8".to_owned(),
        Kind::PaddedText => "bpchar".to_owned(),
        _ => match column.base_type.as_str() {
            "character varying" | "name" | "\"char\"" => "text".to_owned(),
            "bit" => "varbit".to_owned(),
            "money" => "numeric".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn comparison(column: &TableColumn, op: FilterOp, literals: &[String]) -> String {
    let mut name = quoted(&column.name);
    if column.base_type == "money" {
        name.push_str("::numeric");
    }
    // By code points, as everywhere else: what comes before what must not hang on the collation of a column.
    let orders = matches!(op, FilterOp::Gt | FilterOp::Gte | FilterOp::Lt | FilterOp::Lte | FilterOp::Between);
    let is_text = column.kind == Kind::PaddedText || ["text", "character varying"].contains(&&*column.base_type);
    if orders && is_text {
        name.push_str(" COLLATE \"C\"");
    }
    let binary = |operator: &str| format!("{name} {operator} {}", literals.join(""));
    match op {
        FilterOp::Eq => binary("="),
        FilterOp::Neq => binary("<>"),
        FilterOp::Gt => binary(">"),
        FilterOp::Gte => binary(">="),
        FilterOp::Lt => binary("<"),
        FilterOp::Lte => binary("<="),
        FilterOp::Between => format!("{name} BETWEEN {}", literals.join(" AND ")),
        FilterOp::In if literals.is_empty() => "FALSE".to_owned(),
        FilterOp::In => format!("{name} IN ({})", literals.join(", ")),
        FilterOp::Like => format!("{name}::text LIKE {}", literals.join("")),
        FilterOp::Contains => format!("position(lower({}) IN lower({name}::text)) > 0", literals.join("")),
        FilterOp::IsNull => format!("({name} IS NULL) = {}", literals.join("")),
    }
}
