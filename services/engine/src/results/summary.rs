//! What is in the columns of a selection: enough to draw it.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{ident, lit};
use futures::TryStreamExt as _;
use serde::Serialize;

use super::cast;
use crate::inspect::{ColumnProfile, Profiler};
use crate::stage::filter::is_text;

/// Bins of a histogram.
const BINS: i128 = 20;
/// The most frequent values that are told, of columns with no more different values than [`FEW`].
const TOP: usize = 10;
const FEW: u64 = 10_000;

#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub rows: u64,
    pub columns: Vec<ColumnSummary>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ColumnSummary {
    #[serde(flatten)]
    pub profile: ColumnProfile,
    /// Of numbers, dates and timestamps: all values from the least to the greatest, in bins of the same width.
    pub histogram: Vec<Bin>,
    /// Of texts and booleans, unless they are of too many kinds: the most frequent, with the rows that hold them.
    pub top: Vec<Frequent>,
}

/// A value, and the rows that hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frequent {
    pub value: String,
    pub rows: u64,
}

/// Values from `low` on, below the `low` of the next bin; the last one ends with `high`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bin {
    pub low: String,
    pub high: String,
    pub rows: u64,
}

type Query<T> = Result<T, DataFusionError>;

/// `table` has the columns of `schema`, and `rows` rows.
pub async fn summarize(
    ctx: &SessionContext,
    table: Arc<dyn TableProvider>,
    schema: &SchemaRef,
    rows: u64,
) -> Query<Summary> {
    let profiler = Profiler { ctx, table, schema: Arc::clone(schema), rows, notes: &[] };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let (profile, bounds) = profiler.column(field).await?;
        let kind = field.data_type();
        let scale = bounds.as_ref().and_then(|[least, greatest]| Scale::new(kind, least, greatest));
        let histogram = match scale {
            Some(scale) => histogram(&profiler, field, scale).await?,
            None => Vec::new(),
        };
        // Where every value is another one, none is frequent.
        let repeats = profile.distinct < rows - profile.nulls;
        let few = (is_text(kind) || *kind == DataType::Boolean) && profile.distinct <= FEW && repeats;
        let top = if few { top(&profiler, field).await? } else { Vec::new() };
        columns.push(ColumnSummary { profile, histogram, top });
    }
    Ok(Summary { rows, columns })
}

async fn top(profiler: &Profiler<'_>, field: &Field) -> Query<Vec<Frequent>> {
    let value = || ident(field.name());
    let counted =
        profiler.all()?.filter(value().is_not_null())?.aggregate(vec![value()], vec![count(lit(1)).alias("n")])?;
    let first = counted.sort(vec![ident("n").sort(false, false), value().sort(true, false)])?.limit(0, Some(TOP))?;
    let mut top = Vec::new();
    for batch in first.collect().await? {
        let texts = texts(batch.column(0))?;
        let counts = batch.column(1).as_primitive::<Int64Type>().values().iter();
        let counts = counts.map(|n| u64::try_from(*n).unwrap_or(0));
        top.extend(texts.into_iter().zip(counts).map(|(value, rows)| Frequent { value, rows }));
    }
    Ok(top)
}

async fn histogram(profiler: &Profiler<'_>, field: &Field, scale: Scale) -> Query<Vec<Bin>> {
    let mut rows = vec![0_u64; scale.bins()];
    let mut values = profiler.all()?.select(vec![ident(field.name())])?.execute_stream().await?;
    while let Some(batch) = values.try_next().await? {
        scale.count(&batch, &mut rows)?;
    }
    let edges = texts(&scale.edges(field.data_type())?)?;
    let bins = edges.windows(2).zip(rows).map(|(edge, rows)| Bin { low: edge[0].clone(), high: edge[1].clone(), rows });
    Ok(bins.collect())
}

/// The way from the least to the greatest value of a column, cut into bins.
enum Scale {
    /// In units of the last digit, a day, or the unit of the timestamp; there are `bins` bins, no more than units.
    Whole {
        least: i128,
        greatest: i128,
        bins: i128,
    },
    Float {
        least: f64,
        greatest: f64,
    },
}

