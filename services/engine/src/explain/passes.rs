//! The ways in which a plan can bring a row of one side together with a row of the other.
//!
//! A *pass* is one SELECT whose FROM joins something of the left side with something of the right side, and one way from
//! there up to the result: a CTE that is read twice makes two passes. Its conditions are those of the joins and of every
//! WHERE on that way that can be said of the two rows alone. What rests on more than the two rows (numbers of a window,
//! sums of a group, `NOT EXISTS`, LIMIT) comes later: it can only be asked of pairs that were formed.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Projection, SubqueryAlias, lit,
};

use crate::error::Error;
use crate::lineage::{self, Side, SideTables, Trace};
use crate::query::wording::{self, has_subquery};

/// More are not told apart.
const MOST_PASSES: usize = 64;

#[derive(Debug)]
pub struct Pass {
    /// The outermost name on the way to the result.
    pub name: Option<String>,
    /// What may stand on the two sides, left and right.
    pub inputs: [LogicalPlan; 2],
    /// The parts of each input as they are written, with all their filters.
    pub leaves: [Vec<Arc<LogicalPlan>>; 2],
    /// Of two rows, over the columns of both inputs.
    pub conditions: Vec<Condition>,
    /// Of a pair that meets all conditions, in the order in which it has to pass them.
    pub later: Vec<Later>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it is written.
    pub written: Expr,
    /// The same over the columns of the two inputs.
    pub expr: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Later {
    /// A condition over the rows of `input`.
    Filter { expr: Expr, input: Arc<LogicalPlan> },
    /// A node that not all pairs survive.
    Node { text: String, plan: Arc<LogicalPlan> },
}

impl Later {
    /// As people read it.
    pub fn text(&self) -> String {
        match self {
            Self::Filter { expr, .. } => wording::condition(expr),
            Self::Node { text, .. } => text.clone(),
        }
    }
}

/// The passes of `plan`, in the order of the SQL.
pub fn passes(plan: &LogicalPlan, tables: &SideTables) -> Result<Vec<Pass>, Error> {
    let mut finder = Finder { tables, passes: Vec::new(), path: Vec::new(), hidden: 0 };
    finder.walk(&Arc::new(plan.clone()), false)?;
    Ok(finder.passes)
}

/// The sides whose rows `plan` gives, left and right.
fn reaches(plan: &LogicalPlan, tables: &SideTables) -> Result<[bool; 2], Error> {
    let traced = lineage::follow(plan, tables)?;
    Ok(Side::BOTH.map(|side| matches!(traced.trace(side), Trace::Rows(_))))
}

struct Finder<'a> {
    tables: &'a SideTables,
    passes: Vec<Pass>,
    /// From the root to the parent of the node that is looked at.
    path: Vec<Arc<LogicalPlan>>,
    hidden: usize,
}

/// What one SELECT reads, and what it asks of the rows.
#[derive(Default)]
struct From {
    leaves: Vec<Arc<LogicalPlan>>,
    conditions: Vec<Expr>,
    later: Vec<Later>,
}

