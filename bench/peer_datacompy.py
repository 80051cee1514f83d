"""Two tables compared column by column: datacompy on Polars, told the types.

usage: peer_datacompy.py LEFT RIGHT OUT; POLARS_MAX_THREADS sets the threads.
Prints {"seconds": …, "cpu": …, "columns": {name: values that differ}} from after the import to the last file.
"""

import json
import sys
import time

import polars as pl
from datacompy import PolarsCompare

TYPES = {"i": pl.Int64, "m": pl.Decimal(12, 2), "s": pl.String, "d": pl.Date}


def read(path: str) -> pl.DataFrame:
    names = open(path, encoding="utf-8").readline().strip().split(",")
    return pl.read_csv(path, schema={name: TYPES[name[0]] for name in names})


left, right, out = sys.argv[1:]
started, cpu = time.perf_counter(), time.process_time()
compared = PolarsCompare(read(left), read(right), join_columns="id")
# What Kalla writes as well: both values of each match, and the rows of one side.
compared.intersect_rows.write_parquet(f"{out}/matched.parquet", compression="lz4")
compared.df1_unq_rows.write_parquet(f"{out}/left.parquet", compression="lz4")
compared.df2_unq_rows.write_parquet(f"{out}/right.parquet", compression="lz4")
columns = {stat["column"]: stat["unequal_cnt"] for stat in compared.column_stats if stat["column"] != "id"}
said = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "columns": columns}
print(json.dumps(said))
