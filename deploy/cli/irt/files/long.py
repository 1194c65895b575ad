"""One line per answer: `student,item,score[,time]`."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deploy.cli.irt.files.answers import Floats, Grouping, ResponseFile
from deploy.cli.irt.files.cells import BadCell, ScoreColumn
from deploy.cli.irt.files.tables import Progress, Table
from deploy.cli.irt.files.wide import SPARSE_BELOW
from deploy.cli.refusal import Refused
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Sparse

Numbers = NDArray[np.int32]


class Names:
    """Numbers names in order of first appearance."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}

    def numbers(self, column: pa.Array) -> Numbers:
        """The number of each cell's name, −1 where there is none."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        names: list[str] = column.dictionary.to_pylist()
        table = np.full(len(names) + 1, -1, dtype=np.int32)
        table[:-1] = [self._number_of.setdefault(name, len(self._number_of)) for name in names]
        return np.asarray(table[column.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)])

    @property
    def known(self) -> tuple[str, ...]:
        """The names in order."""
        return tuple(self._number_of)


class Columns:
    """The answers of a long file as they are read, a chunk at a time."""

    def __init__(self, table: Table, student: str, groups: str | None, ignore: Sequence[str]) -> None:
        self.table = table
        self.place = {name: table.columns.index(name) for name in (student, "item", "score")}
        self.student = student
        self.time = table.columns.index("time") if "time" in table.columns and "time" not in ignore else None
        self.group = None if groups is None else table.columns.index(groups)
        used = {*self.place, "time", groups, *ignore}
        if more := [name for name in table.columns if name not in used]:
            raise Refused(
                f"{table.path} has one line per answer and a column {more[0]!r} besides {', '.join(self.place)} "
                "and time: name it by --groups or --ignore."
            )
        self.students, self.items, self.labels = Names(), Names(), Names()
        self.scores: dict[int, ScoreColumn] = {}
        self._chunks: dict[str, list[NDArray[np.generic]]] = {}
        self.rows = 0

    def read(self, progress: Progress) -> None:
        """Everything in the file.

        Raises: Refused, naming line and column.
        """
        text = [self.place[self.student], self.place["item"]]
        text += [place for place in (self.group, self.time) if place is not None]
        score = ScoreColumn()
        for batch in self.table.batches(text, progress):
            for name, names in ((self.student, self.students), ("item", self.items)):
                numbers = names.numbers(batch[self.place[name]])
                if (numbers < 0).any():
                    self._refuse(int(np.argmax(numbers < 0)), name, "is empty")
                self._keep(name if name == "item" else "student", numbers)
            try:
                self._keep("score", score.codes(batch[self.place["score"]]))
            except BadCell as bad:
                self._refuse(bad.row, "score", bad.wrong)
            if self.time is not None:
                self._keep("time", self._seconds(batch[self.time]))
            if self.group is not None:
                self._keep("group", self.labels.numbers(batch[self.group]))
            self.rows += len(batch[0])
        self.raw = np.array([*score.categories, *[0] * (256 - len(score.categories))], dtype=np.int64)
        self.in_order = score.in_order

    def _keep(self, name: str, chunk: NDArray[np.generic]) -> None:
        self._chunks.setdefault(name, []).append(chunk)

    def take(self, name: str) -> NDArray[np.generic]:
        """A whole column; its chunks are let go."""
        return np.concatenate(self._chunks.pop(name))

    def _seconds(self, column: pa.Array) -> NDArray[np.float32]:
        found = np.full(len(column), np.nan, dtype=np.float32)
        for row, value in enumerate(column.to_pylist()):
            if value is None:
                continue
            try:
                found[row] = float(value)
            except ValueError:
                self._refuse(row, "time", f"{value!r} is no number of seconds")
            if not 0 <= found[row] < np.inf:
                self._refuse(row, "time", f"{value!r} is no number of seconds")
        return found

    def _refuse(self, row: int, column: str, wrong: str) -> None:
        raise Refused(f"{self.table.path}, {self.table.row(self.rows + row)}, column {column!r}: {wrong}.") from None


def read_long(
    table: Table, student: str, groups: str | None, ignore: Sequence[str], progress: Progress
) -> ResponseFile:
    """The answers of a long file, students and items in order of first appearance.

    Raises: Refused, naming line and column; both lines where a student has an item twice.
    """
    columns = Columns(table, student, groups, ignore)
    columns.read(progress)
    if not columns.rows:
        raise Refused(f"{table.path} has a header and no students.")
    who = columns.take("student").astype(np.int32, copy=False)
    grouping = None if groups is None else _grouping(columns, groups, who)
    what = columns.take("item").astype(np.int32, copy=False)
    codes = columns.in_order[columns.take("score")]
    seconds = columns.take("time").astype(np.float64) if columns.time is not None else None
    order = _sorted(table, who, what, columns)
    if order is not None:
        who, what, codes = who[order], what[order], codes[order]
        seconds = None if seconds is None else seconds[order]
    students, items = columns.students.known, columns.items.known
    if (codes == NOT_PRESENTED).any():
        kept = codes != NOT_PRESENTED
        who, what, codes = who[kept], what[kept], codes[kept]
        seconds = None if seconds is None else seconds[kept]
    categories = _categories(what, codes, columns)
    dense, entries = None, None
    if len(who) < SPARSE_BELOW * len(students) * len(items):
        bounds = np.zeros(len(students) + 1, dtype=np.int64)
        np.cumsum(np.bincount(who, minlength=len(students)), out=bounds[1:])
        entries = Sparse(bounds, what, codes, len(items))
    else:
        dense = np.full((len(students), len(items)), NOT_PRESENTED, dtype=np.uint8)
        dense[who, what] = codes
        seconds = None if seconds is None else _spread(dense.shape, who, what, seconds)
    return ResponseFile(
        path=table.path,
        items=items,
        categories=categories,
        dense=dense,
        entries=entries,
        students=students,
        grouping=grouping,
        seconds=seconds,
        place_of=_finder(columns),
    )


def _sorted(table: Table, who: Numbers, what: Numbers, columns: Columns) -> NDArray[np.int64] | None:
    """The order by student and item; None when the lines stand so already.

    Raises: Refused naming both lines of a double.
    """
    items = len(columns.items.known)
    key = who.astype(np.int64) * items + what
    order = None if (np.diff(key) > 0).all() else np.argsort(key, kind="stable")
    if order is not None:
        ranked = key[order]
        double = np.flatnonzero(ranked[1:] == ranked[:-1])
        if len(double):
            at = double[np.argmin(order[double + 1])]
            first, second = int(order[at]), int(order[at + 1])
            raise Refused(
                f"{table.path}: student {columns.students.known[who[first]]!r} has item "
                f"{columns.items.known[what[first]]!r} at {table.row(first)} and {table.row(second)}."
            )
    return order


def _categories(what: Numbers, codes: Codes, columns: Columns) -> tuple[tuple[int, ...], ...]:
    """Each item's distinct scores in order; `codes` become indices into them, in place."""
    seen = np.zeros((len(columns.items.known), 256), dtype=bool)
    seen[what, codes] = True
    index = (np.cumsum(seen, axis=1) - 1).astype(np.uint8)
    codes[:] = index[what, codes]
    return tuple(tuple(columns.raw[np.flatnonzero(one)].tolist()) for one in seen)


