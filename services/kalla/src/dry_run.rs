//! `kalla reconcile --dry-run`: what a job would give, by a sample of its rows.

use arrow::array::RecordBatch;
use console::style;
use kalla_engine::explain::{DryRun, Funnel};
use kalla_engine::job::Job;
use kalla_engine::{Error, dry_run};
use kalla_worker::convert;

use crate::output::{self, AGREED};
use crate::report::numbers::{bar, count, counted, percent};
use crate::report::table::{Align, Table};
use crate::report::{rows, table_of};

const BAR: usize = 24;

pub async fn run(job: &Job, rows: u64, json: bool) -> Result<u8, Error> {
    let spinner = output::spinner("  {spinner} trying a sample  {elapsed}");
    let found = dry_run(job, rows).await;
    spinner.finish_and_clear();
    let found = found?;
    if json {
        output::json(&convert::tried(found)?)?;
    } else {
        output::print(&text(job, &found, output::width())?)?;
    }
    Ok(AGREED)
}

fn text(job: &Job, found: &DryRun, width: usize) -> Result<String, Error> {
    let mut lines = vec![style("A dry run: nothing was written").bold().to_string()];
    let counts = &found.counts;
    let sides = [
        (&job.left.alias, found.rows[0], counts.total_left, counts.matched_left_count, counts.rejected_left),
        (&job.right.alias, found.rows[1], counts.total_right, counts.matched_right_count, counts.rejected_right),
    ];
    let mut table = Table::new([
        ("", Align::Left),
        ("rows", Align::Right),
        ("tried", Align::Right),
        ("matched", Align::Right),
        ("", Align::Right),
        ("", Align::Left),
    ]);
    for (alias, rows, tried, matched, _) in sides {
        let (share, picture) = (percent(matched, tried), bar(matched, tried, BAR));
        table.push([alias.clone(), count(rows), count(tried), count(matched), share, picture]);
    }
    let rendered = table.render(width.saturating_sub(2));
    lines.push(format!("  {}", style(rendered.titles).dim()));
    lines.extend(rendered.rows.into_iter().map(|line| format!("  {line}")));
    for (alias, _, _, _, rejected) in sides.into_iter().filter(|side| side.4 > 0) {
        lines.push(format!("  {alias}: {} could not be read", counted(rejected, "row", "rows")));
    }
    for (alias, multiple) in [&job.left.alias, &job.right.alias].into_iter().zip(&found.multiple) {
        lines.extend(multiple.iter().map(|found| format!("  {}", found.note(alias))));
    }
    let all = found.rows == [counts.total_left, counts.total_right];
    lines.push(match &found.key {
        Some(key) => format!("  The sample: rows that meet {key} are both in it or both not."),
        None if all => "  Every row was tried.".to_owned(),
        None => format!(
            "  The sample: some rows of {}, and all of {}, whose share says nothing: the SQL has no equality to choose by.",
            job.left.alias, job.right.alias
        ),
    });
    lines.push(String::new());
    lines.push(style("Pairs of rows that are left after each condition").bold().to_string());
    found.funnels.iter().for_each(|one| lines.extend(funnel(one, width)));
    for (title, batches) in [
        ("Matched, for example".to_owned(), &found.matched),
        (format!("Unmatched in {}, for example", job.left.alias), &found.unmatched_left),
        (format!("Unmatched in {}, for example", job.right.alias), &found.unmatched_right),
    ] {
        lines.extend(examples(&title, batches, width)?);
    }
    Ok(lines.join("\n") + "\n")
}

fn funnel(funnel: &Funnel, width: usize) -> Vec<String> {
    let mut title = format!("  {}", style(funnel.name.as_deref().unwrap_or("the join")).bold());
    if !funnel.by_key {
        title +=
            &style("  pairs by something else than the sample: most of its pairs are not in it").yellow().to_string();
    }
    let mut table = Table::new([("", Align::Right), ("", Align::Left)]);
    table.push([count(funnel.pairs), "all pairs".to_owned()]);
    for step in &funnel.steps {
        table.push([count(step.pairs), step.condition.clone()]);
    }
    for later in &funnel.later {
        table.push([String::new(), format!("then {later}")]);
    }
    let lines = table.render(width.saturating_sub(4)).rows.into_iter().map(|line| format!("    {line}"));
    [title].into_iter().chain(lines).collect()
}

fn examples(title: &str, batches: &[RecordBatch], width: usize) -> Result<Vec<String>, Error> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let rows = rows::text(batches).map_err(|e| Error::defect_of("rows as text", e))?;
    let mut lines = vec![String::new(), style(title).bold().to_string()];
    lines.extend(table_of(rows, width));
    Ok(lines)
}
