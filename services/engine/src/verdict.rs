//! What a run has found: one sentence with its numbers, what is wrong first, and each part of it by itself.

use crate::amount::Amount;
use crate::lineage::Side;
use crate::manifest::{ColumnSum, ControlTotal, Manifest};
use crate::numbers::{count, counted, decimal};

/// Whether the sides agree, why, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub agreement: Agreement,
    pub sentence: String,
    /// What is to be looked at, what is wrong first.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Every row matches, and so do the values that the job compares.
    Agree,
    /// Every row matches, and something still speaks against it.
    Doubtful,
    Differ,
    /// Neither side has rows.
    Empty,
}

/// One thing that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    /// Whether it contradicts what the job asks for. A row without a partner does not: it is what a reconciliation looks for.
    pub wrong: bool,
    /// Rows, matches or columns, whatever it is of; of amounts that are apart 0.
    pub count: u64,
    /// What the rows are worth, or how far amounts are apart.
    pub amounts: Vec<Money>,
    /// How far they may be.
    pub allowed: Option<String>,
    /// Of amounts that are apart: left and right.
    pub columns: Option<[String; 2]>,
    /// As a part of the sentence.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// Rows of a side that match nothing.
    Unmatched(Side),
    /// Rows that could not be read, of a side or of an extra table.
    Rejected(Option<Side>),
    /// Rows of a side that match more than once.
    Multiple(Side),
    /// Matched rows do not sum up to the same.
    Apart,
    /// Matches in which compared columns differ.
    Differing,
    /// Columns that only one side has, where all were to be compared.
    OneSided,
}

/// Exact digits, and the currency where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    pub amount: String,
    pub currency: Option<String>,
}

/// Of amounts that stand in a sentence, the first so many.
const TOLD: usize = 3;

impl Manifest {
    pub fn verdict(&self) -> Verdict {
        let findings = findings(self);
        let names = format!("{} and {}", self.left.alias, self.right.alias);
        let differs = |finding: &Finding| {
            use FindingKind::{Differing, OneSided, Rejected, Unmatched};
            matches!(finding.kind, Unmatched(_) | Rejected(_) | Differing | OneSided)
        };
        let empty = self.counts.total_left == 0 && self.counts.total_right == 0;
        let all = told(&findings);
        let (agreement, sentence) = if findings.iter().any(differs) {
            let every = !empty && !findings.iter().any(is_of_rows);
            let rows = if every { "every row matches; " } else { "" };
            (Agreement::Differ, format!("{names} differ: {rows}{all}"))
        } else if empty {
            (Agreement::Empty, format!("{names} have no rows: there is nothing to compare"))
        } else if findings.is_empty() || is_proven(self, &findings) {
            let several = if all.is_empty() { String::new() } else { format!("; {all}") };
            let (rows, rest) = (rows(self), agreed(self));
            (Agreement::Agree, format!("{names} agree: every row matches, {rows}{several}{rest}"))
        } else {
            (Agreement::Doubtful, format!("every row of {names} matches, {}, but {all}", rows(self)))
        };
        Verdict { agreement, sentence, findings }
    }
}

fn is_of_rows(finding: &Finding) -> bool {
    matches!(finding.kind, FindingKind::Unmatched(_) | FindingKind::Rejected(_))
}

/// Whether rows that match more than once still sum up to the same, in amounts that conditions compare.
fn is_proven(manifest: &Manifest, findings: &[Finding]) -> bool {
    let compared = manifest.control_totals.iter().any(|total| total.compared && !total.key && total.allowed.is_some());
    compared && findings.iter().all(|finding| matches!(finding.kind, FindingKind::Multiple(_)))
}

fn told(findings: &[Finding]) -> String {
    let apart = |finding: &&Finding| finding.kind == FindingKind::Apart;
    let more = findings.iter().filter(apart).count().saturating_sub(TOLD);
    let mut left = TOLD;
    let shown = findings.iter().filter(|finding| {
        let shown = !apart(finding) || left > 0;
        left -= usize::from(apart(finding) && shown);
        shown
    });
    let mut parts: Vec<String> = shown.map(|finding| finding.text.clone()).collect();
    if more > 0 {
        let (totals, verb) =
            (counted(more as u64, "other total", "other totals"), if more == 1 { "is" } else { "are" });
        parts.push(format!("{totals} {verb} apart"));
    }
    parts.join("; ")
}

