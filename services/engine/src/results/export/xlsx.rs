//! An Excel workbook. Amounts are numbers that show their scale, dates are dates, and what a cell cannot hold exactly (16
//! digits and more, days before 1900) is text, as are texts that look like numbers.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::super::cast;
use crate::error::{Cause, Error, Result};

/// Of a sheet, one of them the header.
const ROWS: u64 = 1_048_576;
const COLUMNS: usize = 16_384;
/// Of the text in a cell.
const CHARACTERS: usize = 32_767;
/// A cell holds a double: so many digits are always its own.
const DIGITS: u64 = 999_999_999_999_999;
/// Days from Excel's day 0 to 1970-01-01, and the first that Excel and the calendar count alike: 1900-03-01.
const EPOCH: i64 = 25_569;
const FIRST_DAY: i64 = 61 - EPOCH;
/// 9999-12-31.
const LAST_DAY: i64 = 2_958_465 - EPOCH;
const DAY_MICROS: i64 = 86_400_000_000;
const COLUMN_WIDTH: u32 = 16;

/// Whether a sheet holds so much.
pub fn check(rows: u64, schema: &SchemaRef) -> Result<(), String> {
    let most = ROWS - 1;
    if rows > most {
        return Err(format!(
            "a sheet of Excel holds {most} rows, and these are {rows}: filter them, or write CSV or Parquet"
        ));
    }
    if schema.fields().len() > COLUMNS {
        return Err(format!(
            "a sheet of Excel holds {COLUMNS} columns: name those that you want, or write CSV or Parquet"
        ));
    }
    Ok(())
}

/// A sheet on its way to the disk, row by row.
pub struct Sheet {
    workbook: Workbook,
    schema: SchemaRef,
    formats: Vec<Format>,
    rows: u32,
    file: File,
}

