#!/usr/bin/env python3
"""The worker as a service: latency, throughput, and what it adds to `kalla reconcile`.

    python3 bench/service.py                          all of it
    python3 bench/service.py --scenario latency       part of it: latency, throughput, overhead

Needs a built `kalla` (cargo build --release) and the data of run.py (`python3 bench/run.py --scenario csv --rows 1M` makes
them). Time is taken by this process, from before the job is sent until the whole complete callback has arrived.
"""

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import run

SMALL_ROWS = 1_000


class Callbacks:
    """Takes callbacks on a port of its own and tells when the last event of a run arrived."""

    def __init__(self):
        self.waiting = {}

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
        return self

    def expect(self, run_id):
        self.waiting[run_id] = asyncio.get_running_loop().create_future()
        return self.waiting[run_id]

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I)[1]))
                arrived = time.perf_counter()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                if not head.startswith("POST /callback/progress"):
                    event = json.loads(body)
                    self.waiting.pop(event["run_id"]).set_result((arrived, head.split(" ")[1].rsplit("/", 1)[1], event))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()


class Worker:
    def __init__(self, kalla, directory, **variables):
        self.process = subprocess.Popen(
            [kalla, "worker", "--port", "0"],
            cwd=directory,
            env={**os.environ, "RUST_LOG": "kalla_worker=info", "KALLA_FILE_ROOTS": "/", **variables},
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stderr.readline()
        self.port = int(re.search(r"address=127\.0\.0\.1:(\d+)", line)[1])
        # The log must not fill its pipe.
        self.drain = asyncio.get_running_loop().run_in_executor(None, self.process.stderr.read)

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def stop(self):
        self.process.terminate()
        await asyncio.get_running_loop().run_in_executor(None, self.process.wait)
        await self.drain


def job(directory, callback):
    return {
        "run_id": str(uuid.uuid4()),
        "callback_url": callback,
        "match_sql": run.SQL,
        "sources": [
            {"alias": "invoices", "uri": str(directory / "invoices.csv")},
            {"alias": "payments", "uri": str(directory / "payments.csv")},
        ],
    }


async def post(connection, payload):
    reader, writer = connection
    body = json.dumps(payload).encode()
    writer.write(b"POST /api/jobs HTTP/1.1\r\nHost: worker\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    answer = await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I)[1]))
    assert head.startswith("HTTP/1.1 202"), (head, answer)


async def complete(callbacks, connection, payload):
    done = callbacks.expect(payload["run_id"])
    began = time.perf_counter()
    await post(connection, payload)
    arrived, kind, event = await done
    assert kind == "complete", event
    return arrived - began


async def latency(options, python, scratch):
    small = run.data(python, SMALL_ROWS)
    worker = Worker(options.kalla, scratch)
    callbacks = await Callbacks().start()
    connection = await worker.connect()
    for _ in range(30):
        await complete(callbacks, connection, job(small, callbacks.url))
    times = sorted([await complete(callbacks, connection, job(small, callbacks.url)) * 1e3 for _ in range(options.jobs)])
    await worker.stop()
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
    print(
        f"latency: {len(times)} jobs of {SMALL_ROWS:,} rows one after the other, POST to complete: "
        f"p50 {at(0.5):.1f} ms, p90 {at(0.9):.1f} ms, p99 {at(0.99):.1f} ms, max {times[-1]:.1f} ms"
    )


async def throughput(options, python, scratch):
    small = run.data(python, SMALL_ROWS)
    worker = Worker(options.kalla, scratch, KALLA_QUEUE="100000")
    callbacks = await Callbacks().start()
    connections = [await worker.connect() for _ in range(8)]
    await asyncio.gather(*[complete(callbacks, c, job(small, callbacks.url)) for c in connections])
    payloads = [job(small, callbacks.url) for _ in range(options.jobs * 4)]
    done = [callbacks.expect(payload["run_id"]) for payload in payloads]

    async def send(connection, mine):
        for payload in mine:
            await post(connection, payload)

    began = time.perf_counter()
    await asyncio.gather(*[send(c, payloads[i :: len(connections)]) for i, c in enumerate(connections)])
    last = max(arrived for arrived, _, _ in await asyncio.gather(*done))
    await worker.stop()
    print(
        f"throughput: {len(payloads)} jobs of {SMALL_ROWS:,} rows in {last - began:.2f} s: "
        f"{len(payloads) / (last - began):.0f} a second"
    )


async def overhead(options, python, scratch):
    million = run.data(python, 1_000_000)
    worker = Worker(options.kalla, scratch)
    callbacks = await Callbacks().start()
    connection = await worker.connect()
    served, alone = [], []
    for _ in range(options.repeats + 1):
        served.append(await complete(callbacks, connection, job(million, callbacks.url)))
        out = scratch / "alone"
        began = time.perf_counter()
        command = [options.kalla, "reconcile", million / "invoices.csv", million / "payments.csv", "--sql", run.SQL]
        status = subprocess.run([*command, "--out", out, "--quiet"]).returncode
        alone.append(time.perf_counter() - began)
        assert status == 1, status
        shutil.rmtree(out)
        shutil.rmtree(scratch / "staging" / "results")
    await worker.stop()
    # The first of each warms up.
    served, alone = statistics.median(served[1:]), statistics.median(alone[1:])
    print(
        f"overhead: a million rows, medians of {options.repeats} in alternation: worker {served:.3f} s, "
        f"kalla reconcile {alone:.3f} s, ratio {served / alone:.3f}"
    )


SCENARIOS = {"latency": latency, "throughput": throughput, "overhead": overhead}


async def main():
    options = run.asked(__doc__, SCENARIOS, jobs=300, repeats=5)
    python = run.environment()
    for name in options.scenario.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            await SCENARIOS[name](options, python, Path(scratch))


if __name__ == "__main__":
    asyncio.run(main())
