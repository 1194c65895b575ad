"""Reading a data file: chunks, lines, and what stops the reading."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.roster.domain.csvfile import Chunk, Reader
from services.roster.domain.findings import TOLD_OF_A_KIND, Finding, Findings, Unreadable
from services.roster.domain.layout import READ

ORGS = READ["1.2"]["orgs"]
HEADER = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"


def _read(text: str | bytes) -> tuple[list[Chunk], Reader, list[Finding]]:
    findings = Findings()
    reader = Reader(ORGS, io.BytesIO(text.encode() if isinstance(text, str) else text), findings)
    chunks = list(reader.chunks())
    return chunks, reader, [*findings.take(), *findings.take_rest()]


def test_cells_arrive_by_column_with_their_lines() -> None:
    (chunk,), _, found = _read(f"{HEADER}\r\na,,,A,school,,\r\n\r\nb,,,B,district,7,a\r\n")

    assert found == []
    assert chunk.lines == [2, 4]
    assert chunk.columns["sourced_id"] == ["a", "b"]
    assert chunk.columns["parent_sourced_id"] == [None, "a"]


def test_a_cell_may_have_lines_of_its_own() -> None:
    (chunk,), _, _ = _read(f'{HEADER}\na,,,"One\nTwo",school,,\nb,,,B,school,,\n')

    assert chunk.columns["name"] == ["One\nTwo", "B"]
    assert chunk.lines == [2, 4]


def test_a_last_line_needs_no_end() -> None:
    (chunk,), _, _ = _read(f"{HEADER}\na,,,A,school,,")

    assert len(chunk) == 1


def test_metadata_columns_become_an_object_without_their_empty_cells() -> None:
    (chunk,), _, _ = _read(f"{HEADER},metadata.sector,metadata.x\na,,,A,school,,,charter,\n")

    assert chunk.metadata == ['{"sector": "charter"}']


def test_a_row_without_a_name_is_refused_and_counted() -> None:
    (chunk,), reader, found = _read(f"{HEADER}\n,,,A,school,,\nb,,,B,school,,\n")

    assert chunk.columns["sourced_id"] == ["b"]
    assert reader.nameless == 1
    assert [(one.line, one.column, one.rule) for one in found] == [(2, "sourcedId", "required")]


def test_a_refused_row_is_still_named() -> None:
    """Or a row with a slip would look as if it had vanished."""
    (chunk,), _, _ = _read(f"{HEADER}\na,,,A,castle,,\n")

    assert (chunk.columns["sourced_id"], chunk.refused) == (["a"], [True])


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


@settings(max_examples=60)
@given(st.lists(CELLS, min_size=1, max_size=30))
def test_what_the_csv_module_writes_is_read_back(names: list[str]) -> None:
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(HEADER.split(","))
    writer.writerows([f"k{number}", "", "", name, "school", "", ""] for number, name in enumerate(names))

    chunks, _, found = _read(held.getvalue())

    assert found == []
    assert [cell for chunk in chunks for cell in chunk.columns["name"]] == [name.strip() for name in names]


def test_chunks_cut_a_long_file_and_lose_nothing() -> None:
    rows = "\n".join(f"k{number},,,Name {number},school,," for number in range(12_345))

    chunks, reader, _ = _read(f"{HEADER}\n{rows}\n")

    assert len(chunks) == 3
    assert reader.rows == 12_345
    assert [cell for chunk in chunks for cell in chunk.columns["sourced_id"]] == [f"k{n}" for n in range(12_345)]
    assert [chunk.first for chunk in chunks] == [0, 5_000, 10_000]
    assert chunks[-1].lines[-1] == 12_346
