//! From flags to `match_sql`: one join on the columns that the flags name.

mod identifier;

use std::fmt::{self, Write as _};

use identifier::identifier;
use kalla_engine::job::Compare;
use kalla_engine::{KeyRules, TimeZone};

use crate::compare::Compared;

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
    /// So far apart as any of these lets them be.
    Within {
        pair: Pair,
        most: Vec<Tolerance>,
        /// NULL meets NULL.
        nulls: bool,
    },
    Days {
        pair: Pair,
        days: Days,
        /// By whose calendar days are counted; 24 hours each where there is none.
        zone: Option<TimeZone>,
    },
    /// Alike after normalising, 0 to 1.
    Similar { pair: Pair, threshold: String },
}

/// A number as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tolerance {
    Absolute(String),
    /// Of the larger one.
    Percent(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    /// At most so many apart, whichever is first.
    Apart(u32),
    /// The right one is so many days after the left one, from here to there; before it, where they are negative.
    After(Option<i32>, Option<i32>),
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
    pub fn pair(&self) -> &Pair {
        match self {
            Self::Equal { pair, .. }
            | Self::Within { pair, .. }
            | Self::Days { pair, .. }
            | Self::Similar { pair, .. } => pair,
        }
    }

    fn sql(&self) -> String {
        let Pair { left, right } = self.pair();
        let (l, r) = (format!("l.{}", identifier(left)), format!("r.{}", identifier(right)));
        match self {
            Self::Equal { rules, nulls, .. } => {
                let [l, r] = [l, r].map(|column| ruled(column, rules));
                format!("{l} {} {r}", if *nulls { "IS NOT DISTINCT FROM" } else { "=" })
            }
            Self::Within { most, nulls, .. } => {
                let one = |most: &Tolerance| match most {
                    Tolerance::Absolute(value) => format!("tolerance_match({l}, {r}, {value})"),
                    Tolerance::Percent(percent) => format!("tolerance_pct({l}, {r}, {percent})"),
                };
                let nulls = nulls.then(|| format!("({l} IS NULL AND {r} IS NULL)"));
                let ways: Vec<String> = most.iter().map(one).chain(nulls).collect();
                if ways.len() == 1 { ways.concat() } else { format!("({})", ways.join(" OR ")) }
            }
            Self::Days { days: Days::Apart(days), zone: None, .. } => format!("date_within({l}, {r}, {days})"),
            Self::Days { days: Days::Apart(days), zone: Some(zone), .. } => {
                format!("date_within({l}, {r}, {days}, '{zone}')")
            }
            Self::Days { days: Days::After(least, most), .. } => {
                let bound = |sign: &str, days: &i32| format!("{r} {sign} {l} + INTERVAL '{days} days'");
                let bounds = [least.as_ref().map(|n| bound(">=", n)), most.as_ref().map(|n| bound("<=", n))];
                bounds.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
            }
            Self::Similar { threshold, .. } => {
                format!("similarity(normalize_text({l}), normalize_text({r})) >= {threshold}")
            }
        }
    }
}

/// As it is given on the command line.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pair { left, right } = self.pair();
        let names = if left == right { left.clone() } else { format!("{left}={right}") };
        let null = |nulls: &bool| if *nulls { "?" } else { "" };
        match self {
            Self::Equal { rules, nulls, .. } => {
                let rules = rules.as_ref().map_or(String::new(), |rules| format!("~{rules}"));
                write!(f, "--on '{names}{rules}{}'", null(nulls))
            }
            Self::Within { most, nulls, .. } => {
                let one = |most: &Tolerance| match most {
                    Tolerance::Absolute(value) => value.clone(),
                    Tolerance::Percent(percent) => format!("{percent}%"),
                };
                let most: Vec<String> = most.iter().map(one).collect();
                write!(f, "--tolerance '{names}:{}{}'", most.join(","), null(nulls))
            }
            Self::Days { days, zone, .. } => {
                let zone = zone.as_ref().map_or(String::new(), |zone| format!("@{zone}"));
                let bound = |days: &Option<i32>| days.map_or(String::new(), |days| days.to_string());
                match days {
                    Days::Apart(days) => write!(f, "--days '{names}:{days}{zone}'"),
                    Days::After(least, most) => write!(f, "--days '{names}:{}..{}{zone}'", bound(least), bound(most)),
                }
            }
            Self::Similar { threshold, .. } => write!(f, "--similar '{names}:{threshold}'"),
        }
    }
}

