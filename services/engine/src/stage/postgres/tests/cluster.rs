//! A Postgres cluster for one test: a directory that is deleted and a server that is stopped at the end.

#![allow(dead_code, reason = "each test that shares this uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

pub struct Cluster {
    server: Child,
    arguments: Vec<String>,
    directory: TempDir,
    pub port: u16,
}

/// Over TCP with a password, and with TLS but for user `plain`.
const GUARDED: &str = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n\
    hostnossl all plain 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 reject\n";
const TRUSTING: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

impl Cluster {
    /// Starts a server on a free port of 127.0.0.1 whose certificate, signed by `root.crt`, is made out to `localhost`.
    pub fn start() -> Self {
        Self::with(GUARDED, |path| {
            certificates(path);
            vec![
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", path.join("server.crt").display()),
                format!("ssl_key_file={}", path.join("server.key").display()),
            ]
        })
    }

    /// Starts one on a free port of 127.0.0.1 that takes everybody for whom they say they are.
    pub fn trusting() -> Self {
        Self::with(TRUSTING, |_| Vec::new())
    }

    fn with(hba: &str, more: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = more(path);
        run(as_server_user("chown", &["-R", "postgres", path.to_str().unwrap()], false));
        let data = path.join("data");
        let data = data.to_str().unwrap();
        run(as_server_user(&tool("initdb"), &["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"], true));
        std::fs::write(path.join("data/pg_hba.conf"), hba).unwrap();
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", path.display()),
            "fsync=off".to_owned(),
        ];
        let mut arguments = vec!["-D".to_owned(), data.to_owned()];
        for setting in settings.into_iter().chain(more) {
            arguments.extend(["-c".to_owned(), setting]);
        }
        Self { server: serve(path, &arguments), arguments, directory, port }
    }

    /// Falls over, as with the machine that it is on, and comes back with what was committed.
    pub fn crash(&mut self) {
        self.signal("-QUIT");
        drop(self.server.wait());
        self.server = serve(self.directory.path(), &self.arguments);
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.path("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            drop(Command::new("kill").args([signal, pid]).status());
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A session of the superuser, once the server takes them.
    pub async fn admin(&mut self) -> Client {
        let mut config = Config::new();
        config.host_path(self.directory.path()).port(self.port).user("postgres").dbname("postgres");
        loop {
            match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => {
                    let log = std::fs::read_to_string(self.path("server.log")).unwrap();
                    assert!(self.server.try_wait().unwrap().is_none(), "the server ended: {error}\n{log}");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The fast shutdown: sessions are ended, the rest is written, the shared memory is given back.
        self.signal("-INT");
        drop(self.server.wait());
    }
}

fn serve(path: &Path, arguments: &[String]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(path.join("server.log")).unwrap();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = as_server_user(&tool("postgres"), &arguments, true);
    command.stdout(Stdio::null()).stderr(log).spawn().expect("the server can be started")
}

/// A root, a server certificate that it signs, and a root that has nothing to do with them.
fn certificates(path: &Path) {
    let openssl = |arguments: &str| {
        run({
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(path);
            command
        });
    };
    for root in ["root", "stranger"] {
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={root} \
             -keyout {root}.key -out {root}.crt"
        ));
    }
    std::fs::write(path.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key \
         -out server.csr",
    );
    openssl(
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
}

/// A program of the server's own directory.
fn tool(name: &str) -> String {
    let directory = std::env::var("KALLA_TEST_POSTGRES_BIN").map(PathBuf::from).unwrap_or_else(|_| {
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .expect("initdb and postgres are needed: set KALLA_TEST_POSTGRES_BIN to their directory")
            .map(|entry| entry.unwrap().path().join("bin"))
            .collect();
        versions.sort();
        versions.pop().expect("a version in /usr/lib/postgresql")
    });
    directory.join(name).to_str().unwrap().to_owned()
}

/// The server refuses to run as root: there, user `postgres` runs it.
fn as_server_user(program: &str, arguments: &[&str], switch: bool) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    let is_root = id.starts_with(b"0\n");
    if !is_root && !switch {
        return Command::new("true");
    }
    let mut command = if is_root && switch {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
        command
    } else {
        Command::new(program)
    };
    command.args(arguments).current_dir("/");
    command
}

fn run(mut command: Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
