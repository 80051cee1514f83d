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
use prost::Message as _;
use tonic::{Request, Status};

use super::Worker;

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

impl Worker {
    pub async fn preview(&self, source: Source, limit: u32) -> Result<PreviewSourceResponse, Problem> {
        let request = self.ask(PreviewSourceRequest { source: Some(source), limit }, SOON);
        self.answer(self.sources().preview_source(request).await)
    }

    pub async fn reach(&self, source: Source) -> Result<TestConnectionResponse, Problem> {
        let request = self.ask(TestConnectionRequest { source: Some(source) }, SOON);
        self.answer(self.sources().test_connection(request).await)
    }

    pub async fn check(&self, job: JobPayload) -> Result<CheckJobResponse, Problem> {
        let request = self.ask(CheckJobRequest { job: Some(job) }, SOON);
        self.answer(self.jobs().check_job(request).await)
    }

    pub async fn dry_run(&self, job: JobPayload, sample_rows: u64) -> Result<DryRunJobResponse, Problem> {
        let request = self.ask(DryRunJobRequest { job: Some(job), sample_rows }, LATER);
        self.answer(self.jobs().dry_run_job(request).await)
    }

    pub async fn read(&self, ticket: ResultTicket) -> Result<ReadResultResponse, Problem> {
        let request = self.ask(ReadResultRequest { ticket: Some(ticket) }, SOON);
        self.answer(self.results().read_result(request).await)
    }

    pub async fn summarize(&self, ticket: ResultTicket) -> Result<SummarizeResultResponse, Problem> {
        let request = self.ask(SummarizeResultRequest { ticket: Some(ticket) }, LATER);
        self.answer(self.results().summarize_result(request).await)
    }

    pub async fn explain(&self, run_id: String, side: Side, row: u64) -> Result<ExplainRowResponse, Problem> {
        let request = self.ask(ExplainRowRequest { run_id, side: side.into(), row, output_path: None }, LATER);
        self.answer(self.results().explain_row(request).await)
    }

    pub async fn manifest(&self, run_id: String) -> Result<Manifest, Problem> {
        let request = self.ask(GetManifestRequest { run_id, output_path: None }, SOON);
        Ok(self.answer(self.results().get_manifest(request).await)?.manifest.unwrap_or_default())
    }

    pub async fn source_rows(
        &self,
        run_id: String,
        side: Side,
        rows: Vec<u64>,
    ) -> Result<ReadSourceRowsResponse, Problem> {
        let request = self.ask(ReadSourceRowsRequest { run_id, side: side.into(), rows, output_path: None }, SOON);
        self.answer(self.results().read_source_rows(request).await)
    }

    pub async fn status(&self) -> Result<WorkerStatus, Problem> {
        let request = self.ask(GetWorkerRequest {}, AT_ONCE);
        Ok(self.answer(self.jobs().get_worker(request).await)?.worker.unwrap_or_default())
    }

    /// A file, piece by piece; what is wrong with the request is told before the first. A client that takes it too slowly is
    /// given up.
    pub async fn export(
        &self,
        ticket: ResultTicket,
        format: ExportFormat,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>> + Send + use<>, Problem> {
        let place = self.exporting.enter()?;
        let request = self.ask(ExportResultRequest { ticket: Some(ticket), format: format.into() }, LONG);
        let mut results = ResultServiceClient::new(self.exports.connect_lazy());
        let mut pieces = self.answer(results.export_result(request).await)?;
        let first = pieces.message().await.map_err(|status| self.problem(&status))?;
        let pieces = futures::stream::iter(first.map(Ok)).chain(pieces);
        let pieces = pieces.map(|piece| piece.map(|piece| piece.chunk));
        let late = || Status::deadline_exceeded("the file has been taken too slowly");
        let (passing, taken) = pace::hand_on(pieces, Vec::len, late, place);
        tokio::spawn(passing);
        Ok(taken)
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
        request
    }

    fn answer<T>(&self, answer: Result<tonic::Response<T>, Status>) -> Result<T, Problem> {
        answer.map(tonic::Response::into_inner).map_err(|status| self.problem(&status))
    }

    /// What a worker tells is told on; where it tells nothing, what became of the request.
    fn problem(&self, status: &Status) -> Problem {
        if status.code() == tonic::Code::Unauthenticated {
            return self.refuses_the_token();
        }
        match Problem::decode(status.details()) {
            Ok(problem) if !problem.message.is_empty() => return problem,
            // That is told to whoever asks, and they ask again and again.
            _ if status.code() == tonic::Code::Unavailable => tracing::debug!(url = %self.url, %status, "no worker"),
            _ => tracing::warn!(url = %self.url, %status, "a worker tells no problem"),
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
