//! The values of the results against those of the sources: every cell that is known to be a copy of another.

use std::fs::File;
use std::path::Path;

use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use kalla_engine::Manifest;
use kalla_engine::job::{Job, Source, SourceUri};

use super::{batches, in_order, numbers, rows_of};

/// Larger tables are compared by their hashes, where they are compared.
const MOST_ROWS: u64 = 20_000;

/// What was compared with a source.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compared {
    pub unmatched: usize,
    pub matched: usize,
}

/// Compares what can be compared: sources that are plain CSV, results that are Parquet.
pub fn compare(job: &Job, manifest: &Manifest) -> Compared {
    let mut compared = Compared::default();
    let counts = manifest.counts;
    let output = job.output.as_local().unwrap();
    let whole = |rejected| rejected == 0 && counts.total_left.max(counts.total_right) <= MOST_ROWS;
    for (source, alias, rejected, side) in
        [(&job.left, "l", counts.rejected_left, "left"), (&job.right, "r", counts.rejected_right, "right")]
    {
        let Some((header, rows)) = cells(source).filter(|_| whole(rejected)) else { continue };
        compared.unmatched += unmatched(&output.join(format!("unmatched_{side}.parquet")), &rows);
        let columns = copied(&job.match_sql, alias, &header);
        compared.matched += matched(&output.join("matched.parquet"), side, &columns, &rows);
    }
    compared
}

/// The header and the cells of a source as they stand in it.
fn cells(source: &Source) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let SourceUri::File(location) = &source.uri else { return None };
    let plain = source.filters.is_empty() && source.options == Default::default();
    let path = location.as_local().filter(|path| plain && path.extension().is_some_and(|e| e == "csv"))?;
    let (schema, _) = Format::default().with_header(true).infer_schema(File::open(path).ok()?, Some(0)).ok()?;
    let header: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let text = |name: &String| Field::new(name, DataType::Utf8, true);
    let schema = Schema::new(header.iter().map(text).collect::<Vec<_>>());
    let reader = ReaderBuilder::new(schema.into()).with_header(true).build(File::open(path).ok()?).ok()?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.ok()?;
        rows.extend(rows_of(&batch));
    }
    Some((header, rows))
}

/// Rows of the source in the order of its columns, and their number.
fn unmatched(path: &Path, rows: &[Vec<String>]) -> usize {
    let found = in_order(path);
    for row in &found {
        let (number, cells) = row.split_last().unwrap();
        let source = &rows[number.parse::<usize>().unwrap()];
        assert_eq!(cells.len(), source.len(), "{}", path.display());
        for (cell, source) in cells.iter().zip(source) {
            assert!(same(cell, source), "{}: `{cell}` of row {number} is `{source}`", path.display());
        }
    }
    found.len()
}

/// Output rows that have one row of a side: what is selected of it as it is.
fn matched(path: &Path, side: &str, columns: &[(usize, usize)], rows: &[Vec<String>]) -> usize {
    let mut compared = 0;
    for batch in batches(path).iter().filter(|_| !columns.is_empty()) {
        let behind = batch.column_by_name(&format!("_{side}_row")).unwrap();
        for (row, cells) in rows_of(batch).iter().enumerate() {
            let &[number] = numbers(behind, row).as_slice() else { continue };
            let source = &rows[usize::try_from(number).unwrap()];
            for (at, from) in columns {
                let (cell, source) = (&cells[*at], &source[*from]);
                assert!(same(cell, source), "{}: `{cell}` of {side} row {number} is `{source}`", path.display());
                compared += 1;
            }
        }
    }
    compared
}

/// Which columns of the output are columns of a side as they are, in statements whose first SELECT says so plainly.
fn copied(sql: &str, alias: &str, header: &[String]) -> Vec<(usize, usize)> {
    let simple = ["UNION", "INTERSECT", "EXCEPT"].iter().all(|word| !sql.contains(word));
    let list = sql.strip_prefix("SELECT ").and_then(|rest| rest.split_once(" FROM ")).map(|(list, _)| list);
    // A comma within a call would count twice: such lists are left alone.
    let Some(list) = list.filter(|list| simple && !list.contains(['(', '*'])) else { return Vec::new() };
    let column = |item: &str| {
        let name = item.trim().strip_prefix(alias)?.strip_prefix('.')?.split(" AS ").next()?;
        header.iter().position(|column| column == name)
    };
    list.split(',').enumerate().filter_map(|(at, item)| Some((at, column(item)?))).collect()
}

/// `1.50` is `1.5`, and a timestamp may have its T: the same value, written twice.
fn same(cell: &str, source: &str) -> bool {
    let plain = |text: &str| match text.contains('.') && text.parse::<f64>().is_ok() {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_lowercase().replace(' ', "t"),
    };
    cell == source || plain(cell) == plain(source)
}
