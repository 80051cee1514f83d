//! CAST as it is written: VARCHAR(3) cuts, and FLOAT has 64 bits, where DataFusion leaves the length out and takes 32.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CharacterLength, DataType, ExactNumberInfo, Expr, Query, Value, VisitMut, VisitorMut,
};

/// Writes out what such casts mean; says which cannot be kept.
pub(super) fn written_out(query: &mut Query) -> Vec<String> {
    let mut casts = Casts { refused: Vec::new() };
    let _ = query.visit(&mut casts);
    casts.refused
}

struct Casts {
    refused: Vec<String>,
}

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Cast { data_type, .. } = expr else { return ControlFlow::Continue(()) };
        match data_type {
            DataType::Float(ExactNumberInfo::None) => *data_type = DataType::DoublePrecision,
            DataType::Float(ExactNumberInfo::Precision(bits)) => {
                *data_type = if *bits <= 24 { DataType::Real } else { DataType::DoublePrecision };
            }
            DataType::Char(_) | DataType::Character(_) => self.refused.push(format!(
                "{data_type} fills up with blanks, which is not kept here: write VARCHAR, or rpad(x, n) for the blanks"
            )),
            DataType::Varchar(Some(length))
            | DataType::CharacterVarying(Some(length))
            | DataType::CharVarying(Some(length)) => {
                let CharacterLength::IntegerLength { length, .. } = length else { return ControlFlow::Continue(()) };
                let length = *length;
                *data_type = DataType::Varchar(None);
                let number = |n: u64| Some(Box::new(Expr::value(Value::Number(n.to_string(), false))));
                *expr = Expr::Substring {
                    expr: Box::new(expr.clone()),
                    substring_from: number(1),
                    substring_for: number(length),
                    special: false,
                    shorthand: false,
                };
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