impl Finder<'_> {
    /// `inside`: the node belongs to a FROM that has been taken.
    fn walk(&mut self, plan: &Arc<LogicalPlan>, inside: bool) -> Result<(), Error> {
        if self.passes.len() >= MOST_PASSES {
            return Ok(());
        }
        let within = matches!(plan.as_ref(), LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        let mut taken = inside && within;
        if within && !taken {
            let mut from = From::default();
            gather(plan, &mut from);
            taken = self.take(plan, from)?;
        }
        self.path.push(Arc::clone(plan));
        let inputs: Vec<&Arc<LogicalPlan>> = match plan.as_ref() {
            // The other side of these decides about rows and gives none.
            LogicalPlan::Join(join) => match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => vec![&join.left],
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => vec![&join.right],
                _ => vec![&join.left, &join.right],
            },
            LogicalPlan::Projection(node) => vec![&node.input],
            LogicalPlan::Filter(node) => vec![&node.input],
            LogicalPlan::SubqueryAlias(node) => vec![&node.input],
            LogicalPlan::Sort(node) => vec![&node.input],
            LogicalPlan::Limit(node) => vec![&node.input],
            LogicalPlan::Window(node) => vec![&node.input],
            LogicalPlan::Aggregate(node) => vec![&node.input],
            LogicalPlan::Distinct(node) => vec![node.input()],
            LogicalPlan::Union(node) => node.inputs.iter().collect(),
            LogicalPlan::Unnest(node) => vec![&node.input],
            LogicalPlan::Repartition(node) => vec![&node.input],
            _ => Vec::new(),
        };
        let inputs: Vec<Arc<LogicalPlan>> = inputs.into_iter().cloned().collect();
        for input in &inputs {
            self.walk(input, taken)?;
        }
        self.path.pop();
        Ok(())
    }

    /// Notes the pass of a FROM, if it brings the two sides together.
    fn take(&mut self, plan: &Arc<LogicalPlan>, from: From) -> Result<bool, Error> {
        if from.leaves.len() < 2 || from.leaves.iter().any(|leaf| is_lateral(leaf)) {
            return Ok(false);
        }
        let reached = from.leaves.iter().map(|leaf| reaches(leaf, self.tables)).collect::<Result<Vec<_>, _>>()?;
        let main = [[true, false], [false, true]].map(|only| reached.iter().position(|leaf| *leaf == only));
        let ([Some(left), Some(right)], false) = (main, reached.contains(&[true, true])) else { return Ok(false) };
        let pass = self.pass(plan, from, &reached, [left, right]).map_err(super::broken)?;
        let same =
            |other: &Pass| other.name == pass.name && other.conditions == pass.conditions && other.later == pass.later;
        if !self.passes.iter().any(same) {
            self.passes.push(pass);
        }
        Ok(true)
    }

    fn pass(&mut self, plan: &Arc<LogicalPlan>, from: From, reached: &[[bool; 2]], main: [usize; 2]) -> Result<Pass> {
        let (mut hoisted, mut before) = (Vec::new(), Vec::new());
        let mut parts = Vec::with_capacity(from.leaves.len());
        for leaf in &from.leaves {
            let free = self.free(leaf)?;
            hoisted.extend(free.conditions);
            before.extend(free.later);
            parts.push(free.plan);
        }
        let own = from.conditions.into_iter().map(|expr| Condition { written: expr.clone(), expr });
        let mut conditions: Vec<Condition> = hoisted.into_iter().chain(own).collect();
        let members = members(&parts, &conditions, reached, main);
        let inputs = [input(&parts, &members[0], &conditions)?, input(&parts, &members[1], &conditions)?];
        let leaves = members.map(|own| own.iter().map(|&part| Arc::clone(&from.leaves[part])).collect());
        let mut later = [before, from.later].concat();
        let name = self.above(plan, &mut conditions, &mut later);
        Ok(Pass { name, inputs, leaves, conditions, later })
    }

    /// Follows the columns of `plan` up to the result, and gathers what is asked of its rows on the way.
    fn above(
        &self,
        plan: &Arc<LogicalPlan>,
        conditions: &mut Vec<Condition>,
        later: &mut Vec<Later>,
    ) -> Option<String> {
        let mut name = None;
        let mut known: Known = plan.schema().columns().into_iter().map(|c| (c.clone(), Expr::Column(c))).collect();
        let mut below = plan;
        for node in self.path.iter().rev() {
            match node.as_ref() {
                LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                    for expr in split_conjunction(predicate) {
                        match substitute(expr, &known) {
                            Some(known) => conditions.push(Condition { written: expr.clone(), expr: known }),
                            None => later.push(Later::Filter { expr: expr.clone(), input: Arc::clone(input) }),
                        }
                    }
                }
                LogicalPlan::SubqueryAlias(alias) => {
                    name = Some(alias.alias.table().to_owned());
                    known = renamed(below, node, &known);
                }
                LogicalPlan::Union(_) => known = renamed(below, node, &known),
                LogicalPlan::Projection(projection) => known = projected(&projection.expr, node, &known),
                LogicalPlan::Distinct(Distinct::On(on)) => {
                    known = projected(&on.select_expr, node, &known);
                    later.push(Later::Node { text: "DISTINCT ON".to_owned(), plan: Arc::clone(node) });
                }
                LogicalPlan::Aggregate(aggregate) => known = projected(&aggregate.group_expr, node, &known),
                LogicalPlan::Limit(_) => {
                    later.push(Later::Node { text: "LIMIT".to_owned(), plan: Arc::clone(node) });
                }
                LogicalPlan::Join(join) => {
                    let (written, unknown): (Vec<_>, Vec<_>) = on(join)
                        .into_iter()
                        .map(|expr| (substitute(&expr, &known), expr))
                        .partition(|(k, _)| k.is_some());
                    conditions.extend(
                        written.into_iter().filter_map(|(known, written)| Some(Condition { expr: known?, written })),
                    );
                    let unknown: Vec<Expr> = unknown.into_iter().map(|(_, expr)| expr).collect();
                    if !unknown.is_empty() {
                        later.push(Later::Node { text: wording::conjunction(&unknown), plan: Arc::clone(node) });
                    }
                }
                LogicalPlan::Sort(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Repartition(_)
                | LogicalPlan::Distinct(_) => {}
                _ => known.clear(),
            }
            below = node;
        }
        name
    }

    /// `plan` without the filters that can be asked of a finished row as well.
    fn free(&mut self, plan: &Arc<LogicalPlan>) -> Result<Freed> {
        Ok(match plan.as_ref() {
            LogicalPlan::Filter(filter) => {
                let mut freed = self.free(&filter.input)?;
                for expr in split_conjunction(&filter.predicate) {
                    if has_subquery(expr) {
                        freed.later.push(Later::Filter { expr: expr.clone(), input: Arc::clone(&filter.input) });
                    } else {
                        freed.conditions.push(Condition { written: expr.clone(), expr: expr.clone() });
                    }
                }
                freed
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let mut freed = self.free(&alias.input)?;
                for condition in &mut freed.conditions {
                    condition.expr = columns_as(&condition.expr, |column| {
                        Column::new(Some(alias.alias.clone()), column.name.clone())
                    })?;
                }
                freed.plan =
                    LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(freed.plan), alias.alias.clone())?);
                freed
            }
            LogicalPlan::Projection(projection) => {
                let mut freed = self.free(&projection.input)?;
                let mut exprs = projection.expr.clone();
                for condition in &mut freed.conditions {
                    condition.expr = columns_as(&condition.expr, |column| {
                        let name = format!("{}{}", super::OWN, self.hidden);
                        self.hidden += 1;
                        exprs.push(Expr::Column(column.clone()).alias(&name));
                        Column::new_unqualified(name)
                    })?;
                }
                freed.plan = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(freed.plan))?);
                freed
            }
            _ => Freed { plan: plan.as_ref().clone(), conditions: Vec::new(), later: Vec::new() },
        })
    }
}

