//! Which columns a plan reads: only these need to be kept or read back.

use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

use super::execution::Suspects;
use super::facts::{SIDES, TableInfo};
use crate::error::{Error, Result};
use crate::job::Limits;

/// The columns that `plan` reads of each of `tables`, in their order, once it has been optimised.
pub fn touched_columns(
    ctx: &SessionContext,
    plan: &LogicalPlan,
    tables: &[TableInfo],
    suspects: &Suspects,
    limits: &Limits,
) -> Result<Vec<BTreeSet<String>>> {
    let internal = |e: datafusion::common::DataFusionError| Error::defect_of("the columns that match_sql uses", e);
    // Constants are folded here first, and may not be what they are cast to.
    let optimized = ctx.state().optimize(plan).map_err(|e| suspects.failed(e, limits))?;
    let mut touched = vec![BTreeSet::new(); tables.len()];
    optimized
        .apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let name = scan.table_name.table();
                let index =
                    tables.iter().position(|t| t.alias == name).or_else(|| SIDES.iter().position(|side| *side == name));
                if let Some(columns) = index.and_then(|i| touched.get_mut(i)) {
                    columns.extend(scan.projected_schema.fields().iter().map(|f| f.name().clone()));
                    // A filter that the scan itself applies may need columns that it does not give.
                    let filtered = scan.filters.iter().flat_map(|f| f.column_refs());
                    columns.extend(filtered.map(|c| c.name.clone()));
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(internal)?;
    Ok(touched)
}
