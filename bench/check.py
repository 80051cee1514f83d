"""Compares a tool's results with the pairs that must match.

usage: check.py DATA OUT; prints one JSON object. Whatever a tool's own way of numbers, the answer here is exact: the pairs
were decided in whole cents when the data were made.
"""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

from data import pair_key


def numbers(ids: pl.Series, prefix: str) -> np.ndarray:
    return ids.str.strip_prefix(prefix).cast(pl.Int64).to_numpy()


def check(data: Path, out: Path) -> dict:
    facts = json.loads((data / "ready.json").read_text())
    wanted = np.load(data / "pairs.npy")

    matched = pl.scan_parquet(out / "matched.parquet")
    ids = matched.select("invoice_id", "payment_id").collect()
    found = np.sort(pair_key(numbers(ids["invoice_id"], "INV-"), numbers(ids["payment_id"], "PAY-")))
    distinct = np.unique(found)
    result = {
        "matched": len(found),
        "repeated": len(found) - len(distinct),
        "lost": len(np.setdiff1d(wanted, distinct, assume_unique=True)),
        "invented": len(np.setdiff1d(distinct, wanted, assume_unique=True)),
    }
    schema = matched.collect_schema()
    result["types"] = {name: str(schema[name]) for name in ("amount", "paid_amount", "invoice_date", "payment_date")}

    # Each row of a side is either in a pair or in the rest.
    for side, prefix, column, total, paired in (
        ("left", "INV-", "invoice_id", facts["rows"], distinct >> 32),
        ("right", "PAY-", "payment_id", facts["payments"], distinct & 0xFFFF_FFFF),
    ):
        rest = pl.scan_parquet(out / f"unmatched_{side}.parquet")
        names = rest.collect_schema().names()
        seen = np.zeros(total, dtype=np.int64)
        seen[np.unique(paired)] += 1
        np.add.at(seen, numbers(rest.select(column).collect()[column], prefix), 1)
        result[f"unmatched_{side}"] = int(rest.select(pl.len()).collect().item())
        result[f"misplaced_{side}"] = int((seen != 1).sum())
        result[f"columns_{side}"] = len([name for name in names if not name.startswith("_")])
    codes = pl.scan_parquet(out / "unmatched_left.parquet").select("customer_code").collect()["customer_code"]
    result["zeros_kept"] = codes.dtype == pl.String and bool((codes.str.len_bytes() == 8).all())

    result["exact"] = (
        result["lost"] == result["invented"] == result["repeated"] == 0
        and result["unmatched_left"] == facts["unmatched_left"]
        and result["unmatched_right"] == facts["unmatched_right"]
    )
    result["complete"] = (
        result["misplaced_left"] == result["misplaced_right"] == 0
        and result["columns_left"] == result["columns_right"] == 10
        and result["zeros_kept"]
    )
    return result


if __name__ == "__main__":
    print(json.dumps(check(Path(sys.argv[1]), Path(sys.argv[2]))))
