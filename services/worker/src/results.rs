//! What runs have written, by ticket: whatever the storage holds, whichever worker wrote it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use kalla_engine::explain::Side;
use kalla_engine::location::Location;
use kalla_engine::results::{Reader, ResultSet, Selected, Selection};
use kalla_engine::{Error, Manifest, Violation};
use kalla_proto::v1::{self, Code, Problem};
use kalla_serving::{Room, Turn, pace};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::budget::Budget;
use crate::payload::Intake;
use crate::storage::Storage;
use crate::{convert, problem};

/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(10);

const USUAL_PAGE: u64 = 100;
const LARGEST_PAGE: u64 = 1000;

/// Clones are the same.
#[derive(Clone)]
pub struct Results {
    storage: Storage,
    intake: Intake,
    reader: Reader,
    /// Pages, summaries and the like.
    looks: Room,
    /// They take as long as their clients.
    files: Room,
    threads: Arc<Threads>,
}

/// Threads of their own: who sorts keeps no request waiting, nor the watch over processes.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Items on their way to a client.
pub type Flow<T> = BoxStream<'static, Result<T, Problem>>;

/// What a ticket would give.
pub struct Description {
    pub ticket: v1::ResultTicket,
    pub schema: SchemaRef,
    /// Within offset and limit.
    pub rows: u64,
    /// Size of the file, where the ticket wants all of it.
    pub bytes: Option<u64>,
}

