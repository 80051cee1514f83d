//! Malformed and hostile payloads: each gets a clear answer, and the worker stays well.

use kalla_proto::v1::job_service_client::JobServiceClient;
use kalla_proto::v1::{self, JobPayload, Problem};
use prost::Message as _;
use serde_json::{Value, json};

use crate::behaviour::{SQL, payload, temporary};
use crate::door::{channel, post, problem};
use crate::process::Worker;

/// Values that a field of any type does not want.
fn wrong_values() -> Vec<Value> {
    vec![
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(true),
        json!({"a": {"b": []}}),
        json!([[[[]]]]),
        json!("\u{0}"),
        json!("x".repeat(100_000)),
        json!("' OR 1=1; --"),
        json!("🦀\u{202e}"),
    ]
}

fn hostile_sql() -> Vec<String> {
    let nested = |n: usize| {
        format!("SELECT {}l.id{} FROM left_src l JOIN right_src r ON l.id = r.id", "(".repeat(n), ")".repeat(n))
    };
    let texts = [
        "",
        ";",
        "--",
        "SELECT",
        "DROP TABLE left_src",
        "INSERT INTO left_src VALUES (1)",
        "SELECT 1; SELECT 2",
        "COPY left_src TO '/tmp/x'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "SELECT * FROM information_schema.tables",
        "SELECT 'unterminated",
        "SELECT /* unterminated",
        "SELECT \u{0} FROM left_src",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t",
        "SELECT __kalla_row FROM left_src",
        "VALUES (1)",
        "SELECT * FROM nowhere",
        "ＳＥＬＥＣＴ １",
    ];
    let mut all: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    all.extend([nested(200), nested(5_000), "SELECT 1 WHERE ".to_owned() + &"1=1 AND ".repeat(20_000) + "1=1"]);
    all.push("(".repeat(100_000));
    all
}

fn hostile_uris() -> Vec<&'static str> {
    vec![
        "",
        " ",
        "/",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "/proc/self/mem",
        "/dev/zero",
        "/dev/stdin",
        "file://",
        "file:///etc/shadow",
        "file://host/x",
        "http://169.254.169.254/latest",
        "ftp://x/y",
        "s3://",
        "s3:///key",
        "gs://",
        "javascript:alert(1)",
        "postgres://",
        "postgres://h/db",
        "postgres://u:p@h:99999/db?table=t",
        "postgres://h/db?table=",
        "postgres://h/db?table=a.b.c.d",
        "postgres://h/db?table=t&sslrootcert=/etc/shadow",
        "\u{0}",
        "a\nb",
        "C:\\windows\\system32",
        "\\\\host\\share",
        "data:text/csv,a,b",
    ]
}

/// Texts that are no job, or one that nobody should run.
fn texts(good: &JobPayload) -> Vec<Vec<u8>> {
    let whole = serde_json::to_vec(good).unwrap();
    let tree: Value = serde_json::from_slice(&whole).unwrap();
    let mut all: Vec<Vec<u8>> = (0..whole.len()).step_by(whole.len() / 25).map(|n| whole[..n].to_vec()).collect();
    for field in ["run_id", "match_sql", "sources", "callback_url", "output_path", "primary_keys", "limits", "attempt"]
    {
        for value in wrong_values() {
            let mut tree = tree.clone();
            tree[field] = value;
            all.push(serde_json::to_vec(&tree).unwrap());
        }
    }
    for text in ["null", "[]", "0", "\"x\"", "{}", "{\"run_id\":{}}", "{\"a\":", "}{", "\u{feff}{}", "<xml/>"] {
        all.push(text.as_bytes().to_vec());
    }
    all.push(b"\xff\xfe\x00".to_vec());
    all.push([b"[".repeat(100_000), b"]".repeat(100_000)].concat());
    all.push(br#"{"sources":"#.iter().copied().chain(b"[{\"filters\":".repeat(20_000)).collect());
    let twice = String::from_utf8(whole).unwrap().replacen('{', "{\"run_id\":\"x\",", 1);
    all.push(twice.into_bytes());
    all
}

/// Messages that are well formed and wrong.
fn messages(good: &JobPayload) -> Vec<JobPayload> {
    let mut all = Vec::new();
    all.extend(hostile_sql().into_iter().map(|match_sql| JobPayload { match_sql, ..good.clone() }));
    for uri in hostile_uris() {
        let mut job = good.clone();
        job.sources[0].uri = uri.to_owned();
        all.push(job);
    }
    for alias in ["", " ", "right_src", "payments"] {
        let mut job = good.clone();
        job.sources[0].alias = alias.to_owned();
        all.push(job);
    }
    for callback_url in
        ["x", "http://", "http://169.254.169.254", "http://[::ffff:169.254.169.254]/", "http://a:b@c/", "http://0/"]
    {
        all.push(JobPayload { callback_url: callback_url.to_owned(), ..good.clone() });
    }
    for run_id in
        ["", "1", "../../x", "{3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10}", "urn:uuid:3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10"]
    {
        all.push(JobPayload { run_id: run_id.to_owned(), ..good.clone() });
    }
    all.push(JobPayload { sources: Vec::new(), ..good.clone() });
    all.push(JobPayload { sources: good.sources[..1].to_vec(), ..good.clone() });
    all.push(JobPayload { callback_token: Some("a\r\nX: y".to_owned()), ..good.clone() });
    all.push(JobPayload { limits: Some(v1::Limits { threads: Some(0), ..Default::default() }), ..good.clone() });
    all.push(JobPayload { primary_keys: [("nobody".to_owned(), v1::ColumnNames::default())].into(), ..good.clone() });
    let mut job = good.clone();
    job.sources[0].options = Some(v1::ReadOptions { delimiter: Some("€€".to_owned()), ..Default::default() });
    all.push(job);
    let mut job = good.clone();
    let filter = v1::Filter { column: "id".to_owned(), op: 99, value: None };
    job.sources[0].filters = vec![filter; 1000];
    all.push(job);
    all
}

fn assert_clear(what: &str, problem: &Problem) {
    let message = &problem.message;
    assert!(!message.is_empty() && message.len() < 200_000, "{what}: {problem:?}");
    assert_ne!(problem.code(), v1::Code::Internal, "{what}: {problem:?}");
}

async fn resident(url: &str) -> u64 {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("kalla_resident_memory_bytes ")).unwrap();
    line.parse().unwrap()
}

