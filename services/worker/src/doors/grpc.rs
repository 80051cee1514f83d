//! The services of `kalla.v1`, with reflection and `grpc.health.v1`.

use std::pin::Pin;

use axum::Router;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use kalla_proto::FILE_DESCRIPTOR_SET;
use kalla_proto::v1::job_service_server::{JobService, JobServiceServer};
use kalla_proto::v1::result_service_server::{ResultService, ResultServiceServer};
use kalla_proto::v1::source_service_server::{SourceService, SourceServiceServer};
use kalla_proto::v1::{self, Code, Problem};
use tonic::{Request, Response, Status};
use tonic_health::server::HealthReporter;

use super::{House, flight};
use crate::problem::grpc_status;

/// As `grpc.health.v1` names them; the empty name is the worker as a whole.
const SERVICES: [&str; 5] = [
    "",
    "kalla.v1.JobService",
    "kalla.v1.SourceService",
    "kalla.v1.ResultService",
    "arrow.flight.protocol.FlightService",
];

/// Says whether the services serve.
pub struct Health(HealthReporter);

impl Health {
    pub async fn serving(&self, serving: bool) {
        let status =
            if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
        for service in SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }
}

pub fn routes(house: &House) -> Result<(Router<House>, Health), tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let door = Grpc(house.clone());
    let router = Router::new()
        .route_service("/kalla.v1.JobService/{*method}", JobServiceServer::new(door.clone()))
        .route_service("/kalla.v1.SourceService/{*method}", SourceServiceServer::new(door.clone()))
        .route_service("/kalla.v1.ResultService/{*method}", ResultServiceServer::new(door))
        .route_service("/arrow.flight.protocol.FlightService/{*method}", flight::service(house))
        .route_service("/grpc.health.v1.Health/{*method}", health)
        .route_service("/grpc.reflection.v1.ServerReflection/{*method}", reflection().build_v1()?)
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{*method}", reflection().build_v1alpha()?);
    Ok((router, Health(reporter)))
}

#[derive(Clone)]
struct Grpc(House);

#[tonic::async_trait]
impl JobService for Grpc {
    async fn submit_job(
        &self,
        request: Request<v1::SubmitJobRequest>,
    ) -> Result<Response<v1::SubmitJobResponse>, Status> {
        let payload = job(request.into_inner().job)?;
        let run_id = payload.run_id.clone();
        self.0.service.submit(payload).await.map_err(|p| grpc_status(&p))?;
        Ok(Response::new(v1::SubmitJobResponse { run_id, status: "accepted".to_owned() }))
    }

    async fn get_job(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::GetJobResponse>, Status> {
        let job = self.0.service.get(&request.get_ref().run_id).await.map_err(|p| grpc_status(&p))?;
        Ok(Response::new(v1::GetJobResponse { job: Some(job) }))
    }

    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<v1::WatchJobResponse, Status>> + Send>>;

    async fn watch_job(&self, request: Request<v1::WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        let events = self.0.service.watch(&request.get_ref().run_id).map_err(|p| grpc_status(&p))?;
        Ok(Response::new(Box::pin(events.map(|event| Ok(v1::WatchJobResponse { event: Some(event) })))))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let job = self.0.service.cancel(&request.get_ref().run_id).await.map_err(|p| grpc_status(&p))?;
        Ok(Response::new(v1::CancelJobResponse { job: Some(job) }))
    }

    async fn check_job(&self, request: Request<v1::CheckJobRequest>) -> Result<Response<v1::CheckJobResponse>, Status> {
        let payload = job(request.into_inner().job)?;
        self.0.service.check(payload).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn dry_run_job(
        &self,
        request: Request<v1::DryRunJobRequest>,
    ) -> Result<Response<v1::DryRunJobResponse>, Status> {
        let request = request.into_inner();
        let request = v1::DryRunJobRequest { job: Some(job(request.job)?), ..request };
        self.0.service.dry_run(request).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn get_worker(
        &self,
        _request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::GetWorkerResponse>, Status> {
        Ok(Response::new(v1::GetWorkerResponse { worker: Some(self.0.service.status()) }))
    }
}

#[tonic::async_trait]
impl SourceService for Grpc {
    async fn inspect_source(
        &self,
        request: Request<v1::InspectSourceRequest>,
    ) -> Result<Response<v1::InspectSourceResponse>, Status> {
        self.0.service.inspect(request.into_inner()).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn preview_source(
        &self,
        request: Request<v1::PreviewSourceRequest>,
    ) -> Result<Response<v1::PreviewSourceResponse>, Status> {
        self.0.service.preview(request.into_inner()).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn test_connection(
        &self,
        request: Request<v1::TestConnectionRequest>,
    ) -> Result<Response<v1::TestConnectionResponse>, Status> {
        self.0.service.reach(request.into_inner()).await.map(Response::new).map_err(|p| grpc_status(&p))
    }
}

#[tonic::async_trait]
impl ResultService for Grpc {
    async fn read_result(
        &self,
        request: Request<v1::ReadResultRequest>,
    ) -> Result<Response<v1::ReadResultResponse>, Status> {
        self.0.results.page(request.into_inner().ticket).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn summarize_result(
        &self,
        request: Request<v1::SummarizeResultRequest>,
    ) -> Result<Response<v1::SummarizeResultResponse>, Status> {
        self.0.results.summary(request.into_inner().ticket).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    type ExportResultStream = Pin<Box<dyn Stream<Item = Result<v1::ExportResultResponse, Status>> + Send>>;

    async fn export_result(
        &self,
        request: Request<v1::ExportResultRequest>,
    ) -> Result<Response<Self::ExportResultStream>, Status> {
        let file = self.0.results.export(request.into_inner()).await.map_err(|p| grpc_status(&p))?;
        let chunk = |bytes: Bytes| v1::ExportResultResponse { chunk: bytes.into() };
        Ok(Response::new(Box::pin(file.map(move |bytes| bytes.map(chunk).map_err(|p| grpc_status(&p))))))
    }

    async fn explain_row(
        &self,
        request: Request<v1::ExplainRowRequest>,
    ) -> Result<Response<v1::ExplainRowResponse>, Status> {
        let mut request = request.into_inner();
        let output = self.0.results.output(&request.run_id, request.output_path.as_deref()).await;
        request.output_path = Some(output.map_err(|p| grpc_status(&p))?);
        self.0.service.explain(request).await.map(Response::new).map_err(|p| grpc_status(&p))
    }

    async fn get_manifest(
        &self,
        request: Request<v1::GetManifestRequest>,
    ) -> Result<Response<v1::GetManifestResponse>, Status> {
        let manifest = self.0.results.manifest(request.into_inner()).await.map_err(|p| grpc_status(&p))?;
        Ok(Response::new(v1::GetManifestResponse { manifest: Some(manifest) }))
    }

    async fn read_source_rows(
        &self,
        request: Request<v1::ReadSourceRowsRequest>,
    ) -> Result<Response<v1::ReadSourceRowsResponse>, Status> {
        self.0.results.source_rows(request.into_inner()).await.map(Response::new).map_err(|p| grpc_status(&p))
    }
}

fn job(job: Option<v1::JobPayload>) -> Result<v1::JobPayload, Status> {
    job.ok_or_else(|| grpc_status(&Problem::refused(Code::Invalid, "job: it is missing")))
}
