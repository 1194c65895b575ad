"""Cutting a stream of CSV (RFC 4180) or of lines of JSON into blocks of whole records.

In CSV a line end belongs to a record when the quotes before it do not balance. Only the cut depends on that count, and
the count is over whole blocks at C speed; what a record says is decided by the parser, block by block. A stray quote
can therefore put a cut in a wrong place, but then both halves fail to parse and are reported: nothing is read wrongly.
In JSON no string holds a line end as it is.
"""

from dataclasses import dataclass

LONGEST_RECORD = 1 << 20  # bytes
LONGEST_FIELD = 10 * 1024  # characters
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records: the first begins on line `first_line` of the file (from 1); `last` when nothing follows."""

    first_line: int
    content: bytes
    last: bool


class RecordTooLong(Exception):
    """A record is longer than 1 MiB, or a quote was opened and never closed."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Splitter:
    """Takes the pieces as they come and gives blocks; holds one piece and one unfinished record at most."""

    def __init__(self, *, quoted: bool = True) -> None:
        """`quoted` when quotes may enclose line ends, as in CSV."""
        self._quoted = quoted
        self._rest = b""
        self._line = 1
        self._begun = False

    def feed(self, piece: bytes) -> Block | None:
        """What is complete after this piece. RecordTooLong when no record ends within the limit."""
        held = self._rest + piece
        if not self._begun:
            if len(held) < len(_BOM):
                self._rest = held
                return None
            self._begun = True
            held = held.removeprefix(_BOM)
        cut = _last_record_end(held) if self._quoted else held.rfind(b"\n") + 1
        self._rest = held[cut:]
        block = self._block(held[:cut], last=False) if cut else None
        if len(self._rest) > LONGEST_RECORD:
            raise RecordTooLong(self._line)
        return block

    def end(self) -> Block:
        """What is left when the stream has ended: perhaps nothing, perhaps a record without line end."""
        rest = self._rest if self._begun else self._rest.removeprefix(_BOM)
        return self._block(rest, last=True)

    def _block(self, content: bytes, *, last: bool) -> Block:
        first_line = self._line
        self._line += content.count(b"\n")
        return Block(first_line, content, last)


def _last_record_end(held: bytes) -> int:
    """The offset after the last line end that no quote encloses; 0 if there is none."""
    end = held.rfind(b"\n") + 1
    quotes = held.count(b'"', 0, end)
    while end and quotes % 2:
        opening = held.rfind(b'"', 0, end)
        earlier = held.rfind(b"\n", 0, opening) + 1
        quotes -= held.count(b'"', earlier, end)
        end = earlier
    return end
