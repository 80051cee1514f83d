//! From flags to `match_sql`: one join on the columns that the flags name.

use std::fmt::Write as _;

use kalla_engine::{KeyRules, TimeZone};

/// A column of the left side and the column of the right side that it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub left: String,
    pub right: String,
}

/// What must hold for two rows to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Equal {
        pair: Pair,
        /// What the two may differ in, in the words of [`KeyRules`].
        rules: Option<String>,
        /// NULL meets NULL.
        nulls: bool,
    },
    /// At most `value` apart.
    Within { pair: Pair, value: String },
    /// At most `percent` percent apart.
    WithinPercent { pair: Pair, percent: String },
    Days {
        pair: Pair,
        days: u32,
        /// By whose calendar days are counted; 24 hours each where there is none.
        zone: Option<TimeZone>,
    },
    /// Alike after normalising, 0 to 1.
    Similar { pair: Pair, threshold: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// A column that the matched set shall have besides the compared ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    All(Side),
    Column(Side, String),
}

/// Names of the columns of both sides, for `l.*` and `r.*`.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    pub left: Vec<String>,
    pub right: Vec<String>,
}

impl Condition {
    fn pair(&self) -> &Pair {
        match self {
            Self::Equal { pair, .. }
            | Self::Within { pair, .. }
            | Self::WithinPercent { pair, .. }
            | Self::Days { pair, .. }
            | Self::Similar { pair, .. } => pair,
        }
    }

    fn sql(&self) -> String {
        let Pair { left, right } = self.pair();
        let (l, r) = (format!("l.{}", identifier(left)), format!("r.{}", identifier(right)));
        match self {
            Self::Equal { rules, nulls, .. } => {
                let [l, r] = [l, r].map(|column| match rules {
                    Some(rules) => format!("normalize_key({column}, '{rules}')"),
                    None => column,
                });
                format!("{l} {} {r}", if *nulls { "IS NOT DISTINCT FROM" } else { "=" })
            }
            Self::Within { value, .. } => format!("tolerance_match({l}, {r}, {value})"),
            Self::WithinPercent { percent, .. } => format!("tolerance_pct({l}, {r}, {percent})"),
            Self::Days { days, zone: None, .. } => format!("date_within({l}, {r}, {days})"),
            Self::Days { days, zone: Some(zone), .. } => format!("date_within({l}, {r}, {days}, '{zone}')"),
            Self::Similar { threshold, .. } => {
                format!("similarity(normalize_text({l}), normalize_text({r})) >= {threshold}")
            }
        }
    }
}

/// The statement: keys first, then the compared columns side by side, then what was asked for besides. Where both sides
/// have a column of the same name, the right one is called `right_NAME`; a pair of equal columns with one name comes once.
pub fn match_sql(
    conditions: &[Condition],
    left_key: &[String],
    right_key: &[String],
    select: &[Selected],
    all: &Columns,
) -> String {
    let mut list = SelectList::default();
    left_key.iter().for_each(|c| list.add(Side::Left, c));
    right_key.iter().for_each(|c| list.add(Side::Right, c));
    for condition in conditions {
        let pair = condition.pair();
        list.add(Side::Left, &pair.left);
        let same = matches!(condition, Condition::Equal { rules: None, .. }) && pair.left == pair.right;
        if !same {
            list.add(Side::Right, &pair.right);
        }
    }
    for item in select {
        match item {
            Selected::Column(side, name) => list.add(*side, name),
            Selected::All(Side::Left) => all.left.iter().for_each(|c| list.add(Side::Left, c)),
            Selected::All(Side::Right) => all.right.iter().for_each(|c| list.add(Side::Right, c)),
        }
    }
    let mut sql = format!("SELECT\n    {}\nFROM left_src AS l\nJOIN right_src AS r", list.items.join(",\n    "));
    for (i, condition) in conditions.iter().enumerate() {
        let word = if i == 0 { "  ON" } else { " AND" };
        // Writing to a String cannot fail.
        let _ = write!(sql, "\n{word} {}", condition.sql());
    }
    sql
}

