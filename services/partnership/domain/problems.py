"""What is wrong with a file, and where."""

from dataclasses import dataclass

LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule: `column` is a column of the CSV, or the dotted key of the TOML."""

    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


def shown(value: object) -> str:
    """A value as a report may show it: short, and without what PostgreSQL's text cannot hold."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):  # tables in tables in tables; a number of thousands of digits
        text = "…"
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
