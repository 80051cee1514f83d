//! Aligned columns that fit the terminal.

use console::{measure_text_width, truncate_str};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Titles, and rows of as many cells.
#[derive(Debug)]
pub struct Table {
    titles: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// The lines of a table, the first of them the titles, and how many columns found no room.
#[derive(Debug)]
pub struct Rendered {
    pub titles: String,
    pub rows: Vec<String>,
    pub left_out: usize,
}

const GAP: &str = "  ";
/// What a column keeps when others need room, and below which it is left out instead.
const NARROW: usize = 12;

impl Table {
    pub fn new(titles: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        Self { titles: titles.into_iter().map(|(t, a)| (t.into(), a)).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells become one line each, without control characters.
    pub fn push(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|c| one_line(c.as_ref())).collect());
    }

    /// Lays the columns out in `width` cells: wide ones shrink, and the last ones are left out when that is not enough.
    pub fn render(&self, width: usize) -> Rendered {
        let natural: Vec<usize> = (0..self.titles.len()).map(|i| self.natural(i)).collect();
        let shown = fitting(&natural, width);
        let widths = shrink(&natural[..shown], width);
        let titles: Vec<&str> = self.titles.iter().map(|(t, _)| t.as_str()).collect();
        Rendered {
            titles: self.line(&titles, &widths),
            rows: self
                .rows
                .iter()
                .map(|row| self.line(&row.iter().map(String::as_str).collect::<Vec<_>>(), &widths))
                .collect(),
            left_out: self.titles.len() - shown,
        }
    }

    fn natural(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| measure_text_width(cell));
        cells.chain([measure_text_width(&self.titles[column].0)]).max().unwrap_or(0)
    }

    fn line(&self, cells: &[&str], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.titles) {
            let cell = truncate_str(cell, *width, "…");
            let blanks = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            if !line.is_empty() {
                line.push_str(GAP);
            }
            match align {
                Align::Left => line.extend([&cell, blanks.as_str()]),
                Align::Right => line.extend([blanks.as_str(), &cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// How many of the first columns have room when wide ones are narrowed; at least one.
fn fitting(natural: &[usize], width: usize) -> usize {
    let mut used = 0;
    for (i, w) in natural.iter().enumerate() {
        used += w.min(&NARROW) + if i > 0 { GAP.len() } else { 0 };
        if used > width {
            return i.max(1);
        }
    }
    natural.len()
}

/// Takes from the widest columns until all fit.
fn shrink(natural: &[usize], width: usize) -> Vec<usize> {
    let room = width.saturating_sub(GAP.len() * natural.len().saturating_sub(1));
    let mut widths = natural.to_vec();
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max_by_key(|w| **w).filter(|w| **w > 1) else { break };
        *widest -= 1;
    }
    widths
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\t' => ' ',
            '\r' => ' ',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("id", Align::Left), ("amount", Align::Right), ("name", Align::Left)]);
        table.push(["1", "10.00", "Zoë\nMüller"]);
        table.push(["22", "1,200.50", "株式会社 a very long company name"]);
        table
    }

    fn lines(width: usize) -> Vec<String> {
        let rendered = table().render(width);
        [vec![rendered.titles], rendered.rows].concat()
    }

    #[test]
    fn aligned_by_display_width() {
        assert_eq!(
            lines(80),
            ["id    amount  name", "1      10.00  Zoë⏎Müller", "22  1,200.50  株式会社 a very long company name"]
        );
    }

    #[test]
    fn shrinks_the_widest_and_then_leaves_out_the_last() {
        assert_eq!(lines(28)[2], "22  1,200.50  株式会社 a ve…");
        assert!(lines(28).iter().all(|l| measure_text_width(l) <= 28));
        let narrow = table().render(20);
        assert_eq!((narrow.titles.as_str(), narrow.left_out), ("id    amount", 1));
        assert_eq!(table().render(1).left_out, 2);
    }

    #[test]
    fn an_empty_table_is_its_titles() {
        let table = Table::new([("a", Align::Left)]);
        assert_eq!((table.render(10).titles, table.render(0).rows.len()), ("a".into(), 0));
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\r\n"), "a\u{FFFD}[31mb ⏎");
    }
}
