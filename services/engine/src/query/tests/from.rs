//! What a FROM gives to `*`, and lists in it.

use super::*;

/// Statements with stars, the names that columns of theirs get, and how many columns there are.
#[tokio::test]
async fn stars_name_columns_apart() {
    const FROM: &str = "FROM invoices i JOIN payments p ON i.invoice_id = p.reference_number";
    let both: &[&str] = &["`p.currency` is `right_currency`", "`p.account` is `right_account`"];
    let cases: &[(&str, &[&str], usize)] = &[
        ("SELECT i.*, p.* {FROM}", both, 18),
        ("SELECT * {FROM}", both, 18),
        ("SELECT p.*, i.* {FROM}", &["`i.currency` is `left_currency`", "`i.account` is `left_account`"], 18),
        (
            "SELECT * FROM left_src, right_src WHERE left_src.invoice_id = right_src.reference_number",
            &["`right_src.currency` is `right_currency`"],
            18,
        ),
        ("SELECT i.*, f.* FROM invoices i JOIN fx f ON i.currency = f.currency", &["`f.currency` is `f_currency`"], 11),
        ("SELECT i.*, p.currency AS paid_in, p.account AS into {FROM}", &[], 11),
        ("SELECT p.currency, i.*, p.account AS right_account {FROM}", &["`i.currency` is `left_currency`"], 11),
        ("SELECT i.currency AS right_currency, i.*, p.* {FROM}", &["`p.currency` is `right_right_currency`"], 19),
        ("SELECT i.*, p.* EXCLUDE (account) {FROM}", &["`p.currency` is `right_currency`"], 17),
        ("SELECT i.currency, i.* {FROM}", &["given once"], 9),
        ("SELECT * FROM (SELECT i.*, p.* {FROM}) x WHERE right_account > 1", both, 18),
        (
            "WITH m AS (SELECT * {FROM}), n AS (SELECT m.*, f.* FROM m JOIN fx f ON m.right_currency = f.currency) SELECT n.amount, n.f_currency FROM n",
            &["`p.currency` is `right_currency`", "`f.currency` is `f_currency`"],
            2,
        ),
        ("SELECT * {FROM} UNION ALL SELECT i.*, p.* {FROM} WHERE i.amount > 1", both, 18),
        ("SELECT * FROM invoices JOIN payments USING (currency)", &["`payments.account` is `right_account`"], 17),
        (
            "SELECT m.*, p.* FROM (SELECT account, currency FROM invoices) m JOIN payments p ON m.currency = p.currency",
            &["`p.account` is `right_account`"],
            11,
        ),
        (
            "SELECT p.*, m.* FROM (SELECT account, currency FROM invoices) m JOIN payments p ON m.currency = p.currency",
            &["`m.account` is `m_account`"],
            11,
        ),
        (
            "SELECT i.amount {FROM} WHERE NOT EXISTS (SELECT * FROM invoices x JOIN payments y ON x.currency = y.currency WHERE x.invoice_id = i.invoice_id)",
            &[],
            1,
        ),
    ];
    let (ctx, tables) = (context(Joins::Hashed), tables());
    for (sql, said, columns) in cases {
        let sql = sql.replace("{FROM}", FROM);
        let planned = plan(&ctx, &sql, &tables).await.unwrap_or_else(|e| panic!("{sql}\n{e}"));
        let notes = planned.notes.join("\n");
        assert!(said.iter().all(|word| notes.contains(word)) && notes.is_empty() == said.is_empty(), "{sql}\n{notes}");
        assert_eq!(planned.plan.schema().fields().len(), *columns, "{sql}");
    }
}

#[tokio::test]
async fn lists_of_a_table_are_taken_apart_in_select() {
    const WAY: &str = "and no WITH ORDINALITY: write it in the SELECT list of a subquery, as in JOIN (SELECT id, unnest(string_to_array(name, ' ')) AS word FROM left_src) w ON …";
    let column =
        |place: u32| format!("unnest in FROM takes no column of another table at line 1, column {place} {WAY}");
    refused(&[
        ("SELECT i.amount, u.t FROM invoices i, unnest(string_to_array(i.customer, ' ')) AS u(t)", &column(62)),
        ("SELECT i.amount, u.t FROM invoices i CROSS JOIN LATERAL unnest(string_to_array(i.customer, ' ')) AS u(t)", &column(80)),
        ("SELECT i.amount, u.t FROM invoices i CROSS JOIN LATERAL (SELECT unnest(string_to_array(i.customer, ' ')) AS t) u", &column(88)),
        ("SELECT u.t, u.n FROM unnest([1, 2]) WITH ORDINALITY AS u(t, n)", &format!("unnest in FROM takes no column of another table {WAY}")),
        ("SELECT i.amount, regexp_split_to_table(i.customer, ' ') AS t FROM invoices i", "there is no function `regexp_split_to_table` at line 1, column 18: write unnest(string_to_array(text, ' '))"),
        ("SELECT i.amount, u.t FROM invoices i CROSS JOIN unnest([1, 2]) AS u(t)", ""),
        ("SELECT w.word FROM (SELECT unnest(string_to_array(customer, ' ')) AS word FROM invoices) w", ""),
    ])
    .await;
}
