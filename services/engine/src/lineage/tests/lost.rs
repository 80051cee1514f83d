//! Statements whose rows do not say where they come from, and the sentence that says what to change.

use super::*;

/// A statement, the side that is lost and what the sentence names.
struct Case(&'static str, Side, &'static str);

const CASES: &[Case] = &[
    Case("SELECT id FROM invoices", Side::Right, "never reads `payments`"),
    Case("SELECT pid FROM right_src", Side::Left, "never reads `invoices`"),
    Case("SELECT rate FROM fx", Side::Left, "never reads `invoices`"),
    Case(
        "SELECT id FROM invoices i WHERE EXISTS (SELECT 1 FROM payments p WHERE p.k = i.k)",
        Side::Right,
        "only through EXISTS: use a JOIN",
    ),
    Case(
        "SELECT pid FROM payments p WHERE EXISTS (SELECT 1 FROM invoices i WHERE p.k = i.k)",
        Side::Left,
        "only through EXISTS",
    ),
    Case("SELECT id FROM invoices WHERE k IN (SELECT k FROM payments)", Side::Right, "only through IN"),
    Case("SELECT id FROM invoices WHERE k = ANY (SELECT k FROM payments)", Side::Right, "only through ANY"),
    Case("SELECT id FROM invoices WHERE id > 3 OR k IN (SELECT k FROM payments)", Side::Right, "only through IN"),
    Case(
        "SELECT id FROM invoices WHERE NOT (NOT EXISTS (SELECT 1 FROM payments p WHERE p.k = invoices.k))",
        Side::Right,
        "only through EXISTS",
    ),
    Case(
        "SELECT id, (SELECT max(amt) FROM payments p WHERE p.k = i.k) FROM invoices i",
        Side::Right,
        "only through a scalar subquery",
    ),
    Case(
        "SELECT id FROM invoices WHERE amt > (SELECT max(amt) FROM payments)",
        Side::Right,
        "only through a scalar subquery",
    ),
    Case(
        "SELECT k FROM invoices GROUP BY k HAVING sum(amt) = (SELECT max(amt) FROM payments)",
        Side::Right,
        "only through a scalar subquery",
    ),
    Case(
        "SELECT id FROM invoices i WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM payments p WHERE p.k = i.k) THEN false ELSE true END",
        Side::Right,
        "only through EXISTS",
    ),
    Case(
        "SELECT i.id FROM invoices i LEFT SEMI JOIN payments p ON i.k = p.k",
        Side::Right,
        "only through INTERSECT or a semi join",
    ),
    Case("SELECT k FROM invoices INTERSECT SELECT k FROM payments", Side::Right, "only through INTERSECT"),
    Case("SELECT k FROM invoices EXCEPT SELECT k FROM payments", Side::Right, "only to refuse rows with EXCEPT"),
    Case(
        "SELECT id FROM invoices WHERE k NOT IN (SELECT k FROM payments WHERE k IS NOT NULL)",
        Side::Right,
        "only to refuse rows with NOT IN",
    ),
    Case(
        "SELECT id FROM invoices i WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.k = i.k)",
        Side::Right,
        "only to refuse rows with NOT EXISTS",
    ),
    // Division: invoices of which no sibling is without a payment.
    Case(
        "SELECT id FROM invoices i WHERE NOT EXISTS (SELECT 1 FROM invoices j WHERE j.grp = i.grp AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.k = j.k))",
        Side::Right,
        "only through NOT EXISTS",
    ),
    // A branch that pairs and one that does not: the rows of the second would silently count as unmatched.
    Case(
        "SELECT i.id FROM invoices i JOIN payments p ON i.k = p.k UNION ALL SELECT id FROM invoices i WHERE EXISTS (SELECT 1 FROM payments p WHERE p.amt = i.amt)",
        Side::Right,
        "a branch of match_sql reaches rows of `payments` only through EXISTS: use a JOIN in every branch",
    ),
    Case(
        "SELECT DISTINCT id FROM (SELECT i.id FROM invoices i JOIN payments p ON i.k = p.k UNION SELECT id FROM invoices WHERE amt IN (SELECT amt FROM payments)) u",
        Side::Right,
        "a branch of match_sql",
    ),
    Case(
        "WITH RECURSIVE t AS (SELECT pid AS x FROM payments UNION ALL SELECT x + 1 FROM t WHERE x < 3) SELECT i.id FROM invoices i JOIN t ON t.x = i.id",
        Side::Right,
        "only through a recursive CTE",
    ),
    Case(
        "SELECT i.id, t.s FROM invoices i CROSS JOIN (SELECT sum(amt) s FROM payments) t",
        Side::Right,
        "only through a total beside every row",
    ),
];

#[tokio::test]
async fn lost_sides_are_told() {
    let world = World::small();
    for Case(sql, side, part) in CASES {
        let plan = world.plan(sql).await;
        let traced = trace(&plan, &world.tables).unwrap_or_else(|e| panic!("{sql}\n{e}"));
        let Trace::Lost(reason) = traced.trace(*side) else { panic!("{sql}\n{:?}", traced.trace(*side)) };
        assert!(reason.contains(part), "{sql}\n{reason}");
    }
}

/// A lost side does not change the rows, and nothing is marked on either side.
#[tokio::test]
async fn lost_sides_mark_nothing() {
    let world = World::small();
    let sqls = [
        "SELECT id FROM invoices i WHERE EXISTS (SELECT 1 FROM payments p WHERE p.k = i.k)",
        "SELECT k FROM invoices INTERSECT SELECT k FROM payments",
        "SELECT k FROM invoices EXCEPT SELECT k FROM payments",
        "WITH RECURSIVE t AS (SELECT pid AS x FROM payments UNION ALL SELECT x + 1 FROM t WHERE x < 14) SELECT i.id FROM invoices i JOIN t ON t.x = i.id + 10",
        "SELECT i.id, t.s FROM invoices i CROSS JOIN (SELECT sum(amt) s FROM payments) t",
    ];
    for sql in sqls {
        let outcome = world.run(sql, false).await;
        assert!(matches!(outcome.traced.left, Trace::Rows(_)), "{sql}");
        assert!(!outcome.pairs.is_empty() && outcome.pairs.iter().all(|(l, r)| !l.is_empty() && r.is_empty()), "{sql}");
        assert_eq!((outcome.marks.count(Side::Left), outcome.marks.count(Side::Right)), (0, 0), "{sql}");
    }
}

#[tokio::test]
async fn reserved_names_are_refused() {
    let world = World::small();
    for sql in [
        "SELECT id AS __kalla_left_0 FROM invoices",
        "SELECT id FROM (SELECT id, 1 AS __kalla_row FROM invoices) t",
        "SELECT id FROM invoices WHERE id IN (SELECT __kalla_x FROM (SELECT 1 AS __kalla_x) t)",
    ] {
        let error = trace(&world.plan(sql).await, &world.tables).unwrap_err().to_string();
        assert!(error.contains("reserved") && error.contains("__kalla_"), "{error}");
    }
}
