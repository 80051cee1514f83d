//! More than a worker can take: it says so, and loses nothing that it has accepted.

use std::time::{Duration, Instant};

use kalla_proto::v1::{self, Code, JobPayload};

use tokio::io::AsyncWriteExt as _;

use crate::behaviour::{ENDLESS, payload, temporary};
use crate::door::{Door, post};
use crate::process::Worker;
use crate::sink::Sink;

#[tokio::test]
async fn a_thousand_submissions_at_once() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2"), ("KALLA_QUEUE", "20")]);
    let sink = Sink::start().await;
    let client = reqwest::Client::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (client, job) = (client.clone(), payload(&dir, &sink.url()));
        let url = worker.url.clone();
        tasks.spawn(async move {
            let answer = post(&client, &url, serde_json::to_vec(&job).unwrap()).await;
            let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            (answer.status().as_u16(), wait, job.run_id)
        });
    }
    let answers = tasks.join_all().await;
    let accepted: Vec<_> = answers.iter().filter(|(status, ..)| *status == 202).collect();
    let refused = answers.iter().filter(|(status, wait, _)| *status == 429 && wait.is_some()).count();
    assert_eq!(accepted.len() + refused, 1000, "{answers:?}");
    assert!(accepted.len() >= 20 && refused > 0, "{} accepted", accepted.len());
    for (_, _, run_id) in accepted {
        assert_eq!(sink.terminal(run_id).await.kind, "complete");
    }
    let metrics = reqwest::get(format!("{}/metrics", worker.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains(&format!("kalla_submissions_refused_total{{reason=\"full\"}} {refused}")), "{metrics}");
}

#[tokio::test]
async fn one_job_fails_alone() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2")]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    let many = dir.join("many.csv").to_str().unwrap().to_owned();
    let large = |sql: &str, limits: v1::Limits| {
        let mut job = payload(&dir, &sink.url());
        job.sources.iter_mut().for_each(|source| source.uri = many.clone());
        JobPayload { match_sql: sql.to_owned(), limits: Some(limits), ..job }
    };
    let join = "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id";
    let product = "SELECT l.id FROM left_src l CROSS JOIN right_src r";
    for (job, code) in [
        (large(join, v1::Limits { memory_bytes: Some(1 << 20), ..Default::default() }), "exhausted"),
        (large(product, v1::Limits { max_matched_rows: Some(1000), ..Default::default() }), "exhausted"),
        (large(ENDLESS, v1::Limits { timeout_seconds: Some(1), ..Default::default() }), "deadline"),
    ] {
        door.submit(&job).await.unwrap();
        let beside = payload(&dir, &sink.url());
        door.submit(&beside).await.unwrap();
        assert_eq!(sink.terminal(&beside.run_id).await.kind, "complete");
        let last = sink.terminal(&job.run_id).await;
        assert_eq!(last.body["problem"]["code"], code, "{}", last.body);
    }
}

#[tokio::test]
async fn a_request_is_not_held_in_memory() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_UPLOAD_BYTES", "1MB")]);
    let client = reqwest::Client::new();
    let large = vec![b' '; 3 << 20];
    let answer = post(&client, &worker.url, large.clone()).await;
    assert_eq!(answer.status(), 413);
    let url = format!("{}/api/files/large.csv", worker.url);
    for _ in 0..2 {
        let answer = client.put(&url).body(large.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 413);
    }
    // Without a length in its head.
    let chunks = futures::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100_000])));
    let answer = client.put(&url).body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    let left: Vec<_> = std::fs::read_dir(dir.join("staging/files")).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_job_is_json() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let client = reqwest::Client::new();
    for (kind, status) in [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        // What pages of other sites may send without asking.
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("", 415),
        ("application/xml", 415),
        ("text/csv", 415),
        ("\u{1f980}", 415),
    ] {
        let body = serde_json::to_vec(&payload(&dir, "")).unwrap();
        let request = client.post(format!("{}/api/jobs", worker.url)).header("content-type", kind.as_bytes());
        assert_eq!(request.body(body).send().await.unwrap().status(), status, "{kind}");
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_short_leaves_nothing() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let address = worker.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("PUT /api/files/cut.csv HTTP/1.1\r\nHost: {address}\r\nContent-Length: 50000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 30_000_000]).await.unwrap();
    let files = || std::fs::read_dir(dir.join("staging/files")).into_iter().flatten().flatten().count();
    let began = Instant::now();
    while files() == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing of the upload is on the disk");
        tokio::task::yield_now().await;
    }
    assert!(!dir.join("staging/files/cut.csv").exists());
    drop(stream);
    while files() > 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "a part of the upload stays");
        tokio::task::yield_now().await;
    }
    let problem = reqwest::get(format!("{}/api/files/cut.csv", worker.url)).await.unwrap();
    assert_eq!(problem.status(), 405);
}

