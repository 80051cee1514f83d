"""What jobs may not reach: every file that Kalla keeps for itself, and addresses, however they are written."""

import json
import os
import socket
import struct
import threading
import time
import uuid

from product import Served, json_headers, write_rows

SQL = "SELECT l.id FROM left_src l JOIN right_src r ON l.id = r.id"


def run(place, check):
    files(place, check)
    addresses(place, check)
    redirects(place, check)
    changing_names(place, check)


def submit(worker, **fields):
    job = {"run_id": str(uuid.uuid4()), "match_sql": SQL, "sources": [{"alias": "a", "uri": "a.csv"}, {"alias": "b", "uri": "a.csv"}], **fields}
    status, _, told = worker.ask("POST", "/api/jobs", json_headers(), json.dumps(job).encode())
    return job["run_id"], status, told.decode(errors="replace")


def ended(worker, run_id):
    for _ in range(3000):
        status, _, told = worker.ask("GET", f"/api/jobs/{run_id}")
        job = json.loads(told)
        if status == 200 and job["state"] in ("completed", "failed", "cancelled"):
            return job
        time.sleep(0.01)
    raise SystemExit(f"{run_id} does not end")


def files(place, check):
    """Each file of the data directory and of the storage, as a source and as an output, in several spellings."""
    write_rows(place / "a.csv", "id", range(3))
    with Served(place, ["up", "--port", "0"]) as gateway:
        made = {"recipe": {"match_sql": SQL, "sources": {"left": {"alias": "a", "uri": "a.csv"}, "right": {"alias": "b", "uri": "a.csv"}}}}
        _, _, told = gateway.ask("POST", "/api/runs", json_headers(), json.dumps(made).encode())
        run_id = json.loads(told)["run_id"]
        while json.loads(gateway.ask("GET", f"/api/runs/{run_id}")[2])["state"] != "completed":
            time.sleep(0.02)
        data = place / "kalla-data"
        outbox = data / "staging" / "outbox"
        outbox.mkdir(exist_ok=True)
        (outbox / "planted.json").write_text('{"id": "planted"}\n')
        link = place / "link"
        link.symlink_to(data)
        kept = [path for path in data.rglob("*") if path.is_file()]
        own = [path for path in kept if path.relative_to(data).parts[:2] not in (("staging", "results"), ("staging", "files"))]
        closed = []
        for path in own:
            inside = path.relative_to(place)
            beneath = path.relative_to(data)
            for spelled in (str(path), str(inside), f"./{inside}", f"file://{path}", f"{place}//{inside}", f"link/{beneath}", f"kalla-data/./{beneath}"):
                source = {"alias": "own", "uri": spelled}
                gateway.ask("POST", "/api/sources", json_headers(), json.dumps(source).encode())
                status, _, told = gateway.ask("GET", "/api/sources/own/preview")
                closed.append((status == 400 and b"belongs to Kalla" in told, f"{spelled} as a source: {status} {told[:300]}"))
        check(f"{len(own)} files are Kalla's own", len(own) >= 4 and any(path.name == "secret.key" for path in own), own)
        check.all("the gateway opens none of them", closed)
    with Served(place, ["worker", "--port", "0"]) as worker:
        submit(worker)
        written = []
        (place / "staging").mkdir(exist_ok=True)
        for target in [str(path) for path in own] + ["kalla-data", "kalla-data/x", "staging/outbox", "staging/runs/x", "staging/staged/x", "link/x", "link/staging/outbox/x"]:
            _, status, told = submit(worker, output_path=target)
            written.append((status == 400 and "output_path" in told, f"{target} as an output: {status} {told[:300]}"))
        check.all("nothing is written there", written)


