//! Runs the passes over a file: one task reads and cuts, others parse and encode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::chunks::{CHUNK_SIZE, Chunk, ChunkReader, MAX_RECORD, ReadError};
use super::csv::CsvWorker;
use super::encoding::{Encoding, EncodingGuess, Transcoder};
use super::findings::{Findings, TextColumn};
use super::ndjson::NdjsonWorker;
use super::origin::Origin;
use super::plan::{Format, ReadPlan};
use crate::error::{Error, Result};
use crate::job::{FileFormat, ReadOptions, Source};
use crate::location::Location;
use crate::stage::filter::{BatchFilter, check_columns};
use crate::stage::{Sample, StageContext, StageWriter, Staged};

/// How much is read at a time.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub head: usize,
    pub chunk: usize,
    pub max_record: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { head: 1 << 20, chunk: CHUNK_SIZE, max_record: MAX_RECORD }
    }
}

/// Reads a CSV or NDJSON file whole and writes it typed; rows that cannot be read are in `rejects`, and it is for the
/// caller to say how many are too many.
pub async fn stage(source: &Source, location: &Location, format: FileFormat, cx: &StageContext) -> Result<Staged> {
    stage_in(source, location, format, cx, Sizes::default()).await
}

/// Reads the head of a file, about 1 MB, with types inferred from it; at most `rows` rows, filters not applied.
pub async fn sample(source: &Source, location: &Location, format: FileFormat, rows: usize) -> Result<Sample> {
    let origin = Origin::open(&source.alias, location).await?;
    let (plan, head) = ReadPlan::of(&origin, &source.options, format, None, Sizes::default()).await?;
    plan.check_types(&source.alias, &source.options)?;
    let pass = Arc::new(Pass::new(&source.alias, &plan, &source.options));
    let schema = Arc::clone(&pass.schema);
    let mut worker = Worker::new(&plan, pass);
    let mut left = rows;
    let mut batches = worker.process(&head)?;
    for batch in &mut batches {
        *batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
    }
    batches.retain(|batch| batch.num_rows() > 0);
    Ok(Sample { schema, batches, facts: plan.facts(&origin) })
}

pub(super) async fn stage_in(
    source: &Source,
    location: &Location,
    format: FileFormat,
    cx: &StageContext,
    sizes: Sizes,
) -> Result<Staged> {
    let origin = Origin::open(&cx.alias, location).await?;
    let options = &source.options;
    cx.meter.expect(origin.bytes);
    let (mut plan, mut head) = ReadPlan::of(&origin, options, format, None, sizes).await?;
    if format == FileFormat::Csv {
        // Objects of NDJSON may have fields that the head does not show.
        check_columns(&source.filters, plan.columns.iter().map(|c| c.name.as_str()), &cx.alias)?;
    }
    // Guesses can be wrong once each: UTF-8, Windows-1252 or the other way round, then the types.
    for _ in 0..4 {
        drop(head);
        if format == FileFormat::Csv {
            plan.check_types(&cx.alias, options)?;
        }
        let pass = Arc::new(Pass::new(&cx.alias, &plan, options));
        let filter = BatchFilter::new(&source.filters, &pass.schema, &cx.alias);
        let (filter, refusal) = match filter {
            Ok(filter) => (filter, None),
            Err(error) => (None, Some(error)),
        };
        let writer = if refusal.is_none() && !plan.columns.is_empty() { Some(cx.create(&pass.schema)?) } else { None };
        if writer.is_none() {
            cx.meter.restart();
            pass.doomed.store(true, Ordering::Relaxed);
        }
        let PassEnd { found, is_utf8 } = run(&origin, &plan, &pass, filter, writer.clone(), cx, sizes).await?;
        origin.check_unchanged()?;
        if let Some(encoding) = other_encoding(plan.encoding, &found, is_utf8) {
            (plan, head) = ReadPlan::of(&origin, options, format, Some(encoding), sizes).await?;
            continue;
        }
        let (rejects, rows) = (found.rejects.clone(), found.rows);
        if plan.learn(found, &cx.alias, options)? {
            head = Chunk::default();
            continue;
        }
        plan.check_types(&cx.alias, options)?;
        if let Some(error) = refusal {
            return Err(error);
        }
        let Some(writer) = writer.filter(|_| !pass.doomed.load(Ordering::Relaxed)) else {
            let first = rejects.kept.first().map(|r| format!(": line {}: {}", r.line, r.reason)).unwrap_or_default();
            return Err(origin.data_error(format!("no row can be read{first}")));
        };
        let file = writer.finish().await?;
        if file.rows() != rows {
            return Err(Error::defect(format!("{} rows were written of {rows}", file.rows())));
        }
        let facts = plan.facts(&origin);
        return Ok(Staged { schema: plan.schema(), file, rejects: rejects.kept, rejected: rejects.count, facts });
    }
    Err(Error::defect("the types of a text file do not settle"))
}

