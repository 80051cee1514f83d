"""Seeded invoices and payments, as CSV and as Parquet, with the pairs that must match.

Of every 100 invoices 60 are paid exactly, 15 nearly (within 2 percent, mostly outside 0.02), 5 in two payments and 20
not at all; 10 payments belong to no invoice. So there are 95 payments to 100 invoices. All of it is decided first, in
integer cents and in arrays of plain numbers; the text around it is made a chunk at a time, so memory stays small.

usage: data.py ROWS DIR
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

VERSION = 3
SEED = 20_250_301
TOLERANCE_CENTS = 2
CHUNK = 262_144
NO_INVOICE = -1
DAY_ZERO = 19_723  # 2024-01-01

CUSTOMERS = [
    f"{first} {last}"
    for first in ("Müller & Söhne", "Acme", "Northwind", "Škoda", "Blue Harbour", "Société Lyon", "Kowalski", "Contoso",
                  "Silva e Filhos", "Tanaka", "O'Brien", "Grønland", "Delta", "Fabrikam", "Larsen", "Zürich")
    for last in ("GmbH", "Ltd", "AG", "Trading", "Logistics", "S.A.", "Foods", "Partners", "Steel", "Textiles, Inc.")
]  # fmt: skip
MEMOS = [
    "Monthly retainer", "Consulting services", "Freight and insurance, 2 pallets", "Spare parts", "Licence renewal",
    'Steel tube 3/4" galvanised', "Office supplies", "Travel expenses, Lisbon", "Maintenance contract", "Samples",
]  # fmt: skip
PAYMENT_MEMOS = ["Thank you", "Invoice payment", "Transfer", "Settlement, as agreed", "Rent", "Ref. see statement", ""]
CURRENCIES = ["EUR", "EUR", "EUR", "EUR", "EUR", "EUR", "EUR", "USD", "USD", "GBP"]
STATUSES = ["open", "open", "open", "sent", "overdue", "disputed"]
CHANNELS = ["sepa", "sepa", "sepa", "wire", "card", "cheque"]
BANKS = ["DEUTDEFF", "BNPAFRPP", "CHASUS33", "BARCGB22", "COBADEFF", "INGBNL2A", "UBSWCHZH", "NDEASESS"]

INVOICE_SCHEMA = pa.schema([
    ("invoice_id", pa.string()),
    ("customer_name", pa.string()),
    ("customer_code", pa.string()),
    ("amount", pa.decimal128(12, 2)),
    ("currency", pa.string()),
    ("invoice_date", pa.date32()),
    ("due_date", pa.date32()),
    ("status", pa.string()),
    ("memo", pa.string()),
    ("created_at", pa.timestamp("us")),
])
PAYMENT_SCHEMA = pa.schema([
    ("payment_id", pa.string()),
    ("reference_number", pa.string()),
    ("payer_name", pa.string()),
    ("paid_amount", pa.decimal128(12, 2)),
    ("currency", pa.string()),
    ("payment_date", pa.date32()),
    ("bank_code", pa.string()),
    ("channel", pa.string()),
    ("memo", pa.string()),
    ("booked_at", pa.timestamp("us")),
])


def generate(rows: int, directory: Path) -> None:
    """Writes invoices and payments of `rows` invoices into `directory`; does nothing when they are there already."""
    wanted = {"version": VERSION, "seed": SEED, "rows": rows, "polars": pl.__version__}
    ready = directory / "ready.json"
    if ready.exists() and {k: json.loads(ready.read_text()).get(k) for k in wanted} == wanted:
        return
    building = directory.with_name(directory.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    cents, kind = invoices(rng, rows)
    payment_invoice, payment_cents = payments(rng, cents, kind)

    write(building / "invoices", INVOICE_SCHEMA, rows, lambda at, n: invoice_chunk(at, cents[at : at + n]))
    write(
        building / "payments",
        PAYMENT_SCHEMA,
        len(payment_invoice),
        lambda at, n: payment_chunk(at, payment_invoice[at : at + n], payment_cents[at : at + n]),
    )

    paid = payment_invoice != NO_INVOICE
    close = np.zeros(len(payment_invoice), dtype=bool)
    close[paid] = np.abs(cents[payment_invoice[paid]] - payment_cents[paid]) <= TOLERANCE_CENTS
    edge = np.zeros(len(payment_invoice), dtype=bool)
    edge[paid] = np.abs(cents[payment_invoice[paid]] - payment_cents[paid]) == TOLERANCE_CENTS
    matched_invoice = payment_invoice[close]
    matched_payment = np.flatnonzero(close)
    np.save(building / "pairs.npy", np.sort(pair_key(matched_invoice, matched_payment)))
    facts = wanted | {
        "payments": len(payment_invoice),
        "matched": len(matched_payment),
        "unmatched_left": rows - len(np.unique(matched_invoice)),
        "unmatched_right": len(payment_invoice) - len(matched_payment),
        "pairs_at_the_boundary": int(edge.sum()),
    }
    (building / "ready.json").write_text(json.dumps(facts, indent=1))
    shutil.rmtree(directory, ignore_errors=True)
    os.rename(building, directory)


def pair_key(invoice: np.ndarray, payment: np.ndarray) -> np.ndarray:
    """One integer for a pair of row numbers, so that sets of pairs compare as sorted arrays."""
    return (invoice.astype(np.int64) << 32) | payment.astype(np.int64)


def invoices(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The amount of each invoice in cents, and what becomes of it: 0 exact, 1 near, 2 split, 3 unpaid."""
    cents = np.clip(np.exp(rng.normal(10.5, 1.4, rows)), 500, 99_999_999).astype(np.int64)
    kind = np.full(rows, 3, dtype=np.int8)
    bounds = [rows * 60 // 100, rows * 75 // 100, rows * 80 // 100]
    kind[: bounds[0]] = 0
    kind[bounds[0] : bounds[1]] = 1
    kind[bounds[1] : bounds[2]] = 2
    rng.shuffle(kind)
    return cents, kind


def payments(rng: np.random.Generator, cents: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each payment, in the order of the file, its invoice's row (or NO_INVOICE) and its cents."""
    exact = np.flatnonzero(kind == 0)
    near = np.flatnonzero(kind == 1)
    split = np.flatnonzero(kind == 2)
    stray = len(cents) // 10

    off = np.rint(cents[near] * rng.uniform(-0.02, 0.02, len(near))).astype(np.int64)
    # Some of the differences lie at the tolerance on purpose: one cent inside it, on it and one cent outside.
    edge = rng.random(len(near))
    for low, difference in ((0.00, 1), (0.04, 2), (0.08, 3)):
        at = (edge >= low) & (edge < low + 0.04)
        off[at] = difference * rng.choice(np.array([-1, 1]), at.sum())
    first = np.maximum(1, (cents[split] * rng.uniform(0.2, 0.8, len(split))).astype(np.int64))

    of = np.concatenate([exact, near, split, split, np.full(stray, NO_INVOICE)])
    paid = np.concatenate([
        cents[exact],
        np.maximum(1, cents[near] + off),
        first,
        cents[split] - first,
        np.clip(np.exp(rng.normal(10.5, 1.4, stray)), 500, 99_999_999).astype(np.int64),
    ])
    order = rng.permutation(len(of))
    return of[order], paid[order]


def text(choices: list[str], index: np.ndarray) -> pl.Series:
    return pl.Series(choices, dtype=pl.String).gather(pl.Series(index))


def money(cents: np.ndarray) -> pl.Expr:
    """Exact: whole cents as a decimal, moved two places."""
    return (pl.lit(pl.Series(cents)).cast(pl.Decimal(14, 2)) / pl.lit(100).cast(pl.Decimal(14, 2))).cast(pl.Decimal(12, 2))


def numbered(prefix: str, numbers: np.ndarray, width: int) -> pl.Expr:
    return pl.lit(prefix) + pl.lit(pl.Series(numbers)).cast(pl.String).str.zfill(width)


def day(days: np.ndarray) -> pl.Expr:
    return pl.lit(pl.Series(days.astype(np.int32))).cast(pl.Date)


def moment(days: np.ndarray, seconds: np.ndarray) -> pl.Expr:
    return pl.lit(pl.Series((days.astype(np.int64) * 86_400 + seconds) * 1_000_000)).cast(pl.Datetime("us"))


def invoice_chunk(at: int, cents: np.ndarray) -> pl.DataFrame:
    n = len(cents)
    rng = np.random.default_rng([SEED, 1, at])
    number = np.arange(at, at + n)
    customer = rng.integers(0, 50_000, n)
    issued = DAY_ZERO + rng.integers(0, 366, n)
    note = text(MEMOS, rng.integers(0, len(MEMOS), n))
    return pl.select(
        numbered("INV-", number, 9).alias("invoice_id"),
        pl.lit(text(CUSTOMERS, customer % len(CUSTOMERS))).alias("customer_name"),
        numbered("", customer, 8).alias("customer_code"),
        money(cents).alias("amount"),
        pl.lit(text(CURRENCIES, number % 97 % len(CURRENCIES))).alias("currency"),
        day(issued).alias("invoice_date"),
        day(issued + 30).alias("due_date"),
        pl.lit(text(STATUSES, rng.integers(0, len(STATUSES), n))).alias("status"),
        (pl.lit(note) + numbered(" PO ", rng.integers(1000, 99_999, n), 5)).alias("memo"),
        moment(issued, rng.integers(28_800, 64_800, n)).alias("created_at"),
    )


def payment_chunk(at: int, of: np.ndarray, cents: np.ndarray) -> pl.DataFrame:
    n = len(of)
    rng = np.random.default_rng([SEED, 2, at])
    # A stray payment names an invoice that does not exist, or none at all.
    stray = of == NO_INVOICE
    reference = np.where(stray, 900_000_000 + rng.integers(0, 99_999_999, n), of)
    absent = stray & (rng.random(n) < 0.2)
    paid = DAY_ZERO + rng.integers(10, 400, n)
    return pl.select(
        numbered("PAY-", np.arange(at, at + n), 10).alias("payment_id"),
        pl.when(pl.lit(pl.Series(~absent))).then(numbered("INV-", reference, 9)).alias("reference_number"),
        pl.lit(text(CUSTOMERS, rng.integers(0, len(CUSTOMERS), n))).alias("payer_name"),
        money(cents).alias("paid_amount"),
        pl.lit(text(CURRENCIES, reference % 97 % len(CURRENCIES))).alias("currency"),
        day(paid).alias("payment_date"),
        pl.lit(text(BANKS, rng.integers(0, len(BANKS), n))).alias("bank_code"),
        pl.lit(text(CHANNELS, rng.integers(0, len(CHANNELS), n))).alias("channel"),
        pl.lit(text(PAYMENT_MEMOS, rng.integers(0, len(PAYMENT_MEMOS), n)))
        .replace("", None)
        .alias("memo"),
        moment(paid, rng.integers(0, 86_400, n)).alias("booked_at"),
    )


def write(stem: Path, schema: pa.Schema, rows: int, chunk) -> None:
    """The same rows as `stem`.csv and as `stem`.parquet."""
    parquet = pq.ParquetWriter(stem.with_suffix(".parquet"), schema, compression="snappy")
    with stem.with_suffix(".csv").open("wb") as csv, parquet:
        for at in range(0, rows, CHUNK):
            frame = chunk(at, min(CHUNK, rows - at))
            frame.write_csv(csv, include_header=at == 0, datetime_format="%Y-%m-%d %H:%M:%S")
            parquet.write_table(frame.to_arrow().cast(schema))


if __name__ == "__main__":
    generate(int(sys.argv[1]), Path(sys.argv[2]))