#[derive(Default)]
struct SelectList {
    items: Vec<String>,
    taken: Vec<(Side, String)>,
    /// Output names in lower case: many tools do not tell `Amount` from `amount`.
    names: Vec<String>,
}

impl SelectList {
    fn add(&mut self, side: Side, column: &str) {
        let key = (side, column.to_owned());
        if self.taken.contains(&key) {
            return;
        }
        self.taken.push(key);
        let table = if side == Side::Left { "l" } else { "r" };
        let mut name = column.to_owned();
        while self.names.contains(&name.to_lowercase()) {
            name = if side == Side::Left { format!("left_{name}") } else { format!("right_{name}") };
        }
        self.names.push(name.to_lowercase());
        let reference = format!("{table}.{}", identifier(column));
        self.items.push(if name == column { reference } else { format!("{reference} AS {}", identifier(&name)) });
    }
}

/// `name` as SQL reads it back letter for letter: quoted unless it is a plain lower-case word that means nothing else.
pub fn identifier(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && !KEYWORDS.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Words that people do use as column names and that some place of a statement reads otherwise. Quoting one too many
/// does no harm.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "at",
    "between",
    "by",
    "case",
    "cast",
    "check",
    "column",
    "cross",
    "current_date",
    "current_time",
    "date",
    "day",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "for",
    "from",
    "full",
    "group",
    "having",
    "hour",
    "if",
    "in",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "lateral",
    "left",
    "like",
    "limit",
    "minute",
    "month",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "position",
    "primary",
    "range",
    "references",
    "right",
    "row",
    "rows",
    "second",
    "select",
    "set",
    "some",
    "substring",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "top",
    "trim",
    "true",
    "union",
    "unique",
    "unnest",
    "user",
    "using",
    "value",
    "values",
    "when",
    "where",
    "window",
    "with",
    "year",
];

/// Reads `NAME` or `LEFT=RIGHT`, then `~trim,case` for what they may differ in, then `?` where NULL meets NULL.
pub fn equal(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    let (text, nulls) = text.strip_suffix('?').map_or((text, false), |rest| (rest, true));
    let (pair, rest) = names(text, "~")?;
    let rules = match rest.strip_prefix('~') {
        Some(_) if text.strip_suffix(rest).is_some_and(|names| names.trim_end().ends_with('?')) => {
            return Err(format!(
                "`{text}`: `?` comes last, as in `a=b~case?`; a name that ends with it goes in double quotes"
            ));
        }
        Some(rules) => {
            rules.parse::<KeyRules>()?;
            Some(rules.replace(' ', ""))
        }
        None => None,
    };
    Ok(Condition::Equal { pair, rules, nulls })
}

/// Reads `NAME:0.02`, `LEFT=RIGHT:0.02` or `LEFT=RIGHT:2%`.
pub fn tolerance(text: &str) -> Result<Condition, String> {
    let (pair, value) = pair_and_value(text, "0.02 or 2%")?;
    match value.strip_suffix('%') {
        Some(percent) => Ok(Condition::WithinPercent { pair, percent: number(percent.trim_end())? }),
        None => Ok(Condition::Within { pair, value: number(value)? }),
    }
}

/// Reads `NAME:3` or `LEFT=RIGHT:3`, and `LEFT=RIGHT:3@Europe/Berlin`.
pub fn days(text: &str) -> Result<Condition, String> {
    let (pair, value) = pair_and_value(text, "3")?;
    let (days, zone) = value.split_once('@').map_or((value, None), |(days, zone)| (days.trim_end(), Some(zone)));
    let days = days.parse().map_err(|_| format!("`{days}` is not a whole number of days"))?;
    Ok(Condition::Days { pair, days, zone: zone.map(str::parse).transpose()? })
}