/// A statement that flags stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub sql: String,
    /// Of each line of it the flag that asks for it.
    pub flags: Vec<Option<String>>,
}

impl Written {
    /// The flag behind the first place that a message names, `line 8, column 4`, and the message without its places.
    pub fn flag<'a>(&'a self, message: &str) -> Option<(&'a str, String)> {
        let (mut rest, mut without, mut flag) = (message, String::new(), None);
        while let Some(at) = rest.find(PLACE) {
            let (line, after) = number_at(&rest[at + PLACE.len()..])?;
            let (_, after) = number_at(after.strip_prefix(", column ")?)?;
            flag = flag.or_else(|| self.flags.get(line.checked_sub(1)?)?.as_deref());
            without.push_str(&rest[..at]);
            rest = after;
        }
        without.push_str(rest);
        flag.map(|flag| (flag, without))
    }
}

const PLACE: &str = " at line ";

/// A whole number at the start of a text, and what follows.
fn number_at(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// What a statement is made of.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    pub conditions: &'a [Condition],
    /// Whether rows of one key are paired in their order, instead of each with each.
    pub numbered: bool,
    pub left_key: &'a [String],
    pub right_key: &'a [String],
    pub compare: Option<&'a Compare>,
    pub select: &'a [Selected],
}

/// The statement: keys first, then the columns of conditions and those to be compared side by side, then what was asked for besides.
/// Where both sides have a column of the same name, the right one is called `right_NAME`; a pair of equal columns with one name comes
/// once.
pub fn match_sql(asked: &Asked<'_>, all: &Columns) -> Written {
    let Asked { conditions, numbered, left_key, right_key, compare, select } = *asked;
    let mut list = SelectList::default();
    left_key.iter().for_each(|c| list.add(Side::Left, c, "--left-key"));
    right_key.iter().for_each(|c| list.add(Side::Right, c, "--right-key"));
    for condition in conditions {
        let (pair, flag) = (condition.pair(), condition.to_string());
        list.add(Side::Left, &pair.left, &flag);
        let same = matches!(condition, Condition::Equal { rules: None, .. }) && pair.left == pair.right;
        if !same {
            list.add(Side::Right, &pair.right, &flag);
        }
    }
    for (left, right) in compare.map(|compare| side_by_side(compare, conditions, all)).unwrap_or_default() {
        list.add(Side::Left, left, "--compare");
        list.add(Side::Right, right, "--compare");
    }
    for item in select {
        match item {
            Selected::Column(side, name) => list.add(*side, name, "--select"),
            Selected::All(Side::Left) => all.left.iter().for_each(|c| list.add(Side::Left, c, "--select")),
            Selected::All(Side::Right) => all.right.iter().for_each(|c| list.add(Side::Right, c, "--select")),
        }
    }
    let [left, right] =
        if numbered { numbered_tables(conditions) } else { ["left_src", "right_src"].map(str::to_owned) };
    let mut sql = format!("SELECT\n    {}\nFROM {left} AS l\nJOIN {right} AS r", list.items.join(",\n    "));
    let mut flags = [vec![None], list.flags, vec![None, None]].concat();
    for (i, condition) in conditions.iter().enumerate() {
        let word = if i == 0 { "  ON" } else { " AND" };
        // Writing to a String cannot fail.
        let _ = write!(sql, "\n{word} {}", condition.sql());
        flags.push(Some(condition.to_string()));
    }
    if numbered {
        sql.push_str(&format!("\n AND l.{NUMBER} = r.{NUMBER}"));
        flags.push(Some("--numbered".to_owned()));
    }
    // A name may hold the end of a line; then no line is known.
    if sql.lines().count() != flags.len() {
        flags.clear();
    }
    Written { sql, flags }
}

/// The column that numbers the rows of one key.
const NUMBER: &str = "_number";

/// The sides, the rows of one key numbered in their order.
fn numbered_tables(conditions: &[Condition]) -> [String; 2] {
    let keys = conditions.iter().filter_map(|condition| match condition {
        Condition::Equal { pair, rules, .. } => {
            Some([&pair.left, &pair.right].map(|name| ruled(identifier(name), rules)))
        }
        _ => None,
    });
    let keys: Vec<[String; 2]> = keys.collect();
    [("left_src", 0), ("right_src", 1)].map(|(table, side)| {
        let key = keys.iter().map(|key| key[side].as_str()).collect::<Vec<_>>().join(", ");
        format!("(SELECT *, row_number() OVER (PARTITION BY {key}) AS {NUMBER} FROM {table})")
    })
}

