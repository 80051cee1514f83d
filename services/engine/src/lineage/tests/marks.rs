//! The counts, without SQL where possible.

use super::*;

async fn pairs_plan() -> (World, Traced) {
    let world = World::small();
    let traced = world.trace("SELECT i.id FROM invoices i FULL JOIN payments p ON i.k = p.k").await;
    (world, traced)
}

/// A batch as the plan of `pairs_plan` gives it.
fn pairs(left: &[Option<i64>], right: &[Option<i64>]) -> RecordBatch {
    let column = |rows: &[Option<i64>]| Arc::new(Int64Array::from(rows.to_vec())) as ArrayRef;
    batch(vec![("id", column(left)), ("l", column(left)), ("r", column(right))])
}

#[tokio::test]
async fn a_row_counts_only_with_a_partner() {
    let (_, traced) = pairs_plan().await;
    let mut marks = Marks::new(130, 70).unwrap();
    marks
        .mark(
            &pairs(&[Some(0), Some(63), None, Some(129), Some(5)], &[Some(69), Some(0), Some(1), Some(64), None]),
            &traced,
        )
        .unwrap();
    assert_eq!(marked(&marks, Side::Left, 130), BTreeSet::from([0, 63, 129]));
    assert_eq!(marked(&marks, Side::Right, 70), BTreeSet::from([0, 64, 69]));
    marks.mark(&pairs(&[Some(5)], &[Some(1)]), &traced).unwrap();
    assert_eq!(marked(&marks, Side::Left, 130), BTreeSet::from([0, 5, 63, 129]));
    assert!(!marks.is_set(Side::Left, 1 << 40));
}

#[tokio::test]
async fn merging_is_a_union() {
    let (_, traced) = pairs_plan().await;
    let mut one = Marks::new(100, 100).unwrap();
    let mut other = one.part();
    one.mark(&pairs(&[Some(1), Some(99)], &[Some(2), Some(3)]), &traced).unwrap();
    other.mark(&pairs(&[Some(1), Some(64)], &[Some(4), Some(3)]), &traced).unwrap();
    one.merge(other);
    assert_eq!(marked(&one, Side::Left, 100), BTreeSet::from([1, 64, 99]));
    assert_eq!(marked(&one, Side::Right, 100), BTreeSet::from([2, 3, 4]));
    assert_eq!(one.multiple(Side::Left), Some(MultipleMatches { rows: 1, matches: 2, most: 2, row: 1 }));
    assert_eq!(one.multiple(Side::Right), Some(MultipleMatches { rows: 1, matches: 2, most: 2, row: 3 }));
}

/// A row that stands in more matches than a byte counts, in the parts of several tasks.
#[tokio::test]
async fn rows_with_thousands_of_matches_are_counted() {
    let (_, traced) = pairs_plan().await;
    let mut marks = Marks::new(10, 3000).unwrap();
    let parts = std::thread::scope(|scope| {
        let part = |first: i64| {
            let (mut part, traced) = (marks.part(), &traced);
            scope.spawn(move || {
                for row in first..first + 1000 {
                    part.mark(&pairs(&[Some(7), Some(row % 2)], &[Some(row), Some(row)]), traced).unwrap();
                }
                part
            })
        };
        [0, 1000, 2000].map(part).map(|part| part.join().unwrap())
    });
    parts.into_iter().for_each(|part| marks.merge(part));
    marks.mark(&pairs(&[Some(7); 500], &[Some(9); 500]), &traced).unwrap();
    assert_eq!(marks.multiple(Side::Left), Some(MultipleMatches { rows: 3, matches: 6500, most: 3500, row: 7 }));
    assert_eq!(marks.multiple(Side::Right), Some(MultipleMatches { rows: 3000, matches: 6500, most: 502, row: 9 }));
    assert_eq!((marks.count(Side::Left), marks.met()), (3, 6500));
}

#[tokio::test]
async fn a_number_that_is_no_row_is_a_bug() {
    let (_, traced) = pairs_plan().await;
    let mut marks = Marks::new(10, 10).unwrap();
    for (left, right) in [(10, 0), (0, 10), (-1, 0), (0, i64::MAX), (i64::MIN, 0)] {
        let error = marks.mark(&pairs(&[Some(left)], &[Some(right)]), &traced).unwrap_err();
        assert!(matches!(error, Error::Internal { .. }), "{error}");
    }
}

