//! What holds for every reconciliation: nothing is lost at the tolerance, and neither threads, memory nor the order of
//! the sides change the answer.

use std::fmt::Write as _;

use kalla_engine::job::ResultFormat;
use kalla_engine::location::Location;
use kalla_engine::progress::Progress;
use tokio_util::sync::CancellationToken;

use super::Fixture;

/// A small generator, so that every run sees the same tables.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn cents(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_differences_of_exactly_the_tolerance_all_match() {
    let mut numbers = Numbers(7);
    let (mut left, mut right) = ("id,amount\n".to_owned(), "ref,paid\n".to_owned());
    for id in 0..10_000 {
        let amount = 2 + numbers.below(100_000_000);
        let paid = if numbers.below(2) == 0 { amount + 2 } else { amount - 2 };
        writeln!(left, "k{id},{}", cents(amount)).unwrap();
        writeln!(right, "k{id},{}", cents(paid)).unwrap();
    }
    let sql = "SELECT l.id, r.paid FROM l JOIN r ON l.id = r.ref AND tolerance_match(l.amount, r.paid, 0.02)";
    let (manifest, _) = Fixture::new(left.as_bytes(), right.as_bytes(), sql, &[]).run().await.unwrap();
    assert_eq!(manifest.counts.matched_count, 10_000);
}

