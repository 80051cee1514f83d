//! What goes wrong while a match runs, told as an error of the job.

use std::collections::BTreeSet;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan};

use super::facts::violation;
use super::plain::{everyday, plain, unread, without_prefixes};
use super::wording;
use crate::error::{Error, Result};
use crate::job::Limits;
use crate::type_names::TypeKind;

/// What of a statement errors of the query engine may be about: they tell a value or a column, and not where.
#[derive(Debug, Default)]
pub struct Suspects {
    /// Where a text is taken for something else.
    readings: BTreeSet<Reading>,
    /// Whether a subquery refers to the query around it.
    refers_outside: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    /// `a decimal`.
    target: String,
    /// As it is written.
    sql: String,
}

impl Suspects {
    pub fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut suspects = Self::default();
        let walked = plan.apply_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    let (text, target) = match expr {
                        Expr::OuterReferenceColumn(..) => {
                            suspects.refers_outside = true;
                            return Ok(TreeNodeRecursion::Continue);
                        }
                        Expr::Cast(cast) => (Some(cast.expr.as_ref()), everyday(&cast.field.data_type().to_string())),
                        Expr::ScalarFunction(call) if call.func.name().starts_with("to_timestamp") => {
                            (call.args.first(), everyday("Timestamp"))
                        }
                        _ => return Ok(TreeNodeRecursion::Continue),
                    };
                    if text.is_some_and(|text| text.get_type(&schema).is_ok_and(|t| TypeKind::of(&t) == TypeKind::Text))
                    {
                        suspects.readings.insert(Reading { target, sql: wording::condition(expr) });
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        });
        walked.map_err(|e| Error::defect_of("planning", e))?;
        Ok(suspects)
    }

    /// The error of a job for an error of the query engine, with its place where there is only one.
    pub fn failed(&self, error: DataFusionError, limits: &Limits) -> Error {
        let root = error.find_root();
        // Of the join that it is made to.
        if self.refers_outside && matches!(root, DataFusionError::SchemaError(..)) {
            return Error::Invalid(vec![violation(NO_REFERENCE)]);
        }
        let text = root.strip_backtrace();
        let target = unread(without_prefixes(&text)).map(|(_, target)| everyday(target));
        let mut places = self.readings.iter().filter(|reading| Some(&reading.target) == target.as_ref());
        match (execution_error(error, limits), places.next(), places.next()) {
            (Error::Sql(told), Some(only), None) => Error::Sql(format!("{told} (in {})", only.sql)),
            (error, ..) => error,
        }
    }
}

/// The error of a job for an error of the query engine.
pub fn execution_error(error: DataFusionError, limits: &Limits) -> Error {
    // One of ours, on its way through a stream.
    let error = match error {
        DataFusionError::External(cause) => match cause.downcast::<Error>() {
            Ok(own) => return *own,
            Err(cause) => DataFusionError::External(cause),
        },
        other => other,
    };
    let root = error.find_root();
    let text = root.strip_backtrace();
    match root {
        DataFusionError::ResourcesExhausted(_) if text.contains("disk") => {
            Error::Output { path: "spill directory".to_owned(), reason: first_line(&text) }
        }
        DataFusionError::ResourcesExhausted(_) => Error::OutOfMemory { limit: limits.memory, what: operator(&text) },
        DataFusionError::IoError(cause) => {
            Error::Output { path: "spill or staged file".to_owned(), reason: cause.to_string() }
        }
        DataFusionError::ArrowError(cause, _) => match cause.as_ref() {
            ArrowError::IoError(reason, _) => {
                Error::Output { path: "spill or staged file".to_owned(), reason: reason.clone() }
            }
            // Whose fault it is, the files tell.
            ArrowError::ParquetError(_) => Error::defect_of("reading rows", text),
            other => Error::Sql(in_words(&other.to_string())),
        },
        DataFusionError::Execution(_) | DataFusionError::Plan(_) => Error::Sql(in_words(&text)),
        DataFusionError::NotImplemented(_) => Error::Invalid(vec![violation(not_supported(&text))]),
        DataFusionError::ParquetError(_) => Error::defect_of("reading rows", text),
        // What was folded while it was planned.
        DataFusionError::SchemaError(..) | DataFusionError::SQL(..) => Error::defect_of("running match_sql", text),
        _ if plain(&text).is_some() => Error::Sql(in_words(&text)),
        _ => Error::defect_of("running match_sql", text),
    }
}

const NO_REFERENCE: &str = "a subquery cannot refer to the query around it in this place: write it as a JOIN, as EXISTS in WHERE that refers to no other than \
     the query right around it, or number its rows with row_number() OVER (PARTITION BY … ORDER BY …) and join those that are wanted";

/// What the planner cannot do is for the author to write otherwise, and no defect.
fn not_supported(text: &str) -> String {
    let text = text.trim_start_matches("This feature is not implemented: ");
    if text.contains("OuterReferenceColumn") || text.contains("subquer") {
        return NO_REFERENCE.to_owned();
    }
    plain(text).unwrap_or_else(|| {
        format!("this is not supported: {}; write it in another way, such as with a JOIN", first_line(text))
    })
}

fn in_words(text: &str) -> String {
    let text = without_prefixes(text);
    if let Some((form, number)) =
        text.strip_prefix("Cannot cast to ").and_then(|rest| rest.split_once(". Overflowing on "))
    {
        let form = form.replace("Decimal128", "DECIMAL");
        return format!(
            "a number is too long for {form}, which all that it is put together with needs: round or CAST the others to fewer digits \
             after the point ({number} of the smallest unit)"
        );
    }
    match text {
        "Divide by zero error" => "a division by zero: guard it with NULLIF(divisor, 0)".to_owned(),
        other => plain(other).unwrap_or_else(|| first_line(other)),
    }
}

/// Of DataFusion's account of who holds how much, whose wish was one too many.
fn operator(text: &str) -> String {
    let line = first_line(text);
    let wish = line.split_once(" for ").map_or(line.as_str(), |(_, operator)| operator);
    let name = wish.split([' ', '[']).next().unwrap_or(wish);
    format!("there was no more for {name}")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or(text).to_owned()
}
