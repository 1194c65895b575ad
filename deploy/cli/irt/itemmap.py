"""Small files that say one thing about each item: its model, its content area."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from deploy.cli.refusal import Refused


def read_item_map(path: Path, column: str, items: Sequence[str]) -> dict[str, str]:
    """What a file says of these items: CSV with the columns `item` and `column`, or JSON {"item": "…"}.

    Raises: Refused when an item is not among `items`, stands twice, or has an empty value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8.") from None
    pairs = _from_json(path, text) if text.lstrip().startswith("{") else _from_csv(path, text, column)
    made: dict[str, str] = {}
    known = set(items)
    for place, item, value in pairs:
        if item not in known:
            raise Refused(f"{path}, {place}: there is no item {item!r}.")
        if item in made:
            raise Refused(f"{path}, {place}: item {item!r} stands twice.")
        if not value:
            raise Refused(f"{path}, {place}: item {item!r} has no {column}.")
        made[item] = value
    return made


def _from_json(path: Path, text: str) -> list[tuple[str, str, str]]:
    def pairs(found: list[tuple[str, object]]) -> list[tuple[str, object]]:
        return found

    try:
        said = json.loads(text, object_pairs_hook=pairs)
    except ValueError as wrong:
        raise Refused(f"{path} is no JSON: {wrong}.") from None
    for item, value in said:
        if not isinstance(value, str):
            raise Refused(f"{path}, item {item!r}: a text is expected.")
    return [(f"item {item!r}", item, value.strip()) for item, value in said]


def _from_csv(path: Path, text: str, column: str) -> list[tuple[str, str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    if "item" not in header or column not in header:
        raise Refused(f"{path}: a header with the columns item and {column} is expected (or JSON).")
    item, value = header.index("item"), header.index(column)
    made = []
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise Refused(f"{path}, line {reader.line_num}: {len(cells)} cells where the header has {len(header)}.")
        made.append((f"line {reader.line_num}", cells[item].strip(), cells[value].strip()))
    return made
