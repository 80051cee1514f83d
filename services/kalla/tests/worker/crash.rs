//! Workers that end at bad moments.

use std::time::Duration;

use kalla_proto::v1::{self, JobPayload};

use crate::behaviour::{endless, payload, temporary};
use crate::door::Door;
use crate::process::Worker;
use crate::sink::{Call, Mood, Sink};

#[tokio::test]
async fn another_worker_tells_what_a_killed_one_could_not() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let patience = [("KALLA_CALLBACK_TIMEOUT", "1s"), ("KALLA_CALLBACK_BUDGET", "1s")];
    let mut first = Worker::start(&dir, &patience);
    let job = payload(&dir, &sink.url());
    sink.set_mood(&job.run_id, Mood { failures: usize::MAX, ..Default::default() });
    Door::http(&first.url).submit(&job).await.unwrap();
    first.line_with("stays in the outbox");
    first.kill();
    sink.set_mood(&job.run_id, Mood::default());
    let second = Worker::start(&dir, &patience);
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["matched_count"], 2);
    // It knows the result of a run that it did not run, too.
    let status = Door::http(&second.url).get(&job.run_id).await.unwrap();
    assert_eq!(status.complete.unwrap().matched_count, 2);
    let left = || std::fs::read_dir(dir.join("staging/outbox")).unwrap().count();
    while left() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sink.calls(&job.run_id).iter().filter(|call| call.accepted && call.is_terminal()).count(), 1);
}

#[tokio::test]
async fn forty_jobs_through_a_storm() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "4"), ("KALLA_CALLBACK_TIMEOUT", "1s")]);
    let door = Door::http(&worker.url);
    let jobs: Vec<_> = (0..40).map(|_| payload(&dir, &sink.url())).collect();
    for job in &jobs {
        sink.set_mood(&job.run_id, Mood { stormy: true, ..Default::default() });
        door.submit(job).await.unwrap();
    }
    for job in &jobs {
        assert_eq!(sink.terminal(&job.run_id).await.kind, "complete");
    }
    for job in &jobs {
        let accepted = sink.calls(&job.run_id).iter().filter(|call| call.is_terminal() && call.accepted).count();
        assert_eq!(accepted, 1);
    }
}

/// Killed at moments that nobody chose. What is visible is whole, what is submitted again completes, and all that is said
/// about it is one thing.
#[tokio::test]
async fn a_worker_that_is_killed_again_and_again() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let patience = [("KALLA_CALLBACK_TIMEOUT", "1s"), ("KALLA_CALLBACK_BUDGET", "1s"), ("KALLA_CONCURRENCY", "2")];
    let mut moments = fastrand::Rng::with_seed(7);
    for round in 0..10 {
        let worker = Worker::start(&dir, &patience);
        let door = Door::http(&worker.url);
        let jobs: Vec<_> = (0..4)
            .map(|_| {
                let mut job = payload(&dir, &sink.url());
                job.sources.iter_mut().for_each(|s| s.uri = dir.join("many.csv").to_str().unwrap().to_owned());
                JobPayload {
                    match_sql: "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id".to_owned(),
                    ..job
                }
            })
            .collect();
        for job in &jobs {
            door.submit(job).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(moments.u64(0..800))).await;
        worker.kill();
        for job in &jobs {
            assert_whole_or_nothing(&dir.join("staging/results").join(&job.run_id));
        }
        let worker = Worker::start(&dir, &patience);
        let door = Door::http(&worker.url);
        for job in &jobs {
            door.submit(job).await.unwrap();
        }
        for job in &jobs {
            let last = sink.terminal(&job.run_id).await;
            assert_eq!((last.kind.as_str(), &last.body["matched_count"]), ("complete", &200_000.into()), "{round}");
            assert_whole_or_nothing(&dir.join("staging/results").join(&job.run_id));
            let calls = sink.calls(&job.run_id);
            let said: std::collections::BTreeSet<&str> =
                calls.iter().filter(|call| call.is_terminal()).map(|call| call.key.as_str()).collect();
            assert_eq!(said.len(), 1, "{round}: {said:?}");
        }
    }
}

/// Either there is a manifest and every file that it names, as it describes it, or there is nothing to see.
fn assert_whole_or_nothing(output: &std::path::Path) {
    let Ok(manifest) = std::fs::read(output.join("manifest.json")) else {
        let names = std::fs::read_dir(output).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let visible: Vec<_> = names.filter(|name| !name.to_string_lossy().starts_with('.')).collect();
        // Files are moved to their names before the manifest, which alone makes them a result.
        assert!(
            visible.iter().all(|name| name == "staged" || name.to_string_lossy().ends_with(".parquet")),
            "{visible:?}"
        );
        return;
    };
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    for file in manifest["files"].as_object().unwrap().values() {
        let bytes = std::fs::metadata(file["path"].as_str().unwrap()).unwrap().len();
        assert_eq!(file["bytes"], bytes);
    }
}

