"""Files that are wrong in one way each, made from right ones."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow as pa

from deploy.cli.demo import AnswersFormat, DemoFiles
from deploy.cli.load import Kind
from tests.e2e.formats import rows_of, sheets, table_bytes

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Bad:
    """A fault, the file that has it, and where and by what rule it must be reported."""

    name: str
    kind: Kind
    make: Callable[[DemoFiles], bytes]
    file: str
    line: int | None
    column: str | None
    rule: str
    names: str = ""
    """What the remedy must name."""

    def __str__(self) -> str:
        return self.name


def answers(change: Callable[[Rows], object]) -> Callable[[DemoFiles], bytes]:
    """The answers, with a change to their rows; row 0 is the header."""

    def make(files: DemoFiles) -> bytes:
        rows = list(csv.reader(io.StringIO(files.answers.read_text(encoding="utf-8"))))
        change(rows)
        return _csv(rows)

    return make


def willingness(change: Callable[[Rows], object]) -> Callable[[DemoFiles], bytes]:
    """What the schools say, with a change to their rows; row 0 is the header."""

    def make(files: DemoFiles) -> bytes:
        rows = list(csv.reader(io.StringIO(files.willingness.read_text(encoding="utf-8"))))
        change(rows)
        return _csv(rows)

    return make


def _in_both_lists(rows: Rows) -> None:
    """The school of line 2 also says the opposite in the same area."""
    other = {"offers": "seeks", "seeks": "offers"}[rows[1][2]]
    rows.insert(3, [*rows[1][:2], other, *rows[1][3:]])


def answered(rows: Rows, line: int) -> int:
    """The first column with a letter for an answer in the row of this line."""
    return next(column for column, cell in enumerate(rows[line - 1]) if column > 4 and cell in ("A", "B", "C", "D"))


def unasked(rows: Rows, line: int) -> int:
    """A column of an item that is not on the form of this line's row."""
    row = rows[line - 1]
    return len(row) - 1 if row[2] != "M-CHECK" else 5


def put(line: int, column: int, value: str) -> Callable[[Rows], object]:
    """Another value in one cell."""

    def change(rows: Rows) -> None:
        rows[line - 1][column] = value

    return change


def json_file(kind: Kind, change: Callable[[Any], object]) -> Callable[[DemoFiles], bytes]:
    """The framework or the forms, with a change to the parsed document."""

    def make(files: DemoFiles) -> bytes:
        document = json.loads(_path(files, kind).read_text(encoding="utf-8"))
        change(document)
        return json.dumps(document).encode()

    return make


def roster(name: str, change: Callable[[Rows], object]) -> Callable[[DemoFiles], bytes]:
    """The roster, with a change to the rows of one of its files."""

    def make(files: DemoFiles) -> bytes:
        parts = _unpacked(files.roster)
        rows = list(csv.reader(io.StringIO(parts[f"{name}.csv"].decode())))
        change(rows)
        return _packed(parts | {f"{name}.csv": _csv(rows)})

    return make


def roster_without(name: str) -> Callable[[DemoFiles], bytes]:
    """The roster, one of its files left out."""
    return lambda files: _packed({part: body for part, body in _unpacked(files.roster).items() if part != name})


def roster_with(name: str) -> Callable[[DemoFiles], bytes]:
    """The roster, with an entry of this name besides."""
    return lambda files: _packed(_unpacked(files.roster) | {name: b"x"})


def swap_coordinates(rows: Rows) -> None:
    """The first school's latitude and longitude change places."""
    north, east = (rows[0].index(f"metadata.{name}") for name in ("latitude", "longitude"))
    school = next(row for row in rows if "school" in row)
    school[north], school[east] = school[east], school[north]


def programme(*changes: tuple[str, str]) -> Callable[[DemoFiles], bytes]:
    """The programme, texts that come once replaced."""

    def make(files: DemoFiles) -> bytes:
        whole = files.programme.read_text(encoding="utf-8")
        for old, new in changes:
            assert whole.count(old) == 1, old
            whole = whole.replace(old, new)
        return whole.encode()

    return make


