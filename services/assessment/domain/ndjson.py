"""Answer sheets as lines of JSON: an object a line, with the fixed columns' names and `responses` by item.

Runs in the worker process on about a megabyte at a time.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from services.assessment.domain import sheets
from services.assessment.domain.catalogue import Catalogue, unpacked
from services.assessment.domain.formsfile import FIXED_COLUMNS, STATUS_COLUMN
from services.assessment.domain.problems import shown
from services.assessment.domain.records import LONGEST_FIELD, Block
from services.assessment.domain.sheets import Reading, Together

RESPONSES = "responses"
_FIELDS = frozenset((*FIXED_COLUMNS, STATUS_COLUMN, RESPONSES))
_REQUIRED = (*FIXED_COLUMNS, RESPONSES)


class _Sheet(NamedTuple):
    line: int
    fields: dict[str, str]
    responses: dict[str, str]


def read(block: Block, packed: bytes) -> Reading:
    """Parse, check and score a block of lines, with a packed catalogue."""
    catalogue = unpacked(packed)
    reading = Reading()
    together: dict[tuple[str, str], list[_Sheet]] = {}
    for sheet in _sheets(block, reading):
        together.setdefault((sheet.fields["administration"], sheet.fields["form"]), []).append(sheet)
    if (lacking := sheets.wanted(together, catalogue)) is not None:
        return lacking
    for (administration, form), several in together.items():
        sheets.check(administration, form, _columns(several, form, catalogue), catalogue, reading)
    reading.problems.sort(key=lambda problem: problem.line or 0)
    return reading


def _columns(several: list[_Sheet], form: str, catalogue: Catalogue) -> Together:
    """The form's items, and whatever else a sheet names: an item that a sheet leaves out was not presented."""
    known = catalogue.forms[form]
    codes = [] if known is None else [item.code for item in known.form.items]
    return Together(
        lines=[sheet.line for sheet in several],
        students=[sheet.fields["student"] for sheet in several],
        completed_at=[sheet.fields["completed_at"] for sheet in several],
        modalities=[sheet.fields["modality"] for sheet in several],
        statuses=[sheet.fields.get(STATUS_COLUMN, "") for sheet in several],
        items=_items([sheet.responses for sheet in several], codes),
        is_table=False,
    )


def _items(responses: list[dict[str, str]], codes: list[str]) -> dict[str, Sequence[str]]:
    """A column for each of these items, and for every other that a sheet names."""
    if len(codes) > 1 and all(len(each) == len(codes) for each in responses):
        with suppress(KeyError):  # some sheet names another item
            return dict(zip(codes, zip(*map(itemgetter(*codes), responses), strict=True), strict=True))
    named = dict.fromkeys(chain(codes, *responses))
    return {code: [each.get(code, "") for each in responses] for code in named}


def _sheets(block: Block, reading: Reading) -> list[_Sheet]:
    """The lines that are sheets as far as JSON can tell."""
    found: list[_Sheet] = []
    # What may not stand in a cell can only be written as an escape, and what is too long has a long line.
    last = block.content.count(b"\n")
    for number, line in enumerate(block.content.split(b"\n")):
        if not line.strip():
            continue
        at = block.first_line + number
        refuse = _refuser(reading, at)
        try:
            given = orjson.loads(line)
        except ValueError as wrong:
            _unreadable(line, wrong, refuse, is_cut=number == last and block.last)
            reading.refused += 1
            continue
        if not isinstance(given, dict):
            refuse(None, shown(line[:50].decode()), "not-an-object", "Write one JSON object a line: one sheet.")
        elif (name := _doubled(line, given)) is not None:
            refuse(shown(name), None, "duplicate-key", "This key comes twice in the line; keep one of them.")
        elif _is_sheet(given, refuse, careful=b"\\u00" in line or len(line) > LONGEST_FIELD):
            found.append(_Sheet(at, given, given[RESPONSES]))
            continue
        reading.refused += 1
    return found


def _doubled(line: bytes, given: dict[str, Any]) -> str | None:
    """A key that stands twice in one object: of its values a reader keeps the last, and says nothing.

    What was read has as many quotes as the line, or something was lost on the way: only then it is read slowly.
    """
    if b"\\" not in line and line.count(b'"') == 2 * (_texts_in(given) + _texts_in(given.get(RESPONSES))):
        return None
    doubled: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        doubled.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    with suppress(RecursionError):  # no sheet is so deep: that will be said of it
        json.loads(line, object_pairs_hook=look, parse_int=str, parse_float=str, parse_constant=str)
    return doubled[0] if doubled else None


def _texts_in(value: object) -> int:
    """How many texts an object has itself, keys and values."""
    return len(value) + list(map(type, value.values())).count(str) if isinstance(value, dict) else 0


_Refuse = Callable[[str | None, str | None, str, str], None]


def _refuser(reading: Reading, line: int) -> _Refuse:
    def refuse(column: str | None, value: str | None, rule: str, remedy: str) -> None:
        reading.refuse(line, column, value, rule, remedy)

    return refuse


def _unreadable(line: bytes, wrong: ValueError, refuse: _Refuse, *, is_cut: bool) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        if not (is_cut and bad.reason == "unexpected end of data"):
            refuse(None, line[bad.start : bad.start + 4].hex(" "), "not-utf8", "Save the file as UTF-8.")
            return
    if is_cut:
        refuse(None, None, "cut-off", "The file ends in the middle of this line; send the whole file.")
        return
    place = f" at character {wrong.pos + 1}" if isinstance(wrong, orjson.JSONDecodeError) else ""
    remedy = f"This is no JSON{place}: write one whole object a line, without line ends in it."
    refuse(None, None, "json", remedy)


def _is_sheet(given: dict[str, Any], refuse: _Refuse, *, careful: bool) -> bool:
    """Whether the object has what a sheet has; responses become texts as a CSV would write them."""
    fine = True
    if not given.keys() <= _FIELDS:
        fine = False
        for name in given.keys() - _FIELDS:
            remedy = f"A sheet has {', '.join((*FIXED_COLUMNS, STATUS_COLUMN))} and {RESPONSES}; items stand in those."
            refuse(shown(name), shown(given[name]), "unknown-key", remedy)
    for name in _REQUIRED:
        if name not in given:
            fine = False
            refuse(name, None, "missing-key", "Every sheet has this key; add it.")
    if given.get(STATUS_COLUMN, "") is None:
        given[STATUS_COLUMN] = ""
    for name, value in given.items():
        if name in _FIELDS and not isinstance(value, dict if name == RESPONSES else str):
            fine = False
            expected = "an object of responses by item" if name == RESPONSES else "a string"
            refuse(name, shown(value), "wrong-type", f"Here stands {expected}.")
    responses = given.get(RESPONSES)
    if isinstance(responses, dict) and not set(map(type, responses.values())) <= {str}:
        for item, value in responses.items():
            if type(value) is not str:
                text = _text(value)
                if text is None:
                    fine = False
                    refuse(shown(item), shown(value), "wrong-type", "A response is a string, a number or null.")
                else:
                    responses[item] = text
    if fine and careful:
        cells = {name: given[name] for name in given if name != RESPONSES} | given[RESPONSES]
        for place, (value, rule, remedy) in sheets.unwritable(list(cells.values())).items():
            fine = False
            refuse(shown(list(cells)[place]), value, rule, remedy)
    return fine


def _text(value: Any) -> str | None:
    """What a CSV would have in this cell; None when it could not stand there. 3.0 is 3: JSON knows no difference."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return None
