//! DataFusion's planning errors in the words of the person who wrote the SQL.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError, Span};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::tokenizer::Location;

use kalla_spelling::nearest;

use super::facts::{Facts, at, spelled, spelled_column, violation};
use crate::error::Violation;
use crate::names::list;

/// All that `error` says, each with its place where that is known.
pub(super) fn explain(error: &DataFusionError, facts: &Facts, state: &SessionState) -> Vec<Violation> {
    let mut messages = Vec::new();
    collect(error, None, facts, state, &mut messages);
    let mut seen = BTreeSet::new();
    messages.into_iter().filter(|m| seen.insert(m.clone())).map(violation).collect()
}

fn collect(error: &DataFusionError, span: Option<Span>, facts: &Facts, state: &SessionState, out: &mut Vec<String>) {
    match error {
        DataFusionError::Collection(errors) => errors.iter().for_each(|e| collect(e, span, facts, state, out)),
        DataFusionError::Context(_, inner) => collect(inner, span, facts, state, out),
        DataFusionError::Shared(inner) => collect(inner, span, facts, state, out),
        DataFusionError::Diagnostic(diagnostic, inner) => collect(inner, diagnostic.span.or(span), facts, state, out),
        DataFusionError::SchemaError(schema, _) => out.push(schema_error(schema, span, facts)),
        other => out.push(plan_error(&other.strip_backtrace(), span, facts, state)),
    }
}

fn schema_error(error: &SchemaError, span: Option<Span>, facts: &Facts) -> String {
    let place = |column: &Column| at(start(span).or_else(|| facts.position(column)));
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields, &place(field), facts),
        SchemaError::AmbiguousReference { field } => {
            let owners: Vec<String> = facts
                .aliases
                .keys()
                .filter(|alias| facts.source(alias).is_some_and(|t| t.schema.field_with_name(&field.name).is_ok()))
                .map(|alias| spelled_column(&Column::new(Some(alias.as_str()), &field.name)))
                .collect();
            let remedy = match owners.as_slice() {
                [] => "write the table's name in front of it".to_owned(),
                owners => format!("write one of {}", list(owners)),
            };
            format!("the column `{}`{} is in more than one table: {remedy}", field.name, place(field))
        }
        SchemaError::DuplicateQualifiedField { qualifier, name } => {
            format!(
                "the table name `{}` is used twice with a column `{name}`: give one of the tables another name with AS",
                qualifier.table()
            )
        }
        SchemaError::DuplicateUnqualifiedField { name } => {
            let place = at(start(span).or_else(|| facts.find(None, name)));
            format!("two columns are named `{name}`{place}: give one of them another name with AS")
        }
    }
}

fn unknown_column(field: &Column, valid: &[Column], place: &str, facts: &Facts) -> String {
    let shown = match &field.relation {
        Some(relation) => format!("{}.{}", relation.table(), field.name),
        None => field.name.clone(),
    };
    let known: Vec<Column> = if valid.is_empty() { all_columns(facts) } else { valid.to_vec() };
    // A subquery may also name the tables around it, which the planner does not list.
    let outer = field.relation.as_ref().filter(|r| known.iter().all(|c| c.relation.as_ref() != Some(r)));
    let around = outer.and_then(|relation| facts.source(relation.table()));
    let known = match (around, outer) {
        (Some(table), Some(relation)) => {
            table.schema.fields().iter().map(|f| Column::new(Some(relation.clone()), f.name())).collect()
        }
        _ => known,
    };
    if let Some(relation) = &field.relation {
        let qualifiers: BTreeSet<&str> = known.iter().filter_map(|c| c.relation.as_ref()).map(|r| r.table()).collect();
        if !qualifiers.contains(relation.table()) {
            let names: Vec<&str> = qualifiers.into_iter().collect();
            let hint = match (nearest(relation.table(), names.iter().copied()), names.is_empty()) {
                (Some(name), _) => format!("did you mean `{}`?", spelled_column(&Column::new(Some(name), &field.name))),
                (None, false) => format!("the tables here are {}", list(&names)),
                (None, true) => "there are no tables here".to_owned(),
            };
            return format!("unknown table `{}` in `{shown}`{place}: {hint}", relation.table());
        }
    }
    let same_table = |c: &&Column| field.relation.is_none() || c.relation == field.relation;
    let find = |columns: Vec<&Column>| -> Option<Column> {
        let name = nearest(&field.name, columns.iter().map(|c| c.name.as_str()))?.to_owned();
        columns.into_iter().find(|c| c.name == name).cloned()
    };
    let elsewhere = known.iter().find(|c| c.name == field.name);
    let suggestion = elsewhere.cloned().or_else(|| find(known.iter().filter(same_table).collect()));
    match suggestion.or_else(|| find(known.iter().collect())) {
        Some(column) => format!("unknown column `{shown}`{place}: did you mean `{}`?", spelled_column(&column)),
        None => {
            let names: Vec<String> = known.iter().filter(same_table).map(|c| spelled(&c.name)).collect();
            format!("unknown column `{shown}`{place}: the columns are {}", list(&names))
        }
    }
}

