//! A client that knows the contract and nothing of this code: `client.py`.

use std::path::Path;
use std::process::Command;

use crate::behaviour::temporary;
use crate::bucket::Bucket;
use crate::process::{Home, Worker};

fn talk(worker: &Worker, dir: &Path, more: &[&str]) {
    let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worker/client.py");
    let done = Command::new(python).arg(script).arg(&worker.url).arg(dir).args(more).output().unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn a_client_works_with_files() {
    let (_kept, dir) = temporary();
    talk(&Worker::start(&dir, &[]), &dir, &[]);
}

#[test]
fn a_client_works_with_a_bucket() {
    let (_kept, dir) = temporary();
    let bucket = Bucket::create();
    let uri = format!("s3://{}", bucket.name);
    let home = Home::Bucket(bucket).variables();
    let variables: Vec<(&str, &str)> = home.iter().map(|(name, value)| (*name, value.as_str())).collect();
    talk(&Worker::start(&dir, &variables), &dir, &[&uri]);
}
