//! Servers of buckets that look at who asks: processes in Python, which end with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub struct Store {
    process: Child,
    /// `http://` and where it listens.
    pub endpoint: String,
}

impl Store {
    /// S3 with one bucket, and one key for which it does what the policy allows, and nothing else.
    pub fn guarded_s3(bucket: &str, key: &str, secret: &str, policy: &Value) -> Self {
        Self::start("guarded_s3.py", &[bucket, key, secret], &format!("{policy}\n"))
    }

    /// Google Cloud Storage with one bucket; writes the file with the credentials of the account that may use it.
    pub fn gcs(bucket: &str, credentials: &Path) -> Self {
        Self::start("gcs.py", &[bucket, credentials.to_str().unwrap()], "")
    }

    fn start(script: &str, arguments: &[&str], input: &str) -> Self {
        let python = std::env::var("KALLA_TEST_PYTHON").expect("KALLA_TEST_PYTHON: scripts/test.sh sets it");
        let mut command = Command::new(python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(script)).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        process.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        let mut endpoint = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut endpoint).unwrap();
        assert!(endpoint.starts_with("http://"), "{script} does not start");
        Self { process, endpoint: endpoint.trim_end().to_owned() }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
