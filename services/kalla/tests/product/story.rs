//! What people do with Kalla, from the first recipe to a retried run.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Client, check_counts, check_order, endless, recipe, run};
use crate::{Product, data};

pub async fn tell(product: &Product) {
    operators_look(product).await;
    sources_keep_their_secrets(product).await;
    recipes_have_versions(product).await;
    a_run_completes(product).await;
    a_request_may_be_sent_twice(product).await;
    data::look(product).await;
    a_run_fails_and_is_retried(product).await;
    a_run_is_cancelled(product).await;
    the_worker_has_the_last_word(product).await;
    all_runs_are_followed(product).await;
    recipes_stand_by_their_own_runs(product).await;
    runs_are_listed(product).await;
    the_page_is_there(product).await;
    everything_is_counted(product).await;
}

async fn operators_look(product: &Product) {
    for path in ["/health", "/ready", "/metrics", "/"] {
        assert_eq!(product.client.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert!(product.client.get("/api/nothing").await.refused(404).contains("/api/nothing"));
    let answer = product.client.send(Method::DELETE, "/api/runs", &[], None).await;
    assert!(answer.refused(405).contains("DELETE"));
}

async fn sources_keep_their_secrets(Product { client, .. }: &Product) {
    let uri = "postgres://auditor:s3cret-word@127.0.0.1:1/shop?table=sales.orders&password=s3cret-word";
    let source = json!({"alias": "orders", "description": "What was sold", "uri": uri, "primary_key": ["id"]});
    let saved = client.post("/api/sources", &source).await;
    assert_eq!((saved.status, saved.tag.as_deref()), (StatusCode::CREATED, Some("\"1\"")));
    assert_eq!(saved.body()["uri"], "postgres://127.0.0.1:1/shop?table=sales.orders");
    assert_eq!(saved.body()["has_credentials"], true);

    // What was read is written back, with another description: the credentials are still there.
    let mut changed = client.get("/api/sources/orders").await.body();
    changed["description"] = "Orders".into();
    let put = |tag| {
        let client = client.clone();
        let changed = changed.clone();
        async move { client.send(Method::PUT, "/api/sources/orders", &[("if-match", tag)], Some(&changed)).await }
    };
    let saved = put("\"1\"").await;
    assert_eq!((saved.status, saved.tag.as_deref()), (StatusCode::OK, Some("\"2\"")));
    assert_eq!(saved.body()["has_credentials"], true);
    // The same once more is no change; on the old version it is refused.
    assert_eq!(put("\"2\"").await.tag.as_deref(), Some("\"2\""));
    assert!(put("\"1\"").await.refused(412).contains("version 2, not 1"));

    let listed = client.get("/api/sources").await;
    assert_eq!(listed.body()["sources"].as_array().unwrap().len(), 1);
    let unchanged = client.send(Method::GET, "/api/sources/orders", &[("if-none-match", "\"2\"")], None).await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (StatusCode::NOT_MODIFIED, ""));

    // A run says what it reads, and not how it gets in.
    let reading = json!({"recipe": {
        "match_sql": "SELECT o.id FROM orders o JOIN payments p ON o.id = p.id",
        "sources": {"left": {"alias": "orders"}, "right": {"alias": "payments", "uri": "b.csv"}},
    }});
    let run_id = client.run(&reading).await;
    let failing = client.until(&run_id, |run| run["error"].is_object()).await;
    assert!(failing["error"]["error"].as_str().unwrap().contains("orders"), "{failing}");
    client.post(&format!("/api/runs/{run_id}/cancel"), &json!({})).await;
    let ended = client.ended(&run_id).await;
    let events =
        client.send(Method::GET, &format!("/api/runs/{run_id}/events"), &[("accept", "application/json")], None).await;
    for text in [&listed.text, &saved.text, &ended.to_string(), &events.text] {
        assert!(!text.contains("s3cret-word") && !text.contains("auditor"), "{text}");
    }

    let delete = |path: &'static str| client.send(Method::DELETE, path, &[], None);
    assert_eq!(delete("/api/sources/orders").await.status, StatusCode::NO_CONTENT);
    assert!(delete("/api/sources/orders").await.refused(404).contains("orders"));
}

async fn recipes_have_versions(Product { client, .. }: &Product) {
    let saved = client.post("/api/recipes", &recipe()).await;
    assert_eq!((saved.status, saved.tag.as_deref()), (StatusCode::CREATED, Some("\"1\"")));
    let again = client.post("/api/recipes", &recipe()).await;
    assert_eq!((again.status, again.tag.as_deref()), (StatusCode::OK, Some("\"1\"")));
    let mut changed = again.body();
    changed["description"] = "Which invoices are paid".into();
    let second = client.put("/api/recipes/invoice-payment", &changed).await;
    assert_eq!((second.status, second.body()["version"].as_u64()), (StatusCode::OK, Some(2)));
    let first = client.get("/api/recipes/invoice-payment?version=1").await.body();
    assert_eq!((first["description"].as_str(), first["version"].as_u64()), (Some(""), Some(1)));
    let versions = client.get("/api/recipes/invoice-payment/versions").await.body();
    assert_eq!(versions.as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    let stale =
        client.send(Method::PUT, "/api/recipes/invoice-payment", &[("if-match", "\"1\"")], Some(&recipe())).await;
    stale.refused(412);
    let only_new = client.send(Method::POST, "/api/recipes", &[("if-none-match", "*")], Some(&recipe())).await;
    only_new.refused(412);

    words_are_of_a_version(client).await;
    let wrong = client.post("/api/recipes", &json!({"recipe_id": "a b", "match_sqll": "x"})).await;
    assert_eq!(wrong.refused(400), "match_sqll: there is no such field: did you mean `match_sql`?");
    let wrong = client.post("/api/recipes", &json!({"recipe_id": "a b", "match_sql": "x"})).await;
    let told: Value = serde_json::from_str(&wrong.text).unwrap();
    let fields: Vec<&str> =
        told["violations"].as_array().unwrap().iter().map(|v| v["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["recipe_id", "sources.left", "sources.right"]);

    // One that is deleted is gone, and comes back under a number of its own.
    let other = json!({"recipe_id": "other", "match_sql": "SELECT 1", "sources": recipe()["sources"]});
    client.post("/api/recipes", &other).await.body();
    assert_eq!(client.send(Method::DELETE, "/api/recipes/other", &[], None).await.status, StatusCode::NO_CONTENT);
    client.get("/api/recipes/other").await.refused(404);
    let listed = client.get("/api/recipes").await.body();
    assert_eq!(listed["recipes"].as_array().unwrap().len(), 1);
    assert_eq!(client.post("/api/recipes", &other).await.body()["version"], 2);
}

/// Words that were written for another SQL are told as such, until someone writes others.
async fn words_are_of_a_version(client: &Client) {
    let mut recipe = recipe();
    recipe["recipe_id"] = "words".into();
    let mut save = async |words: &str, sql: &str| {
        recipe["match_description"] = words.into();
        recipe["match_sql"] = sql.into();
        let saved = client.post("/api/recipes", &recipe).await.body();
        let listed = client.get("/api/recipes/words").await.body();
        assert_eq!(saved, listed);
        (saved["version"].as_u64(), saved["described_version"].as_u64())
    };
    assert_eq!(save("By number.", "SELECT 1").await, (Some(1), None));
    assert_eq!(save("By number.", "SELECT 2").await, (Some(2), Some(1)));
    assert_eq!(save("By number.", "SELECT 3").await, (Some(3), Some(1)));
    // What is saved as it is adds nothing.
    assert_eq!(save("By number.", "SELECT 3").await, (Some(3), Some(1)));
    assert_eq!(save("By id.", "SELECT 3").await, (Some(4), None));
    assert_eq!(save("", "SELECT 4").await, (Some(5), None));
    client.send(Method::DELETE, "/api/recipes/words", &[], None).await;
}

async fn a_run_completes(Product { client, .. }: &Product) {
    let missing = client.post("/api/runs", &json!({"recipe_id": "invoice-payment"})).await;
    assert_eq!(
        missing.refused(400),
        "sources.right: `payments` is a file that each run brings: give its upload_id or uri"
    );
    let run_id = client.run(&run()).await;
    let events = client.follow(&run_id, 0, usize::MAX).await;
    check_order(&events);
    assert_eq!(events[0]["actor"], "local");
    assert_eq!(events.last().unwrap()["complete"]["matched_count"], 2);
    let done = client.ended(&run_id).await;
    check_counts(&done);
    assert_eq!((done["recipe_version"].as_u64(), done["attempt"].as_u64()), (Some(2), Some(1)));
    for time in ["created", "started", "ended"] {
        assert!(done[time].is_string(), "{time}: {done}");
    }
    // A client that was cut off goes on where it was, and is sent home when there is nothing more.
    let rest = client.follow(&run_id, 1, usize::MAX).await;
    assert_eq!(rest, events[1..]);
    assert_eq!(client.follow(&run_id, events.len() as u64, usize::MAX).await, [Value::Null; 0]);

    // An earlier version of the recipe can still be run.
    let mut first = run();
    first["recipe_version"] = 1.into();
    let run_id = client.run(&first).await;
    assert_eq!(client.ended(&run_id).await["recipe_version"], 1);
    first["recipe_version"] = 9.into();
    assert!(client.post("/api/runs", &first).await.refused(404).contains("version 9"));
}

async fn a_request_may_be_sent_twice(Product { client, .. }: &Product) {
    let send = |body: Value| {
        let client = client.clone();
        async move { client.send(Method::POST, "/api/runs", &[("idempotency-key", "monday")], Some(&body)).await }
    };
    let (one, two) = tokio::join!(send(run()), send(run()));
    let (one, two) = (one.body(), two.body());
    assert_eq!(one["run_id"], two["run_id"]);
    assert!(send(endless()).await.refused(409).contains("Idempotency-Key"));
    check_counts(&client.ended(one["run_id"].as_str().unwrap()).await);
    // What was answered is answered again, though the recipe is no longer there.
    let mut passing = recipe();
    passing["recipe_id"] = "passing".into();
    client.post("/api/recipes", &passing).await.body();
    let once = json!({"recipe_id": "passing", "sources": run()["sources"]});
    let ask = || client.send(Method::POST, "/api/runs", &[("idempotency-key", "tuesday")], Some(&once));
    let first = ask().await.body();
    client.send(Method::DELETE, "/api/recipes/passing", &[], None).await;
    client.post("/api/runs", &once).await.refused(404);
    assert_eq!(ask().await.body()["run_id"], first["run_id"]);
}

async fn a_run_fails_and_is_retried(Product { client, dir, .. }: &Product) {
    let request = json!({"recipe_id": "invoice-payment", "sources": {"payments": {"uri": "late.csv"}}});
    let run_id = client.run(&request).await;
    let failed = client.ended(&run_id).await;
    assert_eq!(failed["state"], "failed");
    let message = failed["error"]["error"].as_str().unwrap();
    assert!(message.contains("late.csv") && message.contains("payments"), "{message}");
    assert_eq!(failed["error"]["problem"]["code"], "not_found");

    std::fs::copy(dir.join("b.csv"), dir.join("late.csv")).unwrap();
    let retried = client.post(&format!("/api/runs/{run_id}/retry"), &json!({})).await.body();
    assert_eq!((retried["state"].as_str(), retried["attempt"].as_u64()), (Some("pending"), Some(2)));
    let done = client.ended(&run_id).await;
    check_counts(&done);
    assert!(done["error"].is_null(), "{done}");
    assert!(client.post(&format!("/api/runs/{run_id}/retry"), &json!({})).await.refused(409).contains("completed"));
    assert!(client.post(&format!("/api/runs/{run_id}/cancel"), &json!({})).await.refused(409).contains("ended"));

    // What cannot be run at all is told as the worker tells it.
    let mut wrong = recipe();
    wrong["match_sql"] = "DROP TABLE invoices".into();
    wrong["sources"]["right"]["uri"] = "b.csv".into();
    let run_id = client.run(&json!({"recipe": wrong})).await;
    let failed = client.ended(&run_id).await;
    assert_eq!((failed["state"].as_str(), failed["recipe_id"].as_str()), (Some("failed"), Some("")));
    assert_eq!(failed["error"]["problem"]["violations"][0]["field"], "match_sql");
}

async fn a_run_is_cancelled(Product { client, .. }: &Product) {
    let run_id = client.run(&endless()).await;
    client.until(&run_id, |run| run["state"] == "matching").await;
    let asked = client.post(&format!("/api/runs/{run_id}/cancel"), &json!({})).await.body();
    assert_eq!(asked["cancel_requested"], true);
    let ended = client.ended(&run_id).await;
    assert_eq!(ended["state"], "cancelled", "{ended}");
    // Once more changes nothing.
    let again = client.post(&format!("/api/runs/{run_id}/cancel"), &json!({})).await.body();
    assert_eq!(again["version"], ended["version"]);
    assert!(client.get("/api/runs/not-a-run").await.refused(404).contains("not-a-run"));
}

/// Nobody but the worker of a run changes it, and what comes late changes nothing.
async fn the_worker_has_the_last_word(Product { client, .. }: &Product) {
    let run_id = client.run(&run()).await;
    let done = client.ended(&run_id).await;
    let forged = json!({"run_id": run_id, "error": "forged", "stage": "staging", "attempt": 1, "seq": 99});
    for headers in [&[] as &[(&str, &str)], &[("authorization", "Bearer 0000")], &[("authorization", "Bearer ")]] {
        let answer = client.send(Method::POST, "/api/worker/error", headers, Some(&forged)).await;
        answer.refused(401);
    }
    let stranger = json!({"run_id": uuid::Uuid::new_v4().to_string(), "stage": "staging", "attempt": 1, "seq": 1});
    client.post("/api/worker/progress", &stranger).await.refused(401);
    assert_eq!(client.get(&format!("/api/runs/{run_id}")).await.body(), done);
}

/// Who follows all runs begins with a number, and goes on behind it.
async fn all_runs_are_followed(Product { client, .. }: &Product) {
    let (name, number, _) = client.first_change("").await;
    assert_eq!(name, "following");
    let (name, first, oldest) = client.first_change("?after=0").await;
    let known = client.get(&format!("/api/runs/{}", oldest["run_id"].as_str().unwrap())).await.body();
    assert_eq!((name.as_str(), known), ("run", oldest));
    assert!(first < number, "{first} {number}");
    let run_id = client.run(&run()).await;
    let (name, next, changed) = client.first_change(&format!("?after={number}")).await;
    assert_eq!((name.as_str(), changed["run_id"].as_str()), ("run", Some(run_id.as_str())));
    assert!(next > number, "{next} {number}");
    client.ended(&run_id).await;
    // A number that was never given out, as after a restored backup: the list is to be read anew.
    let (name, number, _) = client.first_change(&format!("?after={}", u64::MAX >> 1)).await;
    assert!(name == "following" && number >= next, "{name} {number}");
}

/// Whatever else has run, and however often.
async fn recipes_stand_by_their_own_runs(Product { client, .. }: &Product) {
    let mut once = recipe();
    once["recipe_id"] = "once".into();
    client.post("/api/recipes", &once).await.body();
    let of = |id: &str| json!({"recipe_id": id, "sources": {"right": {"uri": "b.csv"}}});
    let first = client.run(&of("once")).await;
    check_counts(&client.ended(&first).await);
    let latest = client.run(&run()).await;
    check_counts(&client.ended(&latest).await);
    let told = client.get("/api/standings").await.body();
    let standing = |id: &str| {
        let found = told.as_array().unwrap().iter().find(|standing| standing["recipe_id"] == id);
        found.unwrap_or_else(|| panic!("{told}")).clone()
    };
    let once = standing("once");
    assert_eq!(
        (once["runs"].as_u64(), &once["latest"]["run_id"], &once["completed"]["run_id"]),
        (Some(1), &first.clone().into(), &first.clone().into())
    );
    let found = &once["found"][0];
    let numbers = ["total_left", "total_right", "unmatched_left_count", "unmatched_right_count"];
    assert_eq!(numbers.map(|name| found[name].as_u64()), [3, 4, 1, 2].map(Some), "{found}");
    assert_eq!((&found["run_id"], &found["wrong"]), (&first.into(), &Value::Bool(false)));
    let many = standing("invoice-payment");
    let found = many["found"].as_array().unwrap();
    assert!(many["runs"].as_u64() > Some(found.len() as u64), "those that failed are runs, too: {many}");
    assert_eq!((found.len() > 1, &found[0]["run_id"]), (true, &latest.into()));
}

async fn runs_are_listed(Product { client, .. }: &Product) {
    let all = client.get("/api/runs").await.body();
    let all = all["runs"].as_array().unwrap();
    assert!(all.len() >= 7, "{}", all.len());
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/runs?limit=3&cursor={cursor}")).await.body();
        paged.extend(page["runs"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(&paged, all);
    let created: Vec<&str> = all.iter().map(|run| run["created"].as_str().unwrap()).collect();
    assert!(created.is_sorted_by(|a, b| a >= b), "{created:?}");
    let cancelled = client.get("/api/runs?state=cancelled").await.body();
    assert!(cancelled["runs"].as_array().unwrap().iter().all(|run| run["state"] == "cancelled"));
    assert!(!cancelled["runs"].as_array().unwrap().is_empty());
    let of_recipe = client.get("/api/runs?recipe_id=invoice-payment&limit=1000").await.body();
    assert!(of_recipe["runs"].as_array().unwrap().iter().all(|run| run["recipe_id"] == "invoice-payment"));
    client.get("/api/runs?state=asleep").await.refused(400);
    client.get("/api/runs?limit=0").await.refused(400);
    client.get("/api/runs?colour=red").await.refused(400);
}

/// Whatever it was built with; what it does is tested in a browser, under `web/tests`.
async fn the_page_is_there(Product { client, .. }: &Product) {
    let page = reqwest::get(&client.url).await.unwrap();
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/html"));
    assert!(header("content-security-policy").starts_with("default-src 'none';"));
    assert!(page.text().await.unwrap().contains("<title>Kalla</title>"));
    // Places in it are for people; programs are told that there is nothing.
    let elsewhere = client.send(Method::GET, "/runs/17", &[("accept", "application/json")], None).await;
    assert!(elsewhere.refused(404).contains("/runs/17"));
    for path in ["/api/nothing", "/assets/nothing.js", "/..%2fCargo.toml"] {
        client.send(Method::GET, path, &[("accept", "text/html")], None).await.refused(404);
    }
}

/// What `/metrics` tells is what has happened.
async fn everything_is_counted(Product { client, .. }: &Product) {
    let metrics = client.get("/metrics").await.text;
    let number = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<u64>().ok()).unwrap_or_else(|| panic!("{name}: {metrics}"))
    };
    let mut listed = 0;
    for state in ["completed", "failed", "cancelled"] {
        let runs = client.get(&format!("/api/runs?limit=1000&state={state}")).await.body();
        let runs = runs["runs"].as_array().unwrap().len() as u64;
        // One that was retried has ended more than once.
        assert!(number(&format!("kalla_runs_ended_total{{state=\"{state}\"}}")) >= runs, "{state}: {metrics}");
        listed += runs;
    }
    assert_eq!(number("kalla_runs_created_total"), listed, "each of them has ended");
    assert_eq!(number("kalla_runs_open{state=\"matching\"}"), 0);
    assert!(number("kalla_callbacks_received_total{answer=\"accepted\"}") > 0);
    assert!(number("kalla_uploads_bytes_total") > 0);
    let asked = "kalla_http_requests_total{method=\"GET\",route=\"/api/runs/{id}\",status=\"200\"}";
    assert!(number(asked) > 0, "{metrics}");
}
