//! The first rows of a result file, as text.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::table::Align;

/// Columns with their alignment, and rows of as many cells.
#[derive(Debug, Default)]
pub struct Rows {
    pub columns: Vec<(String, Align)>,
    pub rows: Vec<Vec<String>>,
}

/// Reads the first `limit` rows of a Parquet or CSV file of ours.
pub fn head(path: &Path, limit: usize) -> Result<Rows, ArrowError> {
    let file = File::open(path)?;
    let batches: Vec<RecordBatch> = if path.extension().is_some_and(|e| e == "csv") {
        let (names, _) = Format::default().with_header(true).infer_schema(&file, Some(0))?;
        // Nothing is converted: the text of the file is what is shown.
        let fields: Vec<Field> = names.fields().iter().map(|f| Field::new(f.name(), DataType::Utf8, true)).collect();
        let mut file = file;
        file.seek(SeekFrom::Start(0))?;
        let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_header(true)
            .with_batch_size(limit.max(1))
            .with_bounds(0, limit)
            .build(file)?;
        reader.collect::<Result<_, _>>()?
    } else {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(file)?.with_limit(limit).with_batch_size(limit.max(1)).build()?;
        reader.collect::<Result<_, _>>()?
    };
    text(&batches)
}

/// The cells of `batches`; NULL is the empty text, numbers stand right.
pub fn text(batches: &[RecordBatch]) -> Result<Rows, ArrowError> {
    let Some(first) = batches.first() else { return Ok(Rows::default()) };
    let align = |t: &DataType| if t.is_numeric() { Align::Right } else { Align::Left };
    let columns = first.schema().fields().iter().map(|f| (f.name().clone(), align(f.data_type()))).collect();
    let options = FormatOptions::default().with_null("").with_display_error(true);
    let mut rows = Vec::new();
    for batch in batches {
        let formatters =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(formatters.iter().map(|f| f.value(row).to_string()).collect());
        }
    }
    Ok(Rows { columns, rows })
}

impl Rows {
    /// The same rows with the columns in the order of `rank` (lower first; equal ranks keep their order).
    pub fn ordered_by(mut self, rank: impl Fn(&str) -> usize) -> Self {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|i| rank(&self.columns[*i].0));
        self.columns = order.iter().map(|i| self.columns[*i].clone()).collect();
        for row in &mut self.rows {
            *row = order.iter().map(|i| row[*i].clone()).collect();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Decimal128Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn csv_and_parquet_read_alike() {
        let amounts = Decimal128Array::from(vec![Some(1050), None, Some(-3)]).with_precision_and_scale(18, 2).unwrap();
        let batch = RecordBatch::try_from_iter([
            ("name", Arc::new(StringArray::from(vec!["a,b", "c\nd", "e"])) as _),
            ("amount", Arc::new(amounts) as _),
            ("_row", Arc::new(Int64Array::from(vec![0, 1, 2])) as _),
        ])
        .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (parquet, csv) = (dir.path().join("x.parquet"), dir.path().join("x.csv"));
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(File::create(&parquet).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        arrow::csv::Writer::new(File::create(&csv).unwrap()).write(&batch).unwrap();
        let expected = [["a,b", "10.50", "0"], ["c\nd", "", "1"]];
        for path in [&parquet, &csv] {
            let rows = head(path, 2).unwrap();
            assert_eq!(rows.rows, expected, "{path:?}");
            let turned = rows.ordered_by(|name| usize::from(name != "_row"));
            assert_eq!(turned.rows[1], ["1", "c\nd", ""]);
            assert_eq!(turned.columns[0].0, "_row");
        }
        assert_eq!(head(&parquet, 9).unwrap().rows.len(), 3);
        assert!(head(&dir.path().join("none.csv"), 2).is_err());
    }
}
