#!/usr/bin/env python3
"""Two exports of one table, compared column by column: against the same match without a comparison, and against datacompy.

    python3 bench/compare.py                 a million rows a side, 20 columns
    python3 bench/compare.py --rows 100k     fewer of them

Needs a built `kalla` (cargo build --release). The second export is in another order, lacks 1 % of the rows and has as many of
its own; 1 % of the values of four columns differ. After the last run the counts of both tools are compared, column by column.
"""

import argparse
import json
import os
from pathlib import Path

import run
from measure import Entrant, alternate, once

COLUMNS = [*(f"i{n}" for n in range(5)), *(f"m{n}" for n in range(5)), *(f"s{n}" for n in range(6)), *(f"d{n}" for n in range(3))]
CHANGED = ["i1", "m1", "s1", "d1"]

MAKE = """
import sys
import numpy as np, polars as pl
rows, directory, columns, changed = int(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), sys.argv[4].split(",")
random = np.random.default_rng(20_261_130)
words = np.array([f"{a} {b}" for a in ("Acme", "Contoso", "Larsen", "Tanaka", "Kowalski") for b in ("Ltd", "AG", "Foods", "Steel")])
values = {"id": np.arange(rows)}
for name in columns:
    match name[0]:
        case "i": values[name] = random.integers(0, 1_000_000, rows)
        case "m": values[name] = np.array([f"{c // 100}.{c % 100:02}" for c in random.integers(0, 10_000_000, rows)])
        case "s": values[name] = np.char.add(np.char.add(random.choice(words, rows), " "), random.integers(0, 10_000, rows).astype(str))
        case "d": values[name] = np.datetime64("2024-01-01") + random.integers(0, 900, rows)
left = pl.DataFrame(values)
keep = np.sort(random.permutation(rows)[: rows - rows // 100])
right = left[keep]
for name in changed:
    other = random.random(len(right)) < 0.01
    column, rolled = right[name].to_numpy(), np.roll(right[name].to_numpy(), 1)
    right = right.with_columns(pl.Series(name, np.where(other, rolled, column)))
more = left[: rows // 100].with_columns(id=pl.Series(np.arange(rows, rows + rows // 100)))
right = pl.concat([right, more])[random.permutation(rows)]
left.write_csv(f"{directory}/left.csv")
right.write_csv(f"{directory}/right.csv")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1M", type=run.count)
    parser.add_argument("--repeats", default=3, type=int)
    parser.add_argument("--threads", default=os.cpu_count(), type=int)
    parser.add_argument("--kalla", type=Path, default=run.ROOT / "target/release/kalla", help="the program to measure")
    options = parser.parse_args()
    python = run.environment("requirements-compare.txt")
    directory = run.DATA / f"compare-{run.label(options.rows)}"
    sides = [str(directory / f"{side}.csv") for side in ("left", "right")]
    if not all(Path(side).exists() for side in sides):
        directory.mkdir(parents=True, exist_ok=True)
        words = [str(python), "-c", MAKE, str(options.rows), str(directory), ",".join(COLUMNS), ",".join(CHANGED)]
        once(Entrant("data", "", words))

    def kalla(name: str, *flags: str) -> Entrant:
        out = run.output(name)
        words = [str(options.kalla), "reconcile", *sides, "--on", "id", *flags, "--out", str(out), "--json"]
        return Entrant(name, "", [*words, "--threads", str(options.threads)], out=out, accepts=(0, 1))

    matched, both = kalla("Kalla, --on id"), kalla("Kalla, all columns", "--select", "l.*,r.*")
    compared = kalla("Kalla, --compare", "--compare")
    out = run.output("datacompy")
    peer = [str(python), str(run.HERE / "peer_datacompy.py"), *sides, str(out)]
    datacompy = Entrant("datacompy", "", peer, {"POLARS_MAX_THREADS": str(options.threads)}, out)
    entrants = [matched, both, compared, datacompy]
    alternate(entrants, options.repeats, run.empty, run.log)

    found = compared.runs[-1].said["differences"]["columns"]
    ours = {column["left"]: column["different"] + column["missing_left"] + column["missing_right"] for column in found}
    theirs = datacompy.runs[-1].said["columns"]
    differ = {name: (count, theirs.get(name)) for name, count in ours.items() if theirs.get(name) != count}
    if differ or len(ours) != len(COLUMNS):
        raise SystemExit(f"the counts differ: {differ}")
    print(f"| tool | seconds | of `--on id` | peak MB |\n|---|---|---|---|")
    for entrant in entrants:
        seconds, peak = entrant.median("seconds"), entrant.median("peak") / 1e6
        print(f"| {entrant.name} | {seconds:.2f} | {seconds / matched.median('seconds'):.2f} | {peak:.0f} |")
    print(json.dumps({name: count for name, count in ours.items() if count}))


main()