/// The encoding to read the file in again, when the one that was guessed is refuted.
fn other_encoding(guess: EncodingGuess, found: &Findings, is_utf8: bool) -> Option<EncodingGuess> {
    if is_utf8 {
        return Some(EncodingGuess { encoding: Encoding::Utf8, settled: true, ..guess });
    }
    let refuted = guess.encoding == Encoding::Utf8 && !guess.settled && found.utf8.invalid && !found.utf8.multibyte;
    refuted.then_some(EncodingGuess { encoding: Encoding::Windows1252, settled: true, ..guess })
}

/// What all tasks of a pass share.
#[derive(Debug)]
pub struct Pass {
    pub alias: String,
    pub columns: Vec<TextColumn>,
    pub schema: SchemaRef,
    pub nulls: Vec<String>,
    /// What the number of fields is measured by.
    pub shape_from: &'static str,
    /// A value of the column did not fit its type.
    surprised: Vec<AtomicBool>,
    /// The file must be read again: from now on values are only looked at.
    pub doomed: AtomicBool,
}

impl Pass {
    pub fn new(alias: &str, plan: &ReadPlan, options: &ReadOptions) -> Self {
        let header = matches!(&plan.format, Format::Csv(layout) if layout.header);
        Self {
            alias: alias.to_owned(),
            columns: plan.columns.clone(),
            schema: plan.schema(),
            nulls: options.nulls.clone(),
            shape_from: if header { "header" } else { "the first row" },
            surprised: plan.columns.iter().map(|_| AtomicBool::new(false)).collect(),
            doomed: AtomicBool::new(false),
        }
    }

    pub fn surprise(&self, column: usize) {
        self.doomed.store(true, Ordering::Relaxed);
        self.surprised[column].store(true, Ordering::Relaxed);
    }

    pub fn is_surprised(&self, column: usize) -> bool {
        self.surprised[column].load(Ordering::Relaxed)
    }
}

/// Parses the chunks that one task receives.
pub enum Worker {
    Csv(CsvWorker),
    Ndjson(NdjsonWorker),
}

impl Worker {
    pub fn new(plan: &ReadPlan, pass: Arc<Pass>) -> Self {
        match plan.format {
            Format::Csv(_) => Self::Csv(CsvWorker::new(pass, plan.separators())),
            Format::Ndjson => Self::Ndjson(NdjsonWorker::new(pass)),
        }
    }

    pub fn process(&mut self, chunk: &Chunk) -> Result<Vec<RecordBatch>> {
        match self {
            Self::Csv(worker) => worker.process(chunk),
            Self::Ndjson(worker) => worker.process(chunk),
        }
    }

    /// To be called when the batches were dropped.
    fn reclaim(&mut self, rows: u64) {
        let (buffers, findings) = match self {
            Self::Csv(worker) => (&mut worker.buffers, &mut worker.findings),
            Self::Ndjson(worker) => (&mut worker.buffers, &mut worker.findings),
        };
        findings.rows += rows;
        buffers.reclaim();
    }

    pub fn into_findings(self) -> Findings {
        match self {
            Self::Csv(worker) => worker.findings,
            Self::Ndjson(worker) => worker.findings,
        }
    }
}

struct PassEnd {
    found: Findings,
    /// The file was thought to be in another encoding; nothing else was found out.
    is_utf8: bool,
}

