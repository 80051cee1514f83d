//! Jobs through a broker: gateways that publish, workers that take, a bucket between them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bucket::Bucket;
use crate::client::{Client, check_counts, check_long, check_order, endless, long, recipe, run};
use crate::database;
use crate::nats::Nats;
use crate::process::{Served, free_port};
use crate::{Product, certificate, compose, story, temporary};

pub const TOKEN: &str = "between-them";
/// Short, so that what is left behind is taken on soon.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// Gateways and workers that share a broker and a bucket.
pub struct Fleet<'a> {
    dir: &'a Path,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Fleet<'a> {
    pub fn new(dir: &'a Path, nats_url: &str, bucket: &Bucket) -> Self {
        let mut variables = bucket.variables();
        variables.push(("NATS_URL", nats_url.to_owned()));
        variables.push(("KALLA_ACK_WAIT", format!("{}s", ACK_WAIT.as_secs())));
        variables.push(("KALLA_WORKER_TOKEN", TOKEN.to_owned()));
        Self { dir, variables }
    }

    /// One setting more, or another one in its place.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    pub fn start(&self, arguments: &[&str], more: &[(&str, &str)]) -> Served {
        let shared = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = shared.chain(more.iter().copied()).collect();
        Served::start(self.dir, arguments, &variables)
    }

    pub fn worker(&self) -> Served {
        self.start(&["worker", "--port", "0"], &[("KALLA_SHUTDOWN", "1s")])
    }

    /// It finds the workers by itself.
    pub fn gateway(&self) -> Served {
        self.start(&["gateway", "--port", "0"], &[])
    }

    /// With a database of its own.
    async fn on_postgres(self) -> Self {
        let name = format!("kalla_{}", uuid::Uuid::new_v4().simple());
        let server = database::create(&name, "password").await;
        self.with("DATABASE_URL", &format!("postgres://{name}:password@{server}/{name}"))
    }
}

/// The story as it is told on one machine, through what `docker-compose.scaled.yml` describes, with the rights that it gives.
#[tokio::test]
async fn the_story_through_nats_and_s3() {
    let (kept, dir) = temporary();
    let (nats, _bucket, servers) = compose::scaled(&dir).await;
    // Whoever is ready writes, reads and removes in the bucket.
    assert_eq!(Client::new(&servers[2].url).get("/ready").await.status.as_u16(), 200);
    let client = Client::new(&servers[0].url);
    let product = Product { client, dir: dir.clone(), _servers: servers, _kept: kept };
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
    let gateway = fleet.gateway();
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
    let left = format!("results/{long}/kalla-first/matched.parquet");
    bucket.put(&left, b"what it had written");
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
    assert!(!bucket.keys("results/").contains(&left), "what a killed worker has left goes");
    drop(third);
}

