//! One row per thing that a reconciliation must get right.

use super::values::{self, Compared};
use super::{Answer, Fixture};

pub struct Case {
    pub name: &'static str,
    pub left: &'static str,
    pub right: &'static str,
    pub sql: &'static str,
    /// `(left rows, right rows)` of every output row.
    pub pairs: &'static [(&'static [i64], &'static [i64])],
    pub left_breaks: &'static [i64],
    pub right_breaks: &'static [i64],
}

const ON_ID: &str = "SELECT l.id, r.ref FROM l JOIN r ON l.id = r.ref";

const CASES: &[Case] = &[
    Case {
        name: "one to one",
        left: "id,amount\na,1.00\nb,2.00\n",
        right: "ref,paid\nb,2.00\nc,3.00\n",
        sql: ON_ID,
        pairs: &[(&[1], &[0])],
        left_breaks: &[0],
        right_breaks: &[1],
    },
    Case {
        name: "a difference of exactly the tolerance",
        left: "id,amount\na,10.00\nb,10.00\nc,10.00\n",
        right: "ref,paid\na,10.02\nb,9.98\nc,10.03\n",
        sql: "SELECT l.id, r.paid FROM l JOIN r ON l.id = r.ref AND tolerance_match(l.amount, r.paid, 0.02)",
        pairs: &[(&[0], &[0]), (&[1], &[1])],
        left_breaks: &[2],
        right_breaks: &[2],
    },
    Case {
        name: "duplicate keys pair with all",
        left: "id\nk\nk\nx\n",
        right: "ref\nk\nk\ny\n",
        sql: ON_ID,
        pairs: &[(&[0], &[0]), (&[0], &[1]), (&[1], &[0]), (&[1], &[1])],
        left_breaks: &[2],
        right_breaks: &[2],
    },
    Case {
        name: "NULL equals nothing, quoted or not",
        left: "id,n\n,1\n\"\",2\na,3\n",
        right: "ref,n\n,1\n\"\",2\na,3\n",
        sql: ON_ID,
        pairs: &[(&[2], &[2])],
        left_breaks: &[0, 1],
        right_breaks: &[0, 1],
    },
    Case {
        name: "composite keys",
        left: "a,b\n1,x\n1,y\n2,x\n",
        right: "a,b\n1,y\n2,y\n",
        sql: "SELECT l.a, l.b FROM l JOIN r ON l.a = r.a AND l.b = r.b",
        pairs: &[(&[1], &[0])],
        left_breaks: &[0, 2],
        right_breaks: &[1],
    },
    Case {
        name: "leading zeros are text and differ",
        left: "id\n007\n07\n",
        right: "ref\n07\n0007\n",
        sql: ON_ID,
        pairs: &[(&[1], &[0])],
        left_breaks: &[0],
        right_breaks: &[1],
    },
    Case {
        name: "one to many by sum",
        left: "id,amount\na,10.00\nb,5.00\n",
        right: "ref,paid\na,4.00\na,6.00\nb,4.00\n",
        sql: "SELECT l.id, sum(r.paid) AS paid FROM l JOIN r ON l.id = r.ref GROUP BY l.id, l.amount HAVING sum(r.paid) = l.amount",
        pairs: &[(&[0], &[0, 1])],
        left_breaks: &[1],
        right_breaks: &[2],
    },
    Case {
        name: "many to one by sum",
        left: "id,amount\na,4.00\na,6.00\nb,1.00\n",
        right: "ref,paid\na,10.00\nb,2.00\n",
        sql: "SELECT r.ref, sum(l.amount) AS amount FROM l JOIN r ON l.id = r.ref GROUP BY r.ref, r.paid HAVING sum(l.amount) = r.paid",
        pairs: &[(&[0, 1], &[0])],
        left_breaks: &[2],
        right_breaks: &[1],
    },
    Case {
        name: "priority passes",
        left: "id,amount\na,1.00\nb,2.00\nc,3.00\n",
        right: "ref,paid\na,1.00\nb,2.01\nc,9.00\n",
        sql: "WITH exact AS (SELECT l.id, r.paid FROM l JOIN r ON l.id = r.ref AND l.amount = r.paid) \
              SELECT id, paid, 1 AS pass FROM exact UNION ALL \
              SELECT l.id, r.paid, 2 AS pass FROM l JOIN r ON l.id = r.ref AND tolerance_match(l.amount, r.paid, 0.05) \
              WHERE NOT EXISTS (SELECT 1 FROM exact e WHERE e.id = l.id)",
        pairs: &[(&[0], &[0]), (&[1], &[1])],
        left_breaks: &[2],
        right_breaks: &[2],
    },
    Case {
        name: "one to one by window",
        left: "id\nk\nk\n",
        right: "ref,n\nk,1\nk,2\n",
        sql: "SELECT id, n FROM (SELECT l.id, r.n, row_number() OVER (PARTITION BY l.id ORDER BY r.n) AS k FROM l JOIN r ON l.id = r.ref) t WHERE k = 1",
        pairs: &[(&[0], &[0])],
        left_breaks: &[1],
        right_breaks: &[1],
    },
    Case {
        name: "the NULL rows of an outer join stay unmatched",
        left: "id\na\nb\n",
        right: "ref\nb\nc\n",
        sql: "SELECT l.id, r.ref FROM l FULL JOIN r ON l.id = r.ref",
        pairs: &[(&[0], &[]), (&[1], &[0]), (&[], &[1])],
        left_breaks: &[0],
        right_breaks: &[1],
    },
    Case {
        name: "empty left side",
        left: "id,amount\n",
        right: "ref\na\n",
        sql: ON_ID,
        pairs: &[],
        left_breaks: &[],
        right_breaks: &[0],
    },
    Case {
        name: "nothing matches",
        left: "id\na\n",
        right: "ref\nb\n",
        sql: ON_ID,
        pairs: &[],
        left_breaks: &[0],
        right_breaks: &[0],
    },
    Case {
        name: "non-ASCII and embedded newlines",
        left: "id,memo\nÜber,\"a\nb\"\n漢字,x\n",
        right: "ref\n漢字\nUber\n",
        sql: ON_ID,
        pairs: &[(&[1], &[0])],
        left_breaks: &[0],
        right_breaks: &[1],
    },
    Case {
        name: "dates within days",
        left: "id,d\na,2026-01-31\nb,2026-01-31\n",
        right: "ref,d\na,2026-02-03\nb,2026-02-04\n",
        sql: "SELECT l.id, r.d FROM l JOIN r ON l.id = r.ref AND date_within(l.d, r.d, 3)",
        pairs: &[(&[0], &[0])],
        left_breaks: &[1],
        right_breaks: &[1],
    },
];

