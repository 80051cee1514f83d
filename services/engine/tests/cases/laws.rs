//! What holds for every reconciliation: nothing is lost at the tolerance, and neither threads, memory nor the order of
//! the sides change the answer.

use std::fmt::Write as _;

use super::Bench;

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
    let (manifest, _) = Bench::new(left.as_bytes(), right.as_bytes(), sql, &[]).run().await.unwrap();
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
    let (left, right) = tables(20_000);
    let sql = "SELECT l.id, l.amount, r.paid FROM l JOIN r ON l.id = r.ref AND l.amount < r.paid";
    let mut answers = Vec::new();
    for (threads, memory) in [(1, 1 << 30), (2, 1 << 30), (5, 1 << 30), (2, 24 << 20)] {
        let mut bench = Bench::new(left.as_bytes(), right.as_bytes(), sql, &[]);
        bench.job.limits.threads = threads;
        bench.job.limits.memory = memory;
        answers.push(bench.run().await.unwrap().1);
    }
    assert!(!answers[0].pairs.is_empty() && !answers[0].left.is_empty());
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapping_the_sides_swaps_the_answer() {
    let (left, right) = tables(2_000);
    let there = "SELECT l.id, r.paid FROM l JOIN r ON l.id = r.ref AND tolerance_pct(l.amount, r.paid, 5)";
    let back = "SELECT r.id, l.paid FROM l JOIN r ON r.id = l.ref AND tolerance_pct(r.amount, l.paid, 5)";
    let (_, one) = Bench::new(left.as_bytes(), right.as_bytes(), there, &[]).run().await.unwrap();
    let (_, other) = Bench::new(right.as_bytes(), left.as_bytes(), back, &[]).run().await.unwrap();
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
    let bench = Bench::new(left.as_bytes(), b"ref,paid\nlast,0.125\nk7,7.00\n", sql, &[]);
    let (manifest, answer) = bench.run().await.unwrap();
    assert_eq!(manifest.left.columns[1].data_type, "decimal(18,3)");
    assert_eq!((manifest.counts.matched_count, answer.right), (2, vec![]));
}
