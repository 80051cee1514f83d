"""Kalla as processes, and requests to them that no client library would send."""

import http.client
import os
import re
import signal
import subprocess
import time
from pathlib import Path

KALLA = os.environ["KALLA_TEST_BINARY"]
STARTED = re.compile(r"(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")


class Served:
    """`kalla ARGUMENTS…` in a directory, from the moment it listens until it is stopped."""

    def __init__(self, directory, arguments, variables=None, before=()):
        self.directory = Path(directory)
        self.log_path = self.directory / f"log-{time.monotonic_ns()}"
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment.update(variables or {})
        with open(self.log_path, "wb") as log:
            command = [*before, KALLA, *arguments]
            self.process = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            found = STARTED.search(self.log())
            if found:
                self.port = int(found.group(1))
                break
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"kalla {' '.join(arguments)} does not start:\n{self.log()}")
            time.sleep(0.02)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def ask(self, method, path, headers=(), body=None, timeout=60):
        """Sends these headers and no others, but for Host and Content-Length; gives status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        named = {name.lower() for name, _ in headers}
        connection.putrequest(method, path, skip_host="host" in named, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None and "content-length" not in named:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, told

    def resident(self):
        """Bytes of memory that the process takes."""
        return memory_of(self.process.pid, "VmRSS:")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def memory_of(pid, kind):
    """Bytes of one kind, as the system tells them; 0 of a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def json_headers(*more):
    return [("Content-Type", "application/json"), *more]


def write_rows(path, header, rows):
    path.write_text(header + "\n" + "".join(f"{row}\n" for row in rows))
