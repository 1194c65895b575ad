"""What the cells of some rows mean, checked a column at a time by distinct values, so that no row costs an object."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.roster.domain.columns import Column, File, Kind
from services.roster.domain.findings import TOLD_OF_A_KIND, Finding, Findings
from services.roster.domain.header import METADATA, Header
from services.roster.domain.rows import Cells, Rows
from services.roster.domain.values import GUARDED, Meaning, meaning, unguarded

_REMEMBERED = 50_000
_PLACES_OF_TURNED = 5_000
_FREE = frozenset({Kind.TEXT, Kind.KEY})
_PERIODS = frozenset({("beginDate", "endDate"), ("startDate", "endDate")})
_POWERS = np.multiply.accumulate(np.full(16_384, 0x9E3779B97F4A7C15, dtype=np.uint64))

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: for each its line in the file, whether it is refused, its cells, and its metadata as JSON."""

    lines: NDArray[np.int32]
    refused: Mask
    columns: dict[str, Cells]
    metadata: Cells | None

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(slots=True)
class Turned:
    """Dates of a column whose order only the whole column can tell: the distinct ones, and where the first are."""

    column: Column
    dates: set[str] = field(default_factory=set)
    places: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0


class Checker:
    """The cells of one file's rows, as they come."""

    def __init__(self, file: File, header: Header, findings: Findings) -> None:
        self.turned: dict[str, Turned] = {}
        self.nameless = 0
        """Refused rows that have no sourcedId, so that not even their place can be kept."""
        self._file = file
        self._header = header
        self._findings = findings
        self._known: dict[str, dict[str, Meaning]] = {}
        dates = [column.name for column in file.columns if column.kind is Kind.DATE]
        named = next((pair for pair in _PERIODS if set(pair) <= set(dates)), ())
        self._period = [column for name in named for column in file.columns if column.name == name]

    def chunk(self, rows: Rows) -> Chunk:
        """What these rows say; slips are told, rows with one that cannot be mended are refused."""
        columns: dict[str, Cells] = {}
        for place, column in self._header.columns:
            if column.place is not None:
                columns[column.place] = self._column(column, rows.cells[place], rows)
        chunk = self._named(Chunk(rows.lines, rows.refused, columns, _metadata(self._header, rows)))
        self._check_period(chunk)
        return chunk

    def _column(self, column: Column, cells: Cells, rows: Rows) -> Cells:
        cells = self._short_enough(column, cells, rows)
        if column.kind in _FREE:
            return self._free(column, cells, rows)
        encoded = cells.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        known = self._known.setdefault(column.name, {})
        if len(known) > _REMEMBERED:
            known.clear()
        for text in texts:
            if text not in known:
                known[text] = meaning(column, text)
        meanings = [known[text] for text in texts]
        slipped = np.array([bool(found.slips) or found.turned for found in meanings], dtype=np.bool_)
        if slipped.any():
            codes = encoded.indices.to_numpy()
            self._tell(column, [texts[code] for code in range(len(texts))], meanings, codes, slipped, rows)
        if all(found.value == text for found, text in zip(meanings, texts, strict=True)):
            return cells
        return pa.array([found.value for found in meanings], pa.string()).take(encoded.indices)

    def _free(self, column: Column, cells: Cells, rows: Rows) -> Cells:
        """Text that means itself, but for the space around it."""
        trimmed = pc.utf8_trim_whitespace(cells)
        if column.kind is Kind.TEXT and pc.any(pc.starts_with(trimmed, "'")).as_py():
            trimmed = pc.replace_substring_regex(trimmed, GUARDED.pattern, r"\1")
        is_empty = pc.equal(trimmed, "")
        wrong = np.zeros(len(cells), dtype=np.bool_)
        if column.required:
            wrong |= is_empty.to_numpy(zero_copy_only=False)
        if column.kind is Kind.KEY and not trimmed.equals(cells):
            padded = pc.and_(pc.not_equal(trimmed, cells), pc.invert(is_empty))
            wrong |= padded.to_numpy(zero_copy_only=False)
        if wrong.any():
            at = np.flatnonzero(wrong)
            encoded = cells.take(pa.array(at)).dictionary_encode()
            texts = encoded.dictionary.to_pylist()
            meanings = [meaning(column, text) for text in texts]
            only = Rows(rows.lines[at], rows.refused[at], [])
            slipped = np.ones(len(texts), dtype=np.bool_)
            self._tell(column, texts, meanings, encoded.indices.to_numpy(), slipped, only)
            rows.refused[at] = only.refused
        return pc.if_else(is_empty, None, trimmed)

    def _tell(
        self, column: Column, texts: list[str], meanings: list[Meaning], codes: Any, slipped: Mask, rows: Rows
    ) -> None:
        """Tell the slips of a column: the first ones each with its line, of the others how many they are."""
        refusing = np.array([found.refused for found in meanings], dtype=np.bool_)
        rows.refused[:] |= refusing[codes]
        at = np.flatnonzero(slipped[codes])
        for index in at[:TOLD_OF_A_KIND]:
            code = codes[index]
            self._tell_one(column, texts[code], meanings[code], int(rows.lines[index]))
        more: Counter[Finding] = Counter()
        for code, count in enumerate(np.bincount(codes[at[TOLD_OF_A_KIND:]], minlength=len(texts)).tolist()):
            for slip in meanings[code].slips if count else ():
                kind = Finding(self._file.csv, None, column.name, None, slip.rule, slip.remedy, slip.repaired)
                more[kind] += count
        for kind, count in more.items():
            self._findings.add(replace(kind, count=count))
        self._note_turned(column, meanings, codes, rows)

    def _tell_one(self, column: Column, text: str, found: Meaning, line: int) -> None:
        for slip in found.slips:
            self._findings.add(
                Finding(self._file.csv, line, column.name, text or None, slip.rule, slip.remedy, slip.repaired)
            )

    def _note_turned(self, column: Column, meanings: list[Meaning], codes: Any, rows: Rows) -> None:
        dates = {code: found.value for code, found in enumerate(meanings) if found.turned and found.value is not None}
        if not dates:
            return
        turned = self.turned.setdefault(column.name, Turned(column))
        turned.dates.update(dates.values())
        at = np.flatnonzero(np.isin(codes, list(dates)))
        turned.count += len(at)
        for index in at[: max(0, _PLACES_OF_TURNED - len(turned.places))]:
            turned.places.append((int(rows.lines[index]), dates[int(codes[index])]))

    def _short_enough(self, column: Column, cells: Cells, rows: Rows) -> Cells:
        sizes = pc.binary_length(cells)
        if (pc.max(sizes).as_py() or 0) <= column.longest:
            return cells
        kept = cells.to_pylist()
        for index in np.flatnonzero(sizes.to_numpy() > column.longest):
            kept[index] = kept[index][:100]
            if not rows.refused[index]:
                rows.refused[index] = True
                self._findings.add(
                    Finding(
                        self._file.csv, int(rows.lines[index]), column.name, kept[index], "field-too-long",
                        f"Keep this cell to {column.longest:,} bytes.",
                    )
                )  # fmt: skip
        return pa.array(kept, pa.string())

    def _check_period(self, chunk: Chunk) -> None:
        """A period that ends before it begins is a problem; ISO dates are in order as their texts are."""
        if not self._period or any(column.place not in chunk.columns for column in self._period):
            return
        begin, end = self._period
        if begin.name in self.turned or end.name in self.turned:
            return  # told when the whole column has said how they are to be read
        ends = chunk.columns[end.place or ""]
        wrong = pc.fill_null(pc.greater(chunk.columns[begin.place or ""], ends), False).to_numpy(zero_copy_only=False)
        for index in np.flatnonzero(wrong & ~chunk.refused):
            chunk.refused[index] = True
            self._findings.add(
                reversed_period(self._file, begin, end, int(chunk.lines[index]), ends[int(index)].as_py())
            )

    @property
    def turned_period(self) -> tuple[Column, Column] | None:
        """The two dates of a period that could not be compared while rows came."""
        if not self._period or not {column.name for column in self._period} & self.turned.keys():
            return None
        return self._period[0], self._period[1]

    def _named(self, chunk: Chunk) -> Chunk:
        """Without the rows that have no sourcedId: they are refused, and there is nothing to keep them by."""
        names = chunk.columns["sourced_id"]
        if not names.null_count:
            return chunk
        self.nameless += names.null_count
        kept = pc.is_valid(names)
        mask = kept.to_numpy(zero_copy_only=False)
        return Chunk(
            chunk.lines[mask],
            chunk.refused[mask],
            {name: cells.filter(kept) for name, cells in chunk.columns.items()},
            None if chunk.metadata is None else chunk.metadata.filter(kept),
        )


