//! SQL means what it says: as in Postgres where the two could differ, or refused with a way out, which is tried here too.

use kalla_engine::Error;
use kalla_engine::job::FileFormat;

use super::Fixture;

const LEFT: &str = "id,paid,ref,amount,n\n1,true,A,10.00,1\n2,false,,20.00,2\n3,true,C,30.00,3\n4,,D,,4\n";
const RIGHT: &str = "id,paid,ref,amount,n\n1,true,A,10.00,1\n2,false,,20.00,9\n3,false,C,31.00,3\n5,,D,,4\n";

/// A condition between the two, and the pairs of rows for which it is true.
const CONDITIONS: &[(&str, &[(i64, i64)])] = &[
    // What stands after IS DISTINCT FROM ends at AND and OR.
    ("l.paid IS NOT DISTINCT FROM r.paid AND l.id = r.id", &[(0, 0), (1, 1)]),
    ("l.id = r.id AND l.paid IS NOT DISTINCT FROM r.paid", &[(0, 0), (1, 1)]),
    ("l.ref IS NOT DISTINCT FROM r.ref AND l.id = r.id AND l.n = r.n", &[(0, 0), (2, 2)]),
    ("l.id = r.id AND l.paid IS DISTINCT FROM r.paid OR l.id = 1 AND r.id = 5", &[(0, 3), (2, 2)]),
    ("l.id = r.id AND NOT l.paid IS DISTINCT FROM r.paid AND l.n = r.n", &[(0, 0)]),
    ("l.id = r.id AND l.paid IS NOT DISTINCT FROM (r.paid OR r.id = 3)", &[(0, 0), (1, 1), (2, 2)]),
    ("l.id = r.id AND l.n IS NOT DISTINCT FROM r.n + 0", &[(0, 0), (2, 2)]),
    ("l.id = r.id AND l.n + 7 IS NOT DISTINCT FROM r.n", &[(1, 1)]),
    ("l.id = r.id AND l.amount = r.amount IS NOT DISTINCT FROM l.n = r.n", &[(0, 0)]),
    // LIKE, BETWEEN and IN bind closer than comparisons.
    ("l.id = r.id AND l.paid = r.ref LIKE 'A%'", &[(0, 0)]),
    ("l.id = r.id AND l.paid = r.n BETWEEN 1 AND 3", &[(0, 0), (1, 1), (2, 2)]),
    ("l.id = r.id AND l.paid = r.n IN (1, 3)", &[(0, 0), (1, 1), (2, 2)]),
    ("l.id = r.id AND NOT l.n = r.n", &[(1, 1)]),
    ("l.id = r.id AND l.ref || 'x' = r.ref || 'x'", &[(0, 0), (2, 2)]),
    ("l.id = r.id AND l.n * 2 + 1 = r.n + 1 + r.n", &[(0, 0), (2, 2)]),
    ("l.id = r.id AND - l.n + 2 * l.n = r.n", &[(0, 0), (2, 2)]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_bind_as_in_postgres() {
    for (condition, pairs) in CONDITIONS {
        let sql = format!("SELECT l.id, r.id AS rid FROM l JOIN r ON {condition}");
        let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), &sql, &[]);
        let (_, answer) = fixture.run().await.unwrap_or_else(|e| panic!("{condition}: {e}"));
        let found: Vec<_> = answer.pairs.into_iter().map(|(l, r)| (l[0], r[0])).collect();
        assert_eq!(found, *pairs, "{condition}");
    }
}

