//! A relation cut into pieces that can be read apart and make up all of its rows, in heap order.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::catalog::{Relation, Server, quoted};
use super::connect::Connector;
use crate::error::Result;

/// The first version that reads a range of pages without scanning the whole table.
const TID_RANGE_SCAN: i32 = 140_000;
const ROWS_MAX: f64 = 100_000.0;
const ROWS_MIN: f64 = 20_000.0;
/// Pieces that a small table is cut into, so that several workers have something to do.
const PIECES_WANTED: f64 = 8.0;
/// On disk, long values included: what one piece may hold in memory while it waits for its turn.
const BYTES_MAX: f64 = 64e6;
/// Rows of a page before anybody has counted (`ANALYZE`).
const ROWS_PER_PAGE: f64 = 60.0;

/// How a relation is read. The cut depends on the relation alone, never on the number of workers.
#[derive(Debug, Clone)]
pub struct Layout {
    pub pieces: Vec<Piece>,
    /// One stream only: the pieces are cut from it as it comes.
    pub streamed: bool,
    /// On disk, where it is known.
    pub bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What follows FROM.
    pub from: String,
    /// What narrows it to the piece.
    pub condition: Option<String>,
    pub pages: u64,
}

/// A table's heap as the catalog knows it.
#[derive(Debug, Clone, Copy)]
struct Heap {
    pages: i64,
    /// Rows of a page, counted or assumed.
    density: f64,
    bytes: i64,
}

/// Reads sizes inside the transaction that holds the snapshot: pages added later hold no row that it can see.
pub async fn layout(client: &Client, connector: &Connector, server: &Server, relation: &Relation) -> Result<Layout> {
    let rows = match relation.kind {
        _ if server.version_number < TID_RANGE_SCAN => Vec::new(),
        'r' | 'm' => heaps(client, connector, relation, TABLE).await?,
        'p' => heaps(client, connector, relation, PARTITIONS).await?,
        _ => Vec::new(),
    };
    let mut parts = Vec::with_capacity(rows.len());
    for row in &rows {
        let part = part(row).map_err(|e| connector.failed(&e))?;
        parts.push(part);
    }
    // A part that has no heap of its own, or that may only be read through its parent, leaves one stream.
    let Some(parts) = parts.into_iter().collect::<Option<Vec<(String, Heap)>>>().filter(|parts| !parts.is_empty())
    else {
        let piece = Piece { from: relation.quoted(), condition: None, pages: 0 };
        return Ok(Layout { pieces: vec![piece], streamed: true, bytes: None });
    };
    let total: f64 = parts.iter().map(|(_, heap)| heap.pages as f64 * heap.density).sum();
    let rows_wanted = (total / PIECES_WANTED).clamp(ROWS_MIN, ROWS_MAX);
    let pieces = parts.iter().flat_map(|(from, heap)| ranges(from, *heap, rows_wanted)).collect();
    let bytes = parts.iter().map(|(_, heap)| u64::try_from(heap.bytes).unwrap_or(0)).sum();
    Ok(Layout { pieces, streamed: false, bytes: Some(bytes) })
}

const TABLE: &str = "SELECT c.oid, 1 AS place FROM pg_class c WHERE c.oid = $1";
const PARTITIONS: &str = "SELECT t.relid AS oid, t.place FROM pg_partition_tree($1) WITH ORDINALITY \
                          AS t(relid, parent, isleaf, level, place) WHERE t.isleaf";

/// Each part: schema, name, may be read by pages, pages, rows of a page, bytes.
async fn heaps(client: &Client, connector: &Connector, relation: &Relation, parts: &str) -> Result<Vec<Row>> {
    // Row security of a parent does not hold for its partitions, and children of an inheritance parent are
    // read along with it: neither may be read page by page.
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, \
                c.relkind IN ('r', 'm') AND am.amname = 'heap' AND NOT (c.relkind = 'r' AND c.relhassubclass) \
                  AND NOT (c.oid <> parent.oid AND parent.relrowsecurity) AND has_table_privilege(c.oid, 'SELECT'), \
                pg_relation_size(c.oid) / current_setting('block_size')::int8, \
                CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages END, \
                pg_table_size(c.oid) \
         FROM ({parts}) AS part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class parent ON parent.oid = $1 LEFT JOIN pg_am am ON am.oid = c.relam ORDER BY part.place"
    );
    let rows = client.query_typed(&sql, &[(&relation.oid as &(dyn ToSql + Sync), Type::OID)]).await;
    rows.map_err(|e| connector.failed(&e))
}

fn part(row: &Row) -> Result<Option<(String, Heap)>, tokio_postgres::Error> {
    let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let by_pages: Option<bool> = row.try_get(2)?;
    if by_pages != Some(true) {
        return Ok(None);
    }
    let density: Option<f64> = row.try_get(4)?;
    let heap = Heap { pages: row.try_get(3)?, density: density.unwrap_or(ROWS_PER_PAGE), bytes: row.try_get(5)? };
    Ok(Some((format!("ONLY {}.{}", quoted(&schema), quoted(&name)), heap)))
}

/// Ranges of about `rows_wanted` rows; the last has no end, and together they are the whole heap.
fn ranges(from: &str, heap: Heap, rows_wanted: f64) -> Vec<Piece> {
    if heap.pages == 0 {
        return Vec::new();
    }
    let by_rows = rows_wanted / heap.density.max(0.01);
    let by_bytes = BYTES_MAX / (heap.bytes as f64 / heap.pages as f64).max(1.0);
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is within 1 and the number of pages")]
    let step = (by_rows.min(by_bytes) as i64).clamp(1, heap.pages);
    let count = heap.pages.div_euclid(step) + i64::from(heap.pages % step != 0);
    (0..count)
        .map(|index| {
            let first = index * step;
            let condition = if index + 1 == count {
                format!("ctid >= '({first},0)'")
            } else {
                format!("ctid >= '({first},0)' AND ctid < '({},0)'", first + step)
            };
            let pages = u64::try_from(step.min(heap.pages - first)).unwrap_or(0);
            Piece { from: from.to_owned(), condition: Some(condition), pages }
        })
        .collect()
}
