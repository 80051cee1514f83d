//! What a reconciliation found, for people: counts, match rates, amounts, the first breaks, where the files are.

pub mod differences;
pub mod numbers;
pub mod rows;
pub mod table;

use std::path::{Path, PathBuf};

use console::style;
use kalla_engine::manifest::{ColumnSum, ControlTotal, Input, Manifest};
use kalla_engine::results::ResultSet;
use kalla_proto::v1::{Agreement, Verdict};
use kalla_worker::convert;

use numbers::{bar, bytes, count, counted, decimal, millis, percent};
use rows::Rows;
use table::{Align, Table};

/// What the report needs to know about where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Cells in a line.
    pub width: usize,
    /// Unmatched rows to show per side.
    pub breaks: usize,
    /// Whether rows of one key were paired in their order.
    pub numbered: bool,
}

/// Rows that could not be read are shown with their reasons, but no more than this per side.
const REJECTS_SHOWN: usize = 3;
const BAR: usize = 24;

/// The whole report; `out` is the result directory as the user wrote it.
pub fn reconciliation(manifest: &Manifest, out: &str, page: Page) -> String {
    let sections = [
        headline(&convert::verdict(manifest.verdict())).into_iter().collect(),
        balance(&sides(manifest)),
        hints(manifest, page),
        differences(manifest, page),
        amounts(manifest, page),
        rejects(manifest, out, page),
        breaks(manifest, out, page, "unmatched_left", &manifest.left, manifest.counts.unmatched_left_count),
        breaks(manifest, out, page, "unmatched_right", &manifest.right, manifest.counts.unmatched_right_count),
        files(manifest, out),
        vec![timings(manifest)],
    ];
    let sections: Vec<String> = sections.iter().filter(|lines| !lines.is_empty()).map(|s| s.join("\n")).collect();
    format!("{}\n", sections.join("\n\n"))
}

fn differences(manifest: &Manifest, page: Page) -> Vec<String> {
    let names = [manifest.left.alias.as_str(), manifest.right.alias.as_str()];
    manifest.differences.as_ref().map(|found| differences::section(found, names, page)).unwrap_or_default()
}

/// A verdict as the first line of a page; of a worker that tells none, nothing.
pub fn headline(verdict: &Verdict) -> Option<String> {
    let sentence = &verdict.sentence;
    let styled = match verdict.agreement() {
        Agreement::Unspecified => return None,
        Agreement::Agree => style(format!("✓ {sentence}")).green(),
        Agreement::Doubtful if verdict.findings.iter().any(|finding| finding.wrong) => {
            style(format!("! {sentence}")).red()
        }
        Agreement::Doubtful => style(format!("! {sentence}")).yellow(),
        Agreement::Differ => style(format!("✗ {sentence}")).red(),
        Agreement::Empty => style(sentence.clone()),
    };
    Some(styled.bold().to_string())
}

/// One side, and what became of its rows.
#[derive(Debug, Clone)]
pub struct Side {
    pub name: String,
    pub total: u64,
    pub matched: u64,
    pub unmatched: u64,
    pub rejected: u64,
}

/// Rows of both sides, in numbers and as a picture.
pub fn balance(sides: &[Side; 2]) -> Vec<String> {
    let mut table = Table::new([
        ("", Align::Left),
        ("rows", Align::Right),
        ("matched", Align::Right),
        ("unmatched", Align::Right),
        ("rejected", Align::Right),
    ]);
    for side in sides {
        let numbers = [side.total, side.matched, side.unmatched, side.rejected].map(count);
        table.push(std::iter::once(&side.name).chain(&numbers));
    }
    let rendered = table.render(usize::MAX);
    let mut lines = vec![style(rendered.titles).dim().to_string()];
    for (line, side) in rendered.rows.iter().zip(sides) {
        let bar = bar(side.matched, side.total, BAR);
        let bar = if side.matched == side.total { style(bar).green() } else { style(bar).yellow() };
        lines.push(format!("{line}  {bar} {:>7}", percent(side.matched, side.total)));
    }
    lines
}

fn sides(manifest: &Manifest) -> [Side; 2] {
    let c = &manifest.counts;
    [
        Side {
            name: manifest.left.alias.clone(),
            total: c.total_left,
            matched: c.matched_left_count,
            unmatched: c.unmatched_left_count,
            rejected: c.rejected_left,
        },
        Side {
            name: manifest.right.alias.clone(),
            total: c.total_right,
            matched: c.matched_right_count,
            unmatched: c.unmatched_right_count,
            rejected: c.rejected_right,
        },
    ]
}