/// What is refused, words of the refusal, and what it advises, which runs.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "SELECT l.id FROM l WHERE l.ref NOT IN (SELECT r.ref FROM r WHERE r.id = l.id)",
        "NOT] EXISTS",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id WHERE NOT EXISTS (SELECT 1 FROM r x WHERE x.ref = l.ref AND x.n = l.n)",
    ),
    (
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id WHERE NOT (l.ref IN (SELECT x.ref FROM r x)) OR l.n = 1",
        "NOT] EXISTS",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id WHERE NOT EXISTS (SELECT 1 FROM r x WHERE x.ref = l.ref) OR l.n = 1",
    ),
    (
        "SELECT l.id, r.id AS rid FROM l JOIN r ON (l.id, l.ref) = (r.id, r.ref)",
        "l.id = r.id AND l.ref = r.ref",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id AND l.ref = r.ref",
    ),
    (
        "SELECT l.id, r.id AS rid FROM l JOIN r ON [l.id, l.n] = [r.id, r.n]",
        "l.id = r.id AND l.n = r.n",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id AND l.n = r.n",
    ),
    (
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id AND l.n ^ 2 = r.n",
        "power(a, b)",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id AND CAST(round(power(l.n, 2)) AS BIGINT) = r.n",
    ),
    (
        "SELECT l.id, x.id AS rid FROM l, LATERAL (SELECT r.id FROM r WHERE r.id = l.id ORDER BY r.n LIMIT 1) x",
        "row_number()",
        "WITH x AS (SELECT r.id, row_number() OVER (PARTITION BY r.ref ORDER BY r.n) AS place FROM r) \
         SELECT l.id, x.id AS rid FROM l JOIN x ON l.id = x.id AND x.place = 1",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE (l.ref IN (SELECT x.ref FROM r x)) IS NOT TRUE",
        "NOT] EXISTS",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE l.ref IN (SELECT x.ref FROM r x) OR l.n = 2",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE l.n <> ALL (SELECT x.n FROM r x)",
        "[NOT] EXISTS",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE NOT EXISTS (SELECT 1 FROM r x WHERE x.n = l.n AND x.id > 3)",
    ),
    (
        "SELECT id FROM (l FULL JOIN r USING (id)) JOIN r x ON x.id = l.id",
        "COALESCE",
        "SELECT COALESCE(l.id, r.id) AS id FROM l FULL JOIN r ON l.id = r.id",
    ),
    ("SELECT * FROM l FULL JOIN r USING (id)", "name the columns", "SELECT id FROM l FULL JOIN r USING (id)"),
    ("SELECT id FROM l NATURAL FULL JOIN r", "FULL JOIN … USING", "SELECT id FROM l FULL JOIN r USING (id, ref)"),
    (
        "SELECT id FROM l WHERE ref = 'A' INTERSECT ALL SELECT id FROM r",
        "without ALL",
        "SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_refused_and_the_advice_runs() {
    for (sql, words, advised) in REFUSED {
        let error = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]).run().await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains(words), "{sql}: {error}");
        let (manifest, _) = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), advised, &[])
            .run()
            .await
            .unwrap_or_else(|e| panic!("{advised}: {e}"));
        assert!(manifest.counts.matched_left_count > 0, "{advised}");
    }
}

/// The key of a row that only the right side has is the right one, and listed rows are no matches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outer_joins_list_rows_that_are_no_matches() {
    for (sql, ids, matches) in [
        ("SELECT id, l.amount AS la, r.amount AS ra FROM l FULL JOIN r USING (id)", vec!["1", "2", "3", "4", "5"], 3),
        ("SELECT id FROM l RIGHT JOIN r USING (id)", vec!["1", "2", "3", "5"], 3),
        (
            "SELECT id FROM l RIGHT JOIN r USING (id) UNION ALL SELECT l.id FROM l JOIN r ON l.id = r.id AND l.id > 3",
            vec!["1", "2", "3", "5"],
            3,
        ),
        ("SELECT upper(CAST(id AS VARCHAR)) AS id FROM l RIGHT JOIN r USING (id) WHERE id > 1", vec!["2", "3", "5"], 2),
        ("SELECT id, count(*) AS n FROM l FULL JOIN r USING (id) GROUP BY id", vec!["1", "2", "3", "4", "5"], 3),
        ("SELECT l.id FROM l LEFT JOIN r ON l.id = r.id", vec!["1", "2", "3", "4"], 3),
    ] {
        let fixture = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]);
        let (manifest, _) = fixture.run().await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let path = fixture.job.output.as_local().unwrap().join("matched.parquet");
        let mut found: Vec<String> = super::in_order(&path).iter().map(|row| row[0].clone()).collect();
        found.sort();
        assert_eq!(
            (found, manifest.counts.matched_count),
            (ids.iter().map(ToString::to_string).collect(), matches),
            "{sql}"
        );
        assert_eq!(manifest.counts.matched_left_count, matches, "{sql}");
        assert!(manifest.notes.iter().any(|note| note.contains("without a partner")), "{sql}: {:?}", manifest.notes);
    }
}

