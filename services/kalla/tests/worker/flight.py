"""Reads the results of a run over Arrow Flight and compares them with what DuckDB reads from the same files.

usage: flight.py HOST:PORT RUN_ID DIRECTORY QUERIES
DIRECTORY holds the Parquet files of the run. Every query is drawn from a fixed seed and printed when it differs.
"""

import datetime
import decimal
import json
import random
import sys

import duckdb
import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as parquet

address, run_id, directory, queries = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
client = flight.connect(f"grpc://{address}")
SETS = ["matched", "unmatched_left", "unmatched_right"]


def get(ticket):
    raw = ticket if isinstance(ticket, bytes) else json.dumps(ticket).encode()
    return client.do_get(flight.Ticket(raw)).read_all()


def same(found, wanted, what):
    wanted = wanted.cast(found.schema)
    assert found.num_rows == wanted.num_rows, f"{what}: {found.num_rows} rows, not {wanted.num_rows}"
    if not found.equals(wanted):
        for column in found.column_names:
            a, b = found[column].to_pylist(), wanted[column].to_pylist()
            first = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), None)
            assert first is None, f"{what}: {column}[{first}] is {a[first]!r}, not {b[first]!r}"
        raise AssertionError(what)


# Whole sets, by plain ticket, by the endpoints of their info, and as they are listed.
listed = {tuple(part.decode() for part in info.descriptor.path): info for info in client.list_flights()}
for name in SETS:
    file = parquet.read_table(f"{directory}/{name}.parquet")
    same(get(f"{run_id}/{name}".encode()), file, name)
    info = client.get_flight_info(flight.FlightDescriptor.for_path(run_id, name))
    assert info.total_records == file.num_rows, (info.total_records, file.num_rows)
    assert info.total_bytes > 0
    assert info.schema.names == file.schema.names
    assert len(info.endpoints) == max(1, -(-file.num_rows // 262144)), len(info.endpoints)
    parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    same(pa.concat_tables(parts), file, f"{name} by endpoints")
    assert listed[(run_id, name)].total_records == file.num_rows
    assert client.get_schema(flight.FlightDescriptor.for_path(run_id, name)).schema == info.schema
assert len(list(client.list_flights(run_id.encode()))) == len(SETS)

# Random selections.
db = duckdb.connect()
db.execute("SET threads = 2")
draw = random.Random(20931)
tables = {}
for name in SETS:
    db.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{directory}/{name}.parquet', file_row_number = true)")
    tables[name] = parquet.read_schema(f"{directory}/{name}.parquet")
    assert db.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0], name



def quoted(column):
    return '"' + column + '"'


WORDS = ["a", "INV", "inv-1", "é", "ÜB", "%", "_", "100%", "o'", "zz", "-20"]


def literal(value):
    """A value as the ticket's JSON and as DuckDB's SQL."""
    if isinstance(value, bool):
        return value, str(value).lower()
    if isinstance(value, str):
        return value, "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime.datetime):
        text = value.isoformat(sep=" ")
        return text, f"TIMESTAMP '{text}'"
    if isinstance(value, datetime.date):
        return value.isoformat(), f"DATE '{value.isoformat()}'"
    # A decimal is quoted: JSON numbers of Python would be doubles.
    return (str(value) if isinstance(value, decimal.Decimal) else value), str(value)


def a_value(name, column):
    """One that is in the column, or a little beside it."""
    values = f"FROM {name} WHERE {quoted(column)} IS NOT NULL"
    place = draw.randrange(db.execute(f"SELECT count(*) {values}").fetchall()[0][0])
    value = db.execute(f"SELECT {quoted(column)} {values} ORDER BY file_row_number LIMIT 1 OFFSET {place}").fetchall()[0][0]
    if isinstance(value, decimal.Decimal) and draw.random() < 0.3:
        value += decimal.Decimal("0.005")
    return value


def a_filter(name, schema):
    column = draw.choice(schema.names)
    kind = schema.field(column).type
    text = pa.types.is_string(kind) or pa.types.is_string_view(kind) or pa.types.is_large_string(kind)
    name_in_sql = quoted(column)
    op = draw.choice(["eq", "neq", "gt", "gte", "lt", "lte", "between", "in", "is_null"] + ["contains", "like"] * text * 2)
    if pa.types.is_boolean(kind) and op not in ("eq", "neq", "in", "is_null"):
        op = "eq"
    signs = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    if op == "is_null":
        null = draw.random() < 0.5
        return {"column": column, "op": op, "value": null}, f"{name_in_sql} IS {'' if null else 'NOT '}NULL"
    if op == "contains":
        word = draw.choice(WORDS)
        return {"column": column, "op": op, "value": word}, f"contains(lower({name_in_sql}), lower({literal(word)[1]}))"
    if op == "like":
        pattern = draw.choice(["INV-1%", "%9", "%a_b%", "inv%", "%"])
        return {"column": column, "op": op, "value": pattern}, f"{name_in_sql} LIKE {literal(pattern)[1]}"
    values = [literal(a_value(name, column)) for _ in range({"between": 2, "in": draw.randint(1, 4)}.get(op, 1))]
    if op == "between":
        return {"column": column, "op": op, "value": [v for v, _ in values]}, f"{name_in_sql} BETWEEN {values[0][1]} AND {values[1][1]}"
    if op == "in":
        return {"column": column, "op": op, "value": [v for v, _ in values]}, f"{name_in_sql} IN ({', '.join(s for _, s in values)})"
    return {"column": column, "op": op, "value": values[0][0]}, f"{name_in_sql} {signs[op]} {values[0][1]}"


found_rows = 0
for number in range(queries):
    name = draw.choice(SETS)
    schema = tables[name]
    ticket = {"run_id": run_id, "result_set": name}
    columns = draw.sample(schema.names, draw.randint(1, len(schema.names))) if draw.random() < 0.6 else schema.names
    if columns != schema.names:
        ticket["columns"] = columns
    where = []
    if draw.random() < 0.7:
        pairs = [a_filter(name, schema) for _ in range(draw.randint(1, 3))]
        ticket["filters"] = [filter for filter, _ in pairs]
        where += [sql for _, sql in pairs]
    if draw.random() < 0.3:
        word = draw.choice(WORDS)
        ticket["search"] = word
        texts = [field.name for field in schema if "string" in str(field.type)]
        holds = [f"coalesce(contains(lower({quoted(text)}), lower({literal(word)[1]})), false)" for text in texts]
        where.append("(" + " OR ".join(holds or ["false"]) + ")")
    order = []
    if draw.random() < 0.5:
        for column in draw.sample(schema.names, draw.randint(1, 3)):
            descending = draw.random() < 0.5
            ticket.setdefault("order", []).append({"column": column, "descending": descending})
            order.append(f"{quoted(column)} {'DESC' if descending else 'ASC'} NULLS LAST")
    sql = f"SELECT {', '.join(map(quoted, columns))} FROM {name}"
    if where:
        sql += f" WHERE {' AND '.join(where)}"
    sql += f" ORDER BY {', '.join([*order, 'file_row_number'])}"
    if draw.random() < 0.8:
        ticket["limit"] = draw.choice([0, 1, 7, 100, 5000, 20000])
        sql += f" LIMIT {ticket['limit']}"
    if draw.random() < 0.5:
        ticket["offset"] = draw.choice([1, 50, 999, 131071, 200000, 10**9])
        sql += f" OFFSET {ticket['offset']}"
    what = f"query {number}\n  {json.dumps(ticket)}\n  {sql}\n"
    wanted = db.sql(sql).to_arrow_table()
    try:
        found = get(ticket)
    except Exception as error:
        raise AssertionError(f"{what}  {error}") from error
    same(found, wanted, what)
    found_rows += found.num_rows
assert found_rows > 1000, "queries that find nothing agree about nothing"

# What is wrong is said.
for ticket, word in [
    (b"", "no ticket"),
    (b"\xff\xfe", "no ticket"),
    (b"../../etc/passwd/matched", "no ticket"),
    (f"{run_id}/everything".encode(), "no result set"),
    (b"3f0c2b1e-8d5a-4c1b-9a55-0d7f4e6a2b99/matched", "no run"),
    ({"run_id": run_id}, "result_set"),
    ({"run_id": "../x", "result_set": "matched"}, "run_id"),
    ({"run_id": run_id, "result_set": "matched", "columms": ["id"]}, "columns"),
    ({"run_id": run_id, "result_set": "matched", "columns": ["idd"]}, "did you mean `id`"),
    ({"run_id": run_id, "result_set": "matched", "columns": ["id", "id"]}, "twice"),
    ({"run_id": run_id, "result_set": "matched", "order": [{"column": "1; DROP TABLE x"}]}, "no column"),
    ({"run_id": run_id, "result_set": "matched", "filters": [{"column": "id", "op": "eq", "value": "1 OR 1=1"}]}, "integer"),
    ({"run_id": run_id, "result_set": "matched", "filters": [{"column": "id", "op": "between", "value": 1}]}, "two values"),
    ({"run_id": run_id, "result_set": "rejected_left"}, "no result set"),
    ({"run_id": run_id, "result_set": "matched", "output_path": "/etc"}, "outside"),
    ({"run_id": run_id, "result_set": "matched", "output_path": "s3:///x"}, "bucket"),
]:
    try:
        get(ticket)
    except flight.FlightError as error:
        assert word in str(error), (ticket, word, str(error))
    except pa.ArrowException as error:
        assert word in str(error), (ticket, word, str(error))
    else:
        raise AssertionError(f"accepted: {ticket}")
print(f"{queries} queries agree, {found_rows} rows in all")
