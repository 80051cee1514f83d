//! Traces as OTLP over HTTP, with the requests of this process: `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin say where to and how.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

use super::{Set, TelemetryError};

/// A collector that does not answer is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// The one that is spoken.
const PROTOCOL: &str = "http/protobuf";

/// Where traces go. Nowhere, where no endpoint is set.
pub fn traces(service: &str, set: Set) -> Result<SdkTracerProvider, TelemetryError> {
    let set = |names: &[&str]| names.iter().find_map(|name| set(name).filter(|text| !text.is_empty()));
    let provider = SdkTracerProvider::builder();
    let off = set(&["OTEL_SDK_DISABLED"]).is_some_and(|text| text.eq_ignore_ascii_case("true"))
        || set(&["OTEL_TRACES_EXPORTER"]).is_some_and(|text| text == "none");
    if off || set(&ENDPOINTS).is_none() {
        return Ok(provider.build());
    }
    if let Some(other) = set(&PROTOCOLS).filter(|protocol| protocol != PROTOCOL) {
        let message = format!("OTEL_EXPORTER_OTLP_PROTOCOL is {other}: this version speaks {PROTOCOL}");
        return Err(TelemetryError::Traces(message));
    }
    let wrong = |error: &dyn std::fmt::Display| TelemetryError::Traces(error.to_string());
    let http = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|error| wrong(&error))?;
    let client = Client { http, runtime: Handle::current() };
    let exporter =
        SpanExporter::builder().with_http().with_http_client(client).build().map_err(|error| wrong(&error))?;
    let resource = Resource::builder();
    let resource = match set(&["OTEL_SERVICE_NAME"]) {
        Some(_) => resource,
        None => resource.with_service_name(service.to_owned()),
    };
    Ok(provider.with_batch_exporter(exporter).with_resource(resource.build()).build())
}

/// The exporter has a thread of its own, where no runtime is.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let (head, body) = request.into_parts();
            let sent = http.request(head.method, head.uri.to_string()).headers(head.headers).body(body).send().await?;
            let mut answer = Response::builder().status(sent.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(sent.headers());
            }
            Ok::<_, HttpError>(answer.body(sent.bytes().await?)?)
        });
        sent.await?
    }
}
