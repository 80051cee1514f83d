//! A receiver of callbacks, as the gateway is one, that can be told to fail.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::Notify;

/// What was sent to one run's callback.
#[derive(Debug, Clone)]
pub struct Call {
    pub kind: String,
    pub body: Value,
    pub authorization: Option<String>,
    pub key: String,
    pub accepted: bool,
}

impl Call {
    pub fn is_terminal(&self) -> bool {
        self.kind != "progress"
    }
}

/// How the callback of a run answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mood {
    /// Terminal events that are answered with 500 first.
    pub failures: usize,
    /// Progress is answered with 410.
    pub gone: bool,
    /// A third of all requests is answered with 500, never, or by closing the connection.
    pub stormy: bool,
}

#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<Received>,
}

#[derive(Default)]
struct Received {
    calls: Mutex<Vec<Call>>,
    moods: Mutex<HashMap<String, Mood>>,
    arrived: Notify,
    requests: AtomicUsize,
}

impl Sink {
    pub async fn start() -> Self {
        let state = Arc::new(Received::default());
        let router = Router::new().route("/callback/{kind}", post(receive)).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}/callback", self.address)
    }

    pub fn set_mood(&self, run_id: &str, mood: Mood) {
        self.state.moods.lock().unwrap().insert(run_id.to_owned(), mood);
    }

    pub fn calls(&self, run_id: &str) -> Vec<Call> {
        self.state.calls.lock().unwrap().iter().filter(|call| call.body["run_id"] == run_id).cloned().collect()
    }

    /// Waits until `found` gives something of the calls of a run.
    pub async fn wait<T>(&self, run_id: &str, what: &str, found: impl Fn(&[Call]) -> Option<T>) -> T {
        let search = async {
            loop {
                let arrived = self.state.arrived.notified();
                if let Some(found) = found(&self.calls(run_id)) {
                    return found;
                }
                arrived.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(60), search).await {
            Ok(found) => found,
            Err(_) => panic!("{run_id}: no {what} within a minute: {:#?}", self.calls(run_id)),
        }
    }

    /// Waits until a job matches.
    pub async fn matching(&self, run_id: &str) {
        self.wait(run_id, "matching", |calls| calls.iter().find(|call| call.body["stage"] == "matching").map(drop))
            .await;
    }

    /// The terminal event that was accepted.
    pub async fn terminal(&self, run_id: &str) -> Call {
        self.wait(run_id, "terminal event", |calls| calls.iter().find(|c| c.is_terminal() && c.accepted).cloned()).await
    }
}

async fn receive(
    State(state): State<Arc<Received>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).expect("a callback is JSON");
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    let run_id = body["run_id"].as_str().expect("a run_id").to_owned();
    let stormy = state.moods.lock().unwrap().get(&run_id).is_some_and(|mood| mood.stormy);
    match state.requests.fetch_add(1, Ordering::Relaxed) % 9 {
        0 if stormy => return StatusCode::INTERNAL_SERVER_ERROR,
        3 if stormy => std::future::pending().await,
        // Ends the task of the connection, and with it the connection.
        6 if stormy => std::panic::resume_unwind(Box::new("closed")),
        _ => {}
    }
    let status = {
        let mut moods = state.moods.lock().unwrap();
        let mood = moods.entry(run_id).or_default();
        if kind == "progress" {
            if mood.gone { StatusCode::GONE } else { StatusCode::NO_CONTENT }
        } else if mood.failures > 0 {
            mood.failures -= 1;
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    };
    let key = header("idempotency-key").expect("an idempotency key");
    let mut calls = state.calls.lock().unwrap();
    // As whoever keeps what it is told does: the same thing told again is taken, and is nothing new.
    let is_new = !calls.iter().any(|call| call.accepted && call.key == key);
    let call =
        Call { kind, body, authorization: header("authorization"), key, accepted: status.is_success() && is_new };
    calls.push(call);
    drop(calls);
    state.arrived.notify_waiters();
    status
}
