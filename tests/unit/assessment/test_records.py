"""Cutting a stream into blocks loses nothing, wherever the pieces end."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.records import LONGEST_RECORD, RecordTooLong, Splitter

cells = st.text(st.sampled_from('ab,"\n\r é'), max_size=6)


def split(content: bytes, sizes: list[int]) -> list[tuple[int, bytes, bool]]:
    """The blocks of a content that arrives in pieces of these sizes, over and over."""
    splitter, blocks, at, turn = Splitter(), [], 0, 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        block = splitter.feed(content[at : at + size])
        at, turn = at + size, turn + 1
        if block:
            blocks.append(block)
    blocks.append(splitter.end())
    return [(block.first_line, block.content, block.last) for block in blocks]


@given(
    st.lists(st.lists(cells, min_size=2, max_size=3), max_size=8),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.booleans(),
)
def test_blocks_hold_whole_records_and_know_their_lines(rows: list[list[str]], sizes: list[int], bom: bool) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    content = written.getvalue().encode()

    blocks = split(b"\xef\xbb\xbf" + content if bom else content, sizes)

    assert b"".join(part for _, part, _ in blocks) == content
    read = [row for _, part, _ in blocks for row in csv.reader(io.StringIO(part.decode(), newline="\n"), strict=True)]
    assert read == rows
    line = 1
    for first_line, part, _ in blocks:
        assert first_line == line
        line += part.count(b"\n")
    assert [last for _, _, last in blocks] == [False] * (len(blocks) - 1) + [True]


def test_a_quote_that_never_closes_is_found_by_its_line() -> None:
    splitter = Splitter()
    splitter.feed(b'a,b\nc,d\n"never closed,\n')

    with pytest.raises(RecordTooLong) as caught:
        splitter.feed(b"x,y\n" * (LONGEST_RECORD // 4))

    assert caught.value.line == 3
