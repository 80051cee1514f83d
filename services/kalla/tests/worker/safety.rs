//! What a worker refuses to reach, and to whom it refuses to talk.

use std::os::unix::fs::symlink;

use kalla_proto::v1::{Code, JobPayload};

use crate::behaviour::{payload, temporary};
use crate::certificate;
use crate::door::Door;
use crate::process::Worker;
use crate::sink::Sink;

#[tokio::test]
async fn only_files_under_the_roots() {
    let (_kept, dir) = temporary();
    let (_other, outside) = temporary();
    symlink(&outside, dir.join("link")).unwrap();
    let worker = Worker::start(&dir, &[]);
    let door = Door::http(&worker.url);
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for uri in [
        path(&outside.join("a.csv")),
        format!("file://{}", path(&outside.join("a.csv"))),
        path(&dir.join("link/a.csv")),
        "../a.csv".to_owned(),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
    ] {
        let mut job = payload(&dir, "");
        job.sources[0].uri = uri.clone();
        let problem = door.submit(&job).await.unwrap_err();
        assert_eq!(problem.violations[0].field, "sources[0].uri", "{uri}: {problem:?}");
        let job = JobPayload { output_path: uri.clone(), ..payload(&dir, "") };
        let problem = door.submit(&job).await.unwrap_err();
        assert_eq!(problem.violations[0].field, "output_path", "{uri}: {problem:?}");
    }
    let wider = format!("{}:{}", dir.display(), outside.display());
    let worker = Worker::start(&dir, &[("KALLA_FILE_ROOTS", &wider)]);
    let mut job = payload(&dir, "");
    job.sources[0].uri = path(&dir.join("link/a.csv"));
    Door::http(&worker.url).submit(&job).await.unwrap();
}

#[tokio::test]
async fn no_callback_into_a_trap() {
    let (_kept, dir) = temporary();
    let open = Worker::start(&dir, &[]);
    let closed = Worker::start(&dir, &[("KALLA_PRIVATE_ADDRESSES", "refuse")]);
    for (url, in_open) in
        [("http://169.254.169.254/x", false), ("http://127.0.0.1:9/x", true), ("http://10.0.0.1/x", true)]
    {
        let job = payload(&dir, url);
        assert_eq!(Door::http(&open.url).submit(&job).await.is_ok(), in_open, "{url}");
        let problem = Door::http(&closed.url).submit(&job).await.unwrap_err();
        assert_eq!(problem.violations[0].field, "callback_url", "{url}");
    }
    // A redirect is an answer like any other that is no success: it is not followed.
    let sink = Sink::start().await;
    let target = format!("{}/complete", sink.url());
    let router = axum::Router::new().fallback(move || {
        let target = target.clone();
        async move { axum::response::Redirect::temporary(&target) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let worker = Worker::start(&dir, &[("KALLA_CALLBACK_BUDGET", "1s")]);
    let job = payload(&dir, &format!("http://{address}"));
    let door = Door::http(&worker.url);
    door.submit(&job).await.unwrap();
    let mut worker = worker;
    worker.line_with("stays in the outbox");
    assert!(sink.calls(&job.run_id).is_empty());
    assert!(!door.get(&job.run_id).await.unwrap().reported);
}

#[tokio::test]
async fn only_with_the_token() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_WORKER_TOKEN", "open-sesame")]);
    let client = reqwest::Client::new();
    let get = |path: &str, token: Option<&str>| {
        let request = client.get(format!("{}{path}", worker.url));
        match token {
            Some(token) => request.bearer_auth(token).send(),
            None => request.send(),
        }
    };
    for path in ["/api/jobs/x", "/metrics", "/nothing"] {
        for token in [None, Some("open-sesam"), Some("")] {
            let answer = get(path, token).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), answer.headers()["www-authenticate"].to_str().unwrap()),
                (401, "Bearer")
            );
        }
    }
    assert_eq!(get("/metrics", Some("open-sesame")).await.unwrap().status(), 200);
    for path in ["/health", "/ready"] {
        assert_eq!(get(path, None).await.unwrap().status(), 200);
    }
    let problem = Door::grpc(&worker.url).await.get("x").await;
    assert_eq!(problem.unwrap_err().code(), Code::Unauthenticated);
}

