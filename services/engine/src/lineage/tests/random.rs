//! Random recipes over random tables against nested loops: the same visible rows, the same rows behind each of them.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;

/// A relation with the columns `k` (nullable) and `v`.
#[derive(Debug, Clone)]
enum Recipe {
    Left,
    Right,
    /// `a.k = b.k`; the outer kinds fill with NULLs.
    Join(Kind, Box<Recipe>, Box<Recipe>),
    /// All rows of both, without and with duplicates.
    Union(bool, Box<Recipe>, Box<Recipe>),
    /// Rows with `v < n`.
    Filter(i64, Box<Recipe>),
    Distinct(Box<Recipe>),
    /// Groups of at least `n` rows by `k`, `v` their count.
    Group(i64, Box<Recipe>),
    /// Rows of the first whose `k` is not among those of the second.
    NotExists(Box<Recipe>, Box<Recipe>),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    k: Option<i64>,
    v: i64,
    left: Behind,
    right: Behind,
}

/// What is behind a row of one side: rows, or where there are none, groups of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Behind {
    rows: BTreeSet<i64>,
    grouped: BTreeSet<i64>,
}

impl Behind {
    fn row(number: i64) -> Self {
        Self { rows: [number].into(), grouped: BTreeSet::new() }
    }

    fn beside(&self, other: &Self) -> Self {
        let rows: BTreeSet<i64> = &self.rows | &other.rows;
        let grouped = if rows.is_empty() { &self.grouped | &other.grouped } else { BTreeSet::new() };
        Self { rows, grouped }
    }

    fn all(&self) -> BTreeSet<i64> {
        &self.rows | &self.grouped
    }
}

/// The two tables: each row a nullable key and a value.
type Tables = (Vec<(Option<i64>, i64)>, Vec<(Option<i64>, i64)>);

impl Recipe {
    fn sql(&self, names: &mut usize) -> String {
        *names += 1;
        let n = *names;
        match self {
            Self::Left => "SELECT k, v FROM invoices".to_owned(),
            Self::Right => "SELECT k, v FROM payments".to_owned(),
            Self::Join(kind, a, b) => {
                let kind = format!("{kind:?}").to_uppercase();
                let (a, b) = (a.sql(names), b.sql(names));
                format!(
                    "SELECT coalesce(a{n}.k, b{n}.k) AS k, (coalesce(a{n}.v, 0) + 2 * coalesce(b{n}.v, 0)) % 5 AS v \
                     FROM ({a}) a{n} {kind} JOIN ({b}) b{n} ON a{n}.k = b{n}.k"
                )
            }
            Self::Union(all, a, b) => {
                let (a, b) = (a.sql(names), b.sql(names));
                format!(
                    "SELECT k, v FROM ({a}) a{n} UNION {} SELECT k, v FROM ({b}) b{n}",
                    if *all { "ALL" } else { "" }
                )
            }
            Self::Filter(less, a) => format!("SELECT k, v FROM ({}) a{n} WHERE v < {less}", a.sql(names)),
            Self::Distinct(a) => format!("SELECT DISTINCT k, v FROM ({}) a{n}", a.sql(names)),
            Self::Group(least, a) => {
                format!("SELECT k, count(*) AS v FROM ({}) a{n} GROUP BY k HAVING count(*) >= {least}", a.sql(names))
            }
            Self::NotExists(a, b) => {
                let (a, b) = (a.sql(names), b.sql(names));
                format!("SELECT k, v FROM ({a}) a{n} WHERE NOT EXISTS (SELECT 1 FROM ({b}) b{n} WHERE b{n}.k = a{n}.k)")
            }
        }
    }

    fn rows(&self, tables: &Tables) -> Vec<Row> {
        match self {
            Self::Left => {
                (0..).zip(&tables.0).map(|(n, row)| Row::of(*row, Behind::row(n), Behind::default())).collect()
            }
            Self::Right => {
                (0..).zip(&tables.1).map(|(n, row)| Row::of(*row, Behind::default(), Behind::row(n))).collect()
            }
            Self::Join(kind, a, b) => join(*kind, &a.rows(tables), &b.rows(tables)),
            Self::Union(true, a, b) => [a.rows(tables), b.rows(tables)].concat(),
            Self::Union(false, a, b) => merge([a.rows(tables), b.rows(tables)].concat(), |row| (row.k, row.v)),
            Self::Filter(less, a) => a.rows(tables).into_iter().filter(|row| row.v < *less).collect(),
            Self::Distinct(a) => merge(a.rows(tables), |row| (row.k, row.v)),
            Self::Group(least, a) => {
                let rows = a.rows(tables);
                let count = |k| i64::try_from(rows.iter().filter(|row| row.k == k).count()).unwrap();
                let groups = merge(rows.clone(), |row| (row.k, 0));
                groups.into_iter().map(|g| Row { v: count(g.k), ..g }).filter(|g| g.v >= *least).collect()
            }
            Self::NotExists(a, b) => {
                let refused = b.rows(tables);
                let meets = |row: &Row| refused.iter().any(|r| row.k.is_some() && r.k == row.k);
                a.rows(tables).into_iter().filter(|row| !meets(row)).collect()
            }
        }
    }
}

impl Row {
    fn of((k, v): (Option<i64>, i64), left: Behind, right: Behind) -> Self {
        Self { k, v, left, right }
    }
}

