//! Arrow Flight: result sets as streams of record batches, for whoever speaks it.
//!
//! A ticket is a [`v1::ResultTicket`] as protobuf or JSON, or the text `RUN_ID/matched`. Descriptors are the path
//! `[run_id, result set]` or a ticket as command. Nothing is taken: there is no DoPut.

use arrow::error::ArrowError;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaAsIpc, SchemaResult, Ticket,
};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use kalla_engine::results::ResultSet;
use kalla_proto::json::from_json_strict;
use kalla_proto::v1::{self, Code, Problem};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::House;
use crate::convert;
use crate::problem::{self, grpc_status};
use crate::results::Description;

/// Rows of one endpoint: a larger result is offered in several, which a client may fetch at the same time.
const ENDPOINT_ROWS: u64 = 1 << 18;

pub fn service(house: &House) -> FlightServiceServer<Flight> {
    FlightServiceServer::new(Flight(house.clone()))
}

pub struct Flight(House);

type Flow<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl FlightService for Flight {
    type HandshakeStream = Flow<HandshakeResponse>;
    type ListFlightsStream = Flow<FlightInfo>;
    type DoGetStream = Flow<FlightData>;
    type DoPutStream = Flow<PutResult>;
    type DoExchangeStream = Flow<FlightData>;
    type DoActionStream = Flow<arrow_flight::Result>;
    type ListActionsStream = Flow<ActionType>;

    /// There is nothing to agree on: the token comes with every request.
    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Ok(Response::new(futures::stream::empty().boxed()))
    }

    /// The result sets of the runs of this storage; of one run, where the criteria are its run_id.
    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let wanted = String::from_utf8_lossy(&request.into_inner().expression).into_owned();
        let results = self.0.results.clone();
        let one = !wanted.is_empty();
        let runs = if one { vec![wanted] } else { results.runs().await.map_err(|p| grpc_status(&p))? };
        let infos = futures::stream::iter(runs).then(move |run_id| {
            let results = results.clone();
            async move {
                let sets = match results.sets(&run_id).await {
                    Ok(sets) => sets,
                    Err(problem) if one => return vec![Err(grpc_status(&problem))],
                    // It has no results yet, or not any more.
                    Err(problem) if problem.code() == Code::NotFound => Vec::new(),
                    Err(problem) => {
                        tracing::warn!(run_id, problem = problem.message, "the results of a run cannot be listed");
                        Vec::new()
                    }
                };
                sets.into_iter().map(|set| info(set, None)).collect()
            }
        });
        Ok(Response::new(infos.map(futures::stream::iter).flatten().boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.into_inner();
        let ticket = described(&descriptor).map_err(|p| grpc_status(&p))?;
        let found = self.0.results.describe(ticket).await.map_err(|p| grpc_status(&p))?;
        info(found, Some(descriptor)).map(Response::new)
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        // Nothing is computed that one would have to wait for.
        let info = self.get_flight_info(request).await?.into_inner();
        Ok(Response::new(PollInfo::new().with_info(info)))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let ticket = described(request.get_ref()).map_err(|p| grpc_status(&p))?;
        let schema = self.0.results.schema(ticket).await.map_err(|p| grpc_status(&p))?;
        let IpcMessage(schema) =
            SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).try_into().map_err(|e: ArrowError| defect(&e))?;
        Ok(Response::new(SchemaResult { schema }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let ticket = read_ticket(&request.into_inner().ticket).map_err(|p| grpc_status(&p))?;
        let (schema, rows) = self.0.results.rows(ticket).await.map_err(|p| grpc_status(&p))?;
        let batches = rows.map_err(|problem| FlightError::Tonic(Box::new(grpc_status(&problem))));
        let encoded = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
        Ok(Response::new(encoded.map_err(Status::from).boxed()))
    }

    async fn do_put(&self, _request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(only_read())
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(only_read())
    }

    async fn do_action(&self, _request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(only_read())
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(futures::stream::empty().boxed()))
    }
}

/// What a ticket would give. A large result is cut where that costs nothing: in the order of the file, unfiltered.
fn info(found: Description, descriptor: Option<FlightDescriptor>) -> Result<FlightInfo, Status> {
    let Description { ticket, schema, rows, bytes } = found;
    let cuttable = ticket.order.is_empty() && ticket.filters.is_empty() && ticket.search.is_none();
    let pieces = if cuttable { rows.div_ceil(ENDPOINT_ROWS).max(1) } else { 1 };
    let endpoints = (0..pieces).map(|piece| {
        let mut part = ticket.clone();
        if pieces > 1 {
            let from = piece * ENDPOINT_ROWS;
            part.offset = ticket.offset + from;
            part.limit = Some(ENDPOINT_ROWS.min(rows - from));
        }
        FlightEndpoint::new().with_ticket(Ticket::new(part.encode_to_vec()))
    });
    let path = || {
        let set = convert::result_set(ticket.result_set()).map_or("", ResultSet::name);
        FlightDescriptor::new_path(vec![ticket.run_id.clone(), set.to_owned()])
    };
    let whole = |count: u64| i64::try_from(count).unwrap_or(-1);
    Ok(FlightInfo::new()
        .try_with_schema(&schema)
        .map_err(|e| defect(&e))?
        .with_descriptor(descriptor.unwrap_or_else(path))
        .with_endpoints(endpoints.collect())
        .with_total_records(whole(rows))
        // Of a part it is not known.
        .with_total_bytes(bytes.map_or(-1, whole))
        .with_ordered(true))
}

fn defect(error: &ArrowError) -> Status {
    grpc_status(&problem::defect(&error.to_string()))
}

fn only_read() -> Status {
    Status::unimplemented("results can be read here and nothing else: jobs are submitted to kalla.v1.JobService")
}

fn described(descriptor: &FlightDescriptor) -> Result<v1::ResultTicket, Problem> {
    match descriptor.r#type() {
        DescriptorType::Cmd => read_ticket(&descriptor.cmd),
        DescriptorType::Path => read_ticket(descriptor.path.join("/").as_bytes()),
        DescriptorType::Unknown => Err(Problem::refused(
            Code::Invalid,
            "a descriptor is the path [run_id, result set], or a ticket as command",
        )),
    }
}

fn read_ticket(bytes: &[u8]) -> Result<v1::ResultTicket, Problem> {
    let text = std::str::from_utf8(bytes).ok().map(str::trim);
    if let Some(json) = text.filter(|text| text.starts_with('{')) {
        return from_json_strict(json).map_err(|errors| Problem::unreadable(&errors));
    }
    if let Some((run_id, set)) =
        text.and_then(|text| text.split_once('/')).filter(|(run_id, _)| uuid::Uuid::try_parse(run_id).is_ok())
    {
        let set: ResultSet = set.parse().map_err(|message: String| Problem::refused(Code::NotFound, message))?;
        let result_set = convert::to_wire(set).into();
        return Ok(v1::ResultTicket { run_id: run_id.to_owned(), result_set, ..Default::default() });
    }
    let ticket = v1::ResultTicket::decode(bytes).ok().filter(|ticket| !ticket.run_id.is_empty());
    ticket.ok_or_else(|| {
        let message = "this is no ticket: it is RUN_ID/matched, or a kalla.v1.ResultTicket as JSON or protobuf";
        Problem::refused(Code::Invalid, message)
    })
}
