//! Whenever a process is killed, a reader finds a whole result: the one before, or the new one.

#![allow(clippy::unwrap_used)]

#[path = "support/bucket.rs"]
mod bucket;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bucket::Bucket;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Runs that are killed in each place.
const KILLS: u64 = 200;

/// The two tables that take turns, by the rows of their left side.
const ROWS: [u64; 2] = [20_000, 15_000];

struct Runs {
    dir: tempfile::TempDir,
    endpoint: Option<String>,
    out: String,
    random: u64,
}

impl Runs {
    fn new(out: &str, endpoint: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for rows in ROWS {
            let lines: String = (0..rows).map(|n| format!("{n},{}.25,row {n}\n", n % 1_000)).collect();
            std::fs::write(dir.path().join(format!("{rows}.csv")), format!("id,amount,memo\n{lines}")).unwrap();
        }
        let lines: String = (0..18_000).map(|n| format!("{},{}.25\n", n * 2, n % 900)).collect();
        std::fs::write(dir.path().join("right.csv"), format!("ref,paid\n{lines}")).unwrap();
        Self { dir, endpoint, out: out.to_owned(), random: 42 }
    }

    fn start(&self, rows: u64) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
        let left = format!("{rows}.csv");
        command.args([
            "reconcile",
            &left,
            "right.csv",
            "--on",
            "id=ref",
            "--keep-staged",
            "--quiet",
            "--out",
            &self.out,
        ]);
        if let Some(endpoint) = &self.endpoint {
            command.envs([
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "us-east-1"),
            ]);
            command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        }
        command.current_dir(self.dir.path()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn complete(&self, rows: u64) -> Duration {
        let started = Instant::now();
        let output = self.start(rows).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        started.elapsed()
    }

    /// Kills a run at some moment of its life, more often near its end than at its beginning.
    fn kill_one(&mut self, rows: u64, life: Duration) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = f64::from(u32::try_from(self.random >> 40).unwrap()) / f64::from(1u32 << 24);
        let mut child = self.start(rows);
        let (_nobody, never) = mpsc::channel::<()>();
        assert!(never.recv_timeout(life.mul_f64(share.sqrt() * 1.1)).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn follow(&mut self, manifest: impl Fn() -> Option<Vec<u8>>, file: impl Fn(&str) -> Vec<u8>) -> Value {
        let life = self.complete(ROWS[0]).min(self.complete(ROWS[1]));
        let mut seen = BTreeSet::new();
        for kill in 0..KILLS {
            self.kill_one(ROWS[usize::try_from(kill % 2).unwrap()], life);
            let manifest: Value = serde_json::from_slice(&manifest().expect("a result")).unwrap();
            assert!(ROWS.contains(&manifest["counts"]["total_left"].as_u64().unwrap()));
            for (set, entry) in manifest["files"].as_object().unwrap() {
                let bytes = file(entry["path"].as_str().unwrap());
                let hash = hex::encode(Sha256::digest(&bytes));
                assert_eq!(entry["sha256"], hash, "kill {kill}: {set} of {manifest}");
            }
            for input in ["left", "right"] {
                let staged = file(manifest[input]["staged"].as_str().unwrap());
                assert!(staged.starts_with(b"PAR1") && staged.ends_with(b"PAR1"), "kill {kill}: {input}");
            }
            seen.insert(manifest["run_id"].to_string());
        }
        assert!(seen.len() > 1, "no killed run had come to its end");
        self.complete(ROWS[0]);
        serde_json::from_slice(&manifest().unwrap()).unwrap()
    }
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

#[test]
fn a_directory_always_holds_a_whole_result() {
    let mut runs = Runs::new("out", None);
    let dir = runs.dir.path().to_path_buf();
    let manifest = runs.follow(
        || std::fs::read(dir.join("out/manifest.json")).ok(),
        |path| std::fs::read(dir.join(path)).unwrap_or_else(|e| panic!("{path}: {e}")),
    );
    assert_eq!(manifest["manifest_version"], 1);
    let left: Vec<String> =
        below(&dir.join("out")).iter().map(|p| p.strip_prefix(&dir).unwrap().display().to_string()).collect();
    let wanted = ["manifest.json", "matched.parquet", "staged", "staged/0.parquet", "staged/1.parquet"];
    let wanted = wanted.into_iter().chain(["unmatched_left.parquet", "unmatched_right.parquet"]);
    assert_eq!(left, wanted.map(|name| format!("out/{name}")).collect::<Vec<_>>());
}

#[test]
fn a_bucket_always_holds_a_whole_result() {
    let bucket = Bucket::create();
    let mut runs = Runs::new(&bucket.uri("out"), Some(bucket.endpoint()));
    let manifest = runs.follow(|| Some(bucket.get(&bucket.uri("out/manifest.json"))), |path| bucket.get(path));
    // What the last run has replaced is gone. What killed attempts have left goes by its age: nobody can tell before.
    let named: BTreeSet<String> = manifest["files"]
        .as_object()
        .unwrap()
        .values()
        .map(|file| file["path"].as_str().unwrap())
        .chain(["left", "right"].map(|input| manifest[input]["staged"].as_str().unwrap()))
        .chain([bucket.uri("out/manifest.json").as_str()])
        .map(str::to_owned)
        .collect();
    let there: BTreeSet<String> = bucket.keys("out/").iter().map(|key| bucket.uri(key)).collect();
    assert!(named.is_subset(&there));
    assert_eq!(there.iter().filter(|key| key.ends_with("/manifest.json")).count(), 1);
}
