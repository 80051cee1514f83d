//! `kalla inspect`: what a source holds.

use console::style;
use kalla_engine::job::{Limits, Source};
use kalla_engine::manifest::Dialect;
use kalla_engine::{ColumnProfile, Error, Inspection, Stores};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::Inspect;
use crate::job;
use crate::output::{self, AGREED};
use crate::report::numbers::{bytes, count, counted};
use crate::report::rows::{self, Rows};
use crate::report::table::{Align, Table};
use crate::report::table_of;

pub async fn run(args: Inspect, stores: &Stores) -> Result<u8, Error> {
    let source = job::inspect(&args, stores)?;
    let found = kalla_engine::inspect(&source, &Limits::default(), args.rows).await?;
    let sample = rows::text(&found.sample).map_err(|e| Error::defect_of("rows as text", e))?;
    if args.json {
        output::json(&body(&source, &found, &sample))?;
    } else {
        output::print(&text(&source, &args.source, &found, sample, output::width()))?;
    }
    Ok(AGREED)
}

#[derive(Serialize)]
struct Body<'a> {
    alias: &'a str,
    format: &'a str,
    dialect: &'a Option<Dialect>,
    bytes: Option<u64>,
    rows: u64,
    rejected: u64,
    columns: &'a [ColumnProfile],
    candidate_keys: &'a [Vec<String>],
    sample: Vec<Map<String, Value>>,
}

fn body<'a>(source: &'a Source, found: &'a Inspection, sample: &Rows) -> Body<'a> {
    let object = |row: &Vec<String>| {
        sample.columns.iter().zip(row).map(|((name, _), cell)| (name.clone(), Value::from(cell.as_str()))).collect()
    };
    Body {
        alias: &source.alias,
        format: &found.facts.format,
        dialect: &found.facts.dialect,
        bytes: found.facts.bytes,
        rows: found.rows,
        rejected: found.rejected,
        columns: &found.columns,
        candidate_keys: &found.candidate_keys,
        sample: sample.rows.iter().map(object).collect(),
    }
}

fn text(source: &Source, shown: &str, found: &Inspection, sample: Rows, width: usize) -> String {
    let name = if shown.contains("://") { source.alias.as_str() } else { shown };
    let mut facts = vec![found.facts.format.clone()];
    if let Some(d) = &found.facts.dialect {
        facts.push(dialect(d));
    }
    facts.push(counted(found.rows, "row", "rows"));
    facts.extend(found.facts.bytes.map(bytes));
    if found.rejected > 0 {
        facts.push(style(format!("{} rejected", count(found.rejected))).red().to_string());
    }
    let mut lines = vec![format!("{}  {}", style(name).bold(), facts.join(" · ")), String::new()];

    let mut table = Table::new([
        ("column", Align::Left),
        ("type", Align::Left),
        ("empty", Align::Right),
        ("distinct", Align::Right),
        ("min", Align::Left),
        ("max", Align::Left),
        ("", Align::Left),
    ]);
    for c in &found.columns {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let empty = if c.nulls == 0 { String::new() } else { count(c.nulls) };
        table.push([
            c.name.clone(),
            c.data_type.clone(),
            empty,
            count(c.distinct),
            text(&c.min),
            text(&c.max),
            text(&c.note),
        ]);
    }
    let rendered = table.render(width);
    lines.push(style(rendered.titles).dim().to_string());
    lines.extend(rendered.rows);

    if !found.candidate_keys.is_empty() {
        let keys: Vec<String> = found.candidate_keys.iter().map(|key| key.join(" + ")).collect();
        lines.push(format!("\n{} {}", style("Possible keys:").bold(), keys.join(", ")));
    }
    if !sample.rows.is_empty() {
        lines.push(format!("\n{}", style("First rows").bold()));
        lines.extend(table_of(sample, width));
    }
    lines.join("\n") + "\n"
}

/// ``separated by `;`, quoted with `"`, windows-1252``.
fn dialect(dialect: &Dialect) -> String {
    let delimiter = if dialect.delimiter == '\t' { "tab".to_owned() } else { format!("`{}`", dialect.delimiter) };
    let header = if dialect.header { "" } else { ", no header" };
    format!("separated by {delimiter}{header}, {}", dialect.encoding)
}
