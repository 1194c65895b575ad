"""Reading a data file: chunks, lines, what stops the reading, and that both ways of reading say the same."""

import csv
import hashlib
import io
import random
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.archive import open_archive
from services.roster.domain.cells import Chunk
from services.roster.domain.contents import Ahead, Digested
from services.roster.domain.csvfile import Reader
from services.roster.domain.findings import TOLD_OF_A_KIND, Finding, Findings, Unreadable
from services.roster.domain.layout import READ

ORGS = READ["1.2"]["orgs"]
HEADER = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"


def _read(text: str | bytes, **how: Any) -> tuple[list[Chunk], Reader, list[Finding]]:
    findings = Findings()
    reader = Reader(ORGS, io.BytesIO(text.encode() if isinstance(text, str) else text), findings, **how)
    chunks = list(reader.chunks())
    return chunks, reader, [*findings.take(), *findings.take_rest()]


def _cells(chunks: list[Chunk], column: str) -> list[str | None]:
    return [cell for chunk in chunks for cell in chunk.columns[column].to_pylist()]


def _lines(chunks: list[Chunk]) -> list[int]:
    return [int(line) for chunk in chunks for line in chunk.lines]


def test_cells_arrive_by_column_with_their_lines() -> None:
    chunks, _, found = _read(f"{HEADER}\r\na,,,A,school,,\r\n\r\nb,,,B,district,7,a\r\n")

    assert found == []
    assert _lines(chunks) == [2, 4]
    assert _cells(chunks, "sourced_id") == ["a", "b"]
    assert _cells(chunks, "parent_sourced_id") == [None, "a"]


def test_a_cell_may_have_lines_of_its_own() -> None:
    chunks, _, _ = _read(f'{HEADER}\na,,,"One\nTwo",school,,\nb,,,B,school,,\n')

    assert _cells(chunks, "name") == ["One\nTwo", "B"]
    assert _lines(chunks) == [2, 4]


def test_a_last_line_needs_no_end() -> None:
    (chunk,), _, _ = _read(f"{HEADER}\na,,,A,school,,")

    assert len(chunk) == 1


def test_metadata_columns_become_an_object_without_their_empty_cells() -> None:
    (chunk,), _, _ = _read(f"{HEADER},metadata.sector,metadata.x\na,,,A,school,,,charter,\nb,,,B,school,,,,\n")

    assert chunk.metadata is not None
    assert chunk.metadata.to_pylist() == ['{"sector": "charter"}', None]


def test_a_row_without_a_name_is_refused_and_counted() -> None:
    chunks, reader, found = _read(f"{HEADER}\n,,,A,school,,\nb,,,B,school,,\n")

    assert _cells(chunks, "sourced_id") == ["b"]
    assert reader.nameless == 1
    assert [(one.line, one.column, one.rule) for one in found] == [(2, "sourcedId", "required")]


def test_a_refused_row_is_still_named() -> None:
    """Or a row with a slip would look as if it had vanished."""
    chunks, _, _ = _read(f"{HEADER}\na,,,A,castle,,\n")

    assert _cells(chunks, "sourced_id") == ["a"]
    assert list(chunks[0].refused) == [True]


def test_of_many_findings_of_a_kind_the_rest_is_counted() -> None:
    rows = "\n".join(f"{number},,,A,School,," for number in range(250))

    _, _, found = _read(f"{HEADER}\n{rows}\n")

    assert len(found) == TOLD_OF_A_KIND + 1
    assert sum(one.count for one in found) == 250
    assert found[-1].remedy.startswith("150 more like this.")


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        (f'{HEADER}\na,,,"A,school,,\n', 2, "cut-off"),
        (f'{HEADER}\na,,,"A"B,school,,\n', 2, "quotes"),
        (f"{HEADER}\na,,,A,school,,\nb,,,".encode() + b"Ren\xe9,school,,\n", 3, "encoding"),
        (f"{HEADER}\na,,,A\0,school,,\n", 2, "encoding"),
        (HEADER.encode("utf-16"), 1, "encoding"),
        (f"{HEADER}\n{'x' * 1_100_000}\n", 2, "line-too-long"),
        (b"", 1, "header-missing"),
    ],
)
def test_what_breaks_a_file_is_located(text: str | bytes, line: int, rule: str) -> None:
    with pytest.raises(Unreadable) as broken:
        _read(text)

    assert (broken.value.finding.line, broken.value.finding.rule) == (line, rule)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)


@given(st.lists(CELLS, min_size=1, max_size=30))
def test_what_the_csv_module_writes_is_read_back(names: list[str]) -> None:
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(HEADER.split(","))
    writer.writerows([f"k{number}", "", "", name, "school", "", ""] for number, name in enumerate(names))

    chunks, _, found = _read(held.getvalue())

    assert found == []
    assert _cells(chunks, "name") == [name.strip() for name in names]


