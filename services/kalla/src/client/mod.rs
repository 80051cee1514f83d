//! Commands that ask a running gateway.

mod ready;
mod recipes;
mod runs;

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use kalla_engine::Error;
use kalla_proto::v1::{Code, Problem, Upload};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

pub use ready::ready;
pub use recipes::recipes;
pub use runs::{Outcome, ended, report, run, runs};

use crate::output::{self, FAILED};

const CONNECT: Duration = Duration::from_secs(5);

/// Bytes of a file that are sent at a time.
const PIECE: usize = 256 << 10;

pub type Answer<T> = Result<T, Problem>;

/// A gateway somewhere.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
    url: String,
}

impl Gateway {
    pub fn new(url: &str) -> Answer<Self> {
        let http = reqwest::Client::builder().connect_timeout(CONNECT).build();
        let http = http.map_err(|e| Problem::refused(Code::Internal, e.to_string()))?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Answer<T> {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Answer<T> {
        let body = serde_json::to_vec(body).map_err(|e| Problem::refused(Code::Internal, e.to_string()))?;
        self.send(self.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body)).await
    }

    /// Sends a file, which is read as it goes.
    pub async fn upload(&self, path: &Path) -> Answer<Upload> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let failed = |e: std::io::Error| Problem::refused(Code::Invalid, format!("{}: {e}", path.display()));
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let boundary = format!("kalla-{}", uuid::Uuid::new_v4().simple());
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{quoted}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let piece = |text: String| futures::stream::iter([Ok::<_, std::io::Error>(text.into_bytes())]);
        let content = futures::stream::try_unfold(file, async |mut file| {
            let mut bytes = vec![0; PIECE];
            let read = file.read(&mut bytes).await?;
            bytes.truncate(read);
            Ok((read > 0).then_some((bytes, file)))
        });
        let pieces = piece(head).chain(content).chain(piece(tail));
        let request = self.request(Method::POST, "/api/uploads");
        let request = request.header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
        self.send(request.body(Body::wrap_stream(pieces))).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Answer<T> {
        let away = |error: reqwest::Error| {
            let url = &self.url;
            let message = match error.is_connect() {
                true => format!("no gateway answers at {url}: start one with `kalla up`, or name another with --url"),
                false => format!("the gateway at {url} broke off: {}", error.without_url()),
            };
            Problem::later(Code::Unavailable, message)
        };
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let text = response.text().await.map_err(away)?;
        if status.is_success() {
            let strange = |e| Problem::later(Code::Unavailable, format!("{} is no gateway of Kalla: {e}", self.url));
            return serde_json::from_str(&text).map_err(strange);
        }
        Err(serde_json::from_str::<Problem>(&text)
            .unwrap_or_else(|_| Problem::later(Code::Unavailable, format!("{} answers {status}", self.url))))
    }
}

/// What a command ends with.
fn done(answer: Answer<u8>, json: bool) -> Result<u8, Error> {
    answer.or_else(|problem| {
        if json {
            output::json_problem(&problem);
        }
        output::complain_of(&problem);
        Ok(FAILED)
    })
}
