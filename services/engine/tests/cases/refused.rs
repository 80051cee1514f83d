//! Bad input: one sentence that names the place, and nothing left behind.

use kalla_engine::error::Error;
use kalla_engine::job::{Filter, FilterOp, FilterValue, SourceUri};
use kalla_engine::location::Location;

use super::Fixture;

const SQL: &str = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";
const RIGHT: &[u8] = b"ref\na\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_read() {
    let cases: [(&str, &[u8], &[&str]); 8] = [
        ("empty file", b"", &["source `l`", "empty"]),
        ("ragged row", b"id,n\na,1\nb\nc,3\n", &["source `l`: line 3: ", "1 field", "header has 2"]),
        ("duplicate column names", b"id,n,id\na,1,b\n", &["source `l`", "`id`"]),
        ("unclosed quote", b"id,n\na,1\nb,\"open\nc,2\n", &["source `l`: line 3", "quote"]),
        ("invalid bytes", b"id,n\n\xc3\xa9,1\nb\xff,2\n", &["source `l`: line 3"]),
        ("a Parquet file called CSV", b"PAR1\x00\x00\x00\x00\x00\x00\x00\x00PAR1", &["source `l`", "Parquet"]),
        ("binary", b"id,n\na\x00b,1\n", &["source `l`", "not a text file"]),
        ("bytes after a closing quote", b"id,n\n\"a\"x,1\nb,2\n", &["source `l`: line 2"]),
    ];
    for (name, left, wanted) in cases {
        let error = Fixture::new(left, RIGHT, SQL, &[]).refused().await.to_string();
        assert!(wanted.iter().all(|part| error.contains(part)) && !error.contains('\n'), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_are_counted_when_they_are_allowed() {
    let mut fixture = Fixture::new(b"id,n\na,1\nb\nc,3\n", RIGHT, SQL, &[]);
    assert!(matches!(fixture.refused().await, Error::Data { .. }));
    assert!(fixture.dir.path().join("out/failed/rejected_left.parquet").exists());
    fixture.job.limits.max_rejected = 1;
    let (manifest, answer) = fixture.run().await.unwrap();
    assert_eq!((manifest.counts.rejected_left, manifest.counts.total_left), (1, 2));
    assert_eq!(answer.left, vec![1]);
}

/// A result stays what it is until another one takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_touches_no_result() {
    let mut fixture = Fixture::new(b"id,n\na,1\nb\nc,3\n", RIGHT, SQL, &[]);
    fixture.job.limits.max_rejected = 1;
    let (manifest, _) = fixture.run().await.unwrap();
    let out = fixture.dir.path().join("out");
    let files = || {
        let entries = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        let files = entries.filter(|path| path.is_file());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files();
    assert_eq!(before.len(), manifest.files.len() + 1);

    std::fs::write(fixture.dir.path().join("l.csv"), b"id,n\na,1\nbbb\nccc\nd,4\n").unwrap();
    fixture.job.run_id = "another".to_owned();
    fixture.job.limits.max_rejected = 0;
    let error = fixture.run().await.unwrap_err().to_string();
    assert_eq!(files(), before);
    let rejected = out.join("failed/rejected_left.parquet");
    assert!(error.contains("line 3") && error.contains(&rejected.display().to_string()), "{error}");
    assert_eq!(super::shown(&rejected).len(), 2);

    // What failed last is all that is kept of failures, and nothing of them beside a new result.
    std::fs::write(fixture.dir.path().join("l.csv"), b"id,n\na\n").unwrap();
    fixture.run().await.unwrap_err();
    assert_eq!(super::shown(&rejected).len(), 1);
    fixture.job.limits.max_rejected = 1;
    std::fs::write(fixture.dir.path().join("l.csv"), b"id,n\na,1\nb\n").unwrap();
    fixture.run().await.unwrap();
    assert!(!out.join("failed").exists() && files() != before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_cannot_be_run() {
    let cases = [
        ("SELECT l.idd, r.ref FROM l JOIN r ON l.id = r.ref", "did you mean `l.id`"),
        ("SELECT l.id, r.ref FROM l JOIN rr ON l.id = rr.ref", "`rr`"),
        ("SELECT l.id, r.ref FROM l JOIN r ON l.n = r.ref", "text"),
        ("DROP TABLE l", "match_sql"),
        ("INSERT INTO l VALUES (1)", "match_sql"),
        ("COPY l TO 'x.csv'", "match_sql"),
        ("SELECT 1; SELECT 2", "second statement"),
        ("SELECT * FROM '/etc/passwd'", "no table"),
        ("SELECT l.id FROM l", "never reads"),
    ];
    for (sql, wanted) in cases {
        let error = Fixture::new(b"id,n\na,1\n", RIGHT, sql, &[]).refused().await;
        assert!(matches!(error, Error::Invalid(_)), "{sql}: {error:?}");
        assert!(error.to_string().contains(wanted), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runaway_join_meets_the_cap() {
    let many: String = std::iter::once("id".to_owned()).chain((0..2000).map(|n| format!("\nk{n}"))).collect();
    let sql = "SELECT l.id, r.id AS rid FROM l CROSS JOIN r";
    let mut fixture = Fixture::new(many.as_bytes(), many.as_bytes(), sql, &[]);
    fixture.job.limits.max_matched = 100_000;
    assert!(matches!(fixture.refused().await, Error::TooManyMatches { limit: 100_000 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_where_a_number_is_needed_names_the_value() {
    let sql = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref AND tolerance_match(l.amount, r.paid, 1)";
    let fixture = Fixture::new(b"id,amount\na,1.00\nb,N/A\n", b"ref,paid\na,1.00\n", sql, &[]);
    let error = fixture.refused().await.to_string();
    assert!(error.contains("`N/A` in line 3"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_and_an_unwritable_output() {
    let fixture = Fixture::new(b"id\na\n", RIGHT, SQL, &[]);
    std::fs::remove_file(fixture.dir.path().join("l.csv")).unwrap();
    let error = fixture.refused().await;
    assert!(matches!(error, Error::NotFound { .. }) && error.to_string().contains("l.csv"), "{error}");

    let mut fixture = Fixture::new(b"id\na\n", RIGHT, SQL, &[]);
    let file = fixture.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    fixture.job.output = Location::Local(file.join("out"));
    assert!(matches!(fixture.refused().await, Error::Output { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_on_an_unknown_column_is_refused_before_the_rows_are_read() {
    // The second line would be an error of its own.
    let mut fixture = Fixture::new(b"id,amount\na,\"open\n", RIGHT, SQL, &[]);
    fixture.job.left.filters = vec![Filter {
        column: "amuont".to_owned(),
        op: FilterOp::Eq,
        values: vec![FilterValue::Number("1".to_owned())],
    }];
    let error = fixture.refused().await.to_string();
    assert_eq!(error, "l.filters[0]: there is no column `amuont`: did you mean `amount`?");
}

/// A file that is whole at its ends, and not in between, is the fault of whoever gave it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_sources_are_told_of_the_source() {
    let rows: String = (0..5_000).map(|n| format!("k{n},{n}.25\n")).collect();
    let mut fixture = Fixture::new(format!("id,n\n{rows}").as_bytes(), RIGHT, SQL, &[]);
    fixture.run().await.unwrap();
    let source = fixture.dir.path().join("source.parquet");
    let whole = std::fs::read(fixture.dir.path().join("out/unmatched_left.parquet")).unwrap();
    let uri = SourceUri::File(Location::Local(source.clone()));
    let filtered =
        vec![Filter { column: "n".to_owned(), op: FilterOp::Gt, values: vec![FilterValue::Number("1".to_owned())] }];
    for (column, sql) in
        [("the key", SQL), ("another column", "SELECT l.n, r.ref FROM l JOIN r ON CAST(l.n AS VARCHAR) = r.ref")]
    {
        for filters in [Vec::new(), filtered.clone()] {
            let mut damaged = whole.clone();
            // The columns stand one after the other.
            let at = if column == "the key" { 40 } else { whole.len() / 2 };
            damaged[at..at + 2_000].fill(0xFF);
            std::fs::write(&source, &damaged).unwrap();
            fixture.job.left.uri = uri.clone();
            fixture.job.left.filters = filters;
            fixture.job.match_sql = sql.to_owned();
            fixture.job.run_id = "damaged".to_owned();
            let error = fixture.run().await.unwrap_err();
            assert!(matches!(&error, Error::Data { alias, .. } if alias == "l"), "{column}: {error:?}");
            let text = error.to_string();
            assert!(text.contains("source.parquet is damaged") && !text.contains('\n'), "{column}: {text}");
        }
    }
}