/// A wall clock and an instant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_times_are_not_instants() {
    let left = b"id,at\n1,2026-03-28 13:00:00\n2,2026-07-01 14:00:00\n";
    let right = b"id,at\n1,2026-03-28T12:00:00Z\n2,2026-07-01T12:00:00Z\n";
    let join = |condition: &str| format!("SELECT l.id, r.id AS rid FROM l JOIN r ON l.id = r.id AND {condition}");
    for condition in [
        "l.at = r.at",
        "l.at < r.at",
        "r.at AT TIME ZONE 'Europe/Berlin' = l.at",
        "CAST(r.at AT TIME ZONE 'Europe/Berlin' AS TIMESTAMP) = l.at",
    ] {
        let error = Fixture::new(left, right, &join(condition), &[]).run().await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("to_local_time(r.at AT TIME ZONE 'Europe/Berlin')"), "{condition}: {error}");
    }
    let advised = join("to_local_time(r.at AT TIME ZONE 'Europe/Berlin') = l.at");
    let (manifest, _) = Fixture::new(left, right, &advised, &[]).run().await.unwrap();
    assert_eq!(manifest.counts.matched_count, 2);
    let mut zoned = Fixture::new(left, right, &join("l.at = r.at"), &[]);
    zoned.job.left.options.types.insert("at".to_owned(), "timestamptz@Europe/Berlin".parse().unwrap());
    assert_eq!(zoned.run().await.unwrap().0.counts.matched_count, 2);
}

/// What Postgres has no word for, or another one; the rest is in `differential/forms.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_those_that_are_written() {
    let rows = b"id,n,amount,tz,stamp\n1,1,0.01,2024-01-01T10:00:00Z,x2024-01-01 10:00:00+00\n\
                 2,2,0.02,2024-01-02T10:00:00Z,x2024-01-02 12:00:00+02\n";
    for (value, expected) in [
        ("median(l.n)", "1.5"),
        ("median(l.amount)", "0.015"),
        ("avg(DISTINCT l.n)", "1.5000000000000000"),
        ("min(lpad(l.stamp, -l.n))", ""),
        ("count(*) FILTER (WHERE l.tz = CAST(substr(r.stamp, 2) AS TIMESTAMPTZ))", "2"),
        ("count(*) FILTER (WHERE l.tz > TIMESTAMPTZ '2024-01-02 11:00:00+02')", "1"),
        ("count(*) FILTER (WHERE l.tz - r.tz < INTERVAL '0 days')", "0"),
        ("max(DATE '9999-12-31' - INTERVAL '1 hour')", "9999-12-30T23:00:00"),
        ("min(CAST(DATE '9999-12-31' + INTERVAL '61 minutes' AS VARCHAR))", "9999-12-31 01:01:00"),
        ("min(regexp_replace(l.stamp, '^x.*$', '$5 off'))", "$5 off"),
    ] {
        let sql = format!("SELECT {value} AS e FROM l JOIN r ON l.id = r.id");
        let fixture = Fixture::new(rows, rows, &sql, &[]);
        fixture.run().await.unwrap_or_else(|e| panic!("{value}: {e}"));
        let path = fixture.job.output.as_local().unwrap().join("matched.parquet");
        assert_eq!(super::in_order(&path)[0][0], expected, "{value}");
    }
}

