//! What windows are asked for.

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound, WindowFrameUnits};

use super::super::facts::at;
use super::super::{describe, order, wording};
use super::{TypeChecks, literal};
use crate::type_names::{EXACT, TypeKind, is_span};

impl TypeChecks {
    /// Rows are chosen before windows are laid over them.
    pub(super) fn no_windows(&self, node: &LogicalPlan, expr: &Expr) -> Result<()> {
        if !matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_)) {
            return Ok(());
        }
        expr.apply(|expr| {
            if let Expr::WindowFunction(function) = expr {
                let name = order::name(function);
                self.refuse(format!(
                    "`{name}`{} is of the rows that WHERE and ON have chosen, and cannot stand in them: give it a name in a subquery and \
                     ask for that outside, as in SELECT … FROM (SELECT …, {name}(…) OVER (…) AS n FROM …) WHERE n = 1",
                    at(self.facts.find_call(name))
                ));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    /// How far a frame reaches is counted in the values of its key.
    pub(super) fn range(&self, function: &WindowFunction, schema: &DFSchema) {
        let frame = &function.params.window_frame;
        let counts = |bound: &WindowFrameBound| match bound {
            WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => !by.is_null(),
            WindowFrameBound::CurrentRow => false,
        };
        let counted =
            frame.units == WindowFrameUnits::Range && (counts(&frame.start_bound) || counts(&frame.end_bound));
        for key in function.params.order_by.iter().filter(|_| counted) {
            let Some(operand) = self.operand(&key.expr, schema) else { continue };
            if operand.kind == TypeKind::Text {
                self.refuse(describe::needs(&operand, "a frame of RANGE counts in its ORDER BY key", &EXACT));
            } else if is_span(&operand.data_type) {
                let sql = wording::condition(&key.expr);
                self.refuse(format!(
                    "a frame of RANGE counts in its ORDER BY key, and `{sql}` is a span of time: write ORDER BY extract(epoch FROM {sql}), \
                     and count in seconds"
                ));
            }
        }
    }

    /// What lag and lead give where there is no row becomes one of their values.
    pub(super) fn default(&self, function: &WindowFunction, schema: &DFSchema) {
        let [value, _, default] = function.params.args.as_slice() else { return };
        self.compare(value, default, false, schema);
        let (Some(value), Some(default)) = (self.operand(value, schema), self.operand(default, schema)) else { return };
        let kept = literal(default.expr).is_none_or(|literal| {
            let kept = literal.cast_to(&value.data_type).and_then(|kept| kept.cast_to(&default.data_type));
            kept.is_ok_and(|kept| kept == literal)
        });
        if default.kind == TypeKind::Number && !kept {
            self.refuse(describe::default(&value, &default, order::name(function)));
        }
    }
}
