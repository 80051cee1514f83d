"""A client written from the contract alone: submits jobs, takes the callbacks, looks into the results.

    client.py WORKER_URL DIR                 files in DIR, results below it
    client.py WORKER_URL DIR s3://BUCKET     files and results in a bucket

Postgres is at KALLA_TEST_POSTGRES, an S3 server at KALLA_TEST_S3.
"""

import csv
import http.server
import io
import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet as pq

worker, directory = sys.argv[1:3]
bucket = sys.argv[3].removeprefix("s3://") if len(sys.argv) > 3 else None
postgres = os.environ["KALLA_TEST_POSTGRES"]

INVOICES, PAYMENTS, EVERY = 5_000, 4_800, 7
received = queue.Queue()


class Callback(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json", self.headers
        received.put((self.path, self.headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callback)
threading.Thread(target=server.serve_forever, daemon=True).start()
callback_url = f"http://127.0.0.1:{server.server_port}/api/worker"


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(worker + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


if bucket:
    endpoint = os.environ["KALLA_TEST_S3"]
    files = pyarrow.fs.S3FileSystem(
        access_key="test", secret_key="test", region="us-east-1", endpoint_override=endpoint, scheme="http"
    )
    root, prefix = bucket, f"s3://{bucket}"
else:
    files = pyarrow.fs.LocalFileSystem()
    root = prefix = directory


def within(path):
    """What the file system calls a path of the worker."""
    return path.removeprefix("s3://").removeprefix("file://")


def write(name, data):
    with files.open_output_stream(f"{root}/{name}") as stream:
        stream.write(data)


# Invoice n has payment n, but for every seventh of them, whose amount is two cents and a half off.
invoices = [(f"INV-{n:05}", f"{n}.00") for n in range(INVOICES)]
payments = [(f"P{n}", f"INV-{n:05}", f"{n}.025" if n % EVERY == 0 else f"{n}.02") for n in range(PAYMENTS)]
matched = sum(1 for n in range(PAYMENTS) if n % EVERY != 0)


def as_csv(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue().encode()


invoice_csv = as_csv(["invoice_id", "amount"], invoices)
payment_csv = as_csv(["payment_id", "reference_number", "paid_amount"], payments)
write("invoices.csv", invoice_csv)
sink = pa.BufferOutputStream()
amounts = pyarrow.csv.ConvertOptions(column_types={"paid_amount": pa.decimal128(18, 3)})
pq.write_table(pyarrow.csv.read_csv(io.BytesIO(payment_csv), convert_options=amounts), sink)
write("payments.parquet", sink.getvalue().to_pybytes())
write("payments.csv", payment_csv)


def postgres_table(table):
    """Makes the payments a table, through the program that every Postgres comes with."""
    import subprocess

    create = f"CREATE TABLE {table} (payment_id text, reference_number text, paid_amount numeric(18, 3))"
    psql = ["psql", "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1", postgres]
    subprocess.run([*psql, "-c", create, "-c", f"\\copy {table} FROM STDIN CSV HEADER"], input=payment_csv, check=True)
    return lambda: subprocess.run([*psql, "-c", f"DROP TABLE {table}"], check=True)


table = f"payments_{uuid.uuid4().hex}"
drop_table = postgres_table(table)

MATCH = (
    "SELECT l.invoice_id, r.payment_id, l.amount, r.paid_amount FROM left_src l JOIN right_src r "
    "ON l.invoice_id = r.reference_number AND tolerance_match(l.amount, r.paid_amount, 0.02)"
)


def job(right, **more):
    run_id = str(uuid.uuid4())
    return {
        "run_id": run_id,
        "callback_url": callback_url,
        "match_sql": MATCH,
        "sources": [{"alias": "left_src", "uri": f"{prefix}/invoices.csv"}, {"alias": "right_src", "uri": right}],
        "output_path": f"{prefix}/out/{run_id}",
        "primary_keys": {"left_src": ["invoice_id"], "right_src": ["payment_id"]},
        **more,
    }


def run(payload):
    """Submits a job; gives its callbacks up to the last."""
    assert call("POST", "/api/jobs", payload) == (202, {"run_id": payload["run_id"], "status": "accepted"})
    calls = []
    while not calls or calls[-1][0].endswith("/progress"):
        calls.append(received.get(timeout=60))
        path, headers, body = calls[-1]
        assert body["run_id"] == payload["run_id"], body
        assert path.rsplit("/", 1)[0] == "/api/worker", path
        assert headers["Idempotency-Key"] == f"{body['run_id']}:{body['attempt']}:{body['seq']}", headers
        if path.endswith("/progress"):
            assert ("format" in payload["sources"][0]) <= ("warning" in body), body
            assert body["stage"] in ("staging", "matching", "writing_results"), body
    seqs = [body["seq"] for _, _, body in calls]
    assert seqs == sorted(set(seqs)), seqs
    stages = [body["stage"] for path, _, body in calls if path.endswith("/progress")]
    order = ["staging", "matching", "writing_results"]
    assert stages == sorted(stages, key=order.index), stages
    return calls[-1]


separator = "&" if "?" in postgres else "?"
for right in [f"{prefix}/payments.csv", f"{prefix}/payments.parquet", f"{postgres}{separator}table=public.{table}"]:
    payload = job(right, callback_token="for-this-run")
    path, headers, body = run(payload)
    assert path.endswith("/complete"), body
    assert headers["Authorization"] == "Bearer for-this-run", headers
    expected = {
        "matched_count": matched,
        "unmatched_left_count": INVOICES - matched,
        "unmatched_right_count": PAYMENTS - matched,
    }
    assert {name: body[name] for name in expected} == expected, body
    paths = body["output_paths"]
    tables = {name: pq.read_table(within(paths[name]), filesystem=files) for name in paths}
    rows = {name: table.num_rows for name, table in tables.items()}
    assert rows == {name.removesuffix("_count"): count for name, count in expected.items()}, rows
    ids = tables["unmatched_left"].column("invoice_id").to_pylist()
    assert ids == [id for n, (id, _) in enumerate(invoices) if n >= PAYMENTS or n % EVERY == 0], ids[:10]
    status, view = call("GET", f"/api/jobs/{payload['run_id']}")
    assert (status, view["state"], view["complete"]["matched_count"]) == (200, "completed", matched), view
    # The same again is accepted and runs no second time; something else under its name is not.
    assert call("POST", "/api/jobs", payload)[0] == 202
    status, problem = call("POST", "/api/jobs", {**payload, "match_sql": MATCH + " AND true"})
    assert (status, problem["code"], problem["retryable"]) == (409, "conflict", False), problem

# Filters of a source.
payload = job(f"{prefix}/payments.csv")
payload["sources"][1]["filters"] = [{"column": "paid_amount", "op": "between", "value": [100, 199.5]}]
path, _, body = run(payload)
assert (path.rsplit("/", 1)[1], body["total_right"]) == ("complete", 100), body

# A job that fails says why in one sentence.
path, _, body = run(job(f"{postgres}{separator}table=nowhere_{table}"))
assert path.endswith("/error") and body["stage"] == "staging", body
assert body["error"] == body["problem"]["message"] and "no table" in body["error"], body
assert "source `right_src`" in body["error"] and body["problem"]["fault"] == "user", body

# Everything that is wrong, at once.
wrong = job("ftp://example.com/x", run_id="seven", match_sql="DELETE FROM left_src")
status, problem = call("POST", "/api/jobs", wrong)
fields = [violation["field"] for violation in problem["violations"]]
assert (status, fields) == (400, ["run_id", "sources[1].uri", "match_sql"]), problem

# Fields that nobody knows: what looks misspelled is refused, what is of a later version or of somebody else is told.
payload = job(f"{prefix}/payments.csv")
payload["sources"][0]["filtres"] = [{"column": "amount", "op": "gte", "value": 100}]
status, problem = call("POST", "/api/jobs", payload)
assert (status, problem["violations"][0]["field"]) == (400, "sources[0].filtres"), problem
assert "did you mean `filters`" in problem["message"], problem
for version, words in [(0, "fields that are not known: `sources[0].filtres`"), (99, "by version 99 of the contract")]:
    payload = job(f"{prefix}/payments.csv", contract_version=version)
    name = "filtres" if version else "format"
    payload["sources"][0][name] = "csv"
    path, _, body = run(payload)
    assert path.endswith("/complete") and words.replace("filtres", name) in body["warning"], body
    assert f"`sources[0].{name}` was not read" in body["warning"], body
    assert call("GET", f"/api/jobs/{payload['run_id']}")[1]["complete"]["warning"] == body["warning"]

# Columns of rows that match, compared: every payment but each seventh is two cents off.
near = {"left": "amount", "right": "paid_amount", "tolerance": 0.02}
sql = "SELECT l.invoice_id, l.amount, r.paid_amount FROM left_src l JOIN right_src r ON l.invoice_id = r.reference_number"
payload = job(f"{prefix}/payments.csv", match_sql=sql, compare=[near])
path, _, body = run(payload)
assert path.endswith("/complete") and body["differing_count"] == PAYMENTS - matched, body
assert body["one_sided_columns"] == 0, body
differing = pq.read_table(within(body["output_paths"]["matched"]), filesystem=files)["_differs"].to_pylist()
assert differing.count(["amount"]) == PAYMENTS - matched and differing.count(None) == matched, differing[:20]
payload = job(f"{prefix}/payments.csv", match_sql=sql, compare=[{**near, "left": "amuont"}])
status, problem = call("POST", "/api/jobs", payload)
assert (status, problem["violations"][0]["field"]) == (400, "compare.columns[0]"), problem

# A file that comes with the request.
request = urllib.request.Request(f"{worker}/api/files/mine.csv", payment_csv, method="PUT")
with urllib.request.urlopen(request) as answer:
    stored = json.load(answer)
path, _, body = run(job(stored["uri"]))
assert (path.rsplit("/", 1)[1], body["matched_count"]) == ("complete", matched), body
request = urllib.request.Request(f"{worker}/api/files/mine.csv", method="DELETE")
with urllib.request.urlopen(request) as answer:
    assert answer.status == 204
path, _, body = run(job(stored["uri"]))
assert (path.rsplit("/", 1)[1], body["problem"]["code"]) == ("error", "not_found"), body

drop_table()
assert received.empty(), received.get()
