//! Jobs that would bring down a worker that ran them itself, and processes that nobody wants any more.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use kalla_proto::v1::{Code, JobPayload};

use crate::behaviour::{endless, payload, temporary};
use crate::door::{Door, sources};
use crate::process::Worker;
use crate::sink::Sink;

/// From the order to the end of a job.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Statements over `large.csv` (`id`, `name`), by what they do.
fn killers() -> Vec<(&'static str, String)> {
    let ors: Vec<String> = (0..500).map(|n| format!("l.id = {n}")).collect();
    let mut joins = "WITH c0 AS (SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id)".to_owned();
    for n in 1..8 {
        write!(joins, ", c{n} AS (SELECT a.id FROM c{} a JOIN c{} b ON a.id = b.id)", n - 1, n - 1).unwrap();
    }
    vec![
        (
            "a chain of ORs",
            format!("SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id WHERE {}", ors.join(" OR ")),
        ),
        (
            "a join by similarity",
            "SELECT l.id FROM left_src l JOIN right_src r ON similarity(l.name, r.name) > 2".to_owned(),
        ),
        ("nested joins of itself", format!("{joins} SELECT id FROM c7")),
        (
            "values that explode",
            "SELECT array_agg(l.name) OVER () AS x, r.id FROM left_src l JOIN right_src r ON l.id = r.id".to_owned(),
        ),
    ]
}

fn large(dir: &Path, callback: &str, sql: &str) -> JobPayload {
    let mut job = payload(dir, callback);
    job.sources.iter_mut().for_each(|source| source.uri = dir.join("large.csv").to_str().unwrap().to_owned());
    JobPayload { match_sql: sql.to_owned(), ..job }
}

fn write_large(dir: &Path) {
    let rows: String = (0..60_000).map(|n| format!("{n},customer number {n}\n")).collect();
    std::fs::write(dir.join("large.csv"), format!("id,name\n{rows}")).unwrap();
}

#[tokio::test]
async fn whatever_a_job_does_the_others_go_on() {
    let (_kept, dir) = temporary();
    write_large(&dir);
    let mut worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2"), ("KALLA_JOB_MEMORY", "256MB")]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    for (what, sql) in killers() {
        let killer = large(&dir, &sink.url(), &sql);
        door.submit(&killer).await.unwrap();
        let beside = payload(&dir, &sink.url());
        door.submit(&beside).await.unwrap();
        assert_eq!(sink.terminal(&beside.run_id).await.kind, "complete", "beside {what}");
        // It is in the middle of it, or it has found its end by itself.
        sink.wait(&killer.run_id, "matching", |calls| {
            calls.iter().find(|c| c.body["stage"] == "matching" || c.is_terminal()).map(drop)
        })
        .await;
        let ordered = Instant::now();
        door.cancel(&killer.run_id).await.unwrap();
        let last = sink.terminal(&killer.run_id).await;
        assert!(ordered.elapsed() < AT_ONCE, "{what}: {:?}", ordered.elapsed());
        let code = last.body["problem"]["code"].as_str().unwrap_or("completed").to_owned();
        assert!(["completed", "cancelled", "exhausted", "invalid"].contains(&code.as_str()), "{what}: {}", last.body);
        assert_eq!(reqwest::get(format!("{}/health", worker.url)).await.unwrap().status(), 200);
        assert_no_attempt(&dir, &killer.run_id);
    }
    assert!(worker.is_running());
    for (pid, _) in worker.children() {
        assert!(resident(pid) < 200 << 20, "a warm process is small");
    }
}

#[tokio::test]
async fn a_job_that_takes_too_much_memory_ends() {
    let (_kept, dir) = temporary();
    write_large(&dir);
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2"), ("KALLA_JOB_MEMORY", "128MB")]);
    let sink = Sink::start().await;
    let (_, sql) = killers().remove(3);
    let job = large(&dir, &sink.url(), &sql);
    Door::http(&worker.url).submit(&job).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["problem"]["code"], "exhausted", "{}", last.body);
    assert!(last.body["error"].as_str().unwrap().contains("needs more than its memory limit"), "{}", last.body);
    assert_no_attempt(&dir, &job.run_id);
}

#[tokio::test]
async fn what_is_spilled_has_its_place_and_its_bound() {
    let (_kept, dir) = temporary();
    write_large(&dir);
    let spill = dir.join("spill");
    let variables = [
        ("KALLA_SPILL_DIR", spill.to_str().unwrap()),
        ("KALLA_SPILL_BYTES", "20MB"),
        ("KALLA_JOB_MEMORY", "64MB"),
        ("KALLA_CONCURRENCY", "1"),
    ];
    let worker = Worker::start(&dir, &variables);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    let sql = "SELECT l.id, r.id AS other, row_number() OVER (ORDER BY l.name, r.name, l.id, r.id) AS place
        FROM left_src l JOIN right_src r ON l.id % 100 = r.id % 100";
    let job = large(&dir, &sink.url(), sql);
    door.submit(&job).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["problem"]["code"], "exhausted", "{}", last.body);
    assert!(last.body["error"].as_str().unwrap().contains("KALLA_SPILL_BYTES"), "{}", last.body);
    assert_no_attempt(&dir, &job.run_id);

    // The worker's own, and that of the process that is warm.
    let used = || {
        let names = std::fs::read_dir(&spill).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect::<BTreeSet<_>>()
    };
    until(|| used().len() == 2, || format!("{:?}", used())).await;
    let mut own = payload(&dir, &sink.url());
    let first = used().into_iter().next().unwrap();
    own.sources[0].uri = spill.join(&first).join("rows.csv").to_str().unwrap().to_owned();
    let told = door.submit(&own).await.unwrap_err();
    assert!(format!("{told:?}").contains("belongs to Kalla"), "{told:?}");

    // What a killed worker leaves goes when the next one starts.
    let left = used();
    worker.kill();
    let _next = Worker::start(&dir, &variables);
    until(|| used().is_disjoint(&left) && used().len() == 2, || format!("{left:?} {:?}", used())).await;
}

