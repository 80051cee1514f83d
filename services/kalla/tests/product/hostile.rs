//! Requests that want to do harm, or do not know better.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::recipe;
use crate::process::Served;
use crate::{in_one_process, in_parts};

#[tokio::test]
async fn pages_of_other_sites_get_nowhere() {
    let product = in_one_process();
    let client = &product.client;
    let own = client.url.clone();
    let send = |headers: &'static [(&'static str, &'static str)]| {
        let client = client.clone();
        async move { client.send(Method::POST, "/api/recipes", headers, Some(&recipe())).await }
    };
    for headers in [
        &[("origin", "https://evil.example")] as &[(&str, &str)],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ] {
        send(headers).await.refused(403);
    }
    // A name that leads here changes nothing and reads nothing.
    for host in ["evil.example", "127.0.0.1.evil.example:3000", "10.0.0.7:3000", "localhost@evil.example"] {
        let headers = [("host", host)];
        client.send(Method::POST, "/api/recipes", &headers, Some(&recipe())).await.refused(421);
        for path in ["/api/runs", "/metrics", "/assets/none.js", "/api/worker/complete"] {
            client.send(Method::GET, path, &headers, None).await.refused(421);
        }
        for path in ["/", "/health", "/ready"] {
            assert!(client.send(Method::GET, path, &headers, None).await.status.is_success(), "{path}");
        }
    }
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    client.send(Method::POST, "/api/recipes", &headers, Some(&recipe())).await.body();
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_told_why() {
    let product = in_one_process();
    let client = &product.client;
    let text = |kind: &'static str, body: String| {
        let request = reqwest::Client::new().post(format!("{}/api/recipes", client.url));
        async move { request.header("content-type", kind).body(body).send().await.unwrap() }
    };
    assert_eq!(text("text/plain", recipe().to_string()).await.status(), 415);
    assert_eq!(text("application/json", "{".to_owned()).await.status(), 400);
    assert_eq!(text("application/json", "[]".to_owned()).await.status(), 400);
    assert_eq!(text("application/json", "9".repeat(3 << 20)).await.status(), 413);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(text("application/json", deep).await.status(), 400);

    for path in ["/api/runs/..%2f..%2fetc%2fpasswd", "/api/sources/..%2f..", "/api/recipes/%00", "/api/runs/%ff"] {
        let status = client.get(path).await.status.as_u16();
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    // SQL in every text is text.
    let sql = "'; DROP TABLE runs; --";
    let mut strange = recipe();
    for field in ["name", "description", "match_description"] {
        strange[field] = sql.into();
    }
    client.post("/api/recipes", &strange).await.body();
    assert_eq!(client.get("/api/recipes/invoice-payment").await.body()["name"], sql);
    let quoted = "/api/runs?recipe_id=%27%3B%20DROP%20TABLE%20runs%3B%20--";
    assert_eq!(client.get(quoted).await.body()["runs"], json!([]));
    let wrong = client.post("/api/runs", &json!({"recipe_id": sql})).await;
    wrong.refused(404);
    // Files outside of what the worker may read stay closed.
    let mut outside = recipe();
    outside["sources"]["right"]["uri"] = "/etc/passwd".into();
    let run_id = client.run(&json!({"recipe": outside})).await;
    let failed = client.ended(&run_id).await;
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(!failed.to_string().contains("root:"), "{failed}");
}

/// Whatever KALLA_AUTH says: names are a matter of their own.
#[tokio::test]
async fn an_open_gateway_answers_the_names_that_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("KALLA_AUTH", "none"), ("KALLA_PUBLIC_URL", "https://kalla.example.com")];
    let served = Served::start(dir.path(), &["gateway", "--host", "0.0.0.0", "--port", "0"], &variables);
    let client = crate::Client::new(&served.url);
    let own = format!("http://127.0.0.1:{}", served.port());
    for (host, origin, reads, changes) in [
        ("kalla.example.com", "https://kalla.example.com", 200, 201),
        ("127.0.0.1", "https://kalla.example.com", 200, 200),
        (own.trim_start_matches("http://"), own.as_str(), 200, 200),
        ("kalla.example.com", "http://kalla.example.com", 200, 403),
        ("kalla.example.com", "https://evil.example", 200, 403),
        ("evil.example", "https://evil.example", 421, 421),
        ("0.0.0.0", "http://0.0.0.0", 421, 421),
    ] {
        let read = client.send(Method::GET, "/api/runs", &[("host", host)], None).await;
        assert_eq!(read.status, reads, "{host}");
        let headers = [("host", host), ("origin", origin)];
        let changed = client.send(Method::POST, "/api/recipes", &headers, Some(&recipe())).await;
        assert_eq!(changed.status, changes, "{host} {origin}: {}", changed.text);
    }
}

#[tokio::test]
async fn answers_stay_where_they_belong() {
    let product = in_one_process();
    let client = reqwest::Client::new();
    let get = |path: &str| client.get(format!("{}{path}", product.client.url)).send();
    for path in ["/api/runs", "/api/nothing", "/api/runs/events", "/metrics", "/health", "/"] {
        let answer = get(path).await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        let kept = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(answer.headers()["cache-control"], kept, "{path}");
    }
}

/// Private addresses are refused to jobs, and the gateway of the same operator is called all the same.
#[tokio::test]
async fn runs_complete_where_private_addresses_are_refused() {
    let (_kept, dir) = crate::temporary();
    let served = Served::start(&dir, &["up", "--port", "0"], &[("KALLA_PRIVATE_ADDRESSES", "refuse")]);
    let client = crate::Client::new(&served.url);
    client.post("/api/recipes", &recipe()).await.body();
    let run_id = client.run(&crate::client::run()).await;
    crate::client::check_counts(&client.ended(&run_id).await);
}

