"""What the files of attendance and of closures have in common on their way in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import BinaryIO, Protocol, TypeVar

from services.roster.domain.sheet import Unreadable, Wrong
from shared.db import Transaction
from shared.imports import DRY_RUN, SWITCH, Job, Verdict

OPTIONS: Mapping[str, Sequence[str]] = {DRY_RUN: SWITCH}
ROWS_AT_ONCE = 10_000
MOST_DESCRIBED = 1_000
"""Problems that are told one by one; the others are counted."""

_Row = TypeVar("_Row")
_Said = TypeVar("_Said", contravariant=True)
_Unfit = TypeVar("_Unfit", covariant=True)
_Described = TypeVar("_Described")
Read = Callable[[BinaryIO], Iterator[_Row | Wrong]]
Stage = Callable[[Transaction, Sequence[_Row]], Awaitable[None]]


class Store(Protocol[_Said, _Unfit]):
    """Where the rows of one kind of file are staged and compared, set by set: a module of the store."""

    async def begin(self, tx: Transaction, /) -> None:
        """Make the stage."""

    async def stage(self, tx: Transaction, rows: Sequence[_Said], /) -> None:
        """Stage some rows."""

    async def resolve(self, tx: Transaction, /) -> int:
        """Find what the rows name; how many of them name what does not fit."""

    async def unfit(self, tx: Transaction, most: int, /) -> Sequence[_Unfit]:
        """The first of those, with what is wrong with each."""

    async def compare(self, tx: Transaction, /) -> tuple[int, int, int]:
        """How many rows are new, change what is known, and say it again."""


class Problems:
    """What is wrong with one file, the first of it described."""

    def __init__(self, job: Job, file: str) -> None:
        self._job, self._file = job, file
        self._described = 0

    def tell(self, wrong: Wrong) -> None:
        """A row or the file breaks a rule; one more row is refused."""
        self._job.counts.refused += 1
        if self._described < MOST_DESCRIBED:
            self._described += 1
            self._job.problem(
                file=self._file, line=wrong.line, column=wrong.column, value=wrong.value, rule=wrong.rule,
                remedy=wrong.remedy,
            )  # fmt: skip
        else:
            self._job.problems += 1

    def more(self, count: int) -> None:
        """So many further rows are refused, and not described."""
        self._job.counts.refused += count
        self._job.problems += count

    @property
    def room(self) -> int:
        """How many can still be described."""
        return MOST_DESCRIBED - self._described


async def read(job: Job, tx: Transaction, problems: Problems, read: Read[_Row], stage: Stage[_Row]) -> int | None:
    """Stage every row that can be read; how many rows there are, None when the file cannot be read to its end."""
    count = 0
    async with job.spool() as path:
        with await asyncio.to_thread(path.open, "rb") as stream:
            rows = read(stream)
            try:
                while block := await asyncio.to_thread(lambda: list(islice(rows, ROWS_AT_ONCE))):
                    count += len(block)
                    for wrong in (row for row in block if isinstance(row, Wrong)):
                        problems.tell(wrong)
                    await stage(tx, [row for row in block if not isinstance(row, Wrong)])
                    job.progress(await asyncio.to_thread(stream.tell), job.size)
            except Unreadable as broken:
                for wrong in broken.wrong:
                    problems.tell(wrong)
                job.refuse_whole()
                return None
    job.summary["files"] = {job.kind: count}
    return count


async def compared(
    job: Job,
    tx: Transaction,
    file: str,
    read_rows: Read[_Row],
    store: Store[_Row, _Described],
    wrong: Callable[[_Described], Wrong],
) -> Verdict | None:
    """Read it all, tell what does not fit, and compare the rest with what is known; whether that may be applied.

    None for a file that cannot be read to its end.
    """
    problems = Problems(job, file)
    await store.begin(tx)
    if await read(job, tx, problems, read_rows, store.stage) is None:
        return None
    unfit = await store.resolve(tx)
    described = await store.unfit(tx, problems.room)
    for one in described:
        problems.tell(wrong(one))
    problems.more(unfit - len(described))
    job.counts.added, job.counts.changed, job.counts.unchanged = await store.compare(tx)
    return verdict(job)


def verdict(job: Job) -> Verdict:
    """Whether what was found may be applied."""
    if job.problems and not job.keep_good:
        return Verdict.REFUSED
    return Verdict.REPORTED if job.is_on(DRY_RUN) else Verdict.APPLIED
