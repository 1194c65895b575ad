"""Reading a data file of the archive, in chunks of columns."""

import csv
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.roster.domain.blocks import Block, Encoding, Lines, Source, blocks_of
from services.roster.domain.cells import Checker, Chunk, Turned, fingerprints
from services.roster.domain.columns import Column, File
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.header import Header, read_header
from services.roster.domain.rows import Width, record, rows_of


class Reader:
    """One data file being read. `findings` fills while `chunks` is walked; afterwards the rest of this is whole."""

    def __init__(
        self,
        file: File,
        stream: Source,
        findings: Findings,
        *,
        encoding: Encoding = "utf-8",
        exactly: bool = False,
        block: int | None = None,
    ) -> None:
        self.file = file
        self.rows = 0
        self.is_readable = True
        """False when the header could not be matched, so that the rows mean nothing."""
        self._stream = stream
        self._findings = findings
        self._encoding: Encoding = encoding
        self._exactly = exactly
        self._size = {} if block is None else {"size": block}
        self._checker: Checker | None = None
        self._names: list[NDArray[np.uint64]] = []
        self._is_turned = False

    @property
    def bytes_read(self) -> int:
        """How far the reading is."""
        return self._stream.tell()

    @property
    def nameless(self) -> int:
        """Refused rows that have no sourcedId, so that not even their place can be kept."""
        return self._checker.nameless if self._checker else 0

    @property
    def turned(self) -> dict[str, Turned]:
        """Columns with dates whose order only the whole column can tell."""
        return self._checker.turned if self._checker else {}

    @property
    def turned_period(self) -> tuple[Column, Column] | None:
        """The two dates of a period that could not be compared while rows came."""
        return self._checker.turned_period if self._checker else None

    def may_have_twins(self) -> bool:
        """Whether a name may have come twice; if not, none has."""
        names = np.empty(sum(map(len, self._names)), dtype=np.uint64)
        at = 0
        while self._names:  # a city has millions: they are not held twice
            some = self._names.pop()
            names[at : at + len(some)] = some
            at += len(some)
        names.sort()
        return bool((names[1:] == names[:-1]).any())

    def chunks(self) -> Iterator[Chunk]:
        """The rows, some at a time. Unreadable when the file breaks off or is no CSV in its encoding."""
        blocks = blocks_of(self._stream, self.file.csv, encoding=self._encoding, **self._size)
        lines = Lines(self._watched(blocks))
        header = self._header(lines)
        if header is None:
            self.is_readable = False
            return
        self._checker = Checker(self.file, header, self._findings)
        width = Width(header.width, header.wide)
        for rows in rows_of(lines, width, self.file.csv, self._findings, exactly=self._exactly):
            if not len(rows.lines):
                continue
            self.rows += len(rows.lines)
            chunk = self._checker.chunk(rows)
            self._names.append(fingerprints(chunk.columns["sourced_id"]))
            yield chunk
        if self._is_turned:
            remedy = f"Read as {self._encoding}, as was declared."
            self._findings.add(Finding(self.file.csv, None, None, self._encoding, "encoding", remedy, repaired=True))

    def _watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            self._is_turned |= block.is_turned
            yield block

    def _header(self, lines: Lines) -> Header | None:
        cells = record(csv.reader(lines, strict=True), 1, self.file.csv)
        if not cells:
            remedy = "Begin the file with the standard's header row."
            raise Unreadable(Finding(self.file.csv, 1, None, None, "header-missing", remedy))
        header, found = read_header(self.file, cells)
        for finding in found:
            self._findings.add(finding)
        return header
