//! Sources and results in a bucket, over HTTP: a real S3 server (`KALLA_TEST_S3`), and servers that fail as S3 does.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

#[path = "support/bucket.rs"]
mod bucket;

use bucket::Bucket;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn kalla(dir: &Path, endpoint: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kalla"))
        .args(args)
        .current_dir(dir)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let line = text.lines().next().unwrap_or_default().to_owned();
    assert!(line.starts_with("error: ") && !line.contains('<'), "{text}");
    line
}

/// Answers every request with `answer(method, path, range)`: status line and body. Gives its endpoint.
fn server(answer: impl Fn(&str, Option<(usize, usize)>) -> (String, Vec<u8>) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut request = String::new();
            reader.read_line(&mut request).unwrap();
            let (mut range, mut length) = (None, 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_lowercase();
                if let Some((from, to)) = line.strip_prefix("range: bytes=").and_then(|r| r.split_once('-')) {
                    range = Some((from.parse().unwrap(), to.parse::<usize>().unwrap() + 1));
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
            let method = request.split(' ').next().unwrap().to_owned();
            let (head, body) = answer(&method, range);
            let length = body.len();
            write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").unwrap();
            if method != "HEAD" {
                // Whoever has read enough may be gone.
                let _ = stream.write_all(&body);
            }
        }
    });
    endpoint
}

/// A store of one object that honours ranges.
fn object(body: &'static [u8]) -> impl Fn(&str, Option<(usize, usize)>) -> (String, Vec<u8>) {
    move |_, range| {
        let facts = "ETag: \"1\"\r\nLast-Modified: Mon, 02 Mar 2026 10:00:00 GMT";
        match range {
            None => (format!("200 OK\r\n{facts}"), body.to_vec()),
            Some((from, to)) => {
                let to = to.min(body.len());
                let range = format!("Content-Range: bytes {from}-{}/{}", to - 1, body.len());
                (format!("206 Partial Content\r\n{facts}\r\n{range}"), body[from..to].to_vec())
            }
        }
    }
}

#[test]
fn a_bucket_gives_what_the_disk_gives() {
    let bucket = Bucket::create();
    let dir = tempfile::tempdir().unwrap();
    let example = |name: &str| std::fs::read(Path::new(EXAMPLES).join(name)).unwrap();
    let left = bucket.put("in/invoices.csv", &example("invoices.csv"));
    let right = bucket.put("in/payments.csv", &example("payments.csv"));
    let recipe = format!("{EXAMPLES}/invoices-payments.yaml");
    let (local_left, local_right) = (format!("{EXAMPLES}/invoices.csv"), format!("{EXAMPLES}/payments.csv"));
    let run = |left: &str, right: &str, out: &str| {
        let args = ["reconcile", "--recipe", &recipe, left, right, "--out", out, "--json"];
        let output = kalla(dir.path(), &bucket.endpoint(), &args);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let local = run(&local_left, &local_right, "out");
    let remote = run(&left, &right, &bucket.uri("out"));
    assert_eq!(remote["counts"], local["counts"]);
    assert_eq!(remote["sums"], local["sums"]);
    for set in ["matched", "unmatched_left", "unmatched_right"] {
        let file = &remote["files"][set];
        let bytes = bucket.get(file["path"].as_str().unwrap());
        assert_eq!(bytes.len() as u64, file["bytes"].as_u64().unwrap(), "{set}");
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{set}");
    }
    // Rows of these stand in source order, so the files are the same byte for byte.
    for set in ["unmatched_left", "unmatched_right"] {
        assert_eq!(remote["files"][set]["sha256"], local["files"][set]["sha256"], "{set}");
    }
    let manifest: Value = serde_json::from_slice(&bucket.get(&bucket.uri("out/manifest.json"))).unwrap();
    assert_eq!(manifest, remote);
    assert_eq!(bucket.keys("out/").len(), 4, "three result sets and the manifest");

    // What was written can be a source again, as Parquet.
    let path = manifest["files"]["unmatched_left"]["path"].as_str().unwrap();
    let output = kalla(dir.path(), &bucket.endpoint(), &["inspect", path, "--json"]);
    let inspection: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspection["rows"], local["counts"]["unmatched_left_count"]);
}

#[test]
fn a_failed_job_leaves_nothing_in_the_bucket() {
    let bucket = Bucket::create();
    let dir = tempfile::tempdir().unwrap();
    let left = bucket.put("left.csv", b"id,n\na,1\nb,0\n");
    let right = bucket.put("right.ndjson", b"{\"ref\":\"a\"}\n{\"ref\":\"b\"}\n");
    let sql = "SELECT l.id, r.ref, 1 / l.n AS x FROM left_src l JOIN right_src r ON l.id = r.ref";
    let args = ["reconcile", &left, &right, "--sql", sql, "--out", &bucket.uri("out")];
    let error = error_of(&kalla(dir.path(), &bucket.endpoint(), &args));
    assert!(error.contains("division by zero"), "{error}");
    assert_eq!(bucket.keys("out"), [""; 0]);
}

