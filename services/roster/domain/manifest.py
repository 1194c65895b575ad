"""manifest.csv: which version this is, and which files come whole, as changes, or not at all."""

import csv
from dataclasses import dataclass
from typing import IO, Literal, cast

from services.roster.domain.blocks import Lines, blocks_of
from services.roster.domain.columns import Version
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.layout import NAMES, READ

Mode = Literal["absent", "bulk", "delta", "unsaid", "refused"]
"""`unsaid`: the manifest leaves it open, and is read as if it said absent."""


_FILE = "manifest.csv"
_MODES = ("absent", "bulk", "delta")
_HEADER = ["propertyName", "value"]
_ABOUT = frozenset({"manifest.version", "oneroster.version", "source.systemName", "source.systemCode"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the manifest says. A file that it does not name is absent."""

    version: Version
    modes: dict[str, Mode]


def read_manifest(stream: IO[bytes], findings: Findings) -> Manifest:
    """Read it; Unreadable when it does not say which version this is, or is no table of two columns."""
    rows = _rows(stream, findings)
    said: dict[str, tuple[int, str]] = {}
    for line, name, value in rows:
        if name in said:
            findings.add(Finding(_FILE, line, "propertyName", name, "manifest-twice", "Name each property once."))
        said.setdefault(name, (line, value))
    version = _version(said, findings)
    modes: dict[str, Mode] = {}
    known = {f"file.{name}".lower(): name for name in NAMES[version]}
    for name, (line, value) in said.items():
        if name in _ABOUT:
            continue
        file = known.get(name.lower())
        if file is None:
            _unknown(line, name, findings)
            continue
        if name != f"file.{file}":
            _repair(findings, line, "propertyName", name, "letter-case", f"Read as file.{file}.")
        modes[file] = _mode(line, file, value, findings)
    for file in READ[version]:
        if file not in modes and not any(name.lower() == f"file.{file}".lower() for name in said):
            remedy = "Read as absent; the manifest names every file."
            _repair(findings, None, "propertyName", f"file.{file}", "manifest-incomplete", remedy)
    return Manifest(version, modes)


def _rows(stream: IO[bytes], findings: Findings) -> list[tuple[int, str, str]]:
    reader = csv.reader(Lines(blocks_of(stream, _FILE)), strict=True)
    try:
        cells = [(reader.line_num, row) for row in reader]
    except csv.Error as wrong:
        raise Unreadable(
            Finding(_FILE, reader.line_num, None, None, "quotes", "Write it as plain CSV of two columns.")
        ) from wrong
    if not cells or [cell.strip() for cell in cells[0][1]][:2] != _HEADER or any(map(str.strip, cells[0][1][2:])):
        value = ",".join(cells[0][1]) if cells else None
        raise Unreadable(Finding(_FILE, 1, None, value, "manifest-header", "Begin it with exactly propertyName,value."))
    rows = []
    for line, row in cells[1:]:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < 2 or any(cell.strip() for cell in row[2:]):
            findings.add(Finding(_FILE, line, None, ",".join(row), "row-length", "Write a property and its value."))
            continue
        rows.append((line, row[0].strip(), row[1].strip()))
    return rows


def _version(said: dict[str, tuple[int, str]], findings: Findings) -> Version:
    line, manifest = said.get("manifest.version", (None, ""))
    if manifest != "1.0":
        _repair(findings, line, "manifest.version", manifest or None, "manifest-version", "Read as 1.0.")
    line, version = said.get("oneroster.version", (None, ""))
    for ours in NAMES:
        if version == ours:
            return ours
        if version.startswith(f"{ours}."):
            _repair(findings, line, "oneroster.version", version, "oneroster-version", f"Read as {ours}.")
            return ours
    raise Unreadable(
        Finding(_FILE, line, "oneroster.version", version or None, "oneroster-version", "Write 1.1 or 1.2.")
    )


def _mode(line: int, file: str, value: str, findings: Findings) -> Mode:
    if value in _MODES:
        return cast(Mode, value)
    if not value:
        _repair(findings, line, f"file.{file}", None, "manifest-value", "Read as absent.")
        return "unsaid"
    if value.lower() in _MODES:
        _repair(findings, line, f"file.{file}", value, "letter-case", f"Read as {value.lower()}.")
        return cast(Mode, value.lower())
    findings.add(Finding(_FILE, line, f"file.{file}", value, "manifest-value", "Write absent, bulk or delta."))
    return "refused"


def _unknown(line: int, name: str, findings: Findings) -> None:
    if name.startswith("source."):
        _repair(findings, line, "propertyName", name, "manifest-entry", "Left out: the standard has no such property.")
    else:
        remedy = "Use the properties of the standard for this version."
        findings.add(Finding(_FILE, line, "propertyName", name, "manifest-entry", remedy))


def _repair(findings: Findings, line: int | None, column: str, value: str | None, rule: str, remedy: str) -> None:
    findings.add(Finding(_FILE, line, column, value, rule, remedy, repaired=True))
