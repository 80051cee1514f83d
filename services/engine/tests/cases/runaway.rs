//! Input of a few kilobytes that asks for more than any machine has: one sentence, at once.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kalla_engine::error::Error;
use kalla_engine::job::FileFormat;

use super::Fixture;

const LEFT: &[u8] = b"id,n\nk1,1\nk2,2\n";
const RIGHT: &[u8] = b"ref,n\nk2,2\nk3,3\n";

async fn refused(sql: &str) -> String {
    let started = Instant::now();
    let error = Fixture::new(LEFT, RIGHT, sql, &[]).refused().await;
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    error.to_string()
}

fn chain(count: usize, term: impl Fn(usize) -> String, operator: &str) -> String {
    (0..count).map(term).collect::<Vec<_>>().join(operator)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_chains_of_operators() {
    let join = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref WHERE ";
    let equal = |n: usize| format!("l.id = 'k{n}'");
    for count in [600, 1_800, 100_000] {
        let error = refused(&format!("{join}{}", chain(count, equal, " OR "))).await;
        assert!(error.contains("more than 1000 operators") && error.contains("IN (…)"), "{error}");
    }
    for long in [
        format!("{join}l.n = {}", chain(5_000, |n| n.to_string(), " + ")),
        format!("{join}l.id = {}", chain(5_000, |n| format!("'{n}'"), " || ")),
        format!("{join}l.n{} = 1", "::int".repeat(5_000)),
        format!("{join}l.n {}", "IS NULL ".repeat(5_000)),
    ] {
        assert!(refused(&long).await.contains("more than 1000 operators"));
    }
    let unions = chain(5_000, |_| "SELECT l.id FROM l JOIN r ON l.id = r.ref".to_owned(), " UNION ALL ");
    assert!(refused(&unions).await.contains("UNION"));
    let nested = format!("{join}{}l.id = 'k2'{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(refused(&nested).await.contains("nested too deeply"));
}

/// As long as they may be, on the threads of a usual process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_that_are_just_short_enough() {
    let join = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref WHERE ";
    for sql in [
        format!("{join}{}", chain(500, |n| format!("l.id = 'k{n}'"), " OR ")),
        format!("{join}l.n < {}", chain(499, |n| format!("r.n + {n}"), " + ")),
        format!("{join}l.id IN ({})", chain(20_000, |n| format!("'k{n}'"), ", ")),
        chain(200, |n| format!("SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref AND l.n = {n}"), " UNION ALL "),
    ] {
        let (_, answer) =
            Fixture::new(LEFT, RIGHT, &sql, &[]).run().await.unwrap_or_else(|e| panic!("{}\n{e}", &sql[..99]));
        assert_eq!((answer.left, answer.right), (vec![0], vec![1]), "{}", &sql[..99]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctes_that_double() {
    for depth in [12, 40] {
        let mut sql = "WITH c0 AS (SELECT l.id FROM l JOIN r ON l.id = r.ref)".to_owned();
        for n in 1..=depth {
            write!(sql, ", c{n} AS (SELECT a.id FROM c{m} a JOIN c{m} b ON a.id = b.id)", m = n - 1).unwrap();
        }
        let error = refused(&format!("{sql} SELECT id FROM c{depth}")).await;
        assert!(error.contains("more than 500 tables") && error.contains("CTE"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_columns_than_a_table_has() {
    let sql = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";
    let lines: String = (0..10_000).map(|n| format!("{{\"k{n}\":{n},\"id\":{n}}}\n")).collect();
    let mut fixture = Fixture::new(lines.as_bytes(), RIGHT, sql, &[]);
    fixture.job.left.options.format = Some(FileFormat::Ndjson);
    let error = fixture.refused().await.to_string();
    assert!(error.starts_with("source `l`: ") && error.contains("more than 1600 different keys"), "{error}");
    assert_eq!(error.matches("`k").count(), 3, "{error}");

    let wide = chain(5_000, |n| format!("c{n}"), ",");
    let error = Fixture::new(format!("{wide}\n{wide}\n").as_bytes(), RIGHT, sql, &[]).refused().await.to_string();
    assert!(error.starts_with("source `l`: line 1: 5000 fields") && error.contains("1600"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_blow_values_up() {
    let join = "FROM l JOIN r ON l.id = r.ref";
    for call in [
        "repeat(l.id, 1000000)",
        "repeat('x', CAST(l.n * 10000000 AS BIGINT))",
        "lpad(l.id, 1000000000)",
        "rpad(l.id, 1000000000, 'x')",
        "array_repeat(l.id, 10000000)",
        "list_repeat(l.n, 10000000)",
        "range(10000000)",
        "generate_series(l.n, 9223372036854775807)",
    ] {
        let error = Fixture::new(LEFT, RIGHT, &format!("SELECT l.id, {call} AS x {join}"), &[]).refused().await;
        assert!(error.to_string().contains("would make values too long to hold"), "{call}: {error}");
        assert_eq!(error.class().fault, kalla_engine::error::Fault::User, "{call}: {error:?}");
    }
    let sql = format!(
        "SELECT repeat(l.id, 3) AS a, lpad(l.id, 5, '0') AS b, rpad(l.id, 3) AS c, array_length(range(l.n, 9)) AS d {join}"
    );
    let fixture = Fixture::new(LEFT, RIGHT, &sql, &[]);
    fixture.run().await.unwrap();
    assert_eq!(super::shown(&fixture.dir.path().join("out/matched.parquet")), ["k2k2k2|000k2|k2 |7|1|0"]);
}

/// Rows that share a group do not list all of it again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_customer_with_twenty_thousand_rows() {
    const ROWS: i64 = 20_000;
    let rows = |name: &str| {
        let lines: String = (0..ROWS).map(|n| format!("{n},Meier,{n}.25\n")).collect();
        format!("{name},cust,amount\n{lines}")
    };
    let sql = "SELECT l.id, t.total FROM l JOIN (SELECT cust, sum(amount) AS total FROM r GROUP BY cust) t ON l.cust = t.cust";
    let mut fixture = Fixture::new(rows("id").as_bytes(), rows("ref").as_bytes(), sql, &[]);
    fixture.job.limits.memory = 256 << 20;
    let (manifest, answer) = fixture.run().await.unwrap();
    assert_eq!((answer.left, answer.right), (vec![], vec![]));
    let first: Vec<i64> = (0..1_000).collect();
    let expected = (0..ROWS).map(|row| (vec![row], first.clone())).collect();
    assert_eq!(answer.pairs, expected);
    let bytes = manifest.files["matched"].bytes;
    assert!(bytes < 8 << 20, "{bytes} bytes");
    assert!(manifest.notes.iter().any(|note| note.contains("the first 1000 are listed")), "{:?}", manifest.notes);
}
