//! Forms of SQL that people write and no grammar makes up, each of which both answer.

use crate::expression::Kind;
use crate::expression::Kind::{Date, Decimal, Flag, Integer, Moment, Text};

/// Over the rows of `l` and `r` with one id.
pub const VALUES: &[(Kind, &str)] = &[
    // Spans of time.
    (Flag, "l.s - r.s < INTERVAL '1 day'"),
    (Flag, "l.s - r.s > INTERVAL '30 days'"),
    (Flag, "l.s - r.s BETWEEN INTERVAL '-2 hours' AND INTERVAL '2 hours'"),
    (Flag, "l.s - r.s IS DISTINCT FROM INTERVAL '0 days'"),
    (Flag, "INTERVAL '1 month' = INTERVAL '30 days'"),
    (Flag, "INTERVAL '1 day' < INTERVAL '25 hours'"),
    (Integer, "CAST(extract(hour FROM l.s - r.s) AS BIGINT)"),
    (Decimal, "extract(second FROM l.s - r.s)"),
    (Flag, "extract(epoch FROM l.s - r.s) <= 43200.5"),
    (Flag, "extract(epoch FROM INTERVAL '1 year') = 31557600"),
    (Decimal, "extract(second FROM l.s)"),
    (Decimal, "extract(milliseconds FROM l.s)"),
    (Integer, "CAST(extract(isodow FROM l.d) AS BIGINT)"),
    (Moment, "l.d + INTERVAL '12 hours'"),
    (Moment, "l.d - INTERVAL '1 hour'"),
    (Moment, "l.s + INTERVAL '1 month'"),
    (Date, "l.d + 1"),
    (Date, "l.d - CAST(l.i AS INTEGER) % 100"),
    (Date, "1000000 + l.d"),
    (Integer, "CASE l.s - r.s WHEN INTERVAL '0 days' THEN 1 WHEN INTERVAL '24 hours' THEN 2 ELSE 3 END"),
    (Integer, "CASE INTERVAL '1 month' WHEN NULL THEN 1 WHEN INTERVAL '30 days' THEN 2 END"),
    (Flag, "l.d + INTERVAL '1 month' > r.s"),
    // Text of what is none.
    (Text, "l.t || l.s"),
    (Text, "l.t || l.a"),
    (Text, "l.t || l.x"),
    (Text, "concat(l.t, l.s, l.x, NULL)"),
    (Text, "concat_ws('-', l.t, NULL, l.i, l.s)"),
    (Text, "CAST(l.x AS VARCHAR)"),
    (Text, "CAST(CAST(l.s AS TIME) AS VARCHAR)"),
    // Decimals and floats.
    (Flag, "l.a = r.x"),
    (Flag, "r.x IN (l.a, l.b)"),
    (Flag, "l.x IS DISTINCT FROM r.b"),
    // Decimals with fewer digits are compared as they are then.
    (Flag, "CAST(r.b AS DECIMAL(38,1)) <= 0"),
    (Flag, "CAST(r.b AS DECIMAL(18,1)) = 3.3"),
    (Flag, "CAST(r.b AS DECIMAL(18,2)) IN (0.01, 3.33, 1.00)"),
    (Flag, "CAST(r.b AS DECIMAL(18,3)) BETWEEN l.a AND 3.333"),
    // Floats as decimals.
    (Decimal, "CAST(l.x AS DECIMAL(30,2))"),
    (Decimal, "CAST(l.x AS DECIMAL(38,10))"),
    (Flag, "l.x > 0.05"),
    (Flag, "l.x + 0.2 = 0.3"),
    (Flag, "coalesce(l.x, 0.5) > r.a"),
    (Flag, "greatest(l.x, 0.5) < r.b"),
    (Flag, "CASE WHEN l.f THEN l.x ELSE l.a END > 1"),
    (Flag, "nullif(l.x, 0.0) IS NULL"),
    // Texts.
    (Text, "regexp_replace(l.t, '(a)', '$1')"),
    (Text, "regexp_replace(l.t, '(a)', '<\\&>')"),
    (Text, "regexp_replace(l.t, '(a)', r.u)"),
    (Text, "lpad(l.t, 5, 'xy')"),
    (Text, "lpad(l.t, -2)"),
    (Text, "left(l.t, -1)"),
    (Text, "substr(l.t, -1, 3)"),
    (Text, "split_part(l.t, 'b', -1)"),
    (Text, "initcap(l.t)"),
    (Text, "overlay(l.t PLACING 'ZZ' FROM 2 FOR 1)"),
    (Flag, "l.t LIKE 'A!_c!%' ESCAPE '!'"),
    (Flag, "l.t NOT LIKE '%z%%' ESCAPE 'z'"),
    (Flag, "l.t ILIKE 'a%'"),
    (Flag, "l.t ~ '^[a-z]+$'"),
    (Flag, "l.i = ANY(ARRAY[1, 2])"),
    // Numbers.
    (Decimal, "round(l.b, 2)"),
    (Integer, "CAST(l.b AS BIGINT)"),
    (Integer, "l.i & 3 | l.k"),
    (Integer, "gcd(l.i, l.k)"),
];