#[tokio::test]
async fn a_source_that_hangs_holds_only_its_job() {
    let (_kept, dir) = temporary();
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2")]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    let mut hangs = payload(&dir, &sink.url());
    hangs.sources[1].uri = format!("postgres://u:secret-word@{}/db?table=t", silent.local_addr().unwrap());
    door.submit(&hangs).await.unwrap();
    let beside = payload(&dir, &sink.url());
    door.submit(&beside).await.unwrap();
    sink.terminal(&beside.run_id).await;
    let answer = tokio::time::timeout(Duration::from_secs(5), reqwest::get(format!("{}/health", worker.url))).await;
    assert_eq!(answer.unwrap().unwrap().status(), 200);
    let status = door.cancel(&hangs.run_id).await.unwrap();
    assert_ne!(status.state(), v1::JobState::Queued);
    let last = sink.terminal(&hangs.run_id).await;
    assert_eq!(last.body["problem"]["code"], "cancelled");
    assert!(!last.body.to_string().contains("secret-word"));
    let problem = door.get(&uuid::Uuid::new_v4().to_string()).await.unwrap_err();
    assert_eq!(problem.code(), Code::NotFound);
}

/// The last of the disk is for what is under way.
#[tokio::test]
async fn nothing_new_is_taken_when_the_disk_is_nearly_full() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_DISK_RESERVE", "1000TB")]);
    let client = reqwest::Client::new();
    let ready = client.get(format!("{}/ready", worker.url)).send().await.unwrap();
    let job = post(&client, &worker.url, serde_json::to_vec(&payload(&dir, "")).unwrap()).await;
    let file = client.put(format!("{}/api/files/a.csv", worker.url)).body("id\n1\n").send().await.unwrap();
    for refused in [ready, job, file] {
        assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
        let told = refused.text().await.unwrap();
        assert!(told.contains("KALLA_DISK_RESERVE"), "{told}");
    }
    let metrics = client.get(format!("{}/metrics", worker.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("kalla_submissions_refused_total{reason=\"disk\"} 1"), "{metrics}");
    let free = metrics.lines().find_map(|line| line.strip_prefix("kalla_disk_free_bytes{disk=\"storage\"} ")).unwrap();
    assert!(free.parse::<u64>().unwrap() > 0);
}

/// A client that leaves before the answer may send the job again, and it is done.
#[tokio::test]
async fn a_client_that_leaves_early_leaves_nothing_half_done() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "4")]);
    let sink = Sink::start().await;
    let address = worker.url.strip_prefix("http://").unwrap();
    let jobs: Vec<_> = (0..50).map(|_| payload(&dir, &sink.url())).collect();
    for (moment, job) in jobs.iter().enumerate() {
        let body = serde_json::to_string(job).unwrap();
        let head = format!(
            "POST /api/jobs HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        // At another moment each time.
        tokio::time::sleep(Duration::from_micros(40 * moment as u64)).await;
        drop(stream);
    }
    let door = Door::http(&worker.url);
    for job in &jobs {
        door.submit(job).await.unwrap();
        assert_eq!(sink.terminal(&job.run_id).await.kind, "complete");
    }
}