def test_blocks_cut_a_long_file_and_lose_nothing() -> None:
    rows = "\n".join(f"k{number},,,Name {number},school,," for number in range(12_345))

    chunks, reader, _ = _read(f"{HEADER}\n{rows}\n", block=4096)

    assert len(chunks) > 50
    assert reader.rows == 12_345
    assert _cells(chunks, "sourced_id") == [f"k{number}" for number in range(12_345)]
    assert _lines(chunks) == list(range(2, 12_347))
    assert not reader.may_have_twins()


def test_a_name_that_comes_twice_is_noticed_far_apart() -> None:
    rows = "\n".join(f"k{number % 9_999},,,Name,school,," for number in range(10_000))

    _, reader, _ = _read(f"{HEADER}\n{rows}\n", block=4096)

    assert reader.may_have_twins()


def test_what_was_declared_is_read_and_told() -> None:
    chunks, _, found = _read(f"{HEADER}\na,,,École,school,,\n".encode("latin-1"), encoding="latin-1")

    assert _cells(chunks, "name") == ["École"]
    assert [(one.rule, one.value, one.repaired) for one in found] == [("encoding", "latin-1", True)]


DIRTY = (
    "a", "b", "", "  ", " padded ", "\u00a0x\u3000", "\x1cx", "castle", "School", "school", "ext:kiosk",
    '"', '""', '"q"', '"q""r"', '"un', "in\"side", '"two\nlines"', '"cr\r\nlf"', "\r", "TRUE", "1/05/2023",
    "13/05/2023", "2023-05-01", "é", "x" * 1_500, "x" * 11_000, '"a,b"', '"a" b',
)  # fmt: skip
"""Cells as they are written; not all of them as they should be."""


@pytest.mark.parametrize("seed", range(60))
def test_both_ways_of_reading_say_the_same(seed: int) -> None:
    chance = random.Random(seed)
    lines = [HEADER]
    for number in range(chance.randint(0, 60)):
        cells = [f"k{number}", "", "", "Name", "school", "", ""]
        for _ in range(chance.choice([0, 0, 0, 0, 1, 2])):
            # the dirtiest cells break the whole reading, so that they must be rare for anything else to be seen
            cells[chance.randrange(7)] = chance.choice(DIRTY if chance.random() < 0.3 else DIRTY[:11])
        width = chance.choice([7] * 12 + [0, 5, 8, 9])
        lines.append(",".join([*cells, "", "y"][:width]))
    text = chance.choice(["\n", "\r\n"]).join(lines) + chance.choice(["", "\n"])

    told: list[Any] = []
    for exactly in (False, True):
        try:
            chunks, reader, found = _read(text, exactly=exactly, block=chance.choice([200, 4096]))
        except Unreadable as broken:
            told.append(broken.finding)
            continue
        rows = [
            (int(line), bool(refused), *cells)
            for chunk in chunks
            for line, refused, *cells in zip(
                chunk.lines, chunk.refused, *(cells.to_pylist() for cells in chunk.columns.values()), strict=True
            )
        ]
        kinds = sorted((one.line or 0, one.column or "", one.rule, one.value or "", one.remedy) for one in found)
        told.append((rows, kinds, reader.nameless, reader.rows))

    assert told[0] == told[1]


def test_an_archive_holds_the_same_only_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("orgs.csv", f"{HEADER}\na,,,A,school,,\n")

    with open_archive(path, Findings()) as archive:
        with archive.reading(ORGS) as reader:
            assert len([*archive.chunks(reader)]) == 1
        content = archive.contents()["orgs"]

        assert content.blake2b == hashlib.blake2b(f"{HEADER}\na,,,A,school,,\n".encode(), digest_size=32).hexdigest()
        assert archive.holds(ORGS, content)
        assert not archive.holds(ORGS, replace(content, blake2b="0" * 64))
        assert not archive.holds(ORGS, replace(content, crc=content.crc ^ 1))
        assert not archive.holds(READ["1.2"]["courses"], content)


def test_bytes_that_are_read_ahead_are_all_there_in_order() -> None:
    whole = random.Random(3).randbytes(10_000)

    digested = Digested(io.BytesIO(whole))
    with Ahead(digested) as ahead:
        pieces = [*iter(lambda: ahead.read(700), b"")]

    assert b"".join(pieces) == whole
    assert digested.digest() == hashlib.blake2b(whole, digest_size=32).hexdigest()


def test_what_breaks_while_reading_ahead_is_raised_where_it_is_asked_for() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise zlib.error("cut off")
            return super().read(size)

    with Ahead(Digested(Broken(b"abc"))) as ahead:
        assert ahead.read(2) == b"ab"
        with pytest.raises(zlib.error):
            ahead.read(2)
