//! The rewrite, one function per plan node. Its invariants:
//!
//! * A rewritten node has all columns of the original under the same qualified names, types and nullability; lineage
//!   columns stand among them, wherever the node puts them. So expressions of the query stay as they are, and nothing here
//!   relies on positions.
//! * Every lineage column has a name of its own in the whole plan; only its qualifier changes on the way up.
//! * Where an order of rows matters anywhere, order columns go up the same way: with the plain row numbers they tell any two
//!   rows of a node apart, unless these are alike in everything.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, ExprSchema as _, JoinType, Result, ScalarValue, internal_err};
use datafusion::logical_expr::logical_plan::{DistinctOn, TableScanBuilder};
use datafusion::logical_expr::{
    Distinct, Expr, Filter, Join, Limit, LogicalPlan, Projection, Repartition, Sort, Subquery, SubqueryAlias,
    TableScan, Union, Unnest, Window, lit,
};

use super::node::{Node, column, extend, fields};
use super::reach::{Mention, Polarity, Reach, for_each_subquery};
use super::{Side, SideTables, ties};
use crate::names::{INTERNAL, ROW_NUMBER};
use crate::query::order::{asks_for_order, is_order_sensitive};

/// A whole plan that has been rewritten.
pub(super) struct Output {
    /// The visible columns in their order, then the lineage columns of the left and of the right side.
    pub plan: LogicalPlan,
    /// How many columns are visible.
    pub width: usize,
    pub left: Reach,
    pub right: Reach,
    /// Whether there are totals that no rows are said to stand behind.
    pub totals: bool,
}

pub(super) fn output(plan: &LogicalPlan, tables: &SideTables) -> Result<Output> {
    let ordering = asks_for_order(plan) || is_order_sensitive(plan);
    let mut rewriter = Rewriter { tables, named: 0, ordering, filtered: false, totals: false };
    let node = rewriter.rewrite(plan)?;
    let visible = plan.schema().columns();
    let width = visible.len();
    let columns = visible.into_iter().chain(node.columns()?).map(Expr::Column).collect();
    let plan = LogicalPlan::Projection(Projection::try_new(columns, node.plan)?);
    Ok(Output { plan, width, left: node.left, right: node.right, totals: rewriter.totals })
}

pub(super) struct Rewriter<'a> {
    pub(super) tables: &'a SideTables,
    /// Columns named so far.
    named: usize,
    /// Whether order columns are wanted.
    pub(super) ordering: bool,
    /// Whether the next node's rows are asked for by a condition right above it.
    filtered: bool,
    /// See [`Output`].
    pub(super) totals: bool,
}

