//! The order of rows is the heap's, whatever the number of threads.

use crate::job::{Filter, FilterOp, FilterValue};

use super::server::{Database, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_staged_file_is_the_same_for_any_number_of_threads() {
    let database = Database::with(
        "CREATE TABLE t AS SELECT i, md5(i::text) AS hash FROM generate_series(1, 250000) i; \
         CREATE INDEX ON t (i); DELETE FROM t WHERE i % 7 = 0; \
         UPDATE t SET hash = hash || '!' WHERE i % 11 = 0; ANALYZE t",
    )
    .await;
    let expected = database.texts("SELECT i::text FROM t ORDER BY ctid").await;
    let mut first = None;
    for threads in [1, 2, 4, 16] {
        let rows = read(&database.uri("t"), &[], threads).await.unwrap();
        assert!(rows.column("i") == expected, "{threads} threads");
        let bytes = first.get_or_insert_with(|| rows.bytes.clone());
        assert!(*bytes == rows.bytes, "the bytes differ with {threads} threads");
    }

    // An index that suits the filter must not change the order either.
    let few = Filter {
        column: "i".to_owned(),
        op: FilterOp::Between,
        values: vec![FilterValue::Number("100".to_owned()), FilterValue::Number("2000".to_owned())],
    };
    let expected = database.texts("SELECT i::text FROM t WHERE i BETWEEN 100 AND 2000 ORDER BY ctid").await;
    for threads in [1, 4] {
        let rows = read(&database.uri("t"), std::slice::from_ref(&few), threads).await.unwrap();
        assert!(rows.column("i") == expected, "filtered, {threads} threads");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_with_little_room_is_read_with_fewer_sessions() {
    let database = Database::with("CREATE TABLE t AS SELECT i FROM generate_series(1, 200000) i; ANALYZE t").await;
    let role = format!("{}_narrow", database.name);
    database.run(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT SELECT ON t TO {role}")).await;
    let rows = read(&database.uri_as(&role, "t"), &[], 4).await;
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(rows.unwrap().rows.len(), 200_000);
}

/// Reading takes as long as it takes, whatever the role may do otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn time_limits_of_the_role_do_not_end_a_reading() {
    let database = Database::with("CREATE TABLE t AS SELECT i FROM generate_series(1, 1500000) i; ANALYZE t").await;
    let role = format!("{}_hurried", database.name);
    database.run(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON t TO {role}")).await;
    for limit in ["statement_timeout", "idle_in_transaction_session_timeout"] {
        database.run(&format!("ALTER ROLE {role} SET {limit} = '100ms'")).await;
    }
    let rows = read(&database.uri_as(&role, "t"), &[], 1).await;
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(rows.unwrap().rows.len(), 1_500_000);
}