fn join(kind: Kind, a: &[Row], b: &[Row]) -> Vec<Row> {
    let pair = |a: Option<&Row>, b: Option<&Row>| {
        let either = [a, b].into_iter().flatten();
        Row {
            k: either.clone().find_map(|row| row.k),
            v: (a.map_or(0, |row| row.v) + 2 * b.map_or(0, |row| row.v)) % 5,
            left: either.clone().fold(Behind::default(), |all, row| all.beside(&row.left)),
            right: either.fold(Behind::default(), |all, row| all.beside(&row.right)),
        }
    };
    let meet = |a: &Row, b: &Row| a.k.is_some() && a.k == b.k;
    let mut rows = Vec::new();
    for x in a {
        rows.extend(b.iter().filter(|y| meet(x, y)).map(|y| pair(Some(x), Some(y))));
    }
    if matches!(kind, Kind::Left | Kind::Full) {
        rows.extend(a.iter().filter(|x| !b.iter().any(|y| meet(x, y))).map(|x| pair(Some(x), None)));
    }
    if matches!(kind, Kind::Right | Kind::Full) {
        rows.extend(b.iter().filter(|y| !a.iter().any(|x| meet(x, y))).map(|y| pair(None, Some(y))));
    }
    rows
}

/// Rows of the same group as one, in which NULL keys are equal.
fn merge<K: PartialEq>(rows: Vec<Row>, key: impl Fn(&Row) -> K) -> Vec<Row> {
    let mut groups: Vec<Row> = Vec::new();
    for row in rows {
        let grouped = |behind: &Behind| Behind { rows: BTreeSet::new(), grouped: behind.all() };
        let row = Row { left: grouped(&row.left), right: grouped(&row.right), ..row };
        match groups.iter_mut().find(|group| key(group) == key(&row)) {
            Some(group) => {
                group.left.grouped.extend(row.left.grouped);
                group.right.grouped.extend(row.right.grouped);
            }
            None => groups.push(row),
        }
    }
    groups
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let leaf = prop_oneof![Just(Recipe::Left), Just(Recipe::Right)];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let a = inner.prop_map(Box::new);
        let kind = prop_oneof![Just(Kind::Inner), Just(Kind::Left), Just(Kind::Right), Just(Kind::Full)];
        prop_oneof![
            3 => (kind, a.clone(), a.clone()).prop_map(|(kind, a, b)| Recipe::Join(kind, a, b)),
            2 => (any::<bool>(), a.clone(), a.clone()).prop_map(|(all, a, b)| Recipe::Union(all, a, b)),
            1 => (1..4i64, a.clone()).prop_map(|(n, a)| Recipe::Filter(n, a)),
            1 => a.clone().prop_map(Recipe::Distinct),
            1 => (1..3i64, a.clone()).prop_map(|(n, a)| Recipe::Group(n, a)),
            1 => (a.clone(), a).prop_map(|(a, b)| Recipe::NotExists(a, b)),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<(Option<i64>, i64)>> {
    prop::collection::vec((prop::option::weighted(0.8, 0..4i64), 0..4i64), 0..6)
}

fn rows_table(rows: &[(Option<i64>, i64)]) -> RecordBatch {
    let keys = Arc::new(rows.iter().map(|(k, _)| *k).collect::<Int64Array>()) as ArrayRef;
    batch(vec![("k", keys), ("v", ints(rows.iter().map(|(_, v)| *v)))])
}

fn pairs_of(rows: &[Row]) -> Vec<Pair> {
    let list = |behind: &Behind| behind.all().into_iter().collect();
    rows.iter().map(|row| (list(&row.left), list(&row.right))).collect()
}

/// Whether the lineage was right, or `None` when a side of it is lost.
async fn agrees(recipe: &Recipe, tables: &Tables) -> Option<()> {
    let world = World::new(&rows_table(&tables.0), &rows_table(&tables.1));
    let sql = recipe.sql(&mut 0);
    let outcome = world.run(&sql, false).await;
    let expected = recipe.rows(tables);
    assert_eq!(outcome.pairs.len(), expected.len(), "{sql}");
    let (Trace::Rows(_), Trace::Rows(_)) = (&outcome.traced.left, &outcome.traced.right) else { return None };
    let mut expected = pairs_of(&expected);
    let mut pairs = outcome.pairs.clone();
    pairs.sort();
    expected.sort();
    assert_eq!(pairs, expected, "{sql}\n{tables:?}\n{}", outcome.traced.plan.display_indent());
    world.check_marks(&outcome, &expected, &sql);
    Some(())
}

#[test]
fn random_recipes_agree_with_nested_loops() {
    let runtime = Runtime::new().unwrap();
    let traced = std::cell::Cell::new(0);
    let cases = 250;
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    proptest!(config, |(recipe in recipes(), tables in (rows(), rows()))| {
        // Most random recipes leave a side out; a join at the top brings both in.
        let sides = Recipe::Join(Kind::Full, Box::new(Recipe::Left), Box::new(Recipe::Right));
        let recipe = Recipe::Join(Kind::Left, Box::new(recipe), Box::new(sides));
        if runtime.block_on(agrees(&recipe, &tables)).is_some() {
            traced.set(traced.get() + 1);
        }
    });
    assert!(traced.get() * 2 > cases, "only {} recipes kept their lineage", traced.get());
}

#[test]
fn random_recipes_as_they_are() {
    let runtime = Runtime::new().unwrap();
    let config =
        ProptestConfig { cases: 250, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    proptest!(config, |(recipe in recipes(), tables in (rows(), rows()))| {
        runtime.block_on(agrees(&recipe, &tables));
    });
}
