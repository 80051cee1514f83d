//! Small random tables, full of what makes reconciliations go wrong.

use std::collections::BTreeMap;

use kalla_engine::job::ColumnType;
use serde_json::{Value, json};

use crate::random::Random;

pub struct Column {
    pub name: &'static str,
    /// The type's name in the oracle's SQL.
    pub sql: &'static str,
    pub staged: ColumnType,
}

/// Both sides have the same columns. `id` is unique and never NULL, so that recipes can put rows in a total order.
pub const COLUMNS: [Column; 8] = [
    Column { name: "id", sql: "BIGINT", staged: ColumnType::Integer },
    Column { name: "k", sql: "VARCHAR", staged: ColumnType::Text },
    Column { name: "k2", sql: "VARCHAR", staged: ColumnType::Text },
    Column { name: "n", sql: "BIGINT", staged: ColumnType::Integer },
    Column { name: "a", sql: "DECIMAL(18,2)", staged: ColumnType::Decimal { precision: 18, scale: 2 } },
    Column { name: "b", sql: "DECIMAL(18,4)", staged: ColumnType::Decimal { precision: 18, scale: 4 } },
    Column { name: "d", sql: "DATE", staged: ColumnType::Date },
    Column { name: "s", sql: "VARCHAR", staged: ColumnType::Text },
];

const KEYS: [&str; 12] = ["K1", "K2", "K3", "K4", "K5", "k1", "K1 ", " ", "007", "7", "Ü1", "ü1"];
const SECOND_KEYS: [&str; 4] = ["A", "B", "C", "a"];
const TEXTS: [&str; 20] = [
    "plain",
    "Zürich",
    "日本語",
    "a,b",
    "say \"hi\"",
    "\"",
    "two\nlines",
    "two\r\nlines",
    "tab\there",
    "it's",
    "emoji 🎉",
    "trailing ",
    " leading",
    "NULL",
    "null",
    "0012",
    "1.50",
    "%_",
    "back\\slash",
    ";|",
];

/// Values as text; `None` is NULL.
pub struct Table {
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    pub fn random(random: &mut Random) -> Self {
        let rows = match random.below(10) {
            0 => random.below(3),
            1..=3 => random.below(16),
            _ => random.between(10, 60) as usize,
        };
        // Some tables repeat few keys, others many.
        let keys = random.between(1, KEYS.len() as i64) as usize;
        let mut ids: Vec<usize> = (1..=rows).collect();
        random.shuffle(&mut ids);
        let rows = ids.into_iter().map(|id| row(random, id, keys)).collect();
        Self { rows }
    }

    /// The table as a file: NULL is the empty field, and what can stay without quotes sometimes has them.
    pub fn csv(&self, random: &mut Random) -> String {
        let mut text = COLUMNS.map(|c| c.name).join(",");
        text.push('\n');
        for row in &self.rows {
            let fields: Vec<String> = row.iter().map(|value| field(value.as_deref(), random)).collect();
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }

    pub fn types() -> BTreeMap<String, ColumnType> {
        COLUMNS.iter().map(|c| (c.name.to_owned(), c.staged)).collect()
    }

    pub fn json(&self) -> Value {
        let columns: Vec<Value> = COLUMNS.iter().map(|c| json!([c.name, c.sql])).collect();
        json!({ "columns": columns, "rows": self.rows })
    }
}

fn row(random: &mut Random, id: usize, keys: usize) -> Vec<Option<String>> {
    let cents = random.pick(&[1000, 1000, 1000, 1000, 2000, -1000, 0]) + random.between(-3, 3);
    let fine =
        random.pick(&[100_000, 100_000, 999_900, -50_000, 0]) + random.pick(&[-400, -201, -200, -1, 0, 1, 100, 200]);
    let values = [
        Some(id.to_string()),
        Some(KEYS[random.below(keys)].to_owned()),
        Some(random.pick(&SECOND_KEYS).to_owned()),
        Some(random.between(-3, 8).to_string()),
        Some(decimal(cents, 2)),
        Some(decimal(fine, 4)),
        Some(random.pick(&DATES).to_owned()),
        Some(random.pick(&TEXTS).to_owned()),
    ];
    let null = [0, 12, 15, 15, 8, 8, 10, 10];
    values.into_iter().zip(null).map(|(value, percent)| value.filter(|_| !random.chance(percent))).collect()
}

const DATES: [&str; 8] =
    ["2023-12-30", "2024-01-01", "2024-01-02", "2024-02-28", "2024-02-29", "2024-03-01", "1969-12-31", "1970-01-01"];

fn decimal(units: i64, scale: usize) -> String {
    let digits = format!("{:0width$}", units.abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if units < 0 { "-" } else { "" })
}

fn field(value: Option<&str>, random: &mut Random) -> String {
    let Some(value) = value else { return String::new() };
    if value.contains([',', '"', '\n', '\r']) || random.chance(20) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
