//! Machines that die at bad moments: workers and gateways are killed, NATS and Postgres fall over, S3 is overloaded now and again, and every
//! run ends once, with all its rows. `KALLA_CHAOS_RUNS`, `KALLA_CHAOS_SECONDS` and `KALLA_CHAOS_SEED` make it longer, or the same again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::bucket::Bucket;
use crate::client::{Client, check_counts, check_long, check_order, long, recipe, run};
use crate::cluster::Cluster;
use crate::nats::Nats;
use crate::process::{Served, free_port};
use crate::scaled::Fleet;
use crate::temporary;

const WORKERS: usize = 3;
const GATEWAYS: usize = 2;
/// One of so many requests to S3 is refused.
const OVERLOADED: u32 = 10;

/// How long, and what is repeated.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_doubled() {
    let runs = setting("KALLA_CHAOS_RUNS", 40);
    let time = Duration::from_secs(setting("KALLA_CHAOS_SECONDS", 30));
    let seed = setting("KALLA_CHAOS_SEED", fastrand::u64(..));
    let again = format!("KALLA_CHAOS_RUNS={runs} KALLA_CHAOS_SECONDS={} KALLA_CHAOS_SEED={seed}", time.as_secs());
    // Shown where it fails.
    #[allow(clippy::print_stdout)]
    {
        println!("{again}");
    }

    let (_kept, dir) = temporary();
    let mut postgres = Cluster::trusting();
    drop(postgres.admin().await);
    let nats = Nats::start(&dir, &free_port());
    let bucket = Bucket::create();
    let calm = Arc::new(AtomicBool::new(false));
    let overloaded = overloaded(bucket.endpoint(), fastrand::Rng::with_seed(seed), Arc::clone(&calm)).await;
    let database = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    let fleet = Fleet::new(&dir, &nats.url(), &bucket)
        .with("AWS_ENDPOINT_URL", &overloaded)
        .with("DATABASE_URL", &database)
        .with("KALLA_KEEP_STAGED", "0");
    let ports: Vec<String> = (0..WORKERS + GATEWAYS).map(|_| free_port()).collect();
    let machines = ports.iter().enumerate().map(|(place, port)| Some(start(&fleet, place, port))).collect();
    let gateways: Vec<Client> =
        ports[WORKERS..].iter().map(|port| Client::new(&format!("http://127.0.0.1:{port}"))).collect();
    gateways[0].post("/api/recipes", &recipe()).await.body();

    let bucket = Arc::new(bucket);
    let asked = tokio::spawn(ask_for(runs, time, gateways.clone(), Arc::clone(&bucket)));
    let mut chaos =
        Chaos { fleet: &fleet, ports: &ports, machines, nats, postgres, random: fastrand::Rng::with_seed(seed) };
    chaos.reign(time).await;
    calm.store(true, Ordering::Relaxed);
    let asked = asked.await.unwrap();

    let client = &gateways[0];
    let mut left_over = 0;
    for (number, run_id) in (0..).zip(&asked) {
        let done = client.ended(run_id).await;
        if is_long(number) {
            check_long(&done);
        } else {
            check_counts(&done);
        }
        assert_eq!(done["failures"], 0, "{done}");
        check_order(&client.follow(run_id, 0, usize::MAX).await);
        let manifest = client.get(&format!("/api/runs/{run_id}/manifest")).await.body();
        check_result(&manifest, run_id, &bucket);
        left_over += usize::from(
            bucket.keys(&format!("results/{run_id}/")).len() > manifest["files"].as_array().unwrap().len() + 1,
        );
    }
    // Whoever is killed in the midst of a job that another one has ended meanwhile leaves what only a day's age tells.
    assert!(
        left_over <= asked.len() / 20,
        "{left_over} of {} results have files of other attempts beside them",
        asked.len()
    );
    let empty = async {
        for folder in ["inbox/", "outbox/", "staged/"] {
            while !bucket.keys(folder).is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), empty).await.expect("nothing waits, and nothing is kept for later");
    let all = client.get("/api/runs?limit=1000").await.body();
    assert_eq!(all["runs"].as_array().unwrap().len(), asked.len(), "each was made once");
}

