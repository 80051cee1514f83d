//! One result at a time: the same run twice, two at once, what others have left, and writes that fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kalla_engine::error::Error;
use kalla_engine::job::Job;
use kalla_engine::location::Location;
use kalla_engine::manifest::Manifest;
use kalla_engine::progress::Progress;
use tokio_util::sync::CancellationToken;

use super::Fixture;

const LEFT: &[u8] = b"id,n\na,1\nb,2\n";
const RIGHT: &[u8] = b"ref\nb\nc\n";
const SQL: &str = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";

async fn run(job: &Job) -> Result<Manifest, Error> {
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    kalla_engine::reconcile(job.clone(), progress, CancellationToken::new()).await
}

/// All files below a directory, with their bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

/// The files of a result, by the hashes that its manifest has.
async fn assert_whole(job: &Job) -> Manifest {
    let manifest = kalla_engine::committed(&job.output).await.unwrap().expect("a result");
    let out = job.output.as_local().unwrap();
    for (set, entry) in &manifest.files {
        let file = std::fs::File::open(out.join(entry.inside())).unwrap_or_else(|e| panic!("{set}: {e}"));
        assert_eq!(file.metadata().unwrap().len(), entry.bytes, "{set}");
    }
    assert_eq!(files(out).len(), manifest.files.len() + 1, "{:?}", files(out).keys());
    manifest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_run_again_changes_nothing() {
    let mut fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
    fixture.job.sync = true;
    let first = run(&fixture.job).await.unwrap();
    let out = fixture.job.output.as_local().unwrap().to_owned();
    let before = files(&out);
    // Whatever has become of its sources.
    std::fs::write(fixture.dir.path().join("l.csv"), b"id,n\nb,1\n").unwrap();
    fixture.job.attempt = 2;
    let second = run(&fixture.job).await.unwrap();
    assert_eq!((&first, first.attempt, files(&out) == before), (&second, 1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempts_at_once_end_in_one_result() {
    for round in 0..40 {
        let fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
        // The same run twice, or two that have nothing to do with each other.
        let same = round % 2 == 0;
        let jobs = ["one", if same { "one" } else { "other" }];
        let jobs = jobs.map(|run_id| Job { run_id: run_id.to_owned(), ..fixture.job.clone() });
        let (a, b) = tokio::join!(run(&jobs[0]), run(&jobs[1]));
        let ends = [a, b].map(|end| end.unwrap_or_else(|e| panic!("round {round}: {e}")));
        let stands = assert_whole(&fixture.job).await;
        assert_eq!(ends.iter().filter(|end| **end == stands).count(), if same { 2 } else { 1 }, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_have_left_is_no_hindrance() {
    for manifest in ["", "{", "{\"manifest_version\": 999, \"run_id\": \"case\"}", "{\"some\": \"other tool\"}"] {
        let fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
        let out = fixture.job.output.as_local().unwrap();
        std::fs::create_dir_all(out.join(".previous-x/staged")).unwrap();
        for name in ["rejected_left.parquet", "matched.csv", ".previous-x/matched.parquet", ".lock"] {
            std::fs::write(out.join(name), "left").unwrap();
        }
        std::fs::write(out.join("manifest.json"), manifest).unwrap();
        run(&fixture.job).await.unwrap_or_else(|e| panic!("{manifest}: {e}"));
        assert_whole(&fixture.job).await;
    }
    // What is not ours stays.
    let fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
    let note = fixture.job.output.as_local().unwrap().join("notes.txt");
    std::fs::create_dir_all(note.parent().unwrap()).unwrap();
    std::fs::write(&note, "mine").unwrap();
    run(&fixture.job).await.unwrap();
    assert_eq!(std::fs::read(&note).unwrap(), b"mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_leaves_the_result_before() {
    let mut fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
    run(&fixture.job).await.unwrap();
    let out = fixture.job.output.as_local().unwrap().to_owned();
    // No file takes the place of a directory.
    std::fs::remove_file(out.join("unmatched_left.parquet")).unwrap();
    std::fs::create_dir_all(out.join("unmatched_left.parquet/in the way")).unwrap();
    fixture.job.run_id = "another".to_owned();
    let error = run(&fixture.job).await.unwrap_err();
    assert!(matches!(&error, Error::Output { .. }) && error.class().retryable, "{error:?}");
    let before = kalla_engine::committed(&fixture.job.output).await.unwrap().unwrap();
    assert_eq!(before.run_id, "case");
    let bytes = std::fs::read(out.join(before.files["matched"].inside())).unwrap();
    assert_eq!(bytes.len() as u64, before.files["matched"].bytes);

    std::fs::remove_dir_all(out.join("unmatched_left.parquet")).unwrap();
    run(&fixture.job).await.unwrap();
    assert_eq!(assert_whole(&fixture.job).await.run_id, "another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_to_the_spill_directory() {
    let mut fixture = Fixture::new(LEFT, RIGHT, SQL, &[]);
    let spill = fixture.dir.path().join("spill");
    fixture.job.limits.spill_dir = Some(spill.clone());
    // Where there is none, nothing begins.
    let error = run(&fixture.job).await.unwrap_err();
    assert!(matches!(error, Error::Output { .. }), "{error:?}");
    std::fs::create_dir(&spill).unwrap();
    run(&fixture.job).await.unwrap();
    assert_eq!(files(&spill).len(), 0);
    fixture.job.output = Location::Local(fixture.dir.path().join("kept"));
    fixture.job.keep_staged = true;
    let manifest = run(&fixture.job).await.unwrap();
    assert!(Path::new(manifest.left.staged.as_deref().unwrap()).exists());
}
