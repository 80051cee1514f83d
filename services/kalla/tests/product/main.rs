//! Kalla as a whole, as its users meet it: real processes, real databases, real requests.

#![allow(clippy::unwrap_used)]

mod client;
mod commands;
mod crash;
mod data;
mod database;
mod hostile;
mod process;
mod story;

use std::path::PathBuf;

use client::Client;
use process::Served;

/// A product in a directory of its own.
pub struct Product {
    pub client: Client,
    pub dir: PathBuf,
    /// Ends with it.
    _servers: Vec<Served>,
    _kept: tempfile::TempDir,
}

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().canonicalize().unwrap();
    client::write_files(&dir);
    (kept, dir)
}

/// `kalla up`: SQLite, and a worker inside.
fn in_one_process() -> Product {
    let (kept, dir) = temporary();
    let served = Served::start(&dir, &["up", "--port", "0"], &[]);
    Product { client: Client::new(&served.url), dir, _servers: vec![served], _kept: kept }
}

/// A gateway with Postgres, and a worker with a token: the parts of a single server.
async fn in_parts() -> Product {
    let (kept, dir) = temporary();
    let token = ("KALLA_WORKER_TOKEN", "between-the-two");
    let worker = Served::start(&dir, &["worker", "--port", "0"], &[token]);
    let database = database::create().await;
    let variables = [token, ("DATABASE_URL", database.as_str()), ("WORKER_URL", worker.url.as_str())];
    let gateway = Served::start(&dir, &["gateway", "--port", "0"], &variables);
    Product { client: Client::new(&gateway.url), dir, _servers: vec![gateway, worker], _kept: kept }
}

#[tokio::test]
async fn the_story_on_sqlite_in_one_process() {
    story::tell(&in_one_process()).await;
}

#[tokio::test]
async fn the_story_on_postgres_in_parts() {
    story::tell(&in_parts().await).await;
}