/// What the allocator keeps of a thread that has read the largest messages: another thread may be the first to do so in a
/// later round.
const KEPT: u64 = 64 << 20;

/// Memory after a first round, when everything that is made once has been made, is about that after the others.
async fn stays_well(worker: &Worker, round: impl AsyncFn()) {
    round().await;
    let before = resident(&worker.url).await;
    for _ in 0..3 {
        round().await;
    }
    let after = resident(&worker.url).await;
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    assert!(after < before + KEPT * (threads + 1), "{before} bytes before, {after} after");
    assert_eq!(reqwest::get(format!("{}/health", worker.url)).await.unwrap().status(), 200);
}

/// Of jobs that have ended it is known how, and not what they were asked for.
#[tokio::test]
async fn large_orders_do_not_pile_up() {
    const LARGE: usize = 1_800_000;
    const ORDERS: usize = 60;
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let client = reqwest::Client::new();
    let sql = format!("{SQL} /* {} */", "x".repeat(LARGE));
    let ordered = async |orders: usize| {
        let mut places = Vec::new();
        for _ in 0..orders {
            let mut job = JobPayload { match_sql: sql.clone(), ..payload(&dir, "") };
            job.sources[0].uri = dir.join("none.csv").to_str().unwrap().to_owned();
            let answer = post(&client, &worker.url, serde_json::to_vec(&job).unwrap()).await;
            assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
            places.push(format!("{}/api/jobs/{}", worker.url, job.run_id));
        }
        for place in places {
            while !reqwest::get(&place).await.unwrap().text().await.unwrap().contains("\"failed\"") {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        resident(&worker.url).await
    };
    let before = ordered(5).await;
    let after = ordered(ORDERS).await;
    let grown = after.saturating_sub(before);
    // Each was held twice: as it came, and as a job.
    assert!(grown < (LARGE * ORDERS) as u64, "{before} bytes before, {after} after");
}

#[tokio::test]
async fn over_http() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let good = payload(&dir, "");
    let mut bodies = texts(&good);
    bodies.extend(messages(&good).iter().map(|job| serde_json::to_vec(job).unwrap()));
    assert!(bodies.len() >= 100, "{}", bodies.len());
    let client = reqwest::Client::new();
    stays_well(&worker, async || {
        for body in &bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
            let answer = post(&client, &worker.url, body.clone()).await;
            let status = answer.status().as_u16();
            let text = answer.bytes().await.unwrap();
            // Some texts are only odd: a value that a field takes, or a name that later fields replace.
            if status == 202 {
                continue;
            }
            assert!((400..500).contains(&status), "{status}: {shown}");
            assert_clear(&shown, &serde_json::from_slice(&text).unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn over_grpc() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let good = payload(&dir, "");
    let jobs = messages(&good);
    let client = JobServiceClient::new(channel(&worker.url).await);
    let raw = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let whole = v1::SubmitJobRequest { job: Some(good.clone()) }.encode_to_vec();
    stays_well(&worker, async || {
        for job in &jobs {
            let request = v1::SubmitJobRequest { job: Some(job.clone()) };
            // What only reading the sources can tell is told by the job.
            if let Err(status) = client.clone().submit_job(request).await {
                assert_clear(&job.match_sql, &problem(&status));
            }
        }
        for n in (1..whole.len()).step_by(whole.len() / 30) {
            // A frame whose message ends early.
            let length = u32::try_from(n).unwrap().to_be_bytes();
            let frame = [&[0], &length[..], &whole[..n]].concat();
            let url = format!("{}/kalla.v1.JobService/SubmitJob", worker.url);
            let answer = raw.post(url).header("content-type", "application/grpc").body(frame).send().await.unwrap();
            let code = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap().to_owned());
            assert!(matches!(code.as_deref(), Some("3" | "13")), "{n}: {code:?}");
        }
    })
    .await;
    assert_eq!(good.match_sql, SQL);
}
