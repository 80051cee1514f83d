//! DuckDB as the oracle: one Python process answers all cases.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::answer::Row;
use crate::tables::Table;

pub struct Oracle(Mutex<Pipes>);

struct Pipes {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Oracle {
    pub fn start() -> Self {
        let python = std::env::var("KALLA_TEST_PYTHON")
            .expect("KALLA_TEST_PYTHON has to name a Python that has duckdb: run `make test`, which installs it");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/duckdb_oracle.py");
        let mut child = Command::new(&python)
            .args(["-u", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("KALLA_TEST_PYTHON={python}: {e}: run `make test`"));
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self(Mutex::new(Pipes { child, stdin, stdout }))
    }

    /// The rows that `sql` gives over the two tables, in no particular order.
    pub fn ask(&self, left: &Table, right: &Table, sql: &str) -> Result<Vec<Row>, String> {
        let request = json!({ "left": left.json(), "right": right.json(), "sql": sql });
        let mut pipes = self.0.lock().unwrap();
        let mut line = String::new();
        writeln!(pipes.stdin, "{request}").and_then(|()| pipes.stdin.flush()).expect(GONE);
        if pipes.stdout.read_line(&mut line).expect(GONE) == 0 {
            panic!("{GONE}");
        }
        drop(pipes);
        let answer: Value = serde_json::from_str(&line).expect("the oracle answers JSON");
        if let Some(error) = answer.get("error") {
            return Err(error.to_string());
        }
        Ok(answer["rows"].as_array().unwrap().iter().map(row).collect())
    }
}

const GONE: &str = "the oracle ended; does KALLA_TEST_PYTHON have duckdb? `make test` installs it";

impl Drop for Oracle {
    fn drop(&mut self) {
        let Ok(pipes) = self.0.get_mut() else { return };
        let _ = pipes.child.kill();
        let _ = pipes.child.wait();
    }
}

fn row(value: &Value) -> Row {
    let fields = value.as_array().unwrap();
    let (values, rows) = fields.split_at(fields.len() - 2);
    let numbers = |list: &Value| list.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    Row {
        values: values.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        left: numbers(&rows[0]),
        right: numbers(&rows[1]),
    }
}
