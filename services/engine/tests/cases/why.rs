//! Why a row matches nothing: what is said of it, by hand.

use kalla_engine::explain::{Question, Side, Why};
use kalla_engine::{Error, Manifest, Stores};

use super::Fixture;

const LEFT: &str = "\
invoice,customer,day,currency,amount,status
INV-1001,Acme Ltd,2026-01-05,EUR,100.00,open
INV-1002,Bolt GmbH,2026-01-12,EUR,250.50,open
INV-1003,Cargo AG,2026-02-20,USD,75.25,open
INV-1004,Delta SA,2026-03-03,EUR,4100.00,open
INV-1005,Echo Oy,2026-03-17,SEK,19.99,open
INV-1006,Foxtrot BV,2026-04-01,EUR,820.10,open
";

/// The row of interest is row 0, of one line; the others have their partner.
const PASS: &str = "SELECT l.invoice, r.payment FROM l JOIN r ON r.reference = l.invoice AND r.currency = l.currency \
    AND tolerance_match(l.amount, r.paid, 0.02) AND date_within(l.day, r.booked, 3)";

/// The payments of all invoices, the first of them as it is given.
fn payments(first: &str) -> String {
    format!(
        "payment,payer,booked,currency,paid,reference,state\n{first}\n\
         P2,Bolt GmbH,2026-01-12,EUR,250.50,INV-1002,settled\nP3,Cargo AG,2026-02-21,USD,75.25,INV-1003,settled\n\
         P4,Delta SA,2026-03-03,EUR,4100.00,INV-1004,settled\nP5,Echo Oy,2026-03-18,SEK,19.99,INV-1005,settled\n\
         P6,Foxtrot BV,2026-04-01,EUR,820.10,INV-1006,settled\n"
    )
}

async fn run(left: &str, right: &str, sql: &str, extras: &[(&str, &str)]) -> (Fixture, Manifest) {
    let mut fixture = Fixture::new(left.as_bytes(), right.as_bytes(), sql, extras);
    fixture.job.keep_staged = true;
    let (manifest, _) = fixture.run().await.unwrap();
    (fixture, manifest)
}

async fn ask(fixture: &Fixture, manifest: &Manifest, side: Side, row: u64) -> Result<Why, Error> {
    let question = Question {
        output: &fixture.job.output,
        manifest,
        side,
        row,
        limits: &fixture.job.limits,
        stores: &Stores::default(),
    };
    kalla_engine::why(question).await
}

async fn why(left: &str, right: &str, sql: &str, side: Side, row: u64) -> Why {
    let (fixture, manifest) = run(left, right, sql, &[]).await;
    ask(&fixture, &manifest, side, row).await.unwrap()
}

#[tokio::test]
async fn one_condition_fails() {
    for (payment, expected) in [
        (
            "P1,Acme Ltd,2026-01-05,EUR,100.00,INV-1O01,settled",
            "r row 0 meets every condition but one: `r.reference = l.invoice`: INV-1O01 and INV-1001 are 1 character apart",
        ),
        (
            "P1,Acme Ltd,2026-01-05,EUR,100.00,INV1001,settled",
            "r row 0 meets every condition but one: `r.reference = l.invoice`: INV1001 and INV-1001 are 1 character apart",
        ),
        (
            "P1,Acme Ltd,2026-01-05,EUR,100.03,INV-1001,settled",
            "r row 0 meets every condition but one: `tolerance_match(l.amount, r.paid, 0.02)`: 100.00 and 100.03 are 0.03 apart, 0.02 allowed",
        ),
        (
            "P1,Acme Ltd,2026-01-10,EUR,100.00,INV-1001,settled",
            "r row 0 meets every condition but one: `date_within(l.day, r.booked, 3)`: 2026-01-05 and 2026-01-10 are 5 days apart, 3 days allowed",
        ),
        (
            "P1,Acme Ltd,2026-01-05,USD,100.00,INV-1001,settled",
            "r row 0 meets every condition but one: `r.currency = l.currency`: USD is not EUR",
        ),
        (
            "P1,Acme Ltd,2026-01-05,EUR,100.00,,settled",
            "r row 0 meets every condition but one: `r.reference = l.invoice`: r.reference is NULL",
        ),
        (
            "P1,Acme Ltd,2026-01-05,EUR,,INV-1001,settled",
            "r row 0 meets every condition but one: `tolerance_match(l.amount, r.paid, 0.02)`: r.paid is NULL",
        ),
        (
            "P1,Acme Ltd,2026-01-10,EUR,112.00,INV-1001,settled",
            "r row 0 comes nearest: `tolerance_match(l.amount, r.paid, 0.02)`: 100.00 and 112.00 are 12.00 apart, 0.02 allowed; `date_within(l.day, r.booked, 3)`: 2026-01-05 and 2026-01-10 are 5 days apart, 3 days allowed",
        ),
        ("P1,Zulu,2027-11-05,NOK,7.10,QX/77,settled", "no row of r comes near"),
    ] {
        let right = payments(payment);
        assert_eq!(why(LEFT, &right, PASS, Side::Left, 0).await.verdict, expected, "{payment}");
        // The other way round it is the same story.
        let mirrored = why(LEFT, &right, PASS, Side::Right, 0).await.verdict;
        assert_eq!(mirrored, expected.replace("r row 0", "l row 0").replace("of r comes", "of l comes"), "{payment}");
    }
}

