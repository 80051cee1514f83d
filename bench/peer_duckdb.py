"""The job in DuckDB, each way a good user might write it.

usage: peer_duckdb.py VARIANT FORMAT LEFT RIGHT OUT THREADS; prints {"seconds": …, "cpu": …} from after the import to the last file.
"""

import json
import sys
import time

import duckdb

INVOICES = {
    "invoice_id": "VARCHAR", "customer_name": "VARCHAR", "customer_code": "VARCHAR", "amount": "DECIMAL(12,2)",
    "currency": "VARCHAR", "invoice_date": "DATE", "due_date": "DATE", "status": "VARCHAR", "memo": "VARCHAR",
    "created_at": "TIMESTAMP",
}  # fmt: skip
PAYMENTS = {
    "payment_id": "VARCHAR", "reference_number": "VARCHAR", "payer_name": "VARCHAR", "paid_amount": "DECIMAL(12,2)",
    "currency": "VARCHAR", "payment_date": "DATE", "bank_code": "VARCHAR", "channel": "VARCHAR", "memo": "VARCHAR",
    "booked_at": "TIMESTAMP",
}  # fmt: skip
MATCHED = """l.invoice_id, r.payment_id, l.amount, r.paid_amount, l.currency, l.invoice_date, l.customer_name,
             r.payment_date, r.channel"""
MATCH = "l.invoice_id = r.reference_number AND abs(l.amount - r.paid_amount) <= 0.02"
PARQUET = "(FORMAT parquet, COMPRESSION lz4)"


def reader(path: str, kind: str, columns: dict[str, str], shape: str, read: str) -> str:
    """`declared` types of every column; `auto`: detected, but for the code whose leading zeros would be lost."""
    if kind == "parquet":
        numbered = f"read_parquet('{path}', file_row_number = {str(shape == 'viewids').lower()})"
        if read == "float":
            return f"(SELECT * REPLACE ({amount(columns)}::DOUBLE AS {amount(columns)}) FROM {numbered})"
        return numbered
    if read == "auto":
        code = "customer_code" if "customer_code" in columns else "reference_number"
        return f"read_csv('{path}', types = {{'{code}': 'VARCHAR'}})"
    if read == "float":
        columns = {name: "DOUBLE" if type.startswith("DECIMAL") else type for name, type in columns.items()}
    # A table that is declared and needs no detection: the fastest way in.
    declared = ", ".join(f"'{name}': '{type}'" for name, type in columns.items())
    dialect = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
    return f"read_csv('{path}', {dialect}, columns = {{{declared}}})"


def amount(columns: dict[str, str]) -> str:
    return next(name for name, type in columns.items() if type.startswith("DECIMAL"))


def run(variant: str, kind: str, left: str, right: str, out: str, threads: int) -> None:
    shape, _, read = variant.partition("-")
    db = duckdb.connect()
    db.execute(f"SET threads = {threads}")
    db.execute("SET preserve_insertion_order = false")
    l, r = reader(left, kind, INVOICES, shape, read), reader(right, kind, PAYMENTS, shape, read)
    if shape in ("tables", "notexists", "full", "ids"):
        db.execute(f"CREATE TEMP TABLE l AS FROM {l}")
        db.execute(f"CREATE TEMP TABLE r AS FROM {r}")
    else:
        db.execute(f"CREATE TEMP VIEW l AS FROM {l}")
        db.execute(f"CREATE TEMP VIEW r AS FROM {r}")
    copy = {
        "matched": f"SELECT {MATCHED} FROM l JOIN r ON {MATCH}",
        "unmatched_left": f"FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE {MATCH})",
        "unmatched_right": f"FROM r WHERE NOT EXISTS (SELECT 1 FROM l WHERE {MATCH})",
    }
    if shape in ("tables", "views"):
        # One join; each side's rest is what its key does not find in the join.
        db.execute(f"CREATE TEMP TABLE m AS {copy['matched']}")
        copy = {
            "matched": "FROM m",
            "unmatched_left": "FROM l ANTI JOIN m USING (invoice_id)",
            "unmatched_right": "FROM r ANTI JOIN m USING (payment_id)",
        }
    if shape in ("ids", "viewids"):
        # As above, with row numbers in the place of keys; those of a Parquet file need no table.
        row = "rowid" if shape == "ids" else "file_row_number"
        db.execute(f"CREATE TEMP TABLE m AS SELECT {MATCHED}, l.{row} AS lr, r.{row} AS rr FROM l JOIN r ON {MATCH}")
        rest = "*" if shape == "ids" else "* EXCLUDE (file_row_number)"
        copy = {
            "matched": "SELECT * EXCLUDE (lr, rr) FROM m",
            "unmatched_left": f"SELECT {rest} FROM l WHERE {row} NOT IN (SELECT lr FROM m)",
            "unmatched_right": f"SELECT {rest} FROM r WHERE {row} NOT IN (SELECT rr FROM m)",
        }
    if shape == "full":
        # One join that keeps everything, then three looks at it.
        db.execute(f"CREATE TEMP TABLE j AS SELECT l, r FROM l FULL JOIN r ON {MATCH}")
        copy = {
            "matched": f"SELECT {MATCHED} FROM j WHERE l.invoice_id IS NOT NULL AND r.payment_id IS NOT NULL",
            "unmatched_left": "SELECT unnest(l) FROM j WHERE r.payment_id IS NULL",
            "unmatched_right": "SELECT unnest(r) FROM j WHERE l.invoice_id IS NULL",
        }
    for name, query in copy.items():
        db.execute(f"COPY ({query}) TO '{out}/{name}.parquet' {PARQUET}")


if __name__ == "__main__":
    variant, kind, left, right, out, threads = sys.argv[1:]
    started, worked = time.perf_counter(), time.process_time()
    run(variant, kind, left, right, out, int(threads))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu}))
