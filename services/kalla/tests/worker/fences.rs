//! What jobs reach, whoever sends them, and who may send any.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use kalla_proto::v1::{Code, JobPayload};
use reqwest::Method;

use crate::behaviour::{SQL, payload, temporary};
use crate::bucket::Bucket;
use crate::door::{Door, channel, problem, sources};
use crate::process::{Home, Worker};
use crate::sink::Sink;

/// A page in somebody's browser gives no job, whatever its body is called; nor does a name that leads here.
#[tokio::test]
async fn no_browser_is_answered() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let client = reqwest::Client::new();
    let job = payload(&dir, "");
    let send = |headers: &[(&str, &str)]| {
        let mut request = client.post(format!("{}/api/jobs", worker.url)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(serde_json::to_vec(&job).unwrap()).send()
    };
    for (headers, status) in [
        (&[("origin", "https://evil.example")] as &[(&str, &str)], 403),
        (&[("origin", "null")], 403),
        (&[("origin", worker.url.as_str())], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-origin")], 403),
        (&[("host", "evil.example")], 421),
        (&[("host", "127.0.0.1.evil.example:9090")], 421),
        (&[("host", "10.0.0.7:9090")], 421),
    ] {
        assert_eq!(send(headers).await.unwrap().status(), status, "{headers:?}");
        for (method, path) in
            [(Method::PUT, "/api/files/x.csv"), (Method::GET, "/api/jobs/x"), (Method::GET, "/metrics")]
        {
            let mut request = client.request(method, format!("{}{path}", worker.url)).body("id\n1\n");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            assert_eq!(request.send().await.unwrap().status(), status, "{path} {headers:?}");
        }
    }
    assert_eq!(Door::http(&worker.url).get(&job.run_id).await.unwrap_err().code(), Code::NotFound);
    assert!(!dir.join("staging/files/x.csv").exists());
    // In the manner of gRPC, too.
    let mut jobs = kalla_proto::v1::job_service_client::JobServiceClient::new(channel(&worker.url).await);
    let mut request = tonic::Request::new(kalla_proto::v1::GetWorkerRequest {});
    request.metadata_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(problem(&jobs.get_worker(request).await.unwrap_err()).code(), Code::Forbidden);
    // What tells nothing is asked under any name.
    for path in ["/health", "/ready"] {
        let asked = client.get(format!("{}{path}", worker.url)).header("host", "worker-7:9090").send().await.unwrap();
        assert_eq!(asked.status(), 200);
        for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
            assert_eq!(asked.headers()[name], value);
        }
    }
    send(&[]).await.unwrap().error_for_status().unwrap();
}

#[tokio::test]
async fn with_a_token_any_name_will_do() {
    let (_kept, dir) = temporary();
    let token = [("KALLA_WORKER_TOKEN", "open-sesame")];
    let worker = Worker::start(&dir, &token);
    let named = Worker::start(&dir, &[("KALLA_PUBLIC_URL", "http://worker:9090")]);
    let client = reqwest::Client::new();
    let ask = |url: &str| client.get(format!("{url}/metrics")).header("host", "worker:9090").bearer_auth("open-sesame");
    assert_eq!(ask(&worker.url).send().await.unwrap().status(), 200);
    assert_eq!(ask(&worker.url).header("origin", "http://worker:9090").send().await.unwrap().status(), 403);
    assert_eq!(ask(&named.url).send().await.unwrap().status(), 200);
}

/// A worker that others can reach has a token, or was opened on purpose.
#[test]
fn an_open_door_is_asked_for() {
    let (_kept, dir) = temporary();
    let start = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
        command.args(["worker", "--host", "0.0.0.0", "--port", "0"]).current_dir(&dir);
        let refused = command.envs(variables.iter().copied()).output().unwrap();
        (refused.status.code(), String::from_utf8_lossy(&refused.stderr).into_owned())
    };
    let (code, told) = start(&[]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("KALLA_WORKER_TOKEN") && told.contains("KALLA_AUTH=none"), "{told}");
    let broker = ("NATS_URL", "nats://u:s3cret@127.0.0.1:1");
    let (code, told) = start(&[("KALLA_WORKER_TOKEN", "x"), broker, ("NATS_CREDS", "none.creds")]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("NATS_CREDS: none.creds") && !told.contains("s3cret"), "{told}");
    let (code, told) = start(&[("KALLA_WORKER_TOKEN", "x"), ("KALLA_PUBLIC_URL", "https://u:s3cret@worker")]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("KALLA_PUBLIC_URL") && !told.contains("s3cret"), "{told}");
}

