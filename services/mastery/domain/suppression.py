"""Which figures of a snapshot are hidden, so that no small group can be read or computed from what is shown.

Cell suppression on a tree of sums (Willenborg & de Waal 2001, Elements of Statistical Disclosure Control, ch. 4;
Hundepool et al. 2012, Statistical Disclosure Control, ch. 4): groups below the threshold are hidden, and others with
them as far as it takes. Every competency is a table of its own: nothing adds up across competencies.

Hidden leaves belong to the lowest organisation above them whose count is known; all that is known of them is their sum
R there. So m of them with R ≥ threshold + m leave each an interval at least as wide as the threshold: each may be 1,
or take from the others all they have above 1.

The same must hold for all snapshots together, against somebody who knows which counts did not change between them.
Hidden leaves are therefore kept in layers. Leaves of a layer are hidden together, at a moment when none of their
counts had been said, and stay hidden together until all of them have changed: then the same amount may be moved from
one to another in every snapshot at once, and everything published, and every equality, is as it was. How much can be
moved is the least that each of them has held since then, learners in need and others separately, for the published
shares of need are sums, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.figures import in_need_between, need_shown
from services.mastery.domain.organisations import Ints, Tree

Bools = NDArray[np.bool_]
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Withheld:
    """A place whose count is hidden: what the next snapshot must know not to tell it by the difference.

    `layer` is None for a place that has others below it. `in_need` and `others` are the least it held since the layer
    began, among those who need help and those who do not.
    """

    place: int
    layer: int | None
    learners: int
    in_need: int
    others: int


@dataclass(frozen=True, slots=True)
class Before:
    """What was said of one competency in the snapshot before this one.

    `learners` (places,) holds what was published, 0 where there was nothing, -1 where it was hidden or is not known.
    `gone` are the layers of withheld places that are no longer in the tree.
    """

    learners: Ints
    withheld: tuple[Withheld, ...] = ()
    gone: frozenset[int] = frozenset()

    @classmethod
    def nothing(cls, places: int) -> "Before":
        """There was no snapshot."""
        return cls(np.full(places, UNKNOWN, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A hidden leaf: learners in need and others now, and the least of each since its layer began.

    It is loose when it is new in its layer, or has changed since the snapshot before: no equality holds it.
    """

    layer: int | None
    in_need: int
    others: int
    least_in_need: int
    least_others: int
    is_new: bool
    is_loose: bool

    @property
    def slack(self) -> int:
        """How many learners can be thought away and one is still there."""
        return self.least_in_need + self.least_others - 1


@dataclass(frozen=True, slots=True)
class _Moved:
    """Of a layer of before: the leaves that have changed since, as they were, and whether one has no learners left."""

    slacks: list[int]
    in_need: int
    others: int
    somebody_left: bool


