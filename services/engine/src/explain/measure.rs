//! How far a condition is from being true, as a number to sort by and in words to read.

use arrow::array::{Array, ArrayRef, AsArray as _, BooleanArray, Float64Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::logical_expr::{Expr, Operator};

use crate::error::{Error, Result};
use crate::functions::{self, Computed, Function};
use crate::query::wording;
use crate::type_names::TypeKind;

/// What a condition that does not hold costs at least; at most it is 1.
const FAILED: f64 = 0.1;
/// Days at which two dates are half as far apart as can be.
const FAR_DAYS: f64 = 30.0;
/// Of texts that have less in common it is not told by how many letters they differ.
const ALIKE: f64 = 0.5;
/// Texts are compared letter by letter up to here: references and names, not documents, which would take minutes.
const LETTERS: usize = 128;

/// A condition, taken apart.
#[derive(Debug, Clone)]
pub struct Measure {
    kind: Kind,
    /// What is compared: over the columns of the two rows, and as it is written.
    pub operands: Vec<Expr>,
    written: Vec<String>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Two values.
    Compare(Operator),
    /// Two values, and how far apart they may be.
    Within(Function),
    /// A value and the two ends of a range.
    Between,
    /// Whatever columns it reads.
    Other,
}

/// What became of a condition, of one pair of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The condition.
    pub condition: String,
    /// `None`: neither true nor false, because a value is NULL, or it was not asked.
    pub holds: Option<bool>,
    /// What is compared.
    pub values: Vec<Operand>,
    /// How far apart the values are: `0.03`, `5 days`, `1 character`.
    pub apart: Option<String>,
    /// How far they may be.
    pub allowed: Option<String>,
    /// The same in words, where the condition does not hold.
    pub reason: Option<String>,
}

/// A part of a condition and its value, as text; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    pub expression: String,
    pub value: Option<String>,
}

impl Measure {
    /// `written` and `expr` are the same condition over other columns.
    pub fn of(written: &Expr, expr: &Expr) -> Self {
        let (kind, operands) = take_apart(expr);
        let (_, written_operands) = take_apart(written);
        // Where a column stands for an expression, the two are not of one shape.
        let shown = if written_operands.len() == operands.len() { &written_operands } else { &operands };
        let written_operands = shown.iter().map(wording::condition).collect();
        Self { kind, operands, written: written_operands, text: wording::condition(written) }
    }

    /// Whether it wants two values that differ from row to row to be the same.
    pub fn is_equality(&self) -> bool {
        self.kind == Kind::Compare(Operator::Eq)
            && self.operands.iter().all(|operand| !operand.column_refs().is_empty())
    }

    /// What a row costs in which the condition does not hold: `FAILED` to 1.
    pub fn costs<'a>(&'a self, operands: &'a [ArrayRef]) -> Result<Costs<'a>> {
        let comparable = match self.kind {
            Kind::Compare(_) | Kind::Within(_) | Kind::Between => {
                operands.iter().map(Comparable::of).collect::<Result<Vec<_>>>()?
            }
            Kind::Other => Vec::new(),
        };
        Ok(Costs { kind: self.kind, operands: comparable, raw: operands })
    }

    /// What became of it in the first row of some columns: whether it holds, and its operands.
    pub fn outcome(&self, holds: &BooleanArray, operands: &[ArrayRef]) -> Result<Outcome> {
        let holds = holds.is_valid(0).then(|| holds.value(0));
        let values = operands
            .iter()
            .zip(&self.written)
            .map(|(array, expression)| Ok(Operand { expression: expression.clone(), value: self.told(array)? }));
        let values = values.collect::<Result<Vec<_>>>()?;
        let (apart, allowed) = self.distance(operands, &values)?;
        let mut outcome = Outcome { condition: self.text.clone(), holds, values, apart, allowed, reason: None };
        if holds != Some(true) {
            outcome.reason = Some(self.reason(&outcome));
        }
        Ok(outcome)
    }

    /// Of a condition that has only a text.
    pub fn unmeasured(condition: String, holds: Option<bool>, reason: Option<String>) -> Outcome {
        Outcome { condition, holds, values: Vec::new(), apart: None, allowed: None, reason }
    }

    fn told(&self, array: &ArrayRef) -> Result<Option<String>> {
        Ok(text_of(array)?.map(|text| self.spelled(text)))
    }

    /// Spans of time are compared by their seconds.
    fn spelled(&self, number: String) -> String {
        if self.operands.iter().any(Computed::counts_seconds) { span(&number) } else { number }
    }

