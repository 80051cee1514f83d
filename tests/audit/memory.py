"""A small machine that has more to do than it has memory for at once: everything is done, one after the other where it must be."""

import json
import os
import threading
import time
from pathlib import Path

from product import Served, json_headers, memory_of

MEMORY = 2 << 30
ROWS = 1_000_000
RUNS = 4
PATIENCE = 300
SQL = "SELECT l.id, l.amount, r.amount AS paid FROM l JOIN r ON l.id = r.id AND l.day = r.day"
HEAD = "id,amount,day,customer,note"


def run(place, check):
    for name, step in (("a.csv", 1), ("b.csv", 2)):
        with open(place / name, "w") as file:
            file.write(HEAD + "\n")
            file.writelines(f"{n * step},{n % 9999}.{n % 90 + 10},2026-{n % 12 + 1:02}-{n % 28 + 1:02},Customer {n % 5000},invoice number {n}\n" for n in range(ROWS))
    with Group(MEMORY) as group, Served(place, ["up", "--port", "0"], group.variables, [*group.enter, "taskset", "-c", "0"]) as gateway:
        group.watch(gateway.process.pid)
        gateway.ask("POST", "/api/sources", json_headers(), json.dumps({"alias": "a", "uri": "a.csv"}).encode())
        warm = finished(gateway, begin(gateway))
        runs = [begin(gateway) for _ in range(RUNS)]
        stop, answers = threading.Event(), []
        requests = list(looks(warm["run_id"]))
        busy = [threading.Thread(target=again, args=(gateway, request, stop, answers), daemon=True) for request in requests]
        for thread in busy:
            thread.start()
        ended = [finished(gateway, run_id) for run_id in runs]
        stop.set()
        for thread in busy:
            thread.join(60)
        seconds = time.monotonic() - group.began
        done = {what for what, status, _ in answers if status == 200}
        print(f"    {len(answers)} looks in {seconds:.0f} s, {sum(status == 429 for _, status, _ in answers)} of them to come again; "
              f"{group.most >> 20} of {MEMORY >> 20} MiB, {group.kind}")
        check(f"{RUNS} runs of {ROWS:,} rows a side are done", all(run["state"] == "completed" for run in ended), ended)
        check.all("what is asked meanwhile is answered, or told to come again", [(status in (200, 429), (what, status, told)) for what, status, told in answers])
        check("each of it is answered once at least", done == {what for what, *_ in requests}, done)
        check("all processes together stay below", group.most < MEMORY and group.killed() == 0, (group.most, group.killed(), gateway.log()[-2000:]))


def looks(run_id):
    """What a team does while its runs run."""
    results = f"/api/runs/{run_id}/results"
    yield "dry run", "POST", "/api/recipes/dry-run", json.dumps({"recipe": recipe()}).encode()
    yield "check", "POST", "/api/recipes/check", json.dumps({"recipe": recipe()}).encode()
    filters = {"filters": [{"column": "amount", "op": "gt", "value": 9000}]}
    yield "rows that pass a filter", "POST", "/api/sources/a/load-scoped", json.dumps(filters).encode()
    yield "why", "GET", f"/api/runs/{run_id}/why/left/1", None
    yield "why again", "GET", f"/api/runs/{run_id}/why/right/{ROWS - 1}", None
    yield "sorted page", "GET", f"{results}/unmatched_left?order=note:desc&limit=100", None
    yield "sorted page of matches", "GET", f"{results}/matched?order=amount,id:desc&limit=100", None
    yield "search", "GET", f"{results}/unmatched_right?q=number%2099&limit=100", None
    yield "summary", "GET", f"{results}/unmatched_left/summary", None
    yield "summary of matches", "GET", f"{results}/matched/summary", None
    yield "file", "GET", f"{results}/unmatched_left?format=csv", None
    yield "sorted file", "GET", f"{results}/unmatched_right?format=csv&order=note", None
    yield "workbook", "GET", f"{results}/matched?format=xlsx&limit=200000", None


def again(gateway, request, stop, answers):
    what, method, path, body = request
    while not stop.is_set():
        status, _, told = gateway.ask(method, path, json_headers() if body else (), body, timeout=PATIENCE)
        answers.append((what, status, told[:300] if status != 200 else b""))
        stop.wait(1 if status == 429 else 0.1)


def recipe():
    return {"match_sql": SQL, "sources": {"left": {"alias": "l", "uri": "a.csv"}, "right": {"alias": "r", "uri": "b.csv"}}}


def begin(gateway):
    status, _, told = gateway.ask("POST", "/api/runs", json_headers(), json.dumps({"recipe": recipe()}).encode())
    assert status == 201, told
    return json.loads(told)["run_id"]


def finished(gateway, run_id):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = json.loads(gateway.ask("GET", f"/api/runs/{run_id}")[2])
        if found["state"] in ("completed", "failed", "cancelled"):
            break
        time.sleep(0.1)
    return found


class Group:
    """So much memory for a process and those that it starts: of a control group where one can be made, else as it is told."""

    def __init__(self, limit):
        self.limit, self.most, self.root, self.ended = limit, 0, None, threading.Event()
        name = f"kalla-audit-{os.getpid()}"
        for parent, file in ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")):
            try:
                root = parent / name
                root.mkdir()
                self.root = root
                (root / file).write_text(str(limit))
                break
            except OSError:
                self.remove()
        self.kind = "a control group" if self.root else "as KALLA_MEMORY says"
        self.variables = {} if self.root else {"KALLA_MEMORY": str(limit)}
        self.enter = ["sh", "-c", f'echo $$ > {self.root}/cgroup.procs && exec "$@"', "sh"] if self.root else []

    def watch(self, pid):
        self.began = time.monotonic()
        threading.Thread(target=self.look, args=(pid,), daemon=True).start()

    def look(self, pid):
        while not self.ended.wait(0.05):
            # Pages that are a process' alone: those of the program are there once, whoever runs it.
            self.most = max(self.most, sum(memory_of(one, "RssAnon:") for one in family(pid)))

    def killed(self):
        """How often the system has killed a process of the group for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            if self.root and (self.root / name).exists():
                told = dict(line.split() for line in (self.root / name).read_text().splitlines())
                return int(told.get("oom_kill", 0))
        return 0

    def remove(self):
        if self.root:
            try:
                self.root.rmdir()
            except OSError:
                pass
            self.root = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.remove()


def family(pid):
    """A process and all that it has started, directly or not."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    yield pid
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from family(int(child))