impl Rewriter<'_> {
    pub(super) fn rewrite(&mut self, plan: &LogicalPlan) -> Result<Node> {
        let decided = self.decided(plan)?;
        let mut node = self.follow(decided.as_ref().unwrap_or(plan))?;
        for_each_subquery(plan, &mut |subquery, polarity, construct| {
            self.consult(&mut node, subquery, polarity, construct)
        })?;
        Ok(node)
    }

    /// A node without regard to the subqueries in its expressions.
    fn follow(&mut self, plan: &LogicalPlan) -> Result<Node> {
        let filtered = std::mem::replace(&mut self.filtered, matches!(plan, LogicalPlan::Filter(_)));
        Ok(match plan {
            LogicalPlan::TableScan(scan) => self.scan(plan, scan)?,
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => self.by_all_columns(Node::bare(plan), plan)?,
            LogicalPlan::Projection(projection) => self.projection(projection)?,
            LogicalPlan::Filter(filter) => self.above(&filter.input, |input| {
                Filter::try_new(filter.predicate.clone(), input).map(LogicalPlan::Filter)
            })?,
            LogicalPlan::SubqueryAlias(alias) => self.above(&alias.input, |input| {
                SubqueryAlias::try_new(input, alias.alias.clone()).map(LogicalPlan::SubqueryAlias)
            })?,
            LogicalPlan::Subquery(lateral) => {
                self.above(&lateral.subquery, |input| Ok(LogicalPlan::Subquery(lateral.with_plan(input))))?
            }
            LogicalPlan::Repartition(repartition) => self.above(&repartition.input, |input| {
                let partitioning_scheme = repartition.partitioning_scheme.clone();
                Ok(LogicalPlan::Repartition(Repartition { input, partitioning_scheme }))
            })?,
            LogicalPlan::Unnest(unnest) => {
                let node = self.above(&unnest.input, |input| {
                    Unnest::try_new(input, unnest.exec_columns.clone(), unnest.options.clone()).map(LogicalPlan::Unnest)
                })?;
                self.by_all_columns(node, plan)?
            }
            LogicalPlan::Sort(sort) => self.sort(sort)?,
            LogicalPlan::Limit(limit) => self.limit(limit)?,
            LogicalPlan::Window(window) => self.window(window)?,
            LogicalPlan::Join(join) => self.join(join, filtered)?,
            LogicalPlan::Aggregate(aggregate) => {
                self.aggregate(&aggregate.input, aggregate.group_expr.clone(), &aggregate.aggr_expr)?
            }
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(plan, input)?,
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on)?,
            LogicalPlan::Union(union) => self.union(plan, union)?,
            LogicalPlan::RecursiveQuery(_) => self.untouched(plan, "a recursive CTE")?,
            _ => self.untouched(plan, "a construct that cannot be followed")?,
        })
    }

    /// The plan with the subqueries of its expressions in an order without ties, where the order decides what they give.
    fn decided(&mut self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if !self.ordering {
            return Ok(None);
        }
        let decided = plan.clone().map_expressions(|expr| {
            expr.transform_down(|mut expr| {
                let subquery = match &mut expr {
                    Expr::Exists(e) if is_order_sensitive(rows_of(&e.subquery.subquery)) => &mut e.subquery,
                    Expr::InSubquery(e) if is_order_sensitive(&e.subquery.subquery) => &mut e.subquery,
                    Expr::SetComparison(e) if is_order_sensitive(&e.subquery.subquery) => &mut e.subquery,
                    Expr::ScalarSubquery(e) if is_order_sensitive(&e.subquery) => e,
                    _ => return Ok(Transformed::no(expr)),
                };
                *subquery = self.without_ties(subquery)?;
                Ok(Transformed::yes(expr))
            })
        })?;
        Ok(decided.transformed.then_some(decided.data))
    }

    fn without_ties(&mut self, subquery: &Subquery) -> Result<Subquery> {
        let columns = subquery.subquery.schema().columns().into_iter().map(Expr::Column).collect();
        let node = self.rewrite(&subquery.subquery)?;
        let plan = LogicalPlan::Projection(Projection::try_new(columns, node.plan)?);
        Ok(subquery.with_plan(Arc::new(plan)))
    }

    /// Adds all columns that `plan` shows to the order columns of its node.
    fn by_all_columns(&mut self, node: Node, plan: &LogicalPlan) -> Result<Node> {
        self.ordered_by(node, plan.schema().columns())
    }

    /// Adds copies of `columns` to the order columns of a node.
    pub(super) fn ordered_by(&mut self, mut node: Node, columns: Vec<Column>) -> Result<Node> {
        if !self.ordering || columns.is_empty() {
            return Ok(node);
        }
        let mut exprs: Vec<_> = node.plan.schema().columns().into_iter().map(Expr::Column).collect();
        for column in columns {
            let name = self.name("order");
            exprs.push(Expr::Column(column).alias(&name));
            node.order.push(name);
        }
        let plan = Projection::try_new(exprs, Arc::clone(&node.plan))?;
        Ok(node.with(LogicalPlan::Projection(plan)))
    }

    /// Takes note of a subquery that decides about the node's rows. The subquery itself stays as it is in the plan: its
    /// rewritten form only serves to learn how the sides reach its rows.
    fn consult(
        &mut self,
        node: &mut Node,
        subquery: &LogicalPlan,
        polarity: Polarity,
        construct: &'static str,
    ) -> Result<()> {
        let inner = self.rewrite(subquery)?;
        node.left.consult(&inner.left, polarity, construct);
        node.right.consult(&inner.right, polarity, construct);
        Ok(())
    }

    /// A node that passes all columns of its one input on.
    fn above(
        &mut self,
        input: &LogicalPlan,
        build: impl FnOnce(Arc<LogicalPlan>) -> Result<LogicalPlan>,
    ) -> Result<Node> {
        let input = self.rewrite(input)?;
        let plan = build(Arc::clone(&input.plan))?;
        Ok(input.with(plan))
    }

    /// The scan of a side reads the numbered source; a projection above it gives the row number a name of its own.
    fn scan(&mut self, plan: &LogicalPlan, scan: &TableScan) -> Result<Node> {
        let Some(side) = self.tables.side(&scan.table_name) else {
            return self.by_all_columns(Node::bare(plan), plan);
        };
        let source = &self.tables.get(side).numbered;
        let schema = source.schema();
        let Some((last, columns)) = schema.fields().split_last() else {
            return internal_err!("the numbered source of {} has no columns", scan.table_name);
        };
        let same = columns.iter().map(|f| f.name()).eq(scan.source.schema().fields().iter().map(|f| f.name()));
        if last.name() != ROW_NUMBER || *last.data_type() != DataType::Int64 || !same {
            return internal_err!("the numbered source of {} does not fit its table", scan.table_name);
        }
        let projection = scan.projection.as_ref().map(|p| p.iter().copied().chain([columns.len()]).collect());
        let numbered = TableScanBuilder::new(scan.table_name.clone(), Arc::clone(source))
            .with_projection(projection)
            .with_filters(scan.filters.clone())
            .with_fetch(scan.fetch)
            .build()?;
        let name = self.name(side.as_str());
        let row = Expr::Column(Column::new(Some(scan.table_name.clone()), ROW_NUMBER)).alias(&name);
        let exprs = plan.schema().columns().into_iter().map(Expr::Column).chain([row]).collect();
        let plan = Projection::try_new(exprs, Arc::new(LogicalPlan::TableScan(numbered)))?;
        let mut node = Node::bare(&LogicalPlan::Projection(plan));
        match side {
            Side::Left => node.left.columns.push(name),
            Side::Right => node.right.columns.push(name),
        }
        Ok(node)
    }

    fn projection(&mut self, projection: &Projection) -> Result<Node> {
        let input = self.rewrite(&projection.input)?;
        let columns = input.carried()?;
        let schema = extend(&projection.schema, fields(&input.plan, &columns)?)?;
        let exprs = projection.expr.iter().cloned().chain(columns.into_iter().map(Expr::Column)).collect();
        let plan = Projection::try_new_with_schema(exprs, Arc::clone(&input.plan), schema)?;
        Ok(input.with(LogicalPlan::Projection(plan)))
    }

    fn sort(&mut self, sort: &Sort) -> Result<Node> {
        let node = self.rewrite(&sort.input)?;
        let ties = node.ties()?;
        let expr = sort.expr.iter().cloned().chain(ties).collect();
        let plan = Sort { expr, input: Arc::clone(&node.plan), fetch: sort.fetch };
        Ok(node.with(LogicalPlan::Sort(plan)))
    }

    fn limit(&mut self, limit: &Limit) -> Result<Node> {
        let node = self.rewrite(&limit.input)?;
        let ties = node.ties()?;
        let input = ties::ordered(Arc::clone(&node.plan), ties);
        let plan = Limit { skip: limit.skip.clone(), fetch: limit.fetch.clone(), input };
        Ok(node.with(LogicalPlan::Limit(plan)))
    }

    fn window(&mut self, window: &Window) -> Result<Node> {
        let node = self.rewrite(&window.input)?;
        let ties = node.ties()?;
        let plan = ties::window(window, Arc::clone(&node.plan), &ties)?;
        Ok(node.with(plan))
    }

    /// Inner and outer joins pass both inputs on. Semi, anti and mark joins pass one on; the other one is a subquery.
    /// `filtered`: a condition stands right above it, which may be that of the join.
    fn join(&mut self, join: &Join, filtered: bool) -> Result<Node> {
        use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
        let (left, right, mut reach, order) = match join.join_type {
            Inner | Left | Right | Full => {
                let (mut left, mut right) = (self.rewrite(&join.left)?, self.rewrite(&join.right)?);
                if pairs_all_rows(join) {
                    match (is_total(&join.left), is_total(&join.right)) {
                        (true, false) => left = left.beside_every_row(),
                        (false, true) => right = right.beside_every_row(),
                        (true, true) if !filtered => (left, right) = (self.alone(left)?, self.alone(right)?),
                        _ => {}
                    }
                }
                let reach = (left.left.join(right.left), left.right.join(right.right));
                (left.plan, right.plan, reach, [left.order, right.order].concat())
            }
            LeftSemi | LeftAnti | LeftMark => {
                let left = self.rewrite(&join.left)?;
                (left.plan, Arc::clone(&join.right), (left.left, left.right), left.order)
            }
            RightSemi | RightAnti | RightMark => {
                let right = self.rewrite(&join.right)?;
                (Arc::clone(&join.left), right.plan, (right.left, right.right), right.order)
            }
        };
        let condition = match join.join_type {
            Inner | Left | Right | Full => None,
            LeftSemi => Some((&join.right, Polarity::Required, "INTERSECT or a semi join")),
            RightSemi => Some((&join.left, Polarity::Required, "a semi join")),
            LeftAnti => Some((&join.right, Polarity::Refused, "EXCEPT or an anti join")),
            RightAnti => Some((&join.left, Polarity::Refused, "an anti join")),
            LeftMark => Some((&join.right, Polarity::Either, "a mark join")),
            RightMark => Some((&join.left, Polarity::Either, "a mark join")),
        };
        if let Some((subquery, polarity, construct)) = condition {
            let inner = self.rewrite(subquery)?;
            reach.0.consult(&inner.left, polarity, construct);
            reach.1.consult(&inner.right, polarity, construct);
        }
        let plan = Join::try_new(
            left,
            right,
            join.on.clone(),
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let plan = Arc::new(LogicalPlan::Join(plan));
        self.rows_before_groups(Node { plan, left: reach.0, right: reach.1, order })
    }

    /// DISTINCT is GROUP BY all columns.
    fn distinct(&mut self, plan: &LogicalPlan, input: &LogicalPlan) -> Result<Node> {
        let node = self.aggregate(input, plan.schema().columns().into_iter().map(Expr::Column).collect(), &[])?;
        if node.carried()?.is_empty() {
            return Ok(node.with(plan.clone()));
        }
        Ok(node)
    }

    /// DISTINCT ON picks one row of a group, and the output row comes from that one.
    fn distinct_on(&mut self, on: &DistinctOn) -> Result<Node> {
        let node = self.rewrite(&on.input)?;
        let columns = node.carried()?;
        let order =
            on.sort_expr.clone().unwrap_or_else(|| on.on_expr.iter().map(|e| e.clone().sort(true, false)).collect());
        let order = order.into_iter().chain(node.ties()?).collect();
        let select = on.select_expr.iter().cloned().chain(columns.into_iter().map(Expr::Column)).collect();
        let plan = DistinctOn::try_new(on.on_expr.clone(), select, Some(order), Arc::clone(&node.plan))?;
        Ok(node.with(LogicalPlan::Distinct(Distinct::On(plan))))
    }

    /// Branches are lined up by side and type, NULL standing in for what a branch does not have.
    fn union(&mut self, plan: &LogicalPlan, union: &Union) -> Result<Node> {
        let branches = union.inputs.iter().map(|input| self.rewrite(input)).collect::<Result<Vec<_>>>()?;
        let mut slots: Vec<Slot> = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            for side in [Some(Side::Left), Some(Side::Right), None] {
                for name in side.map_or(&branch.order, |side| &branch.reach(side).columns) {
                    let column = column(branch.plan.schema(), name)?;
                    let data_type = branch.plan.schema().field_from_column(&column)?.data_type();
                    let fits = |slot: &&mut Slot| {
                        slot.side == side && slot.data_type == *data_type && slot.branches[index].is_none()
                    };
                    if let Some(slot) = slots.iter_mut().find(fits) {
                        slot.branches[index] = Some(Expr::Column(column));
                        continue;
                    }
                    let mut columns = vec![None; branches.len()];
                    columns[index] = Some(Expr::Column(column));
                    let name = self.name(side.map_or("order", Side::as_str));
                    slots.push(Slot { side, name, data_type: data_type.clone(), branches: columns });
                }
            }
        }
        if self.ordering {
            let branches = (0..).take(branches.len()).map(|index: i64| Some(lit(index))).collect();
            slots.push(Slot { side: None, name: self.name("order"), data_type: DataType::Int64, branches });
        }
        let names = |side: Option<Side>| slots.iter().filter(move |s| s.side == side).map(|s| s.name.clone()).collect();
        let part = |side: Side| Reach {
            columns: names(Some(side)),
            mention: branches.iter().map(|branch| branch.reach(side).mention).max().unwrap_or(Mention::None),
        };
        let (left, right, order) = (part(Side::Left), part(Side::Right), names(None));
        if slots.is_empty() {
            return Ok(Node { left, right, ..Node::bare(plan) });
        }
        let inputs = branches
            .iter()
            .zip(&union.inputs)
            .enumerate()
            .map(|(index, (branch, original))| {
                let mut exprs: Vec<_> = original.schema().columns().into_iter().map(Expr::Column).collect();
                for slot in &slots {
                    exprs.push(match &slot.branches[index] {
                        Some(expr) => expr.clone().alias(&slot.name),
                        None => Expr::Literal(ScalarValue::try_from(&slot.data_type)?, None).alias(&slot.name),
                    });
                }
                Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, Arc::clone(&branch.plan))?)))
            })
            .collect::<Result<Vec<_>>>()?;
        // The schema of the original union knows best about its columns: that of a UNION BY NAME cannot be derived again.
        let added = slots.iter().map(|slot| {
            let nullable = slot.branches.iter().any(Option::is_none)
                || inputs
                    .iter()
                    .any(|i| i.schema().field_with_unqualified_name(&slot.name).is_ok_and(|f| f.is_nullable()));
            (None, Arc::new(Field::new(&slot.name, slot.data_type.clone(), nullable)))
        });
        let schema = extend(&union.schema, added.collect())?;
        Ok(Node { plan: Arc::new(LogicalPlan::Union(Union { inputs, schema })), left, right, order })
    }

    /// A subtree that stays as it is: no row numbers come out of it.
    fn untouched(&mut self, plan: &LogicalPlan, construct: &'static str) -> Result<Node> {
        let mut node = Node::bare(plan);
        plan.apply_with_subqueries(|below| {
            if let LogicalPlan::TableScan(scan) = below {
                match self.tables.side(&scan.table_name) {
                    Some(Side::Left) => node.left = Reach::hidden(construct),
                    Some(Side::Right) => node.right = Reach::hidden(construct),
                    None => {}
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        self.by_all_columns(node, plan)
    }

    /// A column's name that no other has: `__kalla_left_3`.
    pub(super) fn name(&mut self, what: &str) -> String {
        let name = format!("{INTERNAL}{what}_{}", self.named);
        self.named += 1;
        name
    }
}

/// A join without a condition.
fn pairs_all_rows(join: &Join) -> bool {
    let always = matches!(join.filter, None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    join.on.is_empty() && always
}

/// What EXISTS asks for: whether there are rows, whatever their order and how many of them.
fn rows_of(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(projection) => rows_of(&projection.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => rows_of(&sort.input),
        LogicalPlan::Limit(limit) if limit.skip.is_none() => rows_of(&limit.input),
        other => other,
    }
}

/// One row that aggregates all its input.
fn is_total(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(projection) => is_total(&projection.input),
        LogicalPlan::Filter(filter) => is_total(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => is_total(&alias.input),
        LogicalPlan::Join(join) => is_total(&join.left) && is_total(&join.right),
        _ => false,
    }
}

/// A column that a union carries and what each branch has for it; one of the order where it is of no side.
struct Slot {
    side: Option<Side>,
    name: String,
    data_type: DataType,
    branches: Vec<Option<Expr>>,
}