fn all_columns(facts: &Facts) -> Vec<Column> {
    facts
        .aliases
        .keys()
        .filter_map(|alias| facts.source(alias).map(|t| (alias, t)))
        .flat_map(|(alias, t)| t.schema.fields().iter().map(move |f| Column::new(Some(alias.as_str()), f.name())))
        .collect()
}

fn plan_error(text: &str, span: Option<Span>, facts: &Facts, state: &SessionState) -> String {
    let text = strip_prefixes(text);
    if let Some(name) = between(text, "Invalid function '", "'") {
        let place = at(start(span).or_else(|| facts.find_call(name)));
        let names = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let names: BTreeSet<&str> = names.chain(state.window_functions().keys()).map(String::as_str).collect();
        let hint = nearest(name, names).map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        return format!("unknown function `{name}`{place}{hint}");
    }
    if let Some(first) = between(text, "require unique expression names but the expression \"", "\" at position") {
        return format!("two columns of a SELECT would both be `{first}`: give one of them another name with AS");
    }
    if let Some((name, reason)) =
        text.strip_prefix("Function '").and_then(|t| t.split_once("' user-defined coercion failed with: "))
    {
        let reason = reason.split(". No function matches").next().unwrap_or(reason);
        return format!("{}{}", strip_prefixes(reason), at(start(span).or_else(|| facts.find_call(name))));
    }
    if let Some(name) = function_in(text) {
        let place = at(start(span).or_else(|| facts.find_call(name)));
        return match between(text, "(DataType: ", ")") {
            Some(given) => {
                format!("`{name}`{place} cannot take an argument of the type {given}: CAST it to one that it can")
            }
            None => format!("`{name}`{place} cannot take these arguments: {}", text.lines().next().unwrap_or(text)),
        };
    }
    let first = text.lines().next().unwrap_or(text);
    format!("{first}{}", at(start(span)))
}

/// The name of the function whose arguments DataFusion refuses.
fn function_in(text: &str) -> Option<&str> {
    between(text, "to satisfy a call to '", "' function")
        .or_else(|| between(text, "argument types '", "("))
        .or_else(|| text.strip_prefix("Function '").and_then(|t| t.split_once('\'')).map(|(name, _)| name))
}

fn strip_prefixes(text: &str) -> &str {
    let prefixes = [
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "type_coercion\ncaused by\n",
        "Internal error: ",
    ];
    let mut rest = text;
    while let Some(shorter) = prefixes.iter().find_map(|p| rest.strip_prefix(p)) {
        rest = shorter;
    }
    rest
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn start(span: Option<Span>) -> Option<Location> {
    span.map(|s| Location::new(s.start.line, s.start.column))
}

/// `SQL error: ParserError("Expected: …, found: … at Line: 1, Column: 20")` in plain words.
pub(super) fn parser_message(text: &str) -> String {
    let text = text.strip_prefix("SQL error: ").unwrap_or(text);
    let text =
        between(text, "ParserError(\"", "\")").or_else(|| between(text, "TokenizerError(\"", "\")")).unwrap_or(text);
    if text.contains("RecursionLimitExceeded") {
        return "the SQL is nested too deeply: take parts of it into a WITH clause".to_owned();
    }
    let text = text.replace("\\\"", "\"").replace("\\'", "'");
    match text.split_once(" at Line: ").and_then(|(what, place)| Some((what, place.split_once(", Column: ")?))) {
        Some((what, (line, column))) => {
            format!("the SQL cannot be read at line {line}, column {column}: {}", lower_first(what))
        }
        None => format!("the SQL cannot be read: {}", lower_first(&text)),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
