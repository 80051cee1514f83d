"""The job in Polars, each way a good user might write it.

usage: peer_polars.py VARIANT FORMAT LEFT RIGHT OUT; POLARS_MAX_THREADS sets the threads.
Prints {"seconds": …, "cpu": …} from after the import to the last file.
"""

import json
import sys
import time

import polars as pl

INVOICES = {
    "invoice_id": pl.String, "customer_name": pl.String, "customer_code": pl.String, "amount": pl.Decimal(12, 2),
    "currency": pl.String, "invoice_date": pl.Date, "due_date": pl.Date, "status": pl.String, "memo": pl.String,
    "created_at": pl.Datetime("us"),
}  # fmt: skip
PAYMENTS = {
    "payment_id": pl.String, "reference_number": pl.String, "payer_name": pl.String, "paid_amount": pl.Decimal(12, 2),
    "currency": pl.String, "payment_date": pl.Date, "bank_code": pl.String, "channel": pl.String, "memo": pl.String,
    "booked_at": pl.Datetime("us"),
}  # fmt: skip
MATCHED = ["invoice_id", "payment_id", "amount", "paid_amount", "currency", "invoice_date", "customer_name",
           "payment_date", "channel"]  # fmt: skip


def scan(path: str, kind: str, schema: dict[str, pl.DataType], read: str, money: str) -> pl.LazyFrame:
    """`parse` leaves dates to the CSV reader, `cast` reads text and casts it (faster), `text` leaves dates as text."""
    amount = next(name for name, dtype in schema.items() if isinstance(dtype, pl.Decimal))
    if kind == "parquet":
        frame = pl.scan_parquet(path)
        return frame.with_columns(pl.col(amount).cast(pl.Float64)) if money == "float" else frame
    if money == "float":
        schema = schema | {amount: pl.Float64}
    if read == "parse":
        return pl.scan_csv(path, schema=schema)
    dates = [name for name, dtype in schema.items() if dtype == pl.Date]
    times = [name for name, dtype in schema.items() if dtype == pl.Datetime("us")]
    frame = pl.scan_csv(path, schema=schema | dict.fromkeys(dates + times, pl.String))
    if read == "text":
        return frame
    return frame.with_columns(
        pl.col(dates).str.to_date("%Y-%m-%d"),
        pl.col(times).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us"),
    )


def run(variant: str, kind: str, left: str, right: str, out: str) -> None:
    shape, read, money = variant.split("-")
    l, r = scan(left, kind, INVOICES, read, money), scan(right, kind, PAYMENTS, read, money)
    # Not Decimal("0.02"): that imports NumPy, a tenth of a second.
    tolerance = pl.lit(0.02) if money == "float" else pl.lit("0.02").cast(pl.Decimal(12, 2))
    near = (pl.col("amount") - pl.col("paid_amount")).abs() <= tolerance

    def join(left: pl.LazyFrame, right: pl.LazyFrame, more: tuple[str, ...] = ()) -> pl.LazyFrame:
        # `currency` and `memo` are on both sides: the match shows the invoice's.
        pairs = left.join(right.drop("currency", "memo"), left_on="invoice_id", right_on="reference_number")
        return pairs.filter(near).select(*MATCHED, *more)

    def write(frame: pl.LazyFrame, name: str, lazy: bool = False) -> pl.LazyFrame | None:
        return frame.sink_parquet(f"{out}/{name}.parquet", compression="lz4", maintain_order=False, lazy=lazy)

    if shape == "eager":
        # Everything in memory, one step after the other.
        lf, rf = l.collect(), r.collect()
        m = join(lf.lazy(), rf.lazy()).collect()
        m.write_parquet(f"{out}/matched.parquet", compression="lz4")
        lf.join(m, on="invoice_id", how="anti").write_parquet(f"{out}/unmatched_left.parquet", compression="lz4")
        rf.join(m, on="payment_id", how="anti").write_parquet(f"{out}/unmatched_right.parquet", compression="lz4")
    elif shape == "rows":
        # As above, with row numbers in the place of keys.
        lf, rf = l.with_row_index("lr").collect(), r.with_row_index("rr").collect()
        m = join(lf.lazy(), rf.lazy(), ("lr", "rr")).collect()
        m.drop("lr", "rr").write_parquet(f"{out}/matched.parquet", compression="lz4")
        for side, frame, row in (("left", lf, "lr"), ("right", rf, "rr")):
            rest = frame.join(m.select(row), on=row, how="anti").drop(row)
            rest.write_parquet(f"{out}/unmatched_{side}.parquet", compression="lz4")
    elif shape == "held":
        # Read by the streaming engine and held; three streaming queries over it.
        lf, rf = (frame.lazy() for frame in pl.collect_all([l, r], engine="streaming"))
        m = join(lf, rf).collect(engine="streaming").lazy()
        write(m, "matched")
        write(lf.join(m, on="invoice_id", how="anti"), "unmatched_left")
        write(rf.join(m, on="payment_id", how="anti"), "unmatched_right")
    elif shape == "heldall":
        # As above, the three results written at the same time.
        lf, rf = (frame.lazy() for frame in pl.collect_all([l, r], engine="streaming"))
        m = join(lf, rf).collect(engine="streaming").lazy()
        sinks = [
            write(m, "matched", lazy=True),
            write(lf.join(m, on="invoice_id", how="anti"), "unmatched_left", lazy=True),
            write(rf.join(m, on="payment_id", how="anti"), "unmatched_right", lazy=True),
        ]
        pl.collect_all(sinks, engine="streaming")
    elif shape == "one":
        # One streaming query with three sinks and shared sub-plans.
        m = join(l, r)
        sinks = [
            write(m, "matched", lazy=True),
            write(l.join(m, on="invoice_id", how="anti"), "unmatched_left", lazy=True),
            write(r.join(m, on="payment_id", how="anti"), "unmatched_right", lazy=True),
        ]
        pl.collect_all(sinks, engine="streaming")
    elif shape == "twice":
        # Nothing held but the join: the sources are read again for the rest.
        m = join(l, r).collect(engine="streaming").lazy()
        write(m, "matched")
        write(l.join(m, on="invoice_id", how="anti"), "unmatched_left")
        write(r.join(m, on="payment_id", how="anti"), "unmatched_right")
    else:
        raise SystemExit(f"unknown variant {variant}")


if __name__ == "__main__":
    variant, kind, left, right, out = sys.argv[1:]
    started, worked = time.perf_counter(), time.process_time()
    run(variant, kind, left, right, out)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu}))
