//! Jobs through a broker: gateways that publish, workers that take, a bucket between them.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::bucket::Bucket;
use crate::client::{Client, check_counts, check_order, endless, recipe, run};
use crate::database;
use crate::nats::Nats;
use crate::process::{Served, free_port};
use crate::{Product, story, temporary};

const TOKEN: &str = "between-them";
/// Short, so that what is left behind is taken on soon.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// Gateways and workers that share a broker and a bucket.
struct Fleet<'a> {
    dir: &'a Path,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Fleet<'a> {
    fn new(dir: &'a Path, nats_url: &str, bucket: &Bucket) -> Self {
        let mut variables = bucket.variables();
        variables.push(("NATS_URL", nats_url.to_owned()));
        variables.push(("KALLA_ACK_WAIT", format!("{}s", ACK_WAIT.as_secs())));
        variables.push(("KALLA_WORKER_TOKEN", TOKEN.to_owned()));
        Self { dir, variables }
    }

    fn start(&self, arguments: &[&str], more: &[(&str, &str)]) -> Served {
        let shared = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = shared.chain(more.iter().copied()).collect();
        Served::start(self.dir, arguments, &variables)
    }

    fn worker(&self) -> Served {
        self.start(&["worker", "--port", "0"], &[("KALLA_SHUTDOWN", "1s")])
    }

    fn gateway(&self, worker: &Served) -> Served {
        self.start(&["gateway", "--port", "0"], &[("WORKER_URL", &worker.url)])
    }
}

/// The story as it is told on one machine, through a broker and a bucket.
#[tokio::test]
async fn the_story_through_nats_and_s3() {
    let (kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let name = format!("kalla_{}", uuid::Uuid::new_v4().simple());
    let server = database::create(&name, "password").await;
    let database = format!("postgres://{name}:password@{server}/{name}");
    let fleet = Fleet::new(&dir, &nats.url(), &bucket);
    let worker = fleet.worker();
    let gateway = fleet.start(&["gateway", "--port", "0"], &[("WORKER_URL", &worker.url), ("DATABASE_URL", &database)]);
    let client = Client::new(&gateway.url);
    let product = Product { client, dir: dir.clone(), _servers: vec![gateway, worker], _kept: kept };
    story::tell(&product).await;
    // What is done leaves the stream.
    let stream = nats.request("$JS.API.STREAM.INFO.KALLA_JOBS");
    assert!(stream.contains("\"messages\":0"), "{stream}");
}

#[tokio::test]
async fn a_broker_may_be_away_and_workers_may_go() {
    let (_kept, dir) = temporary();
    let port = free_port();
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &format!("nats://127.0.0.1:{port}"), &bucket);
    let first = fleet.worker();
    let gateway = fleet.gateway(&first);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let early = client.run(&run()).await;
    let told = client.until(&early, |run| run["error"].is_object()).await;
    assert!(told["error"]["error"].as_str().unwrap().contains("the broker at nats://127.0.0.1"), "{told}");
    let at_worker = Client::new(&first.url);
    assert!(at_worker.get("/ready").await.refused(503).contains("broker"));

    // It comes, and goes on after a restart with what it had.
    let mut nats = Nats::start(&dir, &port);
    check_counts(&client.ended(&early).await);
    assert_eq!(at_worker.get("/ready").await.status.as_u16(), 200);
    let long = client.run(&endless()).await;
    client.until(&long, |run| run["state"] == "matching").await;
    nats.restart();
    // Longer than what a worker may be silent: it is not, and has the job all the time.
    tokio::time::sleep(ACK_WAIT * 3).await;
    let same = client.get(&format!("/api/runs/{long}")).await.body();
    assert_eq!((&same["state"], &same["attempt"]), (&"matching".into(), &1.into()), "{same}");
    check_counts(&client.ended(&client.run(&run()).await).await);

    // A worker that is killed: another one takes its job, which is charged nothing.
    let second = fleet.worker();
    first.kill();
    let taken = client.until(&long, |run| run["attempt"] == 2 && run["state"] == "matching").await;
    assert_eq!((&taken["interruptions"], &taken["failures"]), (&1.into(), &0.into()), "{taken}");
    // One that is told to stop gives it back before it ends.
    let third = fleet.worker();
    let (code, _) = second.interrupt();
    assert_eq!(code, Some(0));
    let again = client.until(&long, |run| run["attempt"] == 3 && run["state"] == "matching").await;
    assert_eq!((&again["interruptions"], &again["failures"]), (&2.into(), &0.into()), "{again}");
    client.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&long).await["state"], "cancelled");
    check_order(&client.follow(&long, 0, usize::MAX).await);
    drop(third);
}

/// Stopped before any worker has it, a job ends at once, and whoever takes it later hears of that.
#[tokio::test]
async fn what_waits_in_the_broker_can_be_stopped() {
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket);
    let port = free_port();
    let worker_url = format!("http://127.0.0.1:{port}");
    let gateway = fleet.start(&["gateway", "--port", "0"], &[("WORKER_URL", &worker_url)]);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let long = client.run(&endless()).await;
    client.until(&long, |run| run["state"] == "dispatched").await;
    let system = client.get("/api/system").await.body();
    assert_eq!((&system["broker"]["waiting"], &system["broker"]["under_way"]), (&1.into(), &0.into()), "{system}");
    client.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&long).await["state"], "cancelled");
    // There is one place, which the first job leaves soon.
    let next = client.run(&run()).await;
    let _worker = fleet.start(&["worker", "--port", &port], &[("KALLA_CONCURRENCY", "1")]);
    check_counts(&client.ended(&next).await);
    check_order(&client.follow(&long, 0, usize::MAX).await);
}

/// What people and other programs publish.
#[tokio::test]
async fn a_person_may_publish_a_job() {
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket);
    let worker = fleet.worker();
    let client = Client::new(&worker.url).with_token(TOKEN);
    // The stream is there as soon as a worker is.
    while client.get("/ready").await.status.as_u16() != 200 {
        tokio::task::yield_now().await;
    }
    nats.publish("kalla.jobs.v1", "", "this is no job");
    nats.publish("kalla.jobs.v1", "Content-Type: application/json", "{\"sources\": 7}");
    let run_id = uuid::Uuid::new_v4().to_string();
    let job = json!({
        "run_id": run_id,
        "match_sql": "SELECT a.id FROM a JOIN b ON a.id = b.id",
        "sources": [{"alias": "a", "uri": "a.csv"}, {"alias": "b", "uri": "b.csv"}],
    });
    nats.publish("kalla.jobs.v1", "Content-Type: application/json", &job.to_string());
    let path = format!("/api/jobs/{run_id}");
    let done = loop {
        let answer = client.get(&path).await;
        if answer.status.is_success() && answer.body()["state"] == "completed" {
            break answer.body();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(done["complete"]["matched_count"], 2, "{done}");
    // One that is a job, and another one than this, and one that nobody can do and nobody waits for.
    let mut other = job.clone();
    other["match_sql"] = "SELECT 1".into();
    nats.publish("kalla.jobs.v1", "Content-Type: application/json", &other.to_string());
    other["run_id"] = uuid::Uuid::new_v4().to_string().into();
    nats.publish("kalla.jobs.v1", "Content-Type: application/json", &other.to_string());
    while !nats.request("$JS.API.STREAM.INFO.KALLA_DEAD").contains("\"messages\":4") {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.get(&path).await.body()["state"], "completed");
    while !nats.request("$JS.API.STREAM.INFO.KALLA_JOBS").contains("\"messages\":0") {
        tokio::task::yield_now().await;
    }
}
