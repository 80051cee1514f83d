//! The rows of a side that nothing matched, picked from its file by number.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::names;
use crate::stage::{RowFile, Unit};
use crate::sums::Sums;
use crate::tasks;
use crate::write::{PART_ROWS, TableWriter};

/// Rows of the source that are looked at together; a fraction of them is written.
const UNIT_ROWS: u64 = 2 * PART_ROWS as u64;

/// All columns of the source, then the row's number. A column of the source that is called like that gets another name.
pub fn unmatched_schema(source: &SchemaRef) -> SchemaRef {
    let taken: Vec<&str> = source.fields().iter().map(|field| field.name().as_str()).collect();
    let own = |field: &FieldRef| match names::unmatched(field.name(), &taken) {
        name if name == *field.name() => Arc::clone(field),
        name => Arc::new(field.as_ref().clone().with_name(name)),
    };
    let row = Arc::new(Field::new(names::ROW, DataType::Int64, false));
    Arc::new(Schema::new(source.fields().iter().map(own).chain([row]).collect::<Vec<_>>()))
}

/// Writes the rows of `file` that are set in `unmatched`, in row order, and sums them up.
pub async fn write_unmatched(
    file: &RowFile,
    unmatched: BooleanBuffer,
    writer: &TableWriter,
    threads: usize,
) -> Result<Sums> {
    let schema = unmatched_schema(file.schema());
    let units = Arc::new(file.units(UNIT_ROWS));
    let sums = Arc::new(Mutex::new(Sums::default()));
    let count = units.len();
    let (file, writer, shared) = (file.clone(), writer.clone(), Arc::clone(&sums));
    tasks::for_each(threads, count, move |index| {
        let (file, writer, sums) = (file.clone(), writer.clone(), Arc::clone(&shared));
        let (units, unmatched, schema) = (Arc::clone(&units), unmatched.clone(), Arc::clone(&schema));
        async move {
            let mut own = Sums::default();
            let batches = read_unit(&file, &units[index], &unmatched, &schema, &mut own).await?;
            sums.lock().unwrap_or_else(|e| e.into_inner()).merge(&own);
            writer.write(index as u64, &batches).await
        }
    })
    .await?;
    let sums = std::mem::take(&mut *sums.lock().unwrap_or_else(|e| e.into_inner()));
    Ok(sums)
}

async fn read_unit(
    file: &RowFile,
    unit: &Unit,
    unmatched: &BooleanBuffer,
    schema: &SchemaRef,
    sums: &mut Sums,
) -> Result<Vec<RecordBatch>> {
    let selected = unit.part_of(unmatched)?;
    if selected.count_set_bits() == 0 {
        return Ok(Vec::new());
    }
    let base = unit.rows.start.cast_signed();
    let numbers =
        selected.set_indices().map(|offset| base + i64::try_from(offset).unwrap_or(i64::MAX)).collect::<Vec<_>>();
    let mut numbers = numbers.into_iter();
    let batches = file.read(unit, selected).await?;
    batches.iter().for_each(|batch| sums.add(batch));
    let numbered = batches.into_iter().map(|batch| {
        let rows = Int64Array::from_iter_values(numbers.by_ref().take(batch.num_rows()));
        let columns = batch.columns().iter().cloned().chain([Arc::new(rows) as ArrayRef]).collect();
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| Error::defect_of("unmatched rows", e))
    });
    numbered.collect()
}
