//! `kalla worker` as a process, with a directory of its own.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;

pub struct Worker {
    pub dir: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    process: Child,
    log: Receiver<String>,
}

/// Where a worker keeps its results.
pub enum Home {
    Directory,
    Bucket(Bucket),
}

impl Home {
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Directory => Vec::new(),
            Self::Bucket(bucket) => bucket.variables(),
        }
    }

    /// The bytes of a file that a worker in `dir` has written.
    pub fn read(&self, path: &str) -> Vec<u8> {
        match self {
            Self::Directory => std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}")),
            Self::Bucket(bucket) => bucket.get(path),
        }
    }
}

impl Worker {
    /// Starts one in `dir` and waits until it listens.
    pub fn start(dir: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalla"));
        command.args(["worker", "--port", "0"]).current_dir(dir).stderr(Stdio::piped()).stdout(Stdio::null());
        command.envs(variables.iter().copied());
        let mut process = command.spawn().unwrap();
        let stderr = process.stderr.take().unwrap();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut worker = Self { dir: dir.to_path_buf(), url: String::new(), process, log };
        let line = worker.line_with("listening");
        // In either form of the log.
        let from = line.find("127.0.0.1:").expect("an address");
        let address: String =
            line[from..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
        worker.url = format!("http://{address}");
        worker
    }

    /// The next line of the log with this text.
    pub fn line_with(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let until = Instant::now() + Duration::from_secs(60);
        while let Ok(line) = self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with `{text}` in the log:\n{}", seen.join("\n"));
    }

    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// The processes that it has started and that live: their ids, and how they were called.
    pub fn children(&self) -> HashMap<u32, String> {
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let parent = format!("\nPPid:\t{}\n", self.process.id());
        let status = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        pids.filter(|pid| status(pid).contains(&parent) && !status(pid).contains("\nState:\tZ"))
            .map(|pid| (pid, std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()))
            .collect()
    }

    /// Ends it, and gives what of its log nobody has read.
    pub fn log_to_the_end(mut self) -> Vec<String> {
        self.terminate();
        self.process.wait().unwrap();
        self.log.iter().collect()
    }

    /// SIGTERM, as a service manager sends it.
    pub fn terminate(&self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
