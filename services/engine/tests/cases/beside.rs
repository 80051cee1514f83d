//! Matches by the matches beside them: of rows that match more than once, and of rows that do not add up.

use futures::TryStreamExt as _;
use kalla_engine::job::{Filter, FilterOp, FilterValue, Limits, ResultFormat};
use kalla_engine::progress::Progress;
use kalla_engine::results::{Only, OrderBy, Reader, ResultSet, Selection};
use kalla_engine::verdict::Agreement;
use kalla_engine::{Error, Manifest};
use tokio_util::sync::CancellationToken;

use super::{Fixture, rows_of};

/// 1 is paid twice; 2 in two parts; 3 by a payment that pays 4 as well; 5 to the cent; 6 less than it is; 7 not at all.
const LEFT: &str = "id,ref,amount\n1,A,10.00\n2,B,20.00\n3,C,30.00\n4,C,40.00\n5,D,50.00\n6,E,60.00\n7,F,70.00\n";
const RIGHT: &str = "id,ref,paid\n1,A,10.00\n2,A,10.00\n3,B,5.00\n4,B,15.00\n5,C,70.00\n6,D,50.02\n7,E,59.00\n";
const PAIRS: &str = "SELECT l.id, r.id AS payment, l.amount, r.paid FROM l JOIN r ON l.ref = r.ref \
                     AND (l.amount = r.paid OR tolerance_match(l.amount, r.paid, 0.05) OR l.ref IN ('B', 'C', 'E'))";
/// Nothing but the reference is compared, and both amounts are called the same.
const NAMED: &str = "SELECT l.id, r.id AS payment, l.amount, r.amount AS paid FROM l JOIN r ON l.ref = r.ref";

async fn found(fixture: &Fixture, selection: Selection) -> Result<Vec<String>, Error> {
    let output = &fixture.job.output;
    let manifest = kalla_engine::committed(output).await.unwrap().unwrap();
    let reader = Reader::new(Limits { threads: 2, ..Limits::default() }).unwrap();
    let table = reader.open(output, &manifest, ResultSet::Matched).await.unwrap();
    let selected = table.select(selection).await?;
    let batches: Vec<_> = selected.rows().await?.try_collect().await?;
    let rows: Vec<String> = batches.iter().flat_map(rows_of).map(|row| row[..2].join("-")).collect();
    assert_eq!(selected.summary().await?.rows, selected.count().await?);
    Ok(rows)
}

fn only(only: Only) -> Selection {
    Selection { only: Some(only), ..Selection::default() }
}

fn refusal(result: Result<Vec<String>, Error>) -> String {
    match result {
        Err(Error::Invalid(wrong)) if wrong[0].field == "only" => wrong[0].message.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rows_that_match_more_than_once_and_rows_that_do_not_add_up() {
    let right = RIGHT.replace("paid", "amount");
    for format in [ResultFormat::Parquet, ResultFormat::Csv] {
        let mut fixture = Fixture::new(LEFT.as_bytes(), right.as_bytes(), NAMED, &[]);
        fixture.job.format = format;
        let manifest = run(&fixture).await;
        let verdict = manifest.verdict();
        assert_eq!(verdict.agreement, Agreement::Differ);
        assert_eq!(
            verdict.sentence,
            "l and r differ: 1 of 7 rows of l is open (70.00); 2 rows of l match more than once; 1 row of r matches more than once; \
             matched rows are 9.02 apart in amount, which nothing compares"
        );
        assert_eq!(found(&fixture, only(Only::MultipleLeft)).await.unwrap(), ["1-1", "1-2", "2-3", "2-4"]);
        assert_eq!(found(&fixture, only(Only::MultipleRight)).await.unwrap(), ["3-5", "4-5"]);
        let all = found(&fixture, only(Only::Multiple)).await.unwrap();
        assert_eq!(all, ["1-1", "1-2", "2-3", "2-4", "3-5", "4-5"]);
        // What adds up is not apart, however many rows it is of.
        assert_eq!(found(&fixture, only(Only::Apart)).await.unwrap(), ["1-1", "1-2", "5-6", "6-7"]);
        // Together with all else that is asked.
        let value = vec![FilterValue::Number("2".to_owned())];
        let filters = vec![Filter { column: "payment".to_owned(), op: FilterOp::Gte, values: value }];
        let order = vec![OrderBy { column: "payment".to_owned(), descending: true }];
        let some = Selection { filters, order, offset: 1, limit: Some(3), ..only(Only::Multiple) };
        assert_eq!(found(&fixture, some).await.unwrap(), ["4-5", "2-4", "2-3"]);
        let page = Selection { offset: 1, limit: Some(2), ..only(Only::Apart) };
        assert_eq!(found(&fixture, page).await.unwrap(), ["1-2", "5-6"]);
    }
}

async fn run(fixture: &Fixture) -> Manifest {
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    kalla_engine::reconcile(fixture.job.clone(), progress, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn what_the_conditions_allow_is_not_apart() {
    // All that hang together may differ by what each of their matches may.
    let sql = "SELECT l.id, r.id AS payment, l.amount, r.paid FROM l JOIN r ON l.ref = r.ref AND tolerance_match(l.amount, r.paid, 6)";
    let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]);
    run(&fixture).await;
    assert_eq!(found(&fixture, only(Only::Multiple)).await.unwrap(), ["1-1", "1-2"]);
    assert_eq!(found(&fixture, only(Only::Apart)).await.unwrap(), Vec::<String>::new());
    let tight = sql.replace(", 6)", ", 4)");
    let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), &tight, &[]);
    run(&fixture).await;
    assert_eq!(found(&fixture, only(Only::Apart)).await.unwrap(), ["1-1", "1-2"]);
    let percent = sql.replace("tolerance_match(l.amount, r.paid, 6)", "tolerance_pct(l.amount, r.paid, 1.7)");
    let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), &percent, &[]);
    run(&fixture).await;
    assert_eq!(found(&fixture, only(Only::Apart)).await.unwrap(), ["1-1", "1-2"]);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_a_way_out() {
    for (sql, words) in [
        (
            "SELECT l.id FROM l JOIN r ON l.ref = r.ref AND l.amount = r.paid",
            "does not give `l.amount` and `r.paid`: SELECT them",
        ),
        ("SELECT l.id, r.id AS p FROM l JOIN r ON l.ref = r.ref", "compares no amounts"),
        (PAIRS, "compares no amounts"),
        (
            "SELECT l.id, l.amount, p.paid FROM l JOIN (SELECT ref, sum(paid) AS paid FROM r GROUP BY ref) p \
             ON l.ref = p.ref AND l.amount = p.paid",
            "compare their sums in it",
        ),
    ] {
        let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]);
        run(&fixture).await;
        let told = refusal(found(&fixture, only(Only::Apart)).await);
        assert!(told.contains(words), "{told}");
    }
    let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), PAIRS, &[]);
    let manifest = run(&fixture).await;
    let reader = Reader::new(Limits::default()).unwrap();
    let open = reader.open(&fixture.job.output, &manifest, ResultSet::UnmatchedLeft).await.unwrap();
    let told = refusal(open.select(only(Only::Multiple)).await.map(|_| Vec::new()));
    assert!(told.contains("there are none in `unmatched_left`"), "{told}");
}
