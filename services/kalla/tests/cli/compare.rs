//! `--compare`: what columns of rows that match differ in. Cases whose counts are stated by the tests of datacompy and of
//! dbt-audit-helper, which people come from.

use serde_json::Value;

use super::{kalla, tables, text};

/// Of a column: its name on the left, then equal, within, different, missing on the left, missing on the right.
type Column<'a> = (&'a str, [u64; 5]);

fn manifest(left: &str, right: &str, args: &[&str]) -> (Option<i32>, Value) {
    let dir = tables(left, right);
    let args = [&["reconcile", "left.csv", "right.csv", "--json"], args].concat();
    let output = kalla(dir.path(), &args);
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), manifest)
}

/// `matches`: how many there are, and those that differ.
fn check(name: &str, [left, right]: [&str; 2], args: &[&str], matches: [u64; 2], expected: &[Column<'_>]) {
    let (code, manifest) = manifest(left, right, args);
    let found = &manifest["differences"];
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let columns: Vec<(&str, [u64; 5])> = found["columns"]
        .as_array()
        .unwrap_or_else(|| panic!("{name}: {manifest}"))
        .iter()
        .map(|column| {
            let counts = ["equal", "within", "different", "missing_left", "missing_right"];
            (column["left"].as_str().unwrap(), counts.map(|count| number(&column[count])))
        })
        .collect();
    assert_eq!(columns, expected, "{name}");
    assert_eq!([number(&found["matches"]), number(&found["differing"])], matches, "{name}");
    let counts = &manifest["counts"];
    let open = number(&counts["unmatched_left_count"]) + number(&counts["unmatched_right_count"]);
    let differs = open > 0 || matches[1] > 0 || found.get("only_left").or(found.get("only_right")).is_some();
    assert_eq!(code, Some(i32::from(differs)), "{name}");
}

/// Six accounts a side, five of them on both.
const ACCOUNTS: [&str; 2] = [
    "acct_id,dollar_amt,name,float_fld,date_fld\n\
     10000001234,123.45,George Maharis,14530.1555,2017-01-01\n\
     10000001235,0.45,Michael Bluth,1,2017-01-01\n\
     10000001236,1345,George Bluth,,2017-01-01\n\
     10000001237,123456,Bob Loblaw,345.12,2017-01-01\n\
     10000001238,1.05,Lucille Bluth,2,2017-01-01\n\
     10000001239,1.05,Gob Bluth,3,2017-01-01\n",
    "acct_id,dollar_amt,name,float_fld,date_fld\n\
     10000001234,123.4,George Michael Bluth,14530.155,2018-01-01\n\
     10000001235,0.45,Michael Bluth,,2018-01-01\n\
     10000001236,1345,George Bluth,1,2018-01-01\n\
     10000001237,123456,Robert Loblaw,345.12,2018-01-01\n\
     10000001238,1.05,Lucille Bluth,2,2017-01-01\n\
     10000001240,1.05,Loose Seal Bluth,111,2017-01-01\n",
];

const NUMBERS: [&str; 2] = ["k,v\n1,1\n2,2\n3,3\n4,4\n5,\n6,\n", "k,v\n1,1\n2,2.1\n3,4\n4,\n5,4\n6,\n"];

const TEXTS: [&str; 2] = [
    "k,v\n1,Hi\n2,Yo\n3,Hey\n4,résumé\n5,résumé\n6,💩\n7,💩\n8,\" \"\n9,\"  \"\n10,datacompy\n11,something\n12,\n13,\n",
    "k,v\n1,Hi\n2,Yo\n3,\"Hey \"\n4,resume\n5,résumé\n6,💩\n7,🤔\n8,\" \"\n9,\"       \"\n10,DataComPy\n11,\n12,something\n13,\n",
];

const DECIMALS: [&str; 2] = [
    "k,v\n1,1\n2,1.3\n3,1.000003\n4,1.000000004\n5,1.3\n6,\n7,\n8,1\n",
    "k,v\n1,1\n2,1.3\n3,1.000003\n4,1.000000003\n5,1.2\n6,\n7,1\n8,\n",
];

#[test]
fn counts_per_column_are_those_of_datacompy() {
    let on = ["--on", "k", "--compare"];
    let with = |more: &[&'static str]| [&on[..], more].concat();
    for (name, data, args, matches, columns) in [
        ("numbers, NULL equals NULL", NUMBERS, with(&["--tolerance", "v:0.2"]), [6, 3], [("v", [2, 1, 1, 1, 1])]),
        ("numbers, by percent", NUMBERS, with(&["--tolerance", "v:20%"]), [6, 3], [("v", [2, 1, 1, 1, 1])]),
        ("texts as they are", TEXTS, with(&[]), [13, 7], [("v", [6, 0, 5, 1, 1])]),
        ("texts without outer blanks", TEXTS, with(&["--compare=v~trim"]), [13, 5], [("v", [6, 2, 3, 1, 1])]),
        ("texts in any case", TEXTS, with(&["--compare=v~trim,case"]), [13, 4], [("v", [6, 3, 2, 1, 1])]),
        ("decimals", DECIMALS, with(&[]), [8, 4], [("v", [4, 0, 2, 1, 1])]),
        ("decimals that are near", DECIMALS, with(&["--tolerance", "*:0.001"]), [8, 3], [("v", [4, 1, 1, 1, 1])]),
        ("decimals and floats", DECIMALS, with(&["--right-type", "v=float"]), [8, 4], [("v", [4, 0, 2, 1, 1])]),
        (
            "infinity",
            ["k,v\n1,inf\n2,-inf\n3,-inf\n4,inf\n5,1\n6,1\n", "k,v\n1,inf\n2,-inf\n3,inf\n4,-inf\n5,1\n6,0\n"],
            with(&[]),
            [6, 3],
            [("v", [3, 0, 3, 0, 0])],
        ),
        (
            "references of 34 digits",
            ["k,v\n1,1234567890123456789012345678901234\n", "k,v\n1,1234567890123456789012345678901235\n"],
            with(&[]),
            [1, 1],
            [("v", [0, 0, 1, 0, 0])],
        ),
        (
            "a date beside a text with blanks",
            ["k,v\n1,2017-01-01\n2,2017-01-02\n3,2017-10-01\n", "k,v\n1,2017-01-01\n2,2017-01-02   \n3,10/10/2017\n"],
            with(&[]),
            [3, 1],
            [("v", [2, 0, 1, 0, 0])],
        ),
    ] {
        check(name, data, &args, matches, &columns);
    }
    check(
        "six accounts",
        ACCOUNTS,
        &["--on", "acct_id", "--compare"],
        [5, 4],
        &[
            ("dollar_amt", [4, 0, 1, 0, 0]),
            ("name", [3, 0, 2, 0, 0]),
            ("float_fld", [2, 0, 1, 1, 1]),
            ("date_fld", [1, 0, 4, 0, 0]),
        ],
    );
    check(
        "some of the columns",
        ACCOUNTS,
        &["--on", "acct_id", "--compare=dollar_amt", "--tolerance", "float_fld:0.001"],
        [5, 3],
        &[("dollar_amt", [4, 0, 1, 0, 0]), ("float_fld", [2, 1, 0, 1, 1])],
    );
    check(
        "all but some",
        ACCOUNTS,
        &["--on", "acct_id", "--compare", "--except", "date_fld,name", "--tolerance", "*:0.05"],
        [5, 2],
        &[("dollar_amt", [4, 1, 0, 0, 0]), ("float_fld", [2, 1, 0, 1, 1])],
    );
    check(
        "a tolerance of its own for one column, another one for the rest",
        ["k,a,b\n1,1,1\n2,2,2\n3,3,3\n", "k,a,b\n1,1.1,1.1\n2,2.2,2.2\n3,3.3,3.3\n"],
        &["--on", "k", "--compare", "--tolerance", "a:0.3", "--tolerance", "*:0.05"],
        [3, 3],
        &[("a", [0, 3, 0, 0, 0]), ("b", [0, 0, 3, 0, 0])],
    );
    check("no rows", ["k,v\n", "k,v\n"], &["--on", "k", "--compare"], [0, 0], &[("v", [0, 0, 0, 0, 0])]);
}

/// Rows of one key: the first with the first.
#[test]
fn duplicates_are_paired_in_their_order() {
    for (name, left, right, on, matches, equal, open) in [
        ("2 and 2", "k,v\n1,a\n1,b\n", "k,v\n1,a\n1,b\n", "k", 2, 2, [0, 0]),
        ("2 and 1", "k,v\n1,a\n1,b\n", "k,v\n1,a\n", "k", 1, 1, [1, 0]),
        ("3 and 2", "k,v\n1,a\n1,b\n1,c\n2,x\n", "k,v\n1,a\n1,c\n2,x\n", "k", 3, 2, [1, 0]),
        ("keys without a value", "k,v\n,a\n,b\n", "k,v\n,a\n,b\n", "k?", 2, 2, [0, 0]),
        ("rows that are the same", "k,v\n1,a\n1,a\n", "k,v\n1,a\n1,a\n", "k", 2, 2, [0, 0]),
        ("blanks in keys", "k,v\n\" 1\",a\n1,b\n", "k,v\n1,a\n\"1 \",b\n", "k~trim", 2, 2, [0, 0]),
    ] {
        let (code, found) = manifest(left, right, &["--on", on, "--numbered", "--compare"]);
        let counts = &found["counts"];
        let of = ["matched_count", "unmatched_left_count", "unmatched_right_count"].map(|field| counts[field].as_u64());
        assert_eq!(of, [matches, open[0], open[1]].map(Some), "{name}");
        assert_eq!(found["differences"]["columns"][0]["equal"], equal, "{name}");
        assert_eq!(code, Some(i32::from(matches != equal || open != [0, 0])), "{name}");
        assert!(found.get("multiple_left").is_none(), "{name}");
    }
}

/// audit-helper's classification of columns: equal, conflicting, and NULL on one side; NULL on both sides is equal here.
#[test]
fn columns_are_classified_as_by_audit_helper() {
    let left = "id,fruit,ripeness\n1,apple,ripe\n2,banana,\n3,orange,green\n4,kiwi,ripe\n5,,ripe\n6,fig,ripe\n7,plum,ripe\n8,lime,ripe\n";
    let right = "id,ripeness,fruit,color\n1,ripe,apple,red\n2,ripe,banana,red\n3,ripe,peach,red\n4,,kiwi,red\n5,ripe,pear,red\n\
                 6,ripe,,red\n9,ripe,pear,red\n";
    let (code, found) = manifest(left, right, &["--on", "id", "--compare"]);
    let differences = &found["differences"];
    let counts = |column: usize| {
        ["equal", "different", "missing_left", "missing_right"]
            .map(|field| differences["columns"][column][field].as_u64().unwrap())
    };
    assert_eq!((counts(0), counts(1)), ([3, 1, 1, 1], [3, 1, 1, 1]));
    let counted = &found["counts"];
    assert_eq!(
        ["matched_count", "unmatched_left_count", "unmatched_right_count"].map(|field| counted[field].as_u64()),
        [6, 2, 1].map(Some)
    );
    assert_eq!(
        (code, &differences["only_right"], &differences["reordered"]),
        (Some(1), &"[\"color\"]".parse::<Value>().unwrap(), &Value::Bool(true))
    );
    assert!(differences.get("only_left").is_none());
    // A column of one side alone is a difference; left out, it is none.
    let (left, right) = ("id,a\n1,x\n", "id,a,b\n1,x,y\n");
    assert_eq!(manifest(left, right, &["--on", "id", "--compare"]).0, Some(1));
    assert_eq!(manifest(left, right, &["--on", "id", "--compare", "--except", "b"]).0, Some(0));
}

#[test]
fn the_report_and_the_matched_rows() {
    let dir = tables(ACCOUNTS[0], ACCOUNTS[1]);
    let output = kalla(dir.path(), &["reconcile", "left.csv", "right.csv", "--on", "acct_id", "--compare"]);
    let report = text(&output.stdout);
    for line in [
        "✗ left and right differ: 4 matches with other values; 1 of 6 rows of left is open (1.05); 1 of 6 rows of right is open (1.05)",
        "columns     equal  different  not in left  not in right  at most apart",
        "date_fld        1          4            0             0       365 days",
        "dollar_amt      4          1            0             0           0.05",
        "The first differences, left | right",
        "  name        10000001237  Bob Loblaw      Robert Loblaw",
    ] {
        assert!(report.lines().any(|found| found.trim_end() == line), "{line}\n{report}");
    }
    let rows = |filter: &str| {
        let args = ["results", "kalla-out", "matched", "--where", filter, "--json"];
        let found: Value = serde_json::from_slice(&kalla(dir.path(), &args).stdout).unwrap();
        found["total"].as_u64()
    };
    assert_eq!(rows("_differs contains name"), Some(2));
    assert_eq!(rows("_differs contains nam"), Some(0));
    assert_eq!(rows("_differs is null"), Some(1));
}

#[test]
fn what_cannot_be_compared_is_told_of_its_flag() {
    let dir = tables("id,amount,day\n1,5.00,2026-01-01\n", "id,amount,paid\n1,5,x\n");
    for (args, told) in [
        (&["--compare=amuont"] as &[&str], "--compare: unknown column `l.amuont`: did you mean `l.amount`?"),
        (&["--compare", "--except", "payd"], "--except: there is no column `payd`: did you mean `paid`?"),
        (
            &["--compare", "--tolerance", "amount=paid:1"],
            "--compare: `left.amount` and `right.paid`: a tolerance is between two numbers, and one is a number and one is text",
        ),
        (&["--compare=id~shout"], "shout"),
        (&["--compare=*=paid"], "unknown column"),
        (&["--compare", "--except", "amount"], "--compare: there is nothing to compare"),
        (&["--tolerance", "*:1"], "--tolerance: `*` stands for the columns that are compared: add --compare"),
    ] {
        let args = [&["reconcile", "left.csv", "right.csv", "--on", "id"], args].concat();
        let output = kalla(dir.path(), &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(told), "{told}\n{}", text(&output.stderr));
    }
    for (sql, told) in [
        (
            "SELECT l.id, l.amount FROM left_src l JOIN right_src r ON l.id = r.id",
            "match_sql does not give `right.amount`, which is to be compared: add it to the SELECT",
        ),
        (
            "SELECT l.*, r.amount AS _differs FROM left_src l JOIN right_src r ON l.id = r.id",
            "match_sql: the column name `_differs` is that of the columns that differ",
        ),
        (
            "SELECT l.* FROM left_src l WHERE EXISTS (SELECT 1 FROM right_src r WHERE r.id = l.id)",
            "rows of `right` are followed by key: columns are compared where both sides are in a JOIN",
        ),
    ] {
        let args = ["reconcile", "left.csv", "right.csv", "--sql", sql, "--right-key", "id", "--compare"];
        let output = kalla(dir.path(), &args);
        assert!(text(&output.stderr).contains(told), "{told}\n{}", text(&output.stderr));
    }
}

/// A recipe compares what its SQL gives, a sum with a value too.
#[test]
fn recipes_compare() {
    let dir = tables("id,ref,amount\n1,a,5.00\n2,a,6.00\n3,b,1.00\n", "id,ref,amount\n1,a,11.00\n2,b,1.50\n");
    let recipe = "recipe_id: r\nname: R\nmatch_sql: |\n  SELECT r.ref, sum(l.amount) AS amount, r.amount AS billed FROM left_src l\n  \
                  JOIN right_src r ON l.ref = r.ref GROUP BY r.ref, r.id, r.amount\ncompare:\n  - {left: amount, tolerance: 0.10}\n\
                  sources:\n  left: {alias: l, type: file}\n  right: {alias: r, type: file}\n";
    std::fs::write(dir.path().join("r.yaml"), recipe).unwrap();
    let check = kalla(dir.path(), &["check", "r.yaml", "left.csv", "right.csv", "--json"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
    let output = kalla(dir.path(), &["reconcile", "--recipe", "r.yaml", "left.csv", "right.csv", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let column = &found["differences"]["columns"][0];
    assert_eq!((&column["equal"], &column["different"], &column["largest"]), (&1.into(), &1.into(), &"0.50".into()));
    assert_eq!(column["examples"][0]["key"], "[\"b\"]".parse::<Value>().unwrap());
    let wrong = recipe.replace("tolerance: 0.10", "tolerence: 0.10").replace("left: amount", "left: amuont");
    std::fs::write(dir.path().join("wrong.yaml"), wrong).unwrap();
    let output = kalla(dir.path(), &["reconcile", "--recipe", "wrong.yaml", "left.csv", "right.csv"]);
    let told = "compare[0].tolerence: there is no such field: did you mean `tolerance`?";
    assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
}

/// A key of one pass is a column like any other in the next.
#[test]
fn what_only_one_pass_sets_equal_is_compared() {
    let (left, right) = ("id,name\n1,Ann\n2,Bo\n", "id,name\n1,Ann\n2,Bob\n");
    let pass = |name: &str| {
        format!("SELECT l.*, r.* FROM left_src l JOIN right_src r ON l.id = r.id AND l.name {name} r.name")
    };
    for (sql, expected) in [
        (format!("{} UNION ALL {}", pass("="), pass("<>")), &[("name", [1, 0, 1, 0, 0])][..]),
        (format!("SELECT * FROM ({} UNION ALL {}) x", pass("<>"), pass("=")), &[("name", [1, 0, 1, 0, 0])]),
    ] {
        check("passes", [left, right], &["--sql", &sql, "--compare"], [2, 1], expected);
    }
}
