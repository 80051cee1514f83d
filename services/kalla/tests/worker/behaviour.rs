//! What a worker does with a job, whichever door it came through and wherever the results go.

use std::path::{Path, PathBuf};

use kalla_proto::v1::{self, Code, Fault, JobPayload, JobState};

use crate::door::Door;
use crate::process::{Home, Worker};
use crate::sink::{Call, Mood, Sink};

/// A worker with two small files, and someone to call back.
pub struct Scene {
    pub home: Home,
    pub worker: Worker,
    pub door: Door,
    pub sink: Sink,
}

pub const SQL: &str = "SELECT l.id, r.paid FROM left_src l JOIN right_src r ON l.id = r.id";
/// Compares every row with every other one: long enough to be stopped.
pub const ENDLESS: &str = "SELECT l.id FROM left_src l JOIN right_src r ON l.n * r.n - l.n > 9000000000000";

pub fn write_files(dir: &Path) {
    std::fs::write(dir.join("a.csv"), "id,amount\n1,10.00\n2,20.00\n3,30.00\n").unwrap();
    std::fs::write(dir.join("b.csv"), "id,paid\n2,20.00\n3,30.01\n4,40.00\n5,50.00\n").unwrap();
    let rows: String = (0..200_000).map(|n| format!("{n},{n}\n")).collect();
    std::fs::write(dir.join("many.csv"), format!("id,n\n{rows}")).unwrap();
}

pub fn payload(dir: &Path, callback: &str) -> JobPayload {
    let source = |alias: &str, file: &str| v1::Source {
        alias: alias.to_owned(),
        uri: dir.join(file).to_str().unwrap().to_owned(),
        ..Default::default()
    };
    JobPayload {
        run_id: uuid::Uuid::new_v4().to_string(),
        callback_url: callback.to_owned(),
        match_sql: SQL.to_owned(),
        sources: vec![source("invoices", "a.csv"), source("payments", "b.csv")],
        ..Default::default()
    }
}

/// A job that has to be stopped.
pub fn endless(dir: &Path, callback: &str) -> JobPayload {
    let mut job = payload(dir, callback);
    for source in &mut job.sources {
        source.uri = dir.join("many.csv").to_str().unwrap().to_owned();
    }
    JobPayload { match_sql: ENDLESS.to_owned(), ..job }
}

impl Scene {
    fn job(&self) -> JobPayload {
        payload(&self.worker.dir, &self.sink.url())
    }

    fn endless(&self) -> JobPayload {
        endless(&self.worker.dir, &self.sink.url())
    }

    async fn run(&self, job: &JobPayload) -> Call {
        self.door.submit(job).await.unwrap();
        self.sink.terminal(&job.run_id).await
    }

    pub async fn completes(&self) {
        let job = JobPayload { callback_token: Some("for-this-run".to_owned()), ..self.job() };
        let last = self.run(&job).await;
        assert_eq!(last.kind, "complete");
        for (field, count) in [
            ("matched_count", 2),
            ("matched_left_count", 2),
            ("matched_right_count", 2),
            ("unmatched_left_count", 1),
            ("unmatched_right_count", 2),
            ("total_left", 3),
            ("total_right", 4),
            ("rejected_left", 0),
        ] {
            assert_eq!(last.body[field], count, "{field}: {}", last.body);
        }
        for path in last.body["output_paths"].as_object().unwrap().values() {
            assert!(self.home.read(path.as_str().unwrap()).starts_with(b"PAR1"), "{path}");
        }
        let manifest = self.home.read(last.body["manifest_path"].as_str().unwrap());
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["run_id"], job.run_id);

