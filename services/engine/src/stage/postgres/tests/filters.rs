//! Filters are evaluated by the server, exactly, and no value can become SQL.

use crate::Error;
use crate::job::{Filter, FilterOp, FilterValue};

use super::server::{Database, peek};

fn filter(column: &str, op: FilterOp, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| FilterValue::Text((*value).to_owned())).collect();
    Filter { column: column.to_owned(), op, values }
}

fn number(column: &str, op: FilterOp, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| FilterValue::Number((*value).to_owned())).collect();
    Filter { column: column.to_owned(), op, values }
}

fn boolean(column: &str, value: bool) -> Filter {
    Filter { column: column.to_owned(), op: FilterOp::Eq, values: vec![FilterValue::Bool(value)] }
}

const TABLE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); \
    CREATE TABLE t (id int, amount numeric(10,2), rate float4, name text, code char(4), short varchar(3), day date, \
      at timestamptz, open bool, ref uuid, mood mood, doc json, cash money); \
    INSERT INTO t VALUES \
      (1, 0.02, 0.1, 'O''Brien', 'ab', 'abc', '2024-01-01', '2024-01-01 00:00+00', true, \
       'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'sad', '{}', '1.50'), \
      (2, 10.00, 0.2, 'back\\slash', 'cd', 'abd', '2024-01-02', '2024-01-02 12:00+00', false, NULL, 'ok', '{}', '2.50'), \
      (3, 10.01, 0.3, '100% _x', 'ef', 'x', '2024-01-03', '2024-01-03 00:00+00', true, NULL, 'ok', '{}', '-3'), \
      (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

fn is_null(column: &str, value: bool) -> Filter {
    Filter { column: column.to_owned(), op: FilterOp::IsNull, values: vec![FilterValue::Bool(value)] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operator_keeps_the_rows_that_it_should() {
    use FilterOp::*;
    let database = Database::with(TABLE).await;
    let cases = [
        (vec![number("id", Eq, &["2"])], "2"),
        (vec![number("id", Neq, &["2"])], "1 3 4"),
        (vec![number("id", Gt, &["2"])], "3 4"),
        (vec![number("id", Gt, &["1.5"])], "2 3 4"),
        (vec![number("id", Eq, &["1.5"])], ""),
        (vec![number("id", Lt, &["99999999999999999999"])], "1 2 3 4"),
        (vec![number("amount", Gte, &["10"])], "2 3"),
        (vec![number("amount", Lt, &["10.005"])], "1 2"),
        // Cast to numeric(10,2) this would be 10.01, and row 3 would be lost.
        (vec![number("amount", Gt, &["10.005"])], "3"),
        (vec![number("amount", Lte, &["0.02"])], "1"),
        (vec![number("amount", Between, &["0.02", "10.00"])], "1 2"),
        (vec![number("amount", In, &["0.02", "10.01", "7"])], "1 3"),
        (vec![number("amount", In, &[])], ""),
        (vec![number("rate", Eq, &["0.1"])], "1"),
        (vec![number("cash", Lt, &["1.75"])], "1 3"),
        (vec![filter("amount", Eq, &["10.00"])], "2"),
        (vec![filter("name", Eq, &["O'Brien"])], "1"),
        // By code points, whatever the collation of the database: `O` is before `a`.
        (vec![filter("name", Gt, &["a"])], "2"),
        (vec![filter("name", Between, &["1", "P"])], "1 3"),
        (vec![filter("code", Lt, &["Z"])], ""),
        (vec![filter("mood", Gt, &["sad"])], "2 3"),
        (vec![filter("name", Eq, &["back\\slash"])], "2"),
        (vec![filter("name", Like, &["100\\% %"])], "3"),
        (vec![filter("name", Like, &["%r%"])], "1"),
        (vec![filter("id", Like, &["_"])], "1 2 3 4"),
        (vec![filter("name", Contains, &["BRIEN"])], "1"),
        (vec![filter("name", Contains, &["% _"])], "3"),
        (vec![is_null("amount", true)], "4"),
        (vec![is_null("amount", false)], "1 2 3"),
        (vec![filter("code", Eq, &["ab"])], "1"),
        (vec![filter("code", Like, &["c_"])], "2"),
        // Cast to varchar(3) this would be abc.
        (vec![filter("short", Eq, &["abcdef"])], ""),
        (vec![filter("short", In, &["abc", "x"])], "1 3"),
        (vec![filter("day", Gt, &["2024-01-01"])], "2 3"),
        (vec![filter("day", Between, &["2024-01-01", "2024-01-02"])], "1 2"),
        (vec![filter("at", Gte, &["2024-01-02 12:00"])], "2 3"),
        (vec![filter("at", Eq, &["2024-01-02T13:00:00+01:00"])], "2"),
        (vec![boolean("open", true)], "1 3"),
        (vec![boolean("open", false)], "2"),
        (vec![filter("ref", Eq, &["A0EEBC999C0B4EF8BB6D6BB9BD380A11"])], "1"),
        (vec![filter("mood", Eq, &["ok"])], "2 3"),
        (vec![filter("mood", Gt, &["sad"])], "2 3"),
        (vec![boolean("open", true), number("id", Gt, &["1"])], "3"),
    ];
    for (filters, expected) in cases {
        let rows = database.filtered("t", &filters).await.unwrap();
        assert_eq!(rows.column("id").join(" "), expected, "{filters:?}");
        let (_, first) = peek(&database.uri("t"), &filters, 10).await.unwrap();
        assert_eq!(first, rows.rows, "{filters:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_becomes_sql() {
    let database = Database::with(TABLE).await;
    let hostile = [
        "'; DROP TABLE t; --",
        "' OR '1'='1",
        "\\'; DROP TABLE t; --",
        "\\",
        "$$; DROP TABLE t; $$",
        "x') TO PROGRAM 'touch /tmp/kalla' --",
        "%L %I %s $1",
        "\u{2019}; '' \" ` \n \r \t ;",
        "E'\\x27'",
    ];
    for text in hostile {
        for op in [FilterOp::Eq, FilterOp::In] {
            let rows = database.filtered("t", &[filter("name", op, &[text])]).await.unwrap();
            assert!(rows.rows.is_empty(), "{text}");
        }
        database.client.execute("INSERT INTO t (id, name) VALUES (77, $1)", &[&text]).await.unwrap();
        let rows = database.filtered("t", &[filter("name", FilterOp::Eq, &[text])]).await.unwrap();
        assert_eq!((rows.column("id"), rows.column("name")), (vec!["77"], vec![text]));
        let rows = database.filtered("t", &[filter("name", FilterOp::Contains, &[text])]).await.unwrap();
        assert!(rows.column("id").contains(&"77"), "{text}");
        database.run("DELETE FROM t WHERE id = 77").await;
    }
    assert_eq!(database.texts("SELECT count(*)::text FROM t").await, ["4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_filters_is_told_at_once() {
    use FilterOp::*;
    let database = Database::with(TABLE).await;
    let cases = [
        (filter("amont", Eq, &["1"]), "there is no column `amont`: did you mean `amount`?"),
        (
            filter("zzz", Eq, &["1"]),
            "there is no column `zzz`: there are 13, among them `id`, `amount`, `rate`, `name`, `code`, `short`, `day`, `at`, `open`, `ref`, `mood` and `doc`",
        ),
        (filter("amount", Eq, &["ten"]), "column `amount`: invalid input syntax for type numeric: \"ten\""),
        (
            filter("id", Eq, &["1; DROP TABLE t"]),
            "column `id`: invalid input syntax for type numeric: \"1; DROP TABLE t\"",
        ),
        (filter("day", Gt, &["2024-13-01"]), "column `day`: date/time field value out of range: \"2024-13-01\""),
        (filter("ref", Eq, &["x"]), "column `ref`: invalid input syntax for type uuid: \"x\""),
        (filter("mood", Eq, &["grumpy"]), "column `mood`: invalid input value for enum mood: \"grumpy\""),
        (filter("doc", Eq, &["{}"]), "column `doc` of type json cannot be compared like this"),
        (number("name", Gt, &["9"]), "column `name` is text: write the value as text, \"9\""),
        (boolean("name", true), "column `name` is text, not boolean: true is no value of it"),
        (filter("id", Between, &["1"]), "column `id`: 2 value(s) expected, 1 given"),
        (filter("name", Like, &["x\\"]), "column `name`: the pattern ends with a backslash that escapes nothing"),
        (filter("name", Eq, &["a\0b"]), "column `name`: no text in Postgres holds a NUL character"),
    ];
    let (filters, messages): (Vec<Filter>, Vec<&str>) = cases.into_iter().unzip();
    let Err(Error::Invalid(violations)) = database.filtered("t", &filters).await else { panic!("accepted") };
    assert_eq!(violations.iter().map(|v| v.message.as_str()).collect::<Vec<_>>(), messages);
    assert_eq!(violations[3].field, "bank.filters[3]");
}