struct Freed {
    plan: LogicalPlan,
    conditions: Vec<Condition>,
    later: Vec<Later>,
}

/// What the columns of a node are, over the columns of the FROM below it.
type Known = HashMap<Column, Expr>;

fn gather(plan: &Arc<LogicalPlan>, from: &mut From) {
    match plan.as_ref() {
        LogicalPlan::Filter(filter) => {
            gather(&filter.input, from);
            for expr in split_conjunction(&filter.predicate) {
                if has_subquery(expr) {
                    from.later.push(Later::Filter { expr: expr.clone(), input: Arc::clone(&filter.input) });
                } else {
                    from.conditions.push(expr.clone());
                }
            }
        }
        LogicalPlan::Join(join)
            if matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) =>
        {
            gather(&join.left, from);
            gather(&join.right, from);
            for expr in on(join) {
                if has_subquery(&expr) {
                    let text = wording::condition(&expr);
                    from.later.push(Later::Node { text, plan: Arc::clone(plan) });
                } else {
                    from.conditions.push(expr);
                }
            }
        }
        _ => from.leaves.push(Arc::clone(plan)),
    }
}

/// Whether a part of a FROM rests on the rows of another: then it is nothing by itself.
fn is_lateral(leaf: &LogicalPlan) -> bool {
    leaf.exists(|node| Ok(matches!(node, LogicalPlan::Subquery(_)))).unwrap_or(true)
}

/// What a join asks of two rows.
fn on(join: &Join) -> Vec<Expr> {
    let op = match join.null_equality {
        NullEquality::NullEqualsNothing => Operator::Eq,
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
    };
    let equal = |(left, right): &(Expr, Expr)| {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left.clone()), op, Box::new(right.clone())))
    };
    let filter = join.filter.iter().flat_map(split_conjunction).filter(|expr| **expr != lit(true));
    join.on.iter().map(equal).chain(filter.cloned()).collect()
}