/// Hours that a zone has twice or never fail no job, and are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_of_clock_changes_are_told() {
    let csv = "id,at\n1,2024-10-27 01:59:59\n2,2024-10-27 02:30:00\n3,2024-10-27 02:59:00\n4,2024-10-27 03:00:00\n\
               5,2024-03-31 02:30:00\n6,2024-03-31\n7,2024-10-27T02:30:00+01:00\n8,\n";
    let instants = "id,at\n1,2024-10-26T23:59:59Z\n2,2024-10-27T00:30:00Z\n3,2024-10-27T00:59:00Z\n4,2024-10-27T02:00:00Z\n\
                    5,2024-03-31T01:30:00Z\n6,2024-03-30T23:00:00Z\n7,2024-10-27T01:30:00Z\n8,\n";
    let ndjson: String = csv
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(id, at)| format!("{{\"id\": {id}, \"at\": \"{at}\"}}\n"))
        .collect();
    let sql = "SELECT l.id, l.at FROM l JOIN r ON l.id = r.id AND l.at IS NOT DISTINCT FROM r.at";
    for (text, format, line) in [(csv, None, 3), (ndjson.as_str(), Some(FileFormat::Ndjson), 2)] {
        let mut fixture = Fixture::new(text.as_bytes(), instants.as_bytes(), sql, &[]);
        fixture.job.left.options.format = format;
        fixture.job.left.options.types.insert("at".to_owned(), "timestamptz@Europe/Berlin".parse().unwrap());
        let (manifest, _) = fixture.run().await.unwrap();
        assert_eq!(manifest.counts.matched_count, 8, "{format:?}");
        let at = &manifest.left.columns[1];
        assert_eq!(
            (at.data_type.as_str(), at.note.as_deref()),
            (
                "timestamptz",
                Some(
                    format!(
                        "read in Europe/Berlin, where clocks change: 2 in an hour that occurs twice, taken as its first \
                         (`2024-10-27 02:30:00` in line {line}), and 1 in one that never occurs, taken as if the clocks had not \
                         been set forward yet (`2024-03-31 02:30:00` in line {})",
                        line + 3
                    )
                    .as_str()
                )
            )
        );
    }
    let mut wrong = Fixture::new(b"id,at\n1,27.10.2024\n", instants.as_bytes(), sql, &[]);
    wrong.job.left.options.types.insert("at".to_owned(), "timestamptz@Europe/Berlin".parse().unwrap());
    let error = wrong.refused().await.to_string();
    assert!(error.contains("`27.10.2024` is not a timestamp"), "{error}");
}

