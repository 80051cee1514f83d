//! The product as processes: `kalla up`, or a gateway and a worker apart.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// One `kalla` that serves, killed with its owner.
pub struct Served {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    process: Child,
    said: Receiver<String>,
}

impl Served {
    /// `kalla ARGUMENTS…` in `dir`, once it has said where it listens.
    pub fn start(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
        command.args(arguments).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in
            ["DATABASE_URL", "WORKER_URL", "NATS_URL", "AWS_ENDPOINT_URL", "RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let mut process = command.spawn().unwrap();
        let (sender, said) = channel();
        let stderr = process.stderr.take().unwrap();
        let other = sender.clone();
        let pump = |lines: Box<dyn Iterator<Item = String> + Send>, sender: std::sync::mpsc::Sender<String>| {
            std::thread::spawn(move || lines.for_each(|line| drop(sender.send(line))));
        };
        pump(Box::new(BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok)), sender);
        pump(Box::new(BufReader::new(stderr).lines().map_while(Result::ok)), other);
        let mut served = Self { url: String::new(), process, said };
        let port = served.said(|line| {
            // That its broker is away may be said before, with its address.
            if line.contains("broker") {
                return None;
            }
            let places = ["127.0.0.1:", "0.0.0.0:"].into_iter().filter_map(|host| Some(line.find(host)? + host.len()));
            Some(line[places.min()?..].chars().take_while(char::is_ascii_digit).collect())
        });
        served.url = format!("http://127.0.0.1:{port}");
        served
    }

    pub fn port(&self) -> String {
        self.url.rsplit_once(':').unwrap().1.to_owned()
    }

    /// What `find` finds in a line of what it writes.
    fn said(&mut self, find: impl Fn(&str) -> Option<String>) -> String {
        let mut seen = Vec::new();
        let until = Instant::now() + Duration::from_secs(60);
        while let Ok(line) = self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Some(found) = find(&line) {
                return found;
            }
            seen.push(line);
        }
        panic!("it does not say where it listens:\n{}", seen.join("\n"));
    }

    /// At once, with no time to say goodbye.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// As Ctrl-C does; gives what it has said since.
    pub fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let code = self.process.wait().unwrap().code();
        (code, self.said.try_iter().collect())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}
