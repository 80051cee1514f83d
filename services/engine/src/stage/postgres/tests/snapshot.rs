//! All sessions of one reading see one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::server::{Database, connect, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_do_not_tear_the_reading() {
    let database = Database::with(
        "CREATE TABLE account (id int PRIMARY KEY, pad text, balance numeric(12,2)); \
         INSERT INTO account SELECT i, repeat('x', 50), 100 FROM generate_series(1, 100000) i; ANALYZE account",
    )
    .await;
    // Each transaction moves money between the two ends of the heap and adds a pair that cancels out.
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, stopped) = (connect(&database.config).await, Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        let mut rounds = 0;
        while !stopped.load(Ordering::Relaxed) {
            let id = rounds % 5_000 + 1;
            let sql = format!(
                "BEGIN; UPDATE account SET balance = balance - 1 WHERE id = {id}; \
                 UPDATE account SET balance = balance + 1 WHERE id = {}; \
                 INSERT INTO account VALUES ({}, 'x', 7), ({}, 'x', -7); COMMIT",
                100_001 - id,
                200_000 + 2 * rounds,
                200_001 + 2 * rounds
            );
            writer.batch_execute(&sql).await.unwrap();
            rounds += 1;
        }
        rounds
    });
    let mut counts = Vec::new();
    for _ in 0..4 {
        let rows = read(&database.uri("account"), &[], 4).await.unwrap();
        let cents: i64 = rows.column("balance").iter().map(|b| b.replace('.', "").parse::<i64>().unwrap()).sum();
        assert_eq!(cents, 100_000 * 100 * 100, "money was lost between two ranges");
        assert_eq!(rows.rows.len() % 2, 0, "half of a pair");
        let mut ids = rows.column("id");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rows.rows.len(), "a row was seen twice");
        counts.push(rows.rows.len());
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0);
    assert!(counts[3] > counts[0], "the writer wrote meanwhile: {counts:?}");
}