def addresses(place, check):
    """Nothing is connected to, whatever the answer is."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    hosts = ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
             "017700000001", "0.0.0.0", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]",
             "[::]", "%31%32%37.0.0.1", "127%2E0.0.1", "①②⑦.0.0.1", "127。0。0。1", "127.0.0.1,127.0.0.1", "db.example,127.0.0.1"]
    more = [f"u@/db?host=127.0.0.1&port={port}&table=t", f"u@/db?hostaddr=127.0.0.1&port={port}&table=t",
            f"u@db.example:{port}/db?hostaddr=127.0.0.1&table=t", f"u@db.example:{port}/db?host=127.0.0.1&table=t"]
    with Served(place, ["worker", "--port", "0"], {"KALLA_PRIVATE_ADDRESSES": "refuse", "KALLA_CALLBACK_BUDGET": "1s"}) as worker:
        reached = []
        for target in [f"u@{host}:{port}/db?table=t" for host in hosts] + more:
            uri = f"postgres://{target}"
            run_id, status, told = submit(worker, sources=[{"alias": "a", "uri": uri}, {"alias": "b", "uri": "a.csv"}])
            if status == 202:
                told = ended(worker, run_id)["error"]["error"]
            reached.append((not came(listener), f"{uri}: {told}"))
        for host in hosts:
            run_id, status, told = submit(worker, callback_url=f"http://{host}:{port}/x")
            if status == 202:
                ended(worker, run_id)
            reached.append((not came(listener), f"a callback to {host}: {told}"))
        check.all(f"{len(reached)} spellings of an address lead nowhere", reached)


def came(listener):
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True


def redirects(place, check):
    target = socket.create_server(("127.0.0.1", 0))
    target.setblocking(False)
    first = socket.create_server(("127.0.0.1", 0))
    where = f"http://127.0.0.1:{target.getsockname()[1]}/"
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {where}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    asked = []

    def serve():
        while True:
            try:
                connection, _ = first.accept()
            except OSError:
                return
            asked.append(connection.recv(65536))
            connection.sendall(answer)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with Served(place, ["worker", "--port", "0"], {"KALLA_CALLBACK_BUDGET": "1s"}) as worker:
        run_id, *_ = submit(worker, callback_url=f"http://127.0.0.1:{first.getsockname()[1]}/x")
        ended(worker, run_id)
        end = time.monotonic() + 5
        while not asked and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        check("a callback follows no redirect", bool(asked) and not came(target), asked)
    first.close()


def changing_names(place, check):
    """A name that stands for a public address when it is looked at, and for this machine when it is connected to."""
    if os.geteuid() != 0:
        check.left_out("names that change between two look-ups: only root gives a process another resolver")
        return
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.53", 53))
    seen = {}

    def serve():
        while True:
            try:
                asked, sender = resolver.recvfrom(4096)
            except OSError:
                return
            end = asked.index(b"\0", 12) + 5
            name, (kind,) = asked[12:end - 4], struct.unpack(">H", asked[end - 4:end - 2])
            answers = b""
            if kind == 1:
                count = seen[name] = seen.get(name, 0) + 1
                address = "192.0.2.1" if count == 1 else "127.0.0.1"
                answers = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address)
            head = asked[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, 1 if answers else 0, 0, 0)
            resolver.sendto(head + asked[12:end] + answers, sender)

    threading.Thread(target=serve, daemon=True).start()
    settings = place / "resolv.conf"
    settings.write_text("nameserver 127.0.0.53\noptions timeout:1 attempts:1\n")
    before = ["unshare", "-m", "sh", "-c", f"mount --bind {settings} /etc/resolv.conf && exec \"$@\"", "sh"]
    variables = {"KALLA_PRIVATE_ADDRESSES": "refuse", "KALLA_CALLBACK_TIMEOUT": "1s", "KALLA_CALLBACK_BUDGET": "1s"}
    with Served(place, ["worker", "--port", "0"], variables, before) as worker:
        reached = []
        for number in range(4):
            uri = f"postgres://u@changes-{number}.example:{port}/db?table=t&connect_timeout=2"
            run_id, _, told = submit(worker, sources=[{"alias": "a", "uri": uri}, {"alias": "b", "uri": "a.csv"}])
            ended(worker, run_id)
            reached.append((not came(listener), f"{uri}: {told}"))
        run_id, _, told = submit(worker, callback_url=f"http://changes-back.example:{port}/x")
        ended(worker, run_id)
        time.sleep(1.5)
        reached.append((not came(listener), f"a callback: {told}"))
        check.all("a name that changes its mind leads nowhere", reached)
        asked = [name for name in seen if b"changes" in name]
        check("it was asked for", len(asked) == 5, seen)
    resolver.close()
