//! Types that the data decides: the scale of a `numeric` without one, and columns that only text can hold.

use tokio_postgres::Client;

use super::catalog::{Server, quoted};
use super::columns::{Kind, LAST_YEAR, MAX_DIGITS, TableColumn};
use super::connect::Connector;
use crate::error::Result;

/// Rows that the first guess looks at.
const GUESS_ROWS: usize = 1000;

/// What the values of one column need.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    /// Digits after and before the decimal point.
    scale: i32,
    whole: i32,
    /// NaN, infinity, or a time past the calendar.
    special: bool,
}

/// Sets the scale of every `numeric` without one by the first rows of `from`. A value that then does not fit is found
/// while reading.
pub async fn guess(
    client: &Client,
    connector: &Connector,
    server: &Server,
    from: &str,
    columns: &mut [TableColumn],
) -> Result<()> {
    let open = |column: &TableColumn| matches!(column.kind, Kind::Decimal { fixed: false, .. });
    if !columns.iter().any(open) {
        return Ok(());
    }
    let rows = format!("{from} LIMIT {GUESS_ROWS}");
    let needs = needs(client, connector, server, &rows, columns, open, "scale").await?;
    for (column, need) in columns.iter_mut().filter(|column| open(column)).zip(needs) {
        let room = i32::from(MAX_DIGITS) - need.whole;
        let scale = i8::try_from(need.scale.min(room).max(0)).unwrap_or(0);
        column.kind = Kind::Decimal { precision: MAX_DIGITS, scale, fixed: false };
    }
    Ok(())
}

/// Gives every column a type that holds all of its values in `from`: what stands after FROM, conditions included.
pub async fn widen(
    client: &Client,
    connector: &Connector,
    server: &Server,
    from: &str,
    columns: &mut [TableColumn],
) -> Result<()> {
    let bounded = |column: &TableColumn| {
        matches!(column.kind, Kind::Decimal { .. } | Kind::Date | Kind::Timestamp | Kind::TimestampUtc)
    };
    // Trailing zeros need no room.
    let scale = if server.version_number >= 130_000 { "min_scale" } else { "scale" };
    let needs = needs(client, connector, server, from, columns, bounded, scale).await?;
    for (column, need) in columns.iter_mut().filter(|column| bounded(column)).zip(needs) {
        let name = quoted(&column.name);
        match column.kind {
            Kind::Decimal { .. } if need.special => {
                column.make_text(&name, "text because of NaN or infinity".to_owned());
            }
            Kind::Decimal { fixed: false, .. } if need.scale + need.whole > i32::from(MAX_DIGITS) => {
                let note = format!(
                    "text because its values take {} digits before the decimal point and {} after it, and a decimal \
                     holds {MAX_DIGITS} in all",
                    need.whole, need.scale
                );
                column.make_text(&name, note);
            }
            Kind::Decimal { fixed: false, .. } => {
                let scale = i8::try_from(need.scale).unwrap_or(0);
                column.kind = Kind::Decimal { precision: MAX_DIGITS, scale, fixed: false };
            }
            Kind::Decimal { .. } => {}
            _ if need.special => {
                column.make_text(&name, format!("text because of infinity or a date after {LAST_YEAR}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Asks the server once for the needs of all columns that are `wanted`, in their order.
async fn needs(
    client: &Client,
    connector: &Connector,
    server: &Server,
    from: &str,
    columns: &[TableColumn],
    wanted: impl Fn(&TableColumn) -> bool,
    scale: &str,
) -> Result<Vec<Need>> {
    let specials = if server.version_number >= 140_000 { "'NaN', 'Infinity', '-Infinity'" } else { "'NaN'" };
    let (mut values, mut measures) = (Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate().filter(|(_, column)| wanted(column)) {
        values.push(format!("{} AS c{index}", column.expression));
        measures.push(match column.kind {
            Kind::Decimal { .. } => format!(
                "coalesce(max({scale}(c{index})) FILTER (WHERE c{index} NOT IN ({specials})), 0)::int4, \
                 coalesce(max(CASE WHEN abs(c{index}) < 1 THEN 0 ELSE length(trunc(abs(c{index}))::text) END) \
                   FILTER (WHERE c{index} NOT IN ({specials})), 0)::int4, \
                 coalesce(bool_or(c{index} IN ({specials})), false)"
            ),
            _ => format!(
                "0::int4, 0::int4, coalesce(bool_or(c{index} >= '{LAST_YEAR}' OR c{index} = '-infinity'), false)"
            ),
        });
    }
    let sql = format!("SELECT {} FROM (SELECT {} FROM {from}) AS part", measures.join(", "), values.join(", "));
    let row = client.query_typed_one(&sql, &[]).await.map_err(|e| connector.failed(&e))?;
    let read = |index: usize| {
        Ok(Need {
            scale: row.try_get(3 * index)?,
            whole: row.try_get(3 * index + 1)?,
            special: row.try_get(3 * index + 2)?,
        })
    };
    (0..measures.len()).map(read).collect::<Result<_, tokio_postgres::Error>>().map_err(|e| connector.failed(&e))
}