fn tables(rows: u64) -> (String, String) {
    let mut numbers = Numbers(11);
    let (mut left, mut right) = ("id,amount,memo\n".to_owned(), "ref,paid,memo\n".to_owned());
    for id in 0..rows {
        let amount = numbers.below(100_000);
        writeln!(left, "k{},{},\"memo, {id}\"", numbers.below(rows), cents(amount)).unwrap();
        writeln!(right, "k{},{},note {id}", numbers.below(rows), cents(numbers.below(100_000))).unwrap();
    }
    (left, right)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_memory_and_format_change_nothing() {
    /// Too little to hash a side, enough to sort both.
    const SMALL: u64 = 64 << 20;

    let (left, right) = tables(700_000);
    let sql = "SELECT l.id, l.amount, r.paid, l.memo FROM l JOIN r ON l.id = r.ref AND l.amount < r.paid";
    let mut answers = Vec::new();
    for (threads, memory) in [(1, 1 << 30), (2, 1 << 30), (5, 1 << 30), (2, SMALL)] {
        let mut fixture = Fixture::new(left.as_bytes(), right.as_bytes(), sql, &[]);
        fixture.job.limits.threads = threads;
        fixture.job.limits.memory = memory;
        let (manifest, answer) = fixture.run().await.unwrap();
        let sorted = manifest.notes.iter().any(|note| note.contains("sorting"));
        assert_eq!((sorted, manifest.spilled_bytes > 0), (memory == SMALL, memory == SMALL), "{:?}", manifest.notes);
        let hashes: Vec<_> = manifest.files.iter().map(|(set, file)| (set.clone(), file.sha256.clone())).collect();
        answers.push((answer, hashes));
    }
    assert!(!answers[0].0.pairs.is_empty() && !answers[0].0.left.is_empty());
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));

    let mut fixture = Fixture::new(left.as_bytes(), right.as_bytes(), sql, &[]);
    let (parquet, _) = fixture.run().await.unwrap();
    fixture.job.format = ResultFormat::Csv;
    fixture.job.output = Location::Local(fixture.dir.path().join("csv"));
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    let csv = kalla_engine::reconcile(fixture.job.clone(), progress, CancellationToken::new()).await.unwrap();
    assert_eq!((parquet.counts, parquet.sums), (csv.counts, csv.sums));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_the_sides_swaps_the_answer() {
    let (left, right) = tables(2_000);
    let there = "SELECT l.id, r.paid FROM l JOIN r ON l.id = r.ref AND tolerance_pct(l.amount, r.paid, 5)";
    let back = "SELECT r.id, l.paid FROM l JOIN r ON r.id = l.ref AND tolerance_pct(r.amount, l.paid, 5)";
    let (_, one) = Fixture::new(left.as_bytes(), right.as_bytes(), there, &[]).run().await.unwrap();
    let (_, other) = Fixture::new(right.as_bytes(), left.as_bytes(), back, &[]).run().await.unwrap();
    assert_eq!(one.pairs, other.pairs.iter().map(|(l, r)| (r.clone(), l.clone())).collect());
    assert_eq!((one.left, one.right), (other.right, other.left));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surprise_in_the_last_row_widens_the_column() {
    let mut left = "id,amount\n".to_owned();
    for id in 0..200_000 {
        writeln!(left, "k{id},{id}").unwrap();
    }
    left.push_str("last,0.125\n");
    let sql = "SELECT l.id, l.amount, r.paid FROM l JOIN r ON l.id = r.ref AND l.amount = r.paid";
    let fixture = Fixture::new(left.as_bytes(), b"ref,paid\nlast,0.125\nk7,7.00\n", sql, &[]);
    let (manifest, answer) = fixture.run().await.unwrap();
    assert_eq!(manifest.left.columns[1].data_type, "decimal(18,3)");
    assert_eq!((manifest.counts.matched_count, answer.right), (2, vec![]));
}

/// Where sort keys are equal, and where there are none, something of the rows decides, and not who came first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_sort_keys_leave_nothing_open() {
    let mut numbers = Numbers(5);
    let (mut left, mut right) = ("id,day,n\n".to_owned(), "ref,day,n\n".to_owned());
    for _ in 0..30_000 {
        writeln!(left, "k{},{},{}", numbers.below(300), numbers.below(3), numbers.below(1_000)).unwrap();
        writeln!(right, "k{},{},{}", numbers.below(300), numbers.below(3), numbers.below(1_000)).unwrap();
    }
    let paired = "FROM l JOIN r ON l.id = r.ref AND l.n = r.n";
    let grouped = "FROM (SELECT l.id, l.day, sum(r.n) % 7 AS total FROM l JOIN r ON l.id = r.ref AND l.n = r.n \
                   GROUP BY l.id, l.day) g";
    let statements = [
        format!("SELECT l.id, r.n, first_value(r.n) OVER (PARTITION BY l.id ORDER BY l.day) AS v {paired}"),
        format!(
            "SELECT l.id, last_value(r.n) OVER (PARTITION BY l.id ORDER BY l.day \
             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS v {paired}"
        ),
        format!("SELECT l.id, nth_value(r.n, 3) OVER (PARTITION BY l.id) AS v {paired}"),
        format!("SELECT l.id, sum(r.n) OVER (PARTITION BY l.id ORDER BY l.day ROWS UNBOUNDED PRECEDING) AS v {paired}"),
        format!("SELECT l.id, lag(r.n) OVER (ORDER BY l.day) AS v {paired}"),
        format!(
            "SELECT l.id, first_value(r.n) AS v, string_agg(CAST(l.n AS VARCHAR), ',') AS w {paired} GROUP BY l.id"
        ),
        format!("SELECT l.id, array_agg(r.n ORDER BY l.day) AS v {paired} GROUP BY l.id"),
        format!("SELECT l.id, r.n {paired} LIMIT 1000"),
        format!("SELECT DISTINCT ON (l.id) l.id, r.n {paired}"),
        // Groups have no row number of their own.
        format!("SELECT id, total, row_number() OVER (ORDER BY total) AS v {grouped}"),
        format!("SELECT id, total {grouped} ORDER BY total LIMIT 50"),
        format!("SELECT total, first_value(id) AS v {grouped} GROUP BY total"),
        format!("SELECT id, day, row_number() OVER (ORDER BY day) AS v FROM (SELECT DISTINCT l.id, l.day {paired}) d"),
        // Nor have rows of other tables, and branches may give the same row twice.
        format!("SELECT l.id, x.c, row_number() OVER (PARTITION BY l.id ORDER BY l.day) AS v {paired} CROSS JOIN x"),
        format!(
            "SELECT id, p, row_number() OVER (ORDER BY id) AS v FROM \
             (SELECT l.id, 1 AS p {paired} UNION ALL SELECT l.id, 2 AS p {paired}) u"
        ),
        // Inside of conditions too.
        format!("SELECT l.id, r.n {paired} WHERE l.n IN (SELECT n FROM r LIMIT 100)"),
        format!("SELECT l.id, r.n {paired} WHERE l.n > (SELECT n FROM r ORDER BY day LIMIT 1)"),
    ];
    for sql in statements {
        let mut answers = Vec::new();
        for threads in [1, 2, 5] {
            let extras = [("x", "c\na\nb\na\n")];
            let mut fixture = Fixture::new(left.as_bytes(), right.as_bytes(), &sql, &extras);
            fixture.job.limits.threads = threads;
            let (_, answer) = fixture.run().await.unwrap_or_else(|e| panic!("{sql}\n{e}"));
            answers.push((super::shown(&fixture.dir.path().join("out/matched.parquet")), answer.left, answer.right));
        }
        assert!(!answers[0].0.is_empty(), "{sql}");
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_open_is_refused_with_a_way_out() {
    let paired = "FROM l JOIN r ON l.id = r.ref";
    let cases = [
        (
            format!("SELECT l.id, last_value(r.n) OVER (PARTITION BY l.id ORDER BY l.day) AS v {paired}"),
            "`last_value` at line 1, column 14 is open",
        ),
        (format!("SELECT l.id, nth_value(r.n, 2) OVER (ORDER BY l.day) AS v {paired}"), "ROWS BETWEEN"),
        (
            format!("SELECT l.id, sum(CAST(r.n AS DOUBLE)) AS v {paired} GROUP BY l.id"),
            "write sum(CAST(r.n AS DECIMAL(38,9)))",
        ),
        (format!("SELECT l.id, approx_median(r.n) AS v {paired} GROUP BY l.id"), "`median`"),
    ];
    for (sql, wanted) in cases {
        let error = Fixture::new(b"id,day,n\na,1,1\n", b"ref,day,n\na,1,1\n", &sql, &[]).refused().await.to_string();
        assert!(error.contains(wanted), "{sql}\n{error}");
    }
}

/// The first column of the matched rows, as they stand in their file.
async fn in_file_order(sql: &str, threads: usize) -> Vec<String> {
    let left: String = (0..40_000).map(|n| format!("k{n},{}\n", n * 7919 % 40_000 / 10)).collect();
    let right: String = (0..40_000).rev().map(|n| format!("k{n},{}\n", n % 3)).collect();
    let fixture = Fixture::new(format!("id,n\n{left}").as_bytes(), format!("ref,day\n{right}").as_bytes(), sql, &[]);
    let mut job = fixture.job.clone();
    job.limits.threads = threads;
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    kalla_engine::reconcile(job, progress, CancellationToken::new()).await.unwrap();
    super::in_order(&fixture.dir.path().join("out/matched.parquet")).into_iter().map(|row| row[0].clone()).collect()
}

/// Rows stand as the left rows do, or as the statement says; where that leaves rows open, again as the left rows do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matched_rows_have_an_order() {
    let joined = "FROM l JOIN r ON l.id = r.ref";
    let by_row: Vec<String> = (0..40_000).map(|n| format!("k{n}")).collect();
    let n = |row: usize| row * 7919 % 40_000 / 10;
    let mut by_n: Vec<usize> = (0..40_000).collect();
    by_n.sort_by_key(|row| (std::cmp::Reverse(n(*row)), *row));
    let by_n: Vec<String> = by_n.into_iter().map(|row| format!("k{row}")).collect();
    for threads in [1, 3] {
        assert!(in_file_order(&format!("SELECT l.id, r.day {joined}"), threads).await == by_row, "{threads}");
        assert!(in_file_order(&format!("SELECT l.id {joined} ORDER BY l.n DESC"), threads).await == by_n, "{threads}");
        let first = in_file_order(&format!("SELECT l.id {joined} ORDER BY l.n DESC LIMIT 25"), threads).await;
        assert_eq!(first, by_n[..25], "{threads}");
    }
}
