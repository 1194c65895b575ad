"""On which line of a TOML text a key stands: `areas[1].title` to a number."""

import re
from bisect import bisect_left
from collections import Counter

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\n]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_TOLD_APART = re.compile(_STRING.pattern + "|" + _COMMENT.pattern, re.DOTALL)
MOST_STEPS = 16
_DEEP = re.compile(rf"(?<![\w\"-])(?:[\w\"-]++[ \t]*+\.[ \t]*+){{{MOST_STEPS}}}")
_PLAIN = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def too_deep(text: str) -> int | None:
    """The line of the first dotted key of more than sixteen steps: reading a thousand steps takes a million, and more.

    The text need not be TOML.
    """
    bare = _TOLD_APART.sub(lambda found: '"' + "\n" * found.group().count("\n"), text)
    found = _DEEP.search(bare)
    return None if found is None else bare.count("\n", 0, found.start()) + 1


class Places:
    """The lines (from 1) of a TOML text that has been read without an error."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {"": 1}
        self._text = text
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._walk()

    def line(self, key: str) -> int:
        """The line of this key; where it is not there, that of the table it belongs in."""
        while key not in self._lines:
            key = key[: max(key.rfind("["), key.rfind("."), 0)]
        return self._lines[key]

    def _walk(self) -> None:
        text, at, table, times = self._text, 0, "", Counter[str]()
        names: dict[str, str] = {}  # an array of tables goes by its latest element: areas is areas[1]
        while (at := self._after(_BLANK, at)) < len(text):
            begin = at
            if text[at] == "[":
                repeated = text.startswith("[[", at)
                steps, at = self._key(at + 1 + repeated)
                at += 1 + repeated
                table = self._through(steps[: -1 if repeated else None], names)
                if repeated:
                    path = f"{table}.{steps[-1]}" if table else steps[-1]
                    self._note(path, begin)
                    table = names[path] = f"{path}[{times[path]}]"
                    times[path] += 1
                self._note(table, begin)
            else:
                steps, at = self._key(at)
                path = table
                for step in steps:
                    path = f"{path}.{step}" if path else step
                    self._note(path, begin)
                at = self._value(at + 1)

    def _note(self, path: str, offset: int) -> None:
        self._lines.setdefault(path, bisect_left(self._ends, offset) + 1)

    def _through(self, steps: list[str], names: dict[str, str]) -> str:
        path = ""
        for step in steps:
            path = f"{path}.{step}" if path else step
            path = names.get(path, path)
        return path

    def _after(self, pattern: "re.Pattern[str]", at: int) -> int:
        found = pattern.match(self._text, at)
        return found.end() if found else at

    def _key(self, at: int) -> tuple[list[str], int]:
        """A dotted key from here; its steps, and the offset of what comes after."""
        steps = []
        while True:
            at = self._after(_SPACE, at)
            found = _STRING.match(self._text, at) or _BARE.match(self._text, at)
            assert found is not None, "the text has been read as TOML before"
            steps.append(_unquoted(found.group()))
            at = self._after(_SPACE, found.end())
            if self._text[at] != ".":
                return steps, at
            at += 1

    def _value(self, at: int) -> int:
        """The end of the line on which the value that begins here ends."""
        depth = 0
        while at < len(self._text):
            found = _STRING.match(self._text, at)
            if found:
                at = found.end()
                continue
            sign = self._text[at]
            if sign == "#":
                at = self._after(_COMMENT, at)
                continue
            if sign == "\n" and not depth:
                return at
            depth += (sign in "[{") - (sign in "]}")
            at += 1
        return at


def _unquoted(step: str) -> str:
    if step[0] == "'":
        return step[1:-1]
    if step[0] == '"':
        return _ESCAPE.sub(_character, step[1:-1])
    return step


def _character(found: "re.Match[str]") -> str:
    said = found.group(1)
    return chr(int(said[1:], 16)) if len(said) > 1 else _PLAIN.get(said, said)
