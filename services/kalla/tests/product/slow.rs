//! Clients that are slow, or do nothing at all: they cost themselves, and nobody else.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::recipe;
use crate::{Product, in_one_process};

/// One that asks for a file and takes next to nothing of it.
async fn slow_reader(product: &Product, path: &str) -> (u16, TcpStream) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = product.client.url.trim_start_matches("http://");
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    (std::str::from_utf8(&head[9..]).unwrap().parse().unwrap(), stream)
}

#[tokio::test]
async fn slow_downloads_and_uploads_keep_nobody_waiting() {
    let product = in_one_process();
    let client = &product.client;
    let filler = "x".repeat(100);
    let rows: String = (0..200_000).map(|n| format!("{n},{filler}\n")).collect();
    std::fs::write(product.dir.join("a.csv"), format!("id,amount\n{rows}")).unwrap();
    client.post("/api/recipes", &recipe()).await.body();
    let run_id = client.run(&crate::client::run()).await;
    assert_eq!(client.ended(&run_id).await["state"], "completed");
    let file = format!("/api/runs/{run_id}/results/unmatched_left?format=csv");
    let page = format!("/api/runs/{run_id}/results/unmatched_left?limit=50");

    let mut readers = Vec::new();
    for _ in 0..24 {
        readers.push(slow_reader(&product, &file).await);
    }
    let taken = readers.iter().filter(|(status, _)| *status == 200).count();
    let refused = readers.iter().filter(|(status, _)| *status == 429).count();
    assert_eq!((taken, refused), (8, 16));
    let mut uploads = Vec::new();
    for _ in 0..8 {
        uploads.push(client.begin_upload().await);
    }
    // What is measured is some milliseconds; the bound is for machines that do much else.
    let soon = Duration::from_secs(2);
    for _ in 0..10 {
        let began = Instant::now();
        client.get(&page).await.body();
        assert!(began.elapsed() < soon, "a page took {:?}", began.elapsed());
    }
    let began = Instant::now();
    assert_eq!(client.upload("b.csv", b"id,paid\n1,10.00\n").await.status, StatusCode::CREATED);
    client.ended(&client.run(&crate::client::run()).await).await;
    assert!(began.elapsed() < soon * 5, "an upload and a run took {:?}", began.elapsed());
    let full = client.send(Method::GET, &file, &[], None).await;
    assert!(full.refused(429).contains("too many results are exported"));

    // Their places are free again as soon as they leave.
    drop(readers);
    uploads.iter().for_each(tokio::task::JoinHandle::abort);
    let began = Instant::now();
    while client.send(Method::GET, &file, &[], None).await.status != StatusCode::OK {
        assert!(began.elapsed() < Duration::from_secs(30), "no place for a new reader");
    }
}

/// An upload that nobody could look into is no upload less.
#[tokio::test]
async fn an_upload_stays_while_others_look() {
    let product = in_one_process();
    let client = &product.client;
    // Databases that take connections and say nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("postgres://u@{}/db?table=t", silent.local_addr().unwrap());
    client.post("/api/sources", &json!({"alias": "silent", "uri": uri})).await.body();
    let looks: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get("/api/sources/silent/preview").await.status })
        })
        .collect();
    // Until one of them is connected.
    let (_held, _) = tokio::task::spawn_blocking(move || silent.accept()).await.unwrap().unwrap();
    let taken = client.upload("b.csv", b"id,paid\n1,10.00\n").await;
    assert_eq!(taken.status, StatusCode::CREATED, "{}", taken.text);
    assert_eq!(taken.body()["columns"].as_array().unwrap().len(), 2);
    looks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Whether the other side closes within `limit`.
async fn is_closed(address: &str, said: &[u8], limit: Duration) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut sink = Vec::new();
    tokio::time::timeout(limit, stream.read_to_end(&mut sink)).await.is_ok()
}

#[tokio::test]
async fn half_requests_are_not_held() {
    let product = in_one_process();
    let address = product.client.url.trim_start_matches("http://").to_owned();
    let whole = format!("GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let ways = [String::new(), "P".to_owned(), "PRI * HTTP/2".to_owned(), "GET / HTTP/1.1\r\nHo".to_owned(), whole];
    let closed = ways.iter().map(|said| is_closed(&address, said.as_bytes(), Duration::from_secs(25)));
    let closed = futures::future::join_all(closed).await;
    assert_eq!(closed, [true; 5], "{ways:?}");
}