/// Keys that two systems write differently, and days of a calendar.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_equal_by_rules() {
    let left = "ref,n,day\n\"  ab-1 \",007,2024-03-02\nÄB 2,0,2024-03-02\n,8,2024-03-02\n---,9,2024-03-02\n";
    let right = "ref,n,day\nAB 1,7,2024-03-01T23:30:00Z\nab2,0,2024-03-02T23:30:00Z\n,8,2024-03-01T22:30:00Z\n...,9,2024-03-02T12:00:00Z\n";
    for (condition, pairs) in [
        (
            "normalize_key(l.ref, 'trim,case,punctuation,blanks') = normalize_key(r.ref, 'trim,case,punctuation,blanks')",
            &[(0, 0)][..],
        ),
        (
            "normalize_key(l.ref, 'case,punctuation,blanks,accents') = normalize_key(r.ref, 'case,punctuation,blanks')",
            &[(0, 0), (1, 1)],
        ),
        ("normalize_key(l.n, 'zeros') = normalize_key(r.n, 'zeros')", &[(0, 0), (1, 1), (2, 2), (3, 3)]),
        (
            "normalize_key(l.ref, 'punctuation') IS NOT DISTINCT FROM normalize_key(r.ref, 'punctuation')",
            &[(2, 2), (2, 3), (3, 2), (3, 3)],
        ),
        ("l.ref IS NOT DISTINCT FROM r.ref", &[(2, 2)]),
        (
            "normalize_key(l.n, 'zeros') = normalize_key(r.n, 'zeros') AND date_within(l.day, r.day, 0, 'Europe/Berlin')",
            &[(0, 0), (3, 3)],
        ),
        (
            "normalize_key(l.n, 'zeros') = normalize_key(r.n, 'zeros') AND date_within(l.day, r.day, 0, 'UTC')",
            &[(1, 1), (3, 3)],
        ),
    ] {
        let sql = format!("SELECT l.ref, r.ref AS right_ref FROM l JOIN r ON {condition}");
        let (_, answer) = Fixture::new(left.as_bytes(), right.as_bytes(), &sql, &[])
            .run()
            .await
            .unwrap_or_else(|e| panic!("{condition}: {e}"));
        let found: Vec<_> = answer.pairs.into_iter().map(|(l, r)| (l[0], r[0])).collect();
        assert_eq!(found, pairs, "{condition}");
    }
    for (call, words) in [
        ("normalize_key(l.ref, 'trim,cases')", "did you mean case?"),
        ("normalize_key(l.ref, r.ref)", "is no constant"),
        ("normalize_key(l.day, 'trim')", "is a date; it has to be text or an integer: write CAST(l.day AS VARCHAR)"),
        ("CAST(date_within(l.day, r.day, 0, 'Berlin') AS VARCHAR)", "did you mean Europe/Berlin?"),
    ] {
        let sql = format!("SELECT l.ref, {call} AS x FROM l JOIN r ON l.n = CAST(r.n AS VARCHAR)");
        let error = Fixture::new(left.as_bytes(), right.as_bytes(), &sql, &[]).run().await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(words), "{call}: {error}");
    }
}

/// Text that stands for numbers in one spelling or another: what is advised reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cast_that_is_advised_reads_what_is_there() {
    let right = b"id,amount\n1,1234.50\n2,7.25\n";
    for (first, advised, pairs) in [
        ("N/A", "TRY_CAST(l.amount AS DECIMAL(38,10))", 1),
        ("\"1,234.50\"", "CAST(replace(l.amount, ',', '') AS DECIMAL(38,10))", 2),
        ("\"1.234,50\"", "CAST(replace(replace(l.amount, '.', ''), ',', '.') AS DECIMAL(38,10))", 1),
        ("\" 1234.50\"", "CAST(l.amount AS DECIMAL(38,10))", 2),
        ("01234.50", "CAST(l.amount AS DECIMAL(38,10))", 2),
        // Who knows?
        ("\"1,234\"", "TRY_CAST(l.amount AS DECIMAL(38,10))", 1),
    ] {
        let left = format!("id,amount\n1,{first}\n2,7.25\n");
        let join = |amount: &str| format!("SELECT l.id FROM l JOIN r ON l.id = r.id AND {amount} = r.amount");
        let error = Fixture::new(left.as_bytes(), right, &join("l.amount"), &[]).run().await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(&format!("write {advised} to compare numbers")), "{first}: {error}");
        let run = Fixture::new(left.as_bytes(), right, &join(advised), &[]).run().await;
        // The second value is not spelled like the first one.
        if !first.starts_with("\"1.234,") {
            assert_eq!(run.unwrap_or_else(|e| panic!("{advised}: {e}")).0.counts.matched_count, pairs, "{first}");
        }
    }
}

/// Rows that share a primary key would all be matched when one of them is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_key_that_repeats_is_told_with_its_rows() {
    let sql = "SELECT l.id AS ref, l.n FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.ref = l.id AND r.n = l.n)";
    let mut fixture = Fixture::new(b"id,n\na,1\nb,2\n", b"ref,n\na,1\na,7\nb,2\n,3\n,4\n", sql, &[]);
    fixture.job.right.primary_key = vec!["ref".to_owned()];
    let error = fixture.refused().await.to_string();
    assert!(error.contains("`ref` is not unique: `a` stands in 2 rows, such as 0 and 1"), "{error}");
    fixture.job.right.primary_key = vec!["ref".to_owned(), "n".to_owned()];
    let (_, answer) = fixture.run().await.unwrap();
    assert_eq!(answer.right, [1, 3, 4]);
}

