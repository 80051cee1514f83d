#!/usr/bin/env python3
"""Kalla against DuckDB and Polars on the same job, one command.

    python3 bench/run.py                                    everything: 100k, 1M and 10M rows a side
    python3 bench/run.py --scenario csv --rows 100k,1M      part of it
    python3 bench/run.py --tune --rows 1M                   every formulation of the peers, to see that the best was taken

Needs a built `kalla` (cargo build --release) and, for `postgres`, a server on which a database may be created.
The peers are installed into a virtual environment of their own under the user's cache directory.
"""

import argparse
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import report
from machine import describe, memory
from measure import Entrant, alternate
from postgres import scratch_database

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = HERE / ".data"
SCENARIOS = ("csv", "parquet", "postgres", "limited", "latency")

SQL = """
SELECT l.invoice_id, r.payment_id, l.amount, r.paid_amount, l.currency, l.invoice_date, l.customer_name,
       r.payment_date, r.channel
FROM left_src l
JOIN right_src r ON l.invoice_id = r.reference_number AND tolerance_match(l.amount, r.paid_amount, 0.02)
""".strip()

# The fastest formulations, found with --tune. `declared`, `cast` and `decimal` give exactly what Kalla gives. Those that
# say what they leave out do less work: binary floating point for money, dates left as text.
PEERS = {
    "csv": {
        "DuckDB": ("duckdb", "ids-declared"),
        "DuckDB, floats": ("duckdb", "ids-float"),
        "Polars": ("polars", "eager-cast-decimal"),
        "Polars, floats, no dates": ("polars", "eager-text-float"),
    },
    "parquet": {
        "DuckDB": ("duckdb", "viewids-declared"),
        "Polars": ("polars", "rows-cast-decimal"),
        "Polars, floats": ("polars", "rows-cast-float"),
    },
}
VARIANTS = {
    ("csv", "duckdb"): (["tables", "ids", "views", "notexists", "full"], ["declared", "auto", "float"]),
    ("csv", "polars"): (
        ["eager", "rows", "held", "heldall", "one", "twice"],
        ["cast-decimal", "parse-decimal", "cast-float", "text-float"],
    ),
    ("parquet", "duckdb"): (["tables", "ids", "views", "viewids", "notexists", "full"], ["declared", "float"]),
    ("parquet", "polars"): (["eager", "rows", "held", "heldall", "one", "twice"], ["cast-decimal", "cast-float"]),
}