/// Ways to write an address at which something listens. Nothing is connected to, whatever the answer is.
#[tokio::test]
async fn databases_are_no_way_around_the_policy() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_PRIVATE_ADDRESSES", "refuse"), ("KALLA_CONCURRENCY", "4")]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut sources = sources(&worker.url).await;
    for host in [
        format!("u@127.0.0.1:{port}/db?table=t"),
        format!("u@localhost:{port}/db?table=t"),
        format!("u@LOCALHOST.:{port}/db?table=t"),
        format!("u@[::1]:{port}/db?table=t"),
        format!("u@[::ffff:127.0.0.1]:{port}/db?table=t"),
        format!("u@[::ffff:7f00:1]:{port}/db?table=t"),
        format!("u@[::127.0.0.1]:{port}/db?table=t"),
        format!("u@127.1:{port}/db?table=t"),
        format!("u@127.0.1:{port}/db?table=t"),
        format!("u@2130706433:{port}/db?table=t"),
        format!("u@0x7f000001:{port}/db?table=t"),
        format!("u@0x7f.0.0.1:{port}/db?table=t"),
        format!("u@0177.0.0.1:{port}/db?table=t"),
        format!("u@%31%32%37.0.0.1:{port}/db?table=t"),
        format!("u@127%2e0%2e0%2e1:{port}/db?table=t"),
        format!("u@0.0.0.0:{port}/db?table=t"),
        format!("u@0:{port}/db?table=t"),
        format!("u@db.example:{port}/db?table=t&hostaddr=127.0.0.1"),
        format!("u@db.example:{port}/db?table=t&host=127.0.0.1"),
        format!("u@/db?host=127.0.0.1&port={port}&table=t"),
        format!("u@/db?hostaddr=127.0.0.1&port={port}&table=t"),
        format!("u@db.example,127.0.0.1:{port}/db?table=t"),
        format!("u@db.example:1,127.0.0.1:{port}/db?table=t"),
        format!("u@%2Ftmp:{port}/db?table=t"),
        format!("u@/db?host=%2Ftmp&port={port}&table=t"),
    ] {
        let uri = format!("postgres://{host}");
        let mut job = payload(&dir, "");
        job.sources[0].uri = uri.clone();
        let source = Some(job.sources[0].clone());
        let request = kalla_proto::v1::PreviewSourceRequest { source, limit: 1 };
        let told = problem(&sources.preview_source(request).await.unwrap_err());
        assert!(matches!(told.code(), Code::Forbidden | Code::Invalid | Code::Unavailable), "{uri}: {told:?}");
        assert!(!told.message.contains("did not answer"), "{uri}: {told:?}");
        let came = listener.accept();
        assert!(came.is_err(), "{uri} was connected to: {told:?}");
    }
    // Traps are none of the worker's, whatever it allows.
    let open = Worker::start(&dir, &[]);
    for uri in [
        "postgres://u@169.254.169.254/db?table=t",
        "postgres://u@2852039166/db?table=t",
        "postgres://u@[::ffff:169.254.169.254]/db?table=t",
        "postgres://u@[64:ff9b::a9fe:a9fe]/db?table=t",
        "postgres://u@db.example/db?table=t&hostaddr=169.254.169.254",
        "postgres://u@168.63.129.16/db?table=t",
    ] {
        let mut job = payload(&dir, "");
        job.sources[0].uri = uri.to_owned();
        let request = kalla_proto::v1::PreviewSourceRequest { source: Some(job.sources[0].clone()), limit: 1 };
        let mut sources = crate::door::sources(&open.url).await;
        let told = problem(&sources.preview_source(request).await.unwrap_err());
        assert!(matches!(told.code(), Code::Forbidden | Code::Invalid), "{uri}: {told:?}");
    }
}

