//! Row lineage: which rows of the two sides does an output row of `match_sql` come from?
//!
//! [`trace`] rewrites the unoptimised logical plan of `match_sql`. Every scan of a side gives one more column, the row's
//! number in its source, and every node above passes that column on beside the columns that the query asked for:
//!
//! * Projections, filters, sorts, limits, windows, aliases, unnests and joins carry it as a plain `Int64`. The side that
//!   an outer join fills with NULLs has a NULL row number there.
//! * GROUP BY and DISTINCT collect it with `array_agg`, write the rows of a group down once ([`Groups`]) and give the number
//!   of the group, a `UInt64`; also of groups that are grouped again. DISTINCT ON keeps the number of the row that it picks.
//! * A join puts together what its inputs carry. Where that is a row of a side, groups of the same side add nothing: they are a
//!   statistic beside that row. Where a side is there as groups alone, all their rows count.
//! * UNION lines up the columns of its branches, with NULL where a branch does not read a side.
//!
//! The output columns are first and unchanged, the lineage columns follow ([`Traced`]). [`Marks`] reads them from the
//! result batches and remembers the rows that were matched: an output row counts when it has at least one row of *each*
//! side, so the NULL rows of an outer join match nothing.
//!
//! # When lineage is lost
//!
//! A subquery in an expression (`EXISTS`, `IN`, a scalar subquery) and the inner side of a semi join decide about rows but
//! give none, so they leave no number behind. What that means for a side is decided per SELECT:
//!
//! 1. A SELECT whose FROM reads the side is counted by what its FROM pairs. Its subqueries are mere conditions.
//! 2. A SELECT that consults the side in a subquery, and not in its FROM, has output rows that rest on rows of the side
//!    without saying which ones: the side is [`Trace::Lost`]. One such branch of a UNION is enough, whatever the other
//!    branches carry, because its rows would silently count as unmatched.
//! 3. A *refusal* (`NOT EXISTS`, `NOT IN`, `<> ALL`, an anti join, EXCEPT) rests on the absence of rows and loses nothing.
//!    So priority passes, `pass1 UNION ALL … WHERE NOT EXISTS (SELECT 1 FROM pass1 …)`, keep their lineage. A refusal
//!    inside a refusal is a positive condition again and follows rule 2.
//! 4. A condition that is neither clearly positive nor a refusal (inside CASE, as an output column) follows rule 2.
//! 5. A total (an aggregate without GROUP BY) that is cross joined to many rows is a scalar subquery by another name: its
//!    rows are not repeated in each of them. Totals joined with totals or with rows, by a condition, are matches like others.
//! 6. A total over rows of both sides, that of ROLLUP too, and totals that stand beside each other without a condition come from no
//!    rows: they say nothing of any one of them.
//!
//! Recursive CTEs and nodes that this module does not know stay as they are; the sides they read are lost by rule 2.
//!
//! # Ties
//!
//! Where SQL leaves the order of rows open, the answer would depend on how the work was divided. The last sort keys of ORDER
//! BY, DISTINCT ON, LIMIT and of functions whose value hangs on the order ([`crate::query::order`]) close the gap: they tell
//! any two rows apart that are not alike in everything. Rows of a side have their numbers, groups the values that they are
//! grouped by, rows of other tables all their values, and rows of a UNION their branch.

mod behind;
mod compared;
mod counters;
mod grouped;
mod groups;
mod marks;
mod node;
mod origins;
mod reach;
mod rewrite;
mod ties;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::logical_expr::{LogicalPlan, TableSource};

pub use behind::RowsBehind;
pub use compared::{Compared, Comparisons, Within};
pub use counters::MultipleMatches;
pub use groups::Groups;
pub use marks::{LISTED, Marks};

use crate::error::{Error, Result, Violation};
use crate::names;
use reach::{Mention, Reach};

/// The catalog and schema that a bare table name stands for.
const DEFAULT_CATALOG: &str = "datafusion";
const DEFAULT_SCHEMA: &str = "public";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Left,
    Right,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// Which tables of `match_sql` are the two sides, the numbered sources that replace them, and where groups are numbered.
pub struct SideTables {
    left: SideTable,
    right: SideTable,
    groups: Arc<Groups>,
}

/// One side: the names it has in `match_sql` (the first is the one that messages use) and its source with
/// [`ROW_NUMBER`](crate::names::ROW_NUMBER)
/// as the last column. The other columns are those of the table that `match_sql` was planned with, in the same order.
pub struct SideTable {
    pub names: Vec<String>,
    pub numbered: Arc<dyn TableSource>,
}

impl SideTables {
    pub fn new(left: SideTable, right: SideTable, groups: Arc<Groups>) -> Self {
        Self { left, right, groups }
    }

    fn get(&self, side: Side) -> &SideTable {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// The side that a table is. Names are compared as DataFusion has resolved them: exactly.
    fn side(&self, table: &TableReference) -> Option<Side> {
        let table = table.clone().resolve(DEFAULT_CATALOG, DEFAULT_SCHEMA);
        if *table.catalog != *DEFAULT_CATALOG || *table.schema != *DEFAULT_SCHEMA {
            return None;
        }
        Side::BOTH.into_iter().find(|&side| self.get(side).names.iter().any(|name| **name == *table.table))
    }
}

/// A plan that also says where its rows come from.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The columns of `match_sql` with their names and types, then the lineage columns.
    pub plan: LogicalPlan,
    /// How many columns `match_sql` has.
    pub width: usize,
    pub left: Trace,
    pub right: Trace,
    /// Whether it has totals, which come from no rows.
    pub totals: bool,
    /// Those that the lineage columns have the numbers of, once the plan runs.
    pub groups: Arc<Groups>,
}

