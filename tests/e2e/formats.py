"""Sheets in each of the formats at the door, from the rows of the CSV; written anew, not with the demo's writers."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from deploy.cli.demo import AnswersFormat

FIXED = ("administration", "student", "form", "completed_at", "modality", "status")
Row = dict[str, str]


def rows_of(answers: Path) -> list[Row]:
    """The sheets of a CSV file."""
    with answers.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sheets(rows: Sequence[Row], form: AnswersFormat) -> bytes:
    """The bytes of a file with these sheets, which all have the same columns."""
    if form is AnswersFormat.CSV:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()
    if form is AnswersFormat.NDJSON:
        return b"".join(json.dumps(_object(row)).encode() + b"\n" for row in rows)
    return table_bytes(pa.table({name: [_cell(name, row[name]) for row in rows] for name in rows[0]}))


def table_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file of many small row groups."""
    sink = io.BytesIO()
    parquet.write_table(table, sink, row_group_size=50)
    return sink.getvalue()


def _object(row: Row) -> dict[str, object]:
    fixed = {name: row[name] for name in FIXED if name in row}
    responses = {name: cell or None for name, cell in row.items() if name not in FIXED}
    return fixed | {"responses": responses}


def _cell(name: str, cell: str) -> object:
    if name == "completed_at":
        return datetime.fromisoformat(cell).astimezone(UTC)
    return cell or None
