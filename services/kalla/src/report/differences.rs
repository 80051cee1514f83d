//! What columns of rows that match differ in.

use console::style;
use kalla_engine::manifest::{ColumnDifferences, Differences, Example};

use super::numbers::{count, counted, decimal};
use super::table::{Align, Table};
use super::{Page, lines_of};

/// Columns that differ come first; so many of those that do not are shown.
const EQUAL_SHOWN: usize = 5;

/// A table of the columns, then examples, then what is to be said of the columns as such.
pub fn section(differences: &Differences, [left, right]: [&str; 2], page: Page) -> Vec<String> {
    let mut columns: Vec<&ColumnDifferences> = differences.columns.iter().collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.differing()));
    let differing = columns.iter().filter(|column| column.differing() > 0).count();
    let shown = columns.len().min(differing + EQUAL_SHOWN);
    let has = |number: fn(&ColumnDifferences) -> u64| columns.iter().any(|column| number(column) > 0);
    let (within, missing_left, missing_right) = (has(|c| c.within), has(|c| c.missing_left), has(|c| c.missing_right));
    let largest = columns.iter().any(|column| column.largest.is_some());
    let titles = [
        (true, "columns".to_owned(), Align::Left),
        (true, "equal".to_owned(), Align::Right),
        (within, "within".to_owned(), Align::Right),
        (true, "different".to_owned(), Align::Right),
        (missing_left, format!("not in {left}"), Align::Right),
        (missing_right, format!("not in {right}"), Align::Right),
        (largest, "at most apart".to_owned(), Align::Right),
        (within, "allowed".to_owned(), Align::Left),
    ];
    let wanted: Vec<bool> = titles.iter().map(|(wanted, ..)| *wanted).collect();
    let titles = titles.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, title, align)| (title, align));
    let mut table = Table::new(titles);
    for column in &columns[..shown] {
        let largest = column.largest.as_deref().map(decimal).unwrap_or_default();
        let cells = [
            named(column),
            count(column.equal),
            count(column.within),
            count(column.different),
            count(column.missing_left),
            count(column.missing_right),
            largest,
            column.allowed.clone().unwrap_or_default(),
        ];
        table.push(cells.into_iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(cell, _)| cell));
    }
    let mut lines = lines_of(&table, page.width, 0);
    if shown < columns.len() {
        let more = counted((columns.len() - shown) as u64, "more column", "more columns");
        lines.push(style(format!("… and {more}, equal in all matches")).dim().to_string());
    }
    for more in [examples(&columns, [left, right], page), schemas(differences, [left, right])] {
        if !more.is_empty() {
            lines.push(String::new());
            lines.extend(more);
        }
    }
    lines
}

/// The first matches in which each column differs.
fn examples(columns: &[&ColumnDifferences], [left, right]: [&str; 2], page: Page) -> Vec<String> {
    let mut table = Table::new(["", "", "", ""].map(|title| (title, Align::Left)));
    for column in columns {
        for example in &column.examples {
            table.push([named(column), place(example), value(&example.left), value(&example.right)]);
        }
    }
    let rendered = table.render(page.width.saturating_sub(2));
    if rendered.rows.is_empty() {
        return Vec::new();
    }
    let title = style(format!("The first differences, {left} | {right}")).bold().to_string();
    std::iter::once(title).chain(rendered.rows.into_iter().map(|row| format!("  {row}"))).collect()
}

/// What is to be said of the columns as such.
fn schemas(differences: &Differences, [left, right]: [&str; 2]) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, only) in [(left, &differences.only_left), (right, &differences.only_right)] {
        if !only.is_empty() {
            lines.push(format!("only in {name}: {}", only.join(", ")));
        }
    }
    let other = differences.columns.iter().filter(|column| column.left_type != column.right_type);
    let other: Vec<String> = other.map(|c| format!("{} ({} | {})", named(c), c.left_type, c.right_type)).collect();
    if !other.is_empty() {
        lines.push(format!("of another type: {}", other.join(", ")));
    }
    if differences.reordered {
        lines.push(format!("the columns of {right} stand in another order"));
    }
    lines
}

fn named(column: &ColumnDifferences) -> String {
    if column.left == column.right { column.left.clone() } else { format!("{} = {}", column.left, column.right) }
}

fn place(example: &Example) -> String {
    if example.key.is_empty() {
        return format!("rows {} and {}", example.left_row, example.right_row);
    }
    example.key.join(", ")
}

fn value(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| style("(empty)").dim().to_string())
}
