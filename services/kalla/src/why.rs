//! `kalla why`: what keeps a row from its match.

use console::style;
use kalla_engine::explain::{Candidate, Outcome, PassReport, Question, Side};
use kalla_engine::job::Limits;
use kalla_engine::{Error, Stores, Violation, explain};
use kalla_worker::convert;

use crate::args::why::Why;
use crate::output::{self, AGREED};
use crate::report::numbers::count;
use crate::report::rows::Rows;
use crate::report::table::Align;
use crate::report::table_of;

/// Rows that are shown unless all are wanted.
const MOST: usize = 3;

pub async fn run(args: Why, stores: &Stores) -> Result<u8, Error> {
    let dir = stores.locate(&args.dir).map_err(|message| Error::Invalid(vec![Violation::new("DIR", message)]))?;
    let manifest = output::committed(&dir, &args.dir).await?;
    let bar = output::spinner("  {spinner} looking for the nearest rows  {elapsed}");
    let limits = Limits::default();
    let question =
        Question { output: &dir, manifest: &manifest, side: args.side.into(), row: args.row, limits: &limits, stores };
    let found = kalla_engine::why(question).await;
    bar.finish_and_clear();
    let found = found?;
    if args.json {
        output::json(&convert::explained(found))?;
        return Ok(AGREED);
    }
    let (own, other) = match found.side {
        Side::Left => (&manifest.left.alias, &manifest.right.alias),
        Side::Right => (&manifest.right.alias, &manifest.left.alias),
    };
    output::print(&text(&found, own, other, args.all, output::width()))?;
    Ok(AGREED)
}

fn text(found: &explain::Why, own: &str, other: &str, all: bool, width: usize) -> String {
    let mut lines = vec![style(format!("{own} row {}", count(found.row))).bold().to_string()];
    lines.extend(row(&found.columns, &found.values, width));
    lines.push(String::new());
    lines.push(format!("{} {}", style("→").cyan().bold(), found.verdict));
    let groups = groups(&found.passes, all);
    let told = if all { groups.len() } else { groups.len().min(MOST) };
    for group in &groups[..told] {
        lines.push(String::new());
        lines.extend(title(group[0].1, other, &found.other_columns, width));
        for (pass, candidate) in group {
            lines.push(format!("  {}", style(name(pass)).bold()));
            lines.extend(candidate.outcomes.iter().map(outcome));
        }
    }
    if told < groups.len() {
        lines.push(String::new());
        lines.push(style(format!("… and {} more with --all", groups.len() - told)).dim().to_string());
    }
    let out: Vec<&PassReport> = found.passes.iter().filter(|pass| !pass.kept_out.is_empty()).collect();
    if !out.is_empty() {
        lines.push(String::new());
        lines.push(style("Left out before it meets any row").bold().to_string());
        for pass in out {
            lines.push(format!("  {}", style(name(pass)).bold()));
            lines.extend(pass.kept_out.iter().map(outcome));
        }
    }
    let far: Vec<&str> = found.passes.iter().filter(|pass| !is_told(pass, all)).map(name).collect();
    if !far.is_empty() {
        lines.push(String::new());
        lines.push(style(format!("Nothing near in {}", far.join(", "))).dim().to_string());
    }
    lines.join("\n") + "\n"
}

fn name(pass: &PassReport) -> &str {
    pass.name.as_deref().unwrap_or("the join")
}

fn is_told(pass: &PassReport, all: bool) -> bool {
    !pass.kept_out.is_empty() || pass.candidates.iter().any(|candidate| all || candidate.near)
}

/// The rows that are near, each with the passes that it is near in; the least likely to be so by chance first.
fn groups(passes: &[PassReport], all: bool) -> Vec<Vec<(&PassReport, &Candidate)>> {
    let mut groups: Vec<Vec<(&PassReport, &Candidate)>> = Vec::new();
    for pass in passes {
        for candidate in pass.candidates.iter().filter(|candidate| all || candidate.near) {
            match groups.iter_mut().find(|group| group[0].1.rows == candidate.rows) {
                Some(group) => group.push((pass, candidate)),
                None => groups.push(vec![(pass, candidate)]),
            }
        }
    }
    let chance =
        |group: &[(&PassReport, &Candidate)]| group.iter().map(|(_, c)| c.chance).fold(f64::INFINITY, f64::min);
    groups.sort_by(|a, b| chance(a).total_cmp(&chance(b)));
    groups
}

fn title(candidate: &Candidate, other: &str, columns: &[String], width: usize) -> Vec<String> {
    let numbers = |rows: &[u64]| {
        let more = if rows.len() > 5 { ", …" } else { "" };
        format!("{}{more}", rows.iter().take(5).map(|row| count(*row)).collect::<Vec<_>>().join(", "))
    };
    let word = if candidate.rows.len() == 1 { "row" } else { "rows" };
    let mut title = style(format!("{other} {word} {}", numbers(&candidate.rows))).bold().to_string();
    if candidate.matched {
        let with = if candidate.matched_with.is_empty() { "" } else { " with row " };
        let taken = format!("  matched{with}{}", numbers(&candidate.matched_with));
        title += &style(taken).yellow().to_string();
    }
    let mut lines = vec![title];
    lines.extend(row(columns, &candidate.values, width));
    lines
}

fn outcome(outcome: &Outcome) -> String {
    let mark = match outcome.holds {
        Some(true) => style("✓").green(),
        Some(false) => style("✗").red(),
        None => style("?").yellow(),
    };
    match &outcome.reason {
        Some(reason) => format!("    {mark} {}\n      {}", outcome.condition, style(reason).red()),
        None => format!("    {mark} {}", outcome.condition),
    }
}

fn row(columns: &[String], values: &[Option<String>], width: usize) -> Vec<String> {
    let columns = columns.iter().map(|name| (name.clone(), Align::Left)).collect();
    let rows = vec![values.iter().map(|value| value.clone().unwrap_or_default()).collect()];
    table_of(Rows { columns, rows }, width)
}
