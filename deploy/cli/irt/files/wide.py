"""Students × items: a row per student, a column per item."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from deploy.cli.irt.files.answers import ResponseFile
from deploy.cli.irt.files.cells import BadCell, ScoreColumn
from deploy.cli.irt.files.columns import grouping, identifiers
from deploy.cli.irt.files.tables import Progress, Table
from deploy.cli.refusal import Refused
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Sparse

SPARSE_BELOW = 0.2
"""Share of filled cells below which a list of entries (5 bytes each) is smaller than the matrix of bytes."""


def read_wide(
    table: Table, id: str | None, groups: str | None, ignore: Sequence[str], progress: Progress
) -> ResponseFile:
    """The answers of a wide file.

    Raises: Refused, naming line and column.
    """
    aside = {id, groups, *ignore}
    places = [place for place, name in enumerate(table.columns) if name not in aside]
    if not places:
        raise Refused(f"{table.path} has no column left for an item.")
    if any(not table.columns[place] for place in places):
        number = 1 + next(place for place in places if not table.columns[place])
        raise Refused(f'{table.path}, header: column {number} has no name (--ignore "" leaves it out).')
    plain = {name: table.columns.index(name) for name in (id, groups) if name is not None}
    columns = [ScoreColumn() for _ in places]
    parts: list[Codes] = []
    texts: dict[str, list[pa.Array]] = {name: [] for name in plain}
    rows = 0
    for batch in table.batches(list(plain.values()), progress):
        part = np.empty((len(batch[0]), len(places)), dtype=np.uint8)
        for position, place in enumerate(places):
            try:
                part[:, position] = columns[position].codes(batch[place])
            except BadCell as bad:
                raise Refused(_said(table, rows + bad.row, table.columns[place], bad)) from None
        for name, place in plain.items():
            texts[name].append(batch[place])
        parts.append(part)
        rows += len(part)
    if not rows:
        raise Refused(f"{table.path} has a header and no students.")
    dense = _joined(parts, rows, len(places))
    for position, column in enumerate(columns):
        order = column.in_order
        if (order != np.arange(256)).any():
            dense[:, position] = order[dense[:, position]]
    filled = np.count_nonzero(dense != NOT_PRESENTED) if rows * len(places) > 1_000_000 else dense.size
    entries = _entries(dense) if filled < SPARSE_BELOW * dense.size else None
    return ResponseFile(
        path=table.path,
        items=tuple(table.columns[place] for place in places),
        categories=tuple(column.categories for column in columns),
        dense=dense if entries is None else None,
        entries=entries,
        students=None if id is None else identifiers(table, id, texts[id]),
        grouping=None if groups is None else grouping(groups, texts[groups]),
        seconds=None,
        place_of=lambda student, item: table.row(student),
    )


def _said(table: Table, row: int, column: str, bad: BadCell) -> str:
    hint = " If it is no item, name it by --id, --groups or --ignore." if row == 0 else ""
    return f"{table.path}, {table.row(row)}, column {column!r}: {bad.wrong}.{hint}"


def _joined(parts: list[Codes], rows: int, items: int) -> Codes:
    """The parts one after the other; each is let go as soon as it is copied."""
    if len(parts) == 1:
        return parts.pop()
    whole = np.empty((rows, items), dtype=np.uint8)
    end = rows
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


def _entries(dense: Codes) -> Sparse:
    students, items = np.nonzero(dense != NOT_PRESENTED)
    bounds = np.zeros(len(dense) + 1, dtype=np.int64)
    np.cumsum(np.bincount(students, minlength=len(dense)), out=bounds[1:])
    return Sparse(bounds, items.astype(np.int32), dense[students, items], dense.shape[1])
