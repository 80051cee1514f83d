//! CAST as it is written: VARCHAR(3) cuts, FLOAT has 64 bits, and TIMESTAMPTZ a zone, where DataFusion leaves length and zone out and
//! takes 32 bits.

use datafusion::sql::sqlparser::ast::{
    CharacterLength, DataType, ExactNumberInfo, Expr, TimezoneInfo, TypedString, Value,
};

/// Writes out what such a cast means, or says that it cannot be kept.
pub(super) fn written_out(expr: &mut Expr) -> Result<(), String> {
    if let Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) = expr
        && let DataType::Timestamp(_, zone @ (TimezoneInfo::Tz | TimezoneInfo::WithTimeZone)) = data_type
    {
        // Without an offset, by the clock of UTC. DataFusion leaves the zone out.
        *zone = TimezoneInfo::None;
        let time_zone = Box::new(Expr::value(Value::SingleQuotedString("UTC".to_owned())));
        *expr = Expr::AtTimeZone { timestamp: Box::new(expr.clone()), time_zone };
        return Ok(());
    }
    let Expr::Cast { data_type, .. } = expr else { return Ok(()) };
    match data_type {
        DataType::Float(ExactNumberInfo::None) => *data_type = DataType::DoublePrecision,
        DataType::Float(ExactNumberInfo::Precision(bits)) => {
            *data_type = if *bits <= 24 { DataType::Real } else { DataType::DoublePrecision };
        }
        DataType::Timestamp(Some(digits @ 0..=5), _) => {
            return Err(format!(
                "TIMESTAMP({digits}) cuts here what it rounds elsewhere: write date_trunc('{}', …), which cuts",
                if *digits == 0 { "second" } else { "millisecond" }
            ));
        }
        DataType::Char(_) | DataType::Character(_) => {
            return Err(format!(
                "{data_type} fills up with blanks, which is not kept here: write VARCHAR, or rpad(x, n) for the blanks"
            ));
        }
        DataType::Varchar(Some(length))
        | DataType::CharacterVarying(Some(length))
        | DataType::CharVarying(Some(length)) => {
            let CharacterLength::IntegerLength { length, .. } = length else { return Ok(()) };
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
    Ok(())
}
