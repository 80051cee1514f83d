"""Requests that a page of another site can make in somebody's browser, to both servers."""

import json

from product import Served, json_headers

# What a browser sends for a page of another site; what it sends for a name that leads here. Old ones send neither header.
CROSS = [
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "http://localhost:8000")],
    [("Origin", "http://127.0.0.1.evil.example")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
]
NAMES = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3000", "localhost@evil.example", "10.1.2.3", "0.0.0.0", ""]
# Those that need no asking beforehand, and some that do.
TYPES = [
    None,
    "",
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/xml",
    "text/json",
    "application/jsonp",
]

RECIPE = {
    "recipe_id": "planted",
    "match_sql": "SELECT l.id FROM l JOIN r ON l.id = r.id",
    "sources": {"left": {"alias": "l", "uri": "a.csv"}, "right": {"alias": "r", "uri": "a.csv"}},
}
SOURCE = {"alias": "planted", "uri": "a.csv"}
RUN_ID = "3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b10"
JOB = {
    "run_id": RUN_ID,
    "match_sql": "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id",
    "sources": [{"alias": "a", "uri": "a.csv"}, {"alias": "b", "uri": "a.csv"}],
}
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid\n1\n\r\n--x--\r\n'

GATEWAY = [
    ("POST", "/api/recipes", RECIPE),
    ("PUT", "/api/recipes/planted", RECIPE),
    ("POST", "/api/sources", SOURCE),
    ("POST", "/api/recipes/check", {"recipe": RECIPE}),
    ("POST", "/api/recipes/dry-run", {"recipe": RECIPE}),
    ("POST", "/api/runs", {"recipe": RECIPE}),
    ("POST", "/api/worker/complete", {"run_id": RUN_ID}),
]
WORKER = [("POST", "/api/jobs", JOB)]


def run(place, check):
    (place / "a.csv").write_text("id\n1\n")
    with Served(place, ["up", "--port", "0"]) as gateway:
        page(gateway, check, "gateway")
    open_gate = {"KALLA_AUTH": "none", "KALLA_PUBLIC_URL": "https://kalla.example.com"}
    with Served(place, ["up", "--port", "0", "--host", "0.0.0.0"], open_gate) as gateway:
        page(gateway, check, "open gateway")
    with Served(place, ["worker", "--port", "0"]) as worker:
        programs(worker, check, "worker")
    with Served(place, ["worker", "--port", "0", "--host", "0.0.0.0"], {"KALLA_AUTH": "none"}) as worker:
        programs(worker, check, "open worker")


def typed(kind):
    return [] if kind is None else [("Content-Type", kind)]


def changes(server, requests, crossing):
    """Requests that change something, in every way that a page of another site has: whether each was refused, and what it was."""
    for method, path, message in requests:
        body = json.dumps(message).encode()
        for headers in crossing:
            for kind in [*TYPES, "application/json"]:
                status, *_ = server.ask(method, path, [*typed(kind), *headers], body)
                yield status == 403, f"{method} {path} {kind} {headers}: {status}"
        for name in NAMES:
            status, *_ = server.ask(method, path, json_headers(("Host", name)), body)
            yield status in (400, 421), f"{method} {path} as {name!r}: {status}"
        # Browsers that say nothing of where a page is from.
        for kind in TYPES:
            status, *_ = server.ask(method, path, typed(kind), body)
            yield status == 415, f"{method} {path} {kind}: {status}"


def page(server, check, who):
    refused = list(changes(server, GATEWAY, CROSS))
    for headers in CROSS:
        status, *_ = server.ask("POST", "/api/uploads", [("Content-Type", "multipart/form-data; boundary=x"), *headers], FORM)
        refused.append((status == 403, f"an upload {headers}: {status}"))
    for path in ("/api/runs", "/api/sources", "/api/recipes", "/api/system", "/metrics", "/api/runs/events"):
        for name in NAMES:
            status, *_ = server.ask("GET", path, [("Host", name)])
            refused.append((status in (400, 421), f"GET {path} as {name!r}: {status}"))
        loaded = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
        status, *_ = server.ask("GET", path, loaded)
        refused.append((status == 403, f"GET {path} loaded by another page: {status}"))
    check.all(f"{who}: pages of other sites get nowhere", refused)
    kept = [json.loads(server.ask("GET", path)[2])[key] for path, key in (("/api/runs", "runs"), ("/api/sources", "sources"), ("/api/recipes", "recipes"))]
    check(f"{who}: nothing came of it", kept == [[], [], []], kept)
    answers = [server.ask("GET", path)[1] for path in ("/api/runs", "/api/nothing", "/metrics", "/api/openapi.json")]
    wanted = ["x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy",
              "cross-origin-opener-policy", "cross-origin-resource-policy", "cache-control"]
    check(f"{who}: every answer is protected", all(name in answer for answer in answers for name in wanted), answers)


def programs(server, check, who):
    own = [[("Origin", f"http://127.0.0.1:{server.port}")], [("Sec-Fetch-Site", "same-origin")]]
    refused = list(changes(server, WORKER, [*CROSS, *own]))
    for headers in CROSS:
        status, *_ = server.ask("PUT", "/api/files/planted.csv", headers, b"id\n1\n")
        refused.append((status == 403, f"a file {headers}: {status}"))
    check.all(f"{who}: no browser is answered", refused)
    status, *_ = server.ask("GET", f"/api/jobs/{RUN_ID}")
    check(f"{who}: nothing came of it", status == 404, status)
