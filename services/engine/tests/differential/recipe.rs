//! Random recipes, each written twice: as `match_sql`, and for the oracle, where the SQL carries the row numbers itself.
//!
//! Both texts come from the same sequence of random choices, so they say the same; they differ in the functions for
//! tolerances and in the lineage that only the oracle's text spells out (`l_row` and `r_row`, always the last columns).

use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Kalla,
    Oracle,
}

/// The same recipe for any dialect, as often as it is asked for the same `random`.
pub fn write(random: Random, dialect: Dialect) -> String {
    let mut writer = Writer { random, dialect, ctes: Vec::new() };
    let query = writer.query();
    if writer.ctes.is_empty() { query } else { format!("WITH {}\n{query}", writer.ctes.join(",\n")) }
}

pub struct Writer {
    pub random: Random,
    pub dialect: Dialect,
    pub ctes: Vec<String>,
}

/// A query whose output columns are `names`, and the lineage after them in the oracle's dialect.
pub struct Select {
    pub sql: String,
    pub names: Vec<String>,
}

impl Writer {
    fn query(&mut self) -> String {
        let select = match self.random.below(23) {
            0..=4 => self.plain(),
            5..=7 => self.grouped_by_row(),
            8..=9 => self.grouped_by_key(),
            10..=11 => self.totals(),
            12..=13 => self.passes(),
            14..=15 => self.best_partner(),
            16 => self.united(),
            17 => self.pair_of_payments(),
            18 => self.using(),
            19..=21 => self.statistics(),
            _ => self.whole(),
        };
        let select = if self.random.chance(15) { self.distinct(select) } else { select };
        let select = if self.random.chance(15) { self.counted(select) } else { select };
        if self.random.chance(20) { self.wrapped(select) } else { select.sql }
    }

    /// `text` where lineage is spelt out, nothing where it is not.
    pub fn lineage(&self, text: &str) -> String {
        if self.dialect == Dialect::Oracle { format!(", {text}") } else { String::new() }
    }

    /// What a grouping query has to say about where its rows come from.
    fn collected(&self, l: &str, r: &str) -> String {
        self.lineage(&format!("list({l}) AS l_row, list({r}) AS r_row"))
    }

    fn near(&self, a: &str, b: &str, tolerance: &str) -> String {
        match self.dialect {
            Dialect::Kalla => format!("tolerance_match({a}, {b}, {tolerance})"),
            Dialect::Oracle => format!("abs({a} - {b}) <= {tolerance}"),
        }
    }

    fn within(&self, a: &str, b: &str, days: &str) -> String {
        match self.dialect {
            Dialect::Kalla => format!("date_within({a}, {b}, {days})"),
            Dialect::Oracle => format!("abs({a} - {b}) <= {days}"),
        }
    }

