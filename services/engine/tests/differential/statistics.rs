//! Recipes in which a side stands twice: as rows, and as a statistic of them.

use crate::recipe::{Dialect, Select, Writer};

impl Writer {
    /// Pairs beside a statistic of a side. Where a row of that side is there, it alone is behind the pair.
    pub fn statistics(&mut self) -> Select {
        let both = self.random.chance(25);
        let side = self.random.pick(&["l", "r"]);
        let (table, row) = if side == "l" { ("left_src", "l_row") } else { ("right_src", "r_row") };
        let rows = self.lineage(&format!("list({row}) AS {row}"));
        let all = self.lineage(&format!("flatten(list({row})) AS {row}"));
        let statistic = if both {
            let (l, r) = (self.lineage("l_row, NULL AS r_row"), self.lineage("NULL AS l_row, r_row"));
            let rows = self.lineage("list(l_row) AS l_row, list(r_row) AS r_row");
            format!(
                "SELECT k, min(id) AS first, count(*) AS n{rows} \
                 FROM (SELECT k, id{l} FROM left_src UNION ALL SELECT k, id{r} FROM right_src) u GROUP BY k"
            )
        } else {
            match self.random.below(4) {
                0 | 1 => {
                    let filter =
                        if self.random.chance(30) { format!(" WHERE {}", self.predicate("")) } else { String::new() };
                    format!("SELECT k, min(id) AS first, count(*) AS n{rows} FROM {table}{filter} GROUP BY k")
                }
                2 => format!(
                    "SELECT k, max(first) AS first, count(*) AS n{all} \
                     FROM (SELECT k, k2, min(id) AS first{rows} FROM {table} GROUP BY k, k2) x GROUP BY k"
                ),
                _ if self.dialect == Dialect::Kalla => format!("SELECT DISTINCT k, id AS first, n FROM {table}"),
                _ => format!("SELECT k, id AS first, n{rows} FROM {table} GROUP BY k, id, n"),
            }
        };
        let (beside, join) = (self.random.pick(&["l", "r"]), self.random.pick(&["JOIN", "JOIN", "LEFT JOIN"]));
        let more = self.random.pick(&["", " AND g.first = {}.id", " AND g.first <= {}.id", " AND g.n < 3"]);
        let on = format!("ON g.k = {beside}.k{}", more.replace("{}", beside));
        let (l, r) = (self.side("l"), self.side("r"));
        let between = self.join();
        let conditions = self.conditions(between != "JOIN");
        let from = match self.random.below(3) {
            0 => format!("FROM ({statistic}) g LEFT JOIN {l} ON g.k = l.k AND l.n > 2 JOIN {r} ON g.k = r.k"),
            1 => {
                self.ctes.push(format!("statistic AS ({statistic})"));
                format!("FROM {l} {between} {r} ON {conditions} {join} statistic g {on}")
            }
            _ => format!("FROM {l} {between} {r} ON {conditions} {join} ({statistic}) g {on}"),
        };
        let behind = |own: &str| {
            let carried = both || own == side;
            let row = format!("{own}_row");
            if carried {
                format!("CASE WHEN {own}.{row} IS NULL THEN g.{row} ELSE [{own}.{row}] END AS {row}")
            } else {
                format!("{own}.{row}")
            }
        };
        let rows = self.lineage(&format!("{}, {}", behind("l"), behind("r")));
        let (columns, mut names) = self.columns();
        names.push("n".to_owned());
        Select { sql: format!("SELECT {columns}, g.n AS n{rows} {from}"), names }
    }
}
