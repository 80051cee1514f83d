//! `kalla results`: what a reconciliation found, row by row.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use console::style;
use futures::TryStreamExt as _;
use kalla_engine::job::Limits;
use kalla_engine::manifest::{self, Column};
use kalla_engine::results::{ColumnSummary, FileKind, Reader, ResultSet, Selected, Selection, Summary};
use kalla_engine::{Error, Stores, Violation};
use kalla_proto::v1;
use kalla_worker::convert;
use serde::Serialize;

use crate::args::results::Results;
use crate::output::{self, AGREED};
use crate::reading;
use crate::report::numbers::{bytes, count, counted, millis};
use crate::report::rows;
use crate::report::table::{Align, Table};
use crate::report::table_of;

const ROWS_SHOWN: u64 = 20;

pub async fn run(args: Results, stores: &Stores) -> Result<u8, Error> {
    let wrong = |field: &str, message: String| Error::Invalid(vec![Violation::new(field, message)]);
    let kind = args
        .out
        .as_deref()
        .map(|path| kind_of(path, args.spreadsheet))
        .transpose()
        .map_err(|message| wrong("--out", message))?;
    let dir = stores.locate(&args.dir).map_err(|message| wrong("DIR", message))?;
    let selection = selection(&args)?;
    let manifest = output::committed(&dir, &args.dir).await?;
    let set = ResultSet::from(args.set);
    let selected = Reader::new(Limits::default())?.open(&dir, &manifest, set).await?.select(selection).await?;
    if let (Some(kind), Some(path)) = (kind, &args.out) {
        export(&selected, kind, path).await?;
        return Ok(AGREED);
    }
    let reading = output::spinner("  {spinner} reading  {elapsed}");
    let text =
        if args.summary { summarize(&selected, set, args.json).await } else { show(&selected, set, &args).await };
    reading.finish_and_clear();
    output::print(&text?)?;
    Ok(AGREED)
}

fn selection(args: &Results) -> Result<Selection, Error> {
    let mut wrong = Vec::new();
    let read = |text: &String| reading::filter(text).map_err(|message| wrong.push(Violation::new("--where", message)));
    let filters = args.filters.iter().flat_map(read).collect();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    Ok(Selection {
        columns: args.columns.clone(),
        filters,
        search: args.q.clone(),
        only: args.only.map(Into::into),
        order: args.order.clone(),
        offset: args.offset,
        limit: args.limit.or(args.out.is_none().then_some(ROWS_SHOWN)),
    })
}

#[derive(Serialize)]
struct Page {
    result_set: &'static str,
    /// Of the rows that pass.
    total: u64,
    columns: Vec<Column>,
    rows: Vec<v1::Row>,
}

async fn show(selected: &Selected, set: ResultSet, args: &Results) -> Result<String, Error> {
    let batches: Vec<_> = selected.rows().await?.try_collect().await?;
    let total = selected.count().await?;
    let failed = |e: arrow::error::ArrowError| Error::defect_of("rows as text", e);
    if args.json {
        let columns = manifest::columns(&selected.schema(), &[]);
        let rows = convert::rows(&batches, usize::MAX)?;
        return output::as_json(&Page { result_set: set.name(), total, columns, rows });
    }
    let shown: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let all = selected.table().rows();
    let mut facts = vec![counted(total, "row", "rows")];
    if total < all {
        facts[0] = format!("{} of {}", count(total), counted(all, "row", "rows"));
    }
    if shown > 0 && shown < total {
        facts.push(format!("here {} to {}", count(args.offset + 1), count(args.offset + shown)));
    }
    let mut lines = vec![format!("{}  {}", style(set.name()).bold(), facts.join(" · "))];
    if shown > 0 {
        lines.push(String::new());
        lines.extend(table_of(rows::text(&batches).map_err(failed)?, output::width()));
    }
    Ok(lines.join("\n") + "\n")
}

#[derive(Serialize)]
struct Summarized<'a> {
    result_set: &'static str,
    rows: u64,
    columns: &'a [ColumnSummary],
}

async fn summarize(selected: &Selected, set: ResultSet, json: bool) -> Result<String, Error> {
    let Summary { rows, columns } = selected.summary().await?;
    if json {
        return output::as_json(&Summarized { result_set: set.name(), rows, columns: &columns });
    }
    let mut table = Table::new([
        ("column", Align::Left),
        ("type", Align::Left),
        ("empty", Align::Right),
        ("distinct", Align::Right),
        ("min to max, or most frequent", Align::Left),
        ("min", Align::Left),
        ("max", Align::Left),
    ]);
    for column in &columns {
        let profile = &column.profile;
        let about = if profile.distinct_exact { "" } else { "~" };
        table.push([
            profile.name.clone(),
            profile.data_type.clone(),
            if profile.nulls == 0 { String::new() } else { count(profile.nulls) },
            format!("{about}{}", count(profile.distinct)),
            picture(column),
            profile.min.clone().unwrap_or_default(),
            profile.max.clone().unwrap_or_default(),
        ]);
    }
    let rendered = table.render(output::width());
    let mut lines = vec![format!("{}  {}", style(set.name()).bold(), counted(rows, "row", "rows")), String::new()];
    lines.push(style(rendered.titles).dim().to_string());
    lines.extend(rendered.rows);
    Ok(lines.join("\n") + "\n")
}

/// A histogram as a line of bars, or the first of the frequent values.
fn picture(column: &ColumnSummary) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const TOLD: usize = 3;
    if column.histogram.is_empty() {
        let told = column.top.iter().take(TOLD).map(|top| format!("{} ({})", top.value, count(top.rows)));
        return told.collect::<Vec<_>>().join(", ");
    }
    let most = column.histogram.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1);
    let bar = |rows: u64| match rows {
        0 => ' ',
        rows => BARS[usize::try_from((rows * 8).div_ceil(most)).unwrap_or(1).clamp(1, 8) - 1],
    };
    column.histogram.iter().map(|bin| bar(bin.rows)).collect()
}

fn kind_of(path: &Path, spreadsheet: bool) -> Result<FileKind, String> {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default().parse()? {
        FileKind::Csv if spreadsheet => Ok(FileKind::SpreadsheetCsv),
        _ if spreadsheet => Err("--spreadsheet is for a .csv: no other file has text that is run".to_owned()),
        kind => Ok(kind),
    }
}

/// The file is there as a whole or not at all.
async fn export(selected: &Selected, kind: FileKind, path: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::Output { path: path.display().to_string(), reason: e.to_string() };
    let started = Instant::now();
    let bar = output::spinner("  {spinner} {bytes} written  {elapsed}");
    let mut chunks = selected.export(kind).await?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As any other file that a command writes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(parent).map_err(failed)?;
    let mut writer = BufWriter::new(temporary.as_file_mut());
    while let Some(chunk) = chunks.try_next().await? {
        writer.write_all(&chunk).map_err(failed)?;
        bar.inc(chunk.len() as u64);
    }
    writer.flush().map_err(failed)?;
    drop(writer);
    temporary.persist(path).map_err(|e| failed(e.error))?;
    bar.finish_and_clear();
    let size = std::fs::metadata(path).map_err(failed)?.len();
    let took = millis(started.elapsed().as_secs_f64() * 1000.0);
    output::print(&format!("{}  {}  {took}\n", path.display(), bytes(size)))
}
