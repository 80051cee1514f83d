//! Parts that die at bad moments: every run ends once, with the right counts, and no event is lost.

use std::path::Path;

use crate::client::{Client, check_counts, check_order, endless, recipe, run};
use crate::process::Served;
use crate::temporary;

const TOKEN: (&str, &str) = ("KALLA_WORKER_TOKEN", "between-the-two");

fn worker(dir: &Path, port: &str) -> Served {
    Served::start(dir, &["worker", "--port", port], &[TOKEN])
}

fn gateway(dir: &Path, port: &str, worker_url: &str) -> Served {
    Served::start(dir, &["gateway", "--port", port], &[TOKEN, ("WORKER_URL", worker_url)])
}

fn port(url: &str) -> String {
    url.rsplit_once(':').unwrap().1.to_owned()
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// Runs that were taken on while no worker was there, by a gateway that died before it could send them.
#[tokio::test]
async fn what_was_saved_is_sent_after_a_crash() {
    let (_kept, dir) = temporary();
    let worker_port = free_port();
    let worker_url = format!("http://127.0.0.1:{worker_port}");
    let first = gateway(&dir, "0", &worker_url);
    let client = Client::new(&first.url);
    let gateway_port = port(&first.url);
    client.post("/api/recipes", &recipe()).await.body();
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(client.run(&run()).await);
    }
    let waiting = client.until(&runs[0], |run| run["error"].is_object()).await;
    assert_eq!(waiting["state"], "pending");
    assert!(waiting["error"]["error"].as_str().unwrap().contains("is it running?"), "{waiting}");
    first.kill();

    let _worker = worker(&dir, &worker_port);
    let _second = gateway(&dir, &gateway_port, &worker_url);
    for run_id in &runs {
        let done = client.ended(run_id).await;
        check_counts(&done);
        assert!(done["error"].is_null(), "{done}");
        check_order(&client.follow(run_id, 0, usize::MAX).await);
    }
}

/// A gateway that is killed while runs go on, again and again.
#[tokio::test]
async fn a_gateway_that_dies_misses_nothing() {
    let (_kept, dir) = temporary();
    let worker = worker(&dir, "0");
    let mut gateway_now = gateway(&dir, "0", &worker.url);
    let client = Client::new(&gateway_now.url);
    let gateway_port = port(&gateway_now.url);
    client.post("/api/recipes", &recipe()).await.body();
    let mut runs = Vec::new();
    for round in 0..6 {
        for _ in 0..8 {
            runs.push(client.run(&run()).await);
        }
        // At another moment each time: while they are sent, while they report, when they are done.
        client.follow(runs.last().unwrap(), 0, round).await;
        gateway_now.kill();
        gateway_now = gateway(&dir, &gateway_port, &worker.url);
    }
    for run_id in &runs {
        check_counts(&client.ended(run_id).await);
        check_order(&client.follow(run_id, 0, usize::MAX).await);
    }
}

/// A worker that is killed while it works: the run is tried again on the next one.
#[tokio::test]
async fn a_run_outlives_its_worker() {
    let (_kept, dir) = temporary();
    let first = worker(&dir, "0");
    let worker_port = port(&first.url);
    let gateway = gateway(&dir, "0", &first.url);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let run_id = client.run(&endless()).await;
    client.until(&run_id, |run| run["state"] == "matching").await;
    first.kill();
    let _second = worker(&dir, &worker_port);
    let again = client.until(&run_id, |run| run["attempt"] == 2 && run["state"] == "matching").await;
    assert!(again["cancel_requested"] == false, "{again}");
    client.post(&format!("/api/runs/{run_id}/cancel"), &serde_json::json!({})).await.body();
    let ended = client.ended(&run_id).await;
    assert_eq!(ended["state"], "cancelled");
    check_order(&client.follow(&run_id, 0, usize::MAX).await);
}
