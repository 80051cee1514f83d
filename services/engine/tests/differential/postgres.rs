//! Random expressions and joins, answered by the engine and by Postgres: the same, or a refusal of ours.
//!
//! `KALLA_EXPRESSIONS` says how many are tried (3000), `KALLA_DIFFERENTIAL_SEED` with which seed (1).

use std::fmt::Write as _;
use std::path::Path;

use kalla_engine::Error;
use kalla_engine::job::{ColumnType, Job, Limits, ReadOptions, ResultFormat, Source, SourceUri};
use kalla_engine::location::Location;
use kalla_engine::progress::Progress;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use crate::answer;
use crate::expression::{Expression, Kind, expression};
use crate::forms;
use crate::random::Random;

const ROWS: i64 = 24;
/// How statements begin whose rows are pairs, one row of each side.
const PAIRS: &str = "SELECT l.id, r.id AS rid";
/// Expressions that are asked together.
const TOGETHER: usize = 10;
/// Differences that are printed.
const SHOWN: usize = 12;

/// Name, type here, type there, and values besides NULL.
const COLUMNS: [(&str, ColumnType, &str, &[&str]); 12] = [
    ("i", ColumnType::Integer, "bigint", &["0", "1", "-1", "2", "3", "-3", "7", "100"]),
    ("k", ColumnType::Integer, "bigint", &["0", "1", "2", "-2", "5"]),
    (
        "big",
        ColumnType::Integer,
        "bigint",
        &["9223372036854775807", "-9223372036854775808", "4611686018427387904", "5"],
    ),
    (
        "a",
        ColumnType::Decimal { precision: 18, scale: 2 },
        "numeric(18,2)",
        &["0.00", "0.01", "-0.01", "10.00", "-10.55", "0.05", "2.50", "1234567.89"],
    ),
    (
        "b",
        ColumnType::Decimal { precision: 18, scale: 4 },
        "numeric(18,4)",
        &["0.0000", "0.0050", "-0.0050", "10.0000", "3.3333", "0.9999", "-2.5000"],
    ),
    (
        "wide",
        ColumnType::Decimal { precision: 38, scale: 2 },
        "numeric(38,2)",
        &["999999999999999999999999999999999999.99", "-999999999999999999999999999999999999.99", "1.00"],
    ),
    ("t", ColumnType::Text, "text COLLATE \"C\"", &["a", "A", "abc", "b ", " b", "7", "10", "A_c%"]),
    ("u", ColumnType::Text, "text COLLATE \"C\"", &["a", "b", "ab", "%", "zz"]),
    ("f", ColumnType::Boolean, "boolean", &["true", "false"]),
    ("d", ColumnType::Date, "date", &["2024-02-29", "2024-03-01", "1969-12-31", "2023-12-31"]),
    (
        "s",
        ColumnType::Timestamp,
        "timestamp",
        &[
            "2024-02-29 00:00:00",
            "2024-02-29 23:59:59.5",
            "1969-12-31 12:30:15",
            "2024-03-01 06:00:00.123456",
            "2023-12-31 18:20:00",
        ],
    ),
    (
        "x",
        ColumnType::Float,
        "double precision",
        &["0", "0.1", "1.005", "-2.25", "2.5", "100", "1e20", "1.5e-7", "123456789.125", "0.285", "1e15"],
    ),
];

type Table = Vec<Vec<Option<&'static str>>>;

fn table(random: &mut Random) -> Table {
    (0..ROWS).map(|_| COLUMNS.map(|(.., values)| (!random.chance(18)).then(|| random.pick(values))).to_vec()).collect()
}

