#!/usr/bin/env python3
"""Workers behind a queue: what more of them bring, what the queue costs, and how long a run waits for a worker that died.

    python3 bench/fleet.py                       all of it
    python3 bench/fleet.py --scenario workers    part of it: workers, overhead, killed

Needs a built `kalla` (cargo build --release), the data of run.py (`python3 bench/run.py --scenario csv --rows 1M` makes them) and a
NATS server (`nats-server` on the PATH, or KALLA_TEST_NATS_SERVER). Workers share a directory in place of a bucket: an S3 server of
the same machine would be what is measured. Time is taken from the first request until the gateway tells that the last run has ended.
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import run

SMALL_ROWS = 1_000
ACK_WAIT = 30


class Process:
    def __init__(self, command, directory, **variables):
        self.log = open(Path(directory) / f"{time.monotonic_ns()}.log", "w+")
        environment = {**os.environ, "RUST_LOG": "info", "KALLA_FILE_ROOTS": "/", **variables}
        self.process = subprocess.Popen(command, cwd=directory, env=environment, stdout=self.log, stderr=self.log)

    def wait_for(self, pattern):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = re.search(pattern, Path(self.log.name).read_text())
            if found:
                return found
            time.sleep(0.02)
        raise SystemExit(f"{self.process.args} does not start: {Path(self.log.name).read_text()}")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()


class Fleet:
    """A gateway and workers; behind a broker, unless `direct`."""

    def __init__(self, kalla, scratch, workers, direct=False, **variables):
        self.processes = []
        shared = {"STAGING_PATH": str(scratch / "staging"), "KALLA_DATA_DIR": str(scratch / "data"), **variables}
        if not direct:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            server = os.environ.get("KALLA_TEST_NATS_SERVER", "nats-server")
            nats = Process([server, "-a", "127.0.0.1", "-p", port, "-js", "-sd", scratch / "nats"], scratch)
            nats.wait_for("Server is ready")
            self.processes.append(nats)
            shared |= {"NATS_URL": f"nats://127.0.0.1:{port}", "KALLA_ACK_WAIT": f"{ACK_WAIT}s"}
        self.workers = [Process([kalla, "worker", "--port", "0"], scratch, **shared) for _ in range(workers)]
        at = [f"http://127.0.0.1:{worker.wait_for(LISTENING)[1]}" for worker in self.workers]
        gateway = Process([kalla, "gateway", "--port", "0"], scratch, **shared, WORKER_URL=at[0])
        self.url = f"http://127.0.0.1:{gateway.wait_for(LISTENING)[1]}"
        self.processes = [gateway, *self.workers, *self.processes]

    def ask(self, path, body=None):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, None if body is None else json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def run(self, directory, recipe_id):
        sides = {"left": ("l", "invoices.csv"), "right": ("r", "payments.csv")}
        sources = {side: {"alias": alias, "uri": str(directory / name)} for side, (alias, name) in sides.items()}
        sql = run.SQL.replace("left_src l", "l").replace("right_src r", "r")
        return self.ask("/api/runs", {"recipe": {"recipe_id": recipe_id, "match_sql": sql, "sources": sources}})["run_id"]

    def ended(self, run_id):
        while True:
            told = self.ask(f"/api/runs/{run_id}")
            if told["state"] in ("completed", "failed", "cancelled"):
                assert told["state"] == "completed", told
                return told
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.process.poll() is None:
                process.stop()


LISTENING = r"listening address=127\.0\.0\.1:(\d+)"


def workers(options, python, scratch):
    small = run.data(python, SMALL_ROWS)
    for count in (1, 2, 4):
        place = scratch / str(count)
        place.mkdir()
        with Fleet(options.kalla, place, count, KALLA_CONCURRENCY="1", KALLA_THREADS="1") as fleet:
            for _ in range(count * 3):
                fleet.ended(fleet.run(small, "warm"))
            began = time.perf_counter()
            runs = [fleet.run(small, "small") for _ in range(options.jobs)]
            for run_id in runs:
                fleet.ended(run_id)
            took = time.perf_counter() - began
        print(f"workers: {options.jobs} jobs of {SMALL_ROWS:,} rows, {count} with one place each: {options.jobs / took:.0f} a second")


def overhead(options, python, scratch):
    million = run.data(python, 1_000_000)
    took = {"direct": [], "queue": []}
    for name in took:
        (scratch / name).mkdir()
    with Fleet(options.kalla, scratch / "direct", 1, direct=True) as direct, Fleet(options.kalla, scratch / "queue", 1) as queue:
        for _ in range(options.repeats + 1):
            for name, fleet in (("direct", direct), ("queue", queue)):
                began = time.perf_counter()
                fleet.ended(fleet.run(million, "million"))
                took[name].append(time.perf_counter() - began)
                shutil.rmtree(scratch / name / "staging" / "results")
    # The first of each warms up.
    direct, queue = (statistics.median(times[1:]) for times in took.values())
    print(f"overhead: a million rows, medians of {options.repeats} in alternation: through the queue {queue:.2f} s, "
          f"over HTTP {direct:.2f} s, ratio {queue / direct:.3f}")


def killed(options, python, scratch):
    million = run.data(python, 1_000_000)
    with Fleet(options.kalla, scratch, 2, KALLA_CONCURRENCY="1") as fleet:
        run_id = fleet.run(million, "million")
        while (told := fleet.ask(f"/api/runs/{run_id}"))["state"] not in ("staging", "matching"):
            time.sleep(0.01)
        port = told["worker"].rsplit(":", 1)[1]
        victim = next(worker for worker in fleet.workers if worker.wait_for(LISTENING)[1] == port)
        victim.stop(signal.SIGKILL)
        began = time.perf_counter()
        done = fleet.ended(run_id)
        took = time.perf_counter() - began
        assert done["attempt"] == 2, done
    print(f"killed: SIGKILL of the worker to the end of its run at another one: {took:.1f} s, with an ack wait of {ACK_WAIT} s")


SCENARIOS = {"workers": workers, "overhead": overhead, "killed": killed}


def main():
    options = run.asked(__doc__, SCENARIOS, jobs=200, repeats=3)
    python = run.environment()
    for name in options.scenario.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            SCENARIOS[name](options, python, Path(scratch))


if __name__ == "__main__":
    main()
