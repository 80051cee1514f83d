//! Many runs and little room: they go in their order, take turns, and none fails for that.

use serde_json::{Value, json};

use crate::Product;
use crate::client::{Client, check_counts, check_order, endless, recipe, run};
use crate::process::Served;
use crate::temporary;

const ONE_PLACE: (&str, &str) = ("KALLA_CONCURRENCY", "1");

fn one_place() -> Product {
    let (kept, dir) = temporary();
    let served = Served::start(&dir, &["up", "--port", "0"], &[ONE_PLACE]);
    Product { client: Client::new(&served.url), dir, _servers: vec![served], _kept: kept }
}

/// A recipe of another name, with this policy.
fn named(recipe_id: &str, policy: Value) -> Value {
    let mut recipe = recipe();
    recipe["recipe_id"] = recipe_id.into();
    recipe["policy"] = policy;
    recipe
}

fn of(recipe_id: &str) -> Value {
    json!({"recipe_id": recipe_id, "sources": {"payments": {"uri": "b.csv"}}})
}

/// Runs that have ended well at the first attempt, in the order in which they began.
async fn begun(client: &Client, runs: &[(String, &'static str)]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (run_id, name) in runs {
        let done = client.ended(run_id).await;
        check_counts(&done);
        assert_eq!((done["attempt"].as_u64(), done["error"].is_null()), (Some(1), true), "{done}");
        found.push((done["started"].as_str().unwrap().to_owned(), *name));
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

#[tokio::test]
async fn runs_go_in_their_order_and_recipes_take_turns() {
    let product = one_place();
    let client = &product.client;
    for name in ["many", "few", "urgent"] {
        client.post("/api/recipes", &named(name, Value::Null)).await.body();
    }
    let busy = client.run(&endless()).await;
    client.until(&busy, |run| run["state"] == "matching").await;
    let names = ["many 1", "many 2", "many 3", "many 4", "many 5", "few 1", "few 2", "few 3", "urgent"];
    let mut runs = Vec::new();
    for name in names {
        let mut request = of(name.split(' ').next().unwrap());
        if name == "urgent" {
            request["priority"] = 10.into();
        }
        runs.push((client.run(&request).await, name));
    }
    // None of them is anywhere but in the queue.
    let waiting = client.get("/api/runs?state=pending").await.body();
    assert_eq!(waiting["runs"].as_array().unwrap().len(), names.len());
    let metrics = client.get("/metrics").await.text;
    assert!(metrics.contains("kalla_runs_open{state=\"pending\"} 9"), "{metrics}");
    client.post(&format!("/api/runs/{busy}/cancel"), &json!({})).await.body();
    let expected = ["urgent", "many 1", "few 1", "many 2", "few 2", "many 3", "few 3", "many 4", "many 5"];
    assert_eq!(begun(client, &runs).await, expected);
    let first = client.get(&format!("/api/runs/{}", runs[8].0)).await.body();
    assert_eq!(first["priority"], 10);
    let wrong = json!({"recipe_id": "few", "sources": of("few")["sources"], "priority": 101});
    assert_eq!(client.post("/api/runs", &wrong).await.refused(400), "priority: 101 is not from -100 to 100");
}

/// With room for three, runs of a recipe that says so go one by one.
#[tokio::test]
async fn a_recipe_keeps_to_its_bound() {
    let (_kept, dir) = temporary();
    let served = Served::start(&dir, &["up", "--port", "0"], &[("KALLA_CONCURRENCY", "3")]);
    let client = Client::new(&served.url);
    let mut long = endless()["recipe"].clone();
    long["recipe_id"] = "long".into();
    long["policy"] = json!({"concurrency": 1});
    client.post("/api/recipes", &long).await.body();
    client.post("/api/recipes", &named("short", json!({"attempts": 21}))).await.refused(400);
    client.post("/api/recipes", &named("short", json!({"retry_on": ["not_found"], "pause_seconds": 1}))).await.body();
    let (one, two) = (client.run(&json!({"recipe_id": "long"})).await, client.run(&json!({"recipe_id": "long"})).await);
    client.until(&one, |run| run["state"] == "matching").await;
    // Others pass by.
    check_counts(&client.ended(&client.run(&of("short")).await).await);
    assert_eq!(client.get(&format!("/api/runs/{two}")).await.body()["state"], "pending");
    client.post(&format!("/api/runs/{one}/cancel"), &json!({})).await.body();
    client.until(&two, |run| run["state"] == "matching").await;
    client.post(&format!("/api/runs/{two}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&two).await["state"], "cancelled");

    // A file that comes late is waited for, where the recipe says so.
    let early = json!({"recipe_id": "short", "sources": {"payments": {"uri": "late.csv"}}});
    let run_id = client.run(&early).await;
    let failed = client.until(&run_id, |run| run["failures"] == 1).await;
    assert_eq!((&failed["state"], failed["next_attempt"].is_string()), (&"pending".into(), true), "{failed}");
    std::fs::copy(dir.join("b.csv"), dir.join("late.csv")).unwrap();
    let done = client.ended(&run_id).await;
    check_counts(&done);
    assert!(done["attempt"].as_u64() > Some(1) && done["next_attempt"].is_null(), "{done}");
}

/// A worker that is restarted again and again in the orderly way: neither the run that it works on nor one that waits is
/// charged for that.
#[tokio::test]
async fn five_restarts_of_a_worker_end_no_run() {
    let (_kept, dir) = temporary();
    let token = ("KALLA_WORKER_TOKEN", "between-the-two");
    let start = |port: &str| {
        let soon = ("KALLA_SHUTDOWN", "1s");
        Served::start(&dir, &["worker", "--port", port], &[token, ONE_PLACE, soon])
    };
    let mut worker = start("0");
    let port = worker.port();
    let gateway = Served::start(&dir, &["gateway", "--port", "0"], &[token, ("WORKER_URL", &worker.url)]);
    let client = Client::new(&gateway.url);
    client.post("/api/recipes", &recipe()).await.body();
    let long = client.run(&endless()).await;
    client.until(&long, |run| run["state"] == "matching").await;
    let waits = client.run(&run()).await;
    for restart in 1..=5 {
        let (code, _) = worker.interrupt();
        assert_eq!(code, Some(0));
        worker = start(&port);
        let again = client.until(&long, |run| run["interruptions"] == restart && run["state"] == "matching").await;
        assert_eq!((again["attempt"].as_u64(), again["failures"].as_u64()), (Some(restart + 1), Some(0)), "{again}");
    }
    client.post(&format!("/api/runs/{long}/cancel"), &json!({})).await.body();
    assert_eq!(client.ended(&long).await["state"], "cancelled");
    let waited = client.ended(&waits).await;
    check_counts(&waited);
    assert_eq!((&waited["attempt"], &waited["interruptions"]), (&1.into(), &0.into()), "{waited}");
    check_order(&client.follow(&long, 0, usize::MAX).await);
}
