"""A scratch database with both tables, dropped when it is not needed any more."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

TABLES = """
CREATE TABLE invoices (
    invoice_id text PRIMARY KEY, customer_name text NOT NULL, customer_code text NOT NULL,
    amount numeric(12,2) NOT NULL, currency text NOT NULL, invoice_date date NOT NULL, due_date date NOT NULL,
    status text NOT NULL, memo text, created_at timestamp NOT NULL);
CREATE TABLE payments (
    payment_id text PRIMARY KEY, reference_number text, payer_name text NOT NULL, paid_amount numeric(12,2) NOT NULL,
    currency text NOT NULL, payment_date date NOT NULL, bank_code text NOT NULL, channel text NOT NULL, memo text,
    booked_at timestamp NOT NULL);
"""


@contextmanager
def scratch_database(server: str, data: Path) -> Iterator[str]:
    name = f"kalla_bench_{os.getpid()}"
    psql(server, f"CREATE DATABASE {name}")
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    try:
        psql(url, TABLES)
        for table in ("invoices", "payments"):
            psql(url, f"\\copy {table} from '{data / table}.csv' with (format csv, header true)")
        # Neither side shall pay for the first look at fresh pages.
        psql(url, "VACUUM ANALYZE")
        psql(url, "CHECKPOINT")
        yield url
    finally:
        psql(server, f"DROP DATABASE {name} WITH (FORCE)")


def psql(url: str, command: str) -> None:
    done = subprocess.run(
        ["psql", url, "-qX", "-v", "ON_ERROR_STOP=1", "-c", command], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        where = urlsplit(url)
        raise SystemExit(f"psql on {where.hostname}:{where.port}: {done.stderr.strip()}")
