"""One run of one program: its own process, its wall time, its processor time, its peak memory."""

import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Run:
    wall: float
    """Seconds around the whole process."""
    seconds: float
    """What is compared: the work inside a Python process without its start-up, or the whole of a program."""
    cpu: float
    """Processor seconds of all threads, for the same part."""
    peak: int
    """Largest resident set in bytes, as the kernel counts it (pages of mapped files are part of it)."""
    anonymous: int
    """Largest sampled memory of its own in bytes, without mapped files."""
    said: dict = field(default_factory=dict)
    """The JSON that the program printed."""


@dataclass
class Entrant:
    name: str
    how: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    out: Path | None = None
    """Directory of the results, made empty before each run."""
    accepts: tuple[int, ...] = (0,)
    runs: list[Run] = field(default_factory=list)
    checked: dict = field(default_factory=dict)

    def median(self, what: str) -> float:
        return statistics.median(getattr(run, what) for run in self.runs)

    def span(self, what: str) -> tuple[float, float]:
        values = [getattr(run, what) for run in self.runs]
        return min(values), max(values)


def once(entrant: Entrant) -> Run:
    """Runs it; what it prints on stderr is shown when it fails."""
    # What the last run wrote must not be written back to the disk during this one.
    os.sync()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        started = time.perf_counter()
        process = subprocess.Popen(
            entrant.command, stdout=said, stderr=complained, stdin=subprocess.DEVNULL, env=os.environ | entrant.env
        )
        sampler = Sampler(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        anonymous = sampler.stop()
        said.seek(0)
        complained.seek(0)
        if process.returncode not in entrant.accepts:
            tail = complained.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{entrant.name}: exit code {process.returncode}\n{' '.join(entrant.command)}\n{tail}")
        text = said.read().decode().strip()
    try:
        answer = json.loads(text) if text else {}
    except json.JSONDecodeError:
        answer = {}
    return Run(
        wall=wall,
        seconds=answer.get("seconds", wall),
        cpu=answer.get("cpu", usage.ru_utime + usage.ru_stime),
        peak=usage.ru_maxrss * 1024,
        anonymous=anonymous,
        said=answer,
    )


class Sampler:
    """Watches a process's anonymous memory while it lives."""

    def __init__(self, pid: int):
        self.pid, self.peak, self.ended = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        while not self.ended.wait(0.02):
            try:
                with open(f"/proc/{self.pid}/status", "rb") as status:
                    for line in status:
                        if line.startswith(b"RssAnon:"):
                            self.peak = max(self.peak, int(line.split()[1]) * 1024)
            except (FileNotFoundError, ProcessLookupError):
                return

    def stop(self) -> int:
        self.ended.set()
        self.thread.join()
        return self.peak


def alternate(entrants: list[Entrant], repeats: int, prepare, log) -> None:
    """A B C A B C …: one round to warm up, then `repeats` that count."""
    for turn in range(repeats + 1):
        for entrant in entrants:
            prepare(entrant)
            run = once(entrant)
            log(f"  {'warm-up' if turn == 0 else f'run {turn}/{repeats}'}  {entrant.name:<24} {run.seconds:8.3f} s")
            if turn > 0:
                entrant.runs.append(run)
