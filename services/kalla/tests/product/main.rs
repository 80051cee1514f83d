//! Kalla as a whole, as its users meet it: real processes, real databases, real requests.

#![allow(clippy::unwrap_used)]

#[path = "../support/bucket.rs"]
mod bucket;
#[path = "../support/certificate.rs"]
mod certificate;
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
#[path = "../support/stores.rs"]
mod stores;
mod story;
mod traces;
mod trouble;
mod watching;

use std::path::PathBuf;

use client::Client;
use process::Served;
use stores::Store;

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

/// With the credentials of a service account.
#[tokio::test]
async fn the_story_in_google_cloud_storage() {
    let (kept, dir) = temporary();
    let credentials = dir.join("account.json");
    let store = Store::gcs("kalla-story", &credentials);
    let variables = [
        ("GCS_BUCKET", "kalla-story"),
        ("GOOGLE_APPLICATION_CREDENTIALS", credentials.to_str().unwrap()),
        ("GOOGLE_BASE_URL", &store.endpoint),
    ];
    let worker = Served::start(&dir, &["worker", "--port", "0"], &variables);
    let gateway = Served::start(&dir, &["gateway", "--port", "0"], &[("WORKER_URL", &worker.url)]);
    let client = Client::new(&gateway.url);
    story::tell(&Product { client, dir, _servers: vec![gateway, worker], _kept: kept }).await;
}