impl Results {
    pub fn new(storage: Storage, intake: Intake, reader: Reader, budget: &Budget) -> std::io::Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(intake.limits.threads.max(1))
            .thread_name("kalla-results")
            .enable_all()
            .build()?;
        let looks = Room::new(budget.pages, "results are looked at");
        let files = Room::new(budget.files, "results are exported");
        Ok(Self { storage, intake, reader, looks, files, threads: Arc::new(Threads(Some(threads))) })
    }

    /// Does `work` on the threads for reading, in its turn and until nobody waits for it any more.
    async fn apart<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let _turn = self.looks.wait(TURN).await?;
        self.work(work(self.clone())).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Problem> {
        match self.spawn(work)?.await {
            Ok(done) => done.map_err(|error| problem::told(&error)),
            Err(error) => Err(problem::defect(&format!("reading results: {error}"))),
        }
    }

    /// Ends when the handle is dropped.
    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<AbortOnDropHandle<T>, Problem> {
        let runtime =
            self.threads.0.as_ref().ok_or_else(|| Problem::later(Code::Unavailable, "the worker is closing"))?;
        Ok(AbortOnDropHandle::new(runtime.spawn(work.in_current_span())))
    }

    /// Items on their way to a client that may be slow. The turn is held until the last is taken, the client leaves, or it is
    /// given up.
    fn patient<T: Send + 'static>(
        &self,
        items: BoxStream<'static, Result<T, Error>>,
        size: impl Fn(&T) -> usize + Send + 'static,
        turn: Turn,
    ) -> Result<Flow<T>, Problem> {
        let items = items.map_err(|error| problem::told(&error));
        let late = || Problem::later(Code::Deadline, "what was read has been taken too slowly");
        let (reading, taken) = pace::hand_on(items, size, late, turn);
        let reading = self.spawn(reading)?;
        // Ends with what is taken.
        Ok(taken.inspect(move |_| _ = &reading).boxed())
    }

    /// The rows that a ticket names.
    async fn select(&self, ticket: &v1::ResultTicket) -> Result<Selected, Error> {
        let (set, selection) = read_ticket(ticket)?;
        let (output, manifest) = self.run(&ticket.run_id, ticket.output_path.as_deref()).await?;
        self.reader.open(&output, &manifest, set).await?.select(selection).await
    }

    /// The rows of a ticket, and their columns.
    pub async fn rows(&self, ticket: v1::ResultTicket) -> Result<(SchemaRef, Flow<RecordBatch>), Problem> {
        let read = |this: Self| async move {
            let selected = this.select(&ticket).await?;
            Ok((selected.schema(), selected.rows().await?))
        };
        let turn = self.files.wait(TURN).await?;
        let (schema, rows) = self.work(read(self.clone())).await?;
        Ok((schema, self.patient(rows, RecordBatch::get_array_memory_size, turn)?))
    }

    pub async fn describe(&self, ticket: v1::ResultTicket) -> Result<Description, Problem> {
        let read = |this: Self| async move { describe(&this.select(&ticket).await?, ticket).await };
        self.apart(read).await
    }

    /// The result sets of a run, each as a whole.
    pub async fn sets(&self, run_id: &str) -> Result<Vec<Description>, Problem> {
        let run_id = run_id.to_owned();
        let read = |this: Self| async move {
            let (output, manifest) = this.run(&run_id, None).await?;
            let mut sets = Vec::new();
            for set in ResultSet::ALL.into_iter().filter(|set| manifest.files.contains_key(set.name())) {
                let selected = this.reader.open(&output, &manifest, set).await?.select(Selection::default()).await?;
                let result_set = convert::to_wire(set).into();
                let ticket = v1::ResultTicket { run_id: run_id.clone(), result_set, ..Default::default() };
                sets.push(describe(&selected, ticket).await?);
            }
            Ok(sets)
        };
        self.apart(read).await
    }

    pub async fn schema(&self, ticket: v1::ResultTicket) -> Result<SchemaRef, Problem> {
        let read = |this: Self| async move { Ok(this.select(&ticket).await?.schema()) };
        self.apart(read).await
    }

    /// Where the results of a run are, and what they are.
    async fn run(&self, run_id: &str, output: Option<&str>) -> Result<(Location, Manifest), Error> {
        let output = match output.filter(|path| !path.is_empty()) {
            Some(path) => {
                let wrong = |message| Error::Invalid(vec![Violation::new("output_path", message)]);
                self.intake.stores.locate(path).map_err(wrong)?
            }
            None => self.storage.run(run_id).await?.ok_or_else(|| {
                Error::Missing(format!("no run `{run_id}` has been here: name its output_path if it ran elsewhere"))
            })?,
        };
        match kalla_engine::committed(&output).await? {
            Some(manifest) if manifest.run_id == run_id => Ok((output, manifest)),
            Some(other) => {
                Err(Error::Missing(format!("the results at {output} are of the run {}, not {run_id}", other.run_id)))
            }
            None => Err(Error::Missing(format!("the run `{run_id}` has no results: it has not completed"))),
        }
    }

    /// Where the results of a run are, once they are there.
    pub async fn output(&self, run_id: &str, output: Option<&str>) -> Result<String, Problem> {
        let (run_id, output) = (run_id.to_owned(), output.map(str::to_owned));
        let read = |this: Self| async move { Ok(this.named(&run_id, output.as_deref()).await?.0.to_string()) };
        self.apart(read).await
    }

    /// The same of an id that comes from outside.
    async fn named(&self, run_id: &str, output: Option<&str>) -> Result<(Location, Manifest), Error> {
        crate::storage::check_id(run_id).map_err(|message| Error::Invalid(vec![Violation::new("run_id", message)]))?;
        self.run(run_id, output).await
    }

    /// The ids of the runs that somebody has left word of; not all of them have results.
    pub async fn runs(&self) -> Result<Vec<String>, Problem> {
        self.storage.runs().await.map_err(|error| problem::told(&error))
    }

    /// One page, as text.
    pub async fn page(&self, ticket: Option<v1::ResultTicket>) -> Result<v1::ReadResultResponse, Problem> {
        let mut ticket = given(ticket)?;
        let limit = ticket.limit.unwrap_or(USUAL_PAGE).min(LARGEST_PAGE);
        ticket.limit = Some(limit);
        let read = |this: Self| async move {
            let selected = this.select(&ticket).await?;
            let columns = kalla_engine::manifest::columns(&selected.schema(), &[]);
            let batches = selected.rows().await?.try_collect::<Vec<_>>().await?;
            Ok(v1::ReadResultResponse {
                columns: convert::columns(&columns),
                rows: convert::rows(&batches, usize::try_from(limit).unwrap_or(usize::MAX))?,
                total: selected.count().await?,
            })
        };
        self.apart(read).await
    }

    pub async fn summary(&self, ticket: Option<v1::ResultTicket>) -> Result<v1::SummarizeResultResponse, Problem> {
        let ticket = given(ticket)?;
        let read = |this: Self| async move { Ok(convert::summary(this.select(&ticket).await?.summary().await?)) };
        self.apart(read).await
    }

    pub async fn manifest(&self, request: v1::GetManifestRequest) -> Result<v1::Manifest, Problem> {
        let read = |this: Self| async move {
            let (_, manifest) = this.named(&request.run_id, request.output_path.as_deref()).await?;
            Ok(convert::manifest(manifest))
        };
        self.apart(read).await
    }

    /// Rows of a side, as they were read.
    pub async fn source_rows(&self, request: v1::ReadSourceRowsRequest) -> Result<v1::ReadSourceRowsResponse, Problem> {
        let wrong = |field: &str, message: String| Error::Invalid(vec![Violation::new(field, message)]);
        let read = |this: Self| async move {
            let side = convert::side(request.side());
            let side = side.ok_or_else(|| wrong("side", "it is missing: left or right".to_owned()))?;
            if request.rows.len() as u64 > LARGEST_PAGE {
                return Err(wrong("rows", format!("they are more than {LARGEST_PAGE}")));
            }
            let (output, manifest) = this.named(&request.run_id, request.output_path.as_deref()).await?;
            let input = match side {
                Side::Left => &manifest.left,
                Side::Right => &manifest.right,
            };
            let rows = kalla_engine::source_rows(&output, input, &request.rows, &this.intake.stores).await?;
            Ok(v1::ReadSourceRowsResponse {
                columns: convert::columns(&input.columns),
                rows: convert::rows(&rows, request.rows.len())?,
            })
        };
        self.apart(read).await
    }

    /// The bytes of a file.
    pub async fn export(&self, request: v1::ExportResultRequest) -> Result<Flow<Bytes>, Problem> {
        let kind = convert::file_kind(request.format());
        let ticket = given(request.ticket)?;
        let kind = kind.ok_or_else(|| Problem::refused(Code::Invalid, "format: it is missing"))?;
        let read = |this: Self| async move { this.select(&ticket).await?.export(kind).await };
        let turn = self.files.wait(TURN).await?;
        let file = self.work(read(self.clone())).await?;
        self.patient(file, Bytes::len, turn)
    }
}