/// A table whose cells are copied from, and so are never cut.
pub fn list(table: &Table) -> String {
    lines_of(table, usize::MAX, 0).join("\n") + "\n"
}

fn hints(manifest: &Manifest, page: Page) -> Vec<String> {
    let c = &manifest.counts;
    let mut lines = Vec::new();
    if page.numbered {
        lines.push(
            "rows of one key are paired in their order: the first with the first, the second with the second"
                .to_owned(),
        );
    }
    let (left, right) = (c.matched_left_count, c.matched_right_count);
    if c.matched_count != left || c.matched_count != right {
        // Rows that match several times are told below.
        let gathered = c.matched_count <= left.min(right);
        let why = if gathered { "; some matches gather several rows" } else { "" };
        lines.push(format!(
            "{} of {} and {} rows{why}",
            counted(c.matched_count, "match", "matches"),
            count(left),
            count(right)
        ));
    }
    for input in [&manifest.left, &manifest.right] {
        for column in input.columns.iter().filter(|c| mentions(&manifest.match_sql, &c.name)) {
            if let Some(note) = &column.note {
                lines.push(format!("{}: column `{}` is {note}", input.alias, column.name));
            }
        }
    }
    lines.extend(manifest.notes.iter().cloned());
    let several = manifest.multiple_left.is_some() || manifest.multiple_right.is_some();
    if manifest.differences.is_some() && several && !page.numbered {
        lines.push("--numbered pairs rows of one key in their order, instead of each with each".to_owned());
    }
    lines
}

fn amounts(manifest: &Manifest, page: Page) -> Vec<String> {
    let mut table = Table::new([("sums", Align::Left), ("matched", Align::Right), ("unmatched", Align::Right)]);
    let mut rows = 0;
    // Integers are mostly keys, whose sums mean nothing, unless they are compared as amounts.
    let shown = |sum: &&ColumnSum| {
        let of_side = |total: &ControlTotal| {
            if sum.side == "left" { total.left == sum.column } else { total.right == sum.column }
        };
        sum.matched.contains('.') && mentions(&manifest.match_sql, &sum.column)
            || manifest.control_totals.iter().filter(|total| !total.key).any(of_side)
    };
    for sum in manifest.sums.iter().filter(shown) {
        let alias = if sum.side == "left" { &manifest.left.alias } else { &manifest.right.alias };
        let name = format!("{alias}.{}", sum.column);
        // Amounts of different currencies are not added up.
        match sum.by_currency.as_slice() {
            [] | [_] => table.push([name, decimal(&sum.matched), decimal(&sum.unmatched)]),
            several => several.iter().for_each(|own| {
                let currency = if own.currency.is_empty() { "(no currency)" } else { &own.currency };
                table.push([format!("{name} {currency}"), decimal(&own.matched), decimal(&own.unmatched)]);
            }),
        }
        rows += 1;
    }
    if rows == 0 { Vec::new() } else { lines_of(&table, page.width, 0) }
}

fn rejects(manifest: &Manifest, out: &str, page: Page) -> Vec<String> {
    let c = &manifest.counts;
    let sides =
        [("rejected_left", &manifest.left, c.rejected_left), ("rejected_right", &manifest.right, c.rejected_right)];
    let mut lines = Vec::new();
    for (set, input, rejected) in sides {
        let title = format!("{} of {} could not be read", counted(rejected, "row", "rows"), input.alias);
        if rejected > 0 {
            lines.extend(excerpt(manifest, out, set, &title, REJECTS_SHOWN, page.width, |_| 0));
        }
    }
    lines
}

fn breaks(manifest: &Manifest, out: &str, page: Page, set: &str, input: &Input, unmatched: u64) -> Vec<String> {
    if unmatched == 0 || page.breaks == 0 {
        return Vec::new();
    }
    let shown = count(unmatched.min(page.breaks as u64));
    let title = if unmatched <= page.breaks as u64 {
        format!("Unmatched in {}", input.alias)
    } else {
        format!("Unmatched in {}, the first {shown} of {}", input.alias, count(unmatched))
    };
    // The columns that decide come first; a wide table may have no room for the others.
    let rank = |name: &str| match name {
        "_row" => 0,
        name if mentions(&manifest.match_sql, name) => 1,
        _ => 2,
    };
    excerpt(manifest, out, set, &title, page.breaks, page.width, rank)
}

