"""Reads the exports x.parquet, x.arrows and x.xlsx of the working directory as other programs do: the same three rows."""

import datetime
import decimal
import re
import xml.etree.ElementTree as xml
import zipfile

import pyarrow as pa
import pyarrow.parquet as parquet

rows = [
    ("03", None, "acme 2", datetime.date(2026, 3, 1), 2),
    ("02", decimal.Decimal("1234567890123456.78"), "Ünal, Ltd", datetime.date(1850, 1, 1), 1),
    ("01", decimal.Decimal("5.00"), "Acme", datetime.date(2026, 1, 1), 0),
]
for table in (parquet.read_table("x.parquet"), pa.ipc.open_stream("x.arrows").read_all()):
    assert table.column_names == ["id", "amount", "name", "day", "_row"], table.column_names
    assert [tuple(row.values()) for row in table.to_pylist()] == rows, table.to_pylist()

SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
with zipfile.ZipFile("x.xlsx") as book:
    sheet = xml.fromstring(book.read("xl/worksheets/sheet1.xml"))
    styles = xml.fromstring(book.read("xl/styles.xml"))
    shared = [
        "".join(text.text or "" for text in item.iterfind(".//m:t", SPACE))
        for item in (xml.fromstring(book.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in book.namelist() else [])
    ]
formats = {f.get("numFmtId"): f.get("formatCode") for f in styles.iterfind(".//m:numFmt", SPACE)}
kinds = [formats.get(xf.get("numFmtId")) or xf.get("numFmtId") for xf in styles.find("m:cellXfs", SPACE)]
cells = {}
for cell in sheet.iterfind(".//m:c", SPACE):
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        value = "".join(text.text or "" for text in cell.iterfind(".//m:t", SPACE))
    else:
        value = cell.find("m:v", SPACE).text
        value = shared[int(value)] if kind == "s" else value
    cells[cell.get("r")] = (value, "text" if kind in ("s", "inlineStr") else kinds[int(cell.get("s", 0))])
assert [cells[f"{column}1"][0] for column in "ABCDE"] == ["id", "amount", "name", "day", "_row"], cells
assert cells["A2"] == ("03", "text"), cells["A2"]
assert "B2" not in cells, cells["B2"]
assert cells["D2"] == ("46082", "yyyy-mm-dd"), cells["D2"]
assert cells["E2"][0] == "2" and cells["E2"][1] != "text", cells["E2"]
# Sixteen digits before the point are more than a cell holds; Excel's calendar begins in 1900.
assert cells["B3"] == ("1234567890123456.78", "text"), cells["B3"]
assert cells["D3"] == ("1850-01-01", "text"), cells["D3"]
assert cells["B4"] == ("5", "0.00"), cells["B4"]
assert cells["C3"] == ("Ünal, Ltd", "text"), cells["C3"]
