#![allow(clippy::unwrap_used)]

mod from;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;

use super::facts::SIDES;
use super::{Joins, Suspects, TableInfo, physical_plan, plan, session, touched_columns};
use crate::error::Error;
use crate::job::Limits;
use crate::stage::ColumnNote;

fn table(alias: &str, columns: &[(&str, DataType)], notes: &[(&str, &str)]) -> TableInfo {
    let fields: Vec<Field> = columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
    let note = |(column, note): &(&str, &str)| ColumnNote { column: (*column).to_owned(), note: (*note).to_owned() };
    TableInfo {
        alias: alias.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        notes: notes.iter().map(note).collect(),
    }
}

fn tables() -> Vec<TableInfo> {
    let money = || DataType::Decimal128(18, 2);
    vec![
        table(
            "invoices",
            &[
                ("invoice_id", DataType::Utf8),
                ("customer", DataType::Utf8),
                ("amount", money()),
                ("invoice_date", DataType::Date32),
                ("currency", DataType::Utf8),
                ("account", DataType::Utf8),
                ("discount", DataType::Utf8),
                ("weight", DataType::Float64),
                ("paid", DataType::Boolean),
            ],
            &[
                ("account", "text because of the leading zero of `007` in line 2"),
                ("discount", "text because of `N/A` in line 812"),
            ],
        ),
        table(
            "payments",
            &[
                ("payment_id", DataType::Int64),
                ("reference_number", DataType::Utf8),
                ("paid_amount", money()),
                ("payment_date", DataType::Date32),
                ("booked_at", DataType::Timestamp(TimeUnit::Microsecond, None)),
                ("currency", DataType::Utf8),
                ("account", DataType::Int64),
                ("fee", DataType::Float64),
                ("Bank Code", DataType::Utf8),
            ],
            &[],
        ),
        table("fx", &[("currency", DataType::Utf8), ("rate", DataType::Decimal128(18, 6))], &[]),
    ]
}

fn limits() -> Limits {
    Limits { threads: 2, ..Limits::default() }
}

fn register(ctx: &SessionContext, name: &str, schema: &SchemaRef) {
    let batch = RecordBatch::new_empty(Arc::clone(schema));
    let table = MemTable::try_new(Arc::clone(schema), vec![vec![batch]]).unwrap();
    ctx.register_table(name, Arc::new(table)).unwrap();
}

fn context(joins: Joins) -> SessionContext {
    let ctx = session(&limits(), joins).unwrap();
    let tables = tables();
    for table in &tables {
        register(&ctx, &table.alias, &table.schema);
    }
    for (side, table) in SIDES.iter().zip(&tables) {
        register(&ctx, side, &table.schema);
    }
    ctx
}

/// The messages that refuse `sql`, one a line; empty when it is planned.
async fn refusal(sql: &str) -> String {
    match plan(&context(Joins::Hashed), sql, &tables()).await {
        Ok(_) => String::new(),
        Err(Error::Invalid(violations)) => {
            assert!(violations.iter().all(|v| v.field == "match_sql"));
            violations.into_iter().map(|v| v.message).collect::<Vec<_>>().join("\n")
        }
        Err(other) => panic!("{sql}: {other}"),
    }
}