async fn describe(selected: &Selected, ticket: v1::ResultTicket) -> Result<Description, Error> {
    let passing = selected.count().await?.saturating_sub(ticket.offset);
    let rows = ticket.limit.map_or(passing, |limit| limit.min(passing));
    let all = rows == selected.table().rows() && ticket.columns.is_empty();
    let bytes = all.then(|| selected.table().bytes());
    Ok(Description { schema: selected.schema(), rows, bytes, ticket })
}

fn given(ticket: Option<v1::ResultTicket>) -> Result<v1::ResultTicket, Problem> {
    ticket.ok_or_else(|| Problem::refused(Code::Invalid, "ticket: it is missing"))
}

/// All that is wrong with a ticket and can be seen without the columns, at once.
fn read_ticket(ticket: &v1::ResultTicket) -> Result<(ResultSet, Selection), Error> {
    let mut wrong = Vec::new();
    if let Err(message) = crate::storage::check_id(&ticket.run_id) {
        wrong.push(Violation::new("run_id", message));
    }
    let set = convert::result_set(ticket.result_set());
    if set.is_none() {
        let message = format!("it is missing: the result sets are {}", ResultSet::ALL.map(ResultSet::name).join(", "));
        wrong.push(Violation::new("result_set", message));
    }
    let selection = convert::selection(ticket).map_err(|messages| wrong.extend(messages));
    match (set, selection) {
        (Some(set), Ok(selection)) if wrong.is_empty() => Ok((set, selection)),
        _ => Err(Error::Invalid(wrong)),
    }
}
