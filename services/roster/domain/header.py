"""The first row of a data file: which cell stands for which column."""

from dataclasses import dataclass

from services.roster.domain.columns import Column, File
from services.roster.domain.findings import Finding

METADATA = "metadata."
WIDEST = 1_000
"""Cells of a header; a file with more is none of the standard's."""
_SLIPS = 2
_LONG_ENOUGH = 6


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column stands in a row. `wide`: cells in the header row as it was; `width`: those that count."""

    columns: tuple[tuple[int, Column], ...]
    metadata: tuple[tuple[int, str], ...]
    width: int
    wide: int


def read_header(file: File, cells: list[str]) -> tuple[Header | None, list[Finding]]:
    """Match the header's cells with the standard's columns; None when they cannot be matched without guessing."""
    findings: list[Finding] = []

    def find(rule: str, remedy: str, cell: str, *, repaired: bool = False, column: str | None = None) -> None:
        findings.append(Finding(file.csv, 1, column or cell or None, cell, rule, remedy, repaired))

    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) < len(cells):
        find("header-empty", f"{len(cells) - len(names)} empty cells at the end were left out.", "", repaired=True)

    if len(names) > WIDEST:
        find("header-too-wide", f"Keep to {WIDEST:,} columns; this has {len(names):,}.", "")
        return None, findings

    expected = {column.name: column for column in file.columns}
    placed: dict[str, int] = {}
    metadata: list[tuple[int, str]] = []
    strange: list[int] = []
    for index, name in enumerate(names):
        if name in placed or (name.startswith(METADATA) and any(name == kept for _, kept in metadata)):
            find("header-twice", "Name each column once.", name)
        elif name in expected:
            placed[name] = index
        elif name.startswith(METADATA) and len(name) > len(METADATA):
            metadata.append((index, name))
        else:
            strange.append(index)

    still_strange = []
    for index in strange:
        alike = _alike(names[index], [name for name in expected if name not in placed])
        if alike is None:
            still_strange.append(index)
            continue
        placed[alike] = index
        find("header-spelling", f"Read as {alike}.", names[index], repaired=True, column=alike)
    absent = [name for name in expected if name not in placed]
    for index in still_strange:
        find("header-unknown", "Use the standard's column names; extensions begin with metadata.", names[index])
    for name in absent:
        if expected[name].may_lack:
            continue
        if expected[name].required:
            find("header-missing", f"Add the column {name}.", "", column=name)
        else:
            find("header-incomplete", "Read as if the column were there and empty.", "", repaired=True, column=name)
    if any(not finding.repaired for finding in findings):
        return None, findings

    order = sorted(placed, key=placed.__getitem__)
    if order != [name for name in expected if name in placed] or any(
        index < max(placed.values()) for index, _ in metadata
    ):
        find(
            "header-order", "Read by name; keep the standard's order.", ",".join(names), repaired=True, column=order[0]
        )
    columns = tuple((placed[name], column) for name, column in expected.items() if name in placed)
    return Header(columns, tuple(metadata), len(names), len(cells)), findings


def _alike(name: str, candidates: list[str]) -> str | None:
    """The one column this is a slip of the pen for, if there is exactly one."""
    same = [candidate for candidate in candidates if candidate.lower() == name.lower()]
    if same:
        return same[0]
    if len(name) < _LONG_ENOUGH:
        return None
    near = [candidate for candidate in candidates if is_slip(name.lower(), candidate.lower())]
    return near[0] if len(near) == 1 else None


def is_slip(name: str, meant: str) -> bool:
    """Whether this may be another name, with a slip or two of the pen."""
    return abs(len(name) - len(meant)) <= _SLIPS and 0 < slips(name, meant) <= _SLIPS


def slips(one: str, other: str) -> int:
    """Letters left out, put in, replaced or swapped with their neighbour (optimal string alignment distance)."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
