//! `match_sql` planned over files that have been staged.

use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::LogicalPlan;

use super::probe::Probe;
use crate::error::Result;
use crate::job::Limits;
use crate::lineage::{Side, SideTables};
use crate::matching::{self, PlanTable};
use crate::query::{self, Joins};
use crate::stage::{ColumnNote, RowFile};

pub struct Tables {
    pub ctx: SessionContext,
    /// As it is written, not optimised.
    pub plan: LogicalPlan,
    pub sides: SideTables,
    tables: Vec<PlanTable>,
}

impl Tables {
    /// `files` are those of the sources, each with its alias and what is odd about its columns.
    pub async fn plan(match_sql: &str, files: &[(&str, RowFile, Vec<ColumnNote>)], limits: &Limits) -> Result<Self> {
        let ctx = query::session(limits, Joins::Hashed)?;
        let table = |(_, file, notes): &(&str, RowFile, Vec<ColumnNote>)| PlanTable::staged(&ctx, file, notes.clone());
        let tables = files.iter().map(table).collect::<Result<Vec<_>>>()?;
        let aliases: Vec<&str> = files.iter().map(|(alias, ..)| *alias).collect();
        let infos = matching::register(&ctx, &aliases, &tables)?;
        let plan = query::plan(&ctx, match_sql, &infos).await?.plan;
        let sides = matching::sides(&aliases, &tables, limits);
        Ok(Self { ctx, plan, sides, tables })
    }

    pub fn probe<'a>(&'a self, limits: &'a Limits) -> Probe<'a> {
        Probe { ctx: &self.ctx, sides: &self.sides, limits }
    }

    /// A side, of which `numbered` has the row number as its last column.
    pub fn table(&self, side: Side) -> &PlanTable {
        match side {
            Side::Left => &self.tables[0],
            Side::Right => &self.tables[1],
        }
    }
}