def reversed_period(file: File, begin: Column, end: Column, line: int, value: str) -> Finding:
    return Finding(file.csv, line, end.name, value, "dates-reversed", f"Put {end.name} after {begin.name}.")


def _metadata(header: Header, rows: Rows) -> Cells | None:
    """The metadata.* columns of each row as a JSON object, without the prefix; empty cells are left out."""
    if not header.metadata:
        return None
    names = [name[len(METADATA) :] for _, name in header.metadata]
    columns = [[unguarded(cell.strip()) for cell in rows.cells[place].to_pylist()] for place, _ in header.metadata]
    said = [
        json.dumps({name: cell for name, cell in zip(names, cells, strict=True) if cell}, ensure_ascii=False)
        for cells in zip(*columns, strict=True)
    ]
    return pa.array([None if one == "{}" else one for one in said], pa.string())


def fingerprints(names: Cells) -> NDArray[np.uint64]:
    """A number for each name, the same for the same name: who finds none twice has seen no name twice."""
    _, offsets, data = names.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[names.offset : names.offset + len(names) + 1].astype(np.int64)
    letters = np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]] if len(names) else np.zeros(0, np.uint8)
    begins, sizes = bounds[:-1] - bounds[0], np.diff(bounds)
    if not len(names):
        return np.zeros(0, dtype=np.uint64)
    within = np.arange(len(letters)) - np.repeat(begins, sizes)
    return np.asarray(np.add.reduceat((letters.astype(np.uint64) + np.uint64(1)) * _POWERS[within], begins))
