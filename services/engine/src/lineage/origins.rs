//! Which output columns hold the values of a side's own columns, where its rows cannot be followed by number.
//!
//! An output column *comes from* a column of a scan when its value, in every row, is the one that this column has in a row of
//! the scan that had its part in the output row. That is so for columns that are passed on as they are, and for those that a
//! condition sets equal to one: `EXISTS (SELECT 1 FROM r WHERE r.ref = l.id)` makes `l.id` come from `r.ref`.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::{Column, DFSchema, JoinType, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Distinct, Expr, Join, LogicalPlan, Operator};

use super::{Side, SideTables};

/// A column of one scan of a side. Scans are numbered: two columns of the same scan are of the same row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    scan: usize,
    column: String,
}

type Origins = BTreeSet<Origin>;

/// Output columns of `plan` that together hold the values of `key`, columns of a `side`, in one row of it.
pub(super) fn key_columns(
    plan: &LogicalPlan,
    tables: &SideTables,
    side: Side,
    key: &[String],
) -> Result<Option<Vec<usize>>> {
    let columns = Reader { tables, side, scans: 0, united: BTreeMap::new(), working: BTreeMap::new() }.read(plan)?;
    let scans: BTreeSet<usize> = columns.iter().flatten().map(|origin| origin.scan).collect();
    let found = scans.into_iter().find_map(|scan| {
        let holder = |column: &String| {
            let origin = Origin { scan, column: column.clone() };
            columns.iter().position(|origins| origins.contains(&origin))
        };
        key.iter().map(holder).collect::<Option<Vec<_>>>()
    });
    Ok(found)
}

struct Reader<'a> {
    tables: &'a SideTables,
    side: Side,
    /// Scans numbered so far.
    scans: usize,
    /// The number of a row that is one of these scans, whichever branch of a UNION gives it.
    united: BTreeMap<(usize, usize), usize>,
    /// The columns of recursive CTEs, as far as they are known.
    working: BTreeMap<String, Vec<Origins>>,
}

