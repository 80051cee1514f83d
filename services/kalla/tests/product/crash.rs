//! Parts that die at bad moments: every run ends once, with the right counts, and no event is lost.

use std::path::Path;

use serde_json::json;

use crate::client::{Client, check_counts, check_order, endless, recipe, run};
use crate::process::{Served, free_port};
use crate::temporary;

const TOKEN: (&str, &str) = ("KALLA_WORKER_TOKEN", "between-the-two");

fn worker(dir: &Path, port: &str) -> Served {
    Served::start(dir, &["worker", "--port", port], &[TOKEN])
}

fn gateway(dir: &Path, port: &str, worker_url: &str) -> Served {
    Served::start(dir, &["gateway", "--port", port], &[TOKEN, ("WORKER_URL", worker_url)])
}

/// Runs that were taken on while no worker was there, by a gateway that died before it could send them.
#[tokio::test]
async fn what_was_saved_is_sent_after_a_crash() {
    let (_kept, dir) = temporary();
    let worker_port = free_port();
    let worker_url = format!("http://127.0.0.1:{worker_port}");
    let first = gateway(&dir, "0", &worker_url);
    let client = Client::new(&first.url);
    let gateway_port = first.port();
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

/// A gateway that is killed while runs and an upload go on, again and again: 60 runs.
#[tokio::test]
async fn a_gateway_that_dies_misses_nothing() {
    let (_kept, dir) = temporary();
    let worker = worker(&dir, "0");
    let mut gateway_now = gateway(&dir, "0", &worker.url);
    let client = Client::new(&gateway_now.url);
    let gateway_port = gateway_now.port();
    client.post("/api/recipes", &recipe()).await.body();
    let follower = tokio::spawn(client.clone().follow_all(60));
    let file = std::fs::read(dir.join("b.csv")).unwrap();
    let mut runs = Vec::new();
    for round in 0..6 {
        for _ in 0..9 {
            runs.push(client.run(&run()).await);
        }
        let cut = client.begin_upload().await;
        // At another moment each time: while they are sent, while they report, when they are done.
        client.follow(runs.last().unwrap(), 0, round).await;
        gateway_now.kill();
        assert!(cut.await.unwrap().is_err(), "nobody is left to answer");
        gateway_now = gateway(&dir, &gateway_port, &worker.url);
        // What was cut short is done once more.
        let whole = client.upload("b.csv", &file).await.body();
        let read = json!({"recipe_id": "invoice-payment", "sources": {"right": {"upload_id": whole["upload_id"]}}});
        runs.push(client.run(&read).await);
    }
    for run_id in &runs {
        check_counts(&client.ended(run_id).await);
        check_order(&client.follow(run_id, 0, usize::MAX).await);
    }
    // Half a file is never one.
    let files = std::fs::read_dir(dir.join("staging/files")).unwrap();
    let sizes: Vec<u64> = files.map(|file| file.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes, [file.len() as u64; 6]);

    // Who followed all of them, cut off six times, has seen every end.
    let seen = follower.await.unwrap();
    assert!(runs.iter().all(|run_id| seen[run_id]["state"] == "completed"), "{seen:?}");
}

/// A worker that is killed while it works: the next one goes on with the run, which is charged nothing for that.
#[tokio::test]
async fn a_run_outlives_its_worker() {
    let (_kept, dir) = temporary();
    let first = worker(&dir, "0");
    let worker_port = first.port();
    let gateway = gateway(&dir, "0", &first.url);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let run_id = client.run(&endless()).await;
    client.until(&run_id, |run| run["state"] == "matching").await;
    first.kill();
    let before = client.get(&format!("/api/runs/{run_id}")).await.body()["version"].as_u64();
    let _second = worker(&dir, &worker_port);
    let again = client.until(&run_id, |run| run["version"].as_u64() > before && run["state"] == "matching").await;
    assert_eq!((again["attempt"].as_u64(), again["cancel_requested"].as_bool()), (Some(1), Some(false)), "{again}");
    client.post(&format!("/api/runs/{run_id}/cancel"), &json!({})).await.body();
    let ended = client.ended(&run_id).await;
    assert_eq!(ended["state"], "cancelled");
    check_order(&client.follow(&run_id, 0, usize::MAX).await);
}

/// A worker that is away for a while, with a run that it worked on and runs that wait for it.
#[tokio::test]
async fn runs_wait_for_a_worker_that_is_away() {
    let (_kept, dir) = temporary();
    let busy = [TOKEN, ("KALLA_CONCURRENCY", "1")];
    let first = Served::start(&dir, &["worker", "--port", "0"], &busy);
    let worker_port = first.port();
    let gateway = gateway(&dir, "0", &first.url);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let long = client.run(&endless()).await;
    client.until(&long, |run| run["state"] == "matching").await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(client.run(&run()).await);
    }
    first.kill();
    // That it is silent is noticed soon by those that want to be sent.
    for run_id in &waiting {
        let missed = client.until(run_id, |run| run["error"].is_object()).await;
        assert!(missed["error"]["error"].as_str().unwrap().contains("is it running?"), "{missed}");
    }
    let _second = Served::start(&dir, &["worker", "--port", &worker_port], &[TOKEN]);
    for run_id in &waiting {
        let done = client.ended(run_id).await;
        check_counts(&done);
        assert_eq!(done["attempt"], 1, "{done}");
        check_order(&client.follow(run_id, 0, usize::MAX).await);
    }
    client.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&long).await["state"], "cancelled");
}