#[tokio::test]
async fn what_is_compared_is_told_with_its_distance() {
    let right = payments("P1,Acme Ltd,2026-01-10,EUR,100.03,INV-1001,settled");
    let found = why(LEFT, &right, PASS, Side::Left, 0).await;
    assert_eq!(
        found.values[..5].iter().flatten().collect::<Vec<_>>(),
        ["INV-1001", "Acme Ltd", "2026-01-05", "EUR", "100.00"]
    );
    let candidate = &found.passes[0].candidates[0];
    assert_eq!((candidate.rows.as_slice(), candidate.near, candidate.matched), (&[0][..], true, false));
    assert_eq!(candidate.values[0].as_deref(), Some("P1"));
    let told: Vec<_> = candidate.outcomes.iter().map(|o| (o.holds, o.apart.as_deref(), o.allowed.as_deref())).collect();
    let expected = [
        (Some(true), None, None),
        (Some(true), None, None),
        (Some(false), Some("0.03"), Some("0.02")),
        (Some(false), Some("5 days"), Some("3 days")),
    ];
    assert_eq!(told, expected);
    let operand = &candidate.outcomes[2].values[1];
    assert_eq!((operand.expression.as_str(), operand.value.as_deref()), ("r.paid", Some("100.03")));
}

#[tokio::test]
async fn conditions_stand_wherever_sql_lets_them() {
    let right = payments("P1,Acme Ltd,2026-01-05,EUR,100.00,INV-1001,void");
    let from = "FROM l JOIN r ON r.reference = l.invoice AND r.paid = l.amount";
    let state = "`r.state = 'settled'`: r.state is void";
    for (sql, expected) in [
        // In WHERE, of one side alone.
        (format!("SELECT l.invoice {from} WHERE r.state = 'settled'"), format!("r row 0 meets every condition but one: {state}")),
        // In a comma join.
        (
            "SELECT l.invoice FROM l, r WHERE r.reference = l.invoice AND r.paid = l.amount AND r.state = 'settled'".to_owned(),
            format!("r row 0 meets every condition but one: {state}"),
        ),
        // In a CTE below the join, under a name of its own.
        (
            "WITH done AS (SELECT reference AS ref, paid FROM r WHERE r.state = 'settled') \
             SELECT l.invoice FROM l JOIN done d ON d.ref = l.invoice AND d.paid = l.amount"
                .to_owned(),
            format!("r row 0 meets every condition but one: {state}"),
        ),
        // Above it, in two steps.
        (
            format!("WITH pairs AS (SELECT l.invoice, r.state AS st {from}), few AS (SELECT * FROM pairs) SELECT invoice FROM few WHERE st = 'settled'"),
            "r row 0 meets every condition of `few` but one: `few.st = 'settled'`: few.st is void".to_owned(),
        ),
        // An outer join whose other rows are wanted too.
        (format!("SELECT l.invoice, r.payment {from} AND r.state = 'settled' WHERE r.payment IS NOT NULL"), format!("r row 0 meets every condition but one: {state}")),
        // USING, over columns of one name.
        (
            "SELECT a.invoice FROM l a JOIN (SELECT reference AS invoice, currency, state FROM r) b USING (invoice, currency) WHERE b.state = 'settled'".to_owned(),
            "r row 0 meets every condition but one: `b.state = 'settled'`: b.state is void".to_owned(),
        ),
        // A computed value beside a constant.
        (
            "SELECT l.invoice FROM l JOIN r ON r.reference = l.invoice AND abs(l.amount - r.paid) < 1 AND char_length(r.state) > 5".to_owned(),
            "r row 0 meets every condition but one: `character_length(r.state) > 5`: character_length(r.state) is 4".to_owned(),
        ),
        // What is no comparison.
        (
            "SELECT l.invoice FROM l JOIN r ON r.reference = l.invoice AND (r.state LIKE 'set%' OR r.paid > 5000)".to_owned(),
            "r row 0 meets every condition but one: `r.state LIKE 'set%' OR (r.paid > 5000)`: r.paid is 100.00, r.state is void".to_owned(),
        ),
    ] {
        assert_eq!(why(LEFT, &right, &sql, Side::Left, 0).await.verdict, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_row_may_be_left_out_before_it_meets_any() {
    let left = LEFT.replacen("open", "void", 1);
    let right = payments("P1,Acme Ltd,2026-01-05,EUR,100.00,INV-1001,settled");
    // Where the filter can be asked together with the join it is one of the conditions.
    let sql = "SELECT o.invoice FROM (SELECT * FROM l WHERE status = 'open') o JOIN r ON r.reference = o.invoice";
    assert_eq!(
        why(&left, &right, sql, Side::Left, 0).await.verdict,
        "r row 0 meets every condition but one: `l.status = 'open'`: l.status is void"
    );
    // Below groups it cannot.
    let sql = "SELECT o.invoice, o.total FROM (SELECT invoice, sum(amount) AS total FROM l WHERE status = 'open' GROUP BY invoice) o \
               JOIN r ON r.reference = o.invoice AND r.paid = o.total";
    let found = why(&left, &right, sql, Side::Left, 0).await;
    assert_eq!(found.verdict, "it is left out before it meets any row of r: `l.status = 'open'`: l.status is void");
    assert!(found.passes[0].candidates.is_empty());
}

#[tokio::test]
async fn a_row_that_an_earlier_pass_has_taken_is_named_with_its_partner() {
    let left = "id,ref,amount\n1,A-1,10.00\n2,A-1,10.01\n3,B-7,99.00\n4,C-3,55.00\n";
    let right = "pid,ref,amount\n1,A-1,10.00\n2,B-7,99.00\n3,C-3,55.00\n";
    let sql = "WITH exact AS (SELECT l.id, r.pid FROM l JOIN r ON r.ref = l.ref AND r.amount = l.amount), \
               close AS (SELECT l.id, r.pid FROM l JOIN r ON r.ref = l.ref AND tolerance_match(r.amount, l.amount, 0.05) \
                         WHERE NOT EXISTS (SELECT 1 FROM exact e WHERE e.pid = r.pid)) \
               SELECT id, pid FROM exact UNION ALL SELECT id, pid FROM close";
    let found = why(left, right, sql, Side::Left, 1).await;
    assert_eq!(
        found.passes.iter().map(|pass| pass.name.as_deref()).collect::<Vec<_>>(),
        [Some("exact"), Some("close")]
    );
    assert_eq!(
        found.verdict,
        "r row 0 meets every condition of `close` but one, and is matched with left row 0: `NOT EXISTS (SELECT … FROM exact)`: this is not true of the pair"
    );
    let taken = &found.passes[1].candidates[0];
    assert_eq!((taken.rows.as_slice(), taken.matched_with.as_slice()), (&[0][..], &[0][..]));
}

#[tokio::test]
async fn what_is_decided_among_pairs_is_asked_of_pairs() {
    let left = "id,ref,amount\n1,A-1,10.00\n2,B-7,99.00\n3,C-3,55.00\n4,D-9,70.00\n";
    let right = "pid,ref,amount\n1,A-1,10.00\n2,A-1,10.00\n3,B-7,99.00\n4,C-3,55.00\n5,D-9,35.00\n6,D-9,20.00\n";
    for (sql, row, expected) in [
        (
            "WITH pairs AS (SELECT l.id, r.pid, row_number() OVER (PARTITION BY l.id ORDER BY r.pid) AS nth \
             FROM l JOIN r ON r.ref = l.ref AND r.amount = l.amount) SELECT id, pid FROM pairs WHERE nth = 1",
            1,
            "l row 0 meets every condition of `pairs` but one, and is matched with right row 0: `pairs.nth = 1`: pairs.nth is 2",
        ),
        (
            "SELECT DISTINCT ON (l.id) l.id, r.pid FROM l JOIN r ON r.ref = l.ref AND r.amount = l.amount ORDER BY l.id, r.pid",
            1,
            "l row 0 meets every condition but one, and is matched with right row 0: `DISTINCT ON`: other rows come before this pair, or no row goes with it",
        ),
        (
            "SELECT l.id, sum(r.amount) AS paid FROM l JOIN r ON r.ref = l.ref GROUP BY l.id, l.amount HAVING sum(r.amount) = l.amount",
            4,
            "l row 3 meets every condition but one: `sum(r.amount) = l.amount`: 55.00 and 70.00 are 15.00 apart",
        ),
    ] {
        assert_eq!(why(left, right, sql, Side::Right, row).await.verdict, expected, "{sql}");
    }
}

#[tokio::test]
async fn groups_are_candidates_as_a_whole() {
    let left = "id,statement,amount\n1,S-1,10.00\n2,S-1,20.00\n3,S-2,5.00\n4,S-2,6.00\n5,S-3,40.00\n";
    let right = "pid,ref,amount\n1,S-1,30.50\n2,S-2,11.00\n3,S-3,40.00\n";
    let sql = "SELECT g.statement, r.pid FROM (SELECT statement, sum(amount) AS total FROM l GROUP BY statement) g \
               JOIN r ON r.ref = g.statement AND r.amount = g.total";
    let found = why(left, right, sql, Side::Right, 0).await;
    assert_eq!(
        found.verdict,
        "l rows 0, 1 meets every condition but one: `r.amount = g.total`: 30.50 and 30.00 are 0.50 apart"
    );
    // And a row of the group finds the other side.
    let found = why(left, right, sql, Side::Left, 1).await;
    assert_eq!(
        found.verdict,
        "r row 0 meets every condition but one: `r.amount = g.total`: 30.50 and 30.00 are 0.50 apart"
    );
}

/// Documents are not compared letter by letter: that would take minutes and gigabytes.
#[tokio::test]
async fn long_texts_are_compared_by_their_beginning() {
    let text = |row: u64, word: &str| format!("{row}{}", word.repeat(20_000));
    let table = |name: &str, word: &str| {
        (0..50).fold(format!("{name},note\n"), |table, row| format!("{table}{row},{}\n", text(row, word)))
    };
    let sql = "SELECT l.id, r.pid FROM l JOIN r ON r.note = l.note AND r.pid = l.id";
    let found = why(&table("id", "ab"), &table("pid", "ac"), sql, Side::Left, 3).await;
    let candidate = &found.passes[0].candidates[0];
    assert_eq!((candidate.rows.as_slice(), candidate.near), (&[3][..], true));
    let outcome = &candidate.outcomes[0];
    assert_eq!(outcome.values[0].value.as_deref(), Some(text(3, "ac").as_str()));
    let reason = outcome.reason.as_deref().unwrap();
    assert!(reason.starts_with("3acac") && reason.contains("… is not 3abab") && reason.len() < 300, "{reason}");
}

#[tokio::test]
async fn large_groups_are_told_by_their_first_rows() {
    let left = (0..3000).fold("statement,amount\n".to_owned(), |table, _| table + "S-1,1.00\n");
    let sql = "SELECT g.statement, r.pid FROM (SELECT statement, sum(amount) AS total FROM l GROUP BY statement) g \
               JOIN r ON r.ref = g.statement AND r.amount = g.total";
    let found = why(&left, "pid,ref,amount\n1,S-1,2999.00\n", sql, Side::Right, 0).await;
    let candidate = &found.passes[0].candidates[0];
    assert_eq!((candidate.rows.len(), candidate.row_count), (1000, 3000));
    assert!(found.verdict.starts_with("l rows 0, 1, 2, 3, 4, … meets every condition but one"), "{}", found.verdict);
}

#[tokio::test]
async fn equally_near_rows_are_all_named_in_their_order() {
    let left = "id,amount\n1,100.00\n2,5.00\n3,7000.00\n";
    let right = "pid,amount\n1,5.00\n2,99.00\n3,99.00\n4,7000.00\n5,61.00\n";
    let found =
        why(left, right, "SELECT l.id, r.pid FROM l JOIN r ON tolerance_match(r.amount, l.amount, 0.5)", Side::Left, 0)
            .await;
    let rows: Vec<_> = found.passes[0].candidates.iter().map(|c| c.rows[0]).collect();
    assert_eq!(rows[..3], [1, 2, 4]);
    let chance: Vec<_> = found.passes[0].candidates.iter().map(|c| c.chance).collect();
    assert_eq!(chance[0].to_bits(), chance[1].to_bits());
    assert!(found.passes[0].candidates[..2].iter().all(|c| c.outcomes[0].apart.as_deref() == Some("1.00")));
}

#[tokio::test]
async fn extras_hang_on_the_side_that_they_are_joined_to() {
    let left = "id,currency,amount\n1,EUR,100.00\n2,CHF,50.00\n3,EUR,70.00\n";
    let right = "pid,ref,usd\n1,1,120.00\n2,2,60.00\n3,3,77.00\n";
    let rates = "currency,rate\nEUR,1.1\n";
    let sql = "SELECT l.id, r.pid FROM l JOIN rates f ON f.currency = l.currency JOIN r ON r.ref = l.id AND r.usd = l.amount * f.rate";
    let (fixture, manifest) = run(left, right, sql, &[("rates", rates)]).await;
    let verdict = |row| {
        let (fixture, manifest) = (&fixture, &manifest);
        async move { ask(fixture, manifest, Side::Left, row).await.unwrap().verdict }
    };
    assert_eq!(
        verdict(0).await,
        "r row 0 meets every condition but one: `r.usd = (l.amount * f.rate)`: 120.00 and 110.000 are 10.000 apart"
    );
    assert!(verdict(1).await.contains("`f.currency = l.currency`: f.currency is NULL"), "{}", verdict(1).await);
}

#[tokio::test]
async fn spans_of_time_are_told_as_such() {
    let left = "id,at\n1,2026-01-01 10:00:00\n2,2026-01-02 10:00:00\n";
    for (at, condition, told) in [
        ("2026-01-03 12:00:00.500", "r.at - l.at <= INTERVAL '2 hours'", "r.at - l.at is 2 days 02:00:00.5"),
        ("2025-12-31 09:59:59", "l.at - r.at < INTERVAL '1 day'", "l.at - r.at is 1 day 00:00:01"),
        ("2025-12-30 08:00:00", "r.at - l.at > INTERVAL '-1 hour'", "r.at - l.at is -2 days -02:00:00"),
        ("2026-01-01 09:30:00", "r.at - l.at = INTERVAL '0 hours'", "r.at - l.at is -00:30:00"),
    ] {
        let right = format!("id,at\n1,{at}\n2,2026-01-02 10:00:00\n");
        let sql = format!("SELECT l.id FROM l JOIN r ON l.id = r.id AND {condition}");
        let verdict = why(left, &right, &sql, Side::Left, 0).await.verdict;
        assert!(verdict.ends_with(told), "{verdict}");
    }
}

#[tokio::test]
async fn questions_without_an_answer_are_refused() {
    let right = payments("P1,Acme Ltd,2026-01-05,EUR,107.00,INV-1001,settled");
    let (fixture, manifest) = run(LEFT, &right, PASS, &[]).await;
    let refused = async |side, row| ask(&fixture, &manifest, side, row).await.unwrap_err().to_string();
    assert_eq!(refused(Side::Left, 1).await, "row: left row 1 is matched, with right row 1");
    assert_eq!(refused(Side::Right, 6).await, "row: the right side has rows 0 to 5");
    // Kept rows that have gone, and a run that kept none.
    kalla_engine::drop_staged(&fixture.job.output).await.unwrap();
    assert_eq!(refused(Side::Left, 0).await, "the rows of `l` are no longer kept: run the job again");
    let fixture = Fixture::new(LEFT.as_bytes(), right.as_bytes(), PASS, &[]);
    let (manifest, _) = fixture.run().await.unwrap();
    let error = ask(&fixture, &manifest, Side::Left, 0).await.unwrap_err();
    assert_eq!(error.to_string(), "the rows of `l` were not kept: run the job again with --keep-staged");
}

#[tokio::test]
async fn sql_without_a_join_says_so() {
    let right = payments("P1,Acme Ltd,2026-01-05,EUR,100.00,nothing,settled");
    let sql =
        "SELECT invoice, invoice AS reference FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.reference = l.invoice)";
    let mut fixture = Fixture::new(LEFT.as_bytes(), right.as_bytes(), sql, &[]);
    fixture.job.keep_staged = true;
    fixture.job.left.primary_key = vec!["invoice".to_owned()];
    fixture.job.right.primary_key = vec!["reference".to_owned()];
    let (manifest, _) = fixture.run().await.unwrap();
    let found = ask(&fixture, &manifest, Side::Left, 0).await.unwrap();
    assert!(found.passes.is_empty());
    assert!(found.verdict.starts_with("match_sql has no join of the two sides"), "{}", found.verdict);
    // A lateral subquery is nothing without its row; what is joined beside it is told.
    let sql = "SELECT l.invoice, x.payment FROM l, LATERAL (SELECT payment FROM r WHERE r.reference = l.invoice) x";
    let found = why(LEFT, &right, sql, Side::Left, 0).await;
    assert!(found.verdict.starts_with("match_sql has no join of the two sides"), "{}", found.verdict);
    let sql = "SELECT l.invoice, x.payment FROM l JOIN r ON r.reference = l.invoice, \
               LATERAL (SELECT payment FROM r r2 WHERE r2.reference = l.invoice) x";
    assert_eq!(why(LEFT, &right, sql, Side::Left, 0).await.passes[0].conditions, ["r.reference = l.invoice"]);
}
