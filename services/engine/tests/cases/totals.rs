//! Whether amounts add up, besides rows: control totals, and totals that match nothing.

use kalla_engine::job::{Source, SourceUri};
use kalla_engine::location::Location;

use super::Fixture;

const LEFT: &str = "id,ref,amount,n\n1,A,10.00,1\n2,B,20.00,2\n3,C,30.00,3\n4,D,40.00,4\n";
const RIGHT: &str = "id,ref,amount,n\n7,A,10.00,1\n8,B,20.01,2\n9,C,30.00,3\n";

/// The statement, the control totals as `left right difference allowed`, and words of a note about what is off.
type Case =
    (&'static str, &'static [(&'static str, &'static str, &'static str, Option<&'static str>)], Option<&'static str>);

const CASES: &[Case] = &[
    // Nothing compares the amounts: they are totalled all the same. Numbers of rows are not.
    (
        "SELECT l.ref FROM l JOIN r ON l.ref = r.ref",
        &[("amount", "amount", "-0.01", Some("0"))],
        Some("matched rows sum up to 60.00 in `l.amount` and to 60.01 in `r.amount`: 0.01 apart"),
    ),
    (
        "SELECT l.ref FROM l JOIN r ON l.ref = r.ref AND tolerance_match(l.amount, r.amount, 0.02)",
        &[("amount", "amount", "-0.01", Some("0.06"))],
        None,
    ),
    (
        "SELECT l.ref FROM l JOIN r USING (ref) WHERE tolerance_pct(r.amount, l.amount, 1)",
        &[("amount", "amount", "-0.01", Some("0.6001"))],
        None,
    ),
    (
        "SELECT l.ref FROM l JOIN r ON l.ref = r.ref AND l.amount = r.amount",
        &[("amount", "amount", "0.00", Some("0"))],
        None,
    ),
    // Of two passes the one that allows more.
    (
        "WITH exact AS (SELECT l.id, r.id AS rid FROM l JOIN r ON l.ref = r.ref AND l.amount = r.amount) \
         SELECT id, rid FROM exact UNION ALL SELECT l.id, r.id FROM l JOIN r ON l.ref = r.ref \
         AND tolerance_match(l.amount, r.amount, 0.02) WHERE NOT EXISTS (SELECT 1 FROM exact e WHERE e.id = l.id)",
        &[("amount", "amount", "-0.01", Some("0.06"))],
        None,
    ),
    // What one of the passes asks otherwise is not known.
    (
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.ref = r.ref AND l.amount = r.amount \
         UNION ALL SELECT l.id, r.id FROM l JOIN r ON l.ref = r.ref AND (r.amount - l.amount) BETWEEN 0.01 AND 5.00",
        &[("amount", "amount", "-0.01", None)],
        None,
    ),
    // A sum of groups is a sum of rows.
    (
        "SELECT l.ref, p.paid FROM l JOIN (SELECT ref, sum(amount) AS paid FROM r GROUP BY ref) p \
         ON l.ref = p.ref AND tolerance_match(l.amount, p.paid, 0.01)",
        &[("amount", "amount", "-0.01", Some("0.03"))],
        None,
    ),
    // Rows that serve several others.
    ("SELECT l.ref FROM l JOIN r ON l.amount > r.amount AND r.n = 1", &[], None),
    (
        "SELECT l.ref FROM l JOIN r ON tolerance_match(l.amount, r.amount, 10) AND r.ref = 'A'",
        &[("amount", "amount", "20.00", Some("20"))],
        None,
    ),
    (
        "SELECT l.ref FROM l JOIN r ON l.ref = r.ref AND tolerance_match(l.n, r.n, 0)",
        &[("n", "n", "0", Some("0")), ("amount", "amount", "-0.01", Some("0"))],
        Some("0.01 apart"),
    ),
    // Whole numbers that bring rows together are keys, whatever they sum up to; where something else does, they are amounts.
    (
        "SELECT l.ref FROM l JOIN r ON l.n = r.n",
        &[("amount", "amount", "-0.01", Some("0")), ("n", "n", "0", None)],
        Some("0.01 apart"),
    ),
    (
        "SELECT l.ref FROM l JOIN r ON l.n < 3 AND l.n = r.n AND l.ref = r.ref AND abs(l.amount - r.amount) < 1",
        &[("n", "n", "0", Some("0"))],
        None,
    ),
    // Something other than the amounts themselves is compared.
    ("SELECT l.ref FROM l JOIN r ON l.ref = r.ref AND abs(l.amount - r.amount) < 1", &[], None),
    ("SELECT l.ref FROM l JOIN r ON l.ref = r.ref AND l.amount > 100", &[], None),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_totals_say_whether_amounts_add_up() {
    for (sql, totals, off) in CASES {
        let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]);
        let (manifest, _) = fixture.run().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let found: Vec<_> = manifest
            .control_totals
            .iter()
            .map(|t| (t.left.as_str(), t.right.as_str(), t.difference.as_str(), t.allowed.as_deref()))
            .collect();
        assert_eq!(found, *totals, "{sql}");
        let told: Vec<_> = manifest.notes.iter().filter(|note| note.contains("sum up to")).collect();
        assert_eq!(told.len(), usize::from(off.is_some()), "{sql}: {told:?}");
        assert!(off.is_none_or(|words| told[0].contains(words)), "{sql}: {told:?}");
    }
}

