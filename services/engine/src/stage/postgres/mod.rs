//! Postgres tables and views: one snapshot, ranges of pages in parallel, binary COPY straight into Arrow.
//!
//! A leading session holds the transaction whose snapshot every other session takes over, so all of them see the same
//! rows. The table's heap is cut into ranges of pages; sessions take them from a queue, and a range's place in the
//! queue is its place in the staged file. What has no heap (views) comes as one stream.

mod catalog;
mod columns;
mod connect;
mod copy;
mod filter;
mod numeric;
mod pieces;
mod read;
mod snapshot;
mod tls;
mod uri;
mod widen;

use std::sync::Arc;

use self::columns::schema;
use self::connect::Connector;
use self::read::Failure;
use self::snapshot::Snapshot;
use super::{Sample, StageContext, Staged};
use crate::connection::Part;
use crate::error::{Error, Result};
use crate::job::{PostgresTable, Source};

/// Times that a table is read: once as guessed, once more with types that hold every value of the snapshot.
const ATTEMPTS: usize = 2;

/// Reads all rows that pass the source's filters, in the order of the table's heap whatever the number of threads.
///
/// Errors: `Unavailable` (refused, lost), `Denied` (credentials, permissions, certificate), `NotFound` (database, table),
/// `Invalid` (a filter), `Data` (text that is not UTF-8, a view that fails), `Cancelled`.
pub async fn stage(source: &Source, table: &PostgresTable, cx: &StageContext) -> Result<Staged> {
    cx.check_cancelled()?;
    let connector = Arc::new(Connector::new(&source.alias, table)?);
    let staged = tokio::select! {
        biased;
        () = cx.cancel.cancelled() => None,
        staged = stage_all(&connector, source, table, cx) => Some(staged),
    };
    match staged {
        Some(staged) => staged,
        None => {
            connector.cancel().await;
            Err(Error::Cancelled)
        }
    }
}

async fn stage_all(
    connector: &Arc<Connector>,
    source: &Source,
    table: &PostgresTable,
    cx: &StageContext,
) -> Result<Staged> {
    let mut snapshot = Snapshot::open(connector, source, table).await?;
    let layout = pieces::layout(&snapshot.lead.client, connector, &snapshot.server, &snapshot.relation).await?;
    for _ in 0..ATTEMPTS {
        match read::all(&snapshot, &layout, cx).await {
            Ok(file) => {
                let facts = snapshot.facts(layout.bytes).await?;
                let schema = schema(&snapshot.columns);
                snapshot.close().await;
                return Ok(Staged { schema, file, rejects: Vec::new(), rejected: 0, facts });
            }
            Err(Failure::DoesNotFit) => snapshot.widen(None).await?,
            Err(Failure::Engine(error)) => return Err(error),
        }
    }
    Err(unfitting())
}

/// The schema and the first `rows` rows that pass the filters. A `numeric` without scale is typed by the first rows
/// alone; `stage` may find that it needs more. Errors as [`stage`].
pub async fn sample(source: &Source, table: &PostgresTable, rows: usize) -> Result<Sample> {
    let connector = Arc::new(Connector::new(&source.alias, table)?);
    let mut snapshot = Snapshot::open(&connector, source, table).await?;
    for _ in 0..ATTEMPTS {
        match read::first(&snapshot, rows).await {
            Ok(batches) => {
                let facts = snapshot.facts(None).await?;
                let schema = schema(&snapshot.columns);
                snapshot.close().await;
                return Ok(Sample { schema, batches, facts });
            }
            Err(Failure::DoesNotFit) => snapshot.widen(Some(rows)).await?,
            Err(Failure::Engine(error)) => return Err(error),
        }
    }
    Err(unfitting())
}

/// Opens a session and closes it again; says which part refused.
pub async fn reach(alias: &str, table: &PostgresTable) -> Result<(), (Part, Error)> {
    let connector = Connector::new(alias, table).map_err(|error| (Part::Server, error))?;
    connector.reach().await?.close().await;
    Ok(())
}

fn unfitting() -> Error {
    Error::defect("a value did not fit the type that was made for all values")
}

#[cfg(test)]
mod tests;