    fn distance(&self, operands: &[ArrayRef], values: &[Operand]) -> Result<(Option<String>, Option<String>)> {
        let (Kind::Compare(_) | Kind::Within(_), [a, b, rest @ ..]) = (self.kind, operands) else {
            return Ok((None, None));
        };
        if a.is_null(0) || b.is_null(0) {
            return Ok((None, None));
        }
        let apart = match (TypeKind::of(a.data_type()), TypeKind::of(b.data_type())) {
            (TypeKind::Text, TypeKind::Text) => {
                let (a, b) = (values[0].value.as_deref(), values[1].value.as_deref());
                letters_apart(a.unwrap_or_default(), b.unwrap_or_default())
            }
            (TypeKind::Number | TypeKind::Float, TypeKind::Number | TypeKind::Float) => {
                functions::difference(a, b).map(|apart| self.spelled(apart))
            }
            (TypeKind::Date | TypeKind::Timestamp, TypeKind::Date | TypeKind::Timestamp) => {
                // By the calendar of a zone, where one is given.
                let zone = rest.get(1).map(text_of).transpose()?.flatten();
                let local = |moment: &ArrayRef| match &zone {
                    Some(zone) => functions::calendar_days(moment, zone)
                        .map_err(|e| Error::defect_of("days of a calendar", e))
                        .and_then(|day| days(&day)),
                    None => days(moment),
                };
                let (a, b) = (local(a)?, local(b)?);
                Some(in_days((a.value(0) - b.value(0)).abs()))
            }
            _ => None,
        };
        let allowed = match (self.kind, rest) {
            (Kind::Within(function), [allowed, ..]) => {
                let value = text_of(allowed)?.unwrap_or_else(|| "NULL".to_owned());
                Some(match function {
                    Function::TolerancePct => format!("{value} %"),
                    Function::DateWithin if value == "1" => "1 day".to_owned(),
                    Function::DateWithin => format!("{value} days"),
                    _ => value,
                })
            }
            _ => None,
        };
        Ok((apart, allowed))
    }

    fn reason(&self, outcome: &Outcome) -> String {
        let nulls: Vec<&str> =
            outcome.values.iter().filter(|v| v.value.is_none()).map(|v| v.expression.as_str()).collect();
        if outcome.holds.is_none() && !nulls.is_empty() {
            let are = if nulls.len() == 1 { "is" } else { "are" };
            return format!("{} {are} NULL", nulls.join(" and "));
        }
        let shown = |index: usize| short(outcome.values[index].value.as_deref().unwrap_or("NULL"));
        if matches!(self.kind, Kind::Compare(_) | Kind::Between) {
            // Beside constants, what is compared with them is all there is to tell.
            let varies = |(n, operand): (usize, &Expr)| (!operand.column_refs().is_empty()).then_some(n);
            let varying: Vec<usize> = self.operands.iter().enumerate().filter_map(varies).collect();
            if let [only] = varying[..] {
                return format!("{} is {}", self.written[only], shown(only));
            }
        }
        match (self.kind, &outcome.apart, &outcome.allowed) {
            (Kind::Within(_), Some(apart), Some(allowed)) => {
                format!("{} and {} are {apart} apart, {allowed} allowed", shown(0), shown(1))
            }
            (Kind::Compare(Operator::Eq | Operator::IsNotDistinctFrom), Some(apart), _) => {
                format!("{} and {} are {apart} apart", shown(0), shown(1))
            }
            (Kind::Compare(Operator::Eq | Operator::IsNotDistinctFrom), None, _) => {
                format!("{} is not {}", shown(0), shown(1))
            }
            (Kind::Compare(op), ..) => format!("{} is not {op} {}", shown(0), shown(1)),
            (Kind::Between, ..) => format!("{} is not between {} and {}", shown(0), shown(1), shown(2)),
            _ if outcome.values.is_empty() => "this is not true".to_owned(),
            _ => {
                let told = outcome.values.iter().map(|v| match &v.value {
                    Some(value) => format!("{} is {value}", v.expression),
                    None => format!("{} is NULL", v.expression),
                });
                told.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn take_apart(expr: &Expr) -> (Kind, Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(binary) if compares(binary.op) => {
            (Kind::Compare(binary.op), vec![binary.left.as_ref().clone(), binary.right.as_ref().clone()])
        }
        Expr::ScalarFunction(call) => match Function::named(call.func.name()) {
            Some(function @ (Function::ToleranceMatch | Function::TolerancePct | Function::DateWithin)) => {
                (Kind::Within(function), call.args.clone())
            }
            _ => (Kind::Other, columns(expr)),
        },
        Expr::Between(between) if !between.negated => (
            Kind::Between,
            vec![between.expr.as_ref().clone(), between.low.as_ref().clone(), between.high.as_ref().clone()],
        ),
        _ => (Kind::Other, columns(expr)),
    }
}

fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsNotDistinctFrom
            | Operator::IsDistinctFrom
    )
}

fn columns(expr: &Expr) -> Vec<Expr> {
    let mut columns: Vec<_> = expr.column_refs().into_iter().cloned().collect();
    columns.sort();
    columns.into_iter().map(Expr::Column).collect()
}

/// What rows cost in which a condition does not hold.
pub struct Costs<'a> {
    kind: Kind,
    operands: Vec<Comparable>,
    raw: &'a [ArrayRef],
}

