//! Kalla as a whole, as its users meet it: real processes, real databases, real requests.

#![allow(clippy::unwrap_used)]

#[path = "../support/bucket.rs"]
mod bucket;
mod chaos;
mod client;
#[path = "../../../engine/src/stage/postgres/tests/cluster.rs"]
mod cluster;
mod commands;
mod compose;
mod crash;
mod data;
mod database;
mod hostile;
mod kubernetes;
#[path = "../support/nats.rs"]
mod nats;
mod process;
mod queue;
mod scaled;
mod slow;
mod story;
mod traces;
mod trouble;

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

/// A gateway with Postgres, and a worker with a token: the single server, as the files under `compose/` write it.
async fn in_parts() -> Product {
    let (kept, dir) = temporary();
    let servers = compose::single(&dir).await;
    Product { client: Client::new(&servers[0].url), dir, _servers: servers, _kept: kept }
}

#[tokio::test]
async fn the_story_on_sqlite_in_one_process() {
    story::tell(&in_one_process()).await;
}

#[tokio::test]
async fn the_story_on_postgres_in_parts() {
    story::tell(&in_parts().await).await;
}