def _grouping(columns: Columns, groups: str, who: Numbers) -> Grouping:
    """Each student's group, the same on all of the student's lines.

    Raises: Refused naming both lines where it changes.
    """
    codes = columns.take("group").astype(np.int32, copy=False)
    first = np.zeros(len(columns.students.known), dtype=np.int64)
    first[who[::-1]] = np.arange(len(who))[::-1]
    expected = codes[first[who]]
    if (codes != expected).any():
        at = int(np.argmax(codes != expected))
        table = columns.table
        raise Refused(
            f"{table.path}, column {groups!r}: student {columns.students.known[who[at]]!r} changes group between "
            f"{table.row(int(first[who[at]]))} and {table.row(at)}."
        )
    labels = columns.labels.known
    order = sorted(range(len(labels)), key=labels.__getitem__)
    rank = np.full(len(labels) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(labels), dtype=np.int32)
    return Grouping(groups, tuple(labels[place] for place in order), rank[codes[first]])


def _spread(shape: tuple[int, ...], who: Numbers, what: Numbers, seconds: Floats) -> Floats:
    made = np.full(shape, np.nan)
    made[who, what] = seconds
    return made


def _finder(columns: Columns) -> Callable[[int, int], str]:
    """Finds the line of a student's answer by reading the file again: only errors need it."""
    table = columns.table
    student, item = columns.place[columns.student], columns.place["item"]

    def place_of(who: int, what: int) -> str:
        row = 0
        for batch in table.batches([student, item], lambda done, total: None):
            same_student = np.array(batch[student].to_pylist(), dtype=object) == columns.students.known[who]
            same_item = np.array(batch[item].to_pylist(), dtype=object) == columns.items.known[what]
            if (found := np.flatnonzero(same_student & same_item)).size:
                return table.row(row + int(found[0]))
            row += len(batch[0])
        return f"student {columns.students.known[who]}"

    return place_of