impl Costs<'_> {
    /// Between `FAILED` and 1.
    pub fn at(&self, row: usize) -> f64 {
        let far = match (self.kind, self.operands.as_slice()) {
            _ if self.raw.iter().any(|operand| operand.is_null(row)) => 1.0,
            (Kind::Between, [value, low, high]) => value.apart(low, row).min(value.apart(high, row)),
            (Kind::Compare(_) | Kind::Within(_), [a, b, ..]) => a.apart(b, row),
            _ => 0.5,
        };
        FAILED + (1.0 - FAILED) * far
    }
}

enum Comparable {
    Text(StringArray),
    Number(Float64Array),
    Days(Float64Array),
    Other,
}

impl Comparable {
    fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match TypeKind::of(array.data_type()) {
            TypeKind::Text => Self::Text(loosely(array, &DataType::Utf8)?.as_string::<i32>().clone()),
            TypeKind::Number | TypeKind::Float => {
                Self::Number(loosely(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            TypeKind::Date | TypeKind::Timestamp => Self::Days(days(array)?),
            _ => Self::Other,
        })
    }

    /// 0 for the same, up to 1.
    fn apart(&self, other: &Self, row: usize) -> f64 {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => {
                1.0 - strsim::normalized_damerau_levenshtein(beginning(a.value(row)), beginning(b.value(row)))
            }
            (Self::Number(a), Self::Number(b)) => {
                let (a, b) = (a.value(row), b.value(row));
                let greater = a.abs().max(b.abs());
                if greater == 0.0 { 0.0 } else { ((a - b).abs() / greater).min(1.0) }
            }
            (Self::Days(a), Self::Days(b)) => {
                let days = (a.value(row) - b.value(row)).abs();
                days / (days + FAR_DAYS)
            }
            _ => 0.5,
        }
    }
}

/// What does not fit becomes NULL: this is for sorting.
fn loosely(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).map_err(unmeasurable)
}

/// Days since 1970.
fn days(array: &ArrayRef) -> Result<Float64Array> {
    let moments = loosely(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let microseconds = loosely(&loosely(&moments, &DataType::Int64)?, &DataType::Float64)?;
    let microseconds = microseconds.as_primitive::<Float64Type>();
    Ok(microseconds.unary(|value| value / 86_400e6))
}

fn in_days(days: f64) -> String {
    let whole = days.round();
    let number = if (days - whole).abs() < 1e-9 { format!("{whole}") } else { format!("{days:.2}") };
    if number == "1" { "1 day".to_owned() } else { format!("{number} days") }
}

/// A span of so many seconds, as Postgres writes it: `2 days 02:00:00`.
fn span(seconds: &str) -> String {
    let (minus, size) = seconds.strip_prefix('-').map_or(("", seconds), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let Ok(whole) = whole.parse::<u128>() else { return seconds.to_owned() };
    let (days, within) = (whole / 86_400, whole % 86_400);
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    let clock = format!("{minus}{:02}:{:02}:{:02}{fraction}", within / 3600, within / 60 % 60, within % 60);
    let of_days = format!("{minus}{days} day{}", if days == 1 { "" } else { "s" });
    match (days, within == 0 && fraction.is_empty()) {
        (0, _) => clock,
        (_, true) => of_days,
        (_, false) => format!("{of_days} {clock}"),
    }
}

/// What is compared of a text.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(LETTERS).map_or(text, |(end, _)| &text[..end])
}

/// `1 character`; `None` for texts that are the same, have little in common, or are too long to be counted through.
fn letters_apart(a: &str, b: &str) -> Option<String> {
    let long = |text: &str| beginning(text).len() < text.len();
    if a == b || long(a) || long(b) || strsim::normalized_damerau_levenshtein(a, b) < ALIKE {
        return None;
    }
    Some(match strsim::damerau_levenshtein(a, b) {
        1 => "1 character".to_owned(),
        edits => format!("{edits} characters"),
    })
}

/// What nobody reads to its end is cut.
fn short(value: &str) -> String {
    const DIGITS: usize = 4;
    match (value.split_once('.'), value.parse::<f64>()) {
        (Some((_, fraction)), Ok(number)) if fraction.len() > 12 => format!("{number:.DIGITS$}"),
        _ if beginning(value).len() < value.len() => format!("{}…", beginning(value)),
        _ => value.to_owned(),
    }
}

/// The first value as text.
pub fn text_of(array: &ArrayRef) -> Result<Option<String>> {
    if array.is_null(0) {
        return Ok(None);
    }
    let formatter = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default()).map_err(unmeasurable)?;
    Ok(Some(formatter.value(0).to_string()))
}

fn unmeasurable(error: arrow::error::ArrowError) -> Error {
    Error::defect_of("comparing two rows", error)
}
