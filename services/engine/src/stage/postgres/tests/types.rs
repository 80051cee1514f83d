//! Every type comes back as it was put in.

use super::server::{Database, peek};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_round_trips_with_nulls() {
    // Declared type, value in SQL, Arrow type, value as shown.
    let cases = [
        ("int2", "-32768", "Int64", "-32768"),
        ("int4", "2147483647", "Int64", "2147483647"),
        ("int8", "-9223372036854775808", "Int64", "-9223372036854775808"),
        ("float4", "0.1", "Float64", "0.1"),
        ("float4", "'-Infinity'", "Float64", "-inf"),
        ("float4", "'NaN'", "Float64", "NaN"),
        ("float8", "0.1", "Float64", "0.1"),
        ("float8", "-1.7976931348623157e308", "Float64", "-1.7976931348623157e308"),
        ("numeric(12,2)", "-0.01", "Decimal128(18, 2)", "-0.01"),
        ("numeric(12,2)", "9999999999.99", "Decimal128(18, 2)", "9999999999.99"),
        ("numeric(18,0)", "999999999999999999", "Decimal128(18, 0)", "999999999999999999"),
        ("numeric(19,4)", "-999999999999999.9999", "Decimal128(38, 4)", "-999999999999999.9999"),
        (
            "numeric(38,10)",
            "9999999999999999999999999999.9999999999",
            "Decimal128(38, 10)",
            "9999999999999999999999999999.9999999999",
        ),
        ("numeric(38,38)", "0.1", "Decimal128(38, 38)", "0.10000000000000000000000000000000000000"),
        ("numeric(3,5)", "0.00123", "Decimal128(18, 5)", "0.00123"),
        ("numeric(5,-2)", "1234567", "Decimal128(18, 0)", "1234600"),
        ("numeric", "0.1", "Decimal128(38, 1)", "0.1"),
        ("money", "'-1234.56'", "Decimal128(38, 2)", "-1234.56"),
        ("bool", "true", "Boolean", "true"),
        ("text", "'Zoë „quoted“ 🦀'", "Utf8", "Zoë „quoted“ 🦀"),
        ("text", "''", "Utf8", ""),
        ("varchar(10)", "'a b '", "Utf8", "a b "),
        ("char(5)", "'ab'", "Utf8", "ab"),
        ("char(3)", "'   '", "Utf8", ""),
        ("name", "'pg_class'", "Utf8", "pg_class"),
        ("\"char\"", "'x'", "Utf8", "x"),
        ("date", "'2024-02-29'", "Date32", "2024-02-29"),
        ("date", "'0001-01-01'", "Date32", "0001-01-01"),
        ("timestamp", "'2024-02-29 23:59:59.999999'", "Timestamp(µs)", "2024-02-29T23:59:59.999999"),
        ("timestamp", "'1899-12-31 00:00:00'", "Timestamp(µs)", "1899-12-31T00:00:00"),
        ("timestamptz", "'2024-03-31 01:30:00+02'", "Timestamp(µs, \"UTC\")", "2024-03-30T23:30:00Z"),
        ("time", "'12:34:56.789'", "Utf8", "12:34:56.789"),
        ("timetz", "'12:34:56+02'", "Utf8", "12:34:56+02"),
        ("interval", "'1 year 2 mons 3 days 04:05:06'", "Utf8", "1 year 2 mons 3 days 04:05:06"),
        ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "Utf8", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("json", "'{\"b\": 1,  \"a\":2}'", "Utf8", "{\"b\": 1,  \"a\":2}"),
        ("jsonb", "'{\"b\": 1,  \"a\":2}'", "Utf8", "{\"a\": 2, \"b\": 1}"),
        ("xml", "'<a>1</a>'", "Utf8", "<a>1</a>"),
        ("bytea", "'\\xdeadBEEF'", "Utf8", "\\xdeadbeef"),
        ("int4[]", "'{1,NULL,3}'", "Utf8", "{1,NULL,3}"),
        ("text[]", "array['a,b', 'c\"d']", "Utf8", "{\"a,b\",\"c\\\"d\"}"),
        ("float8[]", "array[0.1]", "Utf8", "{0.1}"),
        ("int4range", "'[1,5)'", "Utf8", "[1,5)"),
        ("inet", "'192.168.0.1/24'", "Utf8", "192.168.0.1/24"),
        ("cidr", "'10.0.0.0/8'", "Utf8", "10.0.0.0/8"),
        ("macaddr", "'08:00:2b:01:02:03'", "Utf8", "08:00:2b:01:02:03"),
        ("bit(4)", "B'1010'", "Utf8", "1010"),
        ("varbit", "B'10101'", "Utf8", "10101"),
        ("point", "'(1.5,2)'", "Utf8", "(1.5,2)"),
        ("oid", "4294967295", "Utf8", "4294967295"),
        ("tsvector", "'fat cat'", "Utf8", "'cat' 'fat'"),
        ("mood", "'so so'", "Utf8", "so so"),
        ("pair", "row(1, 'x y')", "Utf8", "(1,\"x y\")"),
        ("amount", "12.34", "Decimal128(18, 2)", "12.34"),
        ("positive", "5.5", "Decimal128(18, 2)", "5.50"),
        ("short", "'abc'", "Utf8", "abc"),
    ];
    let columns: Vec<String> = cases.iter().enumerate().map(|(i, case)| format!("c{i} {}", case.0)).collect();
    let values: Vec<&str> = cases.iter().map(|case| case.1).collect();
    let database = Database::with(&format!(
        "CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE TYPE pair AS (a int, b text); \
         CREATE DOMAIN amount AS numeric(12,2); CREATE DOMAIN positive AS amount CHECK (VALUE > 0); \
         CREATE DOMAIN short AS varchar(3); CREATE TABLE t ({}); \
         INSERT INTO t VALUES ({}); INSERT INTO t DEFAULT VALUES; INSERT INTO t VALUES ({})",
        columns.join(", "),
        values.join(", "),
        values.join(", ")
    ))
    .await;
    let rows = database.stage("t").await;
    assert_eq!(rows.rows.len(), 3);
    for (index, (declared, _, data_type, shown)) in cases.iter().enumerate() {
        let column: Vec<&str> = rows.rows.iter().map(|row| row[index].as_str()).collect();
        assert_eq!(rows.types[index], *data_type, "{declared}");
        assert_eq!(column, [*shown, "NULL", *shown], "{declared}");
    }
    assert!(rows.staged.facts.notes.is_empty());

    let (types, first) = peek(&database.uri("t"), &[], 2).await.unwrap();
    assert_eq!(types, rows.types);
    assert_eq!(first, rows.rows[..2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_numeric_without_scale_is_exact_or_text() {
    // Values, Arrow type, values as shown, note.
    let cases: [(&[&str], &str, &[&str], &str); 9] = [
        (&["0.1", "-0.01", "99999999999.99"], "Decimal128(38, 2)", &["0.10", "-0.01", "99999999999.99"], ""),
        (&["1e30", "1"], "Decimal128(38, 0)", &["1000000000000000000000000000000", "1"], ""),
        (
            &["99999999999999999999999999999999999999", "-7"],
            "Decimal128(38, 0)",
            &["99999999999999999999999999999999999999", "-7"],
            "",
        ),
        // 30 digits before the point and 8 after it fill the 38.
        (
            &["123456789012345678901234567890", "0.12345678"],
            "Decimal128(38, 8)",
            &["123456789012345678901234567890.00000000", "0.12345678"],
            "",
        ),
        // The zeros that are only shown need no room.
        (
            &["123456789012345678901234567890", "0.500000000000000000000000"],
            "Decimal128(38, 8)",
            &["123456789012345678901234567890.00000000", "0.50000000"],
            "",
        ),
        (
            &["12345678901234567890123456789012345678901234567890", "1"],
            "Utf8",
            &["12345678901234567890123456789012345678901234567890", "1"],
            "text because its values take 50 digits before the decimal point and 0 after it",
        ),
        (
            &["123456789012345678901234567890", "0.123456789"],
            "Utf8",
            &["123456789012345678901234567890", "0.123456789"],
            "text because its values take 30 digits before the decimal point and 9 after it",
        ),
        (&["1.5", "'NaN'"], "Utf8", &["1.5", "NaN"], "text because of NaN or infinity"),
        (&["'-Infinity'", "2"], "Utf8", &["-Infinity", "2"], "text because of NaN or infinity"),
    ];
    for (values, data_type, shown, note) in cases {
        let inserts: Vec<String> = values.iter().map(|value| format!("({value}::numeric)")).collect();
        let database =
            Database::with(&format!("CREATE TABLE t (n numeric); INSERT INTO t VALUES {}", inserts.join(", "))).await;
        let rows = database.stage("t").await;
        assert_eq!(rows.types, [data_type], "{values:?}");
        assert_eq!(rows.column("n"), shown, "{values:?}");
        let found = rows.note("n").unwrap_or_default();
        assert!(found.starts_with(note) && found.is_empty() == note.is_empty(), "{values:?}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surprise_far_down_widens_the_column_and_loses_nothing() {
    let database = Database::with(
        "CREATE TABLE t AS SELECT i, (i / 100.0)::numeric(20,2)::numeric AS n, i::numeric(9,2) AS fixed, \
           date '2020-01-01' + i % 1000 AS d, timestamp '2020-01-01' + i * interval '1 s' AS ts, \
           timestamptz '2020-01-01 00:00+00' + i * interval '1 s' AS tz FROM generate_series(1, 150000) i; \
         UPDATE t SET n = 0.123456 WHERE i = 140001; UPDATE t SET fixed = 'NaN' WHERE i = 140002; \
         UPDATE t SET d = 'infinity' WHERE i = 140003; UPDATE t SET ts = '-infinity' WHERE i = 140004; \
         UPDATE t SET tz = '290000-01-01 00:00+00' WHERE i = 140005; ANALYZE t",
    )
    .await;
    for threads in [1, 4] {
        let rows = super::server::read(&database.uri("t"), &[], threads).await.unwrap();
        assert_eq!(rows.types, ["Int64", "Decimal128(38, 6)", "Utf8", "Utf8", "Utf8", "Utf8"]);
        assert_eq!(rows.rows.len(), 150_000);
        let odd = |i: &str, name: &str| {
            let row = rows.column("i").iter().position(|found| *found == i).unwrap();
            rows.column(name)[row].to_owned()
        };
        assert_eq!(odd("140001", "n"), "0.123456");
        assert_eq!(odd("140002", "fixed"), "NaN");
        assert_eq!(odd("140003", "d"), "infinity");
        assert_eq!(odd("140004", "ts"), "-infinity");
        assert_eq!(odd("140005", "tz"), "290000-01-01 00:00:00+00");
        assert_eq!(odd("7", "fixed"), "7.00");
        assert_eq!(rows.note("n"), None);
        assert_eq!(rows.note("fixed"), Some("text because of NaN or infinity"));
        assert_eq!(rows.note("d"), Some("text because of infinity or a date after 262000-01-01"));
    }
    // A sample is typed by its own rows.
    let (types, _) = peek(&database.uri("t"), &[], 10).await.unwrap();
    assert_eq!(types[1..4], ["Decimal128(38, 2)", "Decimal128(18, 2)", "Date32"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surprise_in_a_view_and_in_a_sample_widens_too() {
    let database = Database::with(
        "CREATE VIEW v AS SELECT i, CASE WHEN i = 90000 THEN 0.123 ELSE 1 END::numeric AS n \
           FROM generate_series(1, 100000) i; \
         CREATE TABLE early (d date); INSERT INTO early VALUES ('infinity')",
    )
    .await;
    let rows = database.stage("v").await;
    assert_eq!((rows.type_of("n"), rows.column("n")[89_999]), ("Decimal128(38, 3)", "0.123"));
    assert_eq!(rows.rows.len(), 100_000);
    let (types, first) = peek(&database.uri("early"), &[], 5).await.unwrap();
    assert_eq!((types[0].as_str(), first[0][0].as_str()), ("Utf8", "infinity"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_values_cross_batches() {
    let database = Database::with(
        "CREATE TABLE t AS SELECT i, repeat(chr(96 + i), 3000000) AS long FROM generate_series(1, 26) i",
    )
    .await;
    let rows = database.stage("t").await;
    for (i, long) in rows.column("long").iter().enumerate() {
        assert_eq!(long.len(), 3_000_000);
        assert!(long.bytes().all(|b| usize::from(b) == 97 + i));
    }
    assert_eq!(rows.rows.len(), 26);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_not_utf8_is_refused_by_column() {
    let database = Database::create_with("ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").await;
    database.run("CREATE TABLE t (a text, b text); INSERT INTO t VALUES ('fine', E'\\xff')").await;
    let error = super::server::read(&database.uri("t"), &[], 2).await.unwrap_err();
    assert!(error.to_string().contains("invalid byte sequence for encoding \"UTF8\""), "{error}");
}
