"""Where in a JSON text a value stands: JSON pointers (RFC 6901) to lines."""

import json
import re
from collections.abc import Iterable
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def pointer(*steps: str | int) -> str:
    """The JSON pointer of these steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def lines(text: str, pointers: Iterable[str]) -> dict[str, int]:
    """The line (from 1) where each pointer's value begins; where it does not exist, that of its nearest ancestor.

    One pass: only containers on the way to a wanted value are opened, everything else is skipped at C speed.
    `text` must be valid JSON.
    """
    wanted: dict[str, Any] = {}
    asked = list(pointers)
    for each in asked:
        branch = wanted
        for step in each.split("/")[1:]:
            branch = branch.setdefault(step.replace("~1", "/").replace("~0", "~"), {})
    starts: dict[str, int] = {}
    _walk(text, _skip(text, 0), wanted, "", starts)
    line, counted = 1, 0
    line_at: dict[int, int] = {}
    for offset in sorted(set(starts.values())):
        line += text.count("\n", counted, offset)
        counted = offset
        line_at[offset] = line
    return {each: line_at[starts[_nearest(each, starts)]] for each in asked}


def _nearest(asked: str, starts: dict[str, int]) -> str:
    while asked not in starts:
        asked = asked.rpartition("/")[0]
    return asked


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _walk(text: str, at: int, wanted: dict[str, Any], here: str, starts: dict[str, int]) -> int:
    """Note where this value starts and, when something inside is wanted, go in; the offset after the value."""
    starts[here] = at
    if not wanted or text[at] not in "{[":
        return _DECODER.raw_decode(text, at)[1]
    named = text[at] == "{"
    close = "}" if named else "]"
    at = _skip(text, at + 1)
    count = 0
    while text[at] != close:
        if named:
            step, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        else:
            step = str(count)
        if step in wanted:
            at = _walk(text, at, wanted[step], here + pointer(step), starts)
        else:
            at = _DECODER.raw_decode(text, at)[1]
        count += 1
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1
