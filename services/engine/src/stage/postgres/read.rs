//! The pieces of a relation to a staged file, on as many sessions as the job has threads.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use tokio::task::{JoinError, JoinSet};

use super::columns::{TableColumn, schema};
use super::connect::{Connection, Connector};
use super::copy::{BATCH_ROWS, CopyError, Decoder};
use super::pieces::{Layout, Piece};
use super::snapshot::{BEGIN, Snapshot};
use crate::error::{Error, Place, Result};
use crate::stage::{RowFile, StageContext, StageWriter};
use crate::tasks::Pieces;

/// Sessions at most: more would only queue at the server's disks.
const SESSIONS: usize = 8;
/// Rows and received bytes at which a piece of a stream is full.
const STREAM_ROWS: usize = 8 * BATCH_ROWS;
const STREAM_BYTES: usize = 64 << 20;

/// Pages stand in the order of a range; an index would give them in another.
const HEAP_ORDER: &str = "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off";

/// Why a reading ended.
pub enum Failure {
    /// A value does not fit the type chosen for its column.
    DoesNotFit,
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// What all sessions of one reading share.
struct Reading {
    alias: String,
    connector: Arc<Connector>,
    columns: Vec<TableColumn>,
    /// One SELECT for each piece.
    selects: Vec<String>,
    pieces: Vec<Piece>,
    /// Which of them are read.
    queue: Pieces,
    /// Rows received so far, for the message when a connection is lost.
    rows: AtomicU64,
}

/// Reads everything into a staged file.
pub async fn all(snapshot: &Snapshot, layout: &Layout, cx: &StageContext) -> Result<RowFile, Failure> {
    let reading = Arc::new(Reading {
        alias: snapshot.alias.clone(),
        connector: Arc::clone(&snapshot.connector),
        columns: snapshot.columns.clone(),
        selects: layout.pieces.iter().map(|p| snapshot.select(&p.from, p.condition.as_deref())).collect(),
        pieces: layout.pieces.clone(),
        queue: Pieces::new(layout.pieces.len(), cx.threads.count()),
        rows: AtomicU64::new(0),
    });
    let writer = cx.create(&schema(&snapshot.columns))?;
    let mut tasks = JoinSet::new();
    if layout.streamed {
        cx.meter.expect(0);
        tasks.spawn(read_stream(Arc::clone(&snapshot.lead), reading, writer.clone(), cx.clone()));
    } else {
        cx.meter.expect(layout.pieces.iter().map(|piece| piece.pages).sum());
        let sessions = cx.threads.count().min(SESSIONS).min(layout.pieces.len()).max(1);
        for session in sessions_of(snapshot, sessions).await? {
            tasks.spawn(read_pieces(session, Arc::clone(&reading), writer.clone(), cx.clone()));
        }
        drop(reading);
    }
    let outcome = join(&mut tasks).await;
    // Nobody may hold the writer or the leading session any more.
    tasks.shutdown().await;
    outcome?;
    Ok(writer.finish().await?)
}

/// Reads the first rows.
pub async fn first(snapshot: &Snapshot, rows: usize) -> Result<Vec<RecordBatch>, Failure> {
    let select = format!("{} LIMIT {rows}", snapshot.select(&snapshot.relation.quoted(), None));
    let source = (snapshot.alias.as_str(), snapshot.connector.as_ref());
    copy(&snapshot.lead, source, &select, Decoder::new(&snapshot.columns, rows), &AtomicU64::new(0)).await
}

/// The leading session and others that see the same. A server that has no room for more of them is read with fewer.
async fn sessions_of(snapshot: &Snapshot, wanted: usize) -> Result<Vec<Arc<Connection>>> {
    let connector = &snapshot.connector;
    snapshot.lead.client.batch_execute(HEAP_ORDER).await.map_err(|e| connector.failed(&e))?;
    let mut sessions = vec![Arc::clone(&snapshot.lead)];
    if wanted > 1 {
        let take_over = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{}'; {HEAP_ORDER}", snapshot.export().await?);
        let open = async || {
            let session = connector.connect().await?;
            session.client.batch_execute(&take_over).await.map_err(|e| connector.failed(&e))?;
            Ok(session)
        };
        for session in futures::future::join_all((1..wanted).map(|_| open())).await {
            match session {
                Ok(session) => sessions.push(Arc::new(session)),
                Err(Error::Unavailable { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(sessions)
}

async fn read_pieces(
    session: Arc<Connection>,
    reading: Arc<Reading>,
    writer: StageWriter,
    cx: StageContext,
) -> Result<(), Failure> {
    while let Some(index) = reading.queue.next().await {
        let (Some(select), Some(piece)) = (reading.selects.get(index), reading.pieces.get(index)) else { break };
        let decoder = Decoder::new(&reading.columns, BATCH_ROWS);
        let batches = copy(&session, (&reading.alias, &reading.connector), select, decoder, &reading.rows).await?;
        write(&writer, index as u64, &batches, piece.pages, &cx).await?;
        reading.queue.done(index);
    }
    Ok(())
}

/// One COPY, whole.
async fn copy(
    session: &Connection,
    (alias, connector): (&str, &Connector),
    select: &str,
    mut decoder: Decoder,
    rows: &AtomicU64,
) -> Result<Vec<RecordBatch>, Failure> {
    let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
    let lost = |e: &tokio_postgres::Error| connector.interrupted(e, rows.load(Ordering::Relaxed));
    let mut frames = pin!(session.client.copy_out(&sql).await.map_err(|e| lost(&e))?);
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|e| lost(&e))?;
        let before = decoder.received();
        decoder.push(&frame).map_err(|e| undecoded(e, alias))?;
        rows.fetch_add(decoder.received() - before, Ordering::Relaxed);
    }
    decoder.finish().map_err(|e| undecoded(e, alias))
}

/// One COPY, cut into pieces as it comes; they are encoded while the next rows arrive.
async fn read_stream(
    session: Arc<Connection>,
    reading: Arc<Reading>,
    writer: StageWriter,
    cx: StageContext,
) -> Result<(), Failure> {
    let mut encoding = JoinSet::new();
    let outcome = receive(&session, &reading, &writer, &cx, &mut encoding).await;
    // Nobody may write any more when the relation is read again with other types.
    encoding.shutdown().await;
    outcome
}

async fn receive(
    session: &Connection,
    reading: &Reading,
    writer: &StageWriter,
    cx: &StageContext,
    encoding: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    let Some(select) = reading.selects.first() else { return Ok(()) };
    let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
    let mut decoder = Decoder::new(&reading.columns, BATCH_ROWS);
    let mut index = 0;
    let (mut rows, mut bytes) = (0, 0);
    let lost = |e: &tokio_postgres::Error, decoder: &Decoder| reading.connector.interrupted(e, decoder.received());
    let mut frames = pin!(session.client.copy_out(&sql).await.map_err(|e| lost(&e, &decoder))?);
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|e| lost(&e, &decoder))?;
        decoder.push(&frame).map_err(|e| undecoded(e, &reading.alias))?;
        bytes += frame.len();
        if decoder.received() - rows >= STREAM_ROWS as u64 || bytes >= STREAM_BYTES {
            let batches = decoder.take_closed();
            (rows, bytes) = (decoder.received(), 0);
            if encoding.len() >= cx.threads.count() {
                finished(encoding.join_next().await)?;
            }
            let (writer, cx) = (writer.clone(), cx.clone());
            encoding.spawn(async move { write(&writer, index, &batches, 0, &cx).await });
            index += 1;
        }
    }
    join(encoding).await?;
    let batches = decoder.finish().map_err(|e| undecoded(e, &reading.alias))?;
    write(writer, index, &batches, 0, cx).await
}

async fn write(
    writer: &StageWriter,
    index: u64,
    batches: &[RecordBatch],
    pages: u64,
    cx: &StageContext,
) -> Result<(), Failure> {
    let _turn = cx.threads.turn().await;
    cx.check_cancelled()?;
    writer.write(index, batches).await?;
    cx.meter.add(batches.iter().map(|batch| batch.num_rows() as u64).sum(), pages);
    Ok(())
}

/// Waits for all tasks; the first that fails ends the others.
async fn join(tasks: &mut JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(done) = tasks.join_next().await {
        finished(Some(done))?;
    }
    Ok(())
}

fn finished(done: Option<Result<Result<(), Failure>, JoinError>>) -> Result<(), Failure> {
    match done {
        None => Ok(()),
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) if error.is_cancelled() => Err(Error::Cancelled.into()),
        Some(Err(error)) => Err(Error::defect_of("a task that reads Postgres failed", error).into()),
    }
}

fn undecoded(error: CopyError, alias: &str) -> Failure {
    let reason = match error {
        CopyError::DoesNotFit => return Failure::DoesNotFit,
        CopyError::NotText(reason) | CopyError::Malformed(reason) => reason,
    };
    Failure::Engine(Error::Data { alias: alias.to_owned(), place: Place::default(), reason })
}
