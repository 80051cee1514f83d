//! From the text of `match_sql` to a checked logical plan.

mod casts;
mod clauses;
mod describe;
mod dialect;
mod errors;
mod execution;
mod facts;
mod meaning;
pub mod order;
mod output;
mod plain;
mod session;
mod stars;
mod statement;
mod subqueries;
mod touched;
mod types;
mod unions;
mod unnest;
mod using;
pub mod wording;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionContext};

pub use execution::{Suspects, execution_error};
pub use facts::TableInfo;
pub use session::{Joins, physical_plan, session};
pub use touched::touched_columns;

use crate::error::{Error, Result};
use types::TypeChecks;

/// Refuses what can be refused without knowing the columns of the tables, which are called `aliases`.
pub fn check_statement<'a>(sql: &str, aliases: impl Iterator<Item = &'a str>) -> Result<()> {
    let table =
        |alias: &str| TableInfo { alias: alias.to_owned(), schema: SchemaRef::new(Schema::empty()), notes: Vec::new() };
    statement::parse(sql, &aliases.map(table).collect::<Vec<_>>()).map(|_| ())
}

/// A statement that is right.
pub struct Planned {
    /// Not optimised.
    pub plan: LogicalPlan,
    /// What it gives otherwise than it says.
    pub notes: Vec<String>,
}

/// Plans `sql`, or says everything that is wrong with it and where.
///
/// `tables` are registered in `ctx` under their aliases, the first two also as `left_src` and `right_src`; the statement
/// can read nothing else. Errors are [`Error::Invalid`] for the field `match_sql`.
pub async fn plan(ctx: &SessionContext, sql: &str, tables: &[TableInfo]) -> Result<Planned> {
    let (mut statement, facts) = statement::parse(sql, tables)?;
    let notes = stars::named_apart(&mut statement, &facts, &ctx.state());
    let facts = Arc::new(facts);
    let checks = Arc::new(TypeChecks::new(Arc::clone(&facts)));
    let mut state = ctx.state();
    state.register_expr_planner(Arc::clone(&checks) as _).map_err(|e| Error::defect_of("planning", e))?;

    let planned = state.statement_to_plan(statement).await;
    let mut found = checks.take();
    let plan = match planned {
        Ok(plan) => plan,
        // What planning ended with is a consequence of what the checks have found, if they have.
        Err(error) if found.is_empty() => return Err(Error::Invalid(errors::explain(&error, &facts, &state))),
        Err(_) => return Err(Error::Invalid(found)),
    };
    let invalid = |error: &datafusion::common::DataFusionError| Error::Invalid(errors::explain(error, &facts, &state));
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|e| invalid(&e))?;
    let plan = subqueries::above_joins(plan).map_err(|e| invalid(&e))?;
    checks.check(&plan).map_err(|e| invalid(&e))?;
    found.extend(checks.take());
    found.extend(subqueries::refused(&plan).map_err(|e| invalid(&e))?);
    let plan =
        match meaning::kept(plan).and_then(subqueries::named_apart).and_then(unions::named).and_then(output::named) {
            Ok(plan) => plan,
            Err(error) if found.is_empty() => return Err(invalid(&error)),
            Err(_) => return Err(Error::Invalid(found)),
        };
    found.extend(output::refused_names(&plan, &facts));
    if !found.is_empty() {
        return Err(Error::Invalid(found));
    }
    // The types that only the analyzer refuses: better now than after the sources have been read.
    state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {}).map_err(|e| invalid(&e))?;
    Ok(Planned { plan, notes })
}

#[cfg(test)]
mod tests;