/// The first rows of a result set under a title; nothing when they cannot be read here (results in a bucket).
fn excerpt(
    manifest: &Manifest,
    out: &str,
    set: &str,
    title: &str,
    limit: usize,
    width: usize,
    rank: impl Fn(&str) -> usize,
) -> Vec<String> {
    let path = manifest.files.get(set).map(|file| file_path(out, file.inside()));
    let read = path.filter(|path| path.exists()).and_then(|path| rows::head(&path, limit).ok());
    let Some(rows) = read else { return Vec::new() };
    let mut lines = vec![style(title).bold().to_string()];
    lines.extend(table_of(rows.ordered_by(rank), width));
    lines
}

/// The lines of `rows` as a table, with a remark when columns found no room.
pub fn table_of(rows: Rows, width: usize) -> Vec<String> {
    let mut table = Table::new(rows.columns);
    rows.rows.into_iter().for_each(|row| table.push(row));
    lines_of(&table, width, 2)
}

fn lines_of(table: &Table, width: usize, indent: usize) -> Vec<String> {
    let rendered = table.render(width.saturating_sub(indent));
    let indent = " ".repeat(indent);
    let mut lines = vec![format!("{indent}{}", style(rendered.titles).dim())];
    lines.extend(rendered.rows.into_iter().map(|row| format!("{indent}{row}")));
    if rendered.left_out > 0 {
        let more = counted(rendered.left_out as u64, "more column", "more columns");
        lines.push(format!("{indent}{}", style(format!("… and {more}")).dim()));
    }
    lines
}

fn files(manifest: &Manifest, out: &str) -> Vec<String> {
    let mut table = Table::new([("", Align::Left), ("", Align::Right), ("", Align::Right)]);
    for file in ResultSet::ALL.iter().filter_map(|set| manifest.files.get(set.name())) {
        table.push([shown_path(out, &file.path), counted(file.rows, "row", "rows"), bytes(file.bytes)]);
    }
    table.push([shown_path(out, "manifest.json")]);
    table.render(usize::MAX).rows
}

fn timings(manifest: &Manifest) -> String {
    let t = &manifest.timings_ms;
    let [staging, matching, writing, total] = [t.staging, t.matching, t.writing_results, t.total].map(millis);
    let spilled = match manifest.spilled_bytes {
        0 => String::new(),
        n => format!("; {} went to disk", bytes(n)),
    };
    let parts = format!("staging {staging}, matching {matching}, writing {writing}{spilled}");
    format!("{total} {}", style(format!("({parts})")).dim())
}

/// The file as it is reached from here: the manifest names it inside the result directory.
fn file_path(out: &str, inside: &str) -> PathBuf {
    Path::new(out.strip_prefix("file://").unwrap_or(out)).join(inside)
}

/// In a bucket the files of an attempt have a place of their own.
fn shown_path(out: &str, path: &str) -> String {
    if path.contains("://") {
        return path.to_owned();
    }
    format!("{}/{}", out.trim_end_matches('/'), file_name(path))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `name` stands in the SQL as a word of its own.
fn mentions(sql: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && sql
            .match_indices(name)
            .any(|(at, _)| !sql[..at].ends_with(word) && !sql[at + name.len()..].starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_sql() {
        let sql = "SELECT l.amount, \"Invoice ID\" FROM x WHERE fee_amount > 1 AND größe = 2";
        for (name, expected) in
            [("amount", true), ("fee", false), ("Invoice ID", true), ("größe", true), ("größ", false), ("", false)]
        {
            assert_eq!(mentions(sql, name), expected, "{name}");
        }
    }

    #[test]
    fn files_are_named_from_here() {
        assert_eq!(shown_path("out/", "/abs/out/matched.parquet"), "out/matched.parquet");
        assert_eq!(shown_path("s3://b/x", "s3://b/x/try-1/matched.parquet"), "s3://b/x/try-1/matched.parquet");
        assert_eq!(shown_path("s3://b/x/", "manifest.json"), "s3://b/x/manifest.json");
        assert_eq!(file_path("file:///tmp/x", "m.csv"), Path::new("/tmp/x/m.csv"));
    }
}
