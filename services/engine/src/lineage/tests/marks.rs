//! The bitmaps, without SQL where possible.

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
    let mut other = one.clone();
    one.mark(&pairs(&[Some(1), Some(99)], &[Some(2), Some(3)]), &traced).unwrap();
    other.mark(&pairs(&[Some(1), Some(64)], &[Some(4), Some(3)]), &traced).unwrap();
    one.merge(&other);
    assert_eq!(marked(&one, Side::Left, 100), BTreeSet::from([1, 64, 99]));
    assert_eq!(marked(&one, Side::Right, 100), BTreeSet::from([2, 3, 4]));
}

#[tokio::test]
async fn a_number_that_is_no_row_is_a_bug() {
    let (_, traced) = pairs_plan().await;
    let mut marks = Marks::new(10, 10).unwrap();
    for (left, right) in [(10, 0), (0, 10), (-1, 0), (0, i64::MAX), (i64::MIN, 0)] {
        let error = marks.mark(&pairs(&[Some(left)], &[Some(right)]), &traced).unwrap_err();
        assert!(matches!(error, Error::Internal(_)), "{error}");
    }
}

#[test]
fn sides_without_rows_have_no_bits() {
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
