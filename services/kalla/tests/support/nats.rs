//! A NATS server of its own for a test (`KALLA_TEST_NATS_SERVER` is the program), and what people do with `nats`.
#![allow(dead_code, reason = "each test that shares this uses a part of it")]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Nats {
    port: String,
    home: PathBuf,
    /// Arguments of its own.
    more: Vec<String>,
    process: Child,
}

impl Nats {
    /// Keeps its streams in `dir`.
    pub fn start(dir: &Path, port: &str) -> Self {
        Self::start_with(dir, port, [])
    }

    /// With arguments of its own, such as `--user` and `--pass`.
    pub fn start_with(dir: &Path, port: &str, more: impl IntoIterator<Item = String>) -> Self {
        let (home, more) = (dir.join("nats"), more.into_iter().collect::<Vec<_>>());
        let process = serve(&home, port, &more);
        Self { port: port.to_owned(), home, more, process }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Killed, and started again with what it has kept.
    pub fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = serve(&self.home, &self.port, &self.more);
    }

    /// Publishes, with a header if there is one.
    pub fn publish(&self, subject: &str, header: &str, body: &str) {
        let head = if header.is_empty() { String::new() } else { format!("NATS/1.0\r\n{header}\r\n\r\n") };
        let (verb, sizes) = match head.len() {
            0 => ("PUB", format!("{}", body.len())),
            size => ("HPUB", format!("{size} {}", size + body.len())),
        };
        let mut stream = self.connect();
        write!(stream, "{verb} {subject} {sizes}\r\n{head}{body}\r\nPING\r\n").unwrap();
        until(&mut BufReader::new(stream), "PONG");
    }

    /// What a server answers.
    pub fn request(&self, subject: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "SUB answer 1\r\nPUB {subject} answer 0\r\n\r\nPING\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let head = until(&mut reader, "MSG answer");
        let size: usize = head.rsplit(' ').next().unwrap().parse().unwrap();
        let mut body = vec![0; size];
        reader.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let said = |flag: &str| self.more.iter().skip_while(|word| *word != flag).nth(1);
        let who = match (said("--user"), said("--pass")) {
            (Some(user), Some(password)) => format!(",\"user\":\"{user}\",\"pass\":\"{password}\""),
            _ => String::new(),
        };
        write!(stream, "CONNECT {{\"verbose\":false,\"headers\":true{who}}}\r\n").unwrap();
        stream
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(home: &Path, port: &str, more: &[String]) -> Child {
    let program = std::env::var("KALLA_TEST_NATS_SERVER").expect("KALLA_TEST_NATS_SERVER: scripts/test.sh sets it");
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"]).arg(home).args(more);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("Server is ready")), "the NATS server does not start");
    std::thread::spawn(move || log.for_each(drop));
    process
}

/// The first line that begins like this.
fn until(reader: &mut impl BufRead, begin: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the NATS server ends the connection");
        if line.starts_with(begin) {
            return line.trim_end().to_owned();
        }
    }
}
