//! `kalla worker`, as its clients and its operators meet it: real processes, real requests.

#![allow(clippy::unwrap_used)]

mod behaviour;
#[path = "../support/bucket.rs"]
mod bucket;
mod contract;
mod crash;
mod door;
mod fences;
mod flight;
mod grpc;
mod killers;
mod limits;
mod poison;
mod process;
mod safety;
mod sink;

use behaviour::{Scene, temporary};
use bucket::Bucket;
use door::Door;
use process::{Home, Worker};
use sink::Sink;

async fn behaves(home: Home, door: impl AsyncFn(&str) -> Door) {
    let (_kept, dir) = temporary();
    let variables = home.variables();
    let mut all: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("KALLA_CONCURRENCY", "4"));
    let worker = Worker::start(&dir, &all);
    let door = door(&worker.url).await;
    let scene = Scene { home, door, sink: Sink::start().await, worker };
    scene.completes().await;
    scene.runs_once().await;
    scene.tells_all_that_is_wrong().await;
    scene.refuses_what_cannot_run().await;
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
