//! How jobs get to workers: over HTTP to the one of WORKER_URL, or through a broker to whoever takes them. Chosen once, when the
//! gateway starts.

use std::time::Duration;

use kalla_broker::{Broker, Dead, Depth, Published};
use kalla_proto::v1::{BrokerStatus, Code, JobPayload, JobState, JobStatus, Problem};

use crate::runs::life::{Life, Phase};
use crate::worker::{Fleet, Found, Sent, Worker};

/// Jobs that may wait in the broker. More wait in the gateway, where priorities and turns are minded; fewer would leave nothing for
/// those who count them to start more workers.
const BACKLOG: u64 = 100;
/// Somebody waits who wants to know how the broker is.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub enum Dispatch {
    Direct(Box<Worker>),
    /// Any of the workers finds in the storage how jobs have ended.
    Queue {
        broker: Box<Broker>,
        fleet: Fleet,
    },
}

impl Dispatch {
    /// How many jobs would be taken now.
    pub async fn room(&self) -> Result<usize, Problem> {
        match self {
            Self::Direct(worker) => worker.room().await,
            Self::Queue { broker, .. } => {
                let waiting = broker.depth().await?.waiting;
                Ok(usize::try_from(BACKLOG.saturating_sub(waiting)).unwrap_or(0))
            }
        }
    }

    /// How the broker is, if there is one.
    pub async fn broker(&self) -> Option<BrokerStatus> {
        let Self::Queue { broker, .. } = self else { return None };
        let url = broker.place();
        let asked = tokio::time::timeout(PATIENCE, async { futures::join!(broker.depth(), broker.dead()) });
        let (depth, dead) = match asked.await {
            Ok((Ok(depth), Ok(dead))) => (depth, dead),
            Ok((Err(problem), _) | (_, Err(problem))) => {
                return Some(BrokerStatus { url, problem: Some(problem), ..BrokerStatus::default() });
            }
            Err(_) => {
                let message = format!("the broker at {url} has not answered for {} s", PATIENCE.as_secs());
                let problem = Some(Problem::later(Code::Unavailable, message));
                return Some(BrokerStatus { url, problem, ..BrokerStatus::default() });
            }
        };
        let (Depth { waiting, under_way }, Dead { count: dead, latest: dead_letters }) = (depth, dead);
        Some(BrokerStatus { url, waiting, under_way, problem: None, dead, dead_letters })
    }

    pub async fn submit(&self, job: &JobPayload) -> Sent {
        match self {
            Self::Direct(worker) => worker.submit(job).await,
            Self::Queue { broker, .. } => match broker.publish(job).await {
                Published::Kept { place } => Sent::Taken { place: Some(place) },
                Published::Refused(problem) => Sent::Refused(problem),
                Published::Unreached(problem) => Sent::Unreached(problem),
            },
        }
    }

    /// What is known of a job.
    pub async fn ask(&self, run_id: &str, life: &Life) -> Found {
        let (broker, fleet) = match self {
            Self::Direct(worker) => return worker.job(run_id).await,
            Self::Queue { broker, fleet } => (broker, fleet),
        };
        let held = match life.place {
            Some(place) => broker.holds(place).await,
            None => Ok(true),
        };
        match (held, fleet.job(run_id).await) {
            (Err(problem), _) => Found::Unreached(problem),
            // Any worker finds in the storage how it ended.
            (_, Found::Job(status)) if tells_the_end(&status, life.attempt) => Found::Job(status),
            (Ok(true), _) => Found::Alive,
            // Nobody has it, and nobody knows how it ended.
            (Ok(false), Found::Unknown) => Found::Unknown,
            (Ok(false), _) => Found::Alive,
        }
    }

    /// Stops a job; gives what is known of it then.
    pub async fn stop(&self, run_id: &str, life: &Life) -> Found {
        let broker = match self {
            Self::Direct(worker) => return worker.cancel(run_id).await,
            Self::Queue { broker, .. } => broker,
        };
        match broker.stop(run_id).await {
            Err(problem) => Found::Unreached(problem),
            // Nobody has begun: whoever takes it later hears that nobody wants it.
            Ok(()) if life.phase == Phase::Dispatched => Found::Unknown,
            Ok(()) => Found::Alive,
        }
    }
}

/// Of this attempt, or with a result, whosever that is.
fn tells_the_end(status: &JobStatus, attempt: u32) -> bool {
    match status.state() {
        JobState::Completed => true,
        JobState::Failed | JobState::Cancelled => status.attempt >= attempt,
        _ => false,
    }
}