impl Reader<'_> {
    /// Where the columns of a node come from, in their order.
    fn read(&mut self, plan: &LogicalPlan) -> Result<Vec<Origins>> {
        let nothing = || vec![Origins::new(); plan.schema().fields().len()];
        Ok(match plan {
            LogicalPlan::TableScan(scan) => {
                if let Some(columns) = self.working.get(scan.table_name.table()) {
                    return Ok(columns.clone());
                }
                if self.tables.side(&scan.table_name) != Some(self.side) {
                    return Ok(nothing());
                }
                let scan = self.next_scan();
                let of = |name: &String| Origins::from([Origin { scan, column: name.clone() }]);
                plan.schema().fields().iter().map(|field| of(field.name())).collect()
            }
            LogicalPlan::SubqueryAlias(alias) => self.read(&alias.input)?,
            LogicalPlan::Subquery(lateral) => self.read(&lateral.subquery)?,
            LogicalPlan::Repartition(repartition) => self.read(&repartition.input)?,
            LogicalPlan::Sort(sort) => self.read(&sort.input)?,
            LogicalPlan::Limit(limit) => self.read(&limit.input)?,
            LogicalPlan::Distinct(Distinct::All(input)) => self.read(input)?,
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let input = self.read(&on.input)?;
                self.expressions(&on.select_expr, on.input.schema(), &input)?
            }
            LogicalPlan::Projection(projection) => {
                let input = self.read(&projection.input)?;
                self.expressions(&projection.expr, projection.input.schema(), &input)?
            }
            LogicalPlan::Filter(filter) => {
                let mut columns = self.read(&filter.input)?;
                self.conditions(&filter.predicate, filter.input.schema(), &mut columns)?;
                columns
            }
            LogicalPlan::Window(window) => {
                let mut columns = self.read(&window.input)?;
                columns.resize(plan.schema().fields().len(), Origins::new());
                columns
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.read(&aggregate.input)?;
                // Grouping sets leave some of their columns out of some rows, which come from no row then.
                let keys = self.expressions(&aggregate.group_expr, aggregate.input.schema(), &input)?;
                let mut columns = if keys.len() + aggregate.aggr_expr.len() == plan.schema().fields().len() {
                    keys
                } else {
                    Vec::new()
                };
                columns.resize(plan.schema().fields().len(), Origins::new());
                columns
            }
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::Union(union) => {
                let mut branches = union.inputs.iter().map(|input| self.read(input)).collect::<Result<Vec<_>>>()?;
                let first = branches.remove(0);
                branches.iter().fold(first, |all, branch| self.both(&all, branch))
            }
            LogicalPlan::RecursiveQuery(query) => {
                let first = self.read(&query.static_term)?;
                let outer = self.working.insert(query.name.clone(), first.clone());
                let mut all = first;
                // Each round leaves out columns at most, and so there is a last one.
                loop {
                    let again = self.read(&query.recursive_term)?;
                    let both: Vec<Origins> = all.iter().zip(&again).map(|(a, b)| shared(a, b)).collect();
                    self.working.insert(query.name.clone(), both.clone());
                    if both == all {
                        break;
                    }
                    all = both;
                }
                match outer {
                    Some(outer) => self.working.insert(query.name.clone(), outer),
                    None => self.working.remove(&query.name),
                };
                all
            }
            _ => nothing(),
        })
    }

    fn next_scan(&mut self) -> usize {
        self.scans += 1;
        self.scans
    }

    /// Columns of two branches of a UNION: what both have, of a row that is one branch's or the other's.
    fn both(&mut self, one: &[Origins], other: &[Origins]) -> Vec<Origins> {
        let mut columns = Vec::with_capacity(one.len());
        for (one, other) in one.iter().zip(other) {
            let mut both = Origins::new();
            for a in one {
                for b in other.iter().filter(|b| b.column == a.column) {
                    let next = self.scans + 1;
                    let scan = *self.united.entry((a.scan, b.scan)).or_insert(next);
                    self.scans = self.scans.max(scan);
                    both.insert(Origin { scan, column: a.column.clone() });
                }
            }
            columns.push(both);
        }
        columns
    }

    fn expressions(&mut self, exprs: &[Expr], schema: &DFSchema, input: &[Origins]) -> Result<Vec<Origins>> {
        exprs.iter().map(|expr| self.expression(expr, schema, input)).collect()
    }

    fn expression(&mut self, expr: &Expr, schema: &DFSchema, input: &[Origins]) -> Result<Origins> {
        match expr {
            Expr::Alias(alias) => self.expression(&alias.expr, schema, input),
            Expr::Column(column) => Ok(place(schema, column).map_or_else(Origins::new, |at| input[at].clone())),
            Expr::ScalarSubquery(subquery) => Ok(self.read(&subquery.subquery)?.into_iter().next().unwrap_or_default()),
            _ => Ok(Origins::new()),
        }
    }

    /// Adds what the parts of a condition, all of which hold, say about columns.
    fn conditions(&mut self, condition: &Expr, schema: &DFSchema, columns: &mut [Origins]) -> Result<()> {
        for part in split_conjunction(condition) {
            match part {
                Expr::BinaryExpr(equality) if equality.op == Operator::Eq => {
                    equate(column_at(&equality.left, schema), column_at(&equality.right, schema), columns);
                }
                Expr::Exists(Exists { subquery, negated: false }) => {
                    for (outer, origins) in self.equated_outside(&subquery.subquery)? {
                        if let Some(at) = place(schema, &outer) {
                            columns[at].extend(origins);
                        }
                    }
                }
                Expr::InSubquery(InSubquery { expr, subquery, negated: false })
                | Expr::SetComparison(SetComparison {
                    expr,
                    subquery,
                    op: Operator::Eq,
                    quantifier: SetQuantifier::Any,
                }) => {
                    let first = self.read(&subquery.subquery)?.into_iter().next();
                    if let (Some(at), Some(origins)) = (column_at(expr, schema), first) {
                        columns[at].extend(origins);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Columns of the statement around a subquery that have, if the subquery gives a row, the value of a column inside.
    fn equated_outside(&mut self, plan: &LogicalPlan) -> Result<Vec<(Column, Origins)>> {
        match plan {
            LogicalPlan::Projection(projection) => self.equated_outside(&projection.input),
            LogicalPlan::SubqueryAlias(alias) => self.equated_outside(&alias.input),
            LogicalPlan::Sort(sort) => self.equated_outside(&sort.input),
            LogicalPlan::Limit(limit) => self.equated_outside(&limit.input),
            LogicalPlan::Distinct(Distinct::All(input)) => self.equated_outside(input),
            LogicalPlan::Filter(filter) => {
                let inside = self.read(plan)?;
                let mut found = Vec::new();
                for part in split_conjunction(&filter.predicate) {
                    let Expr::BinaryExpr(equality) = part else { continue };
                    let (left, right) = (equality.left.as_ref(), equality.right.as_ref());
                    if let (Operator::Eq, Expr::OuterReferenceColumn(_, outer), inner)
                    | (Operator::Eq, inner, Expr::OuterReferenceColumn(_, outer)) = (equality.op, left, right)
                        && let Some(at) = column_at(inner, plan.schema())
                    {
                        found.push((outer.clone(), inside[at].clone()));
                    }
                }
                Ok(found)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn join(&mut self, join: &Join) -> Result<Vec<Origins>> {
        let (left, right) = (self.read(&join.left)?, self.read(&join.right)?);
        let width = left.len();
        let mut columns = [left, right].concat();
        let schema = join.left.schema().join(join.right.schema())?;
        // An outer join keeps rows of which its condition does not hold.
        if matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi) {
            for (one, other) in &join.on {
                equate(column_at(one, &schema), column_at(other, &schema), &mut columns);
            }
            if let Some(filter) = &join.filter {
                self.conditions(filter, &schema, &mut columns)?;
            }
        }
        Ok(match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => columns[..width].to_vec(),
            JoinType::RightSemi | JoinType::RightAnti => columns[width..].to_vec(),
            JoinType::LeftMark => [&columns[..width], &[Origins::new()]].concat(),
            JoinType::RightMark => [&columns[width..], &[Origins::new()]].concat(),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => columns,
        })
    }
}

/// Two columns that have the same value come from whatever one of them comes from.
fn equate(one: Option<usize>, other: Option<usize>, columns: &mut [Origins]) {
    if let (Some(one), Some(other)) = (one, other) {
        let all: Origins = columns[one].union(&columns[other]).cloned().collect();
        columns[one].clone_from(&all);
        columns[other] = all;
    }
}

fn shared(one: &Origins, other: &Origins) -> Origins {
    one.intersection(other).cloned().collect()
}

fn column_at(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Column(column) => place(schema, column),
        _ => None,
    }
}

fn place(schema: &DFSchema, column: &Column) -> Option<usize> {
    schema.maybe_index_of_column(column)
}