/// How the rows of one side are found in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// Indexes of the output columns that hold numbers: `Int64` of rows, `UInt64` of groups of rows; nullable.
    Rows(Vec<usize>),
    /// They are not; the sentence says why and what to change.
    Lost(String),
}

impl Traced {
    pub fn trace(&self, side: Side) -> &Trace {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// The one plain row number column of a side, when that is all it has.
    fn plain(&self, side: Side) -> Option<usize> {
        match self.trace(side) {
            Trace::Rows(columns) => match columns[..] {
                [column] if *self.plan.schema().field(column).data_type() == DataType::Int64 => Some(column),
                _ => None,
            },
            Trace::Lost(_) => None,
        }
    }

    /// The public columns that [`Marks::mark`] gives, `_left_row` and `_right_row`: `Int64` when an output row comes from
    /// at most one row of the side, otherwise `List<Int64>`, the first [`LISTED`] of them. NULL when it comes from none; always
    /// NULL for a lost side.
    pub fn row_columns(&self) -> (Field, Field) {
        let field = |side: Side, name: &str| match (self.trace(side), self.plain(side)) {
            (Trace::Rows(_), None) => Field::new(name, DataType::new_list(DataType::Int64, true), true),
            _ => Field::new(name, DataType::Int64, true),
        };
        (field(Side::Left, names::LEFT_ROW), field(Side::Right, names::RIGHT_ROW))
    }
}

/// Rewrites the unoptimised plan of `match_sql` so that its rows carry the row numbers of the two sides.
///
/// Errors: [`Error::Invalid`] when the SQL uses a name that is ours, [`Error::Internal`] when the rewritten plan is not
/// a valid one.
pub fn trace(plan: &LogicalPlan, tables: &SideTables) -> Result<Traced> {
    refuse_reserved_names(plan)?;
    follow(plan, tables)
}

/// [`trace`] of a plan that was checked for our names before, and may have got some since.
pub fn follow(plan: &LogicalPlan, tables: &SideTables) -> Result<Traced> {
    let rewrite::Output { plan, width, left, right, totals } = rewrite::output(plan, tables).map_err(broken)?;
    let columns = left.columns.len();
    let trace = |reach: &Reach, side: Side, first: usize| match lost(reach, &tables.get(side).names) {
        Some(reason) => Trace::Lost(reason),
        None => Trace::Rows((first..first + reach.columns.len()).collect()),
    };
    let left = trace(&left, Side::Left, width);
    let right = trace(&right, Side::Right, width + columns);
    Ok(Traced { plan, width, left, right, totals, groups: Arc::clone(&tables.groups) })
}

/// Output columns of `plan`, as it was before [`trace`], that hold the `key` of the rows of a side that had their part in an
/// output row; `None` where it has no such columns.
///
/// Errors: [`Error::Internal`] when the plan is not a valid one.
pub fn key_columns(plan: &LogicalPlan, tables: &SideTables, side: Side, key: &[String]) -> Result<Option<Vec<usize>>> {
    origins::key_columns(plan, tables, side, key).map_err(broken)
}

/// What the conditions of `plan`, as it was before [`trace`], compare of the two sides.
///
/// Errors: [`Error::Internal`] when the plan is not a valid one.
pub fn comparisons(plan: &LogicalPlan, tables: &SideTables) -> Result<Comparisons> {
    compared::comparisons(plan, tables).map_err(broken)
}

/// The column of a side that each output column of `plan`, as it was before [`trace`], is, or is the sum of.
pub fn sources(plan: &LogicalPlan, tables: &SideTables) -> Vec<Option<(Side, String)>> {
    compared::sources(plan, tables)
}

/// Columns, left and right, of which each alone makes a side of an equality that holds for every match of `plan`, as it was before
/// [`trace`].
pub fn equated(plan: &LogicalPlan, tables: &SideTables) -> BTreeSet<(String, String)> {
    compared::equated(plan, tables)
}

/// Why the rows of a side cannot be told from the output, if they cannot.
fn lost(reach: &Reach, names: &[String]) -> Option<String> {
    let name = names.first().map_or("", String::as_str);
    let carried = !reach.columns.is_empty();
    match reach.mention {
        Mention::Hidden(how) if carried => Some(format!(
            "a branch of match_sql reaches rows of `{name}` only through {how}: use a JOIN in every branch"
        )),
        Mention::Hidden(how) => Some(format!("rows of `{name}` are reached only through {how}: use a JOIN")),
        _ if carried => None,
        Mention::Refused(how) => Some(format!(
            "match_sql reads `{name}` only to refuse rows with {how}: JOIN `{name}`, so that its rows can be paired"
        )),
        Mention::None => Some(format!("match_sql never reads `{name}`: JOIN `{name}`, so that its rows can be paired")),
    }
}

fn refuse_reserved_names(plan: &LogicalPlan) -> Result<()> {
    let mut taken = None;
    plan.apply_with_subqueries(|node| {
        let reserved = |name: &&String| names::is_internal(name) && !name.starts_with(names::ASKED);
        taken = node.schema().fields().iter().map(|f| f.name()).find(reserved).cloned();
        Ok(if taken.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })
    .map_err(broken)?;
    match taken {
        Some(name) => Err(Error::Invalid(vec![Violation::new(
            "match_sql",
            format!("the column name `{name}` is reserved: use a name that does not begin with `{}`", names::INTERNAL),
        )])),
        None => Ok(()),
    }
}

fn broken(e: DataFusionError) -> Error {
    Error::defect_of("row lineage", e)
}
