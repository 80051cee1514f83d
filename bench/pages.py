#!/usr/bin/env python3
"""Results read back: pages of five million rows, a whole result over Arrow Flight, memory while nobody reads on.

    python3 bench/pages.py                 five million rows
    python3 bench/pages.py --rows 1M       fewer of them

Needs a built `kalla` (cargo build --release), and duckdb and pyarrow. Everything is asked over Arrow Flight by this process, on
the machine of the worker. A page is 100 rows; its time is the median of seven, after two that are not counted.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import duckdb
import pyarrow.flight as flight

import run

PAGES = {
    "as it stands": {},
    "as it stands, near the end": {"offset": 0.98},
    "sorted by an amount": {"order": [{"column": "amount", "descending": True}]},
    "half of the rows, sorted by an amount": {
        "order": [{"column": "amount", "descending": True}],
        "filters": [{"column": "amount", "op": "gte", "value": 50000}],
    },
    "a third of the rows, sorted by two texts": {
        "order": [{"column": "customer"}, {"column": "ref"}],
        "filters": [{"column": "currency", "op": "eq", "value": "EUR"}],
    },
    "half of the rows, near the end": {
        "offset": 0.4,
        "filters": [{"column": "amount", "op": "gte", "value": 50000}],
    },
    "a text in any column": {"search": "777"},
}
IDLE_READERS = 8


def write_sources(directory, rows):
    db = duckdb.connect()
    amount = "(hash(i) % 10000000 / 100)::DECIMAL(18,2)"
    db.sql(
        f"""COPY (SELECT i AS id, 'INV-' || (i * 7919 % 9000000) AS ref, 'Customer ' || (i % 50021) AS customer,
        {amount} AS amount, DATE '2026-01-01' + (i % 365)::INT AS day,
        CASE i % 3 WHEN 0 THEN 'EUR' WHEN 1 THEN 'USD' ELSE 'SEK' END AS currency
        FROM range({rows}) t(i)) TO '{directory}/left.parquet'"""
    )
    db.sql(f"COPY (SELECT i AS id, {amount} AS paid FROM range({rows}) t(i)) TO '{directory}/right.parquet'")


class Worker:
    def __init__(self, kalla, directory):
        self.process = subprocess.Popen(
            [kalla, "worker", "--port", "0"], cwd=directory, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "RUST_LOG": "kalla_worker=info"},
        )
        self.address = re.search(r"address=(127\.0\.0\.1:\d+)", self.process.stderr.readline())[1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def http(self, path, body=None):
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(f"http://{self.address}{path}", data) as answer:
            return answer.read().decode()

    def memory(self):
        return float(re.search(r"^kalla_resident_memory_bytes (\S+)", self.http("/metrics"), re.M)[1])


def match(worker):
    run_id = str(uuid.uuid4())
    sql = "SELECT l.id, l.ref, l.customer, l.amount, r.paid, l.day, l.currency FROM l JOIN r ON l.id = r.id"
    sources = [{"alias": "l", "uri": "left.parquet"}, {"alias": "r", "uri": "right.parquet"}]
    worker.http("/api/jobs", {"run_id": run_id, "match_sql": sql, "sources": sources})
    while (state := json.loads(worker.http(f"/api/jobs/{run_id}"))["state"]) in ("queued", "running"):
        time.sleep(0.2)
    assert state == "completed", state
    return run_id


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="5M")
    parser.add_argument("--kalla", type=Path, default=run.ROOT / "target/release/kalla", help="the program to measure")
    arguments = parser.parse_args()
    rows = int(float(arguments.rows.rstrip("MK")) * {"M": 1e6, "K": 1e3}.get(arguments.rows[-1], 1))
    with tempfile.TemporaryDirectory() as directory:
        write_sources(directory, rows)
        worker = Worker(arguments.kalla.resolve(), directory)
        try:
            measure(worker, match(worker), rows)
        finally:
            worker.process.terminate()
            worker.process.wait()


def measure(worker, run_id, rows):
    client = flight.connect(f"grpc://{worker.address}")

    def get(**wanted):
        if isinstance(wanted.get("offset"), float):
            wanted["offset"] = int(wanted["offset"] * rows)
        ticket = {"run_id": run_id, "result_set": "matched", **wanted}
        return client.do_get(flight.Ticket(json.dumps(ticket).encode())).read_all()

    for name, wanted in PAGES.items():
        times = [timed(lambda: get(limit=100, **wanted)) for _ in range(9)]
        print(f"page, {name}: {statistics.median(times[2:]) * 1000:.0f} ms (the first {times[0] * 1000:.0f} ms)")

    table = get()
    whole = min(timed(get) for _ in range(3))

    class Bare(flight.FlightServerBase):
        def do_get(self, context, ticket):
            return flight.RecordBatchStream(table)

    with Bare("grpc://127.0.0.1:0") as server:
        threading.Thread(target=server.serve, daemon=True).start()
        bare_client = flight.connect(f"grpc://127.0.0.1:{server.port}")
        bare = min(timed(lambda: bare_client.do_get(flight.Ticket(b"")).read_all()) for _ in range(3))
        server.shutdown()
    print(f"all of it: {table.num_rows} rows, {table.nbytes / 1e6:.0f} MB in {whole:.2f} s; "
          f"a server of Arrow's own, from memory: {bare:.2f} s, which is {bare / whole:.0%} of that time")

    before = worker.memory()
    readers = [client.do_get(flight.Ticket(f"{run_id}/matched".encode())) for _ in range(IDLE_READERS)]
    for reader in readers:
        reader.read_chunk()
    seen = []
    for _ in range(5):
        time.sleep(2)
        seen.append(f"{(worker.memory() - before) / 1e6:.0f}")
    print(f"{IDLE_READERS} readers that read no further take {', '.join(seen)} MB, every two seconds")


if __name__ == "__main__":
    main()