async fn refused(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (sql, expected) in cases {
        let got = refusal(sql).await;
        if got != *expected {
            wrong.push_str(&format!("\n  {sql}\n    expected: {expected}\n    got:      {got}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The start of a statement that joins the two sides.
macro_rules! joined {
    ($rest:literal) => {
        concat!("SELECT i.invoice_id, p.payment_id FROM invoices i JOIN payments p ON ", $rest)
    };
}

#[tokio::test]
async fn ordinary_statements_are_planned() {
    refused(&[
        (joined!("i.invoice_id = p.reference_number AND tolerance_match(i.amount, p.paid_amount, 0.02)"), ""),
        (joined!("i.invoice_id = p.reference_number WHERE i.amount > 10 AND i.amount < 10.5 AND p.fee <> 0.1"), ""),
        (joined!("date_within(i.invoice_date, p.booked_at, 3) AND similarity(i.customer, p.\"Bank Code\") > 0.9"), ""),
        (joined!("tolerance_pct(i.amount, p.fee, 2) AND i.weight = p.fee AND i.amount < p.fee"), ""),
        (joined!("i.account = CAST(p.account AS VARCHAR) AND i.invoice_date = CAST(p.booked_at AS DATE)"), ""),
        (joined!("i.invoice_date = '2024-01-31' AND p.booked_at >= '2024-01-31 10:00:00' AND i.amount = '10.50'"), ""),
        (joined!("i.invoice_date BETWEEN '2024-01-01' AND DATE '2024-12-31' AND p.payment_id IN (1, 2, NULL)"), ""),
        (joined!("(i.amount IS NOT DISTINCT FROM p.paid_amount) AND i.paid = TRUE"), ""),
        (joined!("i.amount * 2 - 1.5 = p.paid_amount + p.account"), ""),
        ("SELECT l.invoice_id FROM left_src l JOIN right_src r ON l.invoice_id = r.reference_number ORDER BY 1 LIMIT 5;", ""),
        ("-- a comment\nSELECT a.amount FROM invoices a CROSS JOIN payments b /* ; */", ""),
        (
            "WITH best AS (SELECT i.invoice_id AS id, p.payment_id AS pid, row_number() OVER (PARTITION BY p.payment_id \
             ORDER BY i.amount) AS n FROM invoices i JOIN payments p ON i.invoice_id = p.reference_number) \
             SELECT id, pid FROM best WHERE n = 1 UNION ALL SELECT invoice_id, payment_id FROM invoices, payments \
             WHERE amount = paid_amount AND NOT EXISTS (SELECT 1 FROM best WHERE best.id = invoices.invoice_id)",
            "",
        ),
        (
            "SELECT i.invoice_id, sum(p.paid_amount) AS total FROM invoices i JOIN payments p ON i.invoice_id = \
             p.reference_number GROUP BY i.invoice_id, i.amount HAVING sum(p.paid_amount) = i.amount",
            "",
        ),
        ("SELECT i.invoice_id, fx.rate FROM invoices i JOIN fx USING (currency) JOIN payments p ON true", ""),
        ("SELECT g.value, i.amount FROM invoices i, generate_series(1, 3) AS g", ""),
        ("SELECT i.amount FROM invoices i WHERE i.invoice_id IN (SELECT reference_number FROM payments)", ""),
        ("SELECT coalesce(i.discount, 'none') AS d, nullif(i.amount, 0) AS a, i.customer || i.amount AS c FROM invoices i", ""),
    ])
    .await;
}

#[tokio::test]
async fn only_one_query_over_the_tables_is_allowed() {
    let starts = |word: &str| {
        format!(
            "`{word}` at line 1, column 1 does not start a query: match_sql has to be one SELECT, which may begin with WITH"
        )
    };
    for sql in [
        "DROP TABLE invoices",
        "CREATE TABLE x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION 'x.csv'",
        "INSERT INTO invoices SELECT * FROM invoices",
        "UPDATE invoices SET amount = 0",
        "DELETE FROM invoices",
        "COPY invoices TO 'x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "DESCRIBE invoices",
        "CALL something()",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "SELCT 1",
        "42",
    ] {
        let word = sql.split(' ').next().unwrap();
        assert_eq!(refusal(sql).await, starts(word), "{sql}");
    }
    refused(&[
        ("", "the SQL is empty: it has to be one SELECT that joins the two sides"),
        (" ;; -- nothing\n", "the SQL is empty: it has to be one SELECT that joins the two sides"),
        ("SELECT 1;\n  SELECT 2", "a second statement starts at line 2, column 3: match_sql has to be one SELECT"),
        ("SELECT 1; DROP TABLE x", "a second statement starts at line 1, column 11: match_sql has to be one SELECT"),
        (
            "WITH a AS (SELECT 1) INSERT INTO invoices SELECT * FROM a",
            "`INSERT` at line 1, column 22 changes data: match_sql only reads",
        ),
        ("SELECT amount INTO copy FROM invoices", "SELECT INTO `copy` would write a table: match_sql only reads"),
        ("SELECT FROM WHERE", "the SQL cannot be read at line 1, column 13: expected an expression, found: FROM"),
        ("SELECT amount\nFROM invoices WHERE (amount = 1", "the SQL cannot be read: expected: ), found: EOF"),
        ("SELECT 'abc", "the SQL cannot be read at line 1, column 8: unterminated string literal"),
        (
            "SELECT amount AS __kalla_x FROM invoices",
            "the name `__kalla_x` at line 1, column 18 is reserved: choose one that does not start with `__kalla_`",
        ),
        ("SELECT @secret AS s", "`@secret` at line 1, column 8 is a variable: there are none"),
    ])
    .await;
}

#[tokio::test]
async fn other_tables_do_not_exist() {
    const TABLES: &str = "`invoices`, `payments`, `fx`, `left_src` and `right_src`";
    let file = |name: &str| {
        format!(
            "{name}{place} is no table: match_sql reads only {TABLES}; add the file as a source of the job",
            // The parser gives no place for a name in single quotes.
            place = if name.starts_with('"') { " at line 1, column 15" } else { "" }
        )
    };
    for name in ["'x.csv'", "'s3://bucket/x.parquet'", "'invoices'", "\"/etc/passwd\"", "\"x.parquet\""] {
        assert_eq!(refusal(&format!("SELECT * FROM {name}")).await, file(name), "{name}");
    }
    for name in ["information_schema.tables", "public.invoices", "a.b.c"] {
        let expected =
            format!("unknown table `{name}` at line 1, column 15: the tables are {TABLES}, each by its bare name");
        assert_eq!(refusal(&format!("SELECT * FROM {name}")).await, expected);
    }
    refused(&[
        (
            "SELECT *\nFROM invoces",
            "unknown table `invoces` at line 2, column 6: did you mean `invoices`? The tables are `invoices`, `payments`, `fx`, `left_src` and `right_src`",
        ),
        (
            "SELECT * FROM invoices, ledger, Paymens",
            "unknown table `ledger` at line 1, column 25: the tables are `invoices`, `payments`, `fx`, `left_src` and `right_src`\n\
             unknown table `Paymens` at line 1, column 33: did you mean `payments`? The tables are `invoices`, `payments`, `fx`, `left_src` and `right_src`",
        ),
        ("SELECT * FROM read_csv('x.csv')", "the table function `read_csv` at line 1, column 15 is not allowed: there are `generate_series`, `range` and `unnest`"),
        ("SELECT * FROM invoices TABLESAMPLE (10 PERCENT)", "`invoices TABLESAMPLE (10 PERCENT)` at line 1, column 15: tables are read whole; use WHERE instead"),
        ("SELECT x.amount FROM invoices i", "unknown table `x` in `x.amount` at line 1, column 8: the tables here are `i`"),
        ("SELECT invoices.amount FROM invoices i", "unknown table `invoices` in `invoices.amount` at line 1, column 8: the tables here are `i`"),
        ("SELECT inv.amount FROM invoices invo, payments", "unknown table `inv` in `inv.amount` at line 1, column 8: did you mean `invo.amount`?"),
    ])
    .await;
}

#[tokio::test]
async fn names_are_checked_with_their_places() {
    refused(&[
        (
            "SELECT i.amount\nFROM invoices i JOIN payments p\n  ON        i.invoce_id = p.reference_number",
            "unknown column `i.invoce_id` at line 3, column 13: did you mean `i.invoice_id`?",
        ),
        ("SELECT amont FROM invoices", "unknown column `amont` at line 1, column 8: did you mean `invoices.amount`?"),
        ("SELECT i.amount FROM invoices i WHERE i.paid_amount > 1", "unknown column `i.paid_amount` at line 1, column 39: did you mean `i.amount`?"),
        (joined!("i.reference_number = p.reference_number"), "unknown column `i.reference_number` at line 1, column 70: did you mean `p.reference_number`?"),
        ("SELECT p.bank_code FROM payments p", "unknown column `p.bank_code` at line 1, column 8: did you mean `p.\"Bank Code\"`?"),
        ("SELECT f.zzz FROM fx f", "unknown column `f.zzz` at line 1, column 8: the columns are `currency` and `rate`"),
        ("SELECT amount FROM invoices GROUP BY amoun", "unknown column `amoun` at line 1, column 38: did you mean `invoices.amount`?"),
        ("SELECT amount FROM invoices ORDER BY amout", "unknown column `amout` at line 1, column 38: did you mean `invoices.amount`?"),
        (
            "SELECT amount FROM invoices i WHERE EXISTS (SELECT 1 FROM payments p WHERE p.paid_amount = i.amoun)",
            "unknown column `i.amoun` at line 1, column 92: did you mean `i.amount`?",
        ),
        (joined!("i.invoice_id = p.reference_number WHERE currency = 'EUR'"), "the column `currency` at line 1, column 110 is in more than one table: write one of `i.currency` and `p.currency`"),
        (joined!("tolerence_match(i.amount, p.paid_amount, 0.02)"), "unknown function `tolerence_match` at line 1, column 70: did you mean `tolerance_match`?"),
        ("SELECT qqqqqqqq(amount) FROM invoices", "unknown function `qqqqqqqq` at line 1, column 8"),
        (joined!("tolerance_match(i.amount, p.paid_amount)"), "tolerance_match takes 3 arguments (a number, a number, a number of at least 0), not 2 at line 1, column 70"),
        ("SELECT random() AS r, amount FROM invoices", "`random` at line 1, column 8 gives another answer each time: a match must not depend on it"),
    ])
    .await;
}

#[tokio::test]
async fn output_columns_have_names_of_their_own() {
    refused(&[
        (
            "SELECT i.currency, p.currency FROM invoices i JOIN payments p ON i.invoice_id = p.reference_number",
            "`i.currency` and `p.currency` would both be named `currency` in the results: give one of them another name, as in `p.currency AS p_currency`",
        ),
        (
            "SELECT i.currency, p.currency, f.* FROM invoices i JOIN payments p ON i.invoice_id = p.reference_number JOIN fx f ON i.currency = f.currency",
            "`i.currency` and `p.currency` would both be named `currency` in the results: give one of them another name, as in `p.currency AS p_currency`",
        ),
        ("SELECT amount, amount FROM invoices", "two columns of a SELECT would both be `invoices.amount`: give one of them another name with AS"),
        ("SELECT amount AS _left_row FROM invoices", "the column name `_left_row` at line 1, column 18 is reserved for row numbers: give it another name with AS"),
        ("SELECT amount AS _row, paid AS _right_row FROM invoices", "the column name `_row` at line 1, column 18 is reserved for row numbers: give it another name with AS\n\
             the column name `_right_row` at line 1, column 32 is reserved for row numbers: give it another name with AS"),
    ])
    .await;
}

#[tokio::test]
async fn text_is_never_converted_silently() {
    refused(&[
        (
            joined!("i.account = p.account"),
            "`i.account` at line 1, column 70 is text because of the leading zero of `007` in line 2, and `p.account` at line 1, column 82 is a number: write CAST(i.account AS BIGINT) to compare numbers or CAST(p.account AS VARCHAR) to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            joined!("p.paid_amount < i.discount"),
            "`i.discount` at line 1, column 86 is text because of `N/A` in line 812, and `p.paid_amount` at line 1, column 70 is a number: write TRY_CAST(i.discount AS DECIMAL(38,10)) to compare numbers or CAST(p.paid_amount AS VARCHAR) to compare text, where TRY_CAST gives NULL for `N/A`, as the option nulls=N/A of the source would",
        ),
        (
            "SELECT amount FROM invoices WHERE account = 7",
            "`invoices.account` at line 1, column 35 is text because of the leading zero of `007` in line 2, and `7` is a number: write CAST(invoices.account AS BIGINT) to compare numbers or '7' to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT amount FROM invoices WHERE account IN ('1', 7)",
            "`invoices.account` at line 1, column 35 is text because of the leading zero of `007` in line 2, and `7` is a number: write CAST(invoices.account AS BIGINT) to compare numbers or '7' to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT amount FROM invoices WHERE customer BETWEEN 1 AND 'z'",
            "`invoices.customer` at line 1, column 35 is text, and `1` is a number: write CAST(invoices.customer AS BIGINT) to compare numbers or '1' to compare text, or set the type of `customer` in source `invoices`",
        ),
        (
            "SELECT i.amount FROM invoices i WHERE i.account IN (SELECT p.account FROM payments p)",
            "`i.account` at line 1, column 39 is text because of the leading zero of `007` in line 2, and `p.account` at line 1, column 60 is a number: write CAST(i.account AS BIGINT) to compare numbers or CAST(p.account AS VARCHAR) to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT amount, paid_amount FROM invoices JOIN payments USING (account)",
            "`invoices.account` at line 1, column 63 is text because of the leading zero of `007` in line 2, and `payments.account` at line 1, column 63 is a number: write CAST(invoices.account AS BIGINT) to compare numbers or CAST(payments.account AS VARCHAR) to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT account FROM left_src INTERSECT SELECT account FROM right_src",
            "`left_src.account` at line 1, column 8 is text because of the leading zero of `007` in line 2, and `right_src.account` at line 1, column 8 is a number: write CAST(left_src.account AS BIGINT) to compare numbers or CAST(right_src.account AS VARCHAR) to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT CASE i.account WHEN 7 THEN 1 ELSE 0 END AS c FROM invoices i",
            "`i.account` at line 1, column 13 is text because of the leading zero of `007` in line 2, and `7` is a number: write CAST(i.account AS BIGINT) to compare numbers or '7' to compare text, or set the type of `account` in source `invoices`",
        ),
        (
            "SELECT account FROM invoices UNION ALL SELECT account FROM payments",
            "column 1 of the UNION (`account`) is text in one part and is a number in another: CAST one of them",
        ),
        (
            joined!("i.invoice_date = p.reference_number"),
            "`p.reference_number` at line 1, column 87 is text, and `i.invoice_date` at line 1, column 70 is a date: write CAST(p.reference_number AS DATE) to compare dates or CAST(i.invoice_date AS VARCHAR) to compare text, or set the type of `reference_number` in source `payments`",
        ),
        (
            joined!("i.invoice_date = '2024-02-30'"),
            "`i.invoice_date` at line 1, column 70 is a date, and '2024-02-30' is not a value of DATE: a date is written 'YYYY-MM-DD'",
        ),
        (joined!("i.amount = 'abc'"), "`i.amount` at line 1, column 70 is a number, and 'abc' is not a value of DECIMAL(18,2): a number is written without quotes"),
        (joined!("i.amount = '1.005'"), "`i.amount` at line 1, column 70 is a number, and '1.005' is not a value of DECIMAL(18,2): a number is written without quotes"),
        (joined!("i.paid = 'maybe'"), "`i.paid` at line 1, column 70 is a boolean, and 'maybe' is not a value of BOOLEAN: a boolean is TRUE or FALSE"),
        (joined!("i.paid = 1"), "`i.paid` at line 1, column 70 is a boolean and `1` is a number: they cannot be compared; CAST one of them"),
        (joined!("i.invoice_date = i.amount"), "`i.invoice_date` at line 1, column 70 is a date and `i.amount` at line 1, column 87 is a number: they cannot be compared; CAST one of them"),
        (
            joined!("i.amount = i.discount * 2"),
            "`i.discount` at line 1, column 81 is text because of `N/A` in line 812, and `*` needs numbers: write TRY_CAST(i.discount AS DECIMAL(38,10)), where TRY_CAST gives NULL for `N/A`, as the option nulls=N/A of the source would",
        ),
        (
            "SELECT amount + discount AS net FROM invoices",
            "`invoices.discount` at line 1, column 17 is text because of `N/A` in line 812, and `+` needs numbers: write TRY_CAST(invoices.discount AS DECIMAL(38,10)), where TRY_CAST gives NULL for `N/A`, as the option nulls=N/A of the source would",
        ),
        (joined!("i.amount LIKE '1%'"), "`i.amount` at line 1, column 70 is a number, and LIKE needs text: write CAST(i.amount AS VARCHAR)"),
        (
            "WITH x AS (SELECT account AS a FROM invoices) SELECT x.a FROM x JOIN payments p ON x.a = p.account",
            "`x.a` at line 1, column 84 is text, and `p.account` at line 1, column 90 is a number: write CAST(x.a AS BIGINT) to compare numbers or CAST(p.account AS VARCHAR) to compare text",
        ),
        ("SELECT nullif(account, 7) AS a FROM invoices", "`invoices.account` at line 1, column 15 is text because of the leading zero of `007` in line 2, and `7` is a number: write CAST(invoices.account AS BIGINT) to compare numbers or '7' to compare text, or set the type of `account` in source `invoices`"),
    ])
    .await;
}

#[tokio::test]
async fn equality_of_days_and_times_is_refused() {
    refused(&[
        (joined!("i.amount = p.fee AND p.account = i.weight"), ""),
        (
            joined!("i.invoice_date = p.booked_at"),
            "`i.invoice_date` at line 1, column 70 is a date and `p.booked_at` at line 1, column 87 is a timestamp, equal at midnight only: write CAST(p.booked_at AS DATE) or date_within(i.invoice_date, p.booked_at, 1)",
        ),
    ])
    .await;
}

#[tokio::test]
async fn arguments_of_our_functions_are_checked() {
    refused(&[
        (
            joined!("tolerance_match(p.paid_amount, i.discount, 0.02)"),
            "tolerance_match: the second argument `i.discount` at line 1, column 101 is text because of `N/A` in line 812; it has to be a number: write TRY_CAST(i.discount AS DECIMAL(38,10)), where TRY_CAST gives NULL for `N/A`, as the option nulls=N/A of the source would",
        ),
        (
            "SELECT tolerance_pct(i.invoice_date, i.amount, 2) AS ok FROM invoices i",
            "tolerance_pct: the first argument `i.invoice_date` at line 1, column 22 is a date; it has to be a number: write date_within(a, b, days) for dates",
        ),
        (joined!("tolerance_match(i.amount, p.paid_amount, -0.02)"), "tolerance_match: the third argument `-0.02` is negative; it has to be 0 or more"),
        (joined!("tolerance_match(i.amount, p.paid_amount, '0.02')"), "tolerance_match: the third argument '0.02' is text; it has to be a number of at least 0: write it as one"),
        (joined!("date_within(i.invoice_date, '2024-01-01', 3)"), "date_within: the second argument '2024-01-01' is text; it has to be a date or timestamp: write DATE '2024-01-01'"),
        (joined!("date_within(i.invoice_date, p.payment_date, 1.5)"), "date_within: the third argument `1.5` is a number; it has to be a whole number of days: write it as one"),
        (joined!("date_within(i.invoice_date, p.payment_date, -1)"), "date_within: the third argument `-1` is negative; it has to be 0 or more"),
        (joined!("similarity(i.customer, p.payment_id) > 0.9"), "similarity: the second argument `p.payment_id` at line 1, column 93 is a number; it has to be text: write CAST(p.payment_id AS VARCHAR)"),
        (
            "SELECT sum(discount) AS s FROM invoices",
            "sum takes numbers, not text: CAST it, as in CAST(x AS DECIMAL(38,10)) at line 1, column 8",
        ),
    ])
    .await;
}

async fn shape(joins: Joins, sql: &str) -> String {
    let ctx = context(joins);
    let logical = plan(&ctx, sql, &tables()).await.unwrap().plan;
    let physical = physical_plan(&ctx, &logical).await.unwrap();
    displayable(physical.as_ref()).indent(false).to_string()
}

#[tokio::test]
async fn joins_are_planned_as_intended() {
    let keyed = joined!("i.invoice_id = p.reference_number AND tolerance_match(i.amount, p.paid_amount, 0.02)");
    let hashed = shape(Joins::Hashed, keyed).await;
    assert!(hashed.contains("HashJoinExec") && hashed.contains("on=[(invoice_id@0, reference_number@1)]"), "{hashed}");
    assert!(hashed.contains("filter=tolerance_match(amount@") && !hashed.contains("NestedLoop"), "{hashed}");

    let sorted = shape(Joins::Sorted, keyed).await;
    assert!(sorted.contains("SortMergeJoin") && sorted.contains("tolerance_match(amount@"), "{sorted}");
    let one_thread = session(&Limits { threads: 1, ..limits() }, Joins::Sorted).unwrap();
    assert_eq!(one_thread.state().config().target_partitions(), 2);

    let loose = shape(Joins::Hashed, joined!("tolerance_match(i.amount, p.paid_amount, 0.02)")).await;
    assert!(loose.contains("NestedLoopJoinExec"), "{loose}");
}

#[tokio::test]
async fn only_the_columns_that_a_statement_reads_are_touched() {
    let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<String>>();
    let ctx = context(Joins::Hashed);
    for (sql, expected) in [
        (
            joined!("i.invoice_id = p.reference_number AND tolerance_match(i.amount, p.paid_amount, 0.02)"),
            [names(&["amount", "invoice_id"]), names(&["paid_amount", "payment_id", "reference_number"]), names(&[])],
        ),
        (
            "SELECT l.customer FROM left_src l JOIN (SELECT * FROM right_src) r ON l.invoice_id = r.reference_number \
             WHERE l.invoice_date > '2024-01-01' AND EXISTS (SELECT 1 FROM fx WHERE fx.currency = l.currency)",
            [
                names(&["currency", "customer", "invoice_date", "invoice_id"]),
                names(&["reference_number"]),
                names(&["currency"]),
            ],
        ),
        ("SELECT count(*) AS n FROM invoices", [names(&[]), names(&[]), names(&[])]),
    ] {
        let logical = plan(&ctx, sql, &tables()).await.unwrap().plan;
        assert_eq!(
            touched_columns(&ctx, &logical, &tables(), &Suspects::default(), &Limits::default()).unwrap(),
            expected,
            "{sql}"
        );
    }
}

#[test]
fn the_way_of_joining_follows_the_memory() {
    let limits = |memory: u64| Limits { memory, threads: 1, ..Limits::default() };
    assert_eq!(Joins::choose(&limits(4 << 30), 1_000_000, 48), Joins::Hashed);
    assert_eq!(Joins::choose(&limits(1 << 30), 9_500_000, 48), Joins::Sorted);
}
