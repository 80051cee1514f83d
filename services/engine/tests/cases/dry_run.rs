//! Jobs on a sample: the counts of a small one, and that rows which match are sampled together.

use std::fmt::Write as _;

use kalla_engine::explain::DryRun;

use super::Fixture;

const ROWS: u64 = 40_000;

/// Of ten rows eight match, one is paid wrongly and one not at all; references stand as numbers on one side.
fn tables() -> (String, String) {
    let (mut left, mut right) = ("id,grp,amount\n".to_owned(), "pid,ref,grp,paid\n".to_owned());
    for n in 0..ROWS {
        writeln!(left, "{n},{},{n}.50", n % 3).unwrap();
        let paid = if n % 10 == 8 { n + 1 } else { n };
        if n % 10 != 9 {
            writeln!(right, "P{n},{n}.0,{},{paid}.50", n % 3).unwrap();
        }
    }
    (left, right)
}

async fn tried(sql: &str, rows: u64) -> DryRun {
    let (left, right) = tables();
    let fixture = Fixture::new(left.as_bytes(), right.as_bytes(), sql, &[]);
    let found = kalla_engine::dry_run(&fixture.job, rows).await.unwrap();
    assert!(!fixture.dir.path().join("out").exists(), "something was written");
    found
}

const BY_KEY: &str =
    "SELECT l.id, r.pid FROM l JOIN r ON r.grp = l.grp AND r.ref = l.id AND tolerance_match(r.paid, l.amount, 0.02)";

#[tokio::test]
async fn rows_that_match_are_in_the_sample_together() {
    let found = tried(BY_KEY, 5000).await;
    let counts = found.counts;
    assert_eq!((found.key.as_deref(), found.rows), (Some("r.ref = l.id"), [ROWS, ROWS / 10 * 9]));
    assert!((4600..5400).contains(&counts.total_left), "{counts:?}");
    assert_eq!(counts.matched_left_count, counts.matched_right_count);
    let funnel = &found.funnels[0];
    let steps: Vec<(&str, u64)> = funnel.steps.iter().map(|s| (s.condition.as_str(), s.pairs)).collect();
    // Every row of the right side is with its partner, and only the amounts part them.
    let names = ["r.ref = l.id", "r.grp = l.grp", "tolerance_match(r.paid, l.amount, 0.02)"];
    assert_eq!(
        steps,
        [(names[0], counts.total_right), (names[1], counts.total_right), (names[2], counts.matched_count)]
    );
    assert_eq!(funnel.pairs, counts.total_left * counts.total_right);
    assert!(funnel.by_key);
    let share = counts.matched_left_count * 1000 / counts.total_left;
    assert!((775..825).contains(&share), "{share}");
    assert_eq!(found.matched.iter().map(|b| b.num_rows()).sum::<usize>(), 5);
    assert_eq!(found.unmatched_left[0].schema().fields().len(), 3);
    // The same sample each time.
    assert_eq!(tried(BY_KEY, 5000).await.counts, counts);
}

#[tokio::test]
async fn few_rows_are_all_tried() {
    let found = tried(BY_KEY, ROWS).await;
    let counts = found.counts;
    assert_eq!((counts.total_left, counts.total_right, counts.matched_count), (ROWS, ROWS / 10 * 9, ROWS / 10 * 8));
    assert_eq!((found.key, found.funnels[0].steps[0].condition.as_str()), (None, "r.ref = l.id"));
}

#[tokio::test]
async fn without_an_equality_the_right_side_is_whole() {
    let sql = "SELECT l.id, r.pid FROM l JOIN r ON tolerance_match(r.paid, l.amount, 0.02)";
    let found = tried(sql, 400).await;
    assert_eq!((found.key, found.counts.total_right), (None, ROWS / 10 * 9));
    assert!((300..500).contains(&found.counts.total_left), "{:?}", found.counts);
    let share = found.counts.matched_left_count * 100 / found.counts.total_left;
    assert!((80..=97).contains(&share), "{share}");
}

/// The second pass pairs by other columns: whoever reads its funnel is told.
#[tokio::test]
async fn passes_by_another_key_are_said_to_be_cut() {
    let sql = "WITH a AS (SELECT l.id, r.pid FROM l JOIN r ON r.ref = l.id AND r.paid = l.amount), \
               b AS (SELECT l.id, r.pid FROM l JOIN r ON r.paid = l.amount AND r.grp = l.grp WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.id = l.id)) \
               SELECT * FROM a UNION ALL SELECT * FROM b";
    let found = tried(sql, 5000).await;
    let told: Vec<_> = found.funnels.iter().map(|f| (f.name.as_deref().unwrap(), f.by_key, f.later.len())).collect();
    assert_eq!(found.key.as_deref(), Some("r.paid = l.amount"));
    assert_eq!(told, [("a", true, 0), ("b", true, 1)]);
    let sql =
        sql.replace("r.paid = l.amount AND r.grp = l.grp", "r.grp = l.grp AND tolerance_match(r.paid, l.amount, 0.01)");
    let found = tried(&sql, 2000).await;
    let told: Vec<_> = found.funnels.iter().map(|f| (f.name.as_deref().unwrap(), f.by_key)).collect();
    assert_eq!((found.key.as_deref(), told), (Some("r.ref = l.id"), vec![("a", true), ("b", false)]));
}

/// Whatever can be run can be tried.
#[tokio::test]
async fn sql_without_a_join_has_no_funnel() {
    let sql = "SELECT l.id, x.pid FROM l, LATERAL (SELECT pid FROM r WHERE r.ref = l.id) x";
    let found = tried(sql, 100).await;
    assert_eq!((found.funnels.len(), found.counts.total_right), (0, ROWS / 10 * 9));
    assert!(found.counts.matched_left_count > 0, "{:?}", found.counts);
}

#[tokio::test]
async fn what_a_job_is_refused_for_a_dry_run_is_too() {
    let (left, right) = tables();
    let fixture = Fixture::new(left.as_bytes(), right.as_bytes(), "SELECT l.idd FROM l JOIN r ON r.ref = l.id", &[]);
    let error = kalla_engine::dry_run(&fixture.job, 100).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `l.id`"), "{error}");
}