async fn until(holds: impl Fn() -> bool, told: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{}", told());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_job_that_never_yields_ends_in_time() {
    let (_kept, dir) = temporary();
    write_large(&dir);
    let worker = Worker::start(&dir, &[("KALLA_JOB_TIMEOUT", "2s")]);
    let sink = Sink::start().await;
    let (_, sql) = killers().remove(1);
    let job = large(&dir, &sink.url(), &sql);
    let began = Instant::now();
    Door::http(&worker.url).submit(&job).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["problem"]["code"], "deadline", "{}", last.body);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_process_that_crashes_fails_its_job_alone() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2")]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    for (signal, code, words) in [("-ABRT", "internal", "a defect of Kalla"), ("-KILL", "exhausted", "want of memory")]
    {
        let job = endless(&dir, &sink.url());
        door.submit(&job).await.unwrap();
        sink.matching(&job.run_id).await;
        // The one that has the job, and the one that is warm.
        for pid in worker.children().keys() {
            kill(*pid, signal);
        }
        let last = sink.terminal(&job.run_id).await;
        assert_eq!((last.kind.as_str(), last.body["problem"]["code"].as_str()), ("error", Some(code)), "{}", last.body);
        assert!(last.body["error"].as_str().unwrap().contains(words), "{}", last.body);
        assert_eq!(last.body["stage"], "matching");
        assert_no_attempt(&dir, &job.run_id);
        let beside = payload(&dir, &sink.url());
        door.submit(&beside).await.unwrap();
        assert_eq!(sink.terminal(&beside.run_id).await.kind, "complete");
    }
}

/// It says nothing new, and so nothing is told; it does not listen, and so it is killed.
#[tokio::test]
async fn a_process_that_stands_still_is_ended() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    let job = endless(&dir, &sink.url());
    door.submit(&job).await.unwrap();
    sink.matching(&job.run_id).await;
    for pid in worker.children().keys() {
        kill(*pid, "-STOP");
    }
    let ordered = Instant::now();
    door.cancel(&job.run_id).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert!(ordered.elapsed() < AT_ONCE, "{:?}", ordered.elapsed());
    assert_eq!(last.body["problem"]["code"], "cancelled", "{}", last.body);
    let calls = sink.calls(&job.run_id);
    let keys: BTreeSet<&str> = calls.iter().map(|call| call.key.as_str()).collect();
    assert_eq!(keys.len(), calls.len(), "{calls:#?}");
    assert_no_attempt(&dir, &job.run_id);
}

#[tokio::test]
async fn processes_die_with_their_worker() {
    let (_kept, dir) = temporary();
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "3")]);
    let sink = Sink::start().await;
    let door = Door::http(&worker.url);
    for _ in 0..3 {
        let job = endless(&dir, &sink.url());
        door.submit(&job).await.unwrap();
        sink.matching(&job.run_id).await;
    }
    let processes = worker.children();
    assert!(processes.len() >= 3, "{processes:?}");
    worker.kill();
    let killed = Instant::now();
    while let Some(alive) = processes.keys().find(|pid| is_alive(**pid)) {
        assert!(killed.elapsed() < AT_ONCE, "process {alive} lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_look_that_nobody_waits_for_ends() {
    let (_kept, dir) = temporary();
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let worker = Worker::start(&dir, &[]);
    let before = worker.children();
    let mut client = sources(&worker.url).await;
    let uri = format!("postgres://u@{}/db?table=t", silent.local_addr().unwrap());
    let source = kalla_proto::v1::Source { uri, ..Default::default() };
    let request = kalla_proto::v1::PreviewSourceRequest { source: Some(source), limit: 1 };
    let look = tokio::spawn(async move { client.preview_source(request).await });
    let (_connection, _) = silent.accept().await.unwrap();
    look.abort();
    let asked = Instant::now();
    while before.keys().any(|pid| is_alive(*pid)) {
        assert!(asked.elapsed() < AT_ONCE, "the process of a look lives on");
        tokio::task::yield_now().await;
    }
    let problem = Door::http(&worker.url).get("x").await.unwrap_err();
    assert_eq!(problem.code(), Code::NotFound);
}

/// Nothing is left of a job that did not complete; one that did left its result.
fn assert_no_attempt(dir: &Path, run_id: &str) {
    let output = dir.join("staging/results").join(run_id);
    let began = Instant::now();
    loop {
        let names: Vec<String> = std::fs::read_dir(&output)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        if !names.iter().any(|name| name.starts_with('.')) {
            return;
        }
        assert!(began.elapsed() < AT_ONCE, "{names:?}");
        std::thread::yield_now();
    }
}

fn kill(pid: u32, signal: &str) {
    // It may have ended already.
    let _ = std::process::Command::new("kill").args([signal, &pid.to_string()]).status();
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields.get("State").is_none_or(|state| !state.starts_with('Z')))
}

fn resident(pid: u32) -> u64 {
    let fields = stat(pid).unwrap_or_default();
    fields.get("VmRSS").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn stat(pid: u32) -> Option<HashMap<String, String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    Some(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}
