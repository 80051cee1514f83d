//! How the rows of one side reach a plan node: the rules of the module documentation as a small algebra.

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

/// How the rows of one side reach the rows of a node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reach {
    /// Names of the node's columns that hold row numbers of the side; no other column has such a name.
    pub columns: Vec<String>,
    /// How else the side had its part in the node's rows.
    pub mention: Mention,
}

/// A side's part in rows that do not carry its row numbers, and the SQL construct that gave it; the later, the stronger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    #[default]
    None,
    /// Only the absence of rows mattered.
    Refused(&'static str),
    /// Some rows may be there because of rows of the side.
    Hidden(&'static str),
}

/// What a condition with a subquery says about the subquery's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polarity {
    /// True because rows are there.
    Required,
    /// True because rows are not there.
    Refused,
    /// One cannot tell: the condition is a value inside another expression.
    Either,
}

impl Polarity {
    fn negate(self, negated: bool) -> Self {
        match self {
            Self::Required if negated => Self::Refused,
            Self::Refused if negated => Self::Required,
            same => same,
        }
    }
}

impl Reach {
    /// The side's rows inside a construct that we do not look into.
    pub fn hidden(construct: &'static str) -> Self {
        Self { columns: Vec::new(), mention: Mention::Hidden(construct) }
    }

    /// Rules 1 and 2: a join gives the row numbers of both inputs; if one of them has them for all its rows, the side
    /// counts by them whatever the other was filtered with.
    pub fn join(self, other: Self) -> Self {
        let counted = self.counts() || other.counts();
        let mention = if counted { Mention::None } else { self.mention.max(other.mention) };
        Self { columns: [self.columns, other.columns].concat(), mention }
    }

    fn counts(&self) -> bool {
        !self.columns.is_empty() && !matches!(self.mention, Mention::Hidden(_))
    }

    /// Adds a subquery that decides about the node's rows, `inner` being the side's part in the subquery.
    pub fn consult(&mut self, inner: &Self, polarity: Polarity, construct: &'static str) {
        if self.columns.is_empty() {
            self.mention = self.mention.max(inner.as_condition(polarity, construct));
        }
    }

    /// Rule 5: one total joined to every row is a scalar subquery by another name.
    pub fn beside_every_row(&self) -> Self {
        Self { columns: Vec::new(), mention: self.as_condition(Polarity::Either, "a total beside every row") }
    }

    /// Rule 3: what a subquery over these rows means for the rows that it decides about.
    fn as_condition(&self, polarity: Polarity, construct: &'static str) -> Mention {
        let given = !self.columns.is_empty() || matches!(self.mention, Mention::Hidden(_));
        let refused = self.mention != Mention::None;
        match polarity {
            Polarity::Required if given => Mention::Hidden(construct),
            Polarity::Refused if given => Mention::Refused(construct),
            Polarity::Required if refused => Mention::Refused(construct),
            _ if given || refused => Mention::Hidden(construct),
            _ => Mention::None,
        }
    }
}

/// Calls `found` for every subquery in the expressions of a node (not for those inside the subqueries).
pub(super) fn for_each_subquery(
    node: &LogicalPlan,
    found: &mut impl FnMut(&LogicalPlan, Polarity, &'static str) -> Result<()>,
) -> Result<()> {
    // Only a filter and a join read an expression as a condition; everywhere else it is a value.
    let polarity = match node {
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) => Polarity::Required,
        _ => Polarity::Either,
    };
    node.apply_expressions(|expr| {
        subqueries(expr, polarity, found)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn subqueries(
    expr: &Expr,
    polarity: Polarity,
    found: &mut impl FnMut(&LogicalPlan, Polarity, &'static str) -> Result<()>,
) -> Result<()> {
    match expr {
        Expr::Not(inner) => subqueries(inner, polarity.negate(true), found),
        Expr::Alias(alias) => subqueries(&alias.expr, polarity, found),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            subqueries(left, polarity, found)?;
            subqueries(right, polarity, found)
        }
        Expr::Exists(Exists { subquery, negated }) => {
            let polarity = polarity.negate(*negated);
            let construct = if polarity == Polarity::Refused { "NOT EXISTS" } else { "EXISTS" };
            found(&subquery.subquery, polarity, construct)
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let polarity = polarity.negate(*negated);
            let construct = if polarity == Polarity::Refused { "NOT IN" } else { "IN (SELECT …)" };
            found(&subquery.subquery, polarity, construct)?;
            subqueries(expr, Polarity::Either, found)
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
            let (polarity, construct) = match (op, quantifier) {
                (Operator::NotEq, SetQuantifier::All) => (polarity.negate(true), "<> ALL (SELECT …)"),
                (_, SetQuantifier::Any) => (polarity, "ANY (SELECT …)"),
                (_, SetQuantifier::All) => (Polarity::Either, "ALL (SELECT …)"),
            };
            found(&subquery.subquery, polarity, construct)?;
            subqueries(expr, Polarity::Either, found)
        }
        Expr::ScalarSubquery(subquery) => found(&subquery.subquery, Polarity::Either, "a scalar subquery"),
        other => {
            other.apply_children(|child| {
                subqueries(child, Polarity::Either, found)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            Ok(())
        }
    }
}
