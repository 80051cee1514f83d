"""Secrets that stand in every setting and every address: none is in an answer, a log, a database or a file."""

import json
import os
import subprocess
import time
import uuid
from urllib.parse import urlsplit

from product import Served, json_headers, write_rows

SQL = "SELECT l.id FROM l JOIN r ON l.id = r.id"
# Where a secret is kept on purpose, as the reference says: callbacks that are not delivered bring their token.
BY_DESIGN = ("outbox",)


def secret(what):
    return f"planted{what}{uuid.uuid4().hex}"


def run(place, check):
    server = os.environ["KALLA_TEST_POSTGRES"]
    parts = urlsplit(server)
    name = f"audit_{uuid.uuid4().hex[:12]}"
    subprocess.run(["psql", "-Xqw", server, "-c", f"CREATE DATABASE {name}"], check=True)
    try:
        for state in ("SQLite", "Postgres"):
            directory = place / state
            directory.mkdir()
            planted = {word: secret(word) for word in ("database", "worker", "aws", "source", "query", "extra", "run")}
            database = f"postgres://{parts.username}:{planted['database']}@{parts.hostname}:{parts.port}/{name}"
            one(directory, check, state, planted, database, parts)
    finally:
        subprocess.run(["psql", "-Xqw", server, "-c", f"DROP DATABASE {name} WITH (FORCE)"], check=False)


def one(place, check, state, planted, database, parts):
    write_rows(place / "a.csv", "id", range(3))
    key = uuid.uuid4().hex * 2
    planted = {**planted, "key": key}
    loud = {"RUST_LOG": "trace", "KALLA_LOG_FORMAT": "json", "KALLA_WORKER_TOKEN": planted["worker"]}
    stores = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "planted", "AWS_SECRET_ACCESS_KEY": planted["aws"]}
    with Served(place, ["worker", "--port", "0"], {**loud, **stores, "KALLA_CALLBACK_BUDGET": "1s"}) as worker:
        variables = {**loud, "KALLA_SECRET_KEY": key, "WORKER_URL": f"http://127.0.0.1:{worker.port}"}
        if state == "Postgres":
            variables["DATABASE_URL"] = database
        with Served(place, ["gateway", "--port", "0"], variables) as gateway:
            said = use(gateway, worker, planted, parts)
            said["the gateway's log"] = gateway.log()
        said["the worker's log"] = worker.log()
    if state == "Postgres":
        said["the database"] = subprocess.run(["pg_dump", "--data-only", "--inserts", database], capture_output=True, text=True, check=True).stdout
    for path in place.rglob("*"):
        if path.is_file() and not any(part in BY_DESIGN for part in path.parts):
            said[str(path.relative_to(place))] = path.read_bytes().decode("latin-1")
    found = [(value not in text, f"{what} is in {where}") for where, text in said.items() for what, value in planted.items()]
    check.all(f"{state}: {len(planted)} secrets are in none of {len(said)} places", found)
    check(f"{state}: something was said", all(said[where] for where in ("the gateway's log", "the worker's log")))


def use(gateway, worker, planted, parts):
    """Does a little of everything, well and badly; gives all answers."""
    said = {}

    def ask(server, method, path, message=None, headers=()):
        body = None if message is None else json.dumps(message).encode()
        status, answered, told = server.ask(method, path, json_headers(*headers), body)
        said[f"{method} {path} #{len(said)}"] = f"{status} {answered} {told.decode('latin-1')}"
        return told

    address = f"{parts.hostname}:{parts.port}"
    uris = {
        "good": f"postgres://{parts.username}:{planted['source']}@{address}/postgres?table=information_schema.sql_features&application_name=x",
        "away": f"postgres://me:{planted['source']}@127.0.0.1:1/x?table=t&password={planted['query']}",
        "wrong": f"postgres://me:{planted['source']}@{address}/{uuid.uuid4().hex}?table=t",
        "broken": f"postgres:/me:{planted['source']}@{address}/x?table=t",
        "bucket": "s3://bucket/x.csv",
    }
    for alias, uri in uris.items():
        ask(gateway, "POST", "/api/sources", {"alias": alias, "uri": uri})
        ask(gateway, "GET", f"/api/sources/{alias}")
        ask(gateway, "POST", f"/api/sources/{alias}/test")
        if alias != "bucket":
            ask(gateway, "GET", f"/api/sources/{alias}/preview")
        recipe = {"recipe_id": alias, "match_sql": SQL.replace("l.id", "l.feature_id").replace("r.id", "r.feature_id"),
                  "sources": {"left": {"alias": "l", "uri": uri}, "right": {"alias": "r", "uri": uri if alias == "good" else "a.csv"}}}
        ask(gateway, "POST", "/api/recipes", recipe)
        ask(gateway, "POST", "/api/recipes/check", {"recipe": recipe})
        if alias == "bucket":
            continue
        told = json.loads(ask(gateway, "POST", "/api/runs", {"recipe": recipe}))
        run_id = told.get("run_id")
        if not run_id:
            continue
        for _ in range(1500):
            state = json.loads(gateway.ask("GET", f"/api/runs/{run_id}")[2])
            if state["state"] in ("completed", "failed") or state.get("error"):
                break
            time.sleep(0.02)
        ask(gateway, "POST", f"/api/runs/{run_id}/cancel", {})
        for path in ("", "/manifest", "/results/unmatched_left", "/results/unmatched_left/summary"):
            ask(gateway, "GET", f"/api/runs/{run_id}{path}")
        ask(gateway, "GET", f"/api/runs/{run_id}/events", headers=[("Accept", "application/json")])
    for path in ("/api/sources", "/api/recipes", "/api/runs", "/api/system", "/metrics", "/ready", "/api/recipes/good/versions"):
        ask(gateway, "GET", path)
    bearer = ("Authorization", f"Bearer {planted['worker']}")
    job = {"run_id": str(uuid.uuid4()), "callback_url": "http://127.0.0.1:1/x", "callback_token": planted["run"], "match_sql": SQL,
           "sources": [{"alias": "l", "uri": uris["away"]}, {"alias": "r", "uri": "a.csv"}]}
    ask(worker, "POST", "/api/jobs", job, [bearer])
    ask(worker, "POST", "/api/jobs", {**job, "match_sql": "SELECT 1"}, [bearer])
    ask(worker, "POST", "/api/jobs", {**job, "run_id": "x", "callback_url": f"http://u:{planted['extra']}@h/"}, [bearer])
    ask(worker, "GET", f"/api/jobs/{job['run_id']}", None, [bearer])
    ask(worker, "GET", "/metrics", None, [("Authorization", f"Bearer x{planted['worker']}")])
    ask(worker, "GET", "/metrics", None, [bearer])
    return said
