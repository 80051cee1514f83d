"""Answers recipes with DuckDB: one JSON request a line on stdin, one JSON answer a line on stdout.

request:  {"left": TABLE, "right": TABLE, "sql": "…"} where TABLE is {"columns": [[name, type], …], "rows": [[text or null, …], …]}
answer:   {"columns": [name, …], "rows": [[value or null, …, [left rows], [right rows]], …]} or {"error": "…"}

Each table gets a further column with the row's number, counted from 0: l_row or r_row. The SQL carries them to its last
two columns, as numbers or as lists of any depth; here they become ascending lists without repetition. Values become
text that says their kind, the same that the Rust side writes: n:12.3, t:abc, d:2024-01-31, b:true.
"""

import datetime
import decimal
import json
import sys

import duckdb


def literal(text, kind):
    if text is None:
        return "NULL"
    quoted = "'" + text.replace("'", "''") + "'"
    return quoted if kind == "VARCHAR" else f"{quoted}::{kind}"


def load(db, name, row_column, table):
    columns = ", ".join(f"{column} {kind}" for column, kind in table["columns"])
    db.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns}, {row_column} BIGINT)")
    kinds = [kind for _, kind in table["columns"]]
    rows = [
        "(" + ", ".join([literal(text, kind) for text, kind in zip(row, kinds, strict=True)] + [str(number)]) + ")"
        for number, row in enumerate(table["rows"])
    ]
    if rows:
        db.execute(f"INSERT INTO {name} VALUES {', '.join(rows)}")


def shown(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return f"b:{str(value).lower()}"
    if isinstance(value, (int, decimal.Decimal)):
        # Scales are a matter of each engine's own; the number is not.
        digits = format(decimal.Decimal(value), "f")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return "n:" + ("0" if digits == "-0" else digits)
    if isinstance(value, str):
        return f"t:{value}"
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return f"d:{value.isoformat()}"
    raise TypeError(f"no common form for {value!r}")


def row_numbers(value):
    if value is None:
        return set()
    if isinstance(value, list):
        return set().union(*map(row_numbers, value))
    return {value}


def answer(db, request):
    load(db, "left_src", "l_row", request["left"])
    load(db, "right_src", "r_row", request["right"])
    result = db.execute(request["sql"])
    names = [column[0] for column in result.description]
    if names[-2:] != ["l_row", "r_row"]:
        raise ValueError(f"the last columns have to be l_row and r_row, not {names}")
    rows = [
        [*map(shown, row[:-2]), sorted(row_numbers(row[-2])), sorted(row_numbers(row[-1]))] for row in result.fetchall()
    ]
    return {"columns": names[:-2], "rows": rows}


def main():
    db = duckdb.connect()
    db.execute("SET threads = 1")
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for line in sys.stdin:
        try:
            said = answer(db, json.loads(line))
        except Exception as error:  # whatever it is, the test shows it beside its case
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