/// Reads `NAME:0.9` or `LEFT=RIGHT:0.9`.
pub fn similar(text: &str) -> Result<Condition, String> {
    let (pair, value) = pair_and_value(text, "0.9")?;
    let threshold = number(value)?;
    let in_range = threshold.parse::<f64>().is_ok_and(|t| (0.0..=1.0).contains(&t));
    if in_range { Ok(Condition::Similar { pair, threshold }) } else { Err(format!("`{value}` is not between 0 and 1")) }
}

/// Reads `l.NAME`, `r.NAME`, `l.*`, `r.*` or `*`, which stands for both.
pub fn selected(text: &str) -> Result<Selected, String> {
    let wrong = || format!("`{text}`: write l.NAME or r.NAME (l is the left side, r the right), or l.* and r.*");
    let (table, column) = text.trim().split_once('.').ok_or_else(wrong)?;
    let side = match table {
        "l" | "left" => Side::Left,
        "r" | "right" => Side::Right,
        _ => return Err(wrong()),
    };
    if column == "*" {
        return Ok(Selected::All(side));
    }
    let (name, rest) = name(column, "")?;
    if rest.is_empty() { Ok(Selected::Column(side, name)) } else { Err(wrong()) }
}

fn pair_and_value<'a>(text: &'a str, example: &str) -> Result<(Pair, &'a str), String> {
    let (names, value) =
        text.rsplit_once(':').ok_or_else(|| format!("`{text}` lacks its value: write `{text}:{example}`"))?;
    Ok((pair(names)?, value.trim()))
}

fn pair(text: &str) -> Result<Pair, String> {
    names(text, "").map(|(pair, _)| pair)
}

/// A pair of names at the start of `text`, and what follows: nothing, or one of `ends` and more.
fn names<'a>(text: &'a str, ends: &str) -> Result<(Pair, &'a str), String> {
    let (left, rest) = name(text, &format!("={ends}"))?;
    let (right, rest) = match rest.strip_prefix('=') {
        None => (left.clone(), rest),
        Some(rest) => name(rest, ends)?,
    };
    if rest.is_empty() || rest.starts_with(|c| ends.contains(c)) {
        Ok((Pair { left, right }, rest))
    } else {
        Err(format!("`{rest}` after `{right}`: write LEFT=RIGHT"))
    }
}

/// A column name at the start of `text`: in double quotes (a quote inside is doubled), or up to one of `ends`.
pub fn name<'a>(text: &'a str, ends: &str) -> Result<(String, &'a str), String> {
    let text = text.trim();
    let (name, rest) = match text.strip_prefix('"') {
        None => {
            let end = text.find(|c| ends.contains(c)).unwrap_or(text.len());
            (text[..end].trim_end().to_owned(), &text[end..])
        }
        Some(quoted) => {
            let mut end = None;
            let mut bytes = quoted.bytes().enumerate().peekable();
            while let Some((i, byte)) = bytes.next() {
                if byte != b'"' {
                    continue;
                }
                if bytes.next_if(|(_, b)| *b == b'"').is_none() {
                    end = Some(i);
                    break;
                }
            }
            let end = end.ok_or_else(|| format!("`{text}` has no closing quote"))?;
            (quoted[..end].replace("\"\"", "\""), quoted[end + 1..].trim_start())
        }
    };
    if name.is_empty() { Err(format!("`{text}`: a column name is missing")) } else { Ok((name, rest)) }
}

/// A number that goes into the SQL as it stands, so it is held to digits and one point.
fn number(text: &str) -> Result<String, String> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let points = text.bytes().filter(|b| *b == b'.').count();
    if digits > 0 && points <= 1 && digits + points == text.len() {
        let lead = if text.starts_with('.') { "0" } else { "" };
        Ok(format!("{lead}{}", text.trim_end_matches('.')))
    } else {
        Err(format!("`{text}` is not a number: write it like 0.02, without sign or exponent"))
    }
}

#[cfg(test)]
mod tests;