/// A column that happens to have no value this time, and a side that has no row, are normal days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_suits_everything() {
    let conditions = [
        "l.id = r.id AND l.ref = r.ref",
        "l.id = r.id AND tolerance_match(l.amount, r.amount, 0.02) AND date_within(l.day, r.day, 1)",
        "l.id = r.id AND l.amount + 1 = r.amount - l.ref AND upper(l.note) = r.note",
        "l.id = (SELECT max(x.id) FROM r x) AND round(l.amount, 1) = r.amount AND l.day < r.day",
    ];
    let empty = b"id,ref,amount,day,note\n".as_slice();
    let hollow = b"id,ref,amount,day,note\n1,,,,\n2,,,,\n".as_slice();
    let full = b"id,ref,amount,day,note\n1,7,1.00,2026-01-01,x\n2,8,2.00,2026-01-02,y\n".as_slice();
    for condition in conditions {
        for (left, right) in
            [(empty, full), (full, empty), (empty, empty), (hollow, full), (full, hollow), (hollow, empty)]
        {
            let sql = format!("SELECT l.id, r.id AS rid, l.note, r.amount FROM l JOIN r ON {condition}");
            let (manifest, _) =
                Fixture::new(left, right, &sql, &[]).run().await.unwrap_or_else(|e| panic!("{condition}: {e}"));
            let counts = manifest.counts;
            assert_eq!((counts.matched_count, counts.unmatched_left_count), (0, counts.total_left), "{condition}");
        }
    }
    let sql = "SELECT l.id, r.id AS rid, l.ref FROM l JOIN r ON l.id = r.id AND (l.ref IS NULL OR l.ref = r.ref)";
    let fixture = Fixture::new(hollow, full, sql, &[]);
    let (manifest, _) = fixture.run().await.unwrap();
    assert_eq!(manifest.counts.matched_count, 2);
    assert_eq!(manifest.files["matched"].columns[2].data_type, "text");
    let sql = "SELECT l.id, sum(r.amount) AS paid FROM l JOIN r ON l.id = r.id GROUP BY l.id HAVING sum(l.amount) = sum(r.amount)";
    for (left, right) in [(empty, full), (hollow, full), (full, empty)] {
        let (manifest, _) = Fixture::new(left, right, sql, &[]).run().await.unwrap();
        assert_eq!(manifest.counts.matched_count, 0);
    }
}