/// What one gateway does another one tells, and goes on with when it is gone. Workers tell where they are, and any of them reads.
#[tokio::test]
async fn gateways_share_the_work_and_workers_are_found() {
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket).on_postgres().await;
    let (first, second) = (fleet.worker(), fleet.worker());
    let (a, b) = (fleet.gateway(), fleet.gateway());
    let (at_a, at_b) = (Client::new(&a.url), Client::new(&b.url));
    let mut urls = vec![first.url.clone(), second.url.clone()];
    urls.sort();
    for client in [&at_a, &at_b] {
        assert_eq!(workers(client, 2).await, urls);
    }
    at_a.post("/api/recipes", &recipe()).await.body();
    let follower = tokio::spawn(at_b.clone().follow_all(3));
    let long = at_a.run(&endless()).await;
    let matching = at_b.until(&long, |run| run["state"] == "matching").await;
    let port = matching["worker"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    assert!(urls.iter().any(|url| url.ends_with(&format!(":{port}"))), "{matching}");
    // Who follows it at the other one hears the end at once, and not with the next look.
    let version = matching["version"].as_u64().unwrap();
    let heard = tokio::spawn({
        let (client, long) = (at_b.clone(), long.clone());
        async move { client.follow(&long, version, usize::MAX).await }
    });
    at_a.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(heard.await.unwrap().last().unwrap()["state"], "cancelled");
    check_order(&at_b.follow(&long, 0, usize::MAX).await);
    let run_id = at_b.run(&run()).await;
    check_counts(&at_a.ended(&run_id).await);

    // The one that has sent them so far dies. The other one takes that over.
    a.kill();
    let next = at_b.run(&run()).await;
    let done = at_b.ended(&next).await;
    check_counts(&done);
    check_order(&at_b.follow(&next, 0, usize::MAX).await);
    // A worker dies, and whoever reads is answered all the same.
    first.kill();
    for _ in 0..4 {
        assert_eq!(at_b.get(&format!("/api/runs/{next}/results/matched")).await.body()["total"], 2);
    }
    let file = at_b.upload("b.csv", &std::fs::read(dir.join("b.csv")).unwrap()).await.body();
    assert_eq!(file["columns"][1]["name"], "paid", "{file}");
    assert_eq!(workers(&at_b, 1).await, std::slice::from_ref(&second.url));
    let seen = follower.await.unwrap();
    assert_eq!((&seen[&long]["state"], &seen[&next]["state"]), (&"cancelled".into(), &"completed".into()));
    let (code, _) = second.interrupt();
    assert_eq!(code, Some(0));
    assert!(workers(&at_b, 0).await.is_empty());
    let system = at_b.get("/api/system").await.body();
    assert!(system["worker_problem"]["message"].as_str().unwrap().contains("no worker"), "{system}");
}