#[tokio::test]
async fn a_job_that_was_cut_short_runs_again() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let first = Worker::start(&dir, &[]);
    let mut job = endless(&dir, &sink.url());
    job.output_path = dir.join("staging/results/mine").to_str().unwrap().to_owned();
    Door::http(&first.url).submit(&job).await.unwrap();
    sink.matching(&job.run_id).await;
    first.kill();
    let output = dir.join("staging/results/mine");
    let visible = |path: &std::path::Path| {
        std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
            .count()
    };
    assert_eq!(visible(&output), 0);
    // The same job, which has less to do now.
    std::fs::write(dir.join("many.csv"), "id,n\n1,3000001\n2,3000002\n").unwrap();
    let _second = Worker::start(&dir, &[]);
    let last = sink.terminal(&job.run_id).await;
    assert_eq!(last.body["matched_count"], 4);
    assert_eq!(visible(&output), 5);
}

/// What was accepted and has not begun is known, and done, though nobody sends it again.
#[tokio::test]
async fn a_job_that_waited_is_taken_on() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let first = Worker::start(&dir, &[("KALLA_CONCURRENCY", "1")]);
    let door = Door::http(&first.url);
    let (busy, waits) = (endless(&dir, &sink.url()), payload(&dir, &sink.url()));
    door.submit(&busy).await.unwrap();
    sink.matching(&busy.run_id).await;
    door.submit(&waits).await.unwrap();
    let cancelled = payload(&dir, &sink.url());
    door.submit(&cancelled).await.unwrap();
    door.cancel(&cancelled.run_id).await.unwrap();
    sink.terminal(&cancelled.run_id).await;
    first.kill();
    assert!(sink.calls(&waits.run_id).is_empty());

    let second = Worker::start(&dir, &[("KALLA_CONCURRENCY", "2")]);
    let door = Door::http(&second.url);
    assert_eq!(sink.terminal(&waits.run_id).await.body["matched_count"], 2);
    for job in [&waits, &busy] {
        door.get(&job.run_id).await.unwrap();
    }
    // One that had ended is not begun again, though its last event may come once more.
    assert_eq!(door.get(&cancelled.run_id).await.unwrap().state(), v1::JobState::Cancelled);
    assert_eq!(sink.calls(&cancelled.run_id).iter().filter(|call| call.is_terminal() && call.accepted).count(), 1);
    door.cancel(&busy.run_id).await.unwrap();
    sink.terminal(&busy.run_id).await;
    let left = || std::fs::read_dir(dir.join("staging/inbox")).unwrap().count();
    while left() > 0 {
        tokio::task::yield_now().await;
    }
}

/// How a job ended is known after its worker, and told soon, though its budget for telling is long.
#[tokio::test]
async fn an_outcome_outlives_its_worker() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let first = Worker::start(&dir, &[]);
    let mut job = payload(&dir, &sink.url());
    job.sources[1].uri = dir.join("none.csv").to_str().unwrap().to_owned();
    sink.set_mood(&job.run_id, Mood { failures: usize::MAX, ..Default::default() });
    Door::http(&first.url).submit(&job).await.unwrap();
    sink.wait(&job.run_id, "try", |calls| calls.iter().find(|call| call.is_terminal()).map(drop)).await;
    first.kill();
    let second = Worker::start(&dir, &[]);
    let door = Door::http(&second.url);
    let status = door.get(&job.run_id).await.unwrap();
    assert_eq!(status.state(), v1::JobState::Failed);
    assert!(status.error.unwrap().error.contains("none.csv"));
    // The same job again is accepted again, and is not begun again either.
    door.submit(&job).await.unwrap();
    assert_eq!(door.get(&job.run_id).await.unwrap().state(), v1::JobState::Failed);
    sink.set_mood(&job.run_id, Mood::default());
    sink.terminal(&job.run_id).await;
    // It is the same event that was told before, and the job was not begun again.
    let calls = sink.calls(&job.run_id);
    let told: Vec<_> = calls.iter().filter(|call| call.is_terminal()).map(|call| &call.body).collect();
    assert!(told.len() > 1 && told.iter().all(|body| *body == told[0]), "{told:#?}");
}

