"""What is wrong with a file, and where."""

from typing import NamedTuple


class Problem(NamedTuple):
    """One fault at one place. `column` is a CSV column's name or a JSON pointer; `line` counts from 1."""

    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


LONGEST_VALUE = 200  # characters of the offending value that are repeated to the sender


def shown(value: object) -> str | None:
    """The offending value as the report repeats it: shortened, and always writable as UTF-8."""
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:  # lists in lists in lists
        text = "…"
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