    fn tolerance(&mut self) -> &'static str {
        self.random.pick(&["0", "0.01", "0.02", "0.02", "0.0201", "0.05", "15", "90"])
    }

    /// A condition that a hash join can start from.
    fn equality(&mut self) -> String {
        let choices = [
            "l.k = r.k",
            "l.k = r.k",
            "l.k2 = r.k2",
            "l.n = r.n",
            "l.a = r.a",
            "l.a = r.b",
            "l.d = r.d",
            "l.s = r.s",
            "l.k = r.k AND l.k2 = r.k2",
            "l.k = r.k AND l.n = r.n",
            "(l.k IS NOT DISTINCT FROM r.k)",
            "(l.n IS NOT DISTINCT FROM r.n)",
            "lower(l.k) = lower(r.k)",
            "trim(l.k) = trim(r.k)",
            "coalesce(l.k, l.k2) = r.k",
            "l.n + 1 = r.n",
            "l.k || l.k2 = r.k || r.k2",
            "-l.a = r.a",
        ];
        self.random.pick(&choices).to_owned()
    }

    /// A condition that narrows pairs down.
    fn narrowing(&mut self) -> String {
        match self.random.below(10) {
            0..=3 => {
                let (a, b) =
                    self.random.pick(&[("l.a", "r.a"), ("l.a", "r.b"), ("l.b", "r.b"), ("l.n", "r.a"), ("r.a", "l.b")]);
                let tolerance = self.tolerance();
                self.near(a, b, tolerance)
            }
            4..=6 => {
                let days = self.random.pick(&["0", "1", "2", "3", "60"]);
                self.within("l.d", "r.d", days)
            }
            7 => self
                .random
                .pick(&["l.n <= r.n", "l.a < r.b", "l.d <= r.d", "l.k <> r.k", "l.k < r.k", "l.n <> 3"])
                .to_owned(),
            8 => {
                let tolerance = self.tolerance();
                format!("(l.k2 = r.k2 OR {})", self.near("l.a", "r.a", tolerance))
            }
            _ => "NOT (l.k2 = r.k2 AND l.n = r.n)".to_owned(),
        }
    }

    /// One to three conditions. Without an equality only where the kind of join allows it everywhere.
    pub fn conditions(&mut self, equality: bool) -> String {
        let count = self.random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut all = Vec::new();
        for number in 0..count {
            let first = number == 0 && (equality || !self.random.chance(25));
            all.push(if first || self.random.chance(15) { self.equality() } else { self.narrowing() });
        }
        all.join(" AND ")
    }

    /// A condition on one side.
    pub fn predicate(&mut self, alias: &str) -> String {
        let p = if alias.is_empty() { String::new() } else { format!("{alias}.") };
        match self.random.below(9) {
            0 => format!("{p}a > 5"),
            1 => format!("{p}k IS NOT NULL"),
            2 => format!("{p}n BETWEEN 0 AND 5"),
            3 => format!("{p}k IN ('K1', 'K2', 'Ü1', '007')"),
            4 => format!("{p}d >= DATE '2024-01-02'"),
            5 => format!("{p}s LIKE '%a%'"),
            6 => format!("NOT ({p}n = 3)"),
            7 => format!("({p}k2 = 'A' OR {p}n > 3)"),
            _ => format!("{p}b <= 10.01"),
        }
    }

    /// One side as an item of FROM: bare, filtered in a derived table, or filtered in a CTE.
    pub fn side(&mut self, alias: &str) -> String {
        let table = if alias.starts_with('l') { "left_src" } else { "right_src" };
        match self.random.below(10) {
            0..=6 => format!("{table} {alias}"),
            7 => {
                let predicate = self.predicate("");
                format!("(SELECT * FROM {table} WHERE {predicate}) {alias}")
            }
            8 => {
                let predicate = self.predicate("");
                let name = format!("some_{alias}{}", self.ctes.len());
                self.ctes.push(format!("{name} AS (SELECT * FROM {table} WHERE {predicate})"));
                format!("{name} {alias}")
            }
            _ => {
                let predicate = self.predicate("x");
                let row = self.lineage(if alias.starts_with('l') { "l_row" } else { "r_row" });
                format!(
                    "(SELECT x.id, x.k, upper(x.k2) AS k2, x.n, x.a, x.b, x.d, x.s{row} FROM {table} x WHERE {predicate}) {alias}"
                )
            }
        }
    }

    pub fn join(&mut self) -> &'static str {
        self.random.pick(&["JOIN", "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    }

    /// `l … JOIN r ON …`, and sometimes a WHERE.
    fn from(&mut self) -> String {
        let join = self.join();
        self.from_with(join)
    }

    fn from_with(&mut self, join: &str) -> String {
        let (l, r) = (self.side("l"), self.side("r"));
        if join == "JOIN" && self.random.chance(15) {
            let conditions = self.conditions(false);
            return format!("FROM {l}, {r} WHERE {conditions}");
        }
        let conditions = self.conditions(join != "JOIN");
        let filter = match self.random.below(8) {
            0 => format!(" WHERE {}", self.predicate("l")),
            1 => format!(" WHERE {}", self.predicate("r")),
            2 => format!(" WHERE {} OR r.id IS NULL", self.predicate("l")),
            _ => String::new(),
        };
        format!("FROM {l} {join} {r} ON {conditions}{filter}")
    }

    /// One to five columns and expressions named c0, c1, …
    pub fn columns(&mut self) -> (String, Vec<String>) {
        let choices = [
            "l.id",
            "r.id",
            "l.k",
            "r.k",
            "l.k2",
            "l.a",
            "r.a",
            "r.b",
            "l.d",
            "l.s",
            "r.s",
            "r.n",
            "l.a - r.a",
            "l.b + r.a",
            "l.n + r.n",
            "coalesce(l.k, r.k)",
            "coalesce(r.a, l.b)",
            "CASE WHEN l.a = r.a THEN 'same' WHEN l.a < r.a THEN 'less' ELSE 'more' END",
            "l.k || '-' || r.k2",
            "l.d IS NULL",
            "'constant'",
        ];
        let count = self.random.below(5) + 1;
        let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
        let list = names.iter().map(|name| format!("{} AS {name}", self.random.pick(&choices))).collect::<Vec<_>>();
        (list.join(", "), names)
    }

    /// One join. With a LIMIT, the two ids make the order total.
    fn plain(&mut self) -> Select {
        let from = self.from();
        let (columns, names) = self.columns();
        let mut sql = format!("SELECT {columns}{} {from}", self.lineage("l.l_row, r.r_row"));
        if self.random.chance(25) {
            let (first, second) = if self.random.chance(50) { ("l.id", "r.id") } else { ("r.id", "l.id") };
            let direction = self.random.pick(&["ASC NULLS LAST", "DESC NULLS LAST", "DESC NULLS FIRST"]);
            let limit = self.random.below(12);
            sql += &format!(" ORDER BY {first} {direction}, {second} ASC NULLS FIRST LIMIT {limit}");
            if self.random.chance(30) {
                sql += &format!(" OFFSET {}", self.random.below(4));
            }
        }
        Select { sql, names }
    }

    /// Every column of both sides by name, so that every kind of value comes back.
    fn whole(&mut self) -> Select {
        let from = self.from();
        let names: Vec<String> = ["l", "r"]
            .iter()
            .flat_map(|side| ["id", "k", "k2", "n", "a", "b", "d", "s"].map(|c| format!("{side}_{c}")))
            .collect();
        let columns: Vec<String> =
            names.iter().map(|name| format!("{} AS {name}", name.replacen('_', ".", 1))).collect();
        Select { sql: format!("SELECT {}{} {from}", columns.join(", "), self.lineage("l.l_row, r.r_row")), names }
    }

    /// N:1 and 1:N: the rows of one side that together pay one row of the other.
    fn grouped_by_row(&mut self) -> Select {
        let (one, many, join) = self.random.pick(&[
            ("l", "r", "JOIN"),
            ("l", "r", "LEFT JOIN"),
            ("r", "l", "JOIN"),
            ("r", "l", "FULL JOIN"),
        ]);
        let from = self.from_with(join);
        let (sum, amount) = (format!("sum({many}.a)"), format!("{one}.a"));
        let having = match self.random.below(5) {
            0 => String::new(),
            1 => " HAVING count(*) > 1".to_owned(),
            2 => format!(" HAVING min({many}.d) >= DATE '2024-01-01' OR count({many}.id) = 1"),
            _ => {
                let tolerance = self.tolerance();
                format!(" HAVING {}", self.near(&sum, &amount, tolerance))
            }
        };
        let sql = format!(
            "SELECT {one}.id AS one, {one}.a AS amount, {sum} AS total, count(*) AS parts, max({many}.s) AS last{} \
             {from} GROUP BY {one}.id, {one}.a{having}",
            self.collected("l.l_row", "r.r_row")
        );
        Select { sql, names: ["one", "amount", "total", "parts", "last"].map(str::to_owned).to_vec() }
    }

    /// N:M: whatever has the same key, on both sides.
    fn grouped_by_key(&mut self) -> Select {
        let from = self.from();
        let key = self.random.pick(&["l.k", "r.k", "l.k, r.k2", "coalesce(l.k2, r.k2)", "l.n, r.n"]);
        let having = if self.random.chance(40) { " HAVING count(*) BETWEEN 2 AND 9" } else { "" };
        let sql = format!(
            "SELECT count(*) AS pairs, count(DISTINCT r.id) AS rights, sum(l.a - r.a) AS rest, min(l.d) AS first{} \
             {from} GROUP BY {key}{having}",
            self.collected("l.l_row", "r.r_row")
        );
        Select { sql, names: ["pairs", "rights", "rest", "first"].map(str::to_owned).to_vec() }
    }

    /// Both sides, or one, added up by key before they meet.
    fn totals(&mut self) -> Select {
        let l = self.total("left_src", "l_row");
        let r = if self.random.chance(60) { self.total("right_src", "r_row") } else { "right_src".to_owned() };
        let join = self.join();
        let tolerance = self.tolerance();
        let more = match self.random.below(4) {
            0 => String::new(),
            1 => format!(" AND {}", self.within("l.d", "r.d", "3")),
            _ => format!(" AND {}", self.near("l.a", "r.a", tolerance)),
        };
        let sql = format!(
            "SELECT l.k AS k, l.a AS paid, r.a AS due, l.n AS parts{} FROM {l} l {join} {r} r ON l.k = r.k{more}",
            self.lineage("l.l_row, r.r_row")
        );
        Select { sql, names: ["k", "paid", "due", "parts"].map(str::to_owned).to_vec() }
    }

    fn total(&mut self, side: &str, row: &str) -> String {
        let filter = if self.random.chance(30) { format!(" WHERE {}", self.predicate("")) } else { String::new() };
        let having = if self.random.chance(20) { " HAVING count(*) > 1" } else { "" };
        let rows = self.lineage(&format!("list({row}) AS {row}"));
        format!("(SELECT k, sum(a) AS a, count(*) AS n, min(d) AS d{rows} FROM {side}{filter} GROUP BY k{having})")
    }

    /// Two or three passes: what the first does not pair is offered to the next.
    fn passes(&mut self) -> Select {
        let count = self.random.between(2, 3);
        let first = self.ctes.len();
        for pass in 0..count {
            let name = |n: i64| format!("pass{}_{n}", first);
            let from = format!("FROM left_src l JOIN right_src r ON {}", self.conditions(true));
            let taken = (0..pass).flat_map(|before| {
                let p = name(before);
                [
                    format!("NOT EXISTS (SELECT 1 FROM {p} WHERE {p}.l_id = l.id)"),
                    format!("NOT EXISTS (SELECT 1 FROM {p} WHERE {p}.r_id = r.id)"),
                ]
            });
            let taken: Vec<String> = taken.collect();
            let filter = if taken.is_empty() { String::new() } else { format!(" WHERE {}", taken.join(" AND ")) };
            let rows = self.lineage("l.l_row, r.r_row");
            self.ctes.push(format!(
                "{} AS (SELECT l.id AS l_id, r.id AS r_id, l.a AS amount, 'pass {pass}' AS how{rows} {from}{filter})",
                name(pass)
            ));
        }
        let parts: Vec<String> = (0..count).map(|pass| format!("SELECT * FROM pass{first}_{pass}")).collect();
        Select { sql: parts.join(" UNION ALL "), names: ["l_id", "r_id", "amount", "how"].map(str::to_owned).to_vec() }
    }

    /// 1:1 or N:1 by a window: only the best partner of each row stays.
    fn best_partner(&mut self) -> Select {
        let join = self.random.pick(&["JOIN", "LEFT JOIN"]);
        let from = self.from_with(join);
        let rank = |one: &str, other: &str| {
            format!(
                "row_number() OVER (PARTITION BY {one}.id ORDER BY abs(l.a - r.a) ASC NULLS LAST, {other}.id ASC NULLS LAST)"
            )
        };
        let (of_left, of_right) = (rank("l", "r"), rank("r", "l"));
        let keep = self.random.pick(&["of_l = 1", "of_l = 1 AND of_r = 1", "of_r <= 2"]);
        let sql = format!(
            "SELECT c0, c1, c2{} FROM (SELECT l.id AS c0, r.id AS c1, l.k AS c2, {of_left} AS of_l, {of_right} AS of_r{} {from}) x \
             WHERE {keep}",
            self.lineage("l_row, r_row"),
            self.lineage("l.l_row, r.r_row"),
        );
        Select { sql, names: ["c0", "c1", "c2"].map(str::to_owned).to_vec() }
    }

    /// Two joins put together, and sometimes rows that only one side has.
    fn united(&mut self) -> Select {
        let mut branch = || {
            let from = self.from();
            format!(
                "SELECT l.k AS k, r.id AS id, l.a AS a{} {from}",
                self.lineage("l.l_row AS l_row, r.r_row AS r_row")
            )
        };
        let mut branches = vec![branch(), branch()];
        if self.random.chance(40) {
            let nothing = self.lineage("l_row, NULL AS r_row");
            branches.push(format!("SELECT k, NULL AS id, a{nothing} FROM left_src WHERE n > 4"));
        }
        let names = ["k", "id", "a"].map(str::to_owned).to_vec();
        let all = Select { sql: branches.join(" UNION ALL "), names };
        if !self.random.chance(50) {
            return all;
        }
        // UNION without ALL is DISTINCT over the whole.
        match self.dialect {
            Dialect::Kalla => Select { sql: branches.join(" UNION "), names: all.names },
            Dialect::Oracle => self.distinct(all),
        }
    }

    /// Two rows of the right side together make one of the left.
    fn pair_of_payments(&mut self) -> Select {
        let tolerance = self.tolerance();
        let near = self.near("p.a + q.a", "l.a", tolerance);
        let sql = format!(
            "SELECT l.id AS l_id, p.id AS p_id, q.id AS q_id{} FROM left_src l \
             JOIN right_src p ON l.k = p.k JOIN right_src q ON p.k = q.k AND p.id < q.id AND {near}",
            self.lineage("l.l_row, [p.r_row, q.r_row] AS r_row")
        );
        Select { sql, names: ["l_id", "p_id", "q_id"].map(str::to_owned).to_vec() }
    }

    /// Columns of one name, joined by it.
    fn using(&mut self) -> Select {
        let join = self.random.pick(&["JOIN", "LEFT JOIN"]);
        let keys = self.random.pick(&["k", "k, k2", "n", "a, d"]);
        let (l, r) = (self.side("l"), self.side("r"));
        let sql = format!(
            "SELECT {keys}, l.id AS l_id, r.id AS r_id{} FROM {l} {join} {r} USING ({keys})",
            self.lineage("l_row, r_row")
        );
        let names = keys.split(", ").chain(["l_id", "r_id"]).map(str::to_owned).collect();
        Select { sql, names }
    }

    fn distinct(&self, of: Select) -> Select {
        let names = of.names.join(", ");
        let sql = match self.dialect {
            Dialect::Kalla => format!("SELECT DISTINCT {names} FROM ({}) u", of.sql),
            Dialect::Oracle => {
                format!(
                    "SELECT {names}, list(l_row) AS l_row, list(r_row) AS r_row FROM ({}) u GROUP BY {names}",
                    of.sql
                )
            }
        };
        Select { sql, names: of.names }
    }

    /// Groups once more.
    fn counted(&mut self, of: Select) -> Select {
        let key = of.names[self.random.below(of.names.len())].clone();
        let sql = format!(
            "SELECT {key} AS key, count(*) AS times{} FROM ({}) v GROUP BY {key}",
            self.lineage("list(l_row) AS l_row, list(r_row) AS r_row"),
            of.sql
        );
        Select { sql, names: vec!["key".to_owned(), "times".to_owned()] }
    }

    /// One more level, which changes nothing or filters.
    fn wrapped(&mut self, of: Select) -> String {
        let filter = if self.random.chance(50) { format!(" WHERE {} IS NOT NULL", of.names[0]) } else { String::new() };
        if self.random.chance(50) {
            self.ctes.push(format!("whole AS ({})", of.sql));
            format!("SELECT * FROM whole{filter}")
        } else {
            format!("SELECT * FROM ({}) w{filter}", of.sql)
        }
    }
}