/// What is left of an upload whose worker was killed is removed when the next one starts.
#[tokio::test]
async fn a_torn_upload_is_removed() {
    let (_kept, dir) = temporary();
    let first = Worker::start(&dir, &[]);
    let address = first.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!("PUT /api/files/torn.csv HTTP/1.1\r\nHost: {address}\r\nContent-Length: 50000000\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &vec![b'x'; 30_000_000]).await.unwrap();
    let files = || std::fs::read_dir(dir.join("staging/files")).into_iter().flatten().flatten().count();
    while files() == 0 {
        tokio::task::yield_now().await;
    }
    first.kill();
    assert_eq!(files(), 1);
    let _second = Worker::start(&dir, &[]);
    while files() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Of a job that a worker with these variables has run: the staged rows that its manifest names, in order.
async fn staged(worker: &Worker, dir: &std::path::Path, sink: &Sink) -> (JobPayload, Vec<String>) {
    let job = payload(dir, &sink.url());
    Door::http(&worker.url).submit(&job).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    let manifest = std::fs::read(last.body["manifest_path"].as_str().unwrap()).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let sides = [&manifest["left"], &manifest["right"]];
    (job, sides.iter().filter_map(|side| side["staged"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn staged_rows_stay_for_a_time() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let worker = Worker::start(&dir, &[]);
    let (job, paths) = staged(&worker, &dir, &sink).await;
    assert_eq!(paths.len(), 2);
    for path in &paths {
        assert!(std::fs::read(path).unwrap().starts_with(b"PAR1"), "{path}");
    }
    worker.kill();
    let output = dir.join("staging/results").join(&job.run_id);
    let _worker = Worker::start(&dir, &[("KALLA_KEEP_STAGED", "1s")]);
    let began = std::time::Instant::now();
    while output.join("staged").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "staged rows are not swept");
        tokio::task::yield_now().await;
    }
    assert!(output.join("matched.parquet").exists());
    let worker = Worker::start(&dir, &[("KALLA_KEEP_STAGED", "0")]);
    let (job, paths) = staged(&worker, &dir, &sink).await;
    assert!(paths.is_empty() && !dir.join("staging/results").join(&job.run_id).join("staged").exists());
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_first() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let worker = Worker::start(&dir, &[("KALLA_CONCURRENCY", "1")]);
    let door = Door::http(&worker.url);
    let jobs: Vec<_> = (0..5).map(|_| payload(&dir, &sink.url())).collect();
    for job in &jobs {
        door.submit(job).await.unwrap();
    }
    worker.terminate();
    assert!(worker.wait().success());
    // What had begun is done, what waited is given back.
    let mut given_back = 0;
    for job in &jobs {
        let last = sink.terminal(&job.run_id).await;
        if last.kind == "error" {
            assert_eq!(last.body["interrupted"], true, "{}", last.body);
            given_back += 1;
        } else {
            assert_eq!((last.kind.as_str(), given_back), ("complete", 0));
        }
    }
}

fn check_interrupted(last: &Call) {
    assert_eq!((last.kind.as_str(), &last.body["interrupted"]), ("error", &true.into()), "{}", last.body);
    assert_eq!(last.body["problem"]["retryable"], true, "{}", last.body);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_told() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let mut worker = Worker::start(&dir, &[("KALLA_SHUTDOWN", "2s")]);
    let door = Door::http(&worker.url);
    let job = endless(&dir, &sink.url());
    door.submit(&job).await.unwrap();
    sink.matching(&job.run_id).await;
    worker.terminate();
    worker.line_with("stopping");
    let problem = door.submit(&payload(&dir, &sink.url())).await.unwrap_err();
    assert!(problem.retryable && problem.message.contains("shutting down"), "{problem:?}");
    check_interrupted(&sink.terminal(&job.run_id).await);
    assert!(worker.wait().success());
}

/// What waits is not kept until what runs has had its time.
#[tokio::test]
async fn what_waits_is_given_back_at_once() {
    let (_kept, dir) = temporary();
    let sink = Sink::start().await;
    let worker = Worker::start(&dir, &[("KALLA_SHUTDOWN", "60s"), ("KALLA_CONCURRENCY", "1")]);
    let door = Door::http(&worker.url);
    let (job, waits) = (endless(&dir, &sink.url()), payload(&dir, &sink.url()));
    door.submit(&job).await.unwrap();
    sink.matching(&job.run_id).await;
    door.submit(&waits).await.unwrap();
    worker.terminate();
    check_interrupted(&sink.terminal(&waits.run_id).await);
    // The other one goes on: it ends because somebody wants that.
    door.cancel(&job.run_id).await.unwrap();
    let last = sink.terminal(&job.run_id).await;
    assert_eq!((&last.body["problem"]["code"], &last.body["interrupted"]), (&"cancelled".into(), &false.into()));
    assert!(worker.wait().success());
}