        let calls = self.sink.calls(&job.run_id);
        let seqs: Vec<u64> = calls.iter().map(|call| call.body["seq"].as_u64().unwrap()).collect();
        assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
        for call in &calls {
            assert_eq!(call.authorization.as_deref(), Some("Bearer for-this-run"));
            assert_eq!(call.key, format!("{}:1:{}", job.run_id, call.body["seq"]));
        }
        let status = self.door.get(&job.run_id).await.unwrap();
        assert_eq!((status.state(), status.complete.unwrap().matched_count), (JobState::Completed, 2));
    }

    pub async fn runs_once(&self) {
        let job = self.job();
        self.run(&job).await;
        for _ in 0..3 {
            self.door.submit(&job).await.unwrap();
        }
        // Another job that is done proves that nothing of the first is still on its way.
        self.run(&self.job()).await;
        assert_eq!(self.sink.calls(&job.run_id).iter().filter(|call| call.is_terminal()).count(), 1);
    }

    pub async fn keeps_runs_apart(&self) {
        let job = self.job();
        self.run(&job).await;
        let other = JobPayload { match_sql: format!("{SQL} AND l.id > 2"), ..job.clone() };
        let problem = self.door.submit(&other).await.unwrap_err();
        assert_eq!((problem.code(), problem.retryable), (Code::Conflict, false), "{problem:?}");
    }

    pub async fn tells_all_that_is_wrong(&self) {
        let mut job = self.job();
        job.run_id = "seven".to_owned();
        job.callback_url = "ftp://example.com".to_owned();
        job.match_sql = "DELETE FROM left_src".to_owned();
        job.sources[0].uri = "https://example.com/a.csv".to_owned();
        job.sources[1].filters =
            vec![v1::Filter { column: "paid".to_owned(), op: v1::FilterOp::Between.into(), value: None }];
        let problem = self.door.submit(&job).await.unwrap_err();
        assert_eq!((problem.code(), problem.fault()), (Code::Invalid, Fault::User));
        let fields: Vec<&str> = problem.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            fields,
            ["run_id", "callback_url", "sources[0].uri", "sources[1].filters[0]", "match_sql"],
            "{problem:?}"
        );
    }

    /// What the heads of the sources tell of the SQL and the keys, and what only their rows do.
    pub async fn refuses_what_cannot_run(&self) {
        let unknown = JobPayload { match_sql: SQL.replace("r.paid", "r.payed"), ..self.job() };
        let twice = JobPayload { match_sql: SQL.replace("r.paid", "r.id"), ..self.job() };
        let mut keyless = self.job();
        keyless.primary_keys.insert("payments".to_owned(), v1::ColumnNames { columns: vec!["idd".to_owned()] });
        for (job, field, words) in [
            (unknown, "match_sql", "did you mean `r.paid`?"),
            (twice, "match_sql", "would both be named `id`"),
            (keyless, "primary_keys.payments", "`payments` has no column `idd`: did you mean `id`?"),
        ] {
            let problem = self.door.submit(&job).await.unwrap_err();
            assert_eq!(problem.code(), Code::Invalid, "{problem:?}");
            let [violation] = &problem.violations[..] else { panic!("{problem:?}") };
            assert!(violation.field == field && violation.message.contains(words), "{violation:?}");
            let unknown = self.door.get(&job.run_id).await.unwrap_err();
            assert_eq!(unknown.code(), Code::NotFound);
            // The run is nobody's yet: what is mended has its name.
            let mended = JobPayload { run_id: job.run_id, ..self.job() };
            assert_eq!(self.run(&mended).await.kind, "complete");
        }
        // A later row may make a column of a long file text, and one may not: until it is read nobody knows.
        let rows: String = (0..200_000).map(|n| format!("{n},{n}\n")).collect();
        std::fs::write(self.worker.dir.join("long.csv"), format!("id,paid\n{rows}x,\n")).unwrap();
        let mut long = self.job();
        long.sources[1].uri = self.worker.dir.join("long.csv").to_str().unwrap().to_owned();
        long.match_sql = SQL.replace("r.paid", "r.payed");
        let problem = self.door.submit(&long).await.unwrap_err();
        assert!(problem.message.contains("`r.payed`") && problem.violations.len() == 1, "{problem:?}");
        let late = JobPayload { match_sql: SQL.replace("l.id =", "CAST(l.id AS VARCHAR) ="), ..long };
        assert_eq!(self.run(&late).await.kind, "complete");
    }

    pub async fn reports_what_fails(&self) {
        let mut missing = self.job();
        missing.sources[1].uri = self.worker.dir.join("nowhere.csv").to_str().unwrap().to_owned();
        let by_zero = JobPayload {
            match_sql: "SELECT l.id, 1 / (l.id - l.id) AS x FROM left_src l JOIN right_src r ON l.id = r.id".to_owned(),
            ..self.job()
        };
        for (job, code, stage, words) in [
            (missing, "not_found", "staging", "source `payments`: there is no file"),
            (by_zero, "invalid", "matching", "match_sql: "),
        ] {
            let last = self.run(&job).await;
            assert_eq!(last.kind, "error");
            let body = &last.body;
            assert_eq!((body["problem"]["code"].as_str(), body["stage"].as_str()), (Some(code), Some(stage)), "{body}");
            assert!(body["error"].as_str().unwrap().contains(words), "{body}");
            let status = self.door.get(&job.run_id).await.unwrap();
            assert_eq!(status.state(), JobState::Failed);
        }
    }

    pub async fn repeats_the_last_word(&self) {
        let job = self.job();
        self.sink.set_mood(&job.run_id, Mood { failures: 3, ..Default::default() });
        self.run(&job).await;
        let calls = self.sink.calls(&job.run_id);
        let last: Vec<&Call> = calls.iter().filter(|call| call.is_terminal()).collect();
        assert_eq!(last.len(), 4);
        assert!(last.iter().all(|call| call.key == last[0].key && call.body == last[0].body));
    }

    pub async fn stops_when_told(&self) {
        let job = self.endless();
        self.door.submit(&job).await.unwrap();
        self.sink.matching(&job.run_id).await;
        self.door.cancel(&job.run_id).await.unwrap();
        let last = self.sink.terminal(&job.run_id).await;
        assert_eq!((last.kind.as_str(), last.body["problem"]["code"].as_str()), ("error", Some("cancelled")));
        assert_eq!(self.door.get(&job.run_id).await.unwrap().state(), JobState::Cancelled);
        // One that has ended stays as it is.
        assert_eq!(self.door.cancel(&job.run_id).await.unwrap().state(), JobState::Cancelled);
    }

    pub async fn stops_when_nobody_wants_it(&self) {
        let job = self.endless();
        self.sink.set_mood(&job.run_id, Mood { gone: true, ..Default::default() });
        let last = self.run(&job).await;
        assert_eq!((last.kind.as_str(), last.body["problem"]["code"].as_str()), ("error", Some("cancelled")));
    }

    pub async fn a_later_attempt_takes_over(&self) {
        let first = self.endless();
        self.door.submit(&first).await.unwrap();
        self.sink.wait(&first.run_id, "progress", |calls| calls.first().map(drop)).await;
        let second = JobPayload { attempt: 2, ..first.clone() };
        self.door.submit(&second).await.unwrap();
        self.sink
            .wait(&first.run_id, "attempt 2", |calls| calls.iter().find(|c| c.body["attempt"] == 2).map(drop))
            .await;
        self.door.cancel(&first.run_id).await.unwrap();
        let last = self.sink.terminal(&first.run_id).await;
        assert_eq!(last.body["attempt"], 2);
    }

    pub async fn knows_no_other_runs(&self) {
        for id in ["3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10", "x", "..", "%2e%2e%2fetc"] {
            let problem = self.door.get(id).await.unwrap_err();
            assert_eq!(problem.code(), Code::NotFound, "{id}: {problem:?}");
        }
    }

    pub async fn reads_files_that_were_put(&self) {
        let url = format!("{}/api/files/rates.csv", self.worker.url);
        let body = "id,paid\n1,10.00\n2,20.00\n";
        let answer = reqwest::Client::new().put(url).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let stored: v1::StoredFile = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!((stored.id.as_str(), stored.bytes), ("rates.csv", body.len() as u64));
        assert_eq!(self.home.read(&stored.uri), body.as_bytes());
        let mut job = self.job();
        job.sources[1].uri = stored.uri;
        assert_eq!(self.run(&job).await.body["matched_count"], 2);
    }
}

pub fn temporary() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    write_files(dir.path());
    let path = dir.path().to_path_buf();
    (dir, path)
}