impl Scale {
    fn new(kind: &DataType, least: &ArrayRef, greatest: &ArrayRef) -> Option<Self> {
        if kind.is_floating() {
            let value = |array| Some(cast(array, &DataType::Float64).ok()?.as_primitive::<Float64Type>().value(0));
            let (least, greatest) = (value(least)?, value(greatest)?);
            return (greatest - least).is_finite().then_some(Self::Float { least, greatest });
        }
        let value = |array| units(array, kind)?.ok()?.first().copied().flatten();
        let (least, greatest) = (value(least)?, value(greatest)?);
        // Beyond that the arithmetic of bins does not fit; such numbers are no amounts.
        let units = greatest.checked_sub(least)?.checked_add(1).filter(|units| *units < i128::MAX / BINS)?;
        Some(Self::Whole { least, greatest, bins: units.min(BINS) })
    }

    fn bins(&self) -> usize {
        match self {
            Self::Whole { bins, .. } => usize::try_from(*bins).unwrap_or(1),
            Self::Float { least, greatest } if least == greatest => 1,
            Self::Float { .. } => usize::try_from(BINS).unwrap_or(1),
        }
    }

    fn count(&self, batch: &RecordBatch, rows: &mut [u64]) -> Result<(), ArrowError> {
        let column = batch.column(0);
        let last = rows.len() - 1;
        let mut add = |bin: usize| rows[bin.min(last)] += 1;
        match self {
            Self::Whole { least, greatest, bins } => {
                let units = units(column, column.data_type()).unwrap_or_else(|| Ok(Vec::new()))?;
                let width = greatest - least + 1;
                let bin = |value: i128| usize::try_from((value - least) * bins / width).unwrap_or(0);
                units.into_iter().flatten().for_each(|value| add(bin(value)));
            }
            Self::Float { least, greatest } => {
                let values = cast(column, &DataType::Float64)?;
                let share = |value: f64| (value - least) / (greatest - least) * (last + 1) as f64;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a float goes to the nearest that there is"
                )]
                values.as_primitive::<Float64Type>().iter().flatten().for_each(|value| add(share(value) as usize));
            }
        }
        Ok(())
    }

    /// Where bins begin, and where the last one ends.
    fn edges(&self, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Whole { least, greatest, bins } => {
                let width = greatest - least + 1;
                // The first value that falls into a bin.
                let begin = |bin: i128| least + (bin * width + bins - 1) / bins;
                let edges: Vec<i128> = (0..*bins).map(begin).chain([*greatest]).collect();
                of_units(&edges, kind)
            }
            Self::Float { least, greatest } => {
                let bins = self.bins();
                let edge = |bin: usize| least + (greatest - least) * (bin as f64 / bins as f64);
                let edges = (0..bins).map(edge).chain([*greatest]);
                cast(&Float64Array::from_iter_values(edges), kind)
            }
        }
    }
}

/// Values as whole numbers; `None` for a type that is not one of numbers or times.
fn units(array: &ArrayRef, kind: &DataType) -> Option<Result<Vec<Option<i128>>, ArrowError>> {
    let wide = |array: &ArrayRef, to: &DataType| {
        let whole = cast(array, to)?;
        Ok(whole.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)).collect())
    };
    match kind {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            let decimals = cast(array, &DataType::Decimal128(38, *scale));
            Some(decimals.map(|d| d.as_primitive::<Decimal128Type>().iter().collect()))
        }
        DataType::Date32 => Some(cast(array, &DataType::Int32).and_then(|days| wide(&days, &DataType::Int64))),
        DataType::Timestamp(_, _) | DataType::Date64 => Some(wide(array, &DataType::Int64)),
        DataType::UInt64 => None,
        kind if kind.is_integer() => Some(wide(array, &DataType::Int64)),
        _ => None,
    }
}

fn of_units(units: &[i128], kind: &DataType) -> Result<ArrayRef, ArrowError> {
    if let DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) = kind {
        let array = Decimal128Array::from_iter_values(units.iter().copied()).with_precision_and_scale(38, *scale)?;
        return Ok(Arc::new(array));
    }
    let whole: ArrayRef = Arc::new(Int64Array::from_iter_values(units.iter().map(|u| i64::try_from(*u).unwrap_or(0))));
    match kind {
        DataType::Date32 => cast(&cast(&whole, &DataType::Int32)?, kind),
        kind => cast(&whole, kind),
    }
}

fn texts(array: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    Ok((0..array.len()).map(|row| formatter.value(row).to_string()).collect())
}