/// The callback that the operator has named is called, though private addresses are refused.
#[tokio::test]
async fn the_operator_s_own_callback_is_trusted() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let own = sink.url();
    let refuse = ("KALLA_PRIVATE_ADDRESSES", "refuse");
    let worker = Worker::start(&dir, &[refuse, ("KALLA_CALLBACK_URL", &own)]);
    let job = payload(&dir, &own);
    Door::http(&worker.url).submit(&job).await.unwrap();
    assert_eq!(sink.terminal(&job.run_id).await.kind, "complete");
    let other = payload(&dir, "http://127.0.0.1:9/x");
    let told = Door::http(&worker.url).submit(&other).await.unwrap_err();
    assert_eq!(told.violations[0].field, "callback_url");
}

/// Neither read as a source nor written as an output.
async fn closed(door: &Door, dir: &Path, uri: &str) {
    let mut job = payload(dir, "");
    job.sources[1].uri = uri.to_owned();
    let told = door.submit(&job).await.unwrap_err();
    assert_eq!(told.violations[0].field, "sources[1].uri", "{uri}: {told:?}");
    let job = JobPayload { output_path: uri.to_owned(), ..payload(dir, "") };
    let told = door.submit(&job).await.unwrap_err();
    assert_eq!(told.violations[0].field, "output_path", "{uri}: {told:?}");
}

#[tokio::test]
async fn what_kalla_keeps_for_itself_is_closed() {
    let (_kept, dir) = temporary();
    std::fs::create_dir_all(dir.join("kalla-data/deep")).unwrap();
    std::fs::write(dir.join("kalla-data/secret.key"), "0123").unwrap();
    let worker = Worker::start(&dir, &[]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    let first = payload(&dir, &sink.url());
    door.submit(&first).await.unwrap();
    sink.terminal(&first.run_id).await;
    for path in [
        "kalla-data/secret.key",
        "kalla-data",
        "kalla-data/deep/new",
        "staging/outbox",
        "staging/outbox/x-1.json",
        "staging/staged/x",
        &format!("staging/runs/{}.json", first.run_id),
        "./staging/../staging/runs/x.json",
        "staging/./runs/x.json",
    ] {
        closed(&door, &dir, path).await;
        closed(&door, &dir, &format!("file://{}", dir.join(path).display())).await;
    }
    // Nor is it anybody else's on this machine.
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("staging")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    // What is not: uploads, results, and whatever else is called alike.
    std::fs::copy(dir.join("a.csv"), dir.join("kalla-data.csv")).unwrap();
    std::fs::copy(dir.join("a.csv"), dir.join("staging/outbox.csv")).unwrap();
    for uri in
        ["kalla-data.csv", "staging/outbox.csv", &format!("staging/results/{}/unmatched_left.parquet", first.run_id)]
    {
        let mut job = payload(&dir, &sink.url());
        job.sources[0].uri = uri.to_owned();
        door.submit(&job).await.unwrap();
        assert_eq!(sink.terminal(&job.run_id).await.kind, "complete", "{uri}");
    }
}

#[tokio::test]
async fn buckets_have_roots_too() {
    let (_kept, dir) = temporary();
    let (own, bank, other) = (Bucket::create(), Bucket::create(), Bucket::create());
    for bucket in [&own, &bank, &other] {
        bucket.put("in/a.csv", b"id,amount\n1,10.00\n2,20.00\n");
        bucket.put("inner/a.csv", b"id,amount\n1,10.00\n");
    }
    let home = Home::Bucket(own);
    let variables = home.variables();
    let mut all: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let worker = Worker::start(&dir, &all);
    let root = bank.uri("in");
    all.push(("KALLA_BUCKETS", &root));
    let fenced = Worker::start(&dir, &all);
    let Home::Bucket(own) = &home else { unreachable!() };
    let sink = Sink::start().await;

    for worker in [&worker, &fenced] {
        let door = Door::http(&worker.url);
        for key in ["outbox/x-1.json", "outbox", "runs/x.json", "staged/x", "/outbox/x-1.json", "outbox/"] {
            closed(&door, &dir, &own.uri(key)).await;
        }
    }
    // Of others: whether they may be read, and written.
    for (worker, uri, read, written) in [
        (&worker, own.uri("in/a.csv"), true, true),
        (&worker, bank.uri("in/a.csv"), true, false),
        (&worker, other.uri("in/a.csv"), true, false),
        (&fenced, own.uri("in/a.csv"), true, true),
        (&fenced, bank.uri("in/a.csv"), true, true),
        (&fenced, bank.uri("inner/a.csv"), false, false),
        (&fenced, other.uri("in/a.csv"), false, false),
    ] {
        let door = Door::http(&worker.url);
        let mut job = payload(&dir, &sink.url());
        job.sources[0].uri = uri.clone();
        let taken = door.submit(&job).await;
        assert_eq!(taken.is_ok(), read, "{uri}: {taken:?}");
        if read {
            assert_eq!(sink.terminal(&job.run_id).await.kind, "complete", "{uri}");
        }
        let job = JobPayload { output_path: format!("{uri}.out"), ..payload(&dir, &sink.url()) };
        let taken = door.submit(&job).await;
        assert_eq!(taken.is_ok(), written, "{uri}: {taken:?}");
    }
}

/// Sources in a store that speaks S3, results on the disk.
#[tokio::test]
async fn an_s3_store_needs_no_staging_bucket() {
    let (_kept, dir) = temporary();
    let bucket = Bucket::create();
    let source = bucket.put("in/a.csv", b"id,amount\n1,10.00\n2,20.00\n");
    let home = Home::Bucket(bucket);
    let variables: Vec<_> = home.variables().into_iter().filter(|(name, _)| *name != "STAGING_BUCKET").collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let worker = Worker::start(&dir, &variables);
    let sink = Sink::start().await;
    let mut job = payload(&dir, &sink.url());
    job.sources[0].uri = source;
    Door::http(&worker.url).submit(&job).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["matched_count"], 1, "{}", last.body);
    assert!(dir.join("staging/results").join(&job.run_id).join("manifest.json").exists());
}

