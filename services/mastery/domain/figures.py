"""What a snapshot says of groups: how many learners, how strong, how much in need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.organisations import Ints, Tree
from shared.disclosure.measures import rate

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", np.int64, np.float64)

_LEAST, _MOST = 5, 95
"""Hundredths: the share in need is never shown nearer to nobody or everybody."""
_NOT_MASTERED = 0.5
_ID = 16


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals, shapes (places, competencies): learners with evidence, the sum of their probabilities of mastery, and
    how many of them have probably not mastered it (probability below .5)."""

    competencies: tuple[bytes, ...]
    learners: Ints
    probability: Floats
    in_need: Ints

    @property
    def strength(self) -> Floats:
        """Mean probability of mastery, rounded to hundredths; 0 where there are no learners."""
        return np.asarray(np.round(self.probability / np.maximum(self.learners, 1), 2))

    @property
    def need(self) -> Floats:
        """Share in need as it is shown: rounded to hundredths, held between .05 and .95."""
        return need_shown(self.in_need, self.learners)


def need_shown(in_need: Ints, learners: Ints) -> Floats:
    """The share in need as it is shown, elementwise: in whole hundredths (halves up), held between .05 and .95."""
    hundredths = (200 * in_need + learners) // (2 * np.maximum(learners, 1))
    return np.asarray(np.clip(hundredths, _LEAST, _MOST) / 100)


def need_between(need: Sequence[float | None], learners: Sequence[int | None]) -> list[tuple[float, float] | None]:
    """The 95 % interval (Wilson 1927) of each published share in need, in hundredths outwards; None where hidden.

    Made of what is published alone, so it tells nothing more.
    """
    size = np.array([count or 0 for count in learners], dtype=np.int64)
    some = np.rint(np.array([share or 0 for share in need], dtype=np.float64) * size).astype(np.int64)
    found = rate(some, size)
    lower, upper = np.floor(100 * found.lower) / 100, np.ceil(100 * found.upper) / 100
    return [
        None if share is None or not count else (low, high)
        for share, count, low, high in zip(need, learners, lower.tolist(), upper.tolist(), strict=True)
    ]


def in_need_between(need: float, learners: int) -> tuple[int, int]:
    """The fewest and the most in need of whom this share is shown."""
    hundredths = round(100 * need)
    least = 0 if hundredths == _LEAST else -(-learners * (2 * hundredths - 1) // 200)
    most = learners if hundredths == _MOST else (learners * (2 * hundredths + 1) - 1) // 200
    return least, most


class Count:
    """Learners counted as they come, many at a time, each once: where they are placed and what is believed of them."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._competencies: dict[bytes, int] = {}
        self._layouts: dict[bytes, Ints] = {}
        self._learners = np.zeros((64, 16), dtype=np.int64)
        self._in_need = np.zeros((64, 16), dtype=np.int64)
        self._probability = np.zeros((64, 16))

    @property
    def places(self) -> tuple[bytes, ...]:
        """The organisations that have learners."""
        return tuple(self._places)

    def add(self, placed: Iterable[bytes], competencies: Iterable[bytes], probabilities: Iterable[bytes]) -> None:
        """Students, in parallel: organisation, and the packed competencies and probabilities of their row."""
        alike: dict[bytes, tuple[list[int], list[bytes]]] = {}
        for organisation, layout, packed in zip(placed, competencies, probabilities, strict=True):
            rows, values = alike.setdefault(layout, ([], []))
            rows.append(self._places.setdefault(organisation, len(self._places)))
            values.append(packed)
        for layout, (rows, values) in alike.items():
            columns = self._columns(layout)
            self._make_room()
            believed = np.frombuffer(b"".join(values), dtype="<f8").reshape(len(rows), len(columns))
            at = np.array(rows, dtype=np.int64)[:, None], columns[None, :]
            np.add.at(self._learners, at, 1)
            np.add.at(self._probability, at, believed)
            np.add.at(self._in_need, at, (believed < _NOT_MASTERED).astype(np.int64))

    def figures(self, tree: Tree) -> Figures:
        """Totals of every place of the tree, which must have all the organisations that have learners."""
        competencies = tuple(sorted(self._competencies))
        columns = [self._competencies[one] for one in competencies]
        rows = np.array([tree.place_of[one] for one in self._places], dtype=np.int64)

        def total(counted: NDArray[np.float64] | Ints) -> Floats:
            own = np.zeros((len(tree), len(columns)))
            own[rows] = counted[: len(rows), columns]
            return tree.totals(own)

        return Figures(
            competencies,
            total(self._learners).astype(np.int64),
            total(self._probability),
            total(self._in_need).astype(np.int64),
        )

    def _columns(self, layout: bytes) -> Ints:
        if layout not in self._layouts:
            ids = [layout[start : start + _ID] for start in range(0, len(layout), _ID)]
            found = [self._competencies.setdefault(one, len(self._competencies)) for one in ids]
            self._layouts[layout] = np.array(found, dtype=np.int64)
        return self._layouts[layout]

    def _make_room(self) -> None:
        needed = len(self._places), len(self._competencies)
        if needed[0] > self._learners.shape[0] or needed[1] > self._learners.shape[1]:
            shape = tuple(
                max(2 * size, wanted) if wanted > size else size
                for size, wanted in zip(self._learners.shape, needed, strict=True)
            )
            self._learners = _grown(self._learners, shape)
            self._in_need = _grown(self._in_need, shape)
            self._probability = _grown(self._probability, shape)


def _grown(counted: NDArray[_Number], shape: Sequence[int]) -> NDArray[_Number]:
    grown = np.zeros(shape, dtype=counted.dtype)
    grown[: counted.shape[0], : counted.shape[1]] = counted
    return grown