/// What would wrap, be cut or change its type is exact, or an error that shows the numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_exact_or_an_error() {
    let left = b"id,n,a,wide\n1,25,25.50,99999999999999999999999999999999999.99\n2,9223372036854775807,10.00,99999999999999999999999999999999999.99\n";
    let right = b"id,n,a\n1,2,2.00\n2,1,3.00\n";
    for (expression, first) in [
        ("l.n / 2", "12.5000000000000000"),
        ("l.a / 3", "8.5000000000000000"),
        ("div(l.n, 2)", "12"),
        ("l.n % 4", "1"),
        ("l.a * r.a", "51.0000"),
        ("round(l.a / 7, 2)", "3.64"),
        ("round(l.a, 0)", "26"),
        ("trunc(l.a)", "25"),
        ("ceil(l.a)", "26"),
        ("floor(-l.a)", "-26"),
        ("round(l.n, -1)", "30"),
        ("CAST(l.a AS BIGINT)", "26"),
        ("CAST(-l.a AS INT)", "-26"),
        ("TRY_CAST(l.a / 2 AS BIGINT)", "13"),
        ("CAST(2.5 AS INT) + CAST(-0.5 AS INT)", "2"),
        ("CAST('abc' AS VARCHAR(2)) || CAST('d' AS VARCHAR(9))", "abd"),
        ("arrow_typeof(CAST(l.a AS FLOAT))", "Float64"),
        ("sum(l.n) OVER ()", "9223372036854775832"),
        ("avg(l.a) OVER ()", "17.7500000000000000"),
    ] {
        let condition = if expression.starts_with("round(l.n") { " AND l.id = 1" } else { "" };
        let sql = format!("SELECT l.id, {expression} AS x FROM l JOIN r ON l.id = r.id{condition} ORDER BY l.id");
        let fixture = Fixture::new(left, right, &sql, &[]);
        fixture.run().await.unwrap_or_else(|e| panic!("{expression}: {e}"));
        let path = fixture.job.output.as_local().unwrap().join("matched.parquet");
        assert_eq!(super::in_order(&path)[0][1], first, "{expression}");
    }
    for (expression, words, advised) in [
        ("l.n + r.n", "9223372036854775807 + 1 at line 1", "CAST(l.n AS DECIMAL(38,0)) + r.n"),
        ("l.n * (r.n + 1)", "does not fit 64 bits: CAST one of them", "l.n * CAST(r.n + 1 AS DECIMAL(38,0))"),
        ("-(-l.n - 1)", "0 - -9223372036854775808", "-(-CAST(l.n AS DECIMAL(38,0)) - 1)"),
        ("l.wide * l.a", "does not fit 38 digits", "CAST(l.wide AS DECIMAL(38,0)) * CAST(r.n AS DECIMAL(2,0))"),
        ("sum(l.wide * 9) OVER ()", "does not fit 38 digits", "sum(l.wide) OVER ()"),
        ("l.n / (r.n - r.n)", "a division by zero", "l.n / NULLIF(r.n - r.n, 0)"),
        ("round(l.a, r.n)", "written as a number", "round(l.a, 2)"),
    ] {
        let sql = |expression: &str| format!("SELECT l.id, {expression} AS x FROM l JOIN r ON l.id = r.id");
        let error = Fixture::new(left, right, &sql(expression), &[]).run().await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{expression}: {error}");
        Fixture::new(left, right, &sql(advised), &[]).run().await.unwrap_or_else(|e| panic!("{advised}: {e}"));
    }
}

/// A column that is given no name has the one that is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_without_a_name_are_called_what_is_written() {
    let sql = "SELECT l.id, l.n + 1, round(l.amount, 1), CASE WHEN l.n = 1 THEN 'a' ELSE 'b' END, sum(r.n) OVER (), count(*) OVER \
               (PARTITION BY l.ref), CAST(l.n AS VARCHAR), l.ref || 'y', 5, r.n AS m, max(l.n) OVER (), max(l.n) OVER (PARTITION BY l.ref) \
               FROM l JOIN r ON l.id = r.id ORDER BY l.id";
    let (manifest, _) = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]).run().await.unwrap();
    let names: Vec<_> = manifest.files["matched"].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names[..11],
        [
            "id",
            "l.n + 1",
            "round(l.amount, 1)",
            "CASE WHEN (l.n = 1) THEN 'a' ELSE 'b' END",
            "sum(r.n)",
            "count(*)",
            "CAST(l.n AS VARCHAR)",
            "l.ref || 'y'",
            "5",
            "m",
            "max(l.n)",
        ]
    );
    assert!(names[11].starts_with("max(l.n) PARTITION BY"), "{names:?}");
    let sql = "SELECT l.ref, count(*), sum(r.amount) FROM l JOIN r ON l.id = r.id GROUP BY l.ref HAVING count(*) > 0";
    let (manifest, _) = Fixture::new(LEFT.as_bytes(), RIGHT.as_bytes(), sql, &[]).run().await.unwrap();
    let names: Vec<_> = manifest.files["matched"].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[..3], ["ref", "count(*)", "sum(r.amount)"]);
}