/// A run_id stays with what was ordered under it, through restarts too.
#[tokio::test]
async fn a_run_id_stays_with_its_order() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let first = Worker::start(&dir, &[]);
    let job = payload(&dir, &sink.url());
    Door::http(&first.url).submit(&job).await.unwrap();
    assert_eq!(sink.terminal(&job.run_id).await.body["matched_count"], 2);
    first.kill();

    let second = Worker::start(&dir, &[]);
    let door = Door::http(&second.url);
    std::fs::write(dir.join("c.csv"), "id,amount\n2,20.00\n").unwrap();
    let mut other = job.clone();
    other.sources[0].uri = dir.join("c.csv").to_str().unwrap().to_owned();
    assert_eq!(other.match_sql, SQL);
    assert_eq!(door.submit(&other).await.unwrap_err().code(), Code::Conflict);
    door.submit(&job).await.unwrap();
    // Nor where no word of it is left but the result itself.
    let third = payload(&dir, &sink.url());
    let output_path = dir.join("out").to_str().unwrap().to_owned();
    let third = JobPayload { output_path, ..third };
    door.submit(&third).await.unwrap();
    sink.terminal(&third.run_id).await;
    second.kill();
    std::fs::remove_dir_all(dir.join("staging/runs")).unwrap();
    let worker = Worker::start(&dir, &[]);
    let mut other = JobPayload { attempt: 2, ..third.clone() };
    other.sources[0].uri = dir.join("c.csv").to_str().unwrap().to_owned();
    let door = Door::http(&worker.url);
    door.submit(&other).await.unwrap();
    let status = loop {
        let status = door.get(&other.run_id).await.unwrap();
        if status.error.is_some() || status.complete.is_some() {
            break status;
        }
        tokio::task::yield_now().await;
    };
    assert!(status.error.is_some_and(|error| error.error.contains("run_id")), "{:?}", status.complete);
}