/// Which parts make up the left and the right input: the first that reaches the side, then those that hang on them by a
/// condition, and on the left what hangs on nothing.
fn members(
    parts: &[LogicalPlan],
    conditions: &[Condition],
    reached: &[[bool; 2]],
    main: [usize; 2],
) -> [Vec<usize>; 2] {
    let mut members = main.map(|part| vec![part]);
    let mut rest: Vec<usize> = (0..parts.len()).filter(|part| !main.contains(part)).collect();
    loop {
        let next = rest.iter().enumerate().find_map(|(at, &part)| {
            let side = [0, 1].into_iter().find(|&side| {
                let foreign = reached[part][1 - side];
                !foreign && conditions.iter().any(|c| ties(&c.expr, part, &members[side], parts))
            })?;
            Some((at, side))
        });
        let Some((at, side)) = next else { break };
        let part = rest.remove(at);
        members[side].push(part);
    }
    for part in rest {
        members[usize::from(reached[part][1])].push(part);
    }
    members
}

/// Whether a condition is about `part` and some of the `others`, and about nothing else.
fn ties(expr: &Expr, part: usize, others: &[usize], parts: &[LogicalPlan]) -> bool {
    let (mut own, mut theirs) = (false, false);
    for column in expr.column_refs() {
        if parts[part].schema().has_column(column) {
            own = true;
        } else if others.iter().any(|&other| parts[other].schema().has_column(column)) {
            theirs = true;
        } else {
            return false;
        }
    }
    own && theirs
}

/// The parts of one side, joined so that no row of the first is lost.
fn input(parts: &[LogicalPlan], members: &[usize], conditions: &[Condition]) -> Result<LogicalPlan> {
    let Some((first, rest)) = members.split_first() else { return LogicalPlanBuilder::empty(false).build() };
    let mut plan = LogicalPlanBuilder::from(parts[*first].clone());
    for (count, &part) in rest.iter().enumerate() {
        let before = &members[..=count];
        let on: Vec<Expr> =
            conditions.iter().filter(|c| ties(&c.expr, part, before, parts)).map(|c| c.expr.clone()).collect();
        let on = if on.is_empty() { vec![lit(true)] } else { on };
        plan = plan.join_on(parts[part].clone(), JoinType::Left, on)?;
    }
    plan.build()
}

/// Column by column the same, under other names.
fn renamed(below: &LogicalPlan, node: &LogicalPlan, known: &Known) -> Known {
    let pairs = below.schema().columns().into_iter().zip(node.schema().columns());
    pairs.filter_map(|(below, column)| Some((column, known.get(&below)?.clone()))).collect()
}

/// The first columns of `node` are `exprs`.
fn projected(exprs: &[Expr], node: &LogicalPlan, known: &Known) -> Known {
    let pairs = node.schema().columns().into_iter().zip(exprs);
    pairs.filter_map(|(column, expr)| Some((column, substitute(&expr.clone().unalias_nested().data, known)?))).collect()
}

/// `expr` over the columns of the FROM; `None` where it rests on something else.
fn substitute(expr: &Expr, known: &Known) -> Option<Expr> {
    if has_subquery(expr) || expr.is_volatile() {
        return None;
    }
    let mut unknown = false;
    let replaced = expr.clone().transform_up(|e| {
        Ok(match &e {
            Expr::Column(column) => match known.get(column) {
                Some(known) => Transformed::yes(known.clone()),
                None => {
                    unknown = true;
                    Transformed::no(e)
                }
            },
            Expr::AggregateFunction(_)
            | Expr::WindowFunction(_)
            | Expr::GroupingSet(_)
            | Expr::OuterReferenceColumn(..) => {
                unknown = true;
                Transformed::no(e)
            }
            _ => Transformed::no(e),
        })
    });
    replaced.ok().filter(|_| !unknown).map(|replaced| replaced.data)
}

fn columns_as(expr: &Expr, mut name: impl FnMut(&Column) -> Column) -> Result<Expr> {
    let replaced = expr.clone().transform_up(|e| {
        Ok(match &e {
            Expr::Column(column) => Transformed::yes(Expr::Column(name(column))),
            _ => Transformed::no(e),
        })
    });
    replaced.map(|replaced| replaced.data)
}

/// The filters of a plan, those that a row meets first before the others.
pub fn filters(plan: &LogicalPlan) -> Vec<Filter> {
    let mut found = Vec::new();
    let _ = plan.apply(|node| {
        if let LogicalPlan::Filter(filter) = node {
            found.push(filter.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.reverse();
    found
}
