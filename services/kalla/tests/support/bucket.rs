//! A bucket of the S3 server that the tests run against (`KALLA_TEST_S3`).

#![allow(dead_code, reason = "each test that shares this uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bucket of the test server, new for each test.
pub struct Bucket {
    address: String,
    pub name: String,
}

impl Bucket {
    pub fn create() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let endpoint =
            std::env::var("KALLA_TEST_S3").expect("KALLA_TEST_S3 names an S3 server: scripts/test.sh starts one");
        let address = endpoint.strip_prefix("http://").expect("an http:// endpoint").trim_end_matches('/').to_owned();
        let name = format!("kalla-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let bucket = Self { address, name };
        bucket.request("PUT", "", b"");
        bucket
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a worker is told that keeps everything there.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("STAGING_BUCKET", self.name.clone()),
        ]
    }

    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub fn put(&self, key: &str, body: &[u8]) -> String {
        self.request("PUT", &format!("/{key}"), body);
        self.uri(key)
    }

    pub fn get(&self, uri: &str) -> Vec<u8> {
        let key = uri.strip_prefix(&self.uri("")).unwrap_or_else(|| panic!("{uri} is not in the bucket"));
        self.request("GET", &format!("/{key}"), b"")
    }

    /// The keys below a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let list = String::from_utf8(self.request("GET", &format!("?list-type=2&prefix={prefix}"), b"")).unwrap();
        list.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, name, length) = (&self.address, &self.name, body.len());
        // The test server wants to know who asks, and does not check it.
        let credential =
            "AWS4-HMAC-SHA256 Credential=test/20260302/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let head = format!("Host: {host}\r\nAuthorization: {credential}\r\nContent-Length: {length}");
        write!(stream, "{method} /{name}{path} HTTP/1.0\r\n{head}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("the head of an answer");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.split(' ').nth(1).is_some_and(|code| code.starts_with('2')), "{method} {path}: {head}");
        answer.split_off(end + 4)
    }
}
