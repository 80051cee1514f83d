//! The API as a program uses it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_secs(120);
/// Until someone comes back whose stream was cut.
const COME_BACK: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub struct Client {
    pub url: String,
    http: reqwest::Client,
    token: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub tag: Option<String>,
    pub text: String,
}

impl Answer {
    /// The body, after a success.
    pub fn body(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The message of the problem, after a refusal with this status.
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text));
        problem["message"].as_str().unwrap().to_owned()
    }
}

impl Client {
    /// Each request has a connection of its own: servers come and go.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0).build().unwrap(),
            token: None,
        }
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        Ok(Answer { status: response.status(), tag, text: response.text().await? })
    }

    /// `None`: there is nobody, or nobody who answers to the end.
    pub async fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send(Method::GET, path, &[], None).await.ok()
    }

    /// `None`: there is nobody, or nobody who answers to the end.
    pub async fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
        self.try_send(Method::POST, path, headers, Some(body)).await.ok()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn get_owned(&self, path: String) -> Answer {
        self.get(&path).await
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.bytes().await.unwrap().to_vec()
    }

    /// As a form of a browser sends a file.
    pub async fn upload(&self, name: &str, content: &[u8]) -> Answer {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        let mut body =
            format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").into_bytes();
        body.extend(content);
        body.extend(b"\r\n--x--\r\n");
        let request = self.http.post(format!("{}/api/uploads", self.url));
        let request = request.header("content-type", "multipart/form-data; boundary=x").body(body);
        let response = request.send().await.unwrap();
        Answer { status: response.status(), tag: None, text: response.text().await.unwrap() }
    }

    /// Makes a run and gives its id.
    pub async fn run(&self, request: &Value) -> String {
        let answer = self.post("/api/runs", request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.body()["run_id"].as_str().unwrap().to_owned()
    }

    /// The events of a run behind `after`, until it has ended or as many as `limit` have come.
    pub async fn follow(&self, run_id: &str, after: u64, limit: usize) -> Vec<Value> {
        let request = self.http.get(format!("{}/api/runs/{run_id}/events", self.url));
        let response = request.header("last-event-id", after.to_string()).send().await.unwrap();
        if response.status() == StatusCode::NO_CONTENT {
            return Vec::new();
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (mut stream, mut events) = (Events::new(response), Vec::new());
        while events.len() < limit {
            let Some((_, number, event)) = stream.next().await else { break };
            assert_eq!(event["seq"], number);
            events.push(event);
        }
        events
    }

    /// Every run, as it was seen last by someone who follows all of them and comes back whenever the stream is cut, once so
    /// many have ended.
    pub async fn follow_all(self, runs: usize) -> BTreeMap<String, Value> {
        let (mut seen, mut after) = (BTreeMap::<String, Value>::new(), 0);
        let ended = |seen: &BTreeMap<String, Value>| seen.values().filter(|run| has_ended(run)).count();
        while ended(&seen) < runs {
            let request = self.http.get(format!("{}/api/runs/events", self.url));
            let Ok(response) = request.header("last-event-id", after.to_string()).send().await else {
                tokio::time::sleep(COME_BACK).await;
                continue;
            };
            let mut stream = Events::new(response);
            while ended(&seen) < runs {
                let Some((name, number, run)) = stream.next().await else { break };
                assert_eq!((name.as_str(), number >= after), ("run", true), "{number} after {after}");
                after = number;
                let known = seen.entry(run["run_id"].as_str().unwrap().to_owned()).or_default();
                // What came late is told by its version.
                if known["version"].as_u64() < run["version"].as_u64() {
                    *known = run;
                }
            }
        }
        seen
    }

    /// The first event for someone who follows all runs; `query`: from where.
    pub async fn first_change(&self, query: &str) -> (String, u64, Value) {
        let response = self.http.get(format!("{}/api/runs/events{query}", self.url)).send().await.unwrap();
        Events::new(response).next().await.unwrap()
    }

    /// Begins an upload that never ends; gives what becomes of it, once much of it is on its way.
    pub async fn begin_upload(&self) -> JoinHandle<reqwest::Result<reqwest::Response>> {
        let (sender, begun) = tokio::sync::oneshot::channel();
        let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.csv\"\r\n\r\n".to_owned();
        let head = futures::stream::iter([Ok::<_, std::io::Error>(head.into_bytes())]);
        // More than a worker holds in memory.
        let rows = futures::stream::repeat_with(|| Ok("1,1.00\n".repeat(32 << 10).into_bytes())).take(64);
        let never = futures::stream::once(async move {
            sender.send(()).unwrap();
            std::future::pending().await
        });
        let request = self.http.post(format!("{}/api/uploads", self.url));
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        let sent = tokio::spawn(request.body(reqwest::Body::wrap_stream(head.chain(rows).chain(never))).send());
        begun.await.unwrap();
        sent
    }

    /// The run, once it has ended.
    pub async fn ended(&self, run_id: &str) -> Value {
        self.until(run_id, has_ended).await
    }

    /// The run, once `holds` of it.
    pub async fn until(&self, run_id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let run = self.get(&format!("/api/runs/{run_id}")).await.body();
                if holds(&run) {
                    return run;
                }
                let version = run["version"].as_u64().unwrap();
                // Until something happens to it, or a while has passed.
                let _ = tokio::time::timeout(Duration::from_secs(1), self.follow(run_id, version, 1)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(run) => run,
            Err(_) => panic!("in vain: {}", self.get(&format!("/api/runs/{run_id}")).await.text),
        }
    }
}

fn has_ended(run: &Value) -> bool {
    matches!(run["state"].as_str(), Some("completed" | "failed" | "cancelled"))
}

/// Server-sent events as they arrive: name, number, data.
struct Events {
    chunks: BoxStream<'static, reqwest::Result<axum::body::Bytes>>,
    text: String,
}

impl Events {
    fn new(response: reqwest::Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { chunks: response.bytes_stream().boxed(), text: String::new() }
    }

    /// `None` when the stream ends, or breaks.
    async fn next(&mut self) -> Option<(String, u64, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let found = field("data:").map(|data| {
                    let (name, number) = (field("event:").unwrap(), field("id:").unwrap());
                    (name.to_owned(), number.parse().unwrap(), serde_json::from_str(data).unwrap())
                });
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            self.text += std::str::from_utf8(&self.chunks.next().await?.ok()?).unwrap();
        }
    }
}

