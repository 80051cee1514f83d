//! The rows that could not be read, as a table of their own.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::job::ResultFormat;
use crate::location::Location;
use crate::stage::Reject;
use crate::write::{TableWriter, WrittenFile};

/// Writes `line`, `column`, `reason`, `raw`; nothing when there are no rejects.
pub async fn write(
    directory: &Location,
    name: &str,
    rejects: &[Reject],
    format: ResultFormat,
) -> Result<Option<WrittenFile>> {
    if rejects.is_empty() {
        return Ok(None);
    }
    let schema = Arc::new(Schema::new(vec![
        Field::new("line", DataType::Int64, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("raw", DataType::Utf8, false),
    ]));
    let lines = rejects.iter().map(|r| i64::try_from(r.line).unwrap_or(i64::MAX));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(lines)),
        Arc::new(rejects.iter().map(|r| r.column.as_deref()).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|r| &r.reason))),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|r| &r.raw))),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| Error::defect_of("rejected rows", e))?;
    let writer = TableWriter::create(directory, name, &schema, format)?;
    writer.write(0, &[batch]).await?;
    Ok(Some(writer.finish().await?))
}