#[test]
fn objects_that_cannot_be_read() {
    let bucket = Bucket::create();
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(Path::new(EXAMPLES).join("invoices.csv")).unwrap();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (bucket.endpoint(), bucket.uri("none.csv"), format!("there is no object {}", bucket.uri("none.csv"))),
        (bucket.endpoint(), bucket.uri("none.parquet"), format!("there is no object {}", bucket.uri("none.parquet"))),
        (bucket.endpoint(), "s3://no-such-bucket-here/x.csv".to_owned(), "there is no object".to_owned()),
        (
            bucket.endpoint(),
            bucket.put("cut.parquet", b"PAR1 and then the line went dead"),
            "not a whole Parquet file".to_owned(),
        ),
        (bucket.endpoint(), bucket.put("text.parquet", &whole), "is not a Parquet file".to_owned()),
        (
            server(|_, _| ("403 Forbidden".to_owned(), b"<Error><Code>AccessDenied</Code></Error>".to_vec())),
            "s3://b/x.csv".to_owned(),
            "access to s3://b/x.csv is denied: check its permissions and your credentials".to_owned(),
        ),
        (
            server(|_, _| ("503 Slow Down".to_owned(), b"<Error><Code>SlowDown</Code></Error>".to_vec())),
            "s3://b/x.csv".to_owned(),
            "s3://b/x.csv cannot be read now: the store answers 503".to_owned(),
        ),
        (
            server(|method, range| match method {
                "HEAD" => object(b"id\na\n")(method, range),
                _ => ("412 Precondition Failed".to_owned(), Vec::new()),
            }),
            "s3://b/x.csv".to_owned(),
            "s3://b/x.csv changed while it was read".to_owned(),
        ),
        (format!("http://{nowhere}"), "s3://b/x.csv".to_owned(), "the store cannot be reached after".to_owned()),
    ];
    for (endpoint, uri, wanted) in cases {
        let error = error_of(&kalla(dir.path(), &endpoint, &["inspect", &uri]));
        assert!(error.contains(&wanted), "{uri}: {error}");
    }
}

#[test]
fn a_parquet_object_that_is_replaced_during_a_run_fails_it() {
    let bucket = Bucket::create();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("l.csv"), "id\na\nb\n").unwrap();
    std::fs::write(dir.path().join("r.csv"), "ref\nz\n").unwrap();
    let args = ["reconcile", "l.csv", "r.csv", "--on", "id=ref"];
    assert_eq!(kalla(dir.path(), &bucket.endpoint(), &args).status.code(), Some(1));
    let body = std::fs::read(dir.path().join("kalla-out/unmatched_left.parquet")).unwrap();
    let body: &'static [u8] = Box::leak(body.into_boxed_slice());
    // A new version after so many requests: within the run, whichever part of it that is.
    for replaced in [3, 4, 5] {
        let asked = AtomicUsize::new(0);
        let endpoint = server(move |method, range| {
            let (head, body) = object(body)(method, range);
            let version = if asked.fetch_add(1, Ordering::Relaxed) < replaced { "\"1\"" } else { "\"2\"" };
            (head.replace("\"1\"", version), body)
        });
        let args = ["reconcile", "s3://b/x.parquet", "r.csv", "--on", "id=ref", "--out", "again"];
        let error = error_of(&kalla(dir.path(), &endpoint, &args));
        assert!(error.contains("s3://b/x.parquet changed while it was read"), "{replaced}: {error}");
        assert!(!dir.path().join("again").exists());
    }
}

#[test]
fn a_store_that_is_busy_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let endpoint = server(move |method, range| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 2 => ("503 Slow Down".to_owned(), Vec::new()),
        _ => object(b"id,n\n007,1\n008,2\n")(method, range),
    });
    let dir = tempfile::tempdir().unwrap();
    let output = kalla(dir.path(), &endpoint, &["inspect", "s3://b/x.csv", "--json"]);
    let inspection: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(inspection["rows"], 2);
}

#[test]
fn an_output_that_refuses_us_and_credentials_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("l.csv"), "id\na\n").unwrap();
    std::fs::write(dir.path().join("r.csv"), "ref\nb\n").unwrap();
    let denied = server(|_, _| ("403 Forbidden".to_owned(), b"<Error><Code>AccessDenied</Code></Error>".to_vec()));
    let args = ["reconcile", "l.csv", "r.csv", "--on", "id=ref", "--out", "s3://b/out"];
    let output = kalla(dir.path(), &denied, &args);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    let error = error_of(&output);
    assert!(error.contains("output s3://b/out/") && error.contains("the store answers 403 Forbidden"), "{error}");

    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kalla"))
        .args(["inspect", "s3://b/x.csv"])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_METADATA_ENDPOINT", format!("http://{nowhere}"))
        .output()
        .unwrap();
    let error = error_of(&output);
    assert!(error.contains("there are no credentials: set AWS_ACCESS_KEY_ID"), "{error}");
}
