//! Result files read back, in the form that the oracle answers in.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// One output row: its values as text that says their kind (`n:12.3`, `t:abc`, `d:2024-01-31`, `b:true`; `None` is NULL)
/// and the source rows behind it, ascending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub values: Vec<Option<String>>,
    pub left: Vec<i64>,
    pub right: Vec<i64>,
}

/// The rows of `matched.parquet`, in the file's order.
pub fn matched(directory: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches(&directory.join("matched.parquet")) {
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(&names[names.len() - 2..], ["_left_row", "_right_row"], "the last columns of matched.parquet");
        let (values, lineage) = batch.columns().split_at(names.len() - 2);
        let shown: Vec<_> = values.iter().map(shown).collect();
        for row in 0..batch.num_rows() {
            rows.push(Row {
                values: shown.iter().map(|column| column[row].clone()).collect(),
                left: numbers(&lineage[0], row),
                right: numbers(&lineage[1], row),
            });
        }
    }
    rows
}

/// The rows of an unmatched result set with their numbers, in the file's order.
pub fn unmatched(directory: &Path, side: &str) -> Vec<(i64, Vec<Option<String>>)> {
    let mut rows = Vec::new();
    for batch in batches(&directory.join(format!("unmatched_{side}.parquet"))) {
        let (numbers, values) = batch.columns().split_last().unwrap();
        assert_eq!(batch.schema().fields().last().unwrap().name(), "_row", "the last column of unmatched_{side}");
        let shown: Vec<_> = values.iter().map(shown).collect();
        let numbers = numbers.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            rows.push((numbers.value(row), shown.iter().map(|column| column[row].clone()).collect()));
        }
    }
    rows
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

fn numbers(column: &ArrayRef, row: usize) -> Vec<i64> {
    if column.is_null(row) {
        return Vec::new();
    }
    match column.data_type() {
        DataType::List(_) => column.as_list::<i32>().value(row).as_primitive::<Int64Type>().values().to_vec(),
        _ => vec![column.as_primitive::<Int64Type>().value(row)],
    }
}

fn shown(column: &ArrayRef) -> Vec<Option<String>> {
    let kind = match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 't',
        DataType::Date32 => 'd',
        DataType::Timestamp(_, None) => 'm',
        DataType::Boolean => 'b',
        DataType::Null => '-',
        t if t.is_integer()
            || matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Decimal64(..)) =>
        {
            'n'
        }
        other => panic!("no recipe gives {other}"),
    };
    let text = cast(column, &DataType::Utf8).unwrap();
    let text = text.as_string::<i32>();
    text.iter()
        .map(|value| {
            value.map(|v| match kind {
                'n' => format!("n:{}", number(v)),
                'm' => format!("m:{}", moment(v)),
                _ => format!("{kind}:{v}"),
            })
        })
        .collect()
}

/// `2024-01-31T10:00:00.500` as `2024-01-31 10:00:00.5`.
fn moment(text: &str) -> String {
    let text = text.replace('T', " ");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Scales are a matter of each engine's own; the number is not.
pub fn number(digits: &str) -> String {
    let short = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}