/// Where the workers are that a gateway knows, once there are so many.
async fn workers(client: &Client, count: usize) -> Vec<String> {
    loop {
        let system = client.get("/api/system").await.body();
        let workers = system["workers"].as_array().unwrap();
        if workers.len() == count {
            let mut urls: Vec<String> =
                workers.iter().map(|worker| worker["url"].as_str().unwrap().to_owned()).collect();
            urls.sort();
            return urls;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Stopped before any worker has it, a job ends at once, and whoever takes it later hears of that.
#[tokio::test]
async fn what_waits_in_the_broker_can_be_stopped() {
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket);
    let gateway = fleet.gateway();
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
    let _worker = fleet.start(&["worker", "--port", "0"], &[("KALLA_CONCURRENCY", "1")]);
    check_counts(&client.ended(&next).await);
    check_order(&client.follow(&long, 0, usize::MAX).await);
}

/// Workers that are replaced one after the other give back what they have, and nobody waits until they would be missed.
#[tokio::test]
async fn a_rolling_restart_waits_for_nothing() {
    const ACK_WAIT: Duration = Duration::from_secs(60);
    let (_kept, dir) = temporary();
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let fleet = Fleet::new(&dir, &nats.url(), &bucket).with("KALLA_ACK_WAIT", &format!("{}s", ACK_WAIT.as_secs()));
    let workers = [fleet.worker(), fleet.worker()];
    let gateway = fleet.gateway();
    let client = Client::new(&gateway.url);
    let endless = client.run(&endless()).await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(client.run(&long()).await);
    }
    client.until(&endless, |run| run["state"] == "matching").await;
    let began = Instant::now();
    let mut next = Vec::new();
    for worker in workers {
        next.push(fleet.worker());
        let (code, _) = worker.interrupt();
        assert_eq!(code, Some(0));
    }
    let again = client.until(&endless, |run| run["attempt"] != 1 && run["state"] == "matching").await;
    assert_eq!(again["failures"], 0, "{again}");
    assert!(began.elapsed() < ACK_WAIT, "{:?}", began.elapsed());
    client.post(&format!("/api/runs/{endless}/cancel"), &json!({})).await.body();
    for run_id in &runs {
        let done = client.ended(run_id).await;
        check_long(&done);
        assert_eq!(done["failures"], 0, "{done}");
        assert_eq!(done["attempt"].as_u64().unwrap(), 1 + done["interruptions"].as_u64().unwrap(), "{done}");
        check_order(&client.follow(run_id, 0, usize::MAX).await);
    }
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
    let gateway = fleet.gateway();
    let broker = &Client::new(&gateway.url).get("/api/system").await.body()["broker"];
    assert_eq!(broker["dead"], 4, "{broker}");
    let reasons: Vec<&str> =
        broker["dead_letters"].as_array().unwrap().iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    assert!(reasons.len() == 4 && reasons[3].contains("no job in protobuf"), "{reasons:?}");
    while !nats.request("$JS.API.STREAM.INFO.KALLA_JOBS").contains("\"messages\":0") {
        tokio::task::yield_now().await;
    }
}

/// A broker that speaks TLS, with a certificate that the system does not trust, and wants a password.
#[tokio::test]
async fn a_guarded_broker_is_reached_and_told_of() {
    let (_kept, dir) = temporary();
    certificate::make(&dir);
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let own =
        ["--tls", "--tlscert", &file("cert.pem"), "--tlskey", &file("key.pem"), "--user", "kalla", "--pass", "s3cret"];
    let port = free_port();
    let _nats = Nats::start_with(&dir, &port, own.map(str::to_owned));
    let bucket = Bucket::create();
    let fleet = |who: &str| Fleet::new(&dir, &format!("tls://{who}@127.0.0.1:{port}"), &bucket);
    for (who, ca, words) in
        [("kalla:wrong", "cert.pem", "does not take the credentials"), ("kalla:s3cret", "", "NATS_CA")]
    {
        let fleet = if ca.is_empty() { fleet(who) } else { fleet(who).with("NATS_CA", ca) };
        let worker = fleet.worker();
        let told = Client::new(&worker.url).get("/ready").await.refused(503);
        assert!(
            told.contains(words) && told.contains(&format!("tls://127.0.0.1:{port}")) && !told.contains("s3cret"),
            "{told}"
        );
    }
    let fleet = fleet("kalla:s3cret").with("NATS_CA", "cert.pem");
    let (_worker, gateway) = (fleet.worker(), fleet.gateway());
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    check_counts(&client.ended(&client.run(&run()).await).await);
}

/// Three brokers that keep each job three times: the one that leads is killed, and nothing stands still.
#[tokio::test]
async fn the_leader_of_the_brokers_may_die() {
    let (_kept, dir) = temporary();
    let routes: Vec<String> = (0..3).map(|_| format!("nats://127.0.0.1:{}", free_port())).collect();
    let start = |(number, route): (usize, &String)| {
        let all = routes.join(",");
        let name = number.to_string();
        let own = ["--server_name", &name, "--cluster_name", "kalla", "--cluster", route, "--routes", &all];
        Nats::start_with(&dir.join(&name), &free_port(), own.map(str::to_owned))
    };
    let mut servers: Vec<Nats> = routes.iter().enumerate().map(start).collect();
    let urls: Vec<String> = servers.iter().map(Nats::url).collect();
    let fleet = Fleet::new(&dir, &urls.join(","), &Bucket::create()).with("KALLA_NATS_REPLICAS", "3");
    let (_worker, gateway) = (fleet.worker(), fleet.gateway());
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    check_counts(&client.ended(&client.run(&run()).await).await);
    let long = client.run(&endless()).await;
    client.until(&long, |run| run["state"] == "matching").await;

    let told = servers[0].request("$JS.API.STREAM.INFO.KALLA_JOBS");
    let leader = told.split("\"leader\":\"").nth(1).and_then(|rest| rest[..1].parse::<usize>().ok());
    drop(servers.remove(leader.unwrap_or_else(|| panic!("{told}"))));
    for _ in 0..5 {
        check_counts(&client.ended(&client.run(&run()).await).await);
    }
    tokio::time::sleep(ACK_WAIT * 2).await;
    let same = client.get(&format!("/api/runs/{long}")).await.body();
    assert_eq!((&same["state"], &same["attempt"]), (&"matching".into(), &1.into()), "{same}");
    client.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&long).await["state"], "cancelled");
}
