//! The sentences that refuse a mixture of types: what each operand is, why, and what to write instead.

use arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::Expr;

use super::facts::{Facts, at, spelled, spelled_column};
use super::types::{literal, says};
use crate::functions::{Argument, Function, as_operators, ordinal};
use crate::type_names::{EXACT, TypeKind, sql_type};

/// One operand.
pub(super) struct Operand<'a> {
    pub expr: &'a Expr,
    pub data_type: DataType,
    pub kind: TypeKind,
    pub facts: &'a Facts,
}

impl Operand<'_> {
    fn column(&self) -> Option<&Column> {
        match self.expr {
            Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => Some(column),
            Expr::Alias(alias) => match alias.expr.as_ref() {
                Expr::Column(column) => Some(column),
                _ => None,
            },
            _ => None,
        }
    }

    fn literal(&self) -> Option<ScalarValue> {
        literal(self.expr)
    }

    fn literal_text(&self) -> Option<String> {
        self.literal()?.try_as_str().flatten().map(str::to_owned)
    }

    /// As it stands, or could stand, in SQL.
    fn sql(&self) -> String {
        if let Some(text) = self.literal_text() {
            return format!("'{}'", text.replace('\'', "''"));
        }
        match (self.column(), self.literal()) {
            (Some(column), _) => spelled_column(column),
            (None, Some(value)) => value.to_string(),
            (None, None) => as_operators(self.expr).human_display().to_string(),
        }
    }

    /// `` `i.amount` at line 2, column 8``.
    fn name(&self) -> String {
        let place = self.column().map_or_else(String::new, |column| at(self.facts.position(column)));
        if self.literal_text().is_some() { self.sql() } else { format!("`{}`{place}", self.sql()) }
    }

    /// `` is text because of `N/A` in line 812``.
    fn is_a(&self) -> String {
        let note = self.column().and_then(|column| self.facts.origin(column)).and_then(|(_, note)| note);
        match note {
            Some(note) if note.starts_with("text ") && self.kind == TypeKind::Text => format!("is {note}"),
            Some(note) if self.kind == TypeKind::Text => format!("is text ({note})"),
            _ => self.kind.is_a().to_owned(),
        }
    }

    /// `` , or set the type of `amount` in source `invoices` ``.
    fn or_set_the_type(&self) -> String {
        match self.column().and_then(|column| Some((column, self.facts.origin(column)?))) {
            Some((column, (table, _))) if self.kind == TypeKind::Text => {
                format!(", or set the type of `{}` in source `{}`", column.name, table.alias)
            }
            _ => String::new(),
        }
    }

    fn cast(&self, to: &str) -> String {
        format!("CAST({} AS {to})", self.sql())
    }
}

/// What to CAST a text or a float to so that it can be compared with this type, and keeps its digits.
fn comparable(data_type: &DataType) -> String {
    if data_type.is_decimal() { EXACT.to_owned() } else { sql_type(data_type) }
}

/// Why two operands must not be compared; `None` when they may be.
pub(super) fn comparison(left: &Operand, right: &Operand, equality: bool) -> Option<String> {
    use TypeKind::{Date, Float, Null, Number, Other, Text, Timestamp};
    let literals = left.literal().is_some() || right.literal().is_some();
    if left.data_type.is_nested() || right.data_type.is_nested() {
        return Some(part_by_part(left, right));
    }
    match (left.kind, right.kind) {
        (Null | Other, _) | (_, Null | Other) => None,
        (Timestamp, Timestamp) => zones(left, right),
        (a, b) if a == b => None,
        (Number, Float) | (Float, Number) => (equality && !literals).then(|| float_equality(left, right)),
        (Date, Timestamp) | (Timestamp, Date) => (equality && !literals).then(|| date_equality(left, right)),
        (Text, _) => text_comparison(left, right),
        (_, Text) => text_comparison(right, left),
        _ => Some(format!(
            "{} {} and {} {}: they cannot be compared; CAST one of them",
            left.name(),
            left.is_a(),
            right.name(),
            right.is_a()
        )),
    }
}

/// Rows and lists: a NULL within them would count as equal to another.
fn part_by_part(left: &Operand, right: &Operand) -> String {
    let pairs = match (parts(left.expr), parts(right.expr)) {
        (Some(left), Some(right)) if left.len() == right.len() => {
            let pair = |(a, b): (&Expr, &Expr)| format!("{} = {}", a.human_display(), b.human_display());
            left.into_iter().zip(right).map(pair).collect::<Vec<_>>().join(" AND ")
        }
        _ => "a.x = b.x AND a.y = b.y".to_owned(),
    };
    format!("rows and lists are not compared as a whole, because NULLs within them are unknown: write {pairs}")
}

/// What a row or a list is made of.
fn parts(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::ScalarFunction(call) if ["struct", "row", "make_array"].contains(&call.func.name()) => {
            Some(call.args.iter().collect())
        }
        Expr::ScalarFunction(call) if call.func.name() == "named_struct" => {
            Some(call.args.iter().skip(1).step_by(2).collect())
        }
        _ => None,
    }
}

