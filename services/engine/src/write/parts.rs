//! Rows that come in their order, on their way into the parts of a file.

use std::ops::Range;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat_batches;
use tokio::task::JoinSet;

use super::{PART_ROWS, TableWriter};
use crate::error::{Error, Result};
use crate::tasks;

/// Rows of the batches that a part is encoded from.
pub const BATCH_ROWS: usize = 8192;
/// Bytes of the rows of one part, before they are encoded.
const PART_BYTES: usize = 32 << 20;

/// Bytes of the values in a batch, whatever else is in the buffers that it shares, and however rows are cut into batches.
pub fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(values).sum()
}

fn values(column: &ArrayRef) -> usize {
    if let Some(width) = column.data_type().primitive_width() {
        return column.len() * width;
    }
    if let Some(texts) = column.as_string_view_opt() {
        return texts.lengths().map(|length| length as usize).sum();
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return length(texts.offsets()).1;
    }
    if let Some(lists) = column.as_list_opt::<i32>() {
        let (start, count) = length(lists.offsets());
        return values(&lists.values().slice(start, count));
    }
    if let Some(fields) = column.as_struct_opt() {
        return fields.columns().iter().map(values).sum();
    }
    if column.as_boolean_opt().is_some() {
        // A byte each: bits would be rounded up in every batch.
        return column.len();
    }
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// Where the values of an array begin, and how many there are.
fn length(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    let bound = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
    let start = bound(offsets.first());
    (start, bound(offsets.last()) - start)
}

/// Rows of a part: of wide rows fewer.
pub fn part_rows(rows: u64, bytes: u64) -> usize {
    let fitting = (PART_BYTES as u64).saturating_mul(rows).checked_div(bytes);
    fitting.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(PART_ROWS).clamp(1, PART_ROWS)
}

/// Ranges of so many rows, and the rest.
pub fn pieces(rows: usize, of: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(of.max(1)).map(move |start| start..rows.min(start.saturating_add(of)))
}

/// Cuts rows into parts, which are encoded by some tasks at a time.
pub struct Parts {
    writer: TableWriter,
    threads: usize,
    part_rows: usize,
    waiting: Vec<RecordBatch>,
    rows: usize,
    next: u64,
    encoding: JoinSet<Result<()>>,
}

impl Parts {
    pub fn new(writer: &TableWriter, threads: usize, part_rows: usize) -> Self {
        let (writer, encoding) = (writer.clone(), JoinSet::new());
        Self { writer, threads: threads.max(1), part_rows, waiting: Vec::new(), rows: 0, next: 0, encoding }
    }

    pub async fn push(&mut self, batches: Vec<RecordBatch>) -> Result<()> {
        for batch in batches {
            let mut done = 0;
            while done < batch.num_rows() {
                let count = (self.part_rows - self.rows).min(batch.num_rows() - done);
                self.waiting.push(batch.slice(done, count));
                self.rows += count;
                done += count;
                if self.rows == self.part_rows {
                    self.write().await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        if self.encoding.len() >= self.threads {
            tasks::next_of(&mut self.encoding).await?;
        }
        let (writer, part, waiting) = (self.writer.clone(), self.next, std::mem::take(&mut self.waiting));
        self.encoding.spawn(async move { writer.write(part, &even(&waiting)?).await });
        (self.next, self.rows) = (self.next + 1, 0);
        Ok(())
    }

    /// Waits until all is encoded.
    pub async fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.write().await?;
        }
        while tasks::next_of(&mut self.encoding).await?.is_some() {}
        Ok(())
    }
}

/// The rows in batches that do not tell how they came: how a file is encoded depends on its batches.
fn even(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let all = concat_batches(&first.schema(), batches).map_err(|e| Error::defect_of("rows of a part", e))?;
    Ok(pieces(all.num_rows(), BATCH_ROWS).map(|rows| all.slice(rows.start, rows.len())).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, Int64Builder, ListBuilder, StringArray, StructArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn bytes_are_the_same_however_rows_are_cut() {
        let rows = 1_001;
        let text: StringArray = (0..rows).map(|n| (n % 3 > 0).then(|| "x".repeat(n % 40))).collect();
        let flag: BooleanArray = (0..rows).map(|n| (n % 5 > 0).then_some(n % 2 > 0)).collect();
        let mut lists = ListBuilder::new(Int64Builder::new());
        (0..rows).for_each(|n| lists.append_value((0..n % 7).map(|n| i64::try_from(n).ok())));
        let number: Int64Array = (0..1_001).map(|n| (n % 4 > 0).then_some(n)).collect();
        let (text, flag): (ArrayRef, ArrayRef) = (Arc::new(text), Arc::new(flag));
        let field = |name: &str, of: &ArrayRef| Arc::new(Field::new(name, of.data_type().clone(), true));
        let both = StructArray::from(vec![
            (field("text", &text), Arc::clone(&text)),
            (field("flag", &flag), Arc::clone(&flag)),
        ]);
        let columns: [(&str, ArrayRef); 5] = [
            ("text", text),
            ("flag", flag),
            ("both", Arc::new(both)),
            ("lists", Arc::new(lists.finish())),
            ("number", Arc::new(number)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let whole = bytes_of(&batch);
        assert!(whole > rows * (8 + 1 + 1));
        for of in [1, 7, 100, 8_192] {
            let cut = pieces(rows, of).map(|range| bytes_of(&batch.slice(range.start, range.len()))).sum::<usize>();
            assert_eq!(cut, whole, "{of}");
        }
    }

    #[test]
    fn wide_rows_make_small_parts() {
        for (rows, bytes, expected) in
            [(0, 0, PART_ROWS), (10, 1_000, PART_ROWS), (1_000, 32 << 20, 1_000), (1, 1 << 40, 1)]
        {
            assert_eq!(part_rows(rows, bytes), expected, "{rows} {bytes}");
        }
    }
}