/// Each case gives its pairs of rows and its breaks, all of them with the values that they came with.
pub async fn check(cases: &[Case]) -> Compared {
    let mut compared = Compared::default();
    for case in cases {
        let fixture = Fixture::new(case.left.as_bytes(), case.right.as_bytes(), case.sql, &[]);
        let (manifest, answer) = fixture.run().await.unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let wanted = Answer {
            pairs: case.pairs.iter().map(|(l, r)| (l.to_vec(), r.to_vec())).collect(),
            left: case.left_breaks.to_vec(),
            right: case.right_breaks.to_vec(),
        };
        assert_eq!(answer, wanted, "{}", case.name);
        let more = values::compare(&fixture.job, &manifest);
        compared =
            Compared { unmatched: compared.unmatched + more.unmatched, matched: compared.matched + more.matched };
    }
    compared
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_answers() {
    let compared = check(CASES).await;
    assert!(compared.unmatched > 20 && compared.matched > 20, "{compared:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extras_are_joined_and_not_counted() {
    let sql =
        "SELECT l.id, r.ref FROM l JOIN fx ON l.cur = fx.cur JOIN r ON l.id = r.ref AND l.amount * fx.rate = r.paid";
    let left = b"id,amount,cur\na,10.00,EUR\nb,10.00,USD\n";
    let right = b"ref,paid\na,11.000\nb,10.000\n";
    let fixture = Fixture::new(left, right, sql, &[("fx", "cur,rate\nEUR,1.1\nUSD,1.2\n")]);
    let (manifest, answer) = fixture.run().await.unwrap();
    assert_eq!((answer.left, answer.right), (vec![1], vec![1]));
    assert_eq!(manifest.extras.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exists_falls_back_to_the_primary_keys() {
    let sql = "SELECT l.id, l.id AS ref FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.id)";
    let mut fixture = Fixture::new(b"id,n\na,1\nb,2\n,3\n", b"ref,n\nb,1\nc,2\n", sql, &[]);
    let error = fixture.refused().await.to_string();
    assert!(error.contains("EXISTS") && error.contains("primary key"), "{error}");
    fixture.job.right.primary_key = vec!["ref".to_owned()];
    let (_, answer) = fixture.run().await.unwrap();
    assert_eq!((answer.left, answer.right), (vec![0, 2], vec![1]));
}