/// A wall clock and an instant: which of its many clocks is meant?
fn zones(left: &Operand, right: &Operand) -> Option<String> {
    let zone = |operand: &Operand| match &operand.data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let (local, instant) = match (zone(left), zone(right)) {
        (None, Some(_)) => (left, right),
        (Some(_), None) => (right, left),
        (Some(a), Some(b)) if a != b => {
            return Some(format!(
                "{} is shown in the zone {a} and {} in {b}: both are instants, compare them without AT TIME ZONE",
                left.name(),
                right.name()
            ));
        }
        _ => return None,
    };
    let zone = match &instant.data_type {
        DataType::Timestamp(_, Some(zone)) => zone.as_ref(),
        _ => UTC,
    };
    let zoned = in_zone(instant, zone);
    Some(format!(
        "{} is a local time and {} an instant, which has another local time in each zone: write to_local_time({zoned}), with the \
         zone that {} is meant in",
        local.name(),
        instant.name(),
        local.name()
    ))
}

/// The zone that instants are kept in, which nobody means when he looks at a clock.
const UTC: &str = "UTC";

/// As it is shown in its zone already, or in one that stands for the author's.
fn in_zone(instant: &Operand, zone: &str) -> String {
    format!("{} AT TIME ZONE '{}'", instant.sql(), if zone == UTC { "Europe/Berlin" } else { zone })
}

/// A cast of an instant to a local time.
pub(super) fn clock_of_utc(instant: &Operand, zone: &str) -> String {
    let zoned = in_zone(instant, zone);
    format!(
        "{} is an instant, and a CAST to TIMESTAMP gives the clock of UTC: write to_local_time({zoned}), with the zone that is meant",
        instant.name()
    )
}

fn text_comparison(text: &Operand, other: &Operand) -> Option<String> {
    if let Some(value) = text.literal_text() {
        let readable = says(&value, &other.data_type);
        return (!readable).then(|| {
            let example = match other.kind {
                TypeKind::Date => "a date is written 'YYYY-MM-DD'",
                TypeKind::Timestamp => "a timestamp is written 'YYYY-MM-DD HH:MM:SS'",
                TypeKind::Time => "a time is written 'HH:MM:SS'",
                TypeKind::Boolean => "a boolean is TRUE or FALSE",
                _ => "a number is written without quotes",
            };
            format!(
                "{} {}, and {} is not a value of {}: {example}",
                other.name(),
                other.is_a(),
                text.sql(),
                sql_type(&other.data_type)
            )
        });
    }
    let as_text = if other.literal().is_some() { format!("'{}'", other.sql()) } else { other.cast("VARCHAR") };
    Some(format!(
        "{} {}, and {} {}: write {} to compare {} or {as_text} to compare text{}",
        text.name(),
        text.is_a(),
        other.name(),
        other.is_a(),
        text.cast(&comparable(&other.data_type)),
        other.kind.plural(),
        text.or_set_the_type()
    ))
}

fn float_equality(left: &Operand, right: &Operand) -> String {
    let (exact, float) = if left.kind == TypeKind::Float { (right, left) } else { (left, right) };
    format!(
        "{} {} and {} {}, whose equality is a matter of rounding: write tolerance_match({}, {}, 0.005) or {}",
        left.name(),
        left.is_a(),
        right.name(),
        right.is_a(),
        left.sql(),
        right.sql(),
        float.cast(&comparable(&exact.data_type))
    )
}

fn date_equality(left: &Operand, right: &Operand) -> String {
    let timestamp = if left.kind == TypeKind::Timestamp { left } else { right };
    format!(
        "{} {} and {} {}, equal at midnight only: write {} or date_within({}, {}, 1)",
        left.name(),
        left.is_a(),
        right.name(),
        right.is_a(),
        timestamp.cast("DATE"),
        left.sql(),
        right.sql()
    )
}

/// `operand` is of the wrong type for what is `needed`.
pub(super) fn needs(operand: &Operand, needed: &str, cast: &str) -> String {
    format!(
        "{} {}, and {needed}: write {}{}",
        operand.name(),
        operand.is_a(),
        operand.cast(cast),
        operand.or_set_the_type()
    )
}

/// Why `operand` cannot be this argument of one of our functions.
pub(super) fn argument(function: Function, argument: Argument, index: usize, operand: &Operand) -> Option<String> {
    let place = ordinal(index, function.arguments().len());
    let head = format!("{}: the {place} {}", function.name(), operand.name());
    if argument.accepts(&operand.data_type) {
        let negative = matches!(argument, Argument::Threshold | Argument::Days)
            && operand.literal().is_some_and(|value| value.to_string().starts_with('-'));
        return negative.then(|| format!("{head} is negative; it has to be 0 or more"));
    }
    let target = match argument {
        Argument::Number | Argument::Threshold => EXACT,
        Argument::Moment => "DATE",
        Argument::Days => "INT",
        Argument::Text => "VARCHAR",
    };
    let remedy = match (argument, operand.literal()) {
        (Argument::Moment, Some(_)) if operand.kind == TypeKind::Text => format!("write DATE {}", operand.sql()),
        (_, Some(_)) => "write it as one".to_owned(),
        _ => format!("write {}{}", operand.cast(target), operand.or_set_the_type()),
    };
    Some(format!("{head} {}; it has to be {}: {remedy}", operand.is_a(), argument.what()))
}

/// `` `i.id` and `p.id` ``, each as it is written in SQL.
pub(super) fn both(first: &Column, second: &Column) -> String {
    format!("`{}` and `{}`", spelled_column(first), spelled_column(second))
}

/// A name for the second of two columns that are called the same.
pub(super) fn other_name(column: &Column) -> String {
    match &column.relation {
        Some(relation) => spelled(&format!("{}_{}", relation.table(), column.name)),
        None => spelled(&format!("{}_2", column.name)),
    }
}
