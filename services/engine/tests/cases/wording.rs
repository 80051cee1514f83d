//! What is wrong with a statement is told in the words of its author, with what to write instead, which runs.

use kalla_engine::Error;
use kalla_engine::job::ColumnType;

use super::Fixture;

const ROWS: &str = "id,ref,amount,n,f,day,at,tz,ok\n\
    1,A,10.00,1,1.5,2024-01-01,2024-01-01 10:00:00,2024-01-01T10:00:00Z,true\n\
    2,B,20.00,2,2.5,2024-01-02,2024-01-02 10:00:00,2024-01-02T10:00:00Z,false\n";

/// What nobody wrote, and nobody wants to read.
const INNER: &[&str] = &[
    "Int64",
    "Utf8",
    "Decimal128",
    "Date32",
    "Float64",
    "Timestamp(",
    "Execution error",
    "Arrow",
    "internal error",
    "caused by",
    "Some(",
    "Expr",
    "Ident",
    "coerce",
    "signature",
];

/// A condition between `l` and `r`, or a whole statement; words that it is refused with; what it might be instead.
const REFUSED: &[(&str, &str, &str)] = &[
    ("l.amount * INTERVAL '1 day' = r.day", "INTERVAL '3 days'", "l.day + INTERVAL '1 day' > r.day"),
    ("l.amount + l.day = r.day", "write l.day + INTERVAL '3 days'", "l.day + INTERVAL '3 days' > r.day"),
    ("l.at - r.at < 3", "INTERVAL '3 days', or date_within(a, b, 3)", "date_within(l.at, r.at, 3)"),
    ("l.day + l.ok = r.day", "write CAST(l.ok AS BIGINT)", "l.n + CAST(l.ok AS BIGINT) = 2"),
    ("NOT l.n", "NOT needs a condition, and this is an integer", "NOT l.n <> r.n"),
    ("l.n AND l.ok", "compare it with something, as in l.n = …", "l.n = 1 AND l.ok"),
    ("l.ref OR l.ok", "as in l.ref = '…'", "l.ref = 'A' OR l.ok"),
    ("l.n IS TRUE", "IS TRUE and the like ask of conditions, and `l.n` at line 1", "l.ok IS TRUE"),
    ("-l.ref = 'x'", "`-` needs a number", "-l.n = -1"),
    (
        "substr(l.amount, 1, 1) = '1'",
        "takes text, not a decimal: write CAST(… AS VARCHAR)",
        "substr(CAST(l.amount AS VARCHAR), 1, 1) = '1'",
    ),
    ("upper(l.ref, 2) = 'A'", "takes 1 argument, not 2", "upper(l.ref) = 'A'"),
    ("abs(l.ref) = 1", "takes a number, not text", "abs(l.n) = 1"),
    ("extract(foo FROM l.day) = 3", "`foo` is no part of a date: write year", "extract(day FROM l.day) = 1"),
    (
        "CAST(l.ref AS DECIMAL(5,2)) = r.amount",
        "'A' is not a decimal: write TRY_CAST, which gives NULL for it (in CAST(l.ref AS DECIMAL(5,2)))",
        "TRY_CAST(l.ref AS DECIMAL(5,2)) IS NULL",
    ),
    (
        "CAST(l.ref AS BOOLEAN) AND CAST(l.ref AS DATE) = r.day",
        "is not a boolean: write TRY_CAST, which gives NULL for it (in CAST(l.ref AS BOOL))",
        "TRY_CAST(l.ref AS BOOLEAN) IS NULL",
    ),
    (
        "CAST(l.ref AS TIMESTAMP) = r.at",
        "'A' is not a timestamp: write TRY_CAST(… AS TIMESTAMP), which gives NULL for it (in CAST(l.ref AS TIMESTAMP))",
        "TRY_CAST(l.ref AS TIMESTAMP) IS NULL",
    ),
    (
        "l.day + 9223372036854775807 > r.day",
        "2024-01-01 + 9223372036854775807 at line 1, column 46 is no date",
        "l.day + 1 > r.day",
    ),
    (
        "l.day - (l.n - 100000000) > r.day",
        "2024-01-01 - -99999999 at line 1, column 46 is no date",
        "l.day - (l.n - 3) > r.day",
    ),
    (
        "CAST(l.tz AS VARCHAR) = 'x'",
        "write to_char(to_local_time(l.tz AT TIME ZONE 'Europe/Berlin'), '%Y-%m-%d %H:%M:%S')",
        "to_char(to_local_time(l.tz AT TIME ZONE 'Europe/Berlin'), '%Y-%m-%d %H:%M:%S') = '2024-01-01 11:00:00'",
    ),
    (
        "l.ref = r.tz",
        "write CAST(l.ref AS TIMESTAMPTZ) to compare timestamps or to_char(to_local_time(r.tz AT TIME ZONE 'Europe/Berlin'), ",
        "TRY_CAST(CAST(l.at AS VARCHAR) AS TIMESTAMPTZ) = r.tz",
    ),
    ("l.ref || l.tz = 'x'", "an instant, which is another text in each zone", "l.ref || l.at = 'A2024-01-01 10:00:00'"),
    ("CAST(l.at AS TIMESTAMP(0)) = r.at", "write date_trunc('second', …)", "date_trunc('second', l.at) = r.at"),
    (
        "to_date(l.ref, 'YYYY-MM-DD') = r.day",
        "`to_date` at line 1, column 46 takes a form such as '%Y-%m-%d'",
        "to_date(CAST(l.day AS VARCHAR), '%Y-%m-%d') = r.day",
    ),
    (
        "l.day + INTERVAL '1-2' > r.day",
        "'1-2' is no span of time: write INTERVAL '1 year 2 months 3 days'",
        "l.day + INTERVAL '1 year 2 months 3 days' > r.day",
    ),
    ("l.day - r.day < INTERVAL '3 days'", "`INTERVAL '3 DAYS'` is a span of time", "l.day - r.day < 3"),
    ("l.ref LIKE r.ref ESCAPE '!'", "a pattern that is written out", "l.ref || '%' LIKE 'A!%' ESCAPE '!'"),
    ("l.ref LIKE ANY (ARRAY['A%', 'B%'])", "LIKE takes one pattern", "(l.ref LIKE 'A%' OR l.ref LIKE 'B%')"),
    ("l.ref ~ 'a(?=b)'", "looks ahead", "l.ref ~ '\\bA'"),
    ("split_part(l.ref, ',', 0) = 'A'", "split_part counts from 1", "split_part(l.ref, ',', 1) = 'A'"),
    ("l.ref ^@ 'A'", "write starts_with(text, part)", "starts_with(l.ref, 'A')"),
    ("CAST('x' AS INT) = l.n", "'x' is not an integer: write TRY_CAST", "TRY_CAST('x' AS INT) IS NULL"),
    (
        "to_timestamp(l.ref) = r.at",
        "'A' is not a timestamp: write TRY_CAST(… AS TIMESTAMP)",
        "TRY_CAST(l.ref AS TIMESTAMP) IS NULL",
    ),
    ("to_date(l.ref) = r.day", "TRY_CAST gives NULL", "TRY_CAST(l.ref AS DATE) IS NULL"),
    ("CAST(l.amount AS BOOLEAN)", "a decimal cannot be CAST to a boolean: compare it", "l.amount <> 0"),
    (
        "l.at AT TIME ZONE 'Europe/Berln' = r.tz",
        "did you mean Europe/Berlin?",
        "date_within(l.day, r.tz, 0, 'Europe/Berlin')",
    ),
    ("l.ref ~ '('", "this is not a regular expression", "l.ref ~ '[A-B]'"),
    ("l.ref LIKE l.n", "LIKE needs text: write CAST(l.n AS VARCHAR)", "'1' LIKE CAST(l.n AS VARCHAR)"),
    (
        "CASE WHEN l.n = 1 THEN 'a' ELSE 3 END = 'a'",
        "a number is written without quotes",
        "CASE WHEN l.n = 1 THEN 'a' ELSE '3' END = 'a'",
    ),
    ("CASE WHEN l.n THEN 1 END = 1", "CASE WHEN needs a condition", "CASE WHEN l.n = 1 THEN 1 END = 1"),
    ("coalesce(l.n, 'x') = 1", "'x' is not a value of BIGINT", "coalesce(l.n, 0) = 1"),
    ("coalesce(l.day, l.n) IS NULL", "they cannot be compared; CAST one of them", "coalesce(l.n, 1) IS NOT NULL"),
    ("row_number() OVER (ORDER BY l.id) = 1", "give it a name in a subquery", "l.id > 0"),
    ("l.id = (SELECT id FROM r)", "take one of them, as in SELECT max(x)", "l.id <= (SELECT max(id) FROM r)"),
    (
        "l.id = (SELECT id, ref FROM r)",
        "gives one column, and this one gives r.id, r.ref",
        "EXISTS (SELECT 1 FROM r x WHERE x.id = l.id)",
    ),
    ("l.id = $1", "`$1` stands for a value that nobody gives", "l.id = 1"),
    ("l.ref = \"A\"", "a text is written in single quotes, 'A'", "l.ref = 'A'"),
    ("CAST(l.id AS FOO) = 1", "`FOO` is no type here: write BIGINT", "CAST(l.id AS BIGINT) = 1"),
    ("l.ref COLLATE \"C\" = 'A'", "text is ordered by code points", "l.ref = 'A'"),
    ("l.ref[1] = 'A'", "substr(x, 1, 1)", "substr(l.ref, 1, 1) = 'A'"),
    ("tolerance_match(l.day, r.day, 1)", "write date_within(a, b, days) for dates", "date_within(l.day, r.day, 1)"),
    (
        "date_within(l.n, r.day, 1)",
        "write to_date(CAST(l.n AS VARCHAR), '%Y%m%d')",
        "date_within(to_date('20240101', '%Y%m%d'), r.day, 1)",
    ),
    ("mod(l.n, 2) = 1", "unknown function `mod` at line 1, column 46: write a % b", "l.n % 2 = 1"),
    ("'AB' SIMILAR TO 'A%'", "SIMILAR TO is not kept here: write LIKE", "'AB' LIKE 'A%'"),
    (
        "to_char(l.day, 'YYYY-MM') = to_char(r.day, 'YYYY-MM')",
        "takes a form such as '%Y-%m-%d'",
        "to_char(l.day, '%Y-%m') = to_char(r.day, '%Y-%m')",
    ),
    ("CAST(l.ref AS CHAR(3)) = 'A'", "CHAR(3) fills up with blanks", "CAST(l.ref AS VARCHAR(3)) = 'A'"),
    (
        "CAST(l.f AS INT) = 1",
        "write CAST(round(l.f) AS BIGINT) or CAST(trunc(l.f) AS BIGINT)",
        "CAST(trunc(l.f) AS BIGINT) = 1",
    ),
    (
        "CAST(300 AS SMALLINT)::TINYINT = 1",
        "300 does not fit INT8: CAST it to a wider type",
        "CAST(300 AS BIGINT) = 300",
    ),
    (
        "CAST(1234567 AS DECIMAL(5,2)) > l.amount",
        "whose largest value is 999.99",
        "CAST(1234567 AS DECIMAL(38,2)) > l.amount",
    ),
    (
        "l.tz = r.day",
        "write date_within(l.tz, r.day, 0, 'Europe/Berlin')",
        "date_within(l.tz, r.day, 0, 'Europe/Berlin')",
    ),
    ("sqrt(-l.n) > 1", "cannot take square root of a negative number", "sqrt(l.n) >= 1"),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE l.n",
        "`l.n` stands where a condition is wanted, and this is an integer: compare it with something, as in `… <> 0` (at line 1, column 48)",
        "l.n <> 0",
    ),
    (
        "SELECT l.id, sum(r.amount) AS s FROM l JOIN r ON l.id = r.id",
        "`l.id` is neither in GROUP BY nor inside an aggregate: add it to GROUP BY, or write min(l.id) (at line 1, column 8)",
        "SELECT min(l.id) AS id, sum(r.amount) AS s FROM l JOIN r ON l.id = r.id GROUP BY l.id",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE sum(l.amount) > 3",
        "ask it in HAVING, after GROUP BY",
        "SELECT l.id FROM l JOIN r ON l.id = r.id GROUP BY l.id HAVING sum(l.amount) > 3",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id HAVING l.amount > 3",
        "`l.amount` is of single rows: ask it in WHERE",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE l.amount > 3",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT count(*) FROM r x WHERE x.ref = l.ref)",
        "asks for a row that is always there: write EXISTS (SELECT 1 FROM …)",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x WHERE x.ref = l.ref)",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE NOT EXISTS (SELECT 1 FROM r x WHERE x.ref = l.ref HAVING count(*) > 2)",
        "compare the aggregate, as in (SELECT count(*) FROM … WHERE …) > 2",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE NOT (SELECT count(*) FROM r x WHERE x.ref = l.ref) > 2",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE 1 IN (SELECT count(*) FROM r x WHERE x.ref = l.ref)",
        "write 1 = (SELECT …) instead of IN",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE 1 = (SELECT count(*) FROM r x WHERE x.ref = l.ref)",
    ),
    (
        "SELECT l.id FROM l LEFT JOIN r ON r.id = (SELECT max(x.id) FROM r x WHERE x.ref = l.ref)",
        "in ON of an outer join is not kept here: write a condition of one side into that side, as in LEFT JOIN (SELECT * FROM r",
        "WITH p AS (SELECT l.id, r.id AS right_id FROM l JOIN r ON r.id = (SELECT max(x.id) FROM r x WHERE x.ref = l.ref)) SELECT l.id, \
         p.right_id FROM l LEFT JOIN p ON p.id = l.id",
    ),
    (
        "SELECT l.id FROM l LEFT JOIN r ON l.id = r.id AND EXISTS (SELECT 1 FROM r x WHERE x.ref = r.ref)",
        "`EXISTS (SELECT … FROM r)` in ON of an outer join is not kept here",
        "SELECT l.id FROM l LEFT JOIN (SELECT * FROM r WHERE EXISTS (SELECT 1 FROM r x WHERE x.ref = r.ref)) r ON l.id = r.id",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x LEFT JOIN l y ON y.id = x.id AND y.ok = l.ok WHERE x.id = \
         r.id)",
        "in ON of an outer join refers to the query around the subquery",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x CROSS JOIN l m LEFT JOIN l y ON y.id = x.id AND y.ok = m.ok \
         WHERE m.id = l.id AND x.id = r.id)",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x WHERE x.id = r.id AND EXISTS (SELECT 1 FROM l y WHERE y.id = \
         x.id AND y.ref = l.ref))",
        "that refers to no other than the query right around it",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x JOIN l y ON y.id = x.id WHERE x.id = r.id AND y.ref = l.ref)",
    ),
    (
        "SELECT amount.id FROM l amount JOIN r ON amount.id = r.id WHERE EXISTS (SELECT 1 FROM r x WHERE x.id = amount.id)",
        "give the table that is meant another name, with AS",
        "SELECT a.id FROM l a JOIN r ON a.id = r.id WHERE EXISTS (SELECT 1 FROM r x WHERE x.id = a.id)",
    ),
    (
        "SELECT l.id, lag(l.n, 1, 0.5) OVER (ORDER BY l.id) AS b FROM l JOIN r ON l.id = r.id",
        "`l.n` at line 1, column 18, and 0.5 is none: write lag(CAST(l.n AS DECIMAL(38,10)), …)",
        "SELECT l.id, lag(CAST(l.n AS DECIMAL(38,10)), 1, 0.5) OVER (ORDER BY l.id) AS b FROM l JOIN r ON l.id = r.id",
    ),
    (
        "SELECT abs(l.n - 5) AS n, r.id FROM l JOIN r ON l.id = r.id ORDER BY n + 0 LIMIT 1",
        "`n` at line 1, column 70 is a column that is read and one that is given",
        "SELECT abs(l.n - 5) AS n, r.id FROM l JOIN r ON l.id = r.id ORDER BY abs(l.n - 5) + 0 LIMIT 1",
    ),
    (
        "SELECT TOP 3 l.id FROM l JOIN r ON l.id = r.id",
        "write LIMIT 3",
        "SELECT l.id FROM l JOIN r ON l.id = r.id LIMIT 3",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id ORDER BY l.n FETCH FIRST 1 ROW WITH TIES",
        "rank() OVER (ORDER BY …) <= 3 in a subquery",
        "SELECT q.id FROM (SELECT l.id, rank() OVER (ORDER BY l.n) AS place FROM l JOIN r ON l.id = r.id) q WHERE place <= 3",
    ),
    (
        "SELECT l.id FROM l SEMI JOIN r ON l.id = r.id",
        "write LEFT SEMI JOIN, or WHERE EXISTS (SELECT 1 FROM …)",
        "SELECT l.id FROM l JOIN r ON l.id = r.id WHERE EXISTS (SELECT 1 FROM r x WHERE x.id = l.id)",
    ),
    (
        "SELECT l.n, sum(r.day) AS s FROM l JOIN r ON l.id = r.id GROUP BY l.n",
        "sum takes numbers, not dates",
        "SELECT l.n, sum(r.n) AS s FROM l JOIN r ON l.id = r.id GROUP BY l.n",
    ),
    (
        "SELECT l.n, count(*) FILTER (WHERE r.n) AS c FROM l JOIN r ON l.id = r.id GROUP BY l.n",
        "FILTER needs a condition, and `r.n` at line 1, column 36 is a number",
        "SELECT l.n, count(*) FILTER (WHERE r.n = 1) AS c FROM l JOIN r ON l.id = r.id GROUP BY l.n",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id UNION ALL SELECT r.day FROM r",
        "is a number in one part and is a date in another: CAST one of them",
        "SELECT l.id FROM l JOIN r ON l.id = r.id UNION ALL SELECT r.id FROM r",
    ),
    (
        "SELECT l.f AS v FROM l JOIN r ON l.id = r.id UNION ALL SELECT r.amount FROM r",
        "column 1 of the UNION (`v`) is a floating-point number in one part and a decimal in another: CAST one of them",
        "SELECT l.f AS v FROM l JOIN r ON l.id = r.id UNION ALL SELECT CAST(r.amount AS DOUBLE) FROM r",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id UNION ALL SELECT r.id, r.ref FROM r",
        "add NULL where one is missing",
        "SELECT l.id, NULL AS ref FROM l JOIN r ON l.id = r.id UNION ALL SELECT r.id, r.ref FROM r",
    ),
    (
        "SELECT l.id FROM l JOIN r ON l.id = r.id LIMIT 'x'",
        "as in LIMIT 10",
        "SELECT l.id FROM l JOIN r ON l.id = r.id LIMIT 10",
    ),
    ("SELECT l.id FROM l JOIN r ON l.id = r.id LIMIT l.n", "`l.n` at line 1, column 48 cannot stand here", "l.id > 0"),
    ("SELECT l.id FROM l JOIN r ON l.id = r.id ORDER BY 7", "there is no column 7 in the SELECT", "l.id > 0"),
    (
        "SELECT l.id FROM l ASOF JOIN r MATCH_CONDITION (l.at >= r.at) ON l.id = r.id",
        "ASOF JOIN is not known",
        "l.at >= r.at",
    ),
    (
        "SELECT l.id, sum(r.n) OVER (ORDER BY r.ref RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM l JOIN r ON l.id = r.id",
        "a frame of RANGE counts in its ORDER BY key",
        "SELECT l.id, sum(r.n) OVER (ORDER BY r.n RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM l JOIN r ON l.id = r.id",
    ),
    (
        "SELECT l.id, sum(r.n) OVER (ORDER BY l.at - r.at RANGE INTERVAL '1 hour' PRECEDING) AS s FROM l JOIN r ON l.id = r.id",
        "`l.at - r.at` is a span of time: write ORDER BY extract(epoch FROM l.at - r.at), and count in seconds",
        "SELECT l.id, sum(r.n) OVER (ORDER BY extract(epoch FROM l.at - r.at) RANGE 3600 PRECEDING) AS s FROM l JOIN r ON l.id = r.id",
    ),
    (
        "SELECT l.id, string_agg(r.ref) AS s FROM l JOIN r ON l.id = r.id GROUP BY l.id",
        "does not take 1 argument of this kind (text)",
        "SELECT l.id, string_agg(r.ref, ', ') AS s FROM l JOIN r ON l.id = r.id GROUP BY l.id",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_in_the_words_of_its_author() {
    let run = async |text: &str| {
        let sql = match text.starts_with("SELECT") || text.starts_with("WITH") {
            true => text.to_owned(),
            false => format!("SELECT l.id FROM l JOIN r ON l.id = r.id AND {text}"),
        };
        let mut fixture = Fixture::new(ROWS.as_bytes(), ROWS.as_bytes(), &sql, &[]);
        for source in [&mut fixture.job.left, &mut fixture.job.right] {
            source.options.types.insert("f".to_owned(), ColumnType::Float);
        }
        fixture.run().await.map(|(manifest, _)| manifest)
    };
    for (text, words, instead) in REFUSED {
        let error = run(text).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Invalid(_) | Error::Sql(_)), "{text}: {error:?}");
        let told = error.to_string();
        assert!(told.contains(words), "{text}: {told}");
        let inner: Vec<_> = INNER.iter().filter(|word| told.contains(**word)).collect();
        assert!(inner.is_empty(), "{text}: {told}: {inner:?}");
        let manifest = run(instead).await.unwrap_or_else(|e| panic!("{instead}: {e}"));
        assert!(manifest.counts.matched_count > 0, "{instead}");
    }
}