fn findings(manifest: &Manifest) -> Vec<Finding> {
    let c = &manifest.counts;
    let (left, right) = (manifest.left.alias.as_str(), manifest.right.alias.as_str());
    let (wrong, unasked): (Vec<_>, Vec<_>) =
        manifest.control_totals.iter().filter(|total| total.is_off()).partition(|total| total.compared);
    // Columns that the job compares value by value are told of below.
    let valued = |total: &&ControlTotal| {
        let columns = manifest.differences.iter().flat_map(|found| &found.columns);
        columns.clone().any(|column| column.left == total.left && column.right == total.right)
    };
    let wrong: Vec<Finding> = wrong.into_iter().map(|total| apart(manifest, total)).collect();
    let unasked: Vec<Finding> =
        unasked.into_iter().filter(|total| !valued(total)).map(|total| apart(manifest, total)).collect();
    let several = |side, alias: &str, rows: Option<u64>| {
        let rows = rows?;
        let verb = if rows == 1 { "matches" } else { "match" };
        let text = format!("{} of {alias} {verb} more than once", counted(rows, "row", "rows"));
        Some(Finding { wrong: !wrong.is_empty(), ..Finding::new(FindingKind::Multiple(side), rows, text) })
    };
    let multiple: Vec<Finding> = [
        several(Side::Left, left, manifest.multiple_left.map(|found| found.rows)),
        several(Side::Right, right, manifest.multiple_right.map(|found| found.rows)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let rejected = |side, alias: &str, rows: u64| {
        let text = format!("{} of {alias} could not be read", counted(rows, "row", "rows"));
        Finding { wrong: true, ..Finding::new(FindingKind::Rejected(side), rows, text) }
    };
    let rejected =
        [rejected(Some(Side::Left), left, c.rejected_left), rejected(Some(Side::Right), right, c.rejected_right)]
            .into_iter()
            .chain(manifest.extras.iter().map(|extra| rejected(None, &extra.alias, extra.rejected)));
    let open = [
        open(manifest, Side::Left, left, c.unmatched_left_count, c.total_left),
        open(manifest, Side::Right, right, c.unmatched_right_count, c.total_right),
    ];
    let differences = manifest.differences.as_ref();
    let differing = differences.map_or(0, |found| found.differing);
    let text = format!("{} with other values", counted(differing, "match", "matches"));
    let differing = Finding { wrong: true, ..Finding::new(FindingKind::Differing, differing, text) };
    let one_sided = differences.map_or(0, |found| (found.only_left.len() + found.only_right.len()) as u64);
    let text = format!("{} of one side only", counted(one_sided, "column", "columns"));
    let one_sided = Finding { wrong: true, ..Finding::new(FindingKind::OneSided, one_sided, text) };
    let counted = [differing].into_iter().chain(rejected).chain(open).chain([one_sided]).filter(|f| f.count > 0);
    // What makes sums differ stands beside them.
    let (first, last) = if wrong.is_empty() { (Vec::new(), multiple) } else { (multiple, Vec::new()) };
    wrong.into_iter().chain(first).chain(counted).chain(last).chain(unasked).collect()
}

impl Finding {
    fn new(kind: FindingKind, count: u64, text: String) -> Self {
        let (amounts, allowed, columns) = (Vec::new(), None, None);
        Self { kind, wrong: false, count, amounts, allowed, columns, text }
    }
}

fn open(manifest: &Manifest, side: Side, alias: &str, rows: u64, total: u64) -> Finding {
    let amounts = worth(manifest, side);
    let (of, verb) = (counted(total, "row", "rows"), if rows == 1 { "is" } else { "are" });
    let mut text = format!("{} of {of} of {alias} {verb} open", count(rows));
    if !amounts.is_empty() {
        let told: Vec<String> = amounts.iter().take(TOLD).map(Money::told).collect();
        let more = amounts.len().saturating_sub(TOLD);
        let more = if more > 0 {
            format!(" and {}", counted(more as u64, "other currency", "other currencies"))
        } else {
            String::new()
        };
        text += &format!(" ({}{more})", told.join(", "));
    }
    Finding { amounts, ..Finding::new(FindingKind::Unmatched(side), rows, text) }
}

/// What the open rows of a side sum up to in the first column of it that the amounts of the other are held against.
fn worth(manifest: &Manifest, side: Side) -> Vec<Money> {
    let totals = &manifest.control_totals;
    let first = totals.iter().find(|total| total.compared && !total.key).or(totals.iter().find(|total| !total.key));
    let Some(total) = first else { return Vec::new() };
    let column = if side == Side::Left { &total.left } else { &total.right };
    let of_column = |sum: &&ColumnSum| sum.side == side.as_str() && sum.column == *column;
    let Some(sum) = manifest.sums.iter().find(of_column) else { return Vec::new() };
    if sum.by_currency.is_empty() {
        return vec![Money { amount: sum.unmatched.clone(), currency: None }];
    }
    let is_some = |amount: &str| Amount::parse(amount).is_some_and(|amount| !amount.is_zero());
    let own = sum.by_currency.iter().filter(|own| is_some(&own.unmatched));
    own.map(|own| Money { amount: own.unmatched.clone(), currency: Some(own.currency.clone()) }).collect()
}

fn apart(manifest: &Manifest, total: &ControlTotal) -> Finding {
    let ControlTotal { left, right, allowed, compared, .. } = total;
    let currency = total.currency.clone().or_else(|| only_currency(manifest, total));
    let money = Money { amount: total.apart().to_owned(), currency };
    let columns = if left == right { left.clone() } else { format!("{left} and {right}") };
    let digits = Amount::parse(&money.amount).map_or(0, |amount| amount.scale);
    let allowed = allowed.as_deref().and_then(Amount::parse).map(|amount| amount.trimmed(digits));
    let rest = match &allowed {
        _ if !compared => ", which nothing compares".to_owned(),
        Some(allowed) if !allowed.is_zero() => format!(", {} allowed", decimal(&allowed.to_string())),
        _ => String::new(),
    };
    let text = format!("matched rows are {} apart in {columns}{rest}", money.told());
    Finding {
        wrong: *compared,
        amounts: vec![money],
        allowed: allowed.map(|amount| amount.to_string()),
        columns: Some([left.clone(), right.clone()]),
        ..Finding::new(FindingKind::Apart, 0, text)
    }
}

/// Where all amounts of both columns are in one.
fn only_currency(manifest: &Manifest, total: &ControlTotal) -> Option<String> {
    let of_column = |side: Side, column: &str| {
        let mut sums = manifest.sums.iter().filter(move |sum| sum.side == side.as_str() && sum.column == column);
        match sums.next()?.by_currency.as_slice() {
            [only] => Some(only.currency.clone()),
            _ => None,
        }
    };
    let (left, right) = (of_column(Side::Left, &total.left)?, of_column(Side::Right, &total.right)?);
    (left == right).then_some(left)
}

impl Money {
    fn told(&self) -> String {
        let amount = decimal(&self.amount);
        match self.currency.as_deref() {
            None => amount,
            Some("") => format!("{amount} without a currency"),
            Some(currency) => format!("{amount} {currency}"),
        }
    }
}

/// How many rows match, where all do.
fn rows(manifest: &Manifest) -> String {
    let (left, right) = (manifest.counts.total_left, manifest.counts.total_right);
    let several = manifest.multiple_left.is_some() || manifest.multiple_right.is_some();
    let together = if several { "" } else { ", some of them together" };
    match left == right {
        true => format!("{} on each side", counted(left, "row", "rows")),
        false => format!("{} against {}{together}", counted(left, "row", "rows"), count(right)),
    }
}

/// What else was compared and is equal.
fn agreed(manifest: &Manifest) -> String {
    let columns = manifest.differences.as_ref().map_or_else(String::new, |found| {
        let columns = counted(found.columns.len() as u64, "column", "columns");
        format!("; {columns} compared without a difference")
    });
    let totals = manifest.control_totals.iter().filter(|total| !total.key).take(TOLD);
    totals.fold(columns, |told, total| format!("{told}; {}", summed(total)))
}

fn summed(total: &ControlTotal) -> String {
    let ControlTotal { left, right, matched_left, matched_right, .. } = total;
    let currency = total.currency.as_deref().filter(|name| !name.is_empty());
    let currency = currency.map_or(String::new(), |name| format!(" {name}"));
    let (a, b) = (decimal(matched_left), decimal(matched_right));
    match (left == right, a == b) {
        (true, true) => format!("{left} sums up to {a}{currency} on both"),
        (false, true) => format!("{left} and {right} sum up to {a}{currency}"),
        (_, false) => format!("{left} sums up to {a}{currency} and {right} to {b}{currency}"),
    }
}

#[cfg(test)]
mod tests;
