//! `kalla worker`, as its clients and its operators meet it: real processes, real requests.

#![allow(clippy::unwrap_used)]

mod behaviour;
#[path = "../support/bucket.rs"]
mod bucket;
#[path = "../support/certificate.rs"]
mod certificate;
mod contract;
mod crash;
mod door;
mod fences;
mod flight;
mod grpc;
mod killers;
mod limits;
#[path = "../support/nats.rs"]
mod nats;
mod poison;
mod process;
mod safety;
mod sink;

use std::path::Path;

use behaviour::{Scene, temporary};
use bucket::Bucket;
use door::Door;
use nats::Nats;
use process::{Home, Worker};
use sink::Sink;

async fn behaves(home: Home, door: impl AsyncFn(&str) -> Door) {
    let (_kept, dir) = temporary();
    let worker = start(&dir, &home, &[]);
    let door = door(&worker.url).await;
    let scene = Scene { home, door, sink: Sink::start().await, worker };
    scene.keeps_runs_apart().await;
    scene.tells_all_that_is_wrong().await;
    scene.refuses_what_cannot_run().await;
    does_jobs(&scene).await;
}

fn start(dir: &Path, home: &Home, more: &[(&str, &str)]) -> Worker {
    let variables = home.variables();
    let mut all: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("KALLA_CONCURRENCY", "4"));
    all.extend(more);
    Worker::start(dir, &all)
}

/// What it does with those that it has taken.
async fn does_jobs(scene: &Scene) {
    scene.completes().await;
    scene.runs_once().await;
    scene.reports_what_fails().await;
    scene.repeats_the_last_word().await;
    scene.stops_when_told().await;
    scene.stops_when_nobody_wants_it().await;
    scene.a_later_attempt_takes_over().await;
    scene.knows_no_other_runs().await;
    scene.reads_files_that_were_put().await;
}

#[tokio::test]
async fn over_http_into_a_directory() {
    behaves(Home::Directory, async |url: &str| Door::http(url)).await;
}

#[tokio::test]
async fn over_http_into_a_bucket() {
    behaves(Home::Bucket(Bucket::create()), async |url: &str| Door::http(url)).await;
}

#[tokio::test]
async fn over_grpc_into_a_directory() {
    behaves(Home::Directory, async |url: &str| Door::grpc(url).await).await;
}

#[tokio::test]
async fn over_grpc_into_a_bucket() {
    behaves(Home::Bucket(Bucket::create()), async |url: &str| Door::grpc(url).await).await;
}

/// Nobody waits for an answer there: that a job is refused is told in its callback, or lies among what is dead.
#[tokio::test]
async fn over_nats_into_a_bucket() {
    let (_kept, dir) = temporary();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nats = Nats::start(&dir, &free.to_string());
    let home = Home::Bucket(Bucket::create());
    let worker = start(&dir, &home, &[("NATS_URL", &nats.url())]);
    // Before it has made the stream, nobody keeps what is published.
    while reqwest::get(format!("{}/ready", worker.url)).await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
    let scene = Scene { home, door: Door::nats(nats, &worker.url), sink: Sink::start().await, worker };
    does_jobs(&scene).await;
}
