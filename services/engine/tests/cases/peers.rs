//! Cases that others state for their own products, rewritten from what they say: rules of ledgers (Lerian's matcher, OCA's
//! reconciliation models), and the shapes of SQL that the agents and scenarios of the reference write.

use super::matching::{Case, check};

/// One transaction, and eight that may be its counterpart.
const LAG: [&str; 2] = [
    "id,day,amount,currency\n1,2026-01-10,100.00,EUR\n",
    "id,day,amount,currency\n1,2026-01-11,99.70,EUR\n2,2026-01-07,99.70,EUR\n3,2026-01-10,99.70,EUR\n4,2026-01-14,99.70,EUR\n\
     5,2026-01-12,99.70,USD\n6,2026-01-12,100.00,EUR\n7,2026-01-12,99.69,EUR\n8,2026-01-12,99.70,\n",
];

const AMOUNTS: [&str; 2] = ["id,amount\n1,1000.00\n", "id,amount\n1,1010.00\n2,1010.05\n3,1010.11\n"];

const INVOICES: &str = "id,ref,day,amount\n1,A,2026-01-01,100.00\n2,A,2026-01-02,200.00\n3,A,2026-01-03,300.00\n";

const CASES: &[Case] = &[
    Case {
        name: "one to three days apart, a fee of 0.30, one currency",
        left: LAG[0],
        right: LAG[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON l.currency = r.currency AND abs(r.day - l.day) BETWEEN 1 AND 3 \
              AND l.amount - r.amount = 0.30",
        pairs: &[(&[0], &[0]), (&[0], &[1])],
        left_breaks: &[],
        right_breaks: &[2, 3, 4, 5, 6, 7],
    },
    Case {
        name: "the counterpart comes after",
        left: LAG[0],
        right: LAG[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON l.currency = r.currency AND r.day - l.day BETWEEN 1 AND 3 \
              AND l.amount - r.amount = 0.30",
        pairs: &[(&[0], &[0])],
        left_breaks: &[],
        right_breaks: &[1, 2, 3, 4, 5, 6, 7],
    },
    Case {
        name: "a bound that is not reached itself",
        left: LAG[0],
        right: LAG[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON l.currency = r.currency AND r.day > l.day AND r.day < l.day + INTERVAL '1 day' \
              AND l.amount - r.amount = 0.30",
        pairs: &[],
        left_breaks: &[0],
        right_breaks: &[0, 1, 2, 3, 4, 5, 6, 7],
    },
    Case {
        name: "the larger of 5.00 and 1 % of the larger amount",
        left: AMOUNTS[0],
        right: AMOUNTS[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON abs(l.amount - r.amount) <= greatest(5.00, 0.01 * greatest(l.amount, r.amount))",
        pairs: &[(&[0], &[0]), (&[0], &[1])],
        left_breaks: &[],
        right_breaks: &[2],
    },
    Case {
        name: "the larger of 5.00 and 1 % of the smaller amount",
        left: AMOUNTS[0],
        right: AMOUNTS[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON abs(l.amount - r.amount) <= greatest(5.00, 0.01 * least(l.amount, r.amount))",
        pairs: &[(&[0], &[0])],
        left_breaks: &[],
        right_breaks: &[1, 2],
    },
    Case {
        name: "the larger of 5.00 and 1 % of the average",
        left: AMOUNTS[0],
        right: AMOUNTS[1],
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON abs(l.amount - r.amount) <= greatest(5.00, 0.01 * (l.amount + r.amount) / 2)",
        pairs: &[(&[0], &[0]), (&[0], &[1])],
        left_breaks: &[],
        right_breaks: &[2],
    },
    Case {
        name: "invoices of one reference that a payment pays: exactly, one off, 2 % off",
        left: "id,ref,amount\n1,A,100.00\n2,B,40.00\n3,B,61.00\n4,C,50.00\n5,C,50.00\n6,C,2.00\n7,D,90.00\n",
        right: "id,ref,paid,allowed\n1,A,100.00,0\n2,B,100.00,1\n3,C,100.00,2\n4,D,100.00,2\n",
        sql: "SELECT r.id, sum(l.amount) AS amount FROM r JOIN l ON l.ref = r.ref GROUP BY r.id, r.paid, r.allowed \
              HAVING abs(sum(l.amount) - r.paid) <= r.allowed",
        pairs: &[(&[0], &[0]), (&[1, 2], &[1]), (&[3, 4, 5], &[2])],
        left_breaks: &[6],
        right_breaks: &[3],
    },
    Case {
        name: "two that sum up without a reference: every solution counts",
        left: "id,amount\n1,40.00\n2,60.00\n3,70.00\n4,30.00\n5,1.00\n",
        right: "id,paid\n1,100.00\n",
        sql: "SELECT a.id, b.id AS other, r.id AS rid FROM l a JOIN l b ON a.id < b.id JOIN r ON a.amount + b.amount = r.paid",
        pairs: &[(&[0, 1], &[0]), (&[2, 3], &[0])],
        left_breaks: &[4],
        right_breaks: &[],
    },
    Case {
        name: "a payment that drains invoices in their order",
        left: INVOICES,
        right: "id,ref,paid\n1,A,250.00\n",
        sql: "SELECT l.id, least(l.amount, r.paid - l.before) AS part FROM \
              (SELECT *, sum(amount) OVER (PARTITION BY ref ORDER BY day) - amount AS before FROM l) l JOIN r ON l.ref = r.ref AND l.before < r.paid",
        pairs: &[(&[0], &[0]), (&[1], &[0])],
        left_breaks: &[2],
        right_breaks: &[],
    },
    Case {
        name: "the exact amount goes before the order",
        left: INVOICES,
        right: "id,ref,paid\n1,A,300.00\n",
        sql: "WITH exact AS (SELECT l.id, r.id AS rid FROM l JOIN r ON l.ref = r.ref AND l.amount = r.paid) \
              SELECT * FROM exact UNION ALL SELECT l.id, r.id FROM \
              (SELECT *, sum(amount) OVER (PARTITION BY ref ORDER BY day) - amount AS before FROM l) l JOIN r ON l.ref = r.ref \
              AND l.before < r.paid WHERE NOT EXISTS (SELECT 1 FROM exact WHERE exact.rid = r.id)",
        pairs: &[(&[2], &[0])],
        left_breaks: &[0, 1],
        right_breaks: &[],
    },
    Case {
        name: "underpaid by at most 1 %, overpaid by anything",
        left: "id,ref,amount\n1,A,1000.00\n2,B,1000.00\n3,C,1000.00\n4,D,1000.00\n",
        right: "id,ref,paid\n1,A,1000.00\n2,B,990.00\n3,C,1010.00\n4,D,989.99\n",
        sql: "SELECT l.id, l.amount - r.paid AS written_off FROM l JOIN r ON l.ref = r.ref AND r.paid >= l.amount * 0.99",
        pairs: &[(&[0], &[0]), (&[1], &[1]), (&[2], &[2])],
        left_breaks: &[3],
        right_breaks: &[3],
    },
    Case {
        name: "the newest of two payments",
        left: "id,amount\n1,50.00\n",
        right: "id,paid,day\n1,50.00,2026-01-01\n2,50.00,2026-01-05\n",
        sql: "SELECT DISTINCT ON (l.id) l.id, r.id AS rid FROM l JOIN r ON l.amount = r.paid ORDER BY l.id, r.day DESC",
        pairs: &[(&[0], &[1])],
        left_breaks: &[],
        right_breaks: &[0],
    },
    Case {
        name: "two halves under one memo, and not a third",
        left: "id,amount\n1,1000.00\n",
        right: "id,memo,paid\n1,X,500.00\n2,X,500.00\n3,Y,500.00\n",
        sql: "SELECT l.id, r.memo FROM l JOIN (SELECT memo, sum(paid) AS paid FROM r GROUP BY memo) r ON l.amount = r.paid",
        pairs: &[(&[0], &[0, 1])],
        left_breaks: &[],
        right_breaks: &[2],
    },
    Case {
        name: "three invoices and two payments of one amount: each with each",
        left: "id,amount\n1,50\n2,50\n3,50\n",
        right: "id,paid\n1,50\n2,50\n",
        sql: "SELECT l.id, r.id AS rid FROM l JOIN r ON l.amount = r.paid",
        pairs: &[(&[0], &[0]), (&[0], &[1]), (&[1], &[0]), (&[1], &[1]), (&[2], &[0]), (&[2], &[1])],
        left_breaks: &[],
        right_breaks: &[],
    },
    Case {
        name: "three invoices and two payments of one amount: in their order",
        left: "id,amount\n1,50\n2,50\n3,50\n",
        right: "id,paid\n1,50\n2,50\n",
        sql: "SELECT l.id, r.id AS rid FROM (SELECT *, row_number() OVER (PARTITION BY amount ORDER BY id) AS n FROM l) l \
              JOIN (SELECT *, row_number() OVER (PARTITION BY paid ORDER BY id) AS n FROM r) r ON l.amount = r.paid AND l.n = r.n",
        pairs: &[(&[0], &[0]), (&[1], &[1])],
        left_breaks: &[2],
        right_breaks: &[],
    },
    // The reference: doubles make 185.47 and 185.45 further apart than 0.02; they are not.
    Case {
        name: "two cents are two cents",
        left: "id,amount\nA,185.47\nB,100.00\nC,99.99\n",
        right: "ref,paid\nA,185.45\nB,100.01\nC,100.02\n",
        sql: "SELECT l.id, l.amount, r.paid FROM l JOIN r ON l.id = r.ref AND tolerance_match(l.amount, r.paid, 0.02)",
        pairs: &[(&[0], &[0]), (&[1], &[1])],
        left_breaks: &[2],
        right_breaks: &[2],
    },
    Case {
        name: "two percent by hand",
        left: "id,amount\nA,100.00\nB,100.00\nC,0.00\n",
        right: "ref,paid\nA,101.90\nB,103.00\nC,0.00\n",
        sql: "SELECT l.*, r.* FROM l JOIN r ON l.id = r.ref AND ABS(l.amount - r.paid) / NULLIF(r.paid, 0) < 0.02",
        pairs: &[(&[0], &[0])],
        left_breaks: &[1, 2],
        right_breaks: &[1, 2],
    },
    Case {
        name: "rows that an outer join lists without a partner are no matches",
        left: "id\nA\nB\n",
        right: "ref\nA\nC\n",
        sql: "SELECT l.id, r.ref FROM l LEFT JOIN r ON l.id = r.ref",
        pairs: &[(&[0], &[0]), (&[1], &[])],
        left_breaks: &[1],
        right_breaks: &[1],
    },
    Case {
        name: "case, a date within days, a prefix, an edit or two",
        left: "id,name,day\nA,Acme,2026-01-10\nB,Contoso,2026-01-10\nC,Larsen,2026-01-10\n",
        right: "ref,payee,day\na,ACME LTD,2026-01-12\nb,Contosso,2026-01-14\nc,Larson,2026-01-09\n",
        sql: "SELECT l.id, r.ref FROM l CROSS JOIN r WHERE LOWER(l.id) = LOWER(r.ref) \
              AND r.day BETWEEN l.day - INTERVAL '3 days' AND l.day + INTERVAL '3 days' \
              AND (LOWER(r.payee) LIKE LOWER(l.name) || '%' OR levenshtein(l.name, r.payee) <= 2)",
        pairs: &[(&[0], &[0]), (&[2], &[2])],
        left_breaks: &[1],
        right_breaks: &[1],
    },
    Case {
        name: "payments of an invoice, by their sum",
        left: "id,amount\nA,100.00\nB,70.00\n",
        right: "id,ref,paid\n1,A,60.00\n2,A,40.00\n3,B,10.00\n",
        sql: "SELECT l.id, l.amount, SUM(r.paid) AS total FROM l JOIN r ON l.id = r.ref GROUP BY l.id, l.amount HAVING SUM(r.paid) = l.amount",
        pairs: &[(&[0], &[0, 1])],
        left_breaks: &[1],
        right_breaks: &[2],
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_of_others_give_what_they_state() {
    check(CASES).await;
}
