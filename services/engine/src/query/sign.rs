//! `-x` is `0 - x`, which has an answer for every number or says that there is none: negated, the least integer stays what it is.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, UnaryOperator, Value, VisitMut as _, VisitorMut};

pub(super) fn subtract_from_zero(query: &mut Query) {
    let _ = query.visit(&mut Signs);
}

struct Signs;

impl VisitorMut for Signs {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } = expr else { return ControlFlow::Continue(()) };
        // Negative literals are numbers by themselves.
        if matches!(operand.as_ref(), Expr::Value(_) | Expr::Interval(_)) {
            return ControlFlow::Continue(());
        }
        let zero = Expr::value(Value::Number("0".to_owned(), false));
        *expr = Expr::BinaryOp { left: Box::new(zero), op: BinaryOperator::Minus, right: operand.clone() };
        ControlFlow::Continue(())
    }
}