/// Whole statements, and what their columns are.
pub const STATEMENTS: &[(&[Kind], &str)] = &[
    (&[Integer, Integer], "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.a = r.x OR l.x = r.a"),
    (&[Integer, Integer], "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.b = r.x"),
    (
        &[Integer, Decimal],
        "SELECT l.k, sum(DISTINCT r.a) AS s FROM left_src l JOIN right_src r ON l.k = r.k GROUP BY l.k",
    ),
    (
        &[Integer, Decimal],
        "SELECT l.k, sum(DISTINCT r.big) AS s FROM left_src l JOIN right_src r ON l.k = r.k GROUP BY l.k",
    ),
    (
        &[Integer, Decimal],
        "SELECT l.k, round(avg(DISTINCT r.b), 9) AS s FROM left_src l JOIN right_src r ON l.k = r.k GROUP BY l.k",
    ),
    (
        &[Integer, Decimal, Integer],
        "SELECT l.k, sum(DISTINCT r.i) AS s, count(*) AS n FROM left_src l JOIN right_src r ON l.k = r.k GROUP BY l.k",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id UNION SELECT l.id, r.id FROM left_src l JOIN right_src r ON l.k = r.k",
    ),
    (
        &[Integer, Integer],
        "SELECT * FROM (SELECT l.k, r.id FROM left_src l RIGHT JOIN right_src r ON l.id = r.id + 1 UNION ALL SELECT k, NULL FROM left_src \
         UNION ALL SELECT k, NULL FROM right_src) w WHERE k IS NOT NULL",
    ),
    (
        &[Integer, Decimal],
        "SELECT * FROM (SELECT l.k, r.i FROM left_src l LEFT JOIN right_src r ON l.id = r.id + 1 UNION ALL SELECT k, i FROM right_src \
         UNION ALL SELECT k, a FROM left_src) w WHERE k < 3",
    ),
    (
        &[Integer, Decimal],
        "SELECT l.i, r.a FROM left_src l JOIN right_src r ON l.id = r.id UNION ALL SELECT l.i, r.i FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id ORDER BY l.id FETCH FIRST 3 ROWS ONLY",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id ORDER BY l.id OFFSET 2 ROWS FETCH NEXT ROW ONLY",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id WHERE (SELECT count(*) FROM right_src x WHERE x.k = l.k AND x.f) = 0",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, (SELECT count(*) + 1 FROM right_src x WHERE x.k = l.k AND x.f) AS n FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Text],
        "SELECT l.id, (SELECT CASE WHEN count(*) = 0 THEN 'none' ELSE 'some' END FROM right_src x WHERE x.k = l.k AND x.f) AS n FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, x.id AS rid FROM left_src l JOIN right_src x ON TRUE WHERE x.id = (SELECT max(y.id) FROM right_src y WHERE y.k = l.k)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k LEFT JOIN right_src x ON x.k = l.k AND x.id < r.id WHERE x.id IS NULL",
    ),
    // Subqueries that refer to the query around them.
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k WHERE EXISTS (SELECT 1 FROM right_src x JOIN left_src y ON x.k = y.k WHERE y.id = l.id AND x.id = r.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k WHERE NOT EXISTS (SELECT 1 FROM right_src x JOIN left_src y ON x.k = y.k WHERE y.id > l.id AND x.id < r.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id AND EXISTS (SELECT 1 FROM right_src x WHERE x.k = l.k AND x.id > r.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k AND NOT EXISTS (SELECT 1 FROM left_src x WHERE x.k = r.k AND x.id > l.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k AND r.d = (SELECT max(x.d) FROM right_src x WHERE x.k = l.k)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k WHERE l.id IN (SELECT y.id FROM right_src x JOIN left_src y ON x.k = y.k WHERE x.id > l.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.id = r.id WHERE l.id IN (SELECT x.i AS id FROM right_src x WHERE x.id > l.id)",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, r.id AS rid FROM left_src l JOIN right_src r ON l.k = r.k WHERE (SELECT count(*) FROM right_src x JOIN left_src y ON x.k = y.k WHERE x.t = r.t AND y.t = l.t) = 1",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, (SELECT count(*) AS k FROM right_src x WHERE x.k = l.k) AS n FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, q.k FROM left_src l JOIN right_src r ON l.id = r.id JOIN LATERAL (SELECT x.i AS k FROM right_src x WHERE x.k = l.k) q ON TRUE",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, q.c FROM left_src l JOIN right_src r ON r.id = l.id LEFT JOIN LATERAL (SELECT count(*) AS c FROM right_src x JOIN left_src y ON x.k = y.k WHERE x.id = l.id AND y.id = l.id) q ON TRUE",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, q.xid FROM left_src l JOIN right_src r ON l.id = r.id JOIN LATERAL (SELECT x.id AS xid FROM right_src x JOIN left_src y ON x.k = y.k WHERE x.t = l.t AND y.t = r.t) q ON TRUE",
    ),
    (
        &[Integer, Decimal],
        "WITH a AS (SELECT k, sum(a) AS s FROM left_src GROUP BY k), b AS (SELECT k, sum(a) AS s FROM right_src GROUP BY k) SELECT a.k, a.s - b.s AS e FROM a JOIN b ON a.k = b.k",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, lag(l.i, 1, 0) OVER (ORDER BY l.id) AS before FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, rank() OVER (ORDER BY l.s - r.s NULLS LAST) AS place FROM left_src l JOIN right_src r ON l.id = r.id",
    ),
    (
        &[Integer, Integer],
        "SELECT l.id, q.n FROM left_src l LEFT JOIN LATERAL (SELECT count(*) AS n FROM right_src r WHERE r.k = l.k AND r.f) q ON TRUE",
    ),
    (
        &[Integer, Moment],
        "SELECT q.id, q.until + INTERVAL '1 hour' AS until FROM (SELECT l.id, l.d + INTERVAL '36 hours' AS until FROM left_src l JOIN right_src r ON l.id = r.id) q",
    ),
    (
        &[Decimal, Integer],
        "SELECT q.sec, count(*) AS n FROM (SELECT extract(second FROM l.s) AS sec FROM left_src l JOIN right_src r ON l.id = r.id) q GROUP BY q.sec",
    ),
];
