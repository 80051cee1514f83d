//! `kalla check`: whether a job can be run, and what it would give.

use console::style;
use kalla_engine::job::Job;
use kalla_engine::manifest::Column;
use kalla_engine::manifest::LineageMode;
use kalla_engine::{CheckReport, Error, Stores};
use serde::Serialize;

use crate::args::Check;
use crate::output::{self, AGREED};
use crate::report::table::{Align, Table};
use crate::{job, reconcile};

pub async fn run(args: Check, stores: &Stores) -> Result<u8, Error> {
    let draft = reconcile::prepared(job::check(&args, stores)?).await?;
    report(&draft.job, args.json).await
}

/// Checks the job and prints what was found.
async fn report(job: &Job, json: bool) -> Result<u8, Error> {
    let report = kalla_engine::check(job).await?;
    if json {
        output::json(&body(job, &report))?;
    } else {
        output::print(&text(job, &report, output::width()))?;
    }
    Ok(AGREED)
}

#[derive(Serialize)]
struct Body<'a> {
    match_sql: &'a str,
    left: Side<'a>,
    right: Side<'a>,
    extras: Vec<Extra<'a>>,
    output: &'a [Column],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
struct Side<'a> {
    alias: &'a str,
    lineage: LineageMode,
    columns: &'a [Column],
}

#[derive(Serialize)]
struct Extra<'a> {
    alias: &'a str,
    columns: &'a [Column],
}

fn body<'a>(job: &'a Job, report: &'a CheckReport) -> Body<'a> {
    let side = |index: usize, lineage| Side {
        alias: &report.sources[index].alias,
        lineage,
        columns: &report.sources[index].columns,
    };
    Body {
        match_sql: &job.match_sql,
        left: side(0, report.lineage.left),
        right: side(1, report.lineage.right),
        extras: report.sources.iter().skip(2).map(|s| Extra { alias: &s.alias, columns: &s.columns }).collect(),
        output: &report.output,
        notes: &report.notes,
    }
}

fn text(job: &Job, report: &CheckReport, width: usize) -> String {
    let mut lines = vec![style("✓ this can be run").green().bold().to_string()];
    for (source, lineage) in [&job.left, &job.right].into_iter().zip([report.lineage.left, report.lineage.right]) {
        let how = match lineage {
            LineageMode::Rows => "rows are followed by their number".to_owned(),
            LineageMode::Keys => format!(
                "rows are told apart by their key ({}): their numbers do not pass through the SQL",
                source.primary_key.join(", ")
            ),
        };
        lines.push(format!("  {}: {how}", source.alias));
    }
    lines.extend(report.notes.iter().map(|note| format!("  {note}")));
    let sections = report
        .sources
        .iter()
        .map(|source| (format!("Columns of {}", source.alias), &source.columns))
        .chain([("Columns of the matched set".to_owned(), &report.output)]);
    for (title, columns) in sections {
        lines.push(format!("\n{}", style(title).bold()));
        let mut table = Table::new([("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for column in columns {
            table.push([column.name.as_str(), column.data_type.as_str(), column.note.as_deref().unwrap_or_default()]);
        }
        lines.extend(table.render(width.saturating_sub(2)).rows.into_iter().map(|row| format!("  {row}")));
    }
    lines.join("\n") + "\n"
}