/// Not in the log at its most talkative, not in events, results and answers.
#[tokio::test]
async fn secrets_stay_in() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let worker = Worker::start(&dir, &[("RUST_LOG", "trace"), ("KALLA_LOG_FORMAT", "json")]);
    let door = Door::http(&worker.url);
    let server = std::env::var("KALLA_TEST_POSTGRES").expect("KALLA_TEST_POSTGRES: scripts/test.sh sets it");
    let server = server.replacen('@', ":geheim-77@", 1);
    let mut said = String::new();
    // A table that every database has, and one that none has.
    for (table, kind) in [("information_schema.sql_features", "complete"), ("nowhere", "error")] {
        let mut job = payload(&dir, &sink.url());
        job.callback_token = Some("geheim-99".to_owned());
        job.sources.iter_mut().for_each(|source| source.uri = format!("{server}?table={table}"));
        job.match_sql =
            "SELECT l.feature_id FROM left_src l JOIN right_src r ON l.feature_id = r.feature_id".to_owned();
        door.submit(&job).await.unwrap();
        let last = sink.terminal(&job.run_id).await;
        assert_eq!(last.kind, kind, "{}", last.body);
        sink.calls(&job.run_id).iter().for_each(|call| said += &call.body.to_string());
        said += &format!("{:?}", door.get(&job.run_id).await.unwrap());
        if let Some(path) = last.body["manifest_path"].as_str() {
            said += &std::fs::read_to_string(path).unwrap();
        }
    }
    said += &worker.log_to_the_end().join("\n");
    assert!(said.contains("sql_features"));
    assert!(!said.contains("geheim"), "{}", said.lines().find(|line| line.contains("geheim")).unwrap_or_default());
}

#[tokio::test]
async fn over_tls() {
    let (_kept, dir) = temporary();
    certificate::make(&dir);
    let worker = Worker::start(&dir, &[("KALLA_TLS_CERT", "cert.pem"), ("KALLA_TLS_KEY", "key.pem")]);
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(dir.join("cert.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().add_root_certificate(certificate).build().unwrap();
    let url = worker.url.replace("http://", "https://");
    assert_eq!(client.get(format!("{url}/health")).send().await.unwrap().text().await.unwrap(), "ok\n");
    // A client that speaks no TLS, and one that says nothing, hold nobody up.
    let silent = tokio::net::TcpStream::connect(url.strip_prefix("https://").unwrap()).await.unwrap();
    assert!(reqwest::get(format!("{}/health", worker.url)).await.is_err());
    assert_eq!(client.get(format!("{url}/ready")).send().await.unwrap().status(), 200);
    drop(silent);
}

#[tokio::test]
async fn operators_are_answered() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let get = |path: &str| reqwest::get(format!("{}{path}", worker.url));
    assert_eq!(get("/health").await.unwrap().text().await.unwrap(), "ok\n");
    assert_eq!(get("/ready").await.unwrap().text().await.unwrap(), "ready\n");
    std::fs::rename(dir.join("staging"), dir.join("gone")).unwrap();
    let answer = get("/ready").await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("the storage cannot be used"));
    assert_eq!(get("/health").await.unwrap().status(), 200);
    std::fs::rename(dir.join("gone"), dir.join("staging")).unwrap();
    let answer = get("/api/nothing").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (404, "application/problem+json")
    );
    let client = reqwest::Client::new();
    assert_eq!(client.put(format!("{}/api/jobs", worker.url)).send().await.unwrap().status(), 405);

    let job = payload(&dir, "");
    Door::http(&worker.url).submit(&job).await.unwrap();
    // What a job has done is counted after its end.
    let metrics = loop {
        let text = get("/metrics").await.unwrap().text().await.unwrap();
        if text.contains("kalla_stage_duration_seconds_count") {
            break text;
        }
    };
    for told in ["kalla_jobs_total{outcome=\"completed\"} 1", "kalla_jobs_running 0", "kalla_job_waiting_seconds 0"] {
        assert!(metrics.contains(told), "{told} in {metrics}");
    }
}