#[test]
fn sides_without_rows_have_no_counts() {
    let marks = Marks::new(0, 64).unwrap();
    assert_eq!((marks.unmatched(Side::Left).len(), marks.unmatched(Side::Right).count_set_bits()), (0, 64));
}

/// Lists are flattened, ascend, hold a row once and are NULL when empty.
#[tokio::test]
async fn public_columns_are_tidy() {
    let world = World::small();
    let sql = "SELECT count(*) FROM invoices a JOIN invoices b ON a.grp = b.grp LEFT JOIN payments p ON p.k = b.k GROUP BY a.grp, b.k";
    let outcome = world.run(sql, false).await;
    let mut pairs = outcome.pairs;
    pairs.sort();
    let y = vec![2, 3, 4];
    let expected =
        [(vec![0, 1], vec![0, 5]), (vec![0, 1], vec![1, 2]), (y.clone(), vec![]), (y.clone(), vec![]), (y, vec![1, 2])];
    assert_eq!(pairs, expected);
}

/// 2,500 rows of either side: one key has most of them, two others the rest.
fn large() -> World {
    let key = |row: i64| Some(["a", "a", "a", "b", "c"][usize::try_from(row % 5).unwrap()]);
    let keys = || strings(&(0..2_500).map(key).collect::<Vec<_>>());
    World::new(
        &batch(vec![("id", ints(0..2_500)), ("k", keys())]),
        &batch(vec![("pid", ints(0..2_500)), ("k", keys())]),
    )
}

const GROUPED: &str = "(SELECT k, count(*) AS n FROM payments GROUP BY k)";

/// Whoever shares a large group has its first rows listed; all of them count.
#[tokio::test]
async fn large_groups_are_marked_whole_and_listed_in_part() {
    let all: Vec<i64> = (0..2_500).collect();
    let a: Vec<i64> = all.iter().copied().filter(|row| row % 5 < 3).collect();
    let b: Vec<i64> = all.iter().copied().filter(|row| row % 5 == 3).collect();
    let b_and_c: Vec<i64> = all.iter().copied().filter(|row| row % 5 > 2).collect();
    let joined = format!("FROM invoices i JOIN {GROUPED} p ON i.k = p.k");
    let each_with_all = format!(
        "SELECT i.k FROM invoices i JOIN {GROUPED} p ON i.k <= p.k GROUP BY i.k, i.id % 7 HAVING i.k = 'a' AND min(p.n) < 600"
    );
    for (what, sql, left, right, cut) in [
        ("one group", format!("SELECT i.id {joined} WHERE i.id = 0"), &[0][..], &a[..], true),
        ("a group many times", format!("SELECT i.id {joined} WHERE i.k = 'a'"), &a, &a, true),
        ("a group that is small enough", format!("SELECT i.id {joined} WHERE i.id = 3"), &[3], &b, false),
        (
            "a group of groups",
            format!("SELECT i.id FROM invoices i JOIN (SELECT count(*) AS n FROM {GROUPED} q) t ON i.id = t.n"),
            &[3],
            &all,
            true,
        ),
        ("groups of the same groups", each_with_all, &a, &all, true),
        (
            "a row beside a group",
            format!("SELECT i.id {joined} JOIN payments q ON q.pid = 4 WHERE i.id = 1"),
            &[1],
            &[4],
            false,
        ),
        (
            "two groups",
            format!("SELECT i.id {joined} JOIN {GROUPED} q ON q.k = 'c' WHERE i.id = 3"),
            &[3],
            &b_and_c,
            false,
        ),
    ] {
        let world = large();
        let outcome = world.run(&sql, false).await;
        let expected = (left.iter().copied().collect(), right.iter().copied().collect());
        assert_eq!(
            (marked(&outcome.marks, Side::Left, 2_500), marked(&outcome.marks, Side::Right, 2_500)),
            expected,
            "{what}"
        );
        let listed = &right[..right.len().min(LISTED)];
        assert!(outcome.pairs.iter().all(|pair| pair.1 == listed), "{what}: {:?}", outcome.pairs.first());
        assert_eq!(outcome.marks.is_cut(), cut, "{what}");
    }
}

/// What a statement writes down does not grow with the output rows that share a group.
#[tokio::test]
async fn groups_go_up_as_numbers() {
    let world = large();
    let traced = world.trace(&format!("SELECT i.id FROM invoices i JOIN {GROUPED} p ON i.k = p.k")).await;
    let types: Vec<_> = traced.plan.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Int64, DataType::Int64, DataType::UInt64]);
    assert!(matches!(traced.row_columns().1.data_type(), DataType::List(_)));
}
