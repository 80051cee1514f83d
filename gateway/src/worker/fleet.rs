//! The workers that are there, and which of them is asked: all of them see the same storage.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use futures::Stream;
use kalla_broker::{Broker, GONE, Sign};
use kalla_proto::v1::{Code, Problem, StoredFile, WorkerStatus};
use kalla_serving::{Address, Room, Turn};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Found, Worker};
use crate::problem::Failure;

/// Results that are exported at the same time.
const EXPORTS: usize = 8;
/// Workers that are asked, one after the other, before whoever asks is told that none answers.
const ASKED: usize = 3;
/// Until a broker that tells nothing is listened to again.
const PAUSE: Duration = Duration::from_secs(1);

/// Clones are the same workers.
#[derive(Clone)]
pub struct Fleet(Arc<Shared>);

struct Shared {
    /// The one of WORKER_URL.
    named: Option<Worker>,
    /// What workers want to be shown.
    token: Option<String>,
    /// Those that the broker tells of, by their keys there.
    told: Mutex<BTreeMap<String, Told>>,
    /// Who is asked first takes turns.
    turn: AtomicUsize,
    exporting: Room,
    /// When it began to listen to a broker: soon after that, workers may be there that it has not heard of yet.
    began: OnceLock<Instant>,
    heard: Notify,
}

struct Told {
    worker: Worker,
    status: WorkerStatus,
    heard: Instant,
}

impl Fleet {
    pub fn new(named: Option<Worker>, token: Option<String>) -> Self {
        Self(Arc::new(Shared {
            named,
            token,
            told: Mutex::default(),
            turn: AtomicUsize::new(0),
            exporting: Room::new(EXPORTS, "results are exported"),
            began: OnceLock::new(),
            heard: Notify::new(),
        }))
    }

    /// Hears of workers until `stop`.
    pub async fn keep_listening(self, broker: Broker, stop: CancellationToken) {
        let _ = self.0.began.set(Instant::now());
        let listening = async {
            loop {
                let Err(problem) = self.listen(&broker).await;
                tracing::debug!(problem = problem.message, "workers are not heard of");
                self.keep_all();
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = listening => {}
            () = stop.cancelled() => {}
        }
    }

    /// Until something fails.
    async fn listen(&self, broker: &Broker) -> Result<std::convert::Infallible, Problem> {
        let mut signs = broker.signs().await?;
        loop {
            match tokio::time::timeout(PAUSE, signs.next()).await {
                Ok(sign) => match sign? {
                    Sign::Here(status) => self.heard(*status),
                    Sign::Left { key } => drop(self.told().remove(&key)),
                },
                Err(_) if broker.is_away() => self.keep_all(),
                Err(_) => {}
            }
        }
    }

    fn heard(&self, status: WorkerStatus) {
        let mut told = self.told();
        let key = kalla_broker::key(&status.name);
        let known = told.remove(&key).map(|told| told.worker).filter(|worker| worker.place() == status.url);
        let worker = match known.map_or_else(|| self.worker(&status.url), Ok) {
            Ok(worker) => worker,
            Err(error) => {
                tracing::warn!(name = status.name, url = status.url, error, "a worker says that it is at no address");
                return;
            }
        };
        told.insert(key, Told { worker, status, heard: Instant::now() });
        self.0.heard.notify_waiters();
    }

    /// Nobody can give a sign of life: that none comes says nothing of a worker.
    fn keep_all(&self) {
        let mut told = self.0.told.lock().unwrap_or_else(|e| e.into_inner());
        told.values_mut().for_each(|told| told.heard = Instant::now());
    }

    fn worker(&self, url: &str) -> Result<Worker, String> {
        let url: Address = url.parse()?;
        Worker::new(url, self.0.token.clone()).map_err(|error| error.to_string())
    }

    /// How those are that the broker tells of, by name.
    pub fn alive(&self) -> Vec<WorkerStatus> {
        self.told().values().map(|told| told.status.clone()).collect()
    }

    /// How many there are: the one of WORKER_URL, unless it did not answer when it was last asked, and those that the broker tells of.
    pub fn count(&self) -> usize {
        let told = self.told();
        let named = self.0.named.as_ref().filter(|named| !named.breaker.is_silent());
        let one_more = named.is_some_and(|named| told.values().all(|told| told.worker.place() != named.place()));
        told.len() + usize::from(one_more)
    }

    /// Why none is asked.
    pub fn nobody() -> Problem {
        let message = "no worker has told that it is there: is one running, with the NATS_URL of this gateway?";
        Problem::later(Code::Unavailable, message)
    }

    /// The one of WORKER_URL.
    pub fn named(&self) -> Option<&Worker> {
        self.0.named.as_ref()
    }

    /// Who is to be asked, one after the other. A gateway that has just begun waits for the first sign of life.
    pub(super) async fn to_ask(&self) -> Vec<Worker> {
        loop {
            let heard = self.0.heard.notified();
            let known = self.known();
            let wait = self.0.began.get().map_or(Duration::ZERO, |began| GONE.saturating_sub(began.elapsed()));
            if !known.is_empty() || wait.is_zero() || tokio::time::timeout(wait, heard).await.is_err() {
                return known;
            }
        }
    }

    /// Those that go on, take turns and have answered, first.
    fn known(&self) -> Vec<Worker> {
        let told = self.told();
        let storage = most_common(told.values().map(|told| told.status.storage.as_str()));
        let sees = |told: &&Told| Some(told.status.storage.as_str()) == storage;
        let mut workers: Vec<(bool, &Worker)> =
            told.values().filter(sees).map(|told| (told.status.closing, &told.worker)).collect();
        if let Some(named) = &self.0.named
            && workers.iter().all(|(_, worker)| worker.place() != named.place())
        {
            workers.push((false, named));
        }
        if !workers.is_empty() {
            let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % workers.len();
            workers.rotate_left(turn);
        }
        workers.sort_by_key(|(closing, worker)| (worker.breaker.is_silent(), *closing));
        workers.into_iter().take(ASKED).map(|(_, worker)| worker.clone()).collect()
    }

    /// What is known of a job: any of them finds in the storage how it ended.
    pub async fn job(&self, run_id: &str) -> Found {
        let mut problem = Self::nobody();
        for worker in self.to_ask().await {
            match worker.job(run_id).await {
                Found::Unreached(why) => problem = why,
                found => return found,
            }
        }
        Found::Unreached(problem)
    }

    /// Stores a file as a whole or not at all.
    pub async fn store<S, E>(&self, id: &str, bytes: S) -> Result<StoredFile, Failure>
    where
        S: Stream<Item = Result<axum::body::Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.answering().await?.store(id, bytes).await
    }

