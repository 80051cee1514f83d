//! Looks into data, which the gateway never touches itself: sources, jobs that are tried, results.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kalla_proto::v1::job_service_client::JobServiceClient;
use kalla_proto::v1::result_service_client::ResultServiceClient;
use kalla_proto::v1::source_service_client::SourceServiceClient;
use kalla_proto::v1::{
    CheckJobRequest, CheckJobResponse, Code, DryRunJobRequest, DryRunJobResponse, ExplainRowRequest,
    ExplainRowResponse, ExportFormat, ExportResultRequest, GetManifestRequest, GetWorkerRequest, JobPayload, Manifest,
    PreviewSourceRequest, PreviewSourceResponse, Problem, ReadResultRequest, ReadResultResponse, ReadSourceRowsRequest,
    ReadSourceRowsResponse, ResultTicket, Side, Source, SummarizeResultRequest, SummarizeResultResponse,
    TestConnectionRequest, TestConnectionResponse, WorkerStatus,
};
use kalla_serving::pace;
use kalla_serving::telemetry::trace;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::Worker;
use super::fleet::Fleet;

/// What a worker knows by heart.
const AT_ONCE: Duration = Duration::from_secs(5);
/// A page, or the head of a source.
const SOON: Duration = Duration::from_secs(60);
/// What reads everything: a summary, a dry run, a row explained.
const LATER: Duration = Duration::from_secs(300);
/// A file that is exported may take as long as whoever reads it.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// A page of a thousand wide rows.
const LARGEST: usize = 64 << 20;

impl Fleet {
    pub async fn preview(&self, source: Source, limit: u32) -> Result<PreviewSourceResponse, Problem> {
        let message = PreviewSourceRequest { source: Some(source), limit };
        self.ask(message, SOON, |worker, request| async move { worker.sources().preview_source(request).await }).await
    }

    pub async fn reach(&self, source: Source) -> Result<TestConnectionResponse, Problem> {
        let message = TestConnectionRequest { source: Some(source) };
        self.ask(message, SOON, |worker, request| async move { worker.sources().test_connection(request).await }).await
    }

    pub async fn check(&self, job: JobPayload) -> Result<CheckJobResponse, Problem> {
        let message = CheckJobRequest { job: Some(job) };
        self.ask(message, SOON, |worker, request| async move { worker.jobs().check_job(request).await }).await
    }

    pub async fn dry_run(&self, job: JobPayload, sample_rows: u64) -> Result<DryRunJobResponse, Problem> {
        let message = DryRunJobRequest { job: Some(job), sample_rows };
        self.ask(message, LATER, |worker, request| async move { worker.jobs().dry_run_job(request).await }).await
    }

    pub async fn read(&self, ticket: ResultTicket) -> Result<ReadResultResponse, Problem> {
        let message = ReadResultRequest { ticket: Some(ticket) };
        self.ask(message, SOON, |worker, request| async move { worker.results().read_result(request).await }).await
    }

    pub async fn summarize(&self, ticket: ResultTicket) -> Result<SummarizeResultResponse, Problem> {
        let message = SummarizeResultRequest { ticket: Some(ticket) };
        self.ask(message, LATER, |worker, request| async move { worker.results().summarize_result(request).await })
            .await
    }

    pub async fn explain(&self, run_id: String, side: Side, row: u64) -> Result<ExplainRowResponse, Problem> {
        let message = ExplainRowRequest { run_id, side: side.into(), row, output_path: None };
        self.ask(message, LATER, |worker, request| async move { worker.results().explain_row(request).await }).await
    }

    pub async fn manifest(&self, run_id: String) -> Result<Manifest, Problem> {
        let message = GetManifestRequest { run_id, output_path: None };
        Ok(self
            .ask(message, SOON, |worker, request| async move { worker.results().get_manifest(request).await })
            .await?
            .manifest
            .unwrap_or_default())
    }

    pub async fn source_rows(
        &self,
        run_id: String,
        side: Side,
        rows: Vec<u64>,
    ) -> Result<ReadSourceRowsResponse, Problem> {
        let message = ReadSourceRowsRequest { run_id, side: side.into(), rows, output_path: None };
        self.ask(message, SOON, |worker, request| async move { worker.results().read_source_rows(request).await }).await
    }

