#![allow(clippy::unwrap_used)]
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use datafusion::arrow::array::{Int64Array, Int64Builder, ListBuilder, StringArray};
use datafusion::execution::memory_pool::UnboundedMemoryPool;

use super::*;
use crate::job::ResultFormat;

/// A row: a text, the left rows behind it, the right rows behind it.
type Row = (String, Vec<i64>, Option<i64>);

fn batch(rows: &[Row]) -> RecordBatch {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for (_, left, _) in rows {
        lists.values().append_slice(left);
        lists.append(!left.is_empty());
    }
    let text: StringArray = rows.iter().map(|row| Some(row.0.as_str())).collect();
    let right: Int64Array = rows.iter().map(|row| row.2).collect();
    let columns: [(&str, ArrayRef); 3] =
        [("text", Arc::new(text)), ("_left_row", Arc::new(lists.finish())), ("_right_row", Arc::new(right))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// In disorder: many beside each other, some without a left row, some without a right one.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 0..60_000i64 {
        let left = if n % 11 == 0 { vec![] } else { vec![n % 5_000, n % 5_000 + 3] };
        let right = (n % 13 != 0).then_some(n % 7);
        let wide = "x".repeat(usize::try_from(n % 1_500).unwrap());
        rows.push((format!("{}{wide}", n % 4), left, right));
    }
    shuffle(&mut rows, 1);
    rows
}

fn shuffle(rows: &mut [Row], seed: u64) {
    rows.sort_by_cached_key(|row| {
        let mut hasher = DefaultHasher::new();
        (seed, row).hash(&mut hasher);
        hasher.finish()
    });
}

/// Writes the rows, cut among some partitions, and gives the file and the bytes that went through the disk.
async fn written(rows: &[Row], partitions: usize, memory: u64) -> (Vec<u8>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let place = Location::Local(directory.path().to_path_buf());
    let limits = Limits { memory, threads: partitions, ..Limits::default() };
    let schema = batch(&[]).schema();
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    let runs = Runs::new(&place, &schema, &pool, &limits, partitions);
    let mut found: Vec<Found> = (0..partitions).map(|_| Found::new(&runs)).collect();
    for (n, piece) in rows.chunks(1 + 700 * partitions).enumerate() {
        found[n % partitions].push(batch(piece)).await.unwrap();
    }
    let found = found.into_iter().map(|one| one.finish()).collect();
    let writer = TableWriter::create(&place, "matched", &schema, ResultFormat::Parquet).unwrap();
    let spilled = write(found, &writer, &limits).await.unwrap();
    let file = writer.finish().await.unwrap();
    assert_eq!(file.rows, rows.len() as u64);
    (std::fs::read(directory.path().join("matched.parquet")).unwrap(), spilled)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_file_whoever_finds_what_and_whatever_spills() {
    let mut rows = rows();
    let (expected, spilled) = written(&rows, 1, 1 << 40).await;
    assert_eq!(spilled, 0);
    for (partitions, memory) in [(1, 1 << 40), (4, 1 << 40), (1, 0), (3, 0)] {
        shuffle(&mut rows, 7 + partitions as u64);
        let (file, spilled) = written(&rows, partitions, memory).await;
        assert_eq!(spilled > 0, memory == 0, "{partitions} {memory}");
        assert!(file == expected, "{partitions} {memory}");
    }
}

#[test]
fn rows_go_by_their_first_rows_and_then_by_their_values() {
    let row = |text: &str, left: &[i64], right| (text.to_owned(), left.to_vec(), right);
    let mut held = Held::default();
    held.push(batch(&[row("e", &[], None), row("d", &[], Some(1)), row("c", &[2], None), row("b", &[2, 9], Some(0))]))
        .unwrap();
    held.push(batch(&[row("y", &[1, 7], Some(4)), row("x", &[1, 8], Some(4)), row("a", &[0, 5], Some(9))])).unwrap();
    held.sort();
    held.settle(0..7).unwrap();
    let sorted = held.pick(0..7).unwrap();
    let texts: Vec<_> = sorted[0].column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(texts, ["a", "x", "y", "b", "c", "d", "e"]);
}
