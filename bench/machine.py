"""What a result depends on: the machine and the versions, without names of hosts or people."""

import os
import platform
import subprocess
from pathlib import Path


def memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def first_line(command: list[str], cwd: Path | None = None) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.splitlines()[0] if answer else ""


def describe(python: Path, kalla: Path, root: Path) -> dict[str, str]:
    versions = first_line([
        str(python),
        "-c",
        "import duckdb, polars, platform; print(f'DuckDB {duckdb.__version__}, Polars {polars.__version__}, "
        "Python {platform.python_version()}')",
    ])
    changed = "" if first_line(["git", "status", "--porcelain", "-uno"], root) == "" else " with local changes"
    return {
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} cores, {memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "kalla": f"{first_line([str(kalla), '--version'])}, commit "
        f"{first_line(['git', 'rev-parse', '--short', 'HEAD'], root)}{changed}",
        "peers": versions,
        "load at the start": f"{os.getloadavg()[0]:.2f}",
    }