#[test]
fn agrees_with_postgres() {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |v| v.parse().unwrap());
    let (wanted, seed) = (setting("KALLA_EXPRESSIONS", 3000), setting("KALLA_DIFFERENTIAL_SEED", 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut random = Random::new(seed);
    let tables = [table(&mut random), table(&mut random)];
    let oracle = runtime.block_on(Oracle::start(&tables));
    let directory = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for asked in forms() {
        let refused = tally.refused;
        runtime.block_on(ask(&asked, &oracle, &tables, directory.path(), &mut tally));
        assert!(tally.refused == refused, "refused: {}", asked.ours);
    }
    let wanted = wanted + tally.asked;
    while tally.asked < wanted {
        if random.chance(40) {
            let asked = match random.below(10) {
                0..=3 => correlated(&mut random),
                4..=5 => statistic(&mut random),
                _ => join(&mut random),
            };
            runtime.block_on(ask(&asked, &oracle, &tables, directory.path(), &mut tally));
            continue;
        }
        let asked: Vec<Asked> = (0..TOGETHER).map(|_| value(&mut random)).collect();
        let together = together(&asked);
        // One that fails fails all: then each is asked by itself.
        if !runtime.block_on(agree(&together, &oracle, &tables, directory.path())) {
            for one in &asked {
                runtime.block_on(ask(one, &oracle, &tables, directory.path(), &mut tally));
            }
        } else {
            tally.asked += asked.len() as u64;
            tally.same += asked.len() as u64;
        }
    }
    let Tally { asked, same, refused, differences } = tally;
    for difference in differences.iter().take(SHOWN) {
        eprintln!("{difference}");
    }
    eprintln!("{asked} asked: {same} the same, {refused} refused");
    assert!(differences.is_empty(), "{} of {asked} differ", differences.len());
    // Two that both refuse agree about nothing.
    assert!(same * 10 > asked * 7, "too few are answered");
}

/// What people write and no grammar makes up.
fn forms() -> Vec<Asked> {
    let values = forms::VALUES.iter().map(|(kind, form)| asked(vec![(Expression::atom(form), *kind)]));
    let statements = forms::STATEMENTS.iter().map(|(kinds, sql)| Asked {
        items: Vec::new(),
        ours: (*sql).to_owned(),
        theirs: (*sql).to_owned(),
        kinds: kinds.to_vec(),
    });
    values.chain(statements).collect()
}

#[derive(Default)]
struct Tally {
    asked: u64,
    same: u64,
    refused: u64,
    differences: Vec<String>,
}

/// A statement for both, and what its columns are.
struct Asked {
    items: Vec<(Expression, Kind)>,
    ours: String,
    theirs: String,
    kinds: Vec<Kind>,
}

fn value(random: &mut Random) -> Asked {
    let kind = random.pick(&[
        Kind::Flag,
        Kind::Flag,
        Kind::Integer,
        Kind::Decimal,
        Kind::Decimal,
        Kind::Text,
        Kind::Date,
        Kind::Moment,
    ]);
    let depth = random.below(4) + 1;
    let expression = expression(random, kind, depth);
    asked(vec![(expression, kind)])
}

fn asked(items: Vec<(Expression, Kind)>) -> Asked {
    let list = |text: fn(&Expression) -> &str| {
        let numbered = items.iter().enumerate().map(|(at, (item, _))| format!(", {} AS e{at}", text(item)));
        numbered.collect::<String>()
    };
    let from = "FROM left_src l JOIN right_src r ON l.id = r.id";
    let ours = format!("SELECT l.id{} {from}", list(|item| &item.ours));
    let theirs = format!("SELECT l.id{} {from}", list(|item| &item.theirs));
    let kinds = std::iter::once(Kind::Integer).chain(items.iter().map(|(_, kind)| *kind)).collect();
    Asked { items, ours, theirs, kinds }
}

fn together(all: &[Asked]) -> Asked {
    asked(all.iter().flat_map(|one| one.items.clone()).collect())
}

/// Rows that are brought together by a random condition, or by keys and then chosen.
fn join(random: &mut Random) -> Asked {
    let depth = random.below(3) + 1;
    let condition = expression(random, Kind::Flag, depth);
    let chosen = expression(random, Kind::Flag, depth);
    let kind = random.pick(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN"]);
    let listed = random.pick(&[
        "l.t IN (SELECT x.t FROM right_src x)",
        "l.t NOT IN (SELECT x.u FROM right_src x)",
        "l.k NOT IN (SELECT x.k FROM right_src x WHERE x.f)",
    ]);
    let exists = random.pick(&["EXISTS", "NOT EXISTS"]);
    let write = |condition: &str, chosen: &str, form: usize| {
        match form {
        0 => format!("{PAIRS} FROM left_src l {kind} right_src r ON {condition}"),
        1 => format!("{PAIRS} FROM left_src l {kind} right_src r ON l.k = r.k WHERE {chosen}"),
        2 => format!("{PAIRS} FROM left_src l FULL JOIN right_src r ON l.k = r.k WHERE {chosen}"),
        3 => format!("{PAIRS} FROM left_src l JOIN right_src r ON l.id = r.id WHERE {listed}"),
        4 => format!("{PAIRS} FROM left_src l JOIN right_src r ON l.id = r.id WHERE {exists} (SELECT 1 FROM right_src x WHERE x.k = l.k AND x.f)"),
        5 => format!("SELECT k AS id, l.id AS rid FROM left_src l FULL JOIN right_src r USING (k) WHERE {chosen}"),
        6 => "SELECT l.k AS id, CAST(sum(r.i) AS bigint) AS rid FROM left_src l JOIN right_src r ON l.k = r.k GROUP BY l.k".to_owned(),
        _ => format!("{PAIRS} FROM left_src l JOIN right_src r ON l.u = r.u AND {condition}"),
    }
    };
    let form = random.below(8);
    Asked {
        items: Vec::new(),
        ours: write(&condition.ours, &chosen.ours, form),
        theirs: write(&condition.theirs, &chosen.theirs, form),
        kinds: vec![Kind::Integer, Kind::Integer],
    }
}

/// Rows that are chosen by a subquery that refers to them.
fn correlated(random: &mut Random) -> Asked {
    const FROM: [(&str, &[&str]); 7] = [
        ("right_src x", &["x"]),
        ("left_src x", &["x"]),
        ("right_src x JOIN left_src y ON x.k = y.k", &["x", "y"]),
        ("left_src x JOIN left_src y ON x.u = y.u AND x.id < y.id", &["x", "y"]),
        ("right_src x LEFT JOIN left_src y ON x.k = y.k AND y.f", &["x", "y"]),
        ("right_src x, left_src y", &["x", "y"]),
        ("(SELECT id, i AS k, k AS i, t, u, d FROM right_src WHERE f) x", &["x"]),
    ];
    let (from, names) = random.pick(&FROM);
    let conditions = (0..=random.below(3)).map(|_| {
        let (inner, outer) = (random.pick(names), random.pick(&["l", "r"]));
        let column = random.pick(&["id", "k", "i", "t", "u", "d"]);
        let compared = random.pick(&["=", "=", "=", "=", "<", "<>", ">=", "IS NOT DISTINCT FROM"]);
        format!("{inner}.{column} {compared} {outer}.{column}")
    });
    let conditions = conditions.collect::<Vec<_>>().join(" AND ");
    let inside = format!("FROM {from} WHERE {conditions}");
    let name = random.pick(names);
    let chosen = match random.below(6) {
        0 | 1 => format!("EXISTS (SELECT 1 {inside})"),
        2 => format!("NOT EXISTS (SELECT 1 {inside})"),
        3 => format!("l.k IN (SELECT {name}.i AS k {inside})"),
        4 => format!("(SELECT count(*) {inside}) > 1"),
        _ => format!("l.i <= (SELECT max({name}.i) AS id {inside})"),
    };
    let pairs = format!("{PAIRS} FROM left_src l");
    let sql = match random.below(5) {
        0 => format!("{pairs} JOIN right_src r ON l.k = r.k AND {chosen}"),
        1 => format!("{pairs} JOIN right_src r ON l.id = r.id WHERE {chosen}"),
        2 => format!("{pairs} LEFT JOIN right_src r ON l.k = r.k WHERE {chosen}"),
        3 => format!("{pairs} JOIN right_src r ON l.k = r.k AND l.u = r.u WHERE {chosen} AND NOT l.f"),
        _ => format!(
            "SELECT l.id, q.k AS rid FROM left_src l JOIN right_src r ON l.id = r.id LEFT JOIN LATERAL (SELECT count(*) AS k {inside}) q ON TRUE"
        ),
    };
    Asked { items: Vec::new(), ours: sql.clone(), theirs: sql, kinds: vec![Kind::Integer, Kind::Integer] }
}

/// Pairs beside statistics of a side, which say which of them are chosen: none of the statistic's other rows is behind a pair.
fn statistic(random: &mut Random) -> Asked {
    let (side, table) = random.pick(&[("l", "left_src"), ("r", "right_src")]);
    let statistic = random.pick(&[
        "SELECT k, min(id) AS first, count(*) AS n FROM {table} GROUP BY k",
        "SELECT k, max(id) AS first, sum(i) AS n FROM {table} WHERE f OR t IS NULL GROUP BY k",
        "SELECT DISTINCT k, 3 AS first, i AS n FROM {table}",
        "SELECT k, min(first) AS first, count(*) AS n FROM (SELECT k, u, max(id) AS first FROM {table} GROUP BY k, u) x GROUP BY k",
        "SELECT k, min(id) AS first, count(*) AS n FROM (SELECT k, id FROM left_src UNION ALL SELECT k, id FROM right_src) x GROUP BY k",
        "SELECT k, min(id) AS first, rank() OVER (ORDER BY count(*)) AS n FROM {table} GROUP BY k",
        "SELECT q.k, max(q.id) AS first, count(*) AS n FROM {table} q JOIN right_src s ON q.k = s.k GROUP BY q.k",
    ]);
    let statistic = statistic.replace("{table}", table);
    let join = random.pick(&["JOIN", "JOIN", "LEFT JOIN"]);
    let more = random.pick(&["", " AND g.first = {side}.id", " AND g.first <= {side}.id", " AND g.n > 1"]);
    let chosen = format!("{join} ({statistic}) g ON g.k = {side}.k{}", more.replace("{side}", side));
    let pairs = random.pick(&[PAIRS, "SELECT DISTINCT l.id, r.id AS rid"]);
    let sql = match random.below(4) {
        0 if side == "l" => format!("{pairs} FROM left_src l {chosen} JOIN right_src r ON l.u = r.u"),
        0 | 1 => format!("{pairs} FROM left_src l JOIN right_src r ON l.u = r.u {chosen}"),
        2 => format!(
            "WITH g AS ({statistic}) {pairs} FROM g JOIN left_src l ON g.k = l.k JOIN right_src r ON l.u = r.u JOIN g h ON h.k = r.k AND h.n >= g.n"
        ),
        _ => format!(
            "{pairs} FROM left_src l, right_src r, ({statistic}) g WHERE l.u = r.u AND g.k = l.k AND g.first <> r.id"
        ),
    };
    Asked { items: Vec::new(), ours: sql.clone(), theirs: sql, kinds: vec![Kind::Integer, Kind::Integer] }
}

async fn agree(asked: &Asked, oracle: &Oracle, tables: &[Table; 2], directory: &Path) -> bool {
    match (ours(asked, tables, directory).await, oracle.answer(asked).await) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => false,
    }
}

async fn ask(asked: &Asked, oracle: &Oracle, tables: &[Table; 2], directory: &Path, tally: &mut Tally) {
    tally.asked += 1;
    let difference = match (ours(asked, tables, directory).await, oracle.answer(asked).await) {
        (Ok(ours), Ok(theirs)) if ours == theirs => {
            tally.same += 1;
            return;
        }
        (Err(Error::Invalid(_) | Error::Sql(_)), _) => {
            tally.refused += 1;
            if std::env::var("KALLA_SHOW_REFUSED").is_ok() {
                let error = ours(asked, tables, directory).await.unwrap_err();
                eprintln!("refused: {}\n    {error}", asked.ours);
            }
            return;
        }
        (Ok(_), Err(error)) => {
            format!("Postgres refuses: {error}")
        }
        (Err(error), _) => format!("the engine fails: {error}: {:?}", error.causes()),
        (Ok(ours), Ok(theirs)) => {
            let mut text = String::new();
            for row in ours.iter().filter(|row| !theirs.contains(row)).take(3) {
                writeln!(text, "  only here:  {row:?}").unwrap();
            }
            for row in theirs.iter().filter(|row| !ours.contains(row)).take(3) {
                writeln!(text, "  only there: {row:?}").unwrap();
            }
            format!("{} rows here, {} there\n{text}", ours.len(), theirs.len())
        }
    };
    tally.differences.push(format!("\n=== {}\n    {}\n{difference}", asked.ours, asked.theirs));
}

type Answer = Vec<Vec<Option<String>>>;

async fn ours(asked: &Asked, tables: &[Table; 2], directory: &Path) -> Result<Answer, Error> {
    let source = |alias: &str, table: &Table| {
        let path = directory.join(format!("{alias}.csv"));
        if !path.exists() {
            std::fs::write(&path, csv(table)).unwrap();
        }
        let types = COLUMNS.iter().map(|(name, column_type, ..)| ((*name).to_owned(), *column_type)).collect();
        Source {
            alias: alias.to_owned(),
            uri: SourceUri::File(Location::Local(path)),
            filters: Vec::new(),
            primary_key: vec!["id".to_owned()],
            options: ReadOptions { delimiter: Some(b','), quote: Some(Some(b'"')), types, ..ReadOptions::default() },
        }
    };
    let output = directory.join("out");
    let job = Job {
        run_id: "oracle".to_owned(),
        attempt: 1,
        payload_sha256: None,
        left: source("left_src", &tables[0]),
        right: source("right_src", &tables[1]),
        extras: Vec::new(),
        match_sql: asked.ours.clone(),
        compare: None,
        output: Location::Local(output.clone()),
        keep_staged: false,
        sync: false,
        format: ResultFormat::Parquet,
        limits: Limits { threads: 1, ..Limits::default() },
    };
    let _ = std::fs::remove_dir_all(&output);
    let (progress, _) = tokio::sync::watch::channel(Progress::default());
    kalla_engine::reconcile(job, progress, CancellationToken::new()).await?;
    let rows = answer::matched(&output);
    if asked.ours.contains(&PAIRS["SELECT ".len()..]) {
        let behind = |id: &Option<String>| id.iter().map(|id| id[2..].parse::<i64>().unwrap() - 1).collect::<Vec<_>>();
        for row in &rows {
            let pair = (behind(&row.values[0]), behind(&row.values[1]));
            assert_eq!(
                (&row.left, &row.right),
                (&pair.0, &pair.1),
                "other rows behind {:?}: {}",
                row.values,
                asked.ours
            );
        }
    }
    let mut rows: Answer = rows.into_iter().map(|row| row.values).collect();
    rows.sort();
    Ok(rows)
}

fn csv(table: &Table) -> String {
    let names: Vec<&str> = std::iter::once("id").chain(COLUMNS.iter().map(|(name, ..)| *name)).collect();
    let mut text = names.join(",") + "\n";
    for (row, id) in table.iter().zip(1..) {
        let values: Vec<String> = row.iter().map(|value| value.map_or(String::new(), |v| format!("\"{v}\""))).collect();
        writeln!(text, "{id},{}", values.join(",")).unwrap();
    }
    text
}

struct Oracle(Client);

impl Oracle {
    async fn start(tables: &[Table; 2]) -> Self {
        let uri = std::env::var("KALLA_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        let (client, connection) = tokio_postgres::connect(&uri, NoTls)
            .await
            .unwrap_or_else(|e| panic!("this test needs a Postgres server (KALLA_TEST_POSTGRES): {e:?}"));
        tokio::spawn(connection);
        for (name, table) in ["left_src", "right_src"].into_iter().zip(tables) {
            let columns: String = COLUMNS.iter().map(|(name, _, kind, _)| format!(", {name} {kind}")).collect();
            let mut sql = format!("CREATE TEMP TABLE {name} (id bigint{columns}); ");
            for (row, id) in table.iter().zip(1..) {
                let values = row.iter().map(|value| value.map_or(", NULL".to_owned(), |v| format!(", '{v}'")));
                write!(sql, "INSERT INTO {name} VALUES ({id}{}); ", values.collect::<String>()).unwrap();
            }
            client.batch_execute(&sql).await.unwrap();
        }
        Self(client)
    }

    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let messages = self.0.simple_query(&asked.theirs).await;
        let messages = messages.map_err(|e| e.as_db_error().map_or(e.to_string(), |db| db.message().to_owned()))?;
        let mut rows = Answer::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let value = |(at, kind): (usize, &Kind)| row.get(at).map(|text| shown(*kind, text));
                rows.push(asked.kinds.iter().enumerate().map(value).collect());
            }
        }
        rows.sort();
        Ok(rows)
    }
}

/// As answers of the engine are shown.
fn shown(kind: Kind, text: &str) -> String {
    let text = match kind {
        Kind::Integer | Kind::Decimal => answer::number(text),
        Kind::Flag => if text == "t" { "true" } else { "false" }.to_owned(),
        Kind::Text | Kind::Date | Kind::Moment => text.to_owned(),
    };
    format!("{}:{text}", kind.letter())
}
