//! Every outgoing callback: in order per run, progress coalesced, the terminal event repeated until someone takes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kalla_engine::Addresses;
use kalla_proto::v1::JobEvent;
use kalla_proto::v1::job_event::Event;
use kalla_serving::telemetry::trace;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::metrics::Metrics;
use crate::policy::Policy;

/// Who wants to be told about a run.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    pub url: String,
    pub token: Option<String>,
}

/// Without the token.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

#[derive(Debug, Clone)]
pub struct CallbackSettings {
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a terminal event is tried before it is left to the outbox.
    pub budget: Duration,
    /// Least time between two progress events of a run.
    pub progress_interval: Duration,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// Nobody wants this run any more.
    Gone,
    /// Not now: an error, a time-out, a server that is away.
    Failed,
}

#[derive(Clone)]
pub struct Courier {
    policy: Policy,
    /// For what a job names.
    client: reqwest::Client,
    /// For what the operator has named.
    trusted: reqwest::Client,
    pub settings: CallbackSettings,
    metrics: Metrics,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Courier {
    pub fn new(policy: Policy, settings: CallbackSettings, metrics: Metrics) -> Result<Self, reqwest::Error> {
        let client = |policy: Policy| {
            reqwest::Client::builder()
                .dns_resolver(Arc::new(policy))
                // A redirect would lead past the policy, and a proxy of the environment as well.
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(settings.timeout)
                .user_agent(concat!("kalla-worker/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        Ok(Self {
            client: client(policy.clone())?,
            trusted: client(Policy::new(Addresses::default()))?,
            policy,
            settings,
            metrics,
        })
    }

    /// One try.
    pub async fn post(&self, target: &Target, event: &JobEvent) -> Answer {
        let kind = match &event.event {
            Some(Event::Complete(_)) => "complete",
            Some(Event::Error(_)) => "error",
            _ => "progress",
        };
        let span = tracing::info_span!("callback", otel.kind = "client", kind);
        let answer = self.send(target, event, kind).instrument(span).await;
        self.metrics.callback(answer);
        answer
    }

    async fn send(&self, target: &Target, event: &JobEvent, kind: &str) -> Answer {
        let Ok(body) = serde_json::to_vec(event) else { return Answer::Failed };
        // A letter of the outbox may be older than what the operator wants now.
        let url = match self.policy.callback(&target.url) {
            Ok(url) => url,
            Err(reason) => {
                tracing::warn!(run_id = event.run_id, reason, "nobody is called back there");
                return Answer::Failed;
            }
        };
        let client = if self.policy.trusts(&url) { &self.trusted } else { &self.client };
        let key = format!("{}:{}:{}", event.run_id, event.attempt, event.seq);
        let mut request = client
            .post(format!("{}/{kind}", target.url.trim_end_matches('/')))
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", key)
            .body(body);
        if let Some(token) = &target.token
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}"))
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(parent) = trace::header(&tracing::Span::current()) {
            request = request.header(trace::TRACEPARENT, parent);
        }
        match request.send().await.map(|response| response.status()) {
            Ok(status) if status.is_success() => Answer::Accepted,
            Ok(StatusCode::GONE | StatusCode::NOT_FOUND) => Answer::Gone,
            Ok(status) => {
                tracing::debug!(kind, %status, "the callback was not accepted");
                Answer::Failed
            }
            Err(error) => {
                tracing::debug!(kind, error = %error.without_url(), "the callback did not arrive");
                Answer::Failed
            }
        }
    }

    /// Tries until someone takes the event or says that nobody wants it, or the budget is spent.
    pub async fn deliver(&self, target: &Target, event: &JobEvent) -> Answer {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post(target, event).await {
                Answer::Failed if began.elapsed() + pause < self.settings.budget => {
                    // Half of the pause is left to chance, so that many runs do not come back at the same time.
                    tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => return answer,
            }
        }
    }
}
