"""The same sheets as CSV, lines of JSON and Parquet; and what is wrong with each in its own way."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain import csvfile, ndjson, parquetfile, sheets
from services.assessment.domain.catalogue import Catalogue
from services.assessment.domain.csvfile import Header
from services.assessment.domain.records import Block
from services.assessment.domain.sheets import CORRECTION, ORIGINAL, WITHDRAWAL, Reading
from tests.unit.assessment.test_sheets import ITEMS, bits, catalogue, problems

FIXED = ("administration", "student", "form", "completed_at", "modality")
Row = dict[str, str]
AT = "2026-09-15T09:30:00Z"
LINE: dict[str, Any] = {
    "administration": "2026-fall", "student": "ada", "form": "M4-A", "completed_at": AT, "modality": "paper",
    "responses": {"m4-001": "B", "m4-002": 2, "m4-003": "7"},
}  # fmt: skip

rows = st.lists(
    st.one_of(
        st.fixed_dictionaries({
            "administration": st.sampled_from(["2026-fall", "2026-check"]),
            "student": st.sampled_from(["ada", "bo\u00e9", 'c"y', "d,e"]),
            "form": st.just("M4-A"),
            "completed_at": st.sampled_from([AT, "2026-09-16T01:02:03.000004-05:00", "2026-09-01T00:00:00+00:00", "?"]),
            "modality": st.sampled_from(["in person", "remote", "paper", "by post"]),
            "status": st.sampled_from(["", "original", "correction", "withdrawal"]),
            "m4-001": st.sampled_from(["A", "B", "-", "/", "", "E"]),
            "m4-002": st.sampled_from(["0", "1", "3", "-", ""]),
            "m4-003": st.sampled_from(["7", "seven", "ß", "", " 7"]),
            "m4-101": st.sampled_from(["", "", "A"]),
        }),
        st.just({
            "administration": "2026-fall", "student": "fay", "form": "M4-B", "completed_at": AT, "modality": "paper",
            "status": "", "m4-001": "", "m4-002": "", "m4-003": "", "m4-101": "A",
        }),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def as_csv(table: Sequence[Row]) -> Reading:
    header = Header(("status", *ITEMS.items))
    lines = [",".join('"' + row[name].replace('"', '""') + '"' for name in (*FIXED, *header.columns)) for row in table]
    return csvfile.read(Block(1, "\n".join(lines).encode(), True), header, catalogue().packed())


def as_ndjson(table: Sequence[Row]) -> Reading:
    lines = [
        {name: row[name] for name in (*FIXED, "status")} | {"responses": {item: row[item] for item in ITEMS.items}}
        for row in table
    ]
    content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    return ndjson.read(Block(1, content, True), catalogue().packed())


def a_table(table: Sequence[Row], **columns: Any) -> pa.Table:
    names = (*FIXED, "status", *ITEMS.items)
    return pa.table({name: [row[name] or None for row in table] for name in names} | columns)


def read_all(path: Path, known: Catalogue | None = None) -> Iterator[Reading]:
    row: int | None = 0
    while row is not None:
        reading, row = parquetfile.read(str(path), row, (known or catalogue()).packed())
        yield reading
    parquetfile.close(str(path))


def as_parquet(table: pa.Table, folder: Path, **how: Any) -> list[Reading]:
    path = folder / "sheets.parquet"
    pq.write_table(table, path, **how)
    return list(read_all(path))


@given(rows)
def test_one_table_reads_the_same_in_three_formats(tmp_path_factory: pytest.TempPathFactory, table: list[Row]) -> None:
    plain = as_csv(table)

    lines = as_ndjson(table)
    [columns, end] = as_parquet(a_table(table), tmp_path_factory.mktemp("parquet"))

    assert bits(plain) == bits(lines) == bits(columns)
    assert plain.problems == lines.problems == columns.problems
    assert plain.refused == lines.refused == columns.refused
    assert (end.groups, end.problems) == ([], [])


def test_what_a_sheet_is_stands_in_its_status() -> None:
    row = {**{name: str(LINE.get(name, "")) for name in (*FIXED, *ITEMS.items)}, "m4-001": "B"}
    table = [{**row, "status": status} for status in ("", "original", "correction", "withdrawal", "gone")]

    reading = as_csv(table)

    [group] = reading.groups
    assert group.sheets["status"].tolist() == [ORIGINAL, ORIGINAL, CORRECTION, WITHDRAWAL]
    assert problems(reading) == [(5, "status", "status")]


# lines of JSON


def read_lines(*lines: str | bytes, end: bytes = b"\n") -> Reading:
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + end
    return ndjson.read(Block(1, content, True), catalogue().packed())


def a_line(**changes: Any) -> str:
    return json.dumps({name: value for name, value in (LINE | changes).items() if value is not ...})


def test_a_number_is_what_a_csv_has_and_what_is_missing_was_not_presented() -> None:
    reading = read_lines(a_line(responses={"m4-002": 3.0, "m4-003": 7}), a_line(responses={"m4-001": None}))

    [group] = reading.groups
    assert sheets.cut(group.sheets, group.responses) == [b"\x1f3\x1f7", b"\x1f\x1f"]


def test_quotes_within_texts_and_spaces_are_no_doubled_keys() -> None:
    quoted = a_line(student='a"d\\a', responses={"m4-001": "B", "m4-002": 2, "m4-003": '"7"'})

    reading = read_lines(quoted, a_line().replace(":", " : ").replace(" : 30 : 00Z", ":30:00Z"))

    assert reading.problems == []


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        ("[1, 2]", None, "not-an-object"),
        ('"text"', None, "not-an-object"),
        ("{not json}", None, "json"),
        (a_line()[:-9], None, "json"),
        (b'{"student": "\xff"}', None, "not-utf8"),
        (a_line(pupil="x"), "pupil", "unknown-key"),
        (a_line()[:-1] + ', "student": "bo"}', "student", "duplicate-key"),
        (a_line().replace('"m4-002": 2', '"m4-002": 2, "m4-001": null'), "m4-001", "duplicate-key"),
        (a_line().replace('"m4-002": 2', r'"m4-002": 2, "m4-00\u0031": "A"'), "m4-001", "duplicate-key"),
        (a_line()[:-1] + ', "responses": ' + "[" * 990 + "]" * 990 + "}", "responses", "wrong-type"),
        (a_line(student=...), "student", "missing-key"),
        (a_line(responses=...), "responses", "missing-key"),
        (a_line(responses=["B"]), "responses", "wrong-type"),
        (a_line(student=7), "student", "wrong-type"),
        (a_line(responses={"m4-001": True}), "m4-001", "wrong-type"),
        (a_line(responses={"m4-001": ["B"]}), "m4-001", "wrong-type"),
        (a_line(responses={"m4-003": "7\x1f"}), "m4-003", "control-character"),
        (a_line(student="a\x00"), "student", "control-character"),
        (a_line(responses={"m4-003": "7" * 10_241}), "m4-003", "cell-too-long"),
        (a_line(responses={"m4-999": "B"}), "m4-999", "item-not-on-form"),
        (a_line(responses={"m4-001": "E"}), "m4-001", "response-not-allowed"),
        (a_line(status="undone"), "status", "status"),
    ],
)
def test_a_broken_line_is_refused_at_its_place_and_its_neighbours_are_not(
    line: str | bytes, column: str | None, rule: str
) -> None:
    reading = read_lines(a_line(), line, a_line(student="ben"))

    assert problems(reading) == [(2, column, rule)]
    assert reading.refused == 1
    assert [group.sheets["line"].tolist() for group in reading.groups] == [[1, 3]]
    assert all(problem.remedy for problem in reading.problems)


@pytest.mark.parametrize("cut", [-1, -9, -30, -80])
def test_a_file_cut_off_in_a_line_is_noticed(cut: int) -> None:
    reading = read_lines(a_line(), a_line(student="boé").encode()[:cut], end=b"")

    assert problems(reading) == [(2, None, "cut-off")]


def test_empty_lines_windows_line_ends_and_a_missing_last_one_are_fine() -> None:
    reading = read_lines(a_line() + "\r", "", a_line(student="ben") + "\r", a_line(student="eve"), end=b"")

    assert problems(reading) == []
    assert reading.groups[0].sheets["line"].tolist() == [1, 3, 4]


# Parquet


def some(number: int) -> list[Row]:
    return [
        {name: str(LINE.get(name, "")) for name in FIXED}
        | {"student": f"s{row}", "status": "", "m4-001": "ABCD"[row % 4], "m4-002": "2", "m4-003": "7", "m4-101": ""}
        for row in range(number)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sheets.parquet"


class TestParquet:
    def test_batches_row_groups_and_encodings_change_nothing(self, tmp_path: Path) -> None:
        table = a_table(some(10_000))
        [expected, _] = as_parquet(a_table(some(10)), tmp_path)

        for how in ({}, {"row_group_size": 700}, {"use_dictionary": False}, {"compression": "zstd"}):
            found = [group for reading in as_parquet(table, tmp_path, **how) for group in reading.groups]
            assert [line for group in found for line in group.sheets["line"]] == list(range(1, 10_001))
            assert [name for group in found for name in group.students] == [f"s{row}" for row in range(10_000)]
            assert found[0].sheets["theta"][:10].tolist() == expected.groups[0].sheets["theta"].tolist()

    def test_dictionaries_long_strings_and_columns_of_nothing_are_text(self, tmp_path: Path) -> None:
        table = a_table(some(3))
        [plain, _] = as_parquet(table, tmp_path)
        dictionaries = {name: table[name].cast(pa.string()).dictionary_encode() for name in table.column_names}
        long, nothing = table["student"].cast(pa.large_string()), pa.nulls(3)
        other = pa.table(dictionaries | {"student": long, "m4-101": nothing})

        [reading, _] = as_parquet(other, tmp_path)

        assert reading.problems == []
        assert bits(reading) == bits(plain)

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_a_time_may_be_a_timestamp(self, tmp_path: Path, unit: str) -> None:
        at = datetime(2026, 9, 15, 9, 30, tzinfo=UTC)
        times = pa.array([at] * 3, pa.timestamp(unit, "UTC"))

        [reading, _] = as_parquet(a_table(some(3), completed_at=times), tmp_path)

        assert reading.problems == []
        assert set(reading.groups[0].sheets["completed_at"].tolist()) == {round(at.timestamp() * 1_000_000)}

    def test_a_time_that_is_finer_than_microseconds_or_none_is_refused_at_its_row(self, tmp_path: Path) -> None:
        at = 1_789_482_600_000_000_000
        times = pa.array([at, at + 1, None, at + 1_000], pa.timestamp("ns", "UTC"))

        [reading, _] = as_parquet(a_table(some(4), completed_at=times), tmp_path)

        assert problems(reading) == [(2, "completed_at", "completed-at"), (3, "completed_at", "completed-at")]
        assert reading.groups[0].sheets["line"].tolist() == [1, 4]

    @pytest.mark.parametrize(
        ("column", "array", "expected"),
        [
            ("m4-001", pa.array([1, 2, 3]), "a string"),
            ("student", pa.array([1, 2, 3]), "a string"),
            ("status", pa.array([True, True, False]), "a string"),
            ("completed_at", pa.array([0, 0, 0], pa.timestamp("us")), "a timestamp adjusted to UTC"),
            ("m4-003", pa.array([7.0] * 3), "a string"),
            ("m4-003", pa.array([{"given": "7"}] * 3), "a string"),
        ],
    )
    def test_a_wrong_type_is_named_with_what_is_expected(
        self, path: Path, column: str, array: pa.Array, expected: str
    ) -> None:
        pq.write_table(a_table(some(3), **{column: array}), path)

        [problem] = parquetfile.describe(str(path)).problems

        assert (problem.rule, problem.column, problem.line) == ("wrong-type", column, None)
        assert problem.value == str(array.type)
        assert expected in problem.remedy

    def test_a_missing_and_a_double_column_are_named(self, path: Path) -> None:
        table = a_table(some(2)).drop_columns(["student"])
        pq.write_table(table.append_column("m4-001", table["m4-001"]), path)

        found = parquetfile.describe(str(path)).problems

        assert {(problem.rule, problem.column) for problem in found} == {
            ("missing-column", "student"),
            ("duplicate-column", "m4-001"),
        }

    @pytest.mark.parametrize("keep", [4, 100, 0.5, 0.99])
    def test_a_file_that_is_cut_off_is_refused(self, path: Path, keep: float) -> None:
        pq.write_table(a_table(some(500)), path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])

        [problem] = parquetfile.describe(str(path)).problems

        assert (problem.rule, problem.column, problem.line) == ("parquet", None, None)

    def test_damage_among_the_rows_is_found_at_its_batch(self, path: Path) -> None:
        pq.write_table(a_table(some(500)), path, use_dictionary=False, compression="zstd")
        whole = bytearray(path.read_bytes())
        whole[200:1_200] = bytes(1_000)
        path.write_bytes(whole)

        [reading] = read_all(path)

        assert problems(reading) == [(1, None, "parquet")]

    def test_bytes_that_are_no_text_are_refused_at_their_row(self, tmp_path: Path) -> None:
        broken = pa.array([b"s0", b"a\xffa", b"s\x1f2"]).cast(pa.string(), safe=False)

        [reading, _] = as_parquet(a_table(some(3), student=broken), tmp_path)

        assert problems(reading) == [(2, "student", "not-utf8"), (3, "student", "control-character")]
        assert reading.groups[0].sheets["line"].tolist() == [1]
        assert reading.refused == 2

    def test_a_long_word_that_every_row_has_is_refused_without_unpacking_it_for_each(self, path: Path) -> None:
        word = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), ["x" * (8 << 20)])
        pq.write_table(a_table(some(5_000), student=word), path, compression="zstd", dictionary_pagesize_limit=1 << 30)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        readings = list(read_all(path))

        assert sum(reading.refused for reading in readings) == 5_000
        assert problems(readings[0])[0] == (1, "student", "cell-too-long")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB; unpacked it is 40 GB

    def test_long_words_come_in_batches_of_a_few_rows(self, tmp_path: Path) -> None:
        word = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000, pa.int32()), ["x" * 10_000])

        readings = as_parquet(a_table(some(3_000), modality=word), tmp_path)

        refused = [reading.refused for reading in readings]
        assert sum(refused) == 3_000
        assert max(refused) < 500

    def test_a_file_that_unpacks_beyond_all_proportion_is_refused(self, path: Path) -> None:
        blank = pa.array([" " * 10_000] * 3_000)
        pq.write_table(a_table(some(3_000), student=blank), path, compression="zstd", use_dictionary=False)

        [problem] = parquetfile.describe(str(path)).problems

        assert (problem.rule, problem.value) == ("unpacks-too-large", f"{path.stat().st_size} bytes")

    def test_a_file_with_more_rows_than_bytes_is_refused(self, path: Path) -> None:
        none = pa.array([0] * 50_000, pa.int32())
        same = {name: pa.DictionaryArray.from_arrays(none, ["a"]) for name in a_table(some(1)).column_names}
        pq.write_table(pa.table(same), path)

        [problem] = parquetfile.describe(str(path)).problems

        assert (problem.rule, problem.value) == ("unpacks-too-large", "50000 rows")

    def test_texts_that_go_on_from_the_former_one_are_refused(self, path: Path) -> None:
        encoding = {"student": "DELTA_BYTE_ARRAY"}
        pq.write_table(a_table(some(3)), path, use_dictionary=False, column_encoding=encoding)

        [problem] = parquetfile.describe(str(path)).problems

        assert (problem.rule, problem.column) == ("encoding", "student")

    def test_a_worker_that_knows_nothing_reads_on_where_the_former_one_was(self, path: Path) -> None:
        pq.write_table(a_table(some(20_000)), path, row_group_size=20_000)
        first, following = parquetfile.read(str(path), 0, catalogue().packed())
        assert following is not None
        expected = bits(parquetfile.read(str(path), following, catalogue().packed())[0])
        parquetfile.close(str(path))

        again, _ = parquetfile.read(str(path), following, catalogue().packed())

        assert bits(again) == expected != bits(first)
        parquetfile.close(str(path))

    def test_codes_that_the_catalogue_lacks_are_asked_for_and_the_batch_is_read_again(self, path: Path) -> None:
        pq.write_table(a_table(some(3)), path)

        lacking, row = parquetfile.read(str(path), 0, Catalogue({}, {}).packed())
        reading, _ = parquetfile.read(str(path), 0, catalogue().packed())

        assert (lacking.wanted_administrations, lacking.wanted_forms, row) == ({"2026-fall"}, {"M4-A"}, 0)
        assert len(reading.groups[0].sheets) == 3
        parquetfile.close(str(path))


def test_a_service_starts_without_pyarrow() -> None:
    """It takes tens of megabytes in every process that imports it."""
    program = "import sys, services.assessment.main; sys.exit('pyarrow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