impl Sheet {
    pub fn new(schema: &SchemaRef, spill_dir: Option<&Path>) -> Result<Self> {
        let temporary =
            |e: std::io::Error| Error::Output { path: "temporary directory".to_owned(), reason: e.to_string() };
        let file = spill_dir.map_or_else(tempfile::tempfile, tempfile::tempfile_in).map_err(temporary)?;
        let mut workbook = Workbook::new();
        if let Some(dir) = spill_dir {
            workbook.set_tempdir(dir).map_err(failed)?;
        }
        let sheet = workbook.add_worksheet_with_constant_memory().map_err(failed)?;
        let mut formats = Vec::with_capacity(schema.fields().len());
        let bold = Format::new().set_bold();
        for (column, field) in (0_u16..).zip(schema.fields()) {
            sheet.set_column_width(column, COLUMN_WIDTH).map_err(failed)?;
            sheet.write_string_with_format(0, column, field.name(), &bold).map_err(failed)?;
            formats.push(format(field.data_type()));
        }
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        Ok(Self { workbook, schema: Arc::clone(schema), formats, rows: 1, file })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<Cells> = batch.columns().iter().map(Cells::new).collect::<Result<_>>()?;
        let sheet = self.workbook.worksheet_from_index(0).map_err(failed)?;
        for row in 0..batch.num_rows() {
            // Rows of a sheet on disk are written once and in order.
            for ((place, cells), format) in (0_u16..).zip(&columns).zip(&self.formats) {
                if batch.column(usize::from(place)).is_valid(row) {
                    cells.write(sheet, (self.rows, place), row, format).map_err(|cause| match cause {
                        XlsxError::MaxStringLengthExceeded => Error::Output {
                            path: "XLSX".to_owned(),
                            reason: format!(
                                "row {}, column `{}`: a cell of Excel holds {CHARACTERS} characters: leave the column out, or write CSV or Parquet",
                                self.rows,
                                self.schema.field(usize::from(place)).name()
                            ),
                        },
                        other => failed(other),
                    })?;
                }
            }
            self.rows += 1;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<File> {
        self.workbook.save_to_writer(BufWriter::new(&self.file)).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(self.file)
    }
}

fn format(kind: &DataType) -> Format {
    match kind {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale)
            if *scale > 0 =>
        {
            Format::new().set_num_format(format!("0.{}", "0".repeat(usize::from(scale.unsigned_abs()))))
        }
        DataType::Date32 => Format::new().set_num_format("yyyy-mm-dd"),
        DataType::Timestamp(_, _) => Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        kind if kind.is_integer() => Format::new().set_num_format("0"),
        _ => Format::new(),
    }
}

/// A column as what its cells become.
enum Cells {
    Whole(ArrayRef, ArrayRef),
    Decimal(ArrayRef, ArrayRef, i8),
    Float(ArrayRef),
    Boolean(ArrayRef),
    Date(ArrayRef),
    /// With the column as it is.
    Timestamp(ArrayRef, ArrayRef),
    Text(ArrayRef),
}

impl Cells {
    fn new(column: &ArrayRef) -> Result<Self> {
        let as_type = |kind: &DataType| cast(column, kind).map_err(failed);
        let own = || Arc::clone(column);
        Ok(match column.data_type() {
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
                Self::Decimal(as_type(&DataType::Decimal128(38, *scale))?, own(), *scale)
            }
            DataType::Boolean => Self::Boolean(own()),
            DataType::Date32 => Self::Date(own()),
            DataType::Timestamp(_, _) => {
                Self::Timestamp(as_type(&DataType::Timestamp(TimeUnit::Microsecond, None))?, own())
            }
            DataType::UInt64 => Self::Text(own()),
            kind if kind.is_integer() => Self::Whole(as_type(&DataType::Int64)?, own()),
            kind if kind.is_floating() => Self::Float(as_type(&DataType::Float64)?),
            _ => Self::Text(own()),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "what would lose digits is written as text")]
    fn write(
        &self,
        sheet: &mut Worksheet,
        (line, place): (u32, u16),
        row: usize,
        format: &Format,
    ) -> Result<(), XlsxError> {
        match self {
            Self::Whole(values, own) => {
                let value = values.as_primitive::<Int64Type>().value(row);
                if value.unsigned_abs() > DIGITS {
                    return text(sheet, (line, place), own, row);
                }
                sheet.write_number_with_format(line, place, value as f64, format).map(drop)
            }
            Self::Decimal(values, own, scale) => {
                let value = values.as_primitive::<Decimal128Type>().value(row);
                if value.unsigned_abs() > u128::from(DIGITS) {
                    return text(sheet, (line, place), own, row);
                }
                // Both are exact, and so the quotient is the double that is nearest to the amount.
                let number = value as f64 / 10_f64.powi(i32::from(*scale));
                sheet.write_number_with_format(line, place, number, format).map(drop)
            }
            Self::Float(values) => {
                let value = values.as_primitive::<Float64Type>().value(row);
                if !value.is_finite() {
                    return text(sheet, (line, place), values, row);
                }
                sheet.write_number_with_format(line, place, value, format).map(drop)
            }
            Self::Boolean(values) => sheet.write_boolean(line, place, values.as_boolean().value(row)).map(drop),
            Self::Date(values) => {
                let day = i64::from(values.as_primitive::<Date32Type>().value(row));
                if !(FIRST_DAY..=LAST_DAY).contains(&day) {
                    return text(sheet, (line, place), values, row);
                }
                sheet.write_number_with_format(line, place, (day + EPOCH) as f64, format).map(drop)
            }
            Self::Timestamp(values, own) => {
                let micros = values.as_primitive::<TimestampMicrosecondType>().value(row);
                let day = micros.div_euclid(DAY_MICROS);
                // A cell shows milliseconds.
                if !(FIRST_DAY..=LAST_DAY).contains(&day) || micros % 1000 != 0 {
                    return text(sheet, (line, place), own, row);
                }
                let part = micros.rem_euclid(DAY_MICROS) as f64 / DAY_MICROS as f64;
                sheet.write_number_with_format(line, place, (day + EPOCH) as f64 + part, format).map(drop)
            }
            Self::Text(values) => text(sheet, (line, place), values, row),
        }
    }
}

fn text(sheet: &mut Worksheet, (line, place): (u32, u16), values: &ArrayRef, row: usize) -> Result<(), XlsxError> {
    let options = FormatOptions::default();
    let text = match ArrayFormatter::try_new(values, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(error) => return Err(XlsxError::ParameterError(error.to_string())),
    };
    sheet.write_string(line, place, text).map(drop)
}

fn failed(cause: impl Into<Cause>) -> Error {
    Error::defect_of("writing XLSX", cause)
}
