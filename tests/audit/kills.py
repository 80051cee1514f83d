"""Workers that are killed at moments that nobody chose: what was accepted is done, once, and nothing is left lying about."""

import http.server
import json
import os
import random
import socket
import threading
import time
import uuid

from product import Served, json_headers, write_rows

KILLS = int(os.environ.get("KALLA_AUDIT_KILLS", "60"))
SQL = "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id"
SETTINGS = {"KALLA_SPILL_DIR": "spill", "KALLA_CONCURRENCY": "2", "KALLA_CALLBACK_TIMEOUT": "1s", "KALLA_CALLBACK_BUDGET": "2s"}
PATIENCE = 120


class Sink:
    """Takes callbacks, half of them at the first try, and remembers every last word."""

    def __init__(self, moments):
        self.told, self.accepted, self.lock = {}, set(), threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = self.path.rsplit("/", 1)[-1]
                status = 204
                with sink.lock:
                    if kind != "progress":
                        sink.told.setdefault(body["run_id"], []).append((kind, body))
                        if moments.random() < 0.5:
                            status = 500
                        else:
                            sink.accepted.add(body["run_id"])
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Workers that are killed break off in the middle of a word.
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}/x"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def run(place, check):
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    print(f"    seed {seed}")
    write_rows(place / "a.csv", "id,amount", (f"{n},{n}" for n in range(20_000)))
    sink = Sink(moments)
    accepted = {}
    for _ in range(KILLS):
        worker = Served(place, ["worker", "--port", "0"], SETTINGS)
        stop = threading.Event()
        busy = [threading.Thread(target=submit, args=(worker.port, sink.url, accepted, stop), daemon=True),
                threading.Thread(target=upload, args=(worker.port, stop), daemon=True)]
        for thread in busy:
            thread.start()
        time.sleep(moments.uniform(0.0, 0.25))
        worker.process.kill()
        worker.process.wait()
        stop.set()
        for thread in busy:
            thread.join(5)
    with Served(place, ["worker", "--port", "0"], SETTINGS) as worker:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not set(accepted) <= sink.accepted:
            time.sleep(0.1)
        known = []
        for run_id, kind in accepted.items():
            status, _, told = worker.ask("GET", f"/api/jobs/{run_id}")
            state = json.loads(told).get("state")
            wanted = {"complete": "completed", "error": "failed"}[kind]
            known.append((status == 200 and state == wanted, f"{run_id}: {status} {told[:300]}"))
        check.all(f"{KILLS} kills: all of {len(accepted)} jobs that were accepted are known and have ended as they had to", known)
        check("each was told", set(accepted) <= sink.accepted, set(accepted) - sink.accepted)
        check.all("and all that was told of one is the same", [(same(words), f"{run_id}: {words}") for run_id, words in sink.told.items()])
        staging = place / "staging"
        end = time.monotonic() + 30
        while time.monotonic() < end and (left := leftovers(staging) + spilled(place / "spill")):
            time.sleep(0.2)
        check("nothing is left of uploads, attempts, letters and what was spilled", not left, left)
    sink.server.shutdown()


def same(words):
    """A result that is found again is told at another time, by whoever finds it; how a job failed is told to the letter."""
    kinds = {kind for kind, _ in words}
    if kinds == {"complete"}:
        return len({json.dumps({name: value for name, value in body.items() if name not in ("time", "worker")}, sort_keys=True) for _, body in words}) == 1
    return len(kinds) == 1 and len({json.dumps(body, sort_keys=True) for _, body in words}) == 1


def leftovers(staging):
    torn = [path for path in (staging / "files").glob("*#*")]
    letters = [path for folder in ("inbox", "outbox") for path in (staging / folder).glob("*.json")]
    attempts = [path for path in (staging / "results").rglob(".attempt-*")]
    return [str(path) for path in (*torn, *letters, *attempts)]


def spilled(spill):
    """The worker that lives has a directory, and so has the process that it keeps warm."""
    directories = [str(path) for path in spill.glob("kalla-*") if path.is_dir()]
    return directories if len(directories) > 2 else []


def submit(port, callback, accepted, stop):
    """Jobs one after the other, every fourth of which fails; those that were answered 202 count."""
    number = 0
    while not stop.is_set():
        number += 1
        run_id = str(uuid.uuid4())
        left = "none.csv" if number % 4 == 0 else "a.csv"
        job = {"run_id": run_id, "callback_url": callback, "match_sql": SQL,
               "sources": [{"alias": "a", "uri": left}, {"alias": "b", "uri": "a.csv"}]}
        body = json.dumps(job).encode()
        head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(head.encode() + body)
                if connection.recv(20).startswith(b"HTTP/1.1 202"):
                    accepted[run_id] = "error" if left == "none.csv" else "complete"
        except OSError:
            return
        time.sleep(0.1)


def upload(port, stop):
    """Files of which a part is on the disk when the worker dies."""
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                name = uuid.uuid4()
                connection.sendall(f"PUT /api/files/{name}.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 40000000\r\n\r\n".encode())
                for _ in range(40):
                    connection.sendall(b"x" * 1_000_000)
                connection.recv(20)
        except OSError:
            return
