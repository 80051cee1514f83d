//! DataFusion's planning errors in the words of the person who wrote the SQL.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError, Span};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::tokenizer::Location;

use kalla_spelling::nearest;

use super::facts::{Facts, at, spelled, spelled_column, violation};
use super::plain::{between, everyday, lower, plain, without_prefixes};
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
        // LIMIT knows no columns.
        Some(column) if known.is_empty() || spelled_column(&column) == shown => {
            format!("`{shown}`{place} cannot stand here: write a number")
        }
        Some(column) => format!("unknown column `{shown}`{place}: did you mean `{}`?", spelled_column(&column)),
        None => {
            let mut names: Vec<String> = known.iter().filter(same_table).map(|c| spelled(&c.name)).collect();
            let mut seen = BTreeSet::new();
            names.retain(|name| seen.insert(name.clone()));
            let quoted = field.relation.is_none() && facts.is_quoted(&field.name);
            let hint = if quoted {
                format!(", and a text is written in single quotes, '{}'", field.name)
            } else {
                String::new()
            };
            format!("unknown column `{shown}`{place}: the columns are {}{hint}", list(&names))
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
    let text = without_prefixes(text);
    if let Some(name) = between(text, "Invalid function '", "'") {
        let place = at(start(span).or_else(|| facts.find_call(name)));
        let names = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let names: BTreeSet<&str> = names.chain(state.window_functions().keys()).map(String::as_str).collect();
        let known = ELSEWHERE.iter().find(|(known, _)| *known == name);
        let hint = match (known, nearest(name, names)) {
            (Some((_, instead)), _) => format!(": write {instead}"),
            (None, Some(near)) => format!(": did you mean `{near}`?"),
            (None, None) => String::new(),
        };
        return format!("unknown function `{name}`{place}{hint}");
    }
    if let Some(first) = between(text, "require unique expression names but the expression \"", "\" at position") {
        return format!("two columns of a SELECT would both be `{first}`: give one of them another name with AS");
    }
    if let Some((name, reason)) =
        text.strip_prefix("Function '").and_then(|t| t.split_once("' user-defined coercion failed with: "))
    {
        let reason = reason.split(". No function matches").next().unwrap_or(reason);
        return format!("{}{}", without_prefixes(reason), at(start(span).or_else(|| facts.find_call(name))));
    }
    if let Some(name) = function_in(text) {
        let place = at(start(span).or_else(|| facts.find_call(name)));
        return format!("`{name}`{place} {}", arguments(text));
    }
    let first = text.lines().next().unwrap_or(text);
    let place =
        start(span).or_else(|| named(first).and_then(|column| facts.position(&Column::from_qualified_name(column))));
    match plain(text) {
        Some(told) => format!("{told}{}", bracketed(&at(place))),
        None => format!("{first}{}", at(place)),
    }
}

/// Functions of other systems, and what they are here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("mod", "a % b"),
    ("sign", "signum(x)"),
    ("every", "bool_and(x)"),
    ("variance", "var(x)"),
    ("age", "a - b, which gives a span of time"),
    ("regexp_substr", "(regexp_match(text, '(…)'))[1]"),
    ("make_interval", "INTERVAL '3 days'"),
    ("len", "length(x)"),
    ("charindex", "strpos(text, part)"),
    ("instr", "strpos(text, part)"),
    ("isnull", "coalesce(x, y)"),
    ("iif", "CASE WHEN a THEN b ELSE c END"),
    ("decode", "CASE x WHEN a THEN b ELSE c END"),
    ("convert", "CAST(x AS …)"),
    ("to_number", "CAST(x AS DECIMAL(38,10))"),
    ("datediff", "a - b, which gives days"),
    ("dateadd", "day + INTERVAL '3 days'"),
    ("date_add", "day + INTERVAL '3 days'"),
    ("datepart", "extract(month FROM day)"),
    ("year", "extract(year FROM day)"),
    ("month", "extract(month FROM day)"),
    ("day", "extract(day FROM day)"),
    ("getdate", "the date itself, as in DATE '2026-01-31'"),
    ("group_concat", "string_agg(x, ', ')"),
    ("listagg", "string_agg(x, ', ')"),
];

/// Why a function does not take what it is given.
fn arguments(text: &str) -> String {
    let wanted =
        between(text, " requires ", ", but received ").or_else(|| between(text, "' expects ", " but received "));
    let given = between(text, ", but received ", " ").or_else(|| {
        text.split_once(" but received ").map(|(_, rest)| rest.split([' ', '.', '\n']).next().unwrap_or(rest))
    });
    match (wanted, given) {
        (Some(wanted), Some(given)) => match wanted.strip_suffix(" arguments") {
            Some(count) => format!("takes {count} argument{}, not {given}", if count == "1" { "" } else { "s" }),
            None => {
                let (wanted, given) = (everyday(wanted), everyday(given));
                let cast = if wanted == "text" { "CAST(… AS VARCHAR)" } else { "a CAST" };
                format!("takes {wanted}, not {given}: write {cast}")
            }
        },
        _ => {
            // Of all the signatures that there are, nobody reads one.
            let given = between(text, "coercion from ", " to the signature").unwrap_or("these arguments");
            let given: Vec<String> = given.split(", ").map(everyday).collect();
            format!(
                "does not take {} argument{} of this kind ({}): see what it takes in the reference of functions of DataFusion",
                given.len(),
                if given.len() == 1 { "" } else { "s" },
                given.join(", ")
            )
        }
    }
}

/// The column that a message is about.
fn named(text: &str) -> Option<&str> {
    between(text, "non-boolean predicate '", "'").or_else(|| between(text, "column \"", "\" must appear"))
}

/// ` (at line 1, column 8)`, at the end of a sentence that has its advice already.
fn bracketed(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" ({})", place.trim_start()) }
}

/// The name of the function whose arguments DataFusion refuses.
fn function_in(text: &str) -> Option<&str> {
    between(text, "to satisfy a call to '", "' function")
        .or_else(|| between(text, "argument types '", "("))
        .or_else(|| text.strip_prefix("Function '").and_then(|t| t.split_once('\'')).map(|(name, _)| name))
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
            format!("the SQL cannot be read at line {line}, column {column}: {}", lower(what))
        }
        None => format!("the SQL cannot be read: {}", lower(&text)),
    }
}