/// What the product keeps for itself is no source.
#[tokio::test]
async fn the_key_is_no_source() {
    let product = in_one_process();
    let client = &product.client;
    for uri in ["kalla-data/secret.key", "./kalla-data/kalla.db", "kalla-data/staging/outbox/x.json"] {
        let source = json!({"alias": "k", "uri": uri});
        client.post("/api/sources", &source).await.body();
        let told = client.get("/api/sources/k/preview").await;
        assert!(told.refused(400).contains("belongs to Kalla itself"), "{uri}: {}", told.text);
    }
}

/// A gateway that others can reach is started on purpose or not at all.
#[test]
fn an_open_door_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kalla"));
    command.args(["gateway", "--host", "0.0.0.0", "--port", "0"]).current_dir(dir.path()).env_remove("DATABASE_URL");
    let refused = command.output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("KALLA_AUTH=none"), "{told}");
}

/// What a gateway cannot work with, it says when it starts.
#[test]
fn a_start_that_cannot_be_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kalla"));
        command.args(["gateway", "--port", "0"]).current_dir(dir.path()).env_remove("DATABASE_URL");
        let refused = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        String::from_utf8_lossy(&refused.stderr).into_owned()
    };
    drop(Served::start(dir.path(), &["gateway", "--port", "0"], &[]));
    let key = "0123456789abcdef".repeat(4);
    let other = refused(&[("KALLA_SECRET_KEY", &key)]);
    assert!(other.contains("sealed with another key"), "{other}");
    let short = refused(&[("KALLA_SECRET_KEY", "abc")]);
    assert!(short.contains("64 hex digits"), "{short}");
    for (name, url) in [
        ("WORKER_URL", "http://kalla:s3cret-word@127.0.0.1:9090"),
        ("WORKER_URL", "http://127.0.0.1:9090?token=s3cret-word"),
        ("NATS_URL", "http://kalla:s3cret-word@127.0.0.1:4222"),
        ("KALLA_CALLBACK_URL", "http://kalla:s3cret-word@127.0.0.1:3000/api/worker"),
        ("KALLA_PUBLIC_URL", "https://s3cret-word@kalla.example.com"),
    ] {
        let told = refused(&[(name, url)]);
        assert!(told.contains(name) && !told.contains("s3cret-word"), "{told}");
    }
    let away = refused(&[("DATABASE_URL", "postgres://kalla:s3cret-word@127.0.0.1:1/kalla")]);
    assert!(away.contains("127.0.0.1:1") && away.contains("refused") && !away.contains("s3cret-word"), "{away}");
    let server = std::env::var("KALLA_TEST_POSTGRES").expect("KALLA_TEST_POSTGRES: scripts/test.sh sets it");
    let nowhere = refused(&[("DATABASE_URL", &format!("{}/no_such_thing", server.rsplit_once('/').unwrap().0))]);
    assert!(nowhere.contains("no_such_thing") && nowhere.contains("does not exist"), "{nowhere}");
}

#[tokio::test]
async fn a_second_start_finds_everything_and_ctrl_c_ends_cleanly() {
    let (_kept, dir) = crate::temporary();
    let first = Served::start(&dir, &["up", "--port", "0"], &[]);
    let client = crate::Client::new(&first.url);
    client.post("/api/recipes", &recipe()).await.body();
    let source = json!({"alias": "bank", "uri": "postgres://me:s3cret-word@db.example/bank?table=t"});
    client.post("/api/sources", &source).await.body();
    let run_id = client.run(&crate::client::run()).await;
    let done = client.ended(&run_id).await;
    let (code, said) = first.interrupt();
    assert_eq!(code, Some(0));
    assert!(!said.iter().any(|line| line.contains("WARN") || line.contains("ERROR")), "{said:?}");

    // No secret lies about.
    for file in ["kalla.db", "kalla.db-wal"] {
        let bytes = std::fs::read(dir.join("kalla-data").join(file)).unwrap_or_default();
        assert!(!bytes.windows(11).any(|window| window == b"s3cret-word"), "{file}");
    }
    let second = Served::start(&dir, &["up", "--port", "0"], &[]);
    let client = crate::Client::new(&second.url);
    assert_eq!(client.get(&format!("/api/runs/{run_id}")).await.body(), done);
    assert_eq!(client.get("/api/sources/bank").await.body()["has_credentials"], Value::Bool(true));
    crate::client::check_counts(&client.ended(&client.run(&crate::client::run()).await).await);
}

/// Thousands of requests that are made from the API's own description: no answer is a fault of ours, and none is another
/// than what is described.
fn does_what_its_description_says(product: &crate::Product) {
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let tester = std::path::Path::new(&python).with_file_name("schemathesis");
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    let tested = std::process::Command::new(tester)
        .arg("run")
        .arg(format!("{}/api/openapi.json", product.client.url))
        .args(["--checks", checks, "--max-examples", "30", "--seed", "20261125", "--no-color"])
        // A stream without an end.
        .args(["--exclude-path", "/api/runs/events"])
        .args(["--phases", "coverage,fuzzing", "--request-timeout", "30"])
        .current_dir(&product.dir)
        .output()
        .unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
}

#[test]
fn the_api_does_what_its_description_says_on_sqlite() {
    does_what_its_description_says(&in_one_process());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_does_what_its_description_says_on_postgres() {
    let product = in_parts().await;
    let nul = json!({"alias": "bank", "uri": "a.csv", "options": {"nulls": ["\u{0}"]}});
    product.client.post("/api/sources", &nul).await.refused(400);
    product.client.get("/api/recipes/%00").await.refused(400);
    tokio::task::spawn_blocking(move || does_what_its_description_says(&product)).await.unwrap();
}
