//! Connections that end in the middle, from either side.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Error;
use crate::stage::postgres::stage;

use super::server::{Database, context, read, source};

/// Works until it is stopped: the reading is certainly under way when something happens to it. The server makes all
/// numbers before it sends the first row.
const ENDLESS: &str = "CREATE VIEW endless AS SELECT i, md5(i::text) AS hash FROM generate_series(1, 2000000000) i";
/// Sends rows at once, and until it is stopped.
const STREAM: &str = "CREATE VIEW stream AS SELECT i, md5(i::text) AS hash \
    FROM (SELECT generate_series(1, 2000000000) AS i) numbers";

const BACKENDS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
    AND query LIKE 'COPY %' AND state = 'active'";

async fn wait_for(database: &Database, sql: &str, expected: &str) {
    let start = Instant::now();
    while database.texts(sql).await != [expected] {
        assert!(start.elapsed() < Duration::from_secs(20), "{sql} is not {expected}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_terminated_is_a_lost_connection() {
    let database = Database::with(ENDLESS).await;
    let uri = database.uri("endless");
    let reading = tokio::spawn(async move { read(&uri, &[], 2).await });
    wait_for(&database, &format!("SELECT count(*)::text {BACKENDS}"), "1").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    database.run(&format!("SELECT pg_terminate_backend(pid) {BACKENDS}")).await;
    let error = reading.await.unwrap().unwrap_err();
    assert_lost(&error);
    assert!(error.to_string().contains("terminating connection due to administrator command"), "{error}");
}

/// Lost after some rows, and nothing kept.
fn assert_lost(error: &Error) {
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    let (_, after) = text.split_once("was lost after ").unwrap_or_else(|| panic!("{text}"));
    assert!(after.split(' ').next().unwrap().parse::<u64>().is_ok());
    assert!(text.ends_with("; nothing was kept") && !text.contains('\n'), "{text}");
}

/// Forwards to the server and cuts every connection once `limit` bytes have come back.
fn proxy(server: String, limit: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let passed = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, passed) = (client.unwrap(), Arc::clone(&passed));
            let mut server = TcpStream::connect(&server).unwrap();
            let (mut client_in, mut server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut client_in, &mut server_out)));
            std::thread::spawn(move || {
                let mut buffer = [0; 16384];
                while let Ok(count @ 1..) = server.read(&mut buffer) {
                    let total = passed.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
                    if total > limit || client.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                drop(client.shutdown(Shutdown::Both));
                drop(server.shutdown(Shutdown::Both));
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_is_told_with_the_rows_so_far() {
    let database = Database::with(&format!(
        "{STREAM}; CREATE TABLE t AS SELECT i, md5(i::text) AS hash FROM generate_series(1, 300000) i; ANALYZE t"
    ))
    .await;
    for (table, threads) in [("stream", 1), ("t", 1), ("t", 3)] {
        let address = proxy(database.address(), 5_000_000);
        let uri = format!("postgres://postgres@{address}/{}?table={table}", database.name);
        assert_lost(&read(&uri, &[], threads).await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_reading_ends_at_once_on_both_sides() {
    let database = Database::with(&format!("{ENDLESS}; CREATE VIEW asleep AS SELECT pg_sleep(600)::text AS s")).await;
    for table in ["endless", "asleep"] {
        let (source, postgres) = source(&database.uri(table), &[]);
        let (context, _directory) = context(2);
        let cancel = context.cancel.clone();
        let reading = tokio::spawn(async move { stage(&source, &postgres, &context).await });
        wait_for(&database, &format!("SELECT count(*)::text {BACKENDS}"), "1").await;
        let start = Instant::now();
        cancel.cancel();
        assert!(matches!(reading.await.unwrap(), Err(Error::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(3), "{table}: {:?}", start.elapsed());
        wait_for(&database, &format!("SELECT count(*)::text {BACKENDS}"), "0").await;
        assert!(start.elapsed() < Duration::from_secs(6), "{table}: {:?}", start.elapsed());
    }
}