def parquet_with_a_number_as_time(files: DemoFiles) -> bytes:
    """Answers as Parquet, the times in seconds as a database might have them."""
    rows = rows_of(files.answers)[:200]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return table_bytes(pa.table(columns | {"completed_at": [1_789_000_000.5 + at for at in range(len(rows))]}))


def parquet_cut_off(files: DemoFiles) -> bytes:
    """Answers as Parquet, the second half missing."""
    whole = sheets(rows_of(files.answers), AnswersFormat.PARQUET)
    return whole[: len(whole) // 2]


def line_cut_off(files: DemoFiles) -> bytes:
    """Nine sheets as lines of JSON, the ninth without its end."""
    return sheets(rows_of(files.answers)[:9], AnswersFormat.NDJSON)[:-40]


def of_another_district(files: DemoFiles) -> bytes:
    """The answers of students who have other identifiers."""
    return sheets([row | {"student": f"B-{row['student']}"} for row in rows_of(files.answers)], AnswersFormat.CSV)


def withdrawal_of_nothing(files: DemoFiles) -> bytes:
    """A sheet is taken back whose time is a second off."""
    rows = [row | {"status": "withdrawal"} for row in rows_of(files.answers)[:3]]
    return sheets([*rows[:2], rows[2] | {"completed_at": _a_second_on(rows[2]["completed_at"])}], AnswersFormat.NDJSON)


def _a_second_on(when: str) -> str:
    return (datetime.fromisoformat(when) + timedelta(seconds=1)).isoformat()


def cut_off(kind: Kind) -> Callable[[DemoFiles], bytes]:
    """The first two thirds of the file, and a bit."""

    def make(files: DemoFiles) -> bytes:
        whole = _path(files, kind).read_bytes()
        return whole[: len(whole) * 2 // 3 + 7]

    return make


def not_utf8(files: DemoFiles) -> bytes:
    """Answers with a Latin-1 letter in line 3."""
    lines = files.answers.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b",S", b",\xe9S", 1)
    return b"\n".join(lines)


def roster_not_utf8(files: DemoFiles) -> bytes:
    """The roster with a Latin-1 letter in line 4 of its people."""
    parts = _unpacked(files.roster)
    lines = parts["users.csv"].split(b"\r\n")
    lines[3] = lines[3].replace(b"true,", b"true,\xe9", 1)
    return _packed(parts | {"users.csv": b"\r\n".join(lines)})


def first_item(forms: Any) -> dict[str, Any]:
    """The first item of the first form."""
    item: dict[str, Any] = forms["forms"][0]["items"][0]
    return item


def _path(files: DemoFiles, kind: Kind) -> Path:
    path: Path = getattr(files, kind.value)
    return path


def _csv(rows: Rows) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _unpacked(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as packed:
        for name, body in parts.items():
            packed.writestr(name, body)
    return out.getvalue()


def _drop_column(rows: Rows, name: str) -> None:
    place = rows[0].index(name)
    for row in rows:
        del row[place]


def _again_otherwise(package: Any) -> None:
    package["CFItems"].append(package["CFItems"][0] | {"fullStatement": "Something else."})


def _go_round(package: Any) -> None:
    package["CFAssociations"][0]["destinationNodeURI"] = package["CFAssociations"][2]["originNodeURI"]


SHEETS, LINES, TABLE = "answers.csv", "answers.ndjson", "answers.parquet"
FORM_FILE, PACKAGE = "forms.json", "framework.json"
ITEM = "/forms/0/items/0"


def _answers(name: str, change: Callable[[Rows], object], line: int, column: str | None, rule: str) -> Bad:
    return Bad(name, Kind.ANSWERS, answers(change), SHEETS, line, column, rule)


def _forms(name: str, change: Callable[[Any], object], column: str, rule: str) -> Bad:
    return Bad(name, Kind.FORMS, json_file(Kind.FORMS, change), FORM_FILE, 1, column, rule)


def _roster(name: str, part: str, change: Callable[[Rows], object], line: int, column: str, rule: str) -> Bad:
    return Bad(name, Kind.ROSTER, roster(part, change), f"{part}.csv", line, column, rule)


def _programme(
    name: str,
    old: str,
    new: str,
    line: int,
    column: str,
    rule: str,
    names: str = "",
    more: tuple[tuple[str, str], ...] = (),
) -> Bad:
    make = programme((old, new), *more)
    return Bad(name, Kind.PROGRAMME, make, "programme.toml", line, column, rule, names)


def _willingness(name: str, line: int, column: str, value: str, rule: str) -> Bad:
    """A fault in one cell."""
    at = ("school", "area", "role", "eagerness", "capacity", "diagnostics").index(column)
    return Bad(name, Kind.WILLINGNESS, willingness(put(line, at, value)), "willingness.csv", line, column, rule)


NOT_ALLOWED = "response-not-allowed"
FAULTS = [
    _answers("no form column", lambda rows: _drop_column(rows, "form"), 1, "form", "header"),
    _answers("a column of no item", put(1, 7, "x9-99"), 1, "x9-99", "unknown-item-column"),
    _answers("an unknown student", put(3, 1, "S9999999"), 3, "student", "unknown-student"),
    _answers("a form that does not exist", put(4, 2, "M9-Z"), 4, "form", "unknown-form"),
    _answers("no such administration", put(4, 0, "1999"), 4, "administration", "unknown-administration"),
    _answers("a modality that is not one", put(5, 4, "by owl"), 5, "modality", "modality"),
    _answers("a time without offset", put(5, 3, "2026-09-14T10:00:00"), 5, "completed_at", "completed-at"),
    _answers("a time outside the window", put(5, 3, "2027-09-14T10:00:00Z"), 5, "completed_at", "outside-window"),
    _answers("a code that is not allowed", lambda r: put(6, answered(r, 6), "E")(r), 6, "m2-01", NOT_ALLOWED),
    _answers("an item not on the form", lambda r: put(6, unasked(r, 6), "A")(r), 6, "check-8", "item-not-on-form"),
    _answers("the same attempt twice", lambda r: r.insert(4, list(r[1])), 5, None, "attempt-twice"),
    _answers("a row with too few cells", lambda rows: rows[7].pop(), 8, None, "cell-count"),
    Bad("answers not in UTF-8", Kind.ANSWERS, not_utf8, SHEETS, 3, "student", "not-utf8"),
    Bad("answers cut off in the middle", Kind.ANSWERS, cut_off(Kind.ANSWERS), SHEETS, None, None, "cut-off"),
    Bad("forms cut off in the middle", Kind.FORMS, cut_off(Kind.FORMS), FORM_FILE, None, None, "json"),
    _forms("another format", lambda d: d.update(format="other/1"), "/format", "format"),
    _forms(
        "no such competency",
        lambda d: first_item(d).update(competencies=["x"]),
        f"{ITEM}/competencies/0",
        "unknown-competency",
    ),
    _forms("neither key nor rubric", lambda d: first_item(d).pop("key"), ITEM, "key-or-rubric"),
    _forms(
        "too few thresholds",
        lambda d: first_item(d).update(parameters={"model": "grm", "a": 1, "b": []}),
        f"{ITEM}/parameters/b",
        "parameters",
    ),
    _forms(
        "a window for no form",
        lambda d: d["administrations"][0].update(forms=["M9-Z"]),
        "/administrations/0/forms/0",
        "unknown-form",
    ),
    Bad("a framework cut off in the middle", Kind.FRAMEWORK, cut_off(Kind.FRAMEWORK), PACKAGE, None, None, "json"),
    Bad(
        "no document",
        Kind.FRAMEWORK,
        json_file(Kind.FRAMEWORK, lambda d: d.pop("CFDocument")),
        PACKAGE,
        1,
        "",
        "not-a-package",
    ),
    Bad(
        "an item twice, otherwise",
        Kind.FRAMEWORK,
        json_file(Kind.FRAMEWORK, _again_otherwise),
        PACKAGE,
        1,
        "/CFItems/82/identifier",
        "duplicate-identifier",
    ),
    Bad(
        "a circle of parents",
        Kind.FRAMEWORK,
        json_file(Kind.FRAMEWORK, _go_round),
        PACKAGE,
        1,
        "/CFAssociations/1",
        "hierarchy-cycle",
    ),
    Bad("no manifest", Kind.ROSTER, roster_without("manifest.csv"), "manifest.csv", None, None, "manifest-missing"),
    Bad("a promised file not there", Kind.ROSTER, roster_without("users.csv"), "users.csv", None, None, "file-missing"),
    Bad("not a zip", Kind.ROSTER, lambda files: files.answers.read_bytes(), "archive", None, None, "archive"),
    Bad("a zip cut off in the middle", Kind.ROSTER, cut_off(Kind.ROSTER), "archive", None, None, "archive"),
    Bad("a name that climbs out", Kind.ROSTER, roster_with("../orgs.csv"), "../orgs.csv", None, None, "entry-name"),
    _roster("a wrong header", "users", put(1, 6, "firstName"), 1, "firstName", "header-unknown"),
    _roster("a sourcedId twice", "users", lambda r: r.insert(9, list(r[4])), 10, "sourcedId", "duplicate-sourcedId"),
    _roster("an enrolment of nobody", "enrollments", put(6, 5, "S9999999"), 6, "userSourcedId", "unknown-reference"),
    _roster("a role that is not one", "roles", put(6, 5, "wizard"), 6, "role", "code"),
    _roster("a date that is not one", "enrollments", put(6, 8, "soon"), 6, "beginDate", "date"),
    Bad("a roster not in UTF-8", Kind.ROSTER, roster_not_utf8, "users.csv", 4, None, "encoding"),
    Bad("an NDJSON line cut off", Kind.ANSWERS, line_cut_off, LINES, 9, None, "cut-off"),
    Bad(
        "Parquet of a wrong type",
        Kind.ANSWERS,
        parquet_with_a_number_as_time,
        TABLE,
        None,
        "completed_at",
        "wrong-type",
        "timestamp",
    ),
    Bad("Parquet cut off", Kind.ANSWERS, parquet_cut_off, TABLE, None, None, "parquet"),
    Bad("answers of another district", Kind.ANSWERS, of_another_district, SHEETS, 2, "student", "unknown-student"),
    Bad("a withdrawal of nothing", Kind.ANSWERS, withdrawal_of_nothing, LINES, 3, None, "nothing-to-withdraw"),
    _programme("a budget of zero", "budget = 18000", "budget = 0", 5, "budget", "range"),
    _programme(
        "a cost above the budget",
        "\nbudget = 18000",
        "\nbudget = 17999",
        6,
        "cost_per_partnership",
        "rules-conflict",
        "budget (line 5) of 17999",
    ),
    _programme(
        "more places than the partnerships have",
        "at_least = 1",
        "at_least = 3",
        35,
        "rules.balance.district.at_least",
        "rules-conflict",
        "1 partnership (line 4) can have 2",
    ),
    _programme(
        "more places than the budget pays for",
        "at_least = 1",
        "at_least = 3",
        35,
        "rules.balance.district.at_least",
        "rules-conflict",
        "budget (line 5) of 18000 pays for 1 partnership",
        more=(("partnerships = 1", "partnerships = 9"),),
    ),
    _programme(
        "an unknown school in a conflict",
        '"SCH-0002"',
        '"SCH-9999"',
        41,
        "rules.conflicts[0].schools",
        "unknown-school",
    ),
    _programme(
        "an area of no competency",
        '"71855544-7a27-5378-8150-e0b9c7fa555d"',
        '"71855544-7a27-5378-8150-e0b9c7fa5550"',
        19,
        "areas[1].competencies",
        "unknown-competency",
    ),
    _willingness("an eagerness of 9", 3, "eagerness", "9", "eagerness"),
    _willingness("an area of no programme", 3, "area", "astronomy", "unknown-area"),
    _willingness("a willing school that nobody knows", 4, "school", "SCH-9999", "unknown-school"),
    Bad(
        "a school in both lists",
        Kind.WILLINGNESS,
        willingness(_in_both_lists),
        "willingness.csv",
        4,
        "role",
        "both-roles",
        "Line 2",
    ),
]