/// A Parquet file lies where it is, and is summed up like any other source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_are_those_of_every_kind_of_source() {
    let sql = "SELECT l.ref, l.amount, l.n, l.currency FROM l LEFT JOIN r ON l.ref = r.ref";
    let left: String = std::iter::once("ref,amount,n,currency\n".to_owned())
        .chain((0..5000).map(|i| format!("A{i},{i}.25,{i},{}\n", if i % 3 == 0 { "EUR" } else { "USD" })))
        .collect();
    let right: String =
        std::iter::once("ref,amount\n".to_owned()).chain((100..4000).map(|i| format!("A{i},1.50\n"))).collect();
    let fixture = Fixture::new(left.as_bytes(), right.as_bytes(), sql, &[]);
    let (staged, _) = fixture.run().await.unwrap();
    let matched = fixture.job.output.as_local().unwrap().join("matched.parquet");
    let sql = "SELECT l.ref FROM l JOIN r ON l.ref = r.ref";
    let mut again = Fixture::new(b"", right.as_bytes(), sql, &[]);
    again.job.left = Source { uri: SourceUri::File(Location::Local(matched)), ..again.job.left.clone() };
    let (lying, _) = again.run().await.unwrap();
    let mut typed = again.job.clone();
    typed.left.options.types.insert("amount".to_owned(), "float".parse().unwrap());
    for error in [
        kalla_engine::check(&typed).await.map(|_| ()).unwrap_err(),
        kalla_engine::inspect(&typed.left, &typed.limits, 1).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("`l` has types of its own: CAST `amount`"), "{error}");
    }
    let of = |manifest: &kalla_engine::Manifest, columns: &[&str]| {
        let sums = manifest.sums.iter().filter(|sum| columns.contains(&sum.column.as_str())).cloned();
        sums.collect::<Vec<_>>()
    };
    let columns = ["amount", "n"];
    assert_eq!(of(&lying, &columns), of(&staged, &columns));
    assert_eq!((lying.sums[0].by_currency.len(), lying.sums.len()), (2, 5), "{:?}", lying.sums);
    let n = staged.sums.iter().find(|sum| sum.column == "n").unwrap();
    assert_eq!((n.matched.as_str(), n.unmatched.as_str()), ("7993050", "4504450"));
}

/// What is true of all rows together is true of none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_match_nothing_by_themselves() {
    for (sql, matches, matched) in [
        ("SELECT count(*) AS n, sum(l.amount) AS a FROM l JOIN r ON l.ref = r.ref", 0, 0),
        ("SELECT l.ref, sum(r.amount) AS a FROM l JOIN r ON l.ref = r.ref GROUP BY ROLLUP (l.ref)", 3, 3),
        (
            "SELECT l.ref, sum(r.amount) AS a FROM l, r WHERE l.ref < 'C' AND l.ref = r.ref GROUP BY GROUPING SETS ((l.ref), ())",
            2,
            2,
        ),
        (
            "SELECT x.s, y.s AS t FROM (SELECT sum(amount) AS s FROM l) x CROSS JOIN (SELECT sum(amount) AS s FROM r) y",
            0,
            0,
        ),
    ] {
        let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]);
        let (manifest, _) = fixture.run().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let counts = manifest.counts;
        assert_eq!((counts.matched_count, counts.matched_left_count), (matches, matched), "{sql}");
        assert!(manifest.notes.iter().any(|note| note.contains("no row counts as matched by them")), "{sql}");
        let report = kalla_engine::check(&fixture.job).await.unwrap();
        assert!(report.notes[0].contains("GROUP BY"), "{sql}");
    }
    let compared = "SELECT x.s FROM (SELECT sum(amount) AS s FROM l WHERE n < 3) x \
                    JOIN (SELECT sum(amount) AS s FROM r WHERE n < 3) y ON tolerance_match(x.s, y.s, 0.02)";
    let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), compared, &[]);
    let (manifest, answer) = fixture.run().await.unwrap();
    assert_eq!((manifest.counts.matched_left_count, answer.right), (2, vec![2]));
    assert_eq!(manifest.notes, Vec::<String>::new());
}
