//! What is seen of a run from outside: one trace through gateway, broker, worker and process to the callback, and a line for each request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use reqwest::Method;
use serde_json::Value;

use crate::bucket::Bucket;
use crate::client::{Client, check_counts, recipe, run};
use crate::nats::Nats;
use crate::process::free_port;
use crate::scaled::Fleet;
use crate::temporary;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The span of whoever asks.
const PARENT: &str = "00f067aa0ba902b7";

/// A span as a collector gets it.
#[derive(Debug, Clone)]
struct Span {
    service: String,
    name: String,
    id: String,
    parent: String,
}

/// What a collector was sent of one trace.
#[derive(Default)]
struct Collector(Mutex<Vec<Span>>);

impl Collector {
    /// Gives its address.
    async fn start(self: &Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<Arc<Collector>>, body: Bytes) {
    for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let attributes = resource.resource.unwrap().attributes;
        let service = attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
        let service = format!("{:?}", service.value.unwrap());
        let service = ["kalla-gateway", "kalla-worker"].into_iter().find(|name| service.contains(name)).unwrap();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            if hex::encode(&span.trace_id) == TRACE {
                let (id, parent) = (hex::encode(&span.span_id), hex::encode(&span.parent_span_id));
                let service = service.to_owned();
                collector.0.lock().unwrap().push(Span { service, name: span.name, id, parent });
            }
        }
    }
}

#[tokio::test]
async fn a_run_is_one_trace_and_each_request_a_line() {
    let collector = Arc::new(Collector::default());
    let endpoint = collector.start().await;
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket)
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .with("OTEL_BSP_SCHEDULE_DELAY", "100")
        .with("KALLA_LOG_FORMAT", "json");
    let _worker = fleet.worker();
    let gateway = fleet.gateway();
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str()), ("x-request-id", "of-a-program")];
    let made = client.send(Method::POST, "/api/runs", &headers, Some(&run())).await.body();
    check_counts(&client.ended(made["run_id"].as_str().unwrap()).await);

    let expected = [
        ("kalla-gateway", "POST /api/runs", "asks"),
        ("kalla-gateway", "dispatch", "POST /api/runs"),
        ("kalla-worker", "job", "POST /api/runs"),
        ("kalla-worker", "process", "job"),
        ("kalla-worker", "staging", "process"),
        ("kalla-worker", "matching", "process"),
        ("kalla-worker", "writing results", "process"),
        ("kalla-worker", "callback", "job"),
        ("kalla-gateway", "POST /api/worker/complete", "callback"),
    ];
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let spans = collector.spans();
        let names: BTreeMap<&str, &str> = spans.iter().map(|span| (span.id.as_str(), span.name.as_str())).collect();
        let parent = |span: &Span| match span.parent.as_str() {
            PARENT => "asks".to_owned(),
            parent => names.get(parent).copied().unwrap_or("?").to_owned(),
        };
        let found: BTreeSet<(String, String, String)> =
            spans.iter().map(|span| (span.service.clone(), span.name.clone(), parent(span))).collect();
        let missing: Vec<_> = expected
            .iter()
            .filter(|(service, name, parent)| {
                !found.contains(&((*service).to_owned(), (*name).to_owned(), (*parent).to_owned()))
            })
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "{missing:?} are missing of {found:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let (_, lines) = gateway.interrupt();
    let lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_it = |line: &&Value| line["span"]["request_id"] == "of-a-program" && line["message"] == "answered";
    let line = lines.iter().find(of_it).unwrap();
    assert_eq!(line["status"], 201, "{line}");
    let span = &line["span"];
    for (name, value) in
        [("trace_id", TRACE), ("route", "/api/runs"), ("method", "POST"), ("client", "127.0.0.1"), ("actor", "local")]
    {
        assert_eq!(span[name], value, "{line}");
    }
}