/// Every fourth run takes long enough to be met in its midst.
fn is_long(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn start(fleet: &Fleet, place: usize, port: &str) -> Served {
    // Whoever starts looks into a bucket that this process serves as well.
    tokio::task::block_in_place(|| match place {
        0..WORKERS => fleet.start(&["worker", "--port", port], &[("KALLA_CONCURRENCY", "2")]),
        _ => fleet.start(&["gateway", "--port", port], &[]),
    })
}

struct Chaos<'a> {
    fleet: &'a Fleet<'a>,
    ports: &'a [String],
    /// `None`: it is down.
    machines: Vec<Option<Served>>,
    nats: Nats,
    postgres: Cluster,
    random: fastrand::Rng,
}

impl Chaos<'_> {
    /// One machine after the other is killed and comes back; NATS and Postgres fall over twice.
    async fn reign(&mut self, time: Duration) {
        let began = Instant::now();
        let mut falls = [(0.2, true), (0.4, false), (0.6, true), (0.8, false)].into_iter().peekable();
        while began.elapsed() < time {
            self.pause(100..1500).await;
            let victim = self.random.usize(..self.machines.len());
            if let Some(machine) = self.machines[victim].take() {
                machine.kill();
            }
            if let Some((_, is_nats)) = falls.next_if(|(share, _)| began.elapsed() >= time.mul_f64(*share)) {
                match is_nats {
                    true => tokio::task::block_in_place(|| self.nats.restart()),
                    false => tokio::task::block_in_place(|| self.postgres.crash()),
                }
            }
            self.pause(0..1500).await;
            self.machines[victim] = Some(start(self.fleet, victim, &self.ports[victim]));
        }
    }

    async fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.random.u64(milliseconds))).await;
    }
}

/// Asks one gateway or the other for runs, spread over the time, each until it is answered, and reads results now and then. Gives the
/// runs that were made.
async fn ask_for(runs: u64, time: Duration, gateways: Vec<Client>, bucket: Arc<Bucket>) -> Vec<String> {
    let pause = time / u32::try_from(runs).unwrap();
    let mut made: Vec<String> = Vec::new();
    for number in 0..runs {
        let key = format!("run-{number}");
        let asked = if is_long(number) { long() } else { run() };
        let mut gateways = gateways.iter().cycle().skip(usize::try_from(number).unwrap() % GATEWAYS);
        loop {
            let client = gateways.next().unwrap();
            let answer = client.try_post("/api/runs", &[("idempotency-key", &key)], &asked).await;
            if let Some(answer) = answer.filter(|answer| answer.status.is_success()) {
                made.push(answer.body()["run_id"].as_str().unwrap().to_owned());
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(pause).await;
        // Whoever reads meanwhile sees a whole result, or none.
        let earlier = &made[made.len().saturating_sub(5)];
        if let Some(answer) = gateways.next().unwrap().try_get(&format!("/api/runs/{earlier}/manifest")).await
            && answer.status.is_success()
        {
            check_result(&answer.body(), earlier, &bucket);
        }
    }
    made
}

/// All that the manifest names is there, as it says.
fn check_result(manifest: &Value, run_id: &str, bucket: &Bucket) {
    assert_eq!(manifest["run_id"], run_id, "{manifest}");
    let files = manifest["files"].as_array().unwrap();
    assert!(files.len() >= 3, "{manifest}");
    for file in files {
        let bytes = bucket.get(file["path"].as_str().unwrap());
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)), "{file}");
    }
}

/// An S3 server in front of the one at `upstream`, which has too much to do now and again, until all is `calm`.
async fn overloaded(upstream: String, random: fastrand::Rng, calm: Arc<AtomicBool>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::new(Overloaded { upstream, http: reqwest::Client::new(), random: Mutex::new(random), calm });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass).with_state(server)).await });
    format!("http://{address}")
}

struct Overloaded {
    upstream: String,
    http: reqwest::Client,
    random: Mutex<fastrand::Rng>,
    calm: Arc<AtomicBool>,
}

async fn pass(State(server): State<Arc<Overloaded>>, request: Request) -> Response {
    let refused = server.random.lock().unwrap().u32(..OVERLOADED) == 0;
    if refused && !server.calm.load(Ordering::Relaxed) {
        let body = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/xml")], body).into_response();
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let url = format!("{}{}", server.upstream, head.uri);
    let mut sent = server.http.request(head.method, url).body(body);
    for (name, value) in &passed_on(&head.headers) {
        sent = sent.header(name, value);
    }
    let Ok(answer) = sent.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), passed_on(answer.headers()));
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    (status, headers, Body::from(body)).into_response()
}

/// Without what is a connection's own.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}