/// The columns that are compared, as far as the sides have them.
fn side_by_side<'a>(compare: &'a Compare, conditions: &[Condition], all: &'a Columns) -> Vec<(&'a String, &'a String)> {
    let mut found: Vec<_> = compare.columns.iter().map(|column| (&column.left, &column.right)).collect();
    let is_key = |name: &String| {
        conditions
            .iter()
            .any(|c| matches!(c, Condition::Equal { pair, .. } if pair.left == *name && pair.right == *name))
    };
    let others = all.left.iter().filter(|name| all.right.contains(name) && compare.is_other(name) && !is_key(name));
    found.extend(others.map(|name| (name, name)));
    found
}

/// A column without what its rules let keys differ in.
fn ruled(column: String, rules: &Option<String>) -> String {
    match rules {
        Some(rules) => format!("normalize_key({column}, '{rules}')"),
        None => column,
    }
}

#[derive(Default)]
struct SelectList {
    items: Vec<String>,
    /// Of each item the flag that asks for it.
    flags: Vec<Option<String>>,
    taken: Vec<(Side, String)>,
    /// Output names in lower case: many tools do not tell `Amount` from `amount`.
    names: Vec<String>,
}

impl SelectList {
    fn add(&mut self, side: Side, column: &str, flag: &str) {
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
        self.flags.push(Some(flag.to_owned()));
        let reference = format!("{table}.{}", identifier(column));
        self.items.push(if name == column { reference } else { format!("{reference} AS {}", identifier(&name)) });
    }
}

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

/// Reads `NAME`, `LEFT=RIGHT` or `*`, then `~trim,case` for what two texts may differ in.
pub fn compared(text: &str) -> Result<Compared, String> {
    match equal(text)? {
        Condition::Equal { nulls: true, .. } => {
            Err(format!("`{text}`: NULL is equal to NULL where columns are compared, without `?`"))
        }
        Condition::Equal { pair, rules, .. } => Ok(Compared { pair, rules }),
        _ => Err(format!("`{text}`: write NAME or LEFT=RIGHT")),
    }
}

/// Reads `NAME:0.02`, `LEFT=RIGHT:0.02`, `LEFT=RIGHT:2%` or `LEFT=RIGHT:0.02,2%`, then `?` where NULL meets NULL.
pub fn tolerance(text: &str) -> Result<Condition, String> {
    let (pair, value) = pair_and_value(text, "0.02 or 2%")?;
    let (value, nulls) = value.strip_suffix('?').map_or((value, false), |rest| (rest, true));
    let one = |text: &str| match text.trim().strip_suffix('%') {
        Some(percent) => number(percent.trim_end()).map(Tolerance::Percent),
        None => number(text.trim()).map(Tolerance::Absolute),
    };
    Ok(Condition::Within { pair, most: value.split(',').map(one).collect::<Result<_, _>>()?, nulls })
}

/// Reads `NAME:3` or `LEFT=RIGHT:3`, `LEFT=RIGHT:3@Europe/Berlin`, and `LEFT=RIGHT:1..3`, `..3` or `-2..`.
pub fn days(text: &str) -> Result<Condition, String> {
    let (pair, value) = pair_and_value(text, "3")?;
    let (days, zone) = value.split_once('@').map_or((value, None), |(days, zone)| (days.trim_end(), Some(zone)));
    let wrong = |days: &str| format!("`{days}` is not a whole number of days");
    let bound = |text: &str| match text.trim() {
        "" => Ok(None),
        days => days.parse().map(Some).map_err(|_| wrong(days)),
    };
    let days = match days.split_once("..") {
        None => Days::Apart(days.parse().map_err(|_| wrong(days))?),
        Some((least, most)) => match (bound(least)?, bound(most)?) {
            (None, None) => return Err(format!("`{days}` bounds nothing: write 1..3, ..3 or 1..")),
            (Some(least), Some(most)) if least > most => return Err(format!("`{days}` begins after its end")),
            (least, most) => Days::After(least, most),
        },
    };
    if matches!(days, Days::After(..)) && zone.is_some() {
        return Err(format!("`{value}`: days from here to there are of 24 hours and have no zone; write them as SQL"));
    }
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