    /// A file, piece by piece; what is wrong with the request is told before the first. A client that takes it too slowly is
    /// given up.
    pub async fn export(
        &self,
        ticket: ResultTicket,
        format: ExportFormat,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>> + Send + use<>, Problem> {
        let place = self.room_for_export()?;
        let message = ExportResultRequest { ticket: Some(ticket), format: format.into() };
        let pieces = self.ask(message, LONG, |worker, request| async move {
            let mut results = ResultServiceClient::new(worker.exports.connect_lazy());
            let mut pieces = results.export_result(request).await?.into_inner();
            let first = pieces.message().await?;
            Ok(Response::new(futures::stream::iter(first.map(Ok)).chain(pieces)))
        });
        let pieces = pieces.await?.map(|piece| piece.map(|piece| piece.chunk));
        let late = || Status::deadline_exceeded("the file has been taken too slowly");
        let (passing, taken) = pace::hand_on(pieces, Vec::len, late, place);
        tokio::spawn(passing);
        Ok(taken)
    }

    /// Asks one worker after the other, until one has an answer, or something to say that another one would say as well.
    async fn ask<M, T, F>(
        &self,
        message: M,
        patience: Duration,
        call: impl Fn(Worker, Request<M>) -> F,
    ) -> Result<T, Problem>
    where
        M: Clone,
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut problem = Self::nobody();
        for worker in self.to_ask().await {
            let request = worker.ask(message.clone(), patience);
            let status = match call(worker.clone(), request).await {
                Ok(answer) => {
                    worker.breaker.answered();
                    return Ok(answer.into_inner());
                }
                Err(status) => status,
            };
            problem = match said(&status) {
                Some(busy) if busy.code() == Code::Exhausted && busy.retryable => busy,
                Some(said) => return Err(said),
                None => worker.problem(&status),
            };
            match status.code() {
                tonic::Code::Unavailable if said(&status).is_none() => worker.breaker.silent(&problem),
                tonic::Code::DeadlineExceeded | tonic::Code::Cancelled | tonic::Code::OutOfRange => break,
                _ => {}
            }
        }
        Err(problem)
    }
}

/// What a worker itself says is wrong.
fn said(status: &Status) -> Option<Problem> {
    Problem::decode(status.details()).ok().filter(|problem| !problem.message.is_empty())
}

impl Worker {
    pub async fn status(&self) -> Result<WorkerStatus, Problem> {
        let answer = self.jobs().get_worker(self.ask(GetWorkerRequest {}, AT_ONCE)).await;
        Ok(answer.map_err(|status| self.problem(&status))?.into_inner().worker.unwrap_or_default())
    }

    fn jobs(&self) -> JobServiceClient<tonic::transport::Channel> {
        JobServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST)
    }

    fn sources(&self) -> SourceServiceClient<tonic::transport::Channel> {
        SourceServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST)
    }

    fn results(&self) -> ResultServiceClient<tonic::transport::Channel> {
        ResultServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST)
    }

    /// The worker drops the work when nobody waits for it any more.
    fn ask<T>(&self, message: T, patience: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(patience);
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        if let Some(parent) =
            trace::header(&tracing::Span::current()).and_then(|value| value.to_str().ok()?.parse().ok())
        {
            request.metadata_mut().insert(trace::TRACEPARENT, parent);
        }
        request
    }

    /// What a worker tells is told on; where it tells nothing, what became of the request.
    fn problem(&self, status: &Status) -> Problem {
        if status.code() == tonic::Code::Unauthenticated {
            return self.refuses_the_token();
        }
        match said(status) {
            Some(problem) => return problem,
            // That is told to whoever asks, and they ask again and again.
            None if status.code() == tonic::Code::Unavailable => tracing::debug!(url = %self.url, %status, "no worker"),
            None => tracing::warn!(url = %self.url, %status, "a worker tells no problem"),
        }
        let url = &self.url;
        match status.code() {
            tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => {
                Problem::later(Code::Deadline, format!("the worker at {url} was not done in time"))
            }
            tonic::Code::Unimplemented => {
                Problem::later(Code::Unavailable, format!("the worker at {url} is too old for this"))
            }
            // The library's word for a message that is larger than the limit.
            tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => {
                let message = format!("the answer is larger than {} MiB: ask for fewer rows or columns", LARGEST >> 20);
                Problem::refused(Code::Exhausted, message)
            }
            tonic::Code::Unavailable => {
                Problem::later(Code::Unavailable, format!("the worker at {url} cannot be reached: is it running?"))
            }
            code => {
                let message = format!("the worker at {url} broke off ({code:?}): its log may say why");
                Problem::later(Code::Unavailable, message)
            }
        }
    }
}
