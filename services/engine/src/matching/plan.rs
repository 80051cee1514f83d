//! From `match_sql` and the tables it may read to a plan that also tells which rows met.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use kalla_spelling::nearest;

use super::{StagedTable, matched_schema, untyped, visible_schema};
use crate::differences::{Comparison, Output};
use crate::error::{Error, Place, Result, Violation};
use crate::job::{Job, Limits, Source};
use crate::lineage::{self, Comparisons, Groups, Side, SideTable, SideTables, Trace, Traced};
use crate::manifest::LineageMode;
use crate::names;
use crate::query::{self, Planned, Suspects, TableInfo};
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
        let table = |numbered| match StagedTable::new(ctx, file, numbered) {
            Ok(table) => Ok(table.untyped(&notes)),
            Err(e) => Err(Error::defect_of("staged table", e)),
        };
        Ok(Self {
            schema: untyped(file.schema(), &notes),
            plain: Arc::new(table(false)?),
            numbered: Arc::new(table(true)?),
            notes,
        })
    }
}

/// A match that can be run.
pub struct MatchPlan {
    pub traced: Arc<Traced>,
    pub physical: Arc<dyn ExecutionPlan>,
    /// The columns that the match reads of every source.
    pub touched: Vec<BTreeSet<String>>,
    pub comparisons: Comparisons,
    /// Of columns of rows that match, where the job asks for it.
    pub comparison: Option<Arc<Comparison>>,
    /// The columns of the matched result set, and which column of a side each of them is, or is the sum of.
    outputs: Vec<(String, Option<(Side, String)>)>,
    pub limits: Limits,
    pub asks_for_order: bool,
    keys: [Option<Keys>; 2],
    numbered: [Arc<dyn TableProvider>; 2],
    suspects: Suspects,
    notes: Vec<String>,
}

/// How the rows of a side are followed by key.
pub struct Keys {
    /// The source's name.
    pub alias: String,
    /// The source's own columns.
    pub columns: Vec<String>,
    /// The columns of the output that hold their values.
    pub places: Vec<usize>,
}

impl MatchPlan {
    pub fn mode(&self, side: Side) -> LineageMode {
        if self.keys(side).is_some() { LineageMode::Keys } else { LineageMode::Rows }
    }

    /// `None` where rows of `side` are followed by number.
    pub fn keys(&self, side: Side) -> Option<&Keys> {
        self.keys[index(side)].as_ref()
    }

    /// What the matched result set calls a column of a side, if it has it.
    pub fn output(&self, side: Side, column: &str) -> Option<String> {
        let is_it =
            |origin: &Option<(Side, String)>| origin.as_ref().is_some_and(|(of, own)| *of == side && own == column);
        self.outputs.iter().find(|(_, origin)| is_it(origin)).map(|(name, _)| name.clone())
    }

    /// The error of the job for an error of the query engine.
    pub fn failed(&self, error: DataFusionError) -> Error {
        self.suspects.failed(error, &self.limits)
    }

    pub fn numbered(&self, side: Side) -> Arc<dyn TableProvider> {
        Arc::clone(&self.numbered[index(side)])
    }

    /// What the statement gives otherwise than one would think.
    pub fn notes(&self) -> Vec<String> {
        let totals = "the statement gives totals over all rows: they stand in the matched set, and no row counts as matched by them. \
                      GROUP BY what rows of both sides have in common, and they do";
        self.notes.iter().cloned().chain(self.traced.totals.then(|| totals.to_owned())).collect()
    }