/// Numbers of events: 1, 2, 3, … with none left out and none twice.
pub fn check_order(events: &[Value]) {
    let found: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..=found.len() as u64).collect();
    assert_eq!(found, expected);
    let ends = events.iter().filter(|event| has_ended(event));
    assert_eq!(ends.count(), 1, "one end: {events:?}");
}

/// A recipe over two files of three and four rows, of which two match.
pub fn recipe() -> Value {
    json!({
        "recipe_id": "invoice-payment",
        "name": "Invoices against payments",
        "match_sql": "SELECT i.id, p.paid FROM invoices i JOIN payments p ON i.id = p.id",
        "sources": {
            "left": {"alias": "invoices", "type": "file", "uri": "a.csv", "primary_key": ["id"]},
            "right": {"alias": "payments", "type": "file"},
        },
    })
}

/// Rows of `some.csv`.
const SOME: u64 = 12_000;

pub fn write_files(dir: &std::path::Path) {
    std::fs::write(dir.join("a.csv"), "id,amount\n1,10.00\n2,20.00\n3,30.00\n").unwrap();
    std::fs::write(dir.join("b.csv"), "id,paid\n2,20.00\n3,30.01\n4,40.00\n5,50.00\n").unwrap();
    let rows: String = (0..200_000).map(|n| format!("{n},{n}\n")).collect();
    std::fs::write(dir.join("many.csv"), format!("id,n\n{rows}")).unwrap();
    let rows: String = (0..SOME).map(|n| format!("{n}\n")).collect();
    std::fs::write(dir.join("some.csv"), format!("n\n{rows}")).unwrap();
}

/// A run of [`recipe`] on those files.
pub fn run() -> Value {
    json!({"recipe_id": "invoice-payment", "sources": {"right": {"uri": "b.csv"}}})
}

/// A run that takes a moment: each row is compared with each.
pub fn long() -> Value {
    json!({"recipe": {
        "match_sql": "SELECT l.n FROM l JOIN r ON abs(l.n - r.n) * 2 < 1",
        "sources": {"left": {"alias": "l", "uri": "some.csv"}, "right": {"alias": "r", "uri": "some.csv"}},
    }})
}

/// That a run of [`long`] has completed, with all its rows.
pub fn check_long(run: &Value) {
    let counts = ["matched_count", "total_left", "total_right"].map(|name| run["complete"][name].as_u64());
    assert_eq!((&run["state"], counts), (&"completed".into(), [Some(SOME); 3]), "{run}");
}

/// A run that has to be stopped.
pub fn endless() -> Value {
    json!({"recipe": {
        "match_sql": "SELECT l.id FROM l JOIN r ON l.n * r.n - l.n > 9000000000000",
        "sources": {"left": {"alias": "l", "uri": "many.csv"}, "right": {"alias": "r", "uri": "many.csv"}},
    }})
}

/// The counts of a completed run of [`recipe`].
pub fn check_counts(run: &Value) {
    assert_eq!(run["state"], "completed", "{run}");
    let counts = &run["complete"];
    let found = ["matched_count", "unmatched_left_count", "unmatched_right_count", "total_left", "total_right"]
        .map(|name| counts[name].as_u64().unwrap());
    assert_eq!(found, [2, 1, 2, 3, 4], "{run}");
    for file in ["matched", "unmatched_left", "unmatched_right"] {
        let path = counts["output_paths"][file].as_str().unwrap();
        assert!(
            path.starts_with("s3://") || path.starts_with("gs://") || std::path::Path::new(path).is_file(),
            "{path}"
        );
    }
}
