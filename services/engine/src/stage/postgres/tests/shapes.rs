//! Whatever can be selected from: views, partitions, odd names, nothing at all.

use crate::Error;

use super::server::{Database, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_relation_gives_all_its_rows() {
    let database = Database::with(
        "CREATE TABLE base AS SELECT i, i * 2 AS twice FROM generate_series(1, 70000) i; \
         CREATE VIEW v AS SELECT i, twice FROM base WHERE i % 2 = 0 ORDER BY i DESC; \
         CREATE MATERIALIZED VIEW m AS SELECT * FROM base; \
         CREATE TABLE parts (i int, twice int) PARTITION BY RANGE (i); \
         CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (30000) TO (60000); \
         CREATE TABLE parts_a (dropped int, twice int, i int); ALTER TABLE parts_a DROP COLUMN dropped; \
         ALTER TABLE parts ATTACH PARTITION parts_a FOR VALUES FROM (0) TO (30000); \
         CREATE TABLE parts_c PARTITION OF parts FOR VALUES FROM (60000) TO (80000) PARTITION BY HASH (i); \
         CREATE TABLE parts_c0 PARTITION OF parts_c FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE TABLE parts_c1 PARTITION OF parts_c FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         INSERT INTO parts SELECT * FROM base; \
         CREATE TABLE parent (i int, twice int); CREATE TABLE child (more text) INHERITS (parent); \
         INSERT INTO parent SELECT * FROM base WHERE i <= 100; INSERT INTO child SELECT *, 'x' FROM base WHERE i > 100; \
         CREATE UNLOGGED TABLE unlogged AS SELECT * FROM base; \
         CREATE TABLE empty (i int, n numeric); CREATE TABLE empty_parts (i int) PARTITION BY LIST (i); \
         CREATE EXTENSION IF NOT EXISTS file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; \
         CREATE FOREIGN TABLE far (i int) SERVER files OPTIONS (program 'seq 1 10')",
    )
    .await;
    let all: i64 = (1..=70_000).sum();
    let sums = [
        ("base", 70_000, all),
        ("v", 35_000, (1..=70_000).filter(|i| i % 2 == 0).sum()),
        ("m", 70_000, all),
        ("parts", 70_000, all),
        ("parts_c", 10_001, (60_000..=70_000).sum()),
        ("parent", 70_000, all),
        ("unlogged", 70_000, all),
        ("empty", 0, 0),
        ("empty_parts", 0, 0),
        ("far", 10, 55),
    ];
    for (table, count, sum) in sums {
        let rows = database.stage(table).await;
        assert_eq!(rows.rows.len(), count, "{table}");
        let ids: Vec<i64> = rows.column("i").iter().map(|i| i.parse().unwrap()).collect();
        assert_eq!(ids.iter().sum::<i64>(), sum, "{table}");
        assert_eq!(rows.type_of("i"), "Int64");
        if table == "v" {
            assert!(ids.is_sorted_by(|a, b| a > b), "a view keeps its own order");
        }
        if rows.names.contains(&"twice".to_owned()) {
            assert!(rows.column("twice").iter().zip(&ids).all(|(twice, i)| *twice == (i * 2).to_string()), "{table}");
        }
        let facts = &rows.staged.facts;
        assert_eq!(facts.format, "postgres");
        let fingerprint = facts.fingerprint.as_deref().unwrap();
        let database_name = format!("database {}", database.name);
        assert!(fingerprint.starts_with("PostgreSQL ") && fingerprint.contains(&database_name), "{fingerprint}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_may_only_be_read_through_their_parent_are_read_through_it() {
    let database = Database::create().await;
    let role = format!("{}_reader", database.name);
    database
        .run(&format!(
            "CREATE TABLE parts (i int, owner text) PARTITION BY LIST (i); \
             CREATE TABLE p1 PARTITION OF parts FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF parts FOR VALUES IN (2); \
             INSERT INTO parts VALUES (1, 'me'), (2, 'me'), (2, 'you'); \
             CREATE TABLE guarded (i int, owner text) PARTITION BY LIST (i); \
             CREATE TABLE g1 PARTITION OF guarded FOR VALUES IN (1); \
             INSERT INTO guarded VALUES (1, 'me'), (1, 'you'); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY mine ON guarded USING (owner = 'me'); \
             CREATE ROLE {role} LOGIN; GRANT SELECT ON parts, guarded, g1 TO {role}"
        ))
        .await;
    let through = read(&database.uri_as(&role, "parts"), &[], 2).await;
    let guarded = read(&database.uri_as(&role, "guarded"), &[], 2).await;
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(through.unwrap().rows.len(), 3);
    assert_eq!(guarded.unwrap().column("owner"), ["me"], "the parent's policy holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_are_names_like_any_other() {
    let database = Database::with(
        "CREATE SCHEMA \"My.Schema\"; \
         CREATE TABLE \"My.Schema\".\"Tbl \"\"x\"\" ü\" (\"Id\" int, \"a b\" text, \"quo\"\"te\" text, \"select\" int, \
           gone int, \"größe\" int, \"'; DROP TABLE x; --\" int, sum int GENERATED ALWAYS AS (\"Id\" + \"select\") STORED, \
           \"ctid2\" int, \"NUM\" numeric); \
         ALTER TABLE \"My.Schema\".\"Tbl \"\"x\"\" ü\" DROP COLUMN gone; \
         INSERT INTO \"My.Schema\".\"Tbl \"\"x\"\" ü\" VALUES (1, 'x', 'y', 2, 3, 4, DEFAULT, 5, 6.5)",
    )
    .await;
    let rows = database.stage("%22My.Schema%22.%22Tbl %22%22x%22%22 %C3%BC%22").await;
    let names = ["Id", "a b", "quo\"te", "select", "größe", "'; DROP TABLE x; --", "sum", "ctid2", "NUM"];
    assert_eq!(rows.names, names);
    assert_eq!(rows.rows, [["1", "x", "y", "2", "3", "4", "3", "5", "6.5"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_path_finds_a_table_without_schema() {
    let database = Database::create().await;
    database
        .run(&format!(
            "CREATE SCHEMA first; CREATE TABLE first.t AS SELECT 1 AS i; CREATE TABLE public.t AS SELECT 2 AS i; \
             ALTER DATABASE {} SET search_path = first, public",
            database.name
        ))
        .await;
    assert_eq!(database.stage("t").await.column("i"), ["1"]);
    assert_eq!(database.stage("public.t").await.column("i"), ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_columns_and_an_index_are_refused() {
    let database = Database::with("CREATE TABLE t (); CREATE TABLE u (i int PRIMARY KEY)").await;
    let error = read(&database.uri("t"), &[], 2).await.unwrap_err();
    assert!(matches!(error, Error::Data { .. }));
    assert_eq!(error.to_string(), "source `bank`: `public.t` has no columns");
    let error = read(&database.uri("u_pkey"), &[], 2).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(error.to_string(), "source `bank`: `u_pkey` is neither a table nor a view");
}