/// One pass over the file.
async fn run(
    origin: &Origin,
    plan: &ReadPlan,
    pass: &Arc<Pass>,
    filter: Option<BatchFilter>,
    writer: Option<StageWriter>,
    cx: &StageContext,
    sizes: Sizes,
) -> Result<PassEnd> {
    let transcoder = Transcoder::new(plan.encoding);
    let reader = ChunkReader::open(origin, transcoder, plan.encoding.skip, plan.cutting(sizes)).await?;
    let (chunks, received) = mpsc::channel(1);
    let (spare, spares) = mpsc::unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = Tasks {
        received: Arc::new(Mutex::new(received)),
        filter: Arc::new(filter),
        writer,
        spare,
        stop: Arc::clone(&stop),
        cx: cx.clone(),
    };
    let mut parsers = JoinSet::new();
    for _ in 0..cx.threads.count() {
        parsers.spawn(parse(Worker::new(plan, Arc::clone(pass)), Arc::clone(pass), tasks.clone()));
    }
    drop(tasks);
    let mut readers = JoinSet::new();
    readers.spawn(read(reader, chunks, spares, stop));
    let mut found = Findings::of(plan.columns.len());
    let mut failed: Option<(u64, Error)> = None;
    while let Some(end) = parsers.join_next().await {
        let (findings, error) = end.map_err(|e| Error::defect_of("a parser broke off", e))?;
        found.merge(findings);
        // The first error in file order, whichever task was the fastest.
        failed = match (failed, error) {
            (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
            (a, b) => a.or(b),
        };
    }
    let read = match readers.join_next().await {
        Some(read) => read.map_err(|e| Error::defect_of("the reader broke off", e))?,
        None => Ok(()),
    };
    match (failed, read) {
        (_, Err(ReadError::IsUtf8)) => Ok(PassEnd { found: Findings::default(), is_utf8: true }),
        (Some((_, error)), _) | (None, Err(ReadError::Failed(error))) => Err(error),
        (None, Ok(())) => {
            cx.check_cancelled()?;
            Ok(PassEnd { found, is_utf8: false })
        }
    }
}

async fn read(
    mut reader: ChunkReader,
    chunks: mpsc::Sender<Chunk>,
    mut spares: mpsc::UnboundedReceiver<Vec<u8>>,
    stop: Arc<AtomicBool>,
) -> Result<(), ReadError> {
    while !stop.load(Ordering::Relaxed) {
        let chunk = match reader.next(spares.try_recv().unwrap_or_default()).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                // Chunks before an error in the data are parsed all the same: an earlier error comes first.
                stop.fetch_or(matches!(error, ReadError::IsUtf8), Ordering::Relaxed);
                return Err(error);
            }
        };
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What each parsing task has besides its worker.
#[derive(Clone)]
struct Tasks {
    received: Arc<Mutex<mpsc::Receiver<Chunk>>>,
    filter: Arc<Option<BatchFilter>>,
    writer: Option<StageWriter>,
    spare: mpsc::UnboundedSender<Vec<u8>>,
    stop: Arc<AtomicBool>,
    cx: StageContext,
}

async fn parse(mut worker: Worker, pass: Arc<Pass>, tasks: Tasks) -> (Findings, Option<(u64, Error)>) {
    let mut failed = None;
    while !tasks.stop.load(Ordering::Relaxed) {
        let mut received = tasks.received.lock().await;
        let Some(chunk) = received.recv().await else { break };
        // Who waits for a thread keeps the others from taking chunks that would only wait too.
        let _turn = tasks.cx.threads.turn().await;
        drop(received);
        if let Err(error) = parse_chunk(&mut worker, &pass, &tasks, &chunk).await {
            failed = Some((chunk.index, error));
            tasks.stop.store(true, Ordering::Relaxed);
            break;
        }
        // The reader may be at its end and need no more.
        let _ = tasks.spare.send(chunk.into_buffer());
    }
    (worker.into_findings(), failed)
}

async fn parse_chunk(worker: &mut Worker, pass: &Pass, tasks: &Tasks, chunk: &Chunk) -> Result<()> {
    tasks.cx.check_cancelled()?;
    let mut batches = worker.process(chunk)?;
    if let Some(filter) = tasks.filter.as_ref() {
        batches = batches.into_iter().map(|batch| filter.apply(batch)).collect::<Result<_>>()?;
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if let (Some(writer), false) = (&tasks.writer, pass.doomed.load(Ordering::Relaxed)) {
        writer.write(chunk.index, &batches).await?;
    }
    drop(batches);
    worker.reclaim(rows as u64);
    tasks.cx.meter.add(rows as u64, chunk.source_bytes);
    Ok(())
}

#[cfg(test)]
#[path = "tests/read.rs"]
mod tests;