    /// Removes a file. One that is gone already is as good.
    pub async fn forget(&self, id: &str) {
        match self.answering().await {
            Ok(worker) => worker.forget(id).await,
            Err(problem) => tracing::debug!(id, problem = problem.message, "an upload stays until it is swept"),
        }
    }

    /// One that answers now: what is sent to it cannot be sent twice.
    async fn answering(&self) -> Result<Worker, Problem> {
        let mut problem = Self::nobody();
        let workers = self.to_ask().await;
        if let [only] = workers.as_slice() {
            return Ok(only.clone());
        }
        for worker in workers {
            match worker.status().await {
                Ok(_) => return Ok(worker),
                Err(why) => {
                    worker.breaker.silent(&why);
                    problem = why;
                }
            }
        }
        Err(problem)
    }

    pub(super) fn room_for_export(&self) -> Result<Turn, Problem> {
        self.0.exporting.enter()
    }

    /// Those that have given a sign of life of late.
    fn told(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        let mut told = self.0.told.lock().unwrap_or_else(|e| e.into_inner());
        told.retain(|_, told| told.heard.elapsed() < GONE);
        told
    }
}

/// The first in their order, where two are as common.
fn most_common<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn status(name: &str, storage: &str, closing: bool) -> WorkerStatus {
        let (name, storage) = (name.to_owned(), storage.to_owned());
        let url = format!("http://{}", name.replace('_', ":"));
        WorkerStatus { name, url, storage, closing, ..WorkerStatus::default() }
    }

    fn places(fleet: &Fleet) -> Vec<String> {
        fleet.known().iter().map(|worker| worker.place().trim_start_matches("http://").to_owned()).collect()
    }

    #[tokio::test]
    async fn they_take_turns_and_those_that_do_not_answer_come_last() {
        let fleet = Fleet::new(None, None);
        assert!(places(&fleet).is_empty());
        for name in ["a:1", "b:1", "c:1"] {
            fleet.heard(status(name, "s3://one", false));
        }
        fleet.heard(status("d:1", "s3://other", false));
        let (first, second) = (places(&fleet), places(&fleet));
        assert_eq!((first.len(), second.len()), (3, 3));
        assert_ne!(first[0], second[0]);
        assert!(!first.contains(&"d:1".to_owned()));
        let b = fleet.told()["b_1"].worker.clone();
        b.breaker.silent(&Fleet::nobody());
        fleet.heard(status("c:1", "s3://one", true));
        assert_eq!(places(&fleet), ["a:1", "c:1", "b:1"]);
        // It is the same worker as before, and has not answered yet.
        fleet.heard(status("b:1", "s3://one", false));
        assert_eq!(places(&fleet)[2], "b:1");
        fleet.told().get_mut("a_1").unwrap().heard -= GONE;
        assert_eq!(places(&fleet), ["c:1", "b:1"]);
    }

    #[tokio::test]
    async fn the_one_of_the_operator_is_one_more() {
        let named = Worker::new("http://a:1".parse().unwrap(), None).unwrap();
        let fleet = Fleet::new(Some(named), None);
        assert_eq!((places(&fleet), fleet.count()), (vec!["a:1".to_owned()], 1));
        fleet.heard(status("a:1", "s3://one", false));
        assert_eq!((places(&fleet), fleet.count()), (vec!["a:1".to_owned()], 1));
        fleet.heard(status("b:1", "s3://one", false));
        assert_eq!(places(&fleet).len(), 2);
        fleet.heard(WorkerStatus { url: "nowhere".to_owned(), ..status("c:1", "s3://one", false) });
        assert_eq!(places(&fleet).len(), 2);
    }

    #[test]
    fn the_storage_of_most_is_the_one() {
        assert_eq!(most_common([].into_iter()), None);
        assert_eq!(most_common(["b", "a", "b"].into_iter()), Some("b"));
        assert_eq!(most_common(["b", "a"].into_iter()), Some("a"));
    }
}
