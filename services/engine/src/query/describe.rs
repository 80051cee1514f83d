//! The sentences that refuse a mixture of types: what each operand is, why, and what to write instead.

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::Expr;

use super::facts::{Facts, at, spelled, spelled_column};
use super::types::{literal, says};
use super::wording;
use crate::functions::{Argument, Function, ordinal};
use crate::type_names::{EXACT, TypeKind, is_span, sql_type};

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
            (None, Some(value)) if !matches!(self.data_type, DataType::Interval(_)) => value.to_string(),
            (None, _) => wording::condition(self.expr),
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

    /// `` , or give `at` of source `bank` the type timestamptz@Europe/Berlin ``.
    fn or_give_a_zone(&self, zone: &str) -> String {
        match self.column().and_then(|column| Some((column, self.facts.origin(column)?))) {
            Some((column, (table, _))) => {
                format!(", or, if `{}` is a text file, give `{}` the type timestamptz@{zone}", table.alias, column.name)
            }
            None => String::new(),
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

    fn cast(&self, to: &DataType) -> String {
        format!("CAST({} AS {})", self.sql(), sql_type(to))
    }

    /// A cast that the value which made the column text comes through, and what else may be said at the end of the sentence.
    fn readable(&self, to: &DataType) -> (String, String) {
        let note = self.column().and_then(|column| self.facts.origin(column)).and_then(|(_, note)| note);
        let Some(value) = note.and_then(evidence).filter(|_| self.kind == TypeKind::Text) else {
            return (self.cast(to), self.or_set_the_type());
        };
        let (sql, target) = (self.sql(), sql_type(to));
        let written = match Spelling::of(value, to) {
            Some(Spelling::Plain) => return (self.cast(to), self.or_set_the_type()),
            Some(Spelling::Padded) => format!("CAST(trim({sql}) AS {target})"),
            Some(Spelling::Thousands) => format!("CAST(replace({sql}, ',', '') AS {target})"),
            Some(Spelling::DecimalComma) => format!("CAST(replace(replace({sql}, '.', ''), ',', '.') AS {target})"),
            None => {
                let rest = format!(
                    ", where TRY_CAST gives NULL for `{value}`, as the option nulls={value} of the source would"
                );
                return (format!("TRY_CAST({sql} AS {target})"), rest);
            }
        };
        (written, String::new())
    }
}

/// The value that a note shows: ``text because of `N/A` in line 812``.
fn evidence(note: &str) -> Option<&str> {
    let value = note.split_once('`')?.1.split_once("` in line ")?.0;
    // Cut to be shown.
    (!value.ends_with('…')).then_some(value)
}

/// How a value is spelled that a plain cast may not read.
enum Spelling {
    Plain,
    /// With blanks around it.
    Padded,
    /// `1,234.50`
    Thousands,
    /// `1.234,50`
    DecimalComma,
}

impl Spelling {
    /// `None` where it is no value of the type in any of these spellings, or may be one in two of them.
    fn of(value: &str, to: &DataType) -> Option<Self> {
        let comma = value.rfind(',');
        let whole = comma.is_some_and(|at| value.len() - at - 1 == 3);
        let kinds = [
            (Self::Plain, value.to_owned(), true),
            (Self::Padded, value.trim_matches(' ').to_owned(), true),
            (Self::Thousands, value.replace(',', ""), comma < value.rfind('.')),
            (
                Self::DecimalComma,
                value.replace('.', "").replace(',', "."),
                comma > value.rfind('.') && (!whole || value.contains('.')),
            ),
        ];
        let found = kinds.into_iter().find(|(_, text, applies)| *applies && says(text, to));
        found.map(|(spelling, ..)| spelling)
    }
}

/// What to CAST a text or a float to so that it can be compared with this type, and keeps its digits.
fn comparable(data_type: &DataType) -> DataType {
    if data_type.is_decimal() { EXACT } else { data_type.clone() }
}

/// `` `i.amount` is a number and `p.day` is a date ``.
fn two(left: &Operand, right: &Operand) -> String {
    format!("{} {} and {} {}", left.name(), left.is_a(), right.name(), right.is_a())
}

/// Why two operands must not be compared; `None` when they may be.
pub(super) fn comparison(left: &Operand, right: &Operand, equality: bool) -> Option<String> {
    use TypeKind::{Date, Float, Null, Number, Other, Text, Timestamp};
    let literals = left.literal().is_some() || right.literal().is_some();
    for (span, other) in [(left, right), (right, left)] {
        if is_span(&span.data_type) && matches!(other.kind, Number | Float) {
            return Some(format!(
                "`{}` is a span of time and {} a number: write INTERVAL '3 days', or date_within(a, b, 3)",
                span.sql(),
                other.name()
            ));
        }
    }
    if left.data_type.is_nested() || right.data_type.is_nested() {
        return Some(part_by_part(left, right));
    }
    match (left.kind, right.kind) {
        (Null | Other, _) | (_, Null | Other) => None,
        (Timestamp, Timestamp) => zones(left, right),
        (a, b) if a == b => None,
        // As floats.
        (Number, Float) | (Float, Number) => None,
        (Date, Timestamp) | (Timestamp, Date) => (equality && !literals).then(|| date_equality(left, right)),
        (Text, _) => text_comparison(left, right),
        (_, Text) => text_comparison(right, left),
        _ => Some(format!("{}: they cannot be compared; CAST one of them", two(left, right))),
    }
}

/// Rows and lists: a NULL within them would count as equal to another.
fn part_by_part(left: &Operand, right: &Operand) -> String {
    let pairs = match (parts(left.expr), parts(right.expr)) {
        (Some(left), Some(right)) if left.len() == right.len() => {
            let pair = |(a, b): (&Expr, &Expr)| format!("{} = {}", wording::condition(a), wording::condition(b));
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
    // A zone that nobody knows is told as such.
    if [zone(left), zone(right)].iter().flatten().any(|zone| zone.parse::<Tz>().is_err()) {
        return None;
    }
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
         zone that {} is meant in{}",
        local.name(),
        instant.name(),
        local.name(),
        local.or_give_a_zone(meant(zone))
    ))
}

/// The zone that instants are kept in, which nobody means when he looks at a clock.
const UTC: &str = "UTC";

/// One that stands for the author's, where it is nobody's.
fn meant(zone: &str) -> &str {
    if zone == UTC { "Europe/Berlin" } else { zone }
}

/// As it is shown in its zone already, or in one that stands for the author's.
fn in_zone(instant: &Operand, zone: &str) -> String {
    let shown = match instant.expr {
        Expr::Cast(cast) => wording::condition(&cast.expr),
        _ => instant.sql(),
    };
    format!("{shown} AT TIME ZONE '{}'", meant(zone))
}

/// A cast of an instant to a local time.
pub(super) fn clock_of_utc(instant: &Operand, zone: &str) -> String {
    let zoned = in_zone(instant, zone);
    format!(
        "{} is an instant, and a CAST to TIMESTAMP gives the clock of UTC: write to_local_time({zoned}), with the zone that is meant",
        instant.name()
    )
}

/// An instant that becomes text.
pub(super) fn text_of_instant(instant: &Operand, zone: &str) -> String {
    format!(
        "{} is an instant, which is another text in each zone: write {}, with the zone that is meant",
        instant.name(),
        spelled_in_zone(instant, zone)
    )
}

fn spelled_in_zone(instant: &Operand, zone: &str) -> String {
    format!("to_char(to_local_time({}), '%Y-%m-%d %H:%M:%S')", in_zone(instant, zone))
}

/// What lag or lead give where there is no row.
pub(super) fn default(value: &Operand, default: &Operand, function: &str) -> String {
    format!(
        "`{function}` gives values like those of {}, and {} is none: write {function}({}, …)",
        value.name(),
        default.sql(),
        value.cast(&EXACT)
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
    let (cast, rest) = text.readable(&comparable(&other.data_type));
    let as_text = match &other.data_type {
        _ if other.literal().is_some() => format!("'{}'", other.sql()),
        DataType::Timestamp(_, Some(zone)) => spelled_in_zone(other, zone),
        _ => other.cast(&DataType::Utf8),
    };
    Some(format!(
        "{} {}, and {} {}: write {cast} to compare {} or {as_text} to compare text{rest}",
        text.name(),
        text.is_a(),
        other.name(),
        other.is_a(),
        other.kind.plural(),
    ))
}

fn date_equality(left: &Operand, right: &Operand) -> String {
    let timestamp = if left.kind == TypeKind::Timestamp { left } else { right };
    if let DataType::Timestamp(_, Some(zone)) = &timestamp.data_type {
        return format!(
            "{}, and an instant has another date in each zone: write date_within({}, {}, 0, '{}'), with the zone that the \
             date is meant in",
            two(left, right),
            left.sql(),
            right.sql(),
            meant(zone)
        );
    }
    format!(
        "{}, equal at midnight only: write {} or date_within({}, {}, 1)",
        two(left, right),
        timestamp.cast(&DataType::Date32),
        left.sql(),
        right.sql()
    )
}

/// `operand` stands where a condition has to.
pub(super) fn no_condition(operand: &Operand, what: &str) -> String {
    let other = if operand.kind == TypeKind::Text { "'…'" } else { "…" };
    format!(
        "{what}, and {} {}: compare it with something, as in {} = {other}",
        operand.name(),
        operand.is_a(),
        operand.sql()
    )
}

/// Why an operator of arithmetic cannot take these two; `None` when it can, or when text is refused for another reason.
pub(super) fn arithmetic(op: &str, left: &Operand, right: &Operand) -> Option<String> {
    use TypeKind::{Boolean, Date, Float, Number, Time, Timestamp};
    let number = |operand: &Operand| matches!(operand.kind, Number | Float);
    let moment = |operand: &Operand| matches!(operand.kind, Date | Timestamp | Time);
    let span = |operand: &Operand| is_span(&operand.data_type);
    for (one, other) in [(left, right), (right, left)] {
        if one.kind == Boolean {
            return Some(format!(
                "`{op}` needs numbers, and {} is a boolean: write {}",
                one.name(),
                one.cast(&DataType::Int64)
            ));
        }
        let days = other.kind == Number && !other.data_type.is_decimal();
        if moment(one) && number(other) && !(one.kind == Date && days && ["+", "-"].contains(&op)) {
            return Some(format!(
                "{}, which `{op}` does not take together: write {} + INTERVAL '3 days'",
                two(left, right),
                one.sql()
            ));
        }
        if span(one) && number(other) && ["+", "-"].contains(&op) {
            return Some(format!(
                "`{op}` does not take a span of time and a number: write INTERVAL '3 days' for {}",
                other.name()
            ));
        }
        if span(one) && other.kind == Number && ["*", "/"].contains(&op) {
            return Some(format!(
                "`{op}` does not take a span of time and a number: write the span itself, as in INTERVAL '3 days'"
            ));
        }
    }
    None
}

/// A float that becomes an integer.
pub(super) fn whole(float: &Operand, to: &DataType) -> String {
    let (sql, target) = (float.sql(), sql_type(to));
    format!(
        "{} {}, and a CAST to {target} cuts here what it rounds elsewhere: write CAST(round({sql}) AS {target}) or CAST(trunc({sql}) AS \
         {target})",
        float.name(),
        float.is_a()
    )
}

/// `operand` is of the wrong type for what is `needed`.
pub(super) fn needs(operand: &Operand, needed: &str, cast: &DataType) -> String {
    let (cast, rest) = operand.readable(cast);
    format!("{} {}, and {needed}: write {cast}{rest}", operand.name(), operand.is_a())
}

/// Why `operand` cannot be this argument of one of our functions: the one at `index` of those that are given.
pub(super) fn argument(
    function: Function,
    argument: Argument,
    (index, given): (usize, usize),
    operand: &Operand,
) -> Option<String> {
    let place = ordinal(index, given);
    let head = format!("{}: the {place} {}", function.name(), operand.name());
    if argument.accepts(&operand.data_type) {
        let literal = operand.literal();
        let negative = matches!(argument, Argument::Threshold | Argument::Days)
            && literal.as_ref().is_some_and(|value| value.to_string().starts_with('-'));
        let reason = if negative {
            Some("is negative; it has to be 0 or more".to_owned())
        } else {
            argument.refuses_constant(literal.as_ref())
        };
        return reason.map(|reason| format!("{head} {reason}"));
    }
    let target = match argument {
        Argument::Number | Argument::Threshold => EXACT,
        Argument::Moment => DataType::Date32,
        Argument::Days | Argument::Length => DataType::Int64,
        Argument::Text | Argument::Key | Argument::Rules | Argument::Zone => DataType::Utf8,
    };
    let remedy = match (argument, operand.literal()) {
        (Argument::Moment, Some(_)) if operand.kind == TypeKind::Text => format!("write DATE {}", operand.sql()),
        (Argument::Rules | Argument::Zone, _) | (_, Some(_)) => "write it as one".to_owned(),
        (Argument::Number, _) if matches!(operand.kind, TypeKind::Date | TypeKind::Timestamp) => {
            "write date_within(a, b, days) for dates".to_owned()
        }
        (Argument::Moment, _) if operand.kind == TypeKind::Number => {
            format!("write to_date(CAST({} AS VARCHAR), '%Y%m%d') where its digits are those of a date", operand.sql())
        }
        _ => {
            let (cast, rest) = operand.readable(&target);
            format!("write {cast}{rest}")
        }
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
