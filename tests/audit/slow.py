"""Clients that dawdle for as long as they are let: everybody else goes on as if they were not there."""

import json
import os
import socket
import threading
import time

from product import Served, json_headers, write_rows

READERS, UPLOADS = 32, 8
PACE = 2_000
# While nobody dawdles a page takes some milliseconds. A machine that is busy with something else is slow before and meanwhile.
PAGE, BEGIN, SLOWER = 0.1, 1.0, 5
SECONDS = int(os.environ.get("KALLA_AUDIT_SECONDS", "60"))
SQL = "SELECT l.id FROM l JOIN r ON l.id = r.id"


def run(place, check):
    write_rows(place / "a.csv", "id,filler", (f"{n},{'x' * 100}" for n in range(300_000)))
    write_rows(place / "b.csv", "id", [-1])
    with Served(place, ["up", "--port", "0"]) as gateway:
        run_id = finished(gateway)
        page = f"/api/runs/{run_id}/results/unmatched_left?limit=100"
        gateway.ask("GET", page)
        calm_pages, calm_begun = [], []
        for _ in range(10):
            measure(gateway, page, check, calm_pages, calm_begun)
        stop = threading.Event()
        dawdlers = [threading.Thread(target=reader, args=(gateway.port, run_id, stop), daemon=True) for _ in range(READERS)]
        dawdlers += [threading.Thread(target=uploader, args=(gateway.port, stop), daemon=True) for _ in range(UPLOADS)]
        for dawdler in dawdlers:
            dawdler.start()
        time.sleep(2)
        pages, begun, memory = [], [], []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            measure(gateway, page, check, pages, begun)
            memory.append(gateway.resident())
            time.sleep(0.5)
        stop.set()
        late, calm = most(pages), most(calm_pages)
        print(f"    {len(pages)} pages: median {sorted(pages)[len(pages) // 2] * 1000:.0f} ms, 95 % within {late * 1000:.0f} ms, longest {max(pages) * 1000:.0f} ms; "
              f"{len(begun)} uploads and runs: longest {max(begun) * 1000:.0f} ms; before it 95 % within {calm * 1000:.0f} ms, longest "
              f"{max(calm_begun) * 1000:.0f} ms; memory {memory[0] >> 20} to {max(memory) >> 20} MiB")
        check("pages come as fast as before, or within 100 ms", late < max(PAGE, SLOWER * calm), (late, calm))
        begins = max(BEGIN, SLOWER * max(calm_begun))
        check("uploads and runs begin as fast as before, or within a second", max(begun) < begins, (max(begun), max(calm_begun)))
        third = len(memory) // 3
        before, after = max(memory[: third + 1]), max(memory[-third - 1 :])
        check("memory stays as it is", after < before * 1.1 + (32 << 20), memory)


def measure(gateway, page, check, pages, begun):
    """Some pages, an upload and a run."""
    pages.extend(took(lambda: gateway.ask("GET", page)[0] == 200, check) for _ in range(10))
    begun.append(took(lambda: upload(gateway), check))
    begun.append(took(lambda: begin(gateway), check))


def most(times):
    """Within which 95 of 100 are."""
    return sorted(times)[int(len(times) * 0.95)]


def took(work, check):
    began = time.monotonic()
    if not work():
        check("it is served while others dawdle", False, "another answer")
    return time.monotonic() - began


def begin(gateway):
    request = {"recipe": {"match_sql": SQL, "sources": {"left": {"alias": "l", "uri": "b.csv"}, "right": {"alias": "r", "uri": "b.csv"}}}}
    status, _, _ = gateway.ask("POST", "/api/runs", json_headers(), json.dumps(request).encode())
    return status == 201


def finished(gateway):
    request = {"recipe": {"match_sql": SQL, "sources": {"left": {"alias": "l", "uri": "a.csv"}, "right": {"alias": "r", "uri": "b.csv"}}}}
    run_id = json.loads(gateway.ask("POST", "/api/runs", json_headers(), json.dumps(request).encode())[2])["run_id"]
    while json.loads(gateway.ask("GET", f"/api/runs/{run_id}")[2])["state"] != "completed":
        time.sleep(0.05)
    return run_id


def upload(gateway):
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid\n1\n\r\n--x--\r\n'
    return gateway.ask("POST", "/api/uploads", [("Content-Type", "multipart/form-data; boundary=x")], form)[0] == 201


def reader(port, run_id, stop):
    """Asks for a file again and again, and takes little of it."""
    while not stop.is_set():
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(f"GET /api/runs/{run_id}/results/unmatched_left?format=csv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            try:
                if b" 429 " in connection.recv(200):
                    stop.wait(1)
                    continue
                while not stop.is_set() and connection.recv(PACE):
                    stop.wait(1)
            except OSError:
                pass


def uploader(port, stop):
    """Sends the first part of a file, and nothing more."""
    while not stop.is_set():
        with socket.socket() as connection:
            connection.connect(("127.0.0.1", port))
            head = "POST /api/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000000\r\n\r\n"
            part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nid\n' + "1\n" * 100_000
            connection.sendall((head + part).encode())
            connection.settimeout(1)
            while not stop.is_set():
                try:
                    if not connection.recv(1000):
                        break
                except TimeoutError:
                    pass
                except OSError:
                    break
