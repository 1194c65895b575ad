"""A data file's bytes as blocks of whole lines: decoded, counted, and none longer than allowed."""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from services.roster.domain.findings import Finding, Unreadable

Encoding = Literal["utf-8", "latin-1", "windows-1252"]

LINE_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
"""Larger ones are no quicker, and Arrow keeps some twenty times as much for each."""
_BOM = codecs.BOM_UTF8
_NEWLINE = 0x0A


class Source(Protocol):
    """Bytes that are read from their beginning to their end."""

    def read(self, size: int, /) -> bytes:
        """Some of the bytes, none at the end."""
        ...

    def tell(self) -> int:
        """How far the reading is."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines as UTF-8: the number of the first, how many they are, and the bytes of the longest.

    `is_turned`: they came in another encoding.
    """

    bytes: bytes
    first_line: int
    lines: int
    longest: int
    is_turned: bool = False

    def texts(self) -> Iterator[str]:
        """The lines, each with its end."""
        yield from io.StringIO(self.bytes.decode(), newline="\n")

    def without(self, lines: int) -> "Block":
        """The block without its first lines."""
        at = 0
        for _ in range(lines):
            at = self.bytes.find(b"\n", at) + 1 or len(self.bytes)
        return Block(self.bytes[at:], self.first_line + lines, self.lines - lines, self.longest, self.is_turned)


class Lines:
    """The lines of a file one by one, or a block at a time where nobody is in the middle of one."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self.line = 1
        """The number of the next line."""
        self._blocks = blocks
        self._block: Block | None = None
        self._texts: Iterator[str] = iter(())
        self._left = 0

    @property
    def is_between(self) -> bool:
        """Whether the next line is the first of another block."""
        return self._left == 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self._left:
            self.enter(next(self._blocks))
        self._left -= 1
        self.line += 1
        return next(self._texts)

    def enter(self, block: Block) -> None:
        """Go on with the lines of this block."""
        self._block, self._texts, self._left, self.line = block, block.texts(), block.lines, block.first_line

    def block(self) -> Block | None:
        """What is left of the block, or the next one whole; None at the end."""
        if self._left:
            assert self._block is not None
            rest = self._block.without(self._block.lines - self._left)
            self._left = 0
            return rest
        return next(self._blocks, None)


def blocks_of(stream: Source, file: str, *, encoding: Encoding = "utf-8", size: int = _BLOCK_BYTES) -> Iterator[Block]:
    """The blocks of a file; Unreadable where it is no text in this encoding, or a line has no end in sight."""
    line, rest = 1, b""
    read = stream.read(size)
    if read.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable(Finding(file, 1, None, None, "encoding", "Save the file as UTF-8; this is UTF-16."))
    if read.startswith(_BOM):  # the file says itself what it is, whatever was declared
        read, encoding = read[len(_BOM) :], "utf-8"
    while read or rest:
        whole, end, rest = (rest + read).rpartition(b"\n") if read else (rest, b"", b"")
        if raw := whole + end:
            lines, longest = _count(raw, file, line)
            utf8 = _in_utf8(raw, file, line, encoding)
            yield Block(utf8, line, lines, longest, utf8 is not raw)
            line += lines
        if len(rest) > LINE_BYTES:
            raise _too_long(file, line)
        read = stream.read(size) if read else b""


def _count(raw: bytes, file: str, first_line: int) -> tuple[int, int]:
    """How many lines there are, and how long the longest is."""
    ends = np.flatnonzero(np.frombuffer(raw, dtype=np.uint8) == _NEWLINE)
    if not raw.endswith(b"\n"):
        ends = np.append(ends, len(raw))
    sizes = np.diff(ends, prepend=-1)
    longest = int(sizes.max())
    if longest > LINE_BYTES:
        raise _too_long(file, first_line + int(np.argmax(sizes > LINE_BYTES)))
    return len(ends), longest


def _in_utf8(raw: bytes, file: str, first_line: int, encoding: Encoding) -> bytes:
    if (nul := raw.find(b"\0")) >= 0:
        line = first_line + raw.count(b"\n", 0, nul)
        raise Unreadable(
            Finding(file, line, None, None, "encoding", "Save the file as UTF-8 text; this has NUL bytes.")
        )
    if raw.isascii():
        return raw
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as wrong:
        line = first_line + raw.count(b"\n", 0, wrong.start)
        value = raw[max(0, wrong.start - 20) : wrong.start + 20].decode("utf-8", "replace").strip()
        remedy = (
            "Save the file as UTF-8; this is another encoding. If you know which, declare it (encoding=latin-1 or "
            "windows-1252)."
            if encoding == "utf-8"
            else f"This is no text in {encoding}, as was declared."
        )
        raise Unreadable(Finding(file, line, None, value, "encoding", remedy)) from wrong
    return raw if encoding == "utf-8" else text.encode()


def _too_long(file: str, line: int) -> Unreadable:
    return Unreadable(
        Finding(file, line, None, None, "line-too-long", "Keep a line under 1 MB; perhaps a line end is missing.")
    )