@dataclass(slots=True)
class _Table:
    """One competency: counts by place, and what is hidden so far."""

    tree: Tree
    children: Sequence[Sequence[int]]
    learners: list[int]
    in_need: list[int]
    need: list[float]
    threshold: int
    before: Before
    hidden: list[bool] = field(init=False)
    said: list[bool] = field(init=False)
    leaves: dict[int, _Leaf] = field(init=False, default_factory=dict)
    given_up: set[tuple[int | None, int]] = field(init=False, default_factory=set)
    moved: dict[int, "_Moved"] = field(init=False, default_factory=dict)
    bounds: tuple[list[int], list[int]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        published = self.before.learners.tolist()
        self.said = [count == told for count, told in zip(self.learners, published, strict=True)]
        self.hidden = [0 < count < self.threshold for count in self.learners]

    def work(self) -> None:
        """Hide what must be, until every hidden count is protected or nothing more can be done."""
        self._go_on()
        for place, is_hidden in enumerate(self.hidden):
            if is_hidden and not self.children[place] and place not in self.leaves:
                self.leaves[place] = self._fresh(place)
        while any(self._mended(layer, members) for layer, members in self._layers()):
            pass  # the first that was mended may have joined others: look at all of them anew

    def _fresh(self, place: int, layer: int | None = None) -> _Leaf:
        need, others = self.in_need[place], self.learners[place] - self.in_need[place]
        return _Leaf(layer, need, others, need, others, is_new=True, is_loose=True)

    def _go_on(self) -> None:
        """Keep the layers of the snapshot before, unless all they hid has changed."""
        same = {one.place for one in self.before.withheld if one.learners == self.learners[one.place] > 0}
        inner = {one.place for one in self.before.withheld if one.layer is None}
        stays = {
            one.layer
            for one in self.before.withheld
            if one.layer is not None and (one.place in same or any(up in inner & same for up in self._above(one.place)))
        }
        for one in self.before.withheld:
            if one.layer in stays and one.layer is not None and one.learners and self.learners[one.place]:
                now = self._fresh(one.place, one.layer)
                self.hidden[one.place] = True
                self.leaves[one.place] = replace(
                    now,
                    least_in_need=min(one.in_need, now.in_need),
                    least_others=min(one.others, now.others),
                    is_new=False,
                    is_loose=one.place not in same,
                )
        self.moved = {layer: self._moved(layer) for layer in stays if layer is not None}
        for place in sorted(inner & same, reverse=True):
            if self.learners[place] and any(self.hidden[child] for child in self.children[place]):
                self.hidden[place] = True

    def _moved(self, layer: int) -> _Moved:
        members = [one for one in self.before.withheld if one.layer == layer]
        moved = [one for one in members if one.learners != self.learners[one.place] or not one.learners]
        return _Moved(
            [one.in_need + one.others - 1 for one in moved],
            sum(one.in_need for one in moved),
            sum(one.others for one in moved),
            layer in self.before.gone or any(not self.learners[one.place] for one in members),
        )

    def _above(self, place: int) -> Iterator[int]:
        while (place := int(self.tree.parent[place])) != UNKNOWN:
            yield place

    def _known_above(self, place: int) -> int | None:
        """The lowest organisation above whose count is shown, or was said before and is the same."""
        return next((up for up in self._above(place) if not self.hidden[up] or self.said[up]), None)

    def _layers(self) -> list[tuple[int | None, list[int]]]:
        """Leaves that protect each other: the layers of before, and what is newly hidden under one organisation."""
        old: dict[int, list[int]] = {}
        new: dict[tuple[int | None, int], list[int]] = {}
        for place in sorted(self.leaves):
            layer = self.leaves[place].layer
            if layer is not None:
                old.setdefault(layer, []).append(place)
            else:
                top = [place, *self._above(place)][-1]
                new.setdefault((self._known_above(place), top), []).append(place)
        return [*sorted(old.items()), *((None, members) for members in new.values())]

    def _mended(self, layer: int | None, members: list[int]) -> bool:
        """Hide one more place if this layer is not yet protected; whether one was hidden."""
        known = {up for member in members if (up := self._known_above(member)) is not None}
        if not known or (layer, members[0]) in self.given_up:
            return False
        lowest = max(known)  # parents stand before their children
        is_one = len(known) == 1 and len({self._known_above(member) for member in members}) == 1
        if is_one and self._is_protected(layer, lowest, members):
            return False
        if is_one and (found := self._complement(layer, lowest, members)) is not None:
            self.leaves[found] = self._fresh(found, layer)
            self.hidden[found] = True
            for up in self._above(found):
                if up == lowest:
                    break
                self.hidden[up] = True
            return True
        if self.said[lowest]:
            self.given_up.add((layer, members[0]))  # its count is known from before: hiding it would hide nothing
            return False
        self.hidden[lowest] = True
        return True

    def _is_protected(self, layer: int | None, above: int, members: Sequence[int]) -> bool:
        leaves = [self.leaves.get(member) or self._fresh(member, layer) for member in members]
        if not (self._is_wide([leaf.slack for leaf in leaves]) if layer is None else self._stays_wide(layer, leaves)):
            return False
        if len({self._branch(above, member) for member in members}) == 1:
            return False  # the one hidden branch is what the others lack
        some, not_all = any(leaf.least_in_need for leaf in leaves), any(leaf.least_others for leaf in leaves)
        if some and not_all:
            return True
        fewer, more = self._room(above)
        return (some or more >= 1) and (not_all or fewer >= 1)

    def _branch(self, above: int, place: int) -> int:
        """The part of an organisation that a place below it is in."""
        return next(one for one in (place, *self._above(place)) if self.tree.parent[one] == above)

    def _is_wide(self, slacks: Sequence[int]) -> bool:
        return len(slacks) > 1 and sum(slacks) >= self.threshold

    def _stays_wide(self, layer: int, leaves: Sequence[_Leaf]) -> bool:
        """Whether enough can still be moved about in a layer of before, in that snapshot and in this one."""
        moved, new = self.moved[layer], [leaf for leaf in leaves if leaf.is_new]
        if not moved.slacks and not new:
            return len(leaves) > 1  # as it was when the layer was found to be wide
        # What joins or leaves a layer is told by the difference of its sums, unless more of them differ.
        if (new or moved.somebody_left) and not self._is_wide([leaf.slack for leaf in new] + moved.slacks):
            return False
        if not moved.slacks:
            return len(leaves) > 1
        held = [leaf for leaf in leaves if not leaf.is_loose]
        loose = [leaf for leaf in leaves if leaf.is_loose]
        movable = min(moved.in_need, sum(leaf.in_need for leaf in loose))
        movable += min(moved.others, sum(leaf.others for leaf in loose))
        movable -= max(len(moved.slacks), len(loose))
        return len(leaves) > 1 and sum(leaf.slack for leaf in held) + max(movable, 0) >= self.threshold

    def _complement(self, layer: int | None, above: int, members: Sequence[int]) -> int | None:
        """The best leaf to hide with these: one that is enough if there is one, with few others, and small."""
        was_hidden = {one.place for one in self.before.withheld}
        best = min(
            (
                (not enough, cost, place not in was_hidden, size if enough else -size, place)
                for place, cost in self._reach(above)
                for size in [self.learners[place]]
                for enough in [self._is_protected(layer, above, [*members, place])]
            ),
            default=None,
        )
        return None if best is None else best[-1]

    def _reach(self, above: int) -> Iterator[tuple[int, int]]:
        """Leaves below that can still be hidden, and how many places that would take."""
        waiting = [(child, 1) for child in self.children[above]]
        while waiting:
            place, cost = waiting.pop()
            if self.said[place] or not self.learners[place]:
                continue
            if self.children[place]:
                below = cost if self.hidden[place] else cost + 1
                waiting += [(child, below) for child in self.children[place]]
            elif not self.hidden[place] and not self.tree.is_own[place]:
                yield place, cost

    def _room(self, above: int) -> tuple[int, int]:
        """How many fewer or more of the hidden might need help, for all that the rounded shares tell."""
        least, most = self._shares()
        need, low, high = 0, least[above], most[above]
        waiting = list(self.children[above])
        while waiting:
            place = waiting.pop()
            if not self.hidden[place] or self.said[place]:
                low, high = low - most[place], high - least[place]
            elif self.children[place]:
                waiting += self.children[place]
            else:
                need += self.in_need[place]
        return need - low, high - need

    def _shares(self) -> tuple[list[int], list[int]]:
        """The fewest and the most in need in every place, as the shares shown so far and their sums tell.

        Computed once: every place hidden later only makes these intervals wider.
        """
        if self.bounds is not None:
            return self.bounds
        places = range(len(self.tree))
        least, most = [0] * len(self.tree), list(self.learners)
        for place in places:
            if not self.hidden[place] and self.learners[place] and not self.tree.is_own[place]:
                least[place], most[place] = in_need_between(self.need[place], self.learners[place])
        for place in reversed(places):
            if self.children[place]:
                least[place] = max(least[place], sum(least[child] for child in self.children[place]))
                most[place] = min(most[place], sum(most[child] for child in self.children[place]))
        for place in places:
            low, high = sum(least[one] for one in self.children[place]), sum(most[one] for one in self.children[place])
            narrow = [
                (max(least[one], least[place] - (high - most[one])), min(most[one], most[place] - (low - least[one])))
                for one in self.children[place]
            ]
            for one, (lower, upper) in zip(self.children[place], narrow, strict=True):
                least[one], most[one] = lower, upper
        self.bounds = least, most
        return self.bounds

    def withheld(self) -> list[Withheld]:
        """What the next snapshot must know of what is hidden now. Newly hidden leaves become layers."""
        number = max([*(one.layer for one in self.before.withheld if one.layer is not None), *self.before.gone, 0])
        layers: dict[int, int] = {}
        free: set[int | None] = set()
        for layer, members in self._layers():
            if layer is None:
                number += 1
            elif all(self._known_above(member) is None for member in members):
                free.add(layer)
            layers |= dict.fromkeys(members, number if layer is None else layer)
        found = [  # nothing above them is known yet: when it is, it must not tell who left before
            Withheld(one.place, one.layer, 0, one.in_need, one.others)
            for one in self.before.withheld
            if one.layer in free and not self.learners[one.place]
        ]
        for place, is_hidden in enumerate(self.hidden):
            if is_hidden:
                leaf = self.leaves.get(place) or self._fresh(place)
                found.append(
                    Withheld(place, layers.get(place), self.learners[place], leaf.least_in_need, leaf.least_others)
                )  # fmt: skip
        return found


def suppress(
    tree: Tree, learners: Ints, in_need: Ints, threshold: int, before: Sequence[Before] | None = None
) -> tuple[Bools, list[list[Withheld]]]:
    """What is hidden, shape (places, competencies), and for each competency what the next snapshot must know.

    `learners` and `in_need` (places, competencies) are totals: of a place and all below it. A count of 0 is no cell.
    `before` has an entry per competency.
    """
    children: list[list[int]] = [[] for _ in range(len(tree))]
    for place, above in enumerate(tree.parent.tolist()):
        if above != UNKNOWN:
            children[above].append(place)
    hidden = np.zeros(learners.shape, dtype=np.bool_)
    need = need_shown(in_need, learners)
    withheld: list[list[Withheld]] = []
    for number in range(learners.shape[1]):
        then = before[number] if before is not None else Before.nothing(len(tree))
        table = _Table(
            tree,
            children,
            learners[:, number].tolist(),
            in_need[:, number].tolist(),
            need[:, number].tolist(),
            threshold,
            then,
        )
        table.work()
        hidden[:, number] = table.hidden
        withheld.append(table.withheld())
    return hidden, withheld
