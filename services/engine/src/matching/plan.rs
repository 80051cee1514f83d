//! From `match_sql` and the tables it may read to a plan that also tells which rows met.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::{StagedTable, matched_schema};
use crate::error::{Error, Result, Violation};
use crate::job::Job;
use crate::lineage::{self, Side, SideTable, SideTables, Trace, Traced};
use crate::manifest::LineageMode;
use crate::query::{self, TableInfo};
use crate::stage::{ColumnNote, RowFile};

/// A source as the planner sees it.
pub struct PlanTable {
    pub schema: SchemaRef,
    pub notes: Vec<ColumnNote>,
    /// Its columns.
    pub plain: Arc<dyn TableProvider>,
    /// Its columns and, last, the row number.
    pub numbered: Arc<dyn TableProvider>,
}

impl PlanTable {
    /// Of rows that have been staged.
    pub fn staged(ctx: &SessionContext, file: &RowFile, notes: Vec<ColumnNote>) -> Result<Self> {
        let table =
            |numbered| StagedTable::new(ctx, file, numbered).map_err(|e| Error::Internal(format!("staged table: {e}")));
        Ok(Self {
            schema: Arc::clone(file.schema()),
            notes,
            plain: Arc::new(table(false)?),
            numbered: Arc::new(table(true)?),
        })
    }
}

/// A match that can be run.
pub struct MatchPlan {
    /// As it was written.
    pub visible: LogicalPlan,
    pub traced: Arc<Traced>,
    pub physical: Arc<dyn ExecutionPlan>,
    /// The columns that the match reads of every source.
    pub touched: Vec<BTreeSet<String>>,
    keys: [Option<Vec<String>>; 2],
    numbered: [Arc<dyn TableProvider>; 2],
}

impl MatchPlan {
    pub fn mode(&self, side: Side) -> LineageMode {
        if self.keys(side).is_some() { LineageMode::Keys } else { LineageMode::Rows }
    }

    /// The output columns that name a row of `side`, when it is followed by key.
    pub fn keys(&self, side: Side) -> Option<&[String]> {
        self.keys[index(side)].as_deref()
    }

    pub fn numbered(&self, side: Side) -> Arc<dyn TableProvider> {
        Arc::clone(&self.numbered[index(side)])
    }

    /// The columns of the matched result set.
    pub fn schema(&self) -> SchemaRef {
        matched_schema(&self.traced, &self.physical)
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

/// Registers the tables under their names in `ctx` and plans the job's `match_sql`; all that is wrong with it is told.
///
/// `tables` are in the order of [`Job::sources`].
pub async fn plan(ctx: &SessionContext, job: &Job, tables: &[PlanTable]) -> Result<MatchPlan> {
    let aliases: Vec<&str> = job.sources().map(|source| source.alias.as_str()).collect();
    let infos = register(ctx, &aliases, tables)?;
    let visible = query::plan(ctx, &job.match_sql, &infos).await?;
    let traced = lineage::trace(&visible, &sides(&aliases, tables))?;
    let touched = query::touched_columns(ctx, &visible, &infos)?;
    let keys = [key_columns(job, Side::Left, &traced)?, key_columns(job, Side::Right, &traced)?];
    let failed = |e| query::execution_error(e, &job.limits);
    let physical = query::physical_plan(ctx, &traced.plan).await.map_err(failed)?;
    let numbered = [Arc::clone(&tables[0].numbered), Arc::clone(&tables[1].numbered)];
    Ok(MatchPlan { visible, traced: Arc::new(traced), physical, touched, keys, numbered })
}

/// Makes the tables known to `ctx` under every name that they have in `match_sql`.
pub fn register(ctx: &SessionContext, aliases: &[&str], tables: &[PlanTable]) -> Result<Vec<TableInfo>> {
    let internal = |e: datafusion::error::DataFusionError| Error::Internal(format!("registering tables: {e}"));
    for (table, names) in tables.iter().zip(names(aliases)) {
        for name in names {
            ctx.register_table(TableReference::bare(name), Arc::clone(&table.plain)).map_err(internal)?;
        }
    }
    let info = |(alias, table): (&&str, &PlanTable)| TableInfo {
        alias: (*alias).to_owned(),
        schema: Arc::clone(&table.schema),
        notes: table.notes.clone(),
    };
    Ok(aliases.iter().zip(tables).map(info).collect())
}

/// The two sides, for lineage.
pub fn sides(aliases: &[&str], tables: &[PlanTable]) -> SideTables {
    let side = |index: usize| SideTable {
        names: names(aliases)[index].clone(),
        numbered: provider_as_source(Arc::clone(&tables[index].numbered)),
    };
    SideTables::new(side(0), side(1))
}

/// What each source is called in `match_sql`: by its alias, and the sides by their fixed names too.
fn names(aliases: &[&str]) -> Vec<Vec<String>> {
    let mut fixed = ["left_src", "right_src"].into_iter();
    let both = |alias: &str, fixed: Option<&str>| {
        let mut names = vec![alias.to_owned()];
        names.extend(fixed.filter(|f| *f != alias).map(str::to_owned));
        names
    };
    aliases.iter().map(|alias| both(alias, fixed.next())).collect()
}

/// `None` when the side's rows can be followed by number; else its primary key, which must stand in the output.
fn key_columns(job: &Job, side: Side, traced: &Traced) -> Result<Option<Vec<String>>> {
    let (source, trace) = match side {
        Side::Left => (&job.left, &traced.left),
        Side::Right => (&job.right, &traced.right),
    };
    let Trace::Lost(why) = trace else { return Ok(None) };
    let refused = |message: String| Err(Error::Invalid(vec![Violation::new("match_sql", message)]));
    if source.primary_key.is_empty() {
        return refused(format!("{why}; or give `{}` a primary key and select it", source.alias));
    }
    let fields = traced.plan.schema().fields();
    let visible = |name: &String| fields.iter().take(traced.width).any(|f| f.name() == name);
    match source.primary_key.iter().find(|key| !visible(key)) {
        None => Ok(Some(source.primary_key.clone())),
        Some(key) => {
            refused(format!("{why}; or add `{key}`, of the primary key of `{}`, to the SELECT list", source.alias))
        }
    }
}
