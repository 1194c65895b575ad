"""The published response files of knowledge tracing, in the layout that `trellis trace` reads.

ASSISTments 2009-10 is tab separated with a header. ASSISTments 2015 comes as triples of lines for each student: how
many responses, their skills, and whether each was right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Responses in the order they were given, (rows,); `item` is None where the file does not say."""

    user: Ints
    skill: Ints
    correct: Ints
    item: Ints | None

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, slots=True)
class Split:
    """A file to fit and one to predict, with no student in both."""

    name: str
    train: Rows
    test: Rows


def assist09(folder: Path) -> Split:
    """ASSISTments 2009-10, the split of Gervet et al. 2020 with rows of several skills merged."""
    return Split("assist09", *(_tabbed(folder / f"lpp_assist09_{part}.csv") for part in ("train", "test")))


def assist2015(folder: Path) -> Split:
    """ASSISTments 2015; the students of the second file are numbered on from those of the first."""
    train = _triples(folder / "dkt_assist2015_train.csv", 0)
    return Split("assist2015", train, _triples(folder / "dkt_assist2015_test.csv", int(train.user.max()) + 1))


def write(rows: Rows, path: Path) -> Path:
    """The rows as user,item,skill,correct,timestamp; the timestamp is the order alone."""
    item = rows.skill if rows.item is None else rows.item
    table = np.stack([rows.user, item, rows.skill, rows.correct, np.arange(len(rows))], axis=1)
    np.savetxt(path, table, fmt="%d", delimiter=",", header="user,item,skill,correct,timestamp", comments="")
    return path


def _tabbed(path: Path) -> Rows:
    with path.open(encoding="utf-8") as stream:
        places = {name: place for place, name in enumerate(stream.readline().split())}
    table = np.loadtxt(path, delimiter="\t", skiprows=1, dtype=np.int64)
    user, skill, correct, item = (table[:, places[name]] for name in ("user_id", "skill_id", "correct", "item_id"))
    return Rows(user, skill, correct, item)


def _triples(path: Path, first_user: int) -> Rows:
    users: list[Ints] = []
    columns: tuple[list[Ints], list[Ints]] = ([], [])
    for user, (length, *both) in enumerate(_by_three(path), start=first_user):
        for column, text in zip(columns, both, strict=True):
            values = np.array(text.strip(",").split(","), dtype=np.int64)
            if len(values) != int(length):
                raise ValueError(
                    f"{path.name}: student {user - first_user + 1} has {len(values)} of {length} responses"
                )
            column.append(values)
        users.append(np.full(int(length), user))
    return Rows(np.concatenate(users), np.concatenate(columns[0]), np.concatenate(columns[1]), None)


def _by_three(path: Path) -> Iterator[tuple[str, str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return zip(lines[0::3], lines[1::3], lines[2::3], strict=True)