    /// The columns of the matched result set.
    pub fn schema(&self) -> SchemaRef {
        matched_schema(&self.traced, &self.physical, self.comparison.is_some())
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
    refuse_unknown_keys(job, &infos)?;
    let Planned { plan: visible, notes } = query::plan(ctx, &job.match_sql, &infos).await?;
    let sides = sides(&aliases, tables, &job.limits);
    let traced = lineage::trace(&visible, &sides)?;
    let suspects = Suspects::of(&visible)?;
    let touched = query::touched_columns(ctx, &visible, &infos, &suspects, &job.limits)?;
    let comparisons = lineage::comparisons(&visible, &sides)?;
    let keys = |side, source: &Source| match traced.trace(side) {
        Trace::Rows(_) => Ok(None),
        Trace::Lost(why) => keys(&visible, &sides, side, source, why).map(Some),
    };
    let keys = [keys(Side::Left, &job.left)?, keys(Side::Right, &job.right)?];
    let failed = |e| suspects.failed(e, &job.limits);
    let physical = query::physical_plan(ctx, &traced.plan).await.map_err(failed)?;
    let numbered = [Arc::clone(&tables[0].numbered), Arc::clone(&tables[1].numbered)];
    let (limits, asks_for_order) = (job.limits.clone(), query::order::asks_for_order(&visible));
    let (visible_schema, origins) = (visible_schema(&traced, &physical), lineage::sources(&visible, &sides));
    let names = visible_schema.fields().iter().map(|field| field.name().clone());
    let outputs = names.zip(origins.iter().cloned()).collect();
    let comparison = match &job.compare {
        None => None,
        Some(asked) => {
            refuse_keys(&aliases, &keys)?;
            let output = Output {
                aliases: [aliases[0], aliases[1]],
                sides: [&tables[0].schema, &tables[1].schema],
                schema: &visible_schema,
                origins,
                equated: lineage::equated(&visible, &sides),
            };
            Some(Arc::new(Comparison::new(ctx, asked, &output)?))
        }
    };
    let traced = Arc::new(traced);
    Ok(MatchPlan {
        traced,
        physical,
        touched,
        comparisons,
        comparison,
        outputs,
        limits,
        asks_for_order,
        keys,
        numbered,
        suspects,
        notes,
    })
}

/// Of a match by key nobody knows which output rows are matches until all are there.
fn refuse_keys(aliases: &[&str], keys: &[Option<Keys>; 2]) -> Result<()> {
    let lost = keys.iter().zip(aliases).find(|(keys, _)| keys.is_some());
    lost.map_or(Ok(()), |(_, alias)| {
        let message =
            format!("rows of `{alias}` are followed by key: columns are compared where both sides are in a JOIN");
        Err(Error::Invalid(vec![Violation::new("compare", message)]))
    })
}

/// Makes the tables known to `ctx` under every name that they have in `match_sql`.
pub fn register(ctx: &SessionContext, aliases: &[&str], tables: &[PlanTable]) -> Result<Vec<TableInfo>> {
    aliases.iter().zip(tables).try_for_each(|(alias, table)| refuse_internal(alias, &table.schema))?;
    let internal = |e: DataFusionError| Error::defect_of("registering tables", e);
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

fn refuse_internal(alias: &str, schema: &SchemaRef) -> Result<()> {
    match schema.fields().iter().find(|field| names::is_internal(field.name())) {
        None => Ok(()),
        Some(field) => Err(Error::Data {
            alias: alias.to_owned(),
            place: Place { column: Some(field.name().clone()), ..Place::default() },
            reason: format!("names that begin with `{}` are reserved: rename the column", names::INTERNAL),
        }),
    }
}

/// A primary key of columns that are not there is no key, whether the statement needs it or not.
fn refuse_unknown_keys(job: &Job, tables: &[TableInfo]) -> Result<()> {
    let mut wrong = Vec::new();
    for (source, table) in job.sources().zip(tables) {
        let known: Vec<&str> = table.schema.fields().iter().map(|field| field.name().as_str()).collect();
        for column in source.primary_key.iter().filter(|column| !known.contains(&column.as_str())) {
            let hint = match nearest(column, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its columns are {}", names::list(&known)),
            };
            let message = format!("`{}` has no column `{column}`: {hint}", source.alias);
            wrong.push(Violation::new(format!("primary_keys.{}", source.alias), message));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
}

/// The two sides, for lineage; what it writes down goes where operators spill.
pub fn sides(aliases: &[&str], tables: &[PlanTable], limits: &Limits) -> SideTables {
    let side = |index: usize| SideTable {
        names: names(aliases)[index].clone(),
        numbered: provider_as_source(Arc::clone(&tables[index].numbered)),
    };
    SideTables::new(side(0), side(1), Groups::new(limits.spill_dir.clone()))
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

/// How rows of a side that cannot be followed by number, because of `why`, are followed by key.
fn keys(plan: &LogicalPlan, sides: &SideTables, side: Side, source: &Source, why: &str) -> Result<Keys> {
    let refused = |message: String| Err(Error::Invalid(vec![Violation::new("match_sql", message)]));
    let (alias, columns) = (&source.alias, &source.primary_key);
    if columns.is_empty() {
        return refused(format!(
            "{why}; or give `{alias}` a primary key and select its values, from `{alias}` or from columns that are equal to it"
        ));
    }
    match lineage::key_columns(plan, sides, side, columns)? {
        Some(places) => Ok(Keys { alias: alias.clone(), columns: columns.clone(), places }),
        None => refused(format!(
            "{why}; or select the primary key of `{alias}`, from `{alias}` or from columns that a condition sets equal to \
             it: no column of the output holds {}",
            columns.iter().map(|column| format!("`{alias}.{column}`")).collect::<Vec<_>>().join(" and ")
        )),
    }
}