def main() -> None:
    options = arguments()
    python = environment()
    if options.tune:
        for rows in options.rows:
            tune(options, python, rows)
        return
    if not options.kalla.is_file():
        raise SystemExit(f"{options.kalla} does not exist: build it with `cargo build --release` or say --kalla PATH")
    about = describe(python, options.kalla, ROOT)
    sections = []
    for scenario in options.scenario:
        # One size says all there is to say about a limit or about latency.
        sizes = {"latency": [1_000], "limited": options.rows[-1:], "postgres": [min(options.rows[-1], 1_000_000)]}
        for rows in sizes.get(scenario, options.rows):
            log(f"{scenario}, {rows:,} invoices")
            entrants, repeats = SCENARIO[scenario](options, python, rows)
            sections.append(report.section(scenario, rows, repeats, entrants))
            print(sections[-1], flush=True)
    text = report.page(about, sections, command())
    options.results.mkdir(parents=True, exist_ok=True)
    sizes = "-".join(label(rows) for rows in options.rows)
    scope = "" if set(options.scenario) == set(SCENARIOS) else "-" + "-".join(options.scenario)
    path = options.results / f"{datetime.date.today()}-{sizes}{scope}.md"
    path.write_text(text)
    log(f"written: {os.path.relpath(path)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="all", help=f"comma-separated: {', '.join(SCENARIOS)}; all")
    parser.add_argument("--rows", default="100k,1M,10M", help="invoices, comma-separated, smallest first: 100k,1M,10M")
    parser.add_argument("--repeats", type=int, help="runs that count, after one that does not (5; 3 from 10M on)")
    parser.add_argument("--kalla", type=Path, default=ROOT / "target/release/kalla", help="the program to measure")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads for everybody")
    parser.add_argument("--only", help="comma-separated names of entrants, for a closer look at some of them")
    parser.add_argument(
        "--postgres",
        default=os.environ.get("KALLA_BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres"),
        help="a database of the server to use; a scratch database is made beside it and dropped",
    )
    parser.add_argument("--results", type=Path, default=HERE / "results", help="directory for the table")
    parser.add_argument("--tune", action="store_true", help="measure every formulation of the peers instead")
    options = parser.parse_args()
    options.rows = [count(text) for text in options.rows.split(",")]
    options.scenario = list(SCENARIOS) if options.scenario == "all" else options.scenario.split(",")
    unknown = set(options.scenario) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenario {', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    options.kalla = options.kalla.resolve()
    return options


def count(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kM]?)", text)
    if not found:
        raise SystemExit(f"--rows {text}: write 1000, 100k or 10M")
    return int(found[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[found[2]]


def label(rows: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if rows % unit == 0:
            return f"{rows // unit}{name}"
    return str(rows)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def command() -> str:
    """What was typed, without the paths of this machine."""
    words = [word if not word.startswith("/") else ".../" + Path(word).name for word in sys.argv[1:]]
    return " ".join(["python3 bench/run.py", *words])


def environment(requirements: str = "requirements.txt") -> Path:
    """The interpreter of a virtual environment with exactly the pinned peers; made when it is missing."""
    wanted = (HERE / requirements).read_bytes()
    tag = hashlib.sha256(wanted + sys.version.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "kalla-bench" / tag
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        log(f"installing the peers into {home}")
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / requirements],
            check=True,
        )
        (home / "complete").touch()
    return python


def asked(doc: str, scenarios: dict, jobs: int, repeats: int) -> argparse.Namespace:
    """The command line of a measurement of the service."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--kalla", type=Path, default=target / "release" / "kalla")
    parser.add_argument("--scenario", default=",".join(scenarios), help="of " + ", ".join(scenarios))
    parser.add_argument("--jobs", type=int, default=jobs)
    parser.add_argument("--repeats", type=int, default=repeats)
    options = parser.parse_args()
    options.kalla = options.kalla.resolve()
    return options


def data(python: Path, rows: int) -> Path:
    directory = DATA / label(rows)
    subprocess.run([python, HERE / "data.py", str(rows), directory], check=True)
    return directory


def output(name: str) -> Path:
    return DATA / "out" / re.sub(r"\W+", "-", name).lower()


def empty(entrant: Entrant) -> None:
    if entrant.out:
        shutil.rmtree(entrant.out, ignore_errors=True)
        # Kalla makes its output directory itself, and the peers do not.
        (entrant.out.parent if entrant.name.startswith("Kalla") else entrant.out).mkdir(parents=True, exist_ok=True)


def kalla(options, left: str, right: str, name: str = "Kalla", how: str = "exact decimals", more=(), before=()) -> Entrant:
    out = output(name)
    flags = ["--threads", str(options.threads), *more]
    words = [*before, str(options.kalla), "reconcile", left, right, "--sql", SQL, "--out", str(out), "--json", *flags]
    # 1 says that breaks were found, as there are.
    return Entrant(name, how, words, out=out, accepts=(0, 1))


def peer(options, python: Path, name: str, tool: str, variant: str, kind: str, directory: Path) -> Entrant:
    out = output(name)
    sides = [str(directory / f"{side}.{kind}") for side in ("invoices", "payments")]
    words = [str(python), str(HERE / f"peer_{tool}.py"), variant, kind, *sides, str(out)]
    if tool == "duckdb":
        words.append(str(options.threads))
    return Entrant(name, variant, words, {"POLARS_MAX_THREADS": str(options.threads)}, out)


def compete(options, entrants: list[Entrant], rows: int, python: Path, directory: Path | None) -> tuple[list[Entrant], int]:
    if options.only:
        entrants = [entrant for entrant in entrants if entrant.name in options.only.split(",")]
    repeats = options.repeats or (3 if rows >= 10_000_000 else 5)
    alternate(entrants, repeats, empty, log)
    for entrant in entrants:
        if directory and entrant.out:
            answer = subprocess.run(
                [python, HERE / "check.py", directory, entrant.out], check=True, capture_output=True, text=True
            )
            entrant.checked = report.read_check(answer.stdout)
    return entrants, repeats


def files(kind: str):
    def scenario(options, python: Path, rows: int) -> tuple[list[Entrant], int]:
        directory = data(python, rows)
        sides = [str(directory / f"{side}.{kind}") for side in ("invoices", "payments")]
        entrants = [kalla(options, *sides)]
        for name, (tool, variant) in PEERS[kind].items():
            entrants.append(peer(options, python, name, tool, variant, kind, directory))
        return compete(options, entrants, rows, python, directory)

    return scenario


def postgres(options, python: Path, rows: int) -> tuple[list[Entrant], int]:
    """Kalla from table to result, against psql that only copies both tables to /dev/null."""
    directory = data(python, rows)
    with scratch_database(options.postgres, directory) as url:
        copies = [
            word
            for table in ("invoices", "payments")
            for word in ("-c", f"\\copy {table} to '/dev/null' with (format binary)")
        ]
        tables = [f"{url}?table={table}" for table in ("invoices", "payments")]
        entrants = [
            kalla(options, *tables),
            Entrant("psql COPY", "both tables, binary, one after the other", ["psql", url, "-qX", *copies]),
        ]
        return compete(options, entrants, rows, python, directory)


def limited(options, python: Path, rows: int) -> tuple[list[Entrant], int]:
    """The same job on one core, inside 2 GB and with all the memory there is."""
    directory = data(python, rows)
    sides = [str(directory / f"{side}.csv") for side in ("invoices", "payments")]
    core = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    plenty = ["--memory", f"{memory() // 2**30}GB", "--threads", "1"]
    options = argparse.Namespace(**(vars(options) | {"threads": 1}))
    entrants = [
        kalla(options, *sides, name="Kalla 2 GB", how="1 core, --memory 2GB", more=["--memory", "2GB"], before=core),
        kalla(options, *sides, name="Kalla unlimited", how="1 core", more=plenty[:2], before=core),
    ]
    return compete(options, entrants, rows, python, directory)


def latency(options, python: Path, rows: int) -> tuple[list[Entrant], int]:
    options = argparse.Namespace(**(vars(options) | {"repeats": options.repeats or 20}))
    return files("csv")(options, python, rows)


def tune(options, python: Path, rows: int) -> None:
    directory = data(python, rows)
    for (kind, tool), (shapes, reads) in VARIANTS.items():
        if kind not in options.scenario:
            continue
        variants = [f"{shape}-{read}" for shape in shapes for read in reads]
        entrants = [peer(options, python, f"{tool} {v}", tool, v, kind, directory) for v in variants]
        entrants, repeats = compete(options, entrants, rows, python, directory)
        entrants.sort(key=lambda entrant: entrant.median("seconds"))
        print(report.section(f"{kind}: {tool}", rows, repeats, entrants), flush=True)


SCENARIO = {
    "csv": files("csv"),
    "parquet": files("parquet"),
    "postgres": postgres,
    "limited": limited,
    "latency": latency,
}

if __name__ == "__main__":
    main()
